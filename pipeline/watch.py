"""Who looks on while a job runs: the live page, TensorBoard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.config import Job
    from pipeline.log import Work
    from pipeline.report import Report
    from stylize.optimize import Progress
    from stylize.types import FloatImage


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
class Ended:
    """A picture that is finished.

    Attributes
    ----------
    name
        No two of a job have the same: "frame 12", or a photo's name in the output folder.
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


class Watcher:
    """Is told what happens, in the thread that works; what it does not want to know it leaves as it is here.

    What a watcher does is taken from the job's time: pictures are copied only when they are asked for.

    Attributes
    ----------
    wants_originals
        Whether frames that are written come with their originals, for which the clip is decoded once more.
    """

    wants_originals = False

    def job_begins(self, job: Job, backbone: str) -> None:
        """The job is checked, its network chosen, and the work begins."""

    def picture_begins(self, begun: Begun) -> None:
        """The optimisation of a picture begins."""

    def iterated(self, progress: Progress, picture: Callable[[], FloatImage]) -> None:
        """An iteration is done; `picture` gives what it has come to, as it would be saved."""

    def picture_ends(self, ended: Ended) -> None:
        """A picture is finished and saved."""

    def frame_written(self, written: Written) -> None:
        """A frame goes into the output, in order, after all are finished."""

    def work_moves(self, work: Work) -> None:
        """How much is done, and how much is left, has changed."""

    def warned(self, text: str) -> None:
        """The user was told that something is not as expected."""

    def job_ends(self, report: Report | None) -> None:
        """The job is done; None: it ended by an error or a signal."""


class Watchers(Watcher):
    """Several watchers as one."""

    def __init__(self) -> None:
        self.each: list[Watcher] = []

    def job_begins(self, job: Job, backbone: str) -> None:
        """Tell all."""
        for one in self.each:
            one.job_begins(job, backbone)

    def picture_begins(self, begun: Begun) -> None:
        """Tell all."""
        for one in self.each:
            one.picture_begins(begun)

    def iterated(self, progress: Progress, picture: Callable[[], FloatImage]) -> None:
        """Tell all."""
        for one in self.each:
            one.iterated(progress, picture)

    def picture_ends(self, ended: Ended) -> None:
        """Tell all."""
        for one in self.each:
            one.picture_ends(ended)

    def frame_written(self, written: Written) -> None:
        """Tell all."""
        for one in self.each:
            one.frame_written(written)

    def work_moves(self, work: Work) -> None:
        """Tell all."""
        for one in self.each:
            one.work_moves(work)

    def warned(self, text: str) -> None:
        """Tell all."""
        for one in self.each:
            one.warned(text)

    def job_ends(self, report: Report | None) -> None:
        """Tell all."""
        for one in self.each:
            one.job_ends(report)
