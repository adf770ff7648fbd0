"""Frames and how their contents come from those before them: needs no stylized frame, so it can run ahead."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.clip.motion import SETTLING, FlowTracker, Link
from pipeline.settings.job_settings import VideoSettings

if TYPE_CHECKING:
    from stylize.types import FloatImage
    from video.flow import Mask


@dataclass(frozen=True)
class LinkedFrame:
    """A frame and how its content comes from those before it.

    Attributes
    ----------
    index
        Its number in the clip.
    content
        The original, shape (H, W, 3), float32 in [0, 1].
    begins
        A shot begins with it.
    links
        To the frames before it in its shot, the nearest first; none where they are not wanted.
    changing
        How far each pixel shows something else than when it was last made, shape (H, W), in [0, 1]; None:
        all of it is to be made.
    """

    index: int
    content: FloatImage
    begins: bool
    links: tuple[Link, ...]
    changing: Mask | None = None


def linked(
    frames: Iterable[tuple[int, FloatImage, bool]],
    settings: VideoSettings,
    wanted: Callable[[int], bool] = lambda index: True,
) -> Generator[LinkedFrame, None, None]:
    """Link frames (number, content, whether a shot begins) to those before them, where it is `wanted`.

    It needs no stylized frame, so it may run ahead of the optimisation.
    """
    from video.stillness import Stillness

    tracker = FlowTracker(settings.long_term if settings.follows_flow else (1,), settings.flow_quality)
    stillness = Stillness(SETTLING) if settings.keeps_what_stays else None
    for index, content, begins in frames:
        if begins:
            tracker.begin_shot()
        if begins and stillness is not None:
            stillness.begin_shot()
        changing = None if stillness is None else stillness.look(content)
        yield LinkedFrame(index, content, begins, tracker.look(content, wanted=wanted(index)), changing)
