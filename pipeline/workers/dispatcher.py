"""Gives the dearest waiting unit to whoever is free; retries units whose worker died."""

from __future__ import annotations

import heapq
import queue
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import closing
from itertools import count
from typing import Any, Protocol

from pipeline.background import Ahead
from pipeline.errors import PipelineError, UsageError
from pipeline.progress.display import Display
from pipeline.progress.signals import check
from pipeline.workers.messages import Broke, Died, Done, Failed, Ready, Unfit, Warned
from pipeline.workers.protocol import Hear, Task, Unit
from video.names import shown

TRIES = 3
"""Workers that a unit may cost, and times in a row that a worker may fail to start."""

_LISTEN = 0.2
"""Seconds after which it is seen whether a signal has come or another unit is there."""

_LAST = (Done, Failed, Broke, Died)
"""What is said last of a unit."""


class Transport(Protocol):
    """Workers somewhere, by number from 0.

    A worker that is started says `Ready` or `Unfit` once, then of every unit whatever there is to say and one
    of `Done`, `Failed` and `Broke`; `Died` may come at any time.
    """

    count: int

    def give(self, number: int, task: Task) -> None:
        """Have a free worker do a unit."""

    def listen(self, seconds: float) -> list[tuple[int, Any]]:
        """What workers have said, in order; waits for a first message so long."""

    def start(self, number: int) -> None:
        """Start a worker, perhaps in the place of one that died; it sets itself up."""

    def close(self) -> None:
        """End all of them."""


class Dispatcher:
    """A team of workers somewhere; none is started for whom there is no unit.

    The dearest unit known is given out first, so that the last ones are short. A unit whose worker dies or
    breaks is given to the next that is free, `TRIES` times; what then is not done is named and the rest goes
    on. Workers that cannot be started `TRIES` times in a row are done without.
    """

    def __init__(self, transport: Transport, display: Display) -> None:
        self._transport = transport
        self._display = display
        self._free: set[int] = set()
        self._starting: set[int] = set()
        self._busy: dict[int, Unit] = {}
        self._gone: set[int] = set()
        self._starts: Counter[int] = Counter()
        self._waiting: list[tuple[float, int, Unit]] = []
        self._order = count()
        self._tries: Counter[str] = Counter()
        self._failed: dict[str, str] = {}

    def close(self) -> None:
        """End all workers."""
        self._transport.close()

    def run(self, units: Iterable[Unit], hear: Hear) -> dict[str, str]:
        """Do all units; they are taken in a thread of their own, so that finding them may take its time."""
        with closing(Ahead(_each(units), depth=0)) as coming:
            while (more := self._take(coming)) or self._waiting or self._busy:
                check()
                self._hire(len(self._waiting) + len(self._busy) or int(more))
                while self._free and self._waiting:
                    number, unit = self._free.pop(), heapq.heappop(self._waiting)[2]
                    self._busy[number] = unit
                    self._transport.give(number, unit.task())
                for number, message in self._transport.listen(_LISTEN):
                    self._heard(number, message, hear)
        return self._failed

    def _take(self, coming: Ahead[Unit]) -> bool:
        """Take in the units that have been found; whether there may be more."""
        while True:
            try:
                self._wait(coming.take(wait=False))
            except queue.Empty:
                return True
            except StopIteration:
                return False

    def _hire(self, wanted: int) -> None:
        """Start workers until there are as many as `wanted`, or as there may be."""
        here = self._free | self._starting | set(self._busy) | self._gone
        for number in range(self._transport.count):
            if len(here) - len(self._gone) >= wanted:
                return
            if number not in here:
                self._transport.start(number)
                self._starting.add(number)
                here.add(number)

    def _wait(self, unit: Unit) -> None:
        heapq.heappush(self._waiting, (-unit.cost, next(self._order), unit))

    def _heard(self, number: int, message: Any, hear: Hear) -> None:
        unit = self._busy.get(number)
        if isinstance(message, _LAST):
            self._busy.pop(number, None)
        match message:
            case Ready():
                self._starts[number] = 0
                self._starting.discard(number)
                self._free.add(number)
                self._display.detail(f"worker {number + 1} is ready: {message.where}")
            case Unfit():
                self._does_without(
                    number, message.reason, UsageError if message.exit_code == 2 else PipelineError
                )
            case Died():
                self._loses(number, message.reason)
            case Done() | Failed() | Broke():
                self._free.add(number)
            case Warned() if unit is None:
                self._display.warn(message.text)
        if unit is None:
            return
        hear(unit, message)
        if isinstance(message, (Broke, Died)):
            self._tries[unit.name] += 1
            self._display.detail(f"{shown(unit.name)}, try {self._tries[unit.name]}: {message.reason}")
            if self._tries[unit.name] < TRIES:
                self._display.warn(
                    f"{unit.name}: {_last_line(message.reason)}; another worker goes on with it"
                )
                self._wait(unit)
                return
            message = Failed(f"{_last_line(message.reason)} (tried {TRIES} times)")
            hear(unit, message)
        if isinstance(message, Failed):
            self._failed[unit.name] = message.reason

    def _loses(self, number: int, reason: str) -> None:
        """A worker died; another may take its place, unless they all die before they are ready."""
        self._free.discard(number)
        self._starting.discard(number)
        self._starts[number] += 1
        if self._starts[number] > TRIES:
            self._does_without(number, reason, PipelineError)

    def _does_without(self, number: int, reason: str, kind: type[PipelineError]) -> None:
        self._starting.discard(number)
        self._gone.add(number)
        if len(self._gone) == self._transport.count:
            raise kind(f"no worker could be started: {_last_line(reason)}")
        self._display.warn(f"worker {number + 1} cannot be started: {_last_line(reason)}")


def _last_line(text: str) -> str:
    """Of a traceback the line that says what it was."""
    return text.strip().splitlines()[-1] if text.strip() else "no reason is known"


def _each(units: Iterable[Unit]) -> Generator[Unit, None, None]:
    yield from units
