"""A clip's frames brought to a larger size: enlarged, given the last one's texture, optimised briefly."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from pipeline.clip.costs import FIRST
from pipeline.clip.links import LinkedFrame
from pipeline.clip.masks import marks_of_masks
from pipeline.clip.motion import Picture, loosened
from pipeline.clip.source import Clip, finished_like
from pipeline.clip.start import Start
from pipeline.clip.temporal import TemporalModel
from pipeline.progress.display import Display
from pipeline.settings.job import Job
from pipeline.settings.job_settings import VideoSettings
from pipeline.styling.factory import finishing_stylizer

if TYPE_CHECKING:
    from stylize.config import StylizeConfig
    from stylize.stylizer import Stylizer
    from stylize.types import FloatImage
    from stylize.weights import Weights


Row = tuple[bytes | None, ...]


@dataclass(frozen=True)
class Finish:
    """How a clip is finished.

    Attributes
    ----------
    size
        Width and height of the finished frames.
    stylizer
        From the stylizer of the small frames to that of the large ones; it is asked when these are begun.
    marks
        At the finished size, those of the frames and of each mask (`Clip`); none to decode all that comes
        before.
    """

    size: tuple[int, int]
    stylizer: Callable[[Stylizer], Stylizer]
    marks: tuple[tuple[bytes, ...], ...] = ()

    def clip_like(self, clip: Clip, starts: frozenset[int]) -> Clip:
        """A clip at the finished size, in the very shots that begin with these frames."""
        marks, *mask_marks = self.marks or ((),)
        return replace(clip, size=self.size, cuts=starts, marks=marks, mask_marks=tuple(mask_marks))


def finish_of(
    job: Job, clip: Clip, weights: Weights, display: Display, palette: FloatImage | None
) -> Finish | None:
    """How a job finishes its clip, which is of the small frames; None where it does not."""
    assert isinstance(job.settings, VideoSettings)
    if not job.settings.finish:
        return None
    size = finished_like(clip, job.settings).size

    def stylizer(small: Stylizer) -> Stylizer:
        return finishing_stylizer(job, job.styles, max(size), weights, display, palette, small)

    return Finish(size, stylizer)


def marks_of(clip: Clip, settings: VideoSettings, display: Display) -> Generator[Row, None, None]:
    """The marks of each frame and its masks, None for a mask that is no clip, for who is to seek them."""
    from video.excerpt import mark_of

    with (
        closing(clip.contents(display)) as contents,
        closing(marks_of_masks(settings, clip)) as masks,
    ):
        for (_, content), row in zip(contents, masks, strict=False):
            yield mark_of(content), *row


def columns_of(rows: Iterable[Row]) -> tuple[tuple[bytes, ...], ...]:
    """Such marks of several frames: those of the frames, and of each mask."""
    return tuple(tuple(mark for mark in column if mark is not None) for column in zip(*rows, strict=True))


class FinishingModel(TemporalModel):
    """What a finished frame has from the small one, and from the finished ones before it.

    Strokes come from the small frame, which is steady. What finishing has changed in the frame before is
    moved along the flow and added, and the frame is held to that: made anew it would boil. So it is carried
    from frame to frame, and grows better by what each frame adds. What stands still stays as it is.

    Parameters
    ----------
    settings, alone
        As of other passes.
    small
        From a frame's number to what reads its small picture.
    """

    _finished: Picture

    def __init__(
        self, settings: VideoSettings, alone: StylizeConfig, small: Callable[[int], Picture]
    ) -> None:
        super().__init__(settings, alone)
        self._small = small

    def start(
        self,
        frame: LinkedFrame,
        own: Picture | None = None,
        change: float = 0.0,
        share: float | None = None,
    ) -> Start:
        """Where a finished frame starts; in a lap of a loop `own` reads what the first one has made."""
        import numpy as np

        from video.enlarge import enlarge

        settings = self._settings
        small = self._small(frame.index)
        large, anchor = enlarge(small(), frame.content), None
        if own is not None:
            first = _changed(small, frame.content, own)
            _, anchor = self._motion.guide(frame.content, frame.links, first, share)
        elif settings.follows_flow:
            _, anchor = self._motion.guide(frame.content, frame.links, large)
        if anchor is None:
            return Start(large, None, settings.finish_iterations * (FIRST if settings.follows_flow else 1))
        moved = anchor.weights[..., None] * (2.0 * anchor.picture - 1.0)
        initial = np.clip(large + moved, 0.0, 1.0)
        changing = frame.changing if change == 0.0 else None
        if own is not None and changing is not None and changing.any():
            changing = None  # what stands still comes to the first lap, too
        if changing is not None:
            finished = self._finished()
            initial = finished + changing[..., None] * (initial - finished)
        held = None
        if settings.anchor_weight > 0.0:
            held = loosened(replace(anchor, picture=initial), change)
        few, loose = settings.finish_iterations, settings.frame_tolerance
        return Start(initial, held, few, loose, changing, frame.index)

    def pass_over(self, frame: LinkedFrame, own: Picture | None) -> None:
        """It is the turn of a frame that is finished: `remember` takes it in."""

    def remember(self, frame: LinkedFrame, picture: Picture) -> None:
        """Take in a finished frame; what is moved is what finishing has changed, as a picture around grey."""
        self._finished = picture
        super().remember(frame, partial(_changed, self._small(frame.index), frame.content, picture))

    def last(self) -> tuple[FloatImage, FloatImage]:
        """Content and finished picture of the frame before."""
        return super().last()[0], self._finished()


def _changed(small: Picture, content: FloatImage, finished: Picture) -> FloatImage:
    """What finishing has changed, 0.5 for nothing, shape (H, W, 3), in [0, 1]."""
    import numpy as np

    from video.enlarge import enlarge

    return np.asarray(0.5 + 0.5 * (finished() - enlarge(small(), content)), np.float32)
