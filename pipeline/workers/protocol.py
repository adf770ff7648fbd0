"""What is done independently of one another, who does it, and what the one tells the other.

A `Team` does `Unit`s: in this process (:class:`InProcess`), or by workers somewhere (`crew.py`). A worker is
set up once and keeps its network, its style targets and what is compiled from unit to unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.errors import PipelineError
from pipeline.workers.messages import Done, Failed

if TYPE_CHECKING:
    from pipeline.progress.display import Display


Tell = Callable[[Any], None]
"""Takes what a worker has to say: a result, or how far it is. Everything said can be pickled."""

Hear = Callable[["Unit", Any], None]
"""Takes what is said of a unit, in the process and thread that runs the job."""


class Places(Protocol):
    """Where a worker finds the job's files."""

    def __call__(self, path: Path) -> Path:
        """The place of a file or folder of the job, which may be a copy."""


class Task(Protocol):
    """What a worker has to know to do a unit; can be pickled."""

    @property
    def files(self) -> tuple[Path, ...]:
        """What it reads beside the inputs of the job as a whole."""


@dataclass(frozen=True)
class Unit:
    """Something that can be done without the others.

    Attributes
    ----------
    name
        For people: "shot 3", or a photo's name.
    cost
        In full-size iterations; the dearest are done first.
    task
        Gives what a worker is told; asked again whenever the unit is given out.
    """

    name: str
    cost: float
    task: Callable[[], Task]


class Worker(Protocol):
    """Does one unit after another."""

    def do(self, task: Any, places: Places, tell: Tell) -> None:
        """Do a unit; its results are told.

        Raises
        ------
        PipelineError, StylizeError, VideoError
            If the unit cannot be done, here or by any other worker.
        """


class Setup(Protocol):
    """What a worker is made from; can be pickled."""

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Files and folders that every worker reads."""

    @property
    def probe_files(self) -> tuple[Path, ...]:
        """Files and folders of which a worker that sees them is taken to see all of the job's files."""

    def begin(self, places: Places, display: Display) -> Worker:
        """The worker; what `display` is told reaches the job's own display."""


class Team(Protocol):
    """Those who do the units of a job."""

    def run(self, units: Iterable[Unit], hear: Hear) -> dict[str, str]:
        """Do them all; gives what went wrong, by the names of the units that could not be done."""

    def close(self) -> None:
        """Send everybody home; nothing is left behind."""


class InProcess:
    """A team of one: this process, which does the units in their order."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def run(self, units: Iterable[Unit], hear: Hear) -> dict[str, str]:
        """Do them all; an error of a unit is kept for the end, anything else ends it here."""
        from stylize.errors import StylizeError
        from video.errors import VideoError

        failed = {}
        for unit in units:
            try:
                self._worker.do(unit.task(), as_named, partial(hear, unit))
                hear(unit, Done())
            except (VideoError, StylizeError, PipelineError) as error:
                failed[unit.name] = str(error)
                hear(unit, Failed(str(error)))
        return failed

    def close(self) -> None:
        """Does nothing: there are no processes to end."""


def as_named(path: Path) -> Path:
    """Where all files are in their places."""
    return path
