"""How many workers a job gets, how long they will take, and how files reach them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.settings.run_options import WorkerOptions
from pipeline.workers import forecast as forecasts
from pipeline.workers.file_copies import Parcels, Unpacked, sees, traits_of
from pipeline.workers.messages import Failed
from pipeline.workers.scratch import make_scratch
from pipeline.workers.staff import Staff, staff_for


@pytest.mark.parametrize(
    ("machines", "asked", "threads", "expected"),
    [
        ([(2, 0.0)], WorkerOptions(workers=2), 0, (2, 1, 0.0, 2)),
        ([(8, 0.0)], WorkerOptions(workers=2), 0, (2, 4, 0.0, 2)),
        ([(8, 0.0)], WorkerOptions(workers=2), 1, (2, 1, 0.0, 2)),
        ([(2, 0.0)], WorkerOptions(workers=5), 0, (5, 1, 0.0, 5)),
        ([(16, 4.0)], WorkerOptions(engine_address="auto"), 0, (4, 4, 1.0, 4)),
        ([(16, 4.0)], WorkerOptions(engine_address="auto", gpus_per_worker=0.5), 0, (8, 2, 0.5, 8)),
        ([(6, 0.0), (6, 0.0)], WorkerOptions(workers=3, engine_address="auto"), 0, (3, 3, 0.0, 2)),
        ([(32, 0.0)], WorkerOptions(engine_address="local"), 0, (8, 4, 0.0, 8)),
        ([(2, 0.0)], WorkerOptions(engine_address="local"), 0, (2, 1, 0.0, 2)),
        ([(32, 0.0)], WorkerOptions(engine_address="local"), 2, (16, 2, 0.0, 16)),
    ],
)
def test_workers_fit_the_machines(
    machines: list[tuple[int, float]],
    asked: WorkerOptions,
    threads: int,
    expected: tuple[int, int, float, int],
) -> None:
    staff = staff_for(machines, asked, threads)
    assert (staff.count, staff.threads, staff.cards, staff.neighbours) == expected


def test_cards_that_are_not_there_are_refused() -> None:
    with pytest.raises(UsageError, match="there are no graphics cards; leave it out"):
        staff_for([(8, 0.0)], WorkerOptions(workers=2, gpus_per_worker=0.5), 0)


def test_far_more_processes_than_cores_are_refused() -> None:
    with pytest.raises(
        UsageError, match="this machine has 2 cores, and more than one worker each gains nothing"
    ):
        staff_for([(2, 0.0)], WorkerOptions(workers=9), 0)
    assert (
        staff_for([(2, 0.0)], WorkerOptions(workers=900, engine_address="auto"), 0).count == 900
    )  # an autoscaler's


# -------------------------------------------------------------------------------------------- forecasts


TIMES = st.lists(st.floats(0.1, 1000.0), min_size=1, max_size=60)


@given(TIMES, st.integers(1, 80))
def test_no_forecast_is_better_than_can_be_nor_worse_than_it_must(times: list[float], workers: int) -> None:
    span = forecasts.span(times, workers)
    least = max(max(times), sum(times) / workers)
    assert least * (1 - 1e-9) <= span <= (2.0 - 1.0 / workers) * least * (1 + 1e-9)  # Graham 1969


@given(TIMES)
def test_more_than_enough_workers_do_not_help(times: list[float]) -> None:
    enough = forecasts.enough_workers(times)
    assert forecasts.span(times, enough) <= 1.02 * max(times)
    assert enough == 1 or forecasts.span(times, enough - 1) > 1.02 * max(times)


def test_handing_out_takes_time() -> None:
    assert forecasts.span([1.0] * 4, 4, overhead=0.5) == pytest.approx(3.0)
    assert forecasts.span([1.0] * 4, 1, overhead=0.5) == pytest.approx(6.0)


def test_a_forecast_says_when_more_cannot_help() -> None:
    staff = Staff(2, 1, 0.0, 2, 8, None)
    lines = forecasts.forecast(staff, [600.0, 60.0, 60.0], "shots", 10.0).lines()
    assert lines == [
        "units   3 shots, the longest about 10 min 00 s",
        "workers 2: about 10 min 10 s  (1: 12 min 10 s)",
        "        more than 2 cannot help: the longest of the shots alone takes as long",
    ]
    alike = forecasts.forecast(staff, [60.0] * 4, "photos", 0.0).lines()
    assert alike[1] == "workers 2: about 2 min 00 s  (1: 4 min 00 s, 4: 1 min 00 s)"
    assert alike[2] == "        more than 4 cannot help: there are only 4 photos"


def test_a_forecast_knows_what_the_machine_has_room_for() -> None:
    many = Staff(64, 1, 0.0, 2, 2, None)
    lines = forecasts.forecast(many, [60.0] * 10, "photos", 0.0).lines()
    assert lines[1] == "workers 64: about 5 min 00 s  (1: 10 min 00 s)"
    assert lines[2] == "        more than 2 cannot help: this machine has no cores for more at once"
    grows = Staff(64, 1, 0.0, 2, 2, "auto")
    assert forecasts.forecast(grows, [60.0] * 10, "photos", 0.0).enough == 10
    one = forecasts.forecast(many, [60.0], "shots", 0.0).lines()
    assert one[0] == "units   1 shot, the longest about 1 min 00 s"
    assert one[2:] == [
        "        more than 1 cannot help: there is only 1 shot",
        "        without workers about 1 min 00 s: they do not pay here",
    ]


# ---------------------------------------------------------------------------------------- files are sent


def unpack(paths: Sequence[Path]) -> Unpacked:
    """Copies of files, sent in small pieces."""
    sent: list[bytes] = []

    def put(piece: bytes) -> int:
        sent.append(piece)
        return len(sent) - 1

    unpacked = Unpacked()
    unpacked.take(Parcels(paths, put).of(paths), lambda number: sent[number])
    return unpacked


def test_files_and_folders_arrive_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.workers.file_copies.PIECE", 1000)
    clip, folder = tmp_path / "clip.mp4", tmp_path / "styles"
    clip.write_bytes(os.urandom(2500))
    (folder / "deep").mkdir(parents=True)
    (folder / "a.png").write_bytes(b"a")
    (folder / "deep" / "b.png").write_bytes(b"")
    unpacked = unpack([clip, folder])
    assert unpacked.place(clip) != clip and unpacked.place(clip).name == clip.name
    assert unpacked.place(clip).read_bytes() == clip.read_bytes()
    assert unpacked.place(folder / "a.png").read_bytes() == b"a"
    assert unpacked.place(folder / "deep" / "b.png").read_bytes() == b""
    assert unpacked.place(tmp_path / "other") == tmp_path / "other"
    said = unpacked.translated(Failed(f"{unpacked.place(clip)}: is damaged"))
    assert said == Failed(f"{clip}: is damaged")
    copy = unpacked.place(clip)
    unpacked.drop([clip])
    assert not copy.exists() and unpacked.place(clip) == clip


def test_what_a_killed_worker_left_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "deepfusion-worker-999999999-abc" / "copies").mkdir(parents=True)
    (tmp_path / f"deepfusion-worker-{os.getppid()}-abc").mkdir()
    scratch = make_scratch()
    assert scratch.name.startswith(f"deepfusion-worker-{os.getpid()}-")
    assert Path(tempfile.gettempdir()) == scratch
    assert sorted(tmp_path.iterdir()) == sorted([scratch, tmp_path / f"deepfusion-worker-{os.getppid()}-abc"])


def test_a_worker_sees_only_what_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    file = tmp_path / "folder" / "a.png"
    file.write_bytes(b"abc")
    known = traits_of([tmp_path / "folder"])
    assert list(known) == [file] and sees(known)
    file.write_bytes(b"abcd")
    assert not sees(known)
    file.unlink()
    assert not sees(known)
