"""The run folder: what counts as finished, and whose folder it is."""

# ruff: noqa: E501 - messages are given in full

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.errors import PipelineError, UsageError
from pipeline.rundir import Frame, RunFolder, append_durably, file_hash, run_path

RECORD = {"size": 64, "style_layers": ("a", "b"), "content": "0" * 64}


def fill(run: RunFolder, count: int) -> None:
    for index in range(count):
        path = run.frame_path(index)
        path.write_text(f"frame {index}")
        run.commit(Frame(index, path.name, file_hash(path), {"total": 1.0}, 2, 0.5))


def test_the_folder_lies_beside_the_output() -> None:
    assert run_path(Path("a/out.mp4")) == Path("a/out.mp4.run")


def test_finished_frames_are_found_again(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run", RECORD)
    assert run.finished() == []
    fill(run, 3)
    again = RunFolder(tmp_path / "run", RECORD).finished()
    assert [frame.index for frame in again] == [0, 1, 2]
    assert again[0] == Frame(0, "000000.png", file_hash(run.frame_path(0)), {"total": 1.0}, 2, 0.5)


@pytest.mark.parametrize(
    "line",
    ["", "{", "[]", "{}", "null", '{"index": 1}',
     '{"index": "1", "file": "000001.png", "sha256": "", "losses": {}, "evaluations": 1, "seconds": 1}',
     '{"index": 1, "file": null, "sha256": "", "losses": {}, "evaluations": 1, "seconds": 1}',
     '{"index": 1, "file": "../job.json", "sha256": "", "losses": {}, "evaluations": 1, "seconds": 1}'],
)  # fmt: skip
def test_a_damaged_line_ends_what_is_finished(line: str, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run", RECORD)
    fill(run, 3)
    journal = tmp_path / "run" / "journal.jsonl"
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join([lines[0], line, lines[2]]))
    assert [frame.index for frame in run.finished()] == [0]
    assert journal.read_text() == lines[0] + "\n"
    fill(run, 0)


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_a_frame_counts_only_as_it_was_written(damage: str, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run", RECORD)
    fill(run, 3)
    if damage == "missing":
        run.frame_path(1).unlink()
    else:
        run.frame_path(1).write_text("other")
    assert [frame.index for frame in run.finished()] == [0]


def test_other_settings_are_named(tmp_path: Path) -> None:
    path = tmp_path / "run"
    RunFolder(path, RECORD)
    with pytest.raises(UsageError) as caught:
        RunFolder(path, {**RECORD, "size": 32, "content": "1" * 64, "new": True})
    assert str(caught.value) == (
        f"{path}: holds a run with other settings (size: 64 there, 32 now; other content; new: null there, true now); "
        f"give its settings to continue it, or --restart to discard it"
    )


def test_restart_empties_a_run_folder_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "run"
    fill(RunFolder(path, RECORD), 2)
    run = RunFolder(path, {**RECORD, "size": 32}, restart=True)
    assert run.finished() == []
    assert json.loads((path / "job.json").read_text())["size"] == 32
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine").touch()
    with pytest.raises(
        UsageError, match="is in the way of the run folder and is none; move it or rename the output"
    ):
        RunFolder(other, RECORD, restart=True)
    assert (other / "mine").exists()


def test_a_run_that_ended_before_its_first_line_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "run"
    (path / "frames").mkdir(parents=True)
    (path / ".job.json.tmp").write_text("{")
    assert RunFolder(path, RECORD).finished() == []


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run"
    RunFolder(path, RECORD)
    (path / "job.json").write_text("{")
    with pytest.raises(UsageError) as caught:
        RunFolder(path, RECORD)
    assert str(caught.value) == f"{path}: job.json is damaged; use --restart to begin afresh"
    RunFolder(path, RECORD, restart=True)


def test_what_cannot_be_read_or_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no: cannot be read: No such file or directory; check"):
        file_hash(tmp_path / "no")
    with pytest.raises(PipelineError, match="cannot be written: No such file or directory; mend"):
        append_durably(tmp_path / "no" / "journal", "line")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is in the way of the run folder"):
        RunFolder(tmp_path / "file", RECORD)
    with pytest.raises(PipelineError, match="the run folder cannot be used: Not a directory"):
        RunFolder(tmp_path / "file" / "run", RECORD)
