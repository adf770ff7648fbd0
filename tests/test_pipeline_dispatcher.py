"""Who does what among workers; what dies and is done again."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import pytest
from named_units import Named, unit

from pipeline.errors import PipelineError
from pipeline.progress.display import Display
from pipeline.workers.dispatcher import TRIES, Dispatcher
from pipeline.workers.messages import Broke, Died, Done, Failed, Progressed, Ready, Unfit
from pipeline.workers.protocol import InProcess, Unit


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

    def give(self, number: int, task: Any) -> None:
        self.given.append((number, task.name))
        self._says += [(number, Progressed(0.5)), (number, self.plays(number, task.name))]

    def listen(self, seconds: float) -> list[tuple[int, Any]]:
        del seconds
        return [self._says.pop(0)] if self._says else []

    def close(self) -> None:
        self.closed = True


def run(script: Script, units: Any) -> tuple[dict[str, str], list[tuple[str, Any]], Display]:
    """What failed, what was heard, and what was said."""
    heard: list[tuple[str, Any]] = []
    display = Display(-1)
    failed = Dispatcher(script, display).run(units, lambda unit, message: heard.append((unit.name, message)))
    return failed, heard, display


def test_every_unit_is_done_once_the_dearest_first() -> None:
    script = Script(1)
    failed, heard, _ = run(script, [unit(f"{cost}", cost) for cost in (2.0, 9.0, 5.0)])
    assert failed == {}
    assert script.given == [(0, "9.0"), (0, "5.0"), (0, "2.0")]
    assert [name for name, message in heard if isinstance(message, Done)] == ["9.0", "5.0", "2.0"]
    assert [name for name, message in heard if isinstance(message, Progressed)] == ["9.0", "5.0", "2.0"]


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
