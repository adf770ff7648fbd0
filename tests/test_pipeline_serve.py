"""What a worker says of itself and its units, and how all of them are shown as one job."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from named_units import Named, unit

from pipeline.errors import PipelineError
from pipeline.progress.display import Display
from pipeline.progress.events import Begun, Iterated, Watcher
from pipeline.workers.messages import (
    Broke,
    Died,
    Done,
    Failed,
    Kept,
    Progressed,
    Ready,
    Said,
    Stepped,
    Unfit,
    Warned,
)
from pipeline.workers.protocol import Places, as_named
from pipeline.workers.relay import Relay
from pipeline.workers.server import Server
from stylize.optimize import Progress


class Workshop:
    """A setup whose worker does what it is told by the task's name."""

    inputs: tuple[Path, ...] = ()
    probe_files: tuple[Path, ...] = ()

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
            work.watchers.tell(Begun("frame 1", np.ones((2, 2, 3), np.float32)))
            work.watchers.tell(Iterated(progress, progress.picture))
            work.watchers.tell(Iterated(progress, progress.picture))
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
        Progressed(0.25),
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
    (begun,) = (message for message in said if isinstance(message, Begun))
    first, second = (message for message in said if isinstance(message, Stepped))
    assert said.index(begun) < said.index(first)
    assert begun.name == "frame 1"
    assert first.progress.loss == second.progress.loss == 0.5
    assert first.picture is not None and first.picture.shape == (2, 2, 3) and second.picture is None
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
        progress = Progress(1, 2, 0.5, {}, 0.1, 1, lambda: np.zeros((1, 1, 3), np.float32))
        relay.hear(two, Stepped(progress, None))
        relay.hear(one, Stepped(progress, np.full((2, 2, 3), 255, np.uint8)))
        relay.hear(one, Stepped(progress, None))
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
        relay.hear(one, Progressed(0.5))
        relay.hear(two, Progressed(0.1))
        assert work.done == pytest.approx(8.0)
        assert work.text == "0 shots done; shot 1 50 % · shot 2 10 %"
        relay.hear(one, Done())
        assert work.text == "1 shot done; shot 2 10 %"
        relay.hear(two, Died("gone"))  # what it had done is to be done again, but no bar runs backward
        assert work.done == pytest.approx(13.0)
        relay.hear(two, Progressed(0.2))
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
