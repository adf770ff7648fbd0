"""Frames stylized one from the other: the method of clips, on arrays alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.clip.links import LinkedFrame, linked
from pipeline.clip.motion import MotionModel, Picture, loosened
from pipeline.clip.start import Start
from pipeline.settings.job_settings import VideoSettings
from stylize.errors import ConfigError, ShapeError
from stylize.knobs import near_miss

if TYPE_CHECKING:
    from pipeline.run_folder.folder import Frame
    from stylize.anchor import Anchor
    from stylize.config import StylizeConfig
    from stylize.look import Look
    from stylize.result import Result
    from stylize.stylizer import Stylizer
    from stylize.types import FloatImage


FRESH = 0.5
"""A frame of which more than this share has come into view is made afresh, as after a flash."""


class TemporalModel:
    """What one frame has from the ones before it, by `settings.temporal`.

    Parameters
    ----------
    settings
        Of the clip.
    alone
        Of a single picture: with its iterations and tolerance a frame is made of which everything is new.
    """

    def __init__(self, settings: VideoSettings, alone: StylizeConfig) -> None:
        self._settings = settings
        self._alone = alone
        self._motion = MotionModel(max(settings.long_term))

    def enter(self, frame: LinkedFrame) -> None:
        """It is this frame's turn: what came before its shot is forgotten."""
        if frame.begins:
            self._motion.begin_shot()

    def pass_over(self, frame: LinkedFrame, own: Picture | None) -> None:
        """The frame whose turn it is was finished by an earlier run: note what the next ones take from it."""
        if own is None and self._settings.follows_flow:
            self._motion.follow(frame.content, frame.links)

    def remember(self, frame: LinkedFrame, picture: Picture) -> None:
        """The frame whose turn it was is finished; `picture` reads it as a continued job would."""
        self._motion.remember(frame.content, picture)

    def stays(self, frame: LinkedFrame, start: Start) -> bool:
        """Whether a frame is the one before it: nothing changes, nor does what is kept of the contents."""
        import numpy as np

        if start.changing is None or start.changing.any():
            return False
        keeps = self._settings.preserve_color == "luminance" or bool(self._settings.mask_preserve)
        return not keeps or np.array_equal(frame.content, self._motion.last()[0])

    def start(
        self,
        frame: LinkedFrame,
        own: Picture | None = None,
        change: float = 0.0,
        share: float | None = None,
    ) -> Start:
        """Where a frame starts.

        Parameters
        ----------
        frame
            The one whose turn it is.
        own
            Reads what an earlier pass has made of it.
        change
            How far its look is from that of the frame before, in [0, 1].
        share
            How far it is brought from the frame before to `own`, in [0, 1]; None: it is a pass like others.
        """
        settings = self._settings
        if not settings.steady:
            return Start()
        if settings.temporal == "previous":
            initial, anchor = self._motion.last_picture(), None
        else:
            initial, anchor = self._motion.guide(frame.content, frame.links, own and own(), share)
        if initial is None:
            return Start()
        held = None if anchor is None or settings.anchor_weight == 0.0 else loosened(anchor, change)
        changing = frame.changing if change == 0.0 else None
        if own is not None and changing is not None and changing.any():
            changing = None  # a later pass goes over all of what is not held
        if changing is not None:
            last = self._motion.last()[1]
            initial = last + changing[..., None] * (initial - last)
        afresh = own is None and self._motion.new_share > FRESH
        return Start(initial, held, *self._effort(held), changing, frame.index, afresh)

    def last(self) -> tuple[FloatImage, FloatImage]:
        """Content and stylized picture of the frame before; there must be one."""
        return self._motion.last()

    def error(
        self,
        frame: LinkedFrame,
        shown: FloatImage,
        past_shown: Callable[[FloatImage, FloatImage], FloatImage],
        *,
        backward: bool = False,
    ) -> float | None:
        """The warping error between a frame and the one before it, as both are `shown`; None without a link.

        Parameters
        ----------
        past_shown
            From the content and the picture of the frame before to what is shown of it.
        backward
            The clip is gone through from its end: the frame before is the later one.
        """
        from video.metrics import warping_error

        if not frame.links:
            return None
        past = past_shown(*self.last())
        there, back = frame.links[0].found
        pair = (shown, past, there, back) if backward else (past, shown, back, there)
        return warping_error(*pair)

    def _effort(self, anchor: Anchor | None) -> tuple[int, float]:
        """Iterations and tolerance of a frame with a past: nearer a first frame's the more of it is new."""
        few, loose = self._settings.frame_iterations, self._settings.frame_tolerance
        new = 0.0 if anchor is None else 1.0 - float(anchor.weights.mean())
        more, stricter = max(self._alone.iterations - few, 0), min(self._alone.tolerance - loose, 0.0)
        return round(few + new * more), loose + new * stricter


def as_before(start: Start, before: Frame) -> Result:
    """What came of a frame in which nothing changes."""
    from stylize.result import Result

    assert start.initial is not None
    losses = dict(before.losses)
    return Result(start.initial, losses, losses, 0, 0, 0.0, "as before")


@dataclass(frozen=True)
class StylizedFrame:
    """A frame that `stylize_frames` has made.

    Attributes
    ----------
    index
        Its number, counted from 0.
    picture
        What is shown, shape (H, W, 3), float32 in [0, 1], in whole 255ths.
    result
        How its optimisation went: losses, evaluations, seconds.
    begins
        Whether a shot begins with it.
    error
        The warping error between it and the frame before it in its shot.
    """

    index: int
    picture: FloatImage
    result: Result
    begins: bool
    error: float | None


def stylize_frames(
    stylizer: Stylizer,
    frames: Iterable[FloatImage],
    *,
    cuts: str | frozenset[int] = "auto",
    look: Look | None = None,
    **settings: Any,
) -> Iterator[StylizedFrame]:
    """Stylize frames one from the other, as `deepfusion video` does, in one pass.

    Parameters
    ----------
    stylizer
        Made with `temporal_weight=VideoSettings().temporal_weight`, or another that is not 0, for frames to
        be held to the ones before.
    frames
        Originals of one size, shape (H, W, 3), float32 RGB in [0, 1]. Each is copied when it is taken, one at
        a time; looking for cuts takes two ahead.
    cuts
        Where shots begin: "auto" finds cuts and fades, "none" has one shot, or a set of numbers.
    look
        Strength and shares of the styles; those of the stylizer if None.
    **settings
        `temporal`, `repaint`, `frame_iterations`, `frame_tolerance`, `long_term`, `flow_quality`: as the
        options of `deepfusion video`.

    Yields
    ------
    StylizedFrame
        In order, each before the next one is begun.

    Raises
    ------
    ConfigError
        For a setting that is unknown or out of range, or a stylizer that cannot hold frames.
    ShapeError
        For a frame that is no picture, or has another size than the first.

    Examples
    --------
    >>> from pipeline.clip.temporal import stylize_frames
    >>> for made in stylize_frames(stylizer, frames, temporal="flow"):  # doctest: +SKIP
    ...     print(made.index, made.error)
    """
    from stylize.look import Look
    from video.images import from_uint8, to_uint8
    from video.scenes import with_shot_starts

    chosen = _chosen(stylizer, cuts, settings)
    look = Look() if look is None else look
    model = TemporalModel(chosen, stylizer.config)
    for frame in linked(with_shot_starts(enumerate(_checked(frames)), cuts), chosen):
        model.enter(frame)
        start = model.start(frame)
        result = stylizer.stylize(frame.content, look=look, **vars(start))
        saved = from_uint8(to_uint8(result.picture))
        shown = look.over(frame.content, saved)
        error = model.error(frame, shown, look.over)
        yield StylizedFrame(frame.index, shown.copy(), result, frame.begins, error)
        model.remember(frame, partial(_itself, saved))


_TEMPORAL = ("temporal", "repaint", "frame_iterations", "frame_tolerance", "long_term", "flow_quality")


def _chosen(stylizer: Stylizer, cuts: str | frozenset[int], settings: dict[str, Any]) -> VideoSettings:
    """The settings that were asked for; ConfigError for others, which would do nothing here."""
    for name in settings:
        if name not in _TEMPORAL:
            raise ConfigError(f"{name}: is no setting of stylize_frames: {near_miss(name, _TEMPORAL)}")
    if isinstance(cuts, str) and cuts not in ("auto", "none"):
        raise ConfigError(f"cuts: expected 'auto', 'none' or a set of frame numbers, got {cuts!r}")
    chosen = VideoSettings(**settings)
    if chosen.follows_flow and stylizer.temporal_weight == 0.0:
        raise ConfigError(
            "temporal: the stylizer holds no frames; make it with temporal_weight="
            f"{VideoSettings.temporal_weight:g}, or ask for temporal='previous' or 'off'"
        )
    return chosen


def _checked(frames: Iterable[FloatImage]) -> Iterator[FloatImage]:
    """Copies of frames, each seen to be a picture of the first one's size."""
    from stylize.types import check_picture

    shape = None
    for number, frame in enumerate(frames):
        picture = check_picture(frame, f"frame {number}").copy()
        shape = picture.shape if shape is None else shape
        if picture.shape != shape:
            raise ShapeError(f"frame {number}: shape {picture.shape} differs from the first frame's {shape}")
        yield picture


def _itself(picture: FloatImage) -> FloatImage:
    return picture
