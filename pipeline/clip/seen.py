"""Frames of a clip as they are taken up: linked to those before them, with their masks."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.clip.links import LinkedFrame, linked
from pipeline.clip.masks import masks_of_clip
from pipeline.clip.source import Clip
from pipeline.progress.display import Display
from pipeline.settings.job_settings import VideoSettings
from pipeline.styling.looks import Masks

if TYPE_CHECKING:
    from stylize.types import FloatImage


@dataclass(frozen=True)
class Seen:
    """A frame as it comes out of the clip, in a shot counted from 1, with its masks."""

    frame: LinkedFrame
    shot: int
    masks: Masks


def decoded(clip: Clip, settings: VideoSettings, shot: int, display: Display) -> Generator[Seen, None, None]:
    """A clip's frames; no frame is waited for. So many shots of the job come before it."""
    from video.scenes import with_shot_starts

    with closing(clip.contents(display)) as frames, closing(masks_of_clip(settings, clip)) as masks:
        yield from seen(with_shot_starts(frames, clip.cuts), masks, settings, shot)


def seen(
    frames: Iterable[tuple[int, FloatImage, bool]],
    masks: Iterable[Masks],
    settings: VideoSettings,
    shot: int,
) -> Generator[Seen, None, None]:
    """Frames (number, content, whether a shot begins) with their links and masks; `shot` shots are past."""
    import numpy as np

    last: Masks = ()
    for frame, planes in zip(linked(frames, settings), masks, strict=False):
        shot += frame.begins
        if not all(map(np.array_equal, last, planes)):  # where the styles go has changed
            frame = replace(frame, changing=None)
        last = planes
        yield Seen(frame, shot, planes)
