"""The run folder: what counts as finished, and whose folder it is."""

# ruff: noqa: E501 - messages are given in full

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import PipelineError, UsageError
from pipeline.run_folder.files import append_durably, file_hash
from pipeline.run_folder.folder import Frame, RunFolder, run_path

RECORD = {"size": 64, "style_layers": ("a", "b"), "content": "0" * 64}


def fill(run: RunFolder, count: int, shots: frozenset[int] = frozenset({0}), sweep: int = 1) -> None:
    """Commit `count` frames, each made from the one before it in its shot, and from the pass before."""
    order = range(count) if sweep % 2 else reversed(range(count))
    last = ""
    for index in order:
        path = run.frame_path(index, sweep)
        path.write_text(f"frame {index} of pass {sweep}")
        begins = index in shots if sweep % 2 else index + 1 in {*shots, count}
        own = file_hash(run.frame_path(index, sweep - 1)) if sweep > 1 else ""
        run.commit(
            Frame(
                index, path.name, file_hash(path), {"total": 1.0}, 2, 0.5, sweep, "" if begins else last, own
            )
        )
        last = file_hash(path)


def numbers(run: RunFolder, sweep: int = 1) -> list[int]:
    return sorted(index for found, index in run.finished() if found == sweep)


def test_the_folder_lies_beside_the_output() -> None:
    assert run_path(Path("a/out.mp4")) == Path("a/out.mp4.run")


def test_finished_frames_are_found_again(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run", RECORD)
    assert run.finished() == {}
    fill(run, 3)
    run.close()
    again = RunFolder(tmp_path / "run", RECORD).finished()
    assert list(again) == [(1, 0), (1, 1), (1, 2)]
    first = file_hash(run.frame_path(0))
    assert again[1, 0] == Frame(0, "000000.png", first, {"total": 1.0}, 2, 0.5)
    assert again[1, 1].previous == first


@pytest.mark.parametrize(
    "line",
    ["", "{", "[]", "{}", "null", "[" * 100_000, '{"index": 1}', "\udcff", '{"chain": 3}',
     '{"index": 1, "file": "../job.json", "sha256": "", "losses": {}, "evaluations": 1, "seconds": 1}'],
)  # fmt: skip
def test_a_damaged_line_ends_what_is_finished(line: str, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run", RECORD)
    fill(run, 3)
    journal = tmp_path / "run" / "journal.jsonl"
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join([lines[0], line, lines[2], ""]), errors="surrogateescape")
    assert numbers(run) == [0]
    assert journal.read_text() == lines[0] + "\n"
    fill(run, 3)
    assert numbers(run) == [0, 1, 2]


def test_lines_of_another_job_another_order_or_cut_do_not_count(tmp_path: Path) -> None:
    one, other = RunFolder(tmp_path / "one", RECORD), RunFolder(tmp_path / "other", {**RECORD, "size": 32})
    fill(one, 3)
    journals = [run.path / "journal.jsonl" for run in (one, other)]
    lines = journals[0].read_text().splitlines(keepends=True)
    fill(other, 3)
    journals[1].write_text("".join(lines))
    assert numbers(other) == []
    journals[0].write_text(lines[0] + lines[2] + lines[1])
    assert numbers(one) == [0]
    fill(one, 3)
    whole = journals[0].read_bytes()
    journals[0].write_bytes(whole[:-1])  # the last line lacks its end
    assert numbers(one) == [0, 1]


@pytest.mark.parametrize("damage", ["missing", "changed", "swapped"])
def test_a_damaged_frame_takes_what_came_from_it_up_to_the_next_cut(damage: str, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run", RECORD)
    fill(run, 9, frozenset({0, 6}))
    if damage == "missing":
        run.frame_path(2).unlink()
    elif damage == "changed":
        run.frame_path(2).write_text("other")
    else:
        run.frame_path(2).rename(tmp_path / "x")
        run.frame_path(3).rename(run.frame_path(2))
        (tmp_path / "x").rename(run.frame_path(3))
    assert numbers(run) == [0, 1, 6, 7, 8]
    assert run.damaged == 4


def test_later_passes_stand_on_earlier_ones(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run", RECORD)
    fill(run, 6)
    fill(run, 6, sweep=2)
    assert numbers(run, 2) == [0, 1, 2, 3, 4, 5]
    run.frame_path(3, 2).unlink()
    assert (numbers(run), numbers(run, 2)) == ([0, 1, 2, 3, 4, 5], [4, 5])
    run.frame_path(4).write_text("other")
    assert (numbers(run), numbers(run, 2)) == ([0, 1, 2, 3], [])


def test_a_second_process_is_told_who_is_there(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run", RECORD)
    fill(run, 2)
    for restart in (False, True):
        with pytest.raises(
            UsageError, match=rf"is in use by process {os.getpid()} on '.+'; wait for it or stop it"
        ):
            RunFolder(tmp_path / "run", RECORD, restart=restart)
    run.close()
    assert numbers(RunFolder(tmp_path / "run", RECORD)) == [0, 1]


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    code = f"from pipeline.run_folder.folder import RunFolder; import os; from pathlib import Path; run = RunFolder(Path({str(tmp_path / 'run')!r}), {{}}); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent, check=False)
    assert (tmp_path / "run" / "lock").exists()
    RunFolder(tmp_path / "run", {}).remove()
    assert not (tmp_path / "run").exists()


def test_leftovers_of_a_killed_process_are_cleared_away(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run", RECORD)
    (run.frames / ".000004.part-00ff.png").touch()
    run.close()
    assert list(RunFolder(tmp_path / "run", RECORD).frames.iterdir()) == []


def test_other_settings_are_named(tmp_path: Path) -> None:
    path = tmp_path / "run"
    RunFolder(path, RECORD)
    with pytest.raises(UsageError) as caught:
        RunFolder(path, {**RECORD, "size": 32, "content": "1" * 64})
    assert str(caught.value) == (
        f"{path}: holds a run with other settings (size: 64 there, 32 now; other content); "
        f"give its settings to continue it, or --restart to discard it"
    )


def test_a_run_of_another_version_has_settings_that_nobody_can_give(tmp_path: Path) -> None:
    path = tmp_path / "run"
    RunFolder(path, RECORD)
    with pytest.raises(UsageError) as caught:
        RunFolder(path, {**RECORD, "new": True})
    assert str(caught.value) == (
        f"{path}: holds a run with other settings (new: null there, true now); "
        "it is of another version of Deep Fusion; --restart discards it and begins afresh"
    )


def test_restart_empties_a_run_folder_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "run"
    first = RunFolder(path, RECORD)
    fill(first, 2)
    first.close()
    run = RunFolder(path, {**RECORD, "size": 32}, restart=True)
    assert run.finished() == {}
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
    assert RunFolder(path, RECORD).finished() == {}


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
