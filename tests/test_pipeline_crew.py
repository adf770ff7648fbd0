"""Who does what among workers, what dies and is done again; forecasts; files that are sent."""

from __future__ import annotations

import os
import pickle
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import PipelineError, UsageError
from pipeline.log import Display
from pipeline.watch import Begun, Watcher
from pipeline.workers import forecast as forecasts
from pipeline.workers.crew import TRIES, Crew
from pipeline.workers.messages import (
    Broke,
    Died,
    Done,
    Failed,
    Iterated,
    Kept,
    Moved,
    Ready,
    Said,
    Unfit,
    Warned,
)
from pipeline.workers.parcels import Parcels, Unpacked, sees, traits_of
from pipeline.workers.relay import Relay
from pipeline.workers.scratch import make_scratch
from pipeline.workers.serve import Server
from pipeline.workers.staff import Staff, WorkerOptions, staff_for
from pipeline.workers.units import InProcess, Places, Unit, as_named
from stylize.optimize import Progress


@dataclass(frozen=True)
class Named:
    """A task that says what it is."""

    name: str
    files: tuple[Path, ...] = ()


def unit(name: str, cost: float = 1.0) -> Unit:
    return Unit(name, cost, lambda: Named(name))


@dataclass
class Script:
    """Workers that say what they are told to say: `plays` gives the last word on a unit at a worker."""

    count: int
    plays: Callable[[int, str], Any] = lambda number, name: Done()
    starts: Callable[[int, int], Any] = lambda number, time: Ready(f"worker {number}")
    given: list[tuple[int, str]] = field(default_factory=list)
    started: list[int] = field(default_factory=list)
    closed: bool = False

    def __post_init__(self) -> None:
        self._says: list[tuple[int, Any]] = []

    def start(self, number: int) -> None:
        self._says.append((number, self.starts(number, self.started.count(number))))
        self.started.append(number)

    def give(self, number: int, task: Named) -> None:
        self.given.append((number, task.name))
        self._says += [(number, Moved(0.5)), (number, self.plays(number, task.name))]

    def listen(self, seconds: float) -> list[tuple[int, Any]]:
        del seconds
        return [self._says.pop(0)] if self._says else []

    def close(self) -> None:
        self.closed = True


def run(script: Script, units: Any) -> tuple[dict[str, str], list[tuple[str, Any]], Display]:
    """What failed, what was heard, and what was said."""
    heard: list[tuple[str, Any]] = []
    display = Display(-1)
    failed = Crew(script, display).run(units, lambda unit, message: heard.append((unit.name, message)))
    return failed, heard, display


def test_every_unit_is_done_once_the_dearest_first() -> None:
    script = Script(1)
    failed, heard, _ = run(script, [unit(f"{cost}", cost) for cost in (2.0, 9.0, 5.0)])
    assert failed == {}
    assert script.given == [(0, "9.0"), (0, "5.0"), (0, "2.0")]
    assert [name for name, message in heard if isinstance(message, Done)] == ["9.0", "5.0", "2.0"]
    assert [name for name, message in heard if isinstance(message, Moved)] == ["9.0", "5.0", "2.0"]


def test_workers_begin_while_units_are_still_being_found() -> None:
    script = Script(2)

    def units() -> Generator[Unit, None, None]:
        yield unit("first")
        for _ in range(200):
            if script.given:
                break
            time.sleep(0.02)
        assert script.given, "the first unit was not given out before the second was known"
        yield unit("second")

    failed, _, _ = run(script, units())
    assert failed == {} and {name for _, name in script.given} == {"first", "second"}


def test_what_goes_wrong_with_finding_units_ends_the_work() -> None:
    def units() -> Generator[Unit, None, None]:
        yield unit("first")
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        run(Script(1), units())


def test_a_unit_whose_worker_dies_is_done_by_another() -> None:
    deaths: list[int] = []

    def plays(number: int, name: str) -> Any:
        if name == "b" and not deaths:
            deaths.append(number)
            return Died("its worker was ended by SIGKILL")
        return Done()

    script = Script(2, plays)
    failed, heard, display = run(script, [unit("a"), unit("b"), unit("c")])
    assert failed == {}
    assert {name for name, message in heard if isinstance(message, Done)} == {"a", "b", "c"}
    assert [name for _, name in script.given].count("b") == 2
    assert script.started.count(deaths[0]) == 2  # there is another in its place
    assert display.warnings == ["b: its worker was ended by SIGKILL; another worker goes on with it"]


@pytest.mark.parametrize("end", [Died("no memory"), Broke("Traceback ...\nValueError: no memory")])
def test_a_poison_unit_is_named_and_the_rest_is_done(end: Any) -> None:
    script = Script(2, lambda number, name: end if name == "poison" else Done())
    failed, heard, _ = run(script, [unit("a"), unit("poison", 9.0), unit("b"), unit("c")])
    assert list(failed) == ["poison"]
    assert failed["poison"].endswith(f"no memory (tried {TRIES} times)")
    assert [name for _, name in script.given].count("poison") == TRIES
    assert {name for name, message in heard if isinstance(message, Done)} == {"a", "b", "c"}
    assert [name for name, message in heard if isinstance(message, Failed)] == ["poison"]


def test_what_cannot_be_done_is_not_tried_again() -> None:
    script = Script(1, lambda number, name: Failed("is no picture") if name == "a" else Done())
    failed, _, _ = run(script, [unit("a"), unit("b")])
    assert failed == {"a": "is no picture"}
    assert [name for _, name in script.given] == ["a", "b"]


def test_workers_that_cannot_start_are_done_without() -> None:
    script = Script(2, starts=lambda number, time: Ready() if number else Died("no card"))
    failed, _, display = run(script, [unit("a")])
    assert failed == {} and script.given == [(1, "a")]
    script = Script(2, starts=lambda number, time: Ready() if number else Unfit("another version"))
    failed, _, display = run(script, [unit("a"), unit("b")])
    assert display.warnings == ["worker 1 cannot be started: another version"]


def test_nobody_is_started_for_whom_there_is_nothing_to_do() -> None:
    script = Script(4096)
    run(script, [unit("a"), unit("b")])
    assert sorted(script.started) == [0, 1]
    script = Script(3)
    run(script, [unit(str(number)) for number in range(20)])
    assert sorted(script.started) == [0, 1, 2]


def test_without_any_worker_it_ends_with_the_reason() -> None:
    with pytest.raises(PipelineError, match="no worker could be started: no such weights"):
        run(Script(2, starts=lambda number, time: Unfit("no such weights")), [unit("a")])
    script = Script(1, starts=lambda number, time: Died("no card"))
    with pytest.raises(PipelineError, match="no worker could be started: no card"):
        run(script, [unit("a")])
    assert script.started == [0] * (TRIES + 1)


def test_in_one_process_units_are_done_in_order_and_errors_kept_for_the_end() -> None:
    class Worker:
        def do(self, task: Named, places: Any, tell: Any) -> None:
            if task.name == "bad":
                raise PipelineError("is bad")
            tell(task.name)

    heard: list[tuple[str, Any]] = []
    units = [unit("a"), unit("bad", 5.0), unit("b")]
    failed = InProcess(Worker()).run(units, lambda unit, message: heard.append((unit.name, message)))
    assert failed == {"bad": "is bad"}
    assert heard == [("a", "a"), ("a", Done()), ("bad", Failed("is bad")), ("b", "b"), ("b", Done())]


# --------------------------------------------------------------------------------- what a worker says


class Workshop:
    """A setup whose worker does what it is told by the task's name."""

    inputs: tuple[Path, ...] = ()
    signs: tuple[Path, ...] = ()

    def __init__(self, fit: bool = True) -> None:
        self.fit = fit

    def begin(self, places: Places, display: Display) -> Workshop:
        if not self.fit:
            raise PipelineError("the weights are not here")
        self.display = display
        return self

    def do(self, task: Named, places: Places, tell: Any) -> None:
        if task.name == "impossible":
            raise PipelineError("is no picture")
        if task.name == "broken":
            raise ZeroDivisionError("a bug")
        if task.name == "orphan":
            raise BrokenPipeError
        self.display.warn("look at this")
        self.display.warn("look at this")
        self.display.detail("in detail")
        with self.display.work(4.0) as work:
            work.advance(1.0, "a quarter")
            work.advance(1.0, "too soon to be told")
            progress = Progress(1, 2, 0.5, {"style": 0.5}, 0.1, 1, lambda: np.zeros((2, 2, 3), np.float32))
            work.watchers.picture_begins(Begun("frame 1", np.ones((2, 2, 3), np.float32)))
            work.watchers.iterated(progress, progress.picture)
            work.watchers.iterated(progress, progress.picture)
        tell("result")


def served(*names: str, watched: bool = False, fit: bool = True) -> list[Any]:
    said: list[Any] = []
    server = Server(Workshop(fit), said.append, watched=watched)
    server.begin(as_named, "here")
    for name in names:
        server.do(Named(name), as_named)
    return said


def test_a_worker_says_how_it_goes_and_how_it_ended() -> None:
    said = served("good")
    assert said == [
        Ready("here"),
        Warned("look at this"),
        Said("in detail", 1),
        Moved(0.25),
        "result",
        Done(),
    ]
    assert served(fit=False) == [Unfit("the weights are not here")]
    assert served("impossible")[1:] == [Failed("is no picture")]
    (broke,) = served("broken")[1:]
    assert isinstance(broke, Broke) and broke.reason.rstrip().endswith("ZeroDivisionError: a bug")
    with pytest.raises(BrokenPipeError):  # whom it talks to is gone: it ends
        served("orphan")


def test_a_worker_that_is_watched_sends_iterations_and_now_and_then_a_picture() -> None:
    said = served("good", watched=True)
    begun, first, second = (message for message in said if isinstance(message, (Begun, Iterated)))
    assert begun.name == "frame 1"
    assert first.progress.loss == second.progress.loss == 0.5
    assert first.picture.shape == (2, 2, 3) and second.picture is None
    assert all(pickle.loads(pickle.dumps(message)) is not None for message in said)


def test_who_looks_on_follows_one_unit_to_its_end() -> None:
    display, seen = Display(-1), Seen()
    display.watchers.each.append(seen)
    one, two = unit("shot 1"), unit("shot 2")
    with display.work(2.0) as work:
        relay = Relay("shots", display, work, Path())
        for number in (1, 2):
            frame = Begun(f"frame {number}", np.zeros((2, 2, 3), np.float32))
            relay.hear(one if number == 1 else two, frame)
        progress = Progress(1, 2, 0.5, {}, 0.1, 1, lambda: np.zeros(1))
        relay.hear(two, Iterated(progress, None))
        relay.hear(one, Iterated(progress, np.full((2, 2, 3), 255, np.uint8)))
        relay.hear(one, Iterated(progress, None))
        relay.hear(one, Done())
        relay.hear(two, Begun("frame 9", np.zeros((2, 2, 3), np.float32)))
    assert seen.names == ["frame 1", "frame 9"]
    assert [float(picture.mean()) for picture in seen.pictures] == [1.0, 1.0]


class Seen(Watcher):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.pictures: list[np.ndarray] = []

    def picture_begins(self, begun: Begun) -> None:
        self.names.append(begun.name)

    def iterated(self, progress: Progress, picture: Callable[[], np.ndarray]) -> None:
        self.pictures.append(picture())


# ------------------------------------------------------------------------------------- shown as one job


def test_all_workers_are_shown_as_one_job(tmp_path: Path) -> None:
    display = Display(-1)
    display.log_to(tmp_path / "log.txt")
    one, two, three = unit("shot 1", 10.0), unit("shot 2", 30.0), unit("shot 3", 10.0)
    with display.work(50.0) as work:
        relay = Relay("shots", display, work, tmp_path)
        relay.hear(one, Moved(0.5))
        relay.hear(two, Moved(0.1))
        assert work.done == pytest.approx(8.0)
        assert work.text == "0 shots done; shot 1 50 % · shot 2 10 %"
        relay.hear(one, Done())
        assert work.text == "1 shot done; shot 2 10 %"
        relay.hear(two, Died("gone"))  # what it had done is to be done again, but no bar runs backward
        assert work.done == pytest.approx(13.0)
        relay.hear(two, Moved(0.2))
        assert work.done == pytest.approx(16.0)
        for last in (two, three):
            relay.hear(last, Done())
        assert work.done == work.total
    relay.hear(one, Said("frame 1/2  total 1.0", 1))
    relay.hear(one, Warned("look at this"))
    relay.hear(one, Warned("look at this"))
    assert "shot 1: frame 1/2  total 1.0" in (tmp_path / "log.txt").read_text()
    assert display.warnings == ["look at this"]


def test_snapshots_come_into_the_run_folder_and_nowhere_else(tmp_path: Path) -> None:
    display = Display(-1)
    with display.work(1.0) as work:
        relay = Relay("photos", display, work, tmp_path / "snapshots")
        relay.hear(unit("a"), Kept("../00001", {"../../losses.jsonl": b"{}"}))
    assert (tmp_path / "snapshots" / "00001" / "losses.jsonl").read_bytes() == b"{}"


# --------------------------------------------------------------------------------------- who is hired


@pytest.mark.parametrize(
    ("machines", "asked", "threads", "expected"),
    [
        ([(2, 0.0)], WorkerOptions(count=2), 0, (2, 1, 0.0, 2)),
        ([(8, 0.0)], WorkerOptions(count=2), 0, (2, 4, 0.0, 2)),
        ([(8, 0.0)], WorkerOptions(count=2), 1, (2, 1, 0.0, 2)),
        ([(2, 0.0)], WorkerOptions(count=5), 0, (5, 1, 0.0, 5)),
        ([(16, 4.0)], WorkerOptions(address="auto"), 0, (4, 4, 1.0, 4)),
        ([(16, 4.0)], WorkerOptions(address="auto", cards=0.5), 0, (8, 2, 0.5, 8)),
        ([(6, 0.0), (6, 0.0)], WorkerOptions(count=3, address="auto"), 0, (3, 3, 0.0, 2)),
        ([(32, 0.0)], WorkerOptions(address="local"), 0, (8, 4, 0.0, 8)),
        ([(2, 0.0)], WorkerOptions(address="local"), 0, (2, 1, 0.0, 2)),
        ([(32, 0.0)], WorkerOptions(address="local"), 2, (16, 2, 0.0, 16)),
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
        staff_for([(8, 0.0)], WorkerOptions(count=2, cards=0.5), 0)


def test_far_more_processes_than_cores_are_refused() -> None:
    with pytest.raises(
        UsageError, match="this machine has 2 cores, and more than one worker each gains nothing"
    ):
        staff_for([(2, 0.0)], WorkerOptions(count=9), 0)
    assert staff_for([(2, 0.0)], WorkerOptions(count=900, address="auto"), 0).count == 900  # an autoscaler's


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
    assert lines[2] == "        more than 2 cannot help: this machine has no room for more to work at once"
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
    monkeypatch.setattr("pipeline.workers.parcels.PIECE", 1000)
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
