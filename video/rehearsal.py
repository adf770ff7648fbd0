"""The end of a clip's job, rehearsed before the work: a moment of pictures, and everything else beside them.

Whatever would fail at the end because of the clip, the container or this ffmpeg fails here, in a second.
"""

from __future__ import annotations

import tempfile
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np

from . import muxing
from .encode import FrameWriter
from .errors import EncodeError
from .outputs import DISK_FULL_HINT
from .retime import retime
from .sound import within_range
from .timing import TimeTable
from .tools import find_ffmpeg

MOMENT = 2
"""Frames that are written for a rehearsal."""

STAND_IN = Path("what is rehearsed")


def rehearse(writer: FrameWriter) -> None:
    """Write a moment of the clip that `writer` is for, and let it carry over only what works.

    Nothing is found out, and nothing said, where there is no room for temporary files.

    Raises
    ------
    EncodeError
        This ffmpeg cannot write such pictures.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
            _rehearse(writer, Path(folder))
    except OSError:
        return
    except EncodeError as error:
        if DISK_FULL_HINT not in str(error):
            raise EncodeError(str(error).replace(str(STAND_IN), str(writer.path))) from error


def _rehearse(writer: FrameWriter, folder: Path) -> None:
    suffix = writer.path.suffix.lower()
    pictures = folder / f"pictures{suffix}"
    pictures.write_bytes(_moment(suffix, writer.size, writer.rate, writer.quality, str(find_ffmpeg().path)))
    if writer.timed:
        even, pictures = pictures, folder / f"timed{suffix}"
        times = TimeTable((Fraction(0), 1 / writer.rate), 3 / writer.rate)
        retime(even, pictures, STAND_IN, writer.container, times)
    if writer.sound is not None:
        whole = folder / f"whole{suffix}"
        plan, notes = within_range(writer.sound)
        writer.carry(muxing.rehearse(plan, pictures, whole, writer.container))
        writer.notes.extend(notes)


@lru_cache(maxsize=8)
def _moment(
    suffix: str, size: tuple[int, int], rate: Fraction, quality: tuple[int, str], program: str
) -> bytes:
    """A clip of a few grey frames, as a job's writer makes it with the ffmpeg `program`."""
    crf, preset = quality
    grey = np.full((size[1], size[0], 3), 0.5, np.float32)
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
        path = Path(folder) / f"moment{suffix}"
        writer = FrameWriter(path, size, rate, crf=crf, preset=preset)
        writer.path = STAND_IN
        with writer:
            for _ in range(MOMENT):
                writer.write(grey)
        return path.read_bytes()
