"""Whether a finished clip is what was written: opened again, and every frame decoded."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

from .errors import EncodeError, InputError
from .filters import EVEN_TIMES
from .probe import probe
from .tools import file_url, input_options, run_ffmpeg


def verify_clip(
    file: Path,
    path: Path,
    size: tuple[int, int],
    frames: int,
    tracks: int = 0,
    length: Fraction | None = None,
) -> None:
    """Open a finished clip again and decode every frame; EncodeError when it is not what was written.

    Parameters
    ----------
    file
        The file to check, under its temporary name.
    path
        The name to use in messages.
    size, frames, tracks
        What it must have: (width, height), pictures, tracks of sound.
    length
        Seconds that the pictures must last, to within one frame; None: not looked at.
    """
    try:
        clip = probe(file)
    except InputError as error:
        reason = str(error).replace(str(file), "it")
        raise EncodeError(f"cannot write {path}: what was written cannot be read again: {reason}") from error
    decoded = count_frames(file, clip.video_index, frozenset(track.codec for track in clip.audio))
    found = (clip.width, clip.height), decoded, len(clip.audio)
    if found != (size, frames, tracks):
        raise EncodeError(
            f"cannot write {path}: it came out wrong: expected {_summary(size, frames, tracks)}, "
            f"got {_summary(*found)}"
        )
    if length is not None and abs((clip.duration or 0) - length) > 1 / clip.rate:
        lasts = f"{float(clip.duration or 0):.3f} s"
        raise EncodeError(f"cannot write {path}: its pictures last {lasts} instead of {float(length):.3f} s")


def _summary(size: tuple[int, int], frames: int, tracks: int) -> str:
    return f"{frames} frames of {size[0]}x{size[1]} with {tracks} tracks of sound"


def count_frames(file: Path, video_index: int, others: frozenset[str] = frozenset()) -> int:
    """Decode a whole video track and return how many frames came out without an error; -1 if it broke.

    What decoders of the codecs `others` complain of is not counted: sound may be copied damaged as it is.
    """
    import ffmpeg

    source = ffmpeg.input(file_url(file), **input_options())
    options = {"vf": EVEN_TIMES, "fps_mode": "passthrough", "enc_time_base": "1/90000"}
    options.update(format="null", progress="pipe:1")
    output = ffmpeg.output(source[str(video_index)], "-", **options)
    result = run_ffmpeg(ffmpeg.get_args(output))
    counts = re.findall(rb"^frame=\s*(\d+)", result.stdout, re.MULTILINE)
    complaints = [line for line in result.stderr if not _is_of(others, line)]
    return int(counts[-1]) if result.ok and not complaints and counts else -1


def _is_of(codecs: frozenset[str], line: str) -> bool:
    """Whether a line of ffmpeg's is by a decoder of `codecs`, or says only that one came again."""
    said = re.match(r"\[(\w+) @ 0x[0-9a-f]+\]", line)
    return "Last message repeated" in line if said is None else said[1].removesuffix("float") in codecs
