"""The only printer: notes, warnings, one progress bar. Everything goes to stderr; stdout is for results."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TextIO

from pipeline.progress.events import Moved, Noted, Watchers
from pipeline.progress.signals import rested
from pipeline.progress.wording import spoken_bytes, spoken_time
from video.names import fits, one_line, shown, shown_lines

_PLAIN_INTERVAL = 10.0

_SPEED_WINDOW = 30.0

_TOLD_BYTES = 8_000_000


def printable(text: str) -> str:
    """Lines for standard output, with what it cannot show in them escaped."""
    return fits(shown_lines(text), sys.stdout.encoding)


class Outlook(Protocol):
    """Whoever says from the first iterations how long a job will take."""

    def sees(self, stylizer: Any, shape: tuple[int, ...]) -> None:
        """The optimisation of a picture begins."""

    def moved(self, work: Work) -> None:
        """Some of the work is done."""


class Work:
    """How much of a job is done, in units of one full-size iteration; `timed` counts the iterations."""

    def __init__(self, total: float) -> None:
        self.total = max(total, 1e-9)
        self.done = 0.0
        self.text = ""
        self.timed = 0
        self.watchers = Watchers()
        self.outlook: Outlook | None = None
        self.warn: Callable[[str], None] = lambda text: None
        self._marks: deque[tuple[float, float]] = deque()

    def advance(self, amount: float, text: str) -> None:
        """Something was done; `text` says where the job stands."""
        self.done = min(self.total, self.done + amount)
        self.text = text
        if amount > 0.0:
            self._mark()
        self._moved()

    def move_to(self, done: float) -> None:
        """A unit ended, perhaps before its limit: exactly this much is done now."""
        self.done = min(self.total, done)
        self._moved()

    def _moved(self) -> None:
        self.show()
        if self.outlook is not None:
            self.outlook.moved(self)
        self.watchers.tell(self.standing)

    @property
    def standing(self) -> Moved:
        """Where the work stands, as those who look on are told."""
        return Moved(self.done / self.total, self.text, self.left)

    def grow(self, amount: float) -> None:
        """The job turns out to be longer by this much, or shorter."""
        self.total = max(self.total + amount, 1e-9)

    def begin_at(self, done: float) -> None:
        """This much was done by an earlier run; it does not count for the speed."""
        self.total -= done

    def _mark(self) -> None:
        """Remember when this much was done, for the speed of the last half minute.

        The first mark is set after the first iteration: what the compilation took is no speed.
        """
        self.timed += 1
        now = time.perf_counter() - rested()
        while len(self._marks) > 2 and now - self._marks[1][0] > _SPEED_WINDOW:
            self._marks.popleft()
        self._marks.append((now, self.done))

    @property
    def pace(self) -> float:
        """Full-size iterations a second; 0 before there is something to go by."""
        if len(self._marks) < 2:
            return 0.0
        (first, before), (last, done) = self._marks[0], self._marks[-1]
        return (done - before) / (last - first) if last - first >= 1.0 else 0.0

    @property
    def left(self) -> str:
        """`about 2 min left`, or nothing before there is something to go by."""
        return f"about {spoken_time((self.total - self.done) / self.pace)} left" if self.pace > 0.0 else ""

    @property
    def speed(self) -> str:
        """`4.2 it/s`, or nothing before there is something to go by."""
        return f"{self.pace:.2g} it/s" if self.pace > 0.0 else ""

    def show(self) -> None:
        """Show the state; nothing by itself."""


class _PlainWork(Work):
    """A line every ten seconds, for logs and pipes."""

    def __init__(self, total: float, stream: TextIO) -> None:
        super().__init__(total)
        self._stream = stream
        self._shown = time.perf_counter()

    def show(self) -> None:
        if time.perf_counter() - self._shown >= _PLAIN_INTERVAL:
            self._shown = time.perf_counter()
            parts = (f"{100 * self.done / self.total:.0f} %", shown(self.text), self.speed, self.left)
            print("  ".join(part for part in parts if part), file=self._stream, flush=True)


class _BarWork(Work):
    """One calm bar on a terminal."""

    def __init__(self, total: float, bar: Any) -> None:
        super().__init__(total)
        self._bar = bar
        self._task = bar.add_task("", total=1.0, text="")

    def show(self) -> None:
        text = "  ".join(part for part in (shown(self.text), self.speed, self.left) if part)
        self._bar.update(self._task, completed=self.done / self.total, text=text)


class Display:
    """Says what happens, as much as was asked for.

    Parameters
    ----------
    verbosity
        -2 nothing, -1 errors only, 0 normal, 1 more.
    stream
        Where to; stderr by default.
    """

    def __init__(self, verbosity: int = 0, stream: TextIO | None = None) -> None:
        self.verbosity = verbosity
        self.stream = sys.stderr if stream is None else stream
        self.warnings: list[str] = []
        self.watchers = Watchers()
        self.outlook: Outlook | None = None
        self._log: Path | None = None
        self._console: Any = None

    def log_to(self, path: Path) -> None:
        """From now on write everything that is said, and what only `-v` would say, to the end of a file."""
        self._log = path

    def note(self, text: str) -> None:
        """Something the user wants to know."""
        self.say(text, 0)

    def detail(self, text: str) -> None:
        """Something only `-v` wants to know."""
        self.say(text, 1)

    def say(self, text: str, verbosity: int) -> None:
        """A line that is shown from this verbosity on, and always goes to the log; its names are escaped."""
        text = shown_lines(text)
        if self.verbosity >= verbosity:
            if self._console is not None:  # above the bar
                self._console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)
            else:
                print(text, file=self.stream, flush=True)
        if self._log is not None:
            # A log that cannot be written is no reason to end the work it tells of.
            with contextlib.suppress(OSError), self._log.open("a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")

    def warn(self, text: str) -> None:
        """Something is not as the user expects; said once and kept for the report."""
        text = one_line(text)
        if text not in self.warnings:
            self.warnings.append(text)
            self.watchers.tell(Noted(text))
            self.note(f"note: {text}")

    def error(self, text: str) -> None:
        """Something failed; said by all but the silent."""
        self.say(one_line(text), -1)

    def download(self, name: str) -> Callable[[int, int | None], None]:
        """A callback that tells of a download's progress every 8 MB: bytes so far, and in all if known."""
        told = 0

        def show(received: int, total: int | None) -> None:
            nonlocal told
            if received - told >= _TOLD_BYTES:
                told = received
                of = f" of {spoken_bytes(total)}" if total else ""
                self.note(f"downloading {name}: {spoken_bytes(received)}{of}")

        return show

    @contextmanager
    def work(self, total: float) -> Iterator[Work]:
        """Show the progress of a job of `total` units while the block runs."""
        with self._work(total) as work:
            work.watchers, work.outlook, work.warn = self.watchers, self.outlook, self.warn
            yield work

    def bar_console(self) -> Any:
        """The rich console that a bar can be drawn on; None where lines must do."""
        if not self.stream.isatty():
            return None
        from rich.console import Console

        console = Console(file=self.stream)
        return None if console.is_dumb_terminal else console

    @contextmanager
    def _work(self, total: float) -> Iterator[Work]:
        if self.verbosity < 0:
            yield Work(total)
        elif (console := self.bar_console()) is not None:
            from rich.progress import BarColumn, Progress, TextColumn

            columns = (
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %"),
                TextColumn("{task.fields[text]}", markup=False),
            )
            with Progress(*columns, console=console, transient=True) as bar:
                self._console = console
                try:
                    yield _BarWork(total, bar)
                finally:
                    self._console = None
        else:
            yield _PlainWork(total, self.stream)
