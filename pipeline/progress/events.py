"""Events of a running job, and who receives them: the live page, the report, TensorBoard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.progress.report import Report
    from pipeline.settings.job import Job
    from stylize.optimize import Progress
    from stylize.types import FloatImage


@dataclass(frozen=True)
class JobBegun:
    """The job is checked, its network chosen, and the work begins."""

    job: Job
    backbone: str


@dataclass(frozen=True)
class Begun:
    """A picture, frame or photo whose optimisation begins.

    Attributes
    ----------
    name
        For people: "frame 12", or a photo's file name.
    content
        The original at the size it is worked on, shape (H, W, 3).
    """

    name: str
    content: FloatImage


@dataclass(frozen=True)
class Iterated:
    """An iteration is done; `picture` gives what it has come to, as it would be saved."""

    progress: Progress
    picture: Callable[[], FloatImage]


@dataclass(frozen=True)
class Ended:
    """A picture that is finished.

    Attributes
    ----------
    name
        No two of a job have the same: "frame 12", or a photo's name in the output folder. What is told last
        under a name counts: the first frames of a loop are done again.
    file
        The result; of a clip the frame in the run folder, which goes when the clip is put together.
    losses
        The weighted terms and their "total"; empty where an earlier run made it and did not keep them.
    evaluations, seconds
        What its optimisation took.
    error
        Of a frame that follows another in its shot: the warping error between them.
    cut
        Whether a shot begins with it.
    found
        An earlier run made it.
    index
        A frame's number in the clip, a photo's place in the album: with workers they end in another order.
    source, style
        Of a photo: the original's file, and the name of its style.
    """

    name: str
    file: Path
    losses: dict[str, float] = field(default_factory=dict)
    evaluations: int = 0
    seconds: float = 0.0
    error: float | None = None
    cut: bool = False
    found: bool = False
    index: int = 0
    source: Path | None = None
    style: str = ""


@dataclass(frozen=True)
class Written:
    """A frame as it goes into the output.

    Attributes
    ----------
    place, count
        Which of how many frames it is.
    name
        As in `Begun`.
    picture
        What is shown, shape (H, W, 3).
    content
        The original, if a watcher `wants_originals`.
    """

    place: int
    count: int
    name: str
    picture: FloatImage
    content: FloatImage | None


@dataclass(frozen=True)
class Moved:
    """Some of the work is done, or there is more of it than was thought.

    Attributes
    ----------
    share
        How much is done, in [0, 1].
    text
        Where the job stands.
    left
        How long it will still take, in words; empty before there is something to go by.
    """

    share: float
    text: str = ""
    left: str = ""


@dataclass(frozen=True)
class Noted:
    """The user was told that something is not as expected."""

    text: str


@dataclass(frozen=True)
class JobEnded:
    """The job is done; without a report it ended by an error or a signal."""

    report: Report | None


Event = JobBegun | Begun | Iterated | Ended | Written | Moved | Noted | JobEnded


class Watcher:
    """Is told what happens, in the thread that works; what it does not want to know it leaves as it is here.

    What a watcher does is taken from the job's time: pictures are copied only when they are asked for.

    Attributes
    ----------
    wants_originals
        Whether frames that are written come with their originals, for which the clip is decoded once more.
    """

    wants_originals = False

    def receive(self, event: Event) -> None:
        """Something happened: called for every event, and calls what is named after it."""
        match event:
            case JobBegun():
                self.job_begins(event.job, event.backbone)
            case Begun():
                self.picture_begins(event)
            case Iterated():
                self.iterated(event.progress, event.picture)
            case Ended():
                self.picture_ends(event)
            case Written():
                self.frame_written(event)
            case Moved():
                self.work_moves(event)
            case Noted():
                self.warned(event.text)
            case JobEnded():
                self.job_ends(event.report)

    def job_begins(self, job: Job, backbone: str) -> None:
        """See `JobBegun`."""

    def picture_begins(self, begun: Begun) -> None:
        """See `Begun`."""

    def iterated(self, progress: Progress, picture: Callable[[], FloatImage]) -> None:
        """See `Iterated`."""

    def picture_ends(self, ended: Ended) -> None:
        """See `Ended`."""

    def frame_written(self, written: Written) -> None:
        """See `Written`: in order, after all frames are finished."""

    def work_moves(self, moved: Moved) -> None:
        """See `Moved`."""

    def warned(self, text: str) -> None:
        """See `Noted`."""

    def job_ends(self, report: Report | None) -> None:
        """See `JobEnded`."""


class Watchers:
    """All who look on."""

    def __init__(self) -> None:
        self.each: list[Watcher] = []

    def tell(self, event: Event) -> None:
        """Something happened."""
        for one in self.each:
            one.receive(event)
