"""A stretch out of the middle of a clip, exactly, without decoding all that comes before it.

Seeking is exact in some formats only. Who has decoded the clip once leaves a mark of every frame; a stretch
is sought by time and held against its marks, and where they do not agree the clip is decoded from its start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from contextlib import closing

import numpy as np

from .decode import FrameRange, decode_arguments, fill_frame, read_frames
from .filters import has_alpha
from .images import WHITE, Color, FloatImage, opaque, to_uint8
from .probe import ClipInfo
from .sequence import FrameFolder
from .tools import FfmpegProcess
from .webp import CONTAINER as WEBP

MARK_BYTES = 16

NEAR = 100
"""Frames from the start up to which decoding through is quicker than seeking."""

LEAD = 1.0
"""Seconds before the stretch at which seeking aims: filters that look at neighbours need some frames."""

SEARCHED = 4.0
"""Seconds from there in which the first frame must be found."""


def mark_of(frame: FloatImage) -> bytes:
    """A hash of a frame's pixels in whole bytes."""
    return hashlib.blake2b(to_uint8(frame).tobytes(), digest_size=MARK_BYTES).digest()


def read_excerpt(
    clip: ClipInfo | FrameFolder,
    *,
    size: tuple[int, int],
    start: int,
    marks: Sequence[bytes],
    background: Color = WHITE,
) -> Generator[FloatImage, None, None]:
    """Yield as many frames as there are marks, from frame `start` on, as `read_frames` does.

    What is wrong with the clip has been said when the marks were made, and is not said again.

    Parameters
    ----------
    size
        (width, height), as when the marks were made.
    start
        The first frame's number, counted from 0.
    marks
        :func:`mark_of` every frame of the stretch.
    background
        What transparent parts are laid over, as when the marks were made.
    """
    done = 0
    if isinstance(clip, ClipInfo) and clip.container != WEBP and start > NEAR:
        with closing(_sought(clip, size, start, marks[0], background)) as sought:
            for frame in sought:
                if mark_of(frame) != marks[done]:
                    break
                yield frame
                done += 1
                if done == len(marks):
                    return
    rest = FrameRange(start + done, start + len(marks))
    frames = read_frames(clip, size=size, frames=rest, on_warning=lambda line: None, background=background)
    with closing(frames):
        yield from frames


def _sought(
    clip: ClipInfo, size: tuple[int, int], start: int, first: bytes, background: Color
) -> Generator[FloatImage, None, None]:
    """Frames from the one that bears the mark `first`, near `start`, on; none if it is not there."""
    channels = 4 if has_alpha(clip.pixel_format) else 3
    buffer = bytearray(size[0] * size[1] * channels)
    raw = np.frombuffer(buffer, np.uint8).reshape(size[1], size[0], channels)
    begun = min([clip.start_time, *(track.start_time for track in clip.audio)])
    time = clip.times.at(start) if clip.times is not None else start / clip.rate
    place = max(0.0, float(clip.start_time - begun + time) - LEAD)
    tries = int(SEARCHED * clip.rate) + 1
    with FfmpegProcess(decode_arguments(clip, size, seek=place), read=True) as process:
        found = False
        while (found or tries) and fill_frame(process, buffer, clip):
            frame = opaque(raw, background)
            tries -= 1
            found = found or mark_of(frame) == first
            if found:
                yield frame
