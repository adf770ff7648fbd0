"""Single frames out of a clip, for looking at: quickly, and only nearly at the place asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from .decode import FrameRange, decode_arguments, fill_frame, read_frames
from .filters import has_alpha
from .images import FloatImage, opaque
from .probe import ClipInfo
from .sequence import FrameFolder
from .tools import FfmpegProcess
from .webp import CONTAINER as WEBP

SHORT = 1500
"""Frames up to which a clip is decoded through for exactly the frames asked for."""


def sample_frames(
    clip: ClipInfo | FrameFolder, indices: Sequence[int], size: tuple[int, int]
) -> Iterator[tuple[int, FloatImage]]:
    """Frames of a clip by rising number, each with its number; those that cannot be read are left out.

    Up to frame `SHORT` they are exactly these; farther on the clip is sought by time.

    Parameters
    ----------
    size
        (width, height) to scale to.
    """
    if isinstance(clip, ClipInfo) and clip.container != WEBP and max(indices) > SHORT:
        for index in indices:
            before = max(0.0, float((index - Fraction(1, 2)) / clip.rate))  # sought by a time that is rounded
            picture = _near(clip, before, size)
            if picture is not None:
                yield index, picture
        return
    whole = FrameRange(min(indices), max(indices) + 1)
    wanted = set(indices)
    frames = read_frames(clip, size=size, frames=whole, on_warning=lambda line: None)
    for index, picture in enumerate(frames, start=whole.start):
        if index in wanted:
            yield index, picture


def _near(clip: ClipInfo, seconds: float, size: tuple[int, int]) -> FloatImage | None:
    channels = 4 if has_alpha(clip.pixel_format) else 3
    buffer = bytearray(size[0] * size[1] * channels)
    with FfmpegProcess(decode_arguments(clip, size, stop=1, seek=seconds), read=True) as process:
        if not fill_frame(process, buffer, clip):
            return None
    return opaque(np.frombuffer(buffer, np.uint8).reshape(size[1], size[0], channels))
