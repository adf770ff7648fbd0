"""Clips in, pictures out: one frame at a time from one ffmpeg process."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from .errors import DecodeError, InputError, ToolError
from .filters import filter_text, has_alpha
from .frame_times import FrameClock, FrameTimes
from .images import WHITE, Color, FloatImage, opaque, read_image, resize_image
from .probe import ClipInfo
from .sequence import FrameFolder
from .tools import FfmpegProcess, file_url, has_encoder, has_filter, input_options
from .webp import CONTAINER as WEBP
from .webp import read_webp

STALL_SECONDS = 120.0
"""Wait for one frame at most; a decoder that gives nothing for so long has hung."""


@dataclass(frozen=True)
class FrameRange:
    """Frames `start` up to, not including, `stop` (None: to the end), counted from 0."""

    start: int = 0
    stop: int | None = None

    def __post_init__(self) -> None:
        if self.start < 0 or (self.stop is not None and self.stop <= self.start):
            raise InputError(f"frames '{self}' selects nothing; write START:STOP, for example 0:48")

    def __str__(self) -> str:
        return f"{self.start}:{'' if self.stop is None else self.stop}"

    @classmethod
    def parse(cls, text: str) -> FrameRange:
        """Read "0:48", "10:" or ":20"; InputError for anything else."""
        match = re.fullmatch(r"\s*([0-9]*)\s*:\s*([0-9]*)\s*", text)
        if match is None:
            raise InputError(f"frames '{text}' is no range; write START:STOP, for example 0:48")
        return cls(int(match[1] or 0), int(match[2]) if match[2] else None)

    def indices(self, total: int) -> range:
        """Indices that it selects out of `total` frames; empty when `start` lies behind the end."""
        return range(self.start, max(self.start, total if self.stop is None else min(self.stop, total)))

    def seconds(self, rate: Fraction) -> tuple[Fraction, Fraction | None]:
        """Start and end in seconds at `rate` frames a second."""
        return self.start / rate, None if self.stop is None else self.stop / rate


ALL_FRAMES = FrameRange()


def fit_size(width: int, height: int, longer: int | None, *, even: bool = False) -> tuple[int, int]:
    """Size whose longer side is `longer`, with the aspect kept.

    Never enlarges and is at least 1x1; `longer` None keeps the size. With `even`, both sides are rounded to
    even numbers (at least 2).
    """
    if min(width, height) < 1 or (longer is not None and longer < 1):
        raise InputError(f"size {longer} for a picture of {width}x{height}: sizes must be at least 1")
    scale = Fraction(1) if longer is None else min(Fraction(1), Fraction(longer, max(width, height)))
    if not even:
        return max(1, round(width * scale)), max(1, round(height * scale))
    sides = (min(2 * round(side * scale / 2), side - side % 2) for side in (width, height))
    fitted_width, fitted_height = (max(2, side) for side in sides)
    return fitted_width, fitted_height


def read_frames(
    clip: ClipInfo | FrameFolder,
    *,
    size: tuple[int, int] | None = None,
    frames: FrameRange = ALL_FRAMES,
    on_warning: Callable[[str], None] | None = None,
    on_times: Callable[[FrameTimes], None] | None = None,
    background: Color = WHITE,
) -> Generator[FloatImage, None, None]:
    """Yield the frames of a clip, upright, with square pixels, one alive at a time.

    The clip is decoded from its start (seeking is not exact in every format); frames before the range are
    dropped, and decoding stops behind it. Closing the generator ends ffmpeg.

    Parameters
    ----------
    size
        (width, height) to scale to: by area when smaller, Lanczos when larger. None: the clip's own.
    frames
        Which frames to yield.
    on_warning
        Is given one line when the clip turns out damaged; without it the line is a `UserWarning`.
    on_times
        Is given, behind the last frame, when each frame from the clip's first on is shown; see `shown_at`.
        Not called for what is no clip of ffmpeg's.
    background
        What transparent parts are laid over.

    Yields
    ------
    FloatImage
        float32 RGB in [0, 1], shape (height, width, 3).

    Raises
    ------
    InputError
        The range starts behind the end, a side of `size` is under 1, or no frame could be decoded.
    ToolError
        The clip is HDR and this ffmpeg has no zscale.
    DecodeError
        ffmpeg hung, or was ended by a signal.
    """
    width, height = size if size is not None else (clip.width, clip.height)
    if min(width, height) < 1:
        raise InputError(f"size {width}x{height} for {clip.path}: sizes must be at least 1")
    if isinstance(clip, FrameFolder):
        return _read_folder(clip, (width, height), frames, background)
    if clip.hdr and not has_filter("zscale"):
        raise ToolError(
            f"{clip.path} is HDR ({clip.color_transfer}) and this ffmpeg has no zscale filter to convert it; "
            "install a full build, or run: pip install imageio-ffmpeg"
        )
    if clip.container == WEBP:
        wanted = frames.indices(clip.frames)
        if not wanted:
            raise _behind_the_end(clip, frames, clip.frames)
        return read_webp(clip.path, (width, height), wanted, on_warning or _warn, background)
    return _read_clip(clip, (width, height), frames, on_warning or _warn, on_times, background)


def _warn(line: str) -> None:
    warnings.warn(line, UserWarning, stacklevel=3)


def _read_folder(
    folder: FrameFolder, size: tuple[int, int], frames: FrameRange, background: Color
) -> Generator[FloatImage, None, None]:
    chosen = frames.indices(folder.frames)
    if not chosen:
        raise _behind_the_end(folder, frames, folder.frames)
    for i in chosen:
        picture = read_image(folder.files[i], background=background)
        own = (picture.shape[1], picture.shape[0])
        if own != (folder.width, folder.height):
            raise DecodeError(f"{folder.files[i]} changed its size to {own[0]}x{own[1]} while it was in use")
        yield picture if own == size else resize_image(picture, size)


def _behind_the_end(clip: ClipInfo | FrameFolder, frames: FrameRange, total: int) -> InputError:
    return InputError(f"frames '{frames}' starts behind the end of {clip.path}, which has {total} frames")


# ------------------------------------------------------------------------------------------------ ffmpeg


def _read_clip(
    clip: ClipInfo,
    size: tuple[int, int],
    frames: FrameRange,
    on_warning: Callable[[str], None],
    on_times: Callable[[FrameTimes], None] | None,
    background: Color,
) -> Generator[FloatImage, None, None]:
    timed = on_times is not None and has_filter("metadata")
    clock = FrameClock()
    arguments = decode_arguments(clip, size, stop=frames.stop, timed=timed)
    channels = 4 if has_alpha(clip.pixel_format) else 3
    buffer = bytearray(size[0] * size[1] * channels)
    raw = np.frombuffer(buffer, np.uint8).reshape(size[1], size[0], channels)
    count = 0
    with FfmpegProcess(arguments, read=True, listen=clock.hear if timed else None) as process:
        while frames.stop is None or count < frames.stop:
            if not fill_frame(process, buffer, clip):
                break
            count += 1
            if count > frames.start:
                yield opaque(raw, background)
        status = process.finish(STALL_SECONDS)
        _report(clip, frames, count, status, process, on_warning)
        if on_times is not None and timed:
            on_times(clock.times[:count])


def fill_frame(process: FfmpegProcess, buffer: bytearray, clip: ClipInfo) -> bool:
    """Read one frame into `buffer`; False at the end of the clip (a part of a frame counts as nothing)."""
    stalled = threading.Event()

    def give_up() -> None:
        stalled.set()
        process.kill()

    timer = threading.Timer(STALL_SECONDS, give_up)
    timer.daemon = True
    timer.start()
    try:
        filled = process.stdout.readinto(buffer)  # type: ignore[attr-defined]
    finally:
        timer.cancel()
    if stalled.is_set():
        raise DecodeError(f"{clip.path}: ffmpeg gave no frame for {STALL_SECONDS:g} s and was stopped")
    return bool(filled == len(buffer))


def _report(
    clip: ClipInfo,
    frames: FrameRange,
    count: int,
    status: int,
    process: FfmpegProcess,
    on_warning: Callable[[str], None],
) -> None:
    """Say what was wrong with the clip, when all frames that there are have been yielded."""
    expected = clip.frames if frames.stop is None else min(frames.stop, clip.frames)
    if status < 0 and count < expected:
        raise DecodeError(
            f"{clip.path}: ffmpeg was ended by signal {-status} after {count} of about {expected} frames; "
            f"give the same command again, or take what comes before with --frames 0:{count}"
        )
    lines = process.stderr_count
    damaged = status != 0 or lines > 0 or count < expected
    if count == 0:
        raise InputError(f"{clip.path}: no frame could be decoded ({process.reason}); the file is damaged")
    if damaged:
        said = f"; ffmpeg says: {process.reason}" if lines else ""
        on_warning(f"{clip.path} is damaged: {_read_of(clip, frames, count)}{said}")
    if count <= frames.start:
        raise _behind_the_end(clip, frames, count)


def _read_of(clip: ClipInfo, frames: FrameRange, count: int) -> str:
    """How many frames there were to be had, where nothing behind `frames` was tried."""
    if frames.stop is not None and frames.stop < clip.frames:
        if count < frames.stop:
            return f"{count} of its first {frames.stop} frames could be read"
        return "every frame that was asked for could be read all the same"
    of = f" of about {clip.frames}" if count < clip.frames else ""
    return f"{count}{of} frame{'s' if of or count != 1 else ''} could be read"


def decode_arguments(
    clip: ClipInfo, size: tuple[int, int], *, stop: int | None = None, seek: float = 0.0, timed: bool = False
) -> list[str]:
    """Arguments for ffmpeg to write raw 8-bit frames of `size` (width, height) to its standard output.

    ffmpeg turns the pictures upright before the filters; ``passthrough`` keeps it from repeating or dropping
    frames to even out their times. Seeking, in seconds, is exact in most formats only. `timed`: times are
    told for a `FrameClock`, on the file's own clock.
    """
    import ffmpeg

    options: dict[str, object] = {
        "format": "rawvideo",
        "pix_fmt": "rgba" if has_alpha(clip.pixel_format) else "rgb24",
        "fps_mode": "passthrough",
        "enc_time_base": "1/90000",
        "vf": filter_text(clip, size, timed=timed),
    }
    if stop is not None:
        options["frames:v"] = stop
    decoder = {"c:v": clip.decoder} if clip.decoder and has_encoder(clip.decoder) else {}  # same library
    place = {"ss": f"{seek:.3f}"} if seek else {}
    source = ffmpeg.input(file_url(clip.path), max_error_rate=1, **place, **decoder, **input_options())
    output = ffmpeg.output(source[str(clip.video_index)], "pipe:1", **options)
    return list((output.global_args("-copyts") if timed else output).get_args())
