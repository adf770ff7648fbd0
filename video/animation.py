"""Write a short animation: as a clip, a GIF or an animated WebP."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import numpy as np

from .encode import VIDEO_FORMATS, FrameWriter
from .errors import EncodeError, InputError
from .failures import encoding_failed
from .images import FloatImage, to_uint8
from .outputs import check_target, partial_file, publish, unwritable
from .tools import FfmpegProcess, file_url, input_options, run_ffmpeg

ANIMATION_SUFFIXES = (*VIDEO_FORMATS, ".gif", ".webp")

GIF_FASTEST = 50
"""Frames a second a GIF can show: delays are in 1/100 s, and viewers slow down those under two."""

WEBP_QUALITY = 85


def write_animation(
    path: Path, frames: Iterable[FloatImage], rate: Fraction, *, overwrite: bool = False
) -> None:
    """Write pictures of one size as an animation; GIF and WebP repeat for ever.

    Clips and GIFs are written as the frames come; a WebP needs all of them in memory, as bytes.

    Parameters
    ----------
    path
        Ends in ``.gif``, ``.webp``, or what `FrameWriter` takes.
    frames
        Pictures of shape (H, W, 3) in [0, 1], all of one size.
    rate
        Frames a second. A GIF shows at most 50; of faster ones it leaves frames out and keeps the duration.

    Raises
    ------
    InputError
        `path` cannot be an output, or the rate is not above 0.
    EncodeError
        There are no frames, their sizes differ, or writing failed.
    """
    path, rate = Path(path), Fraction(rate)
    target = check_target(path, ANIMATION_SUFFIXES, overwrite=overwrite)
    if rate <= 0:
        raise InputError(f"cannot write {path} at {rate} frames a second; use a rate above 0")
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise EncodeError(f"{path}: no frames were given, so there is nothing to write")
    height, width = first.shape[:2]
    pictures = itertools.chain([first], pictures)
    suffix = path.suffix.lower()
    if suffix in VIDEO_FORMATS:
        with FrameWriter(path, (width, height), rate, overwrite=overwrite) as writer:
            for picture in pictures:
                writer.write(picture)
        return
    arrays = _quantised(path, pictures, (height, width, 3))
    with partial_file(target) as partial:
        count = (_write_gif if suffix == ".gif" else _write_webp)(
            path, partial, arrays, (width, height), rate
        )
        _verify(path, partial, (width, height), Fraction(count) / rate)
        publish(partial, target)


def _quantised(
    path: Path, pictures: Iterable[FloatImage], shape: tuple[int, int, int]
) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    for number, picture in enumerate(pictures):
        if picture.shape != shape:
            raise EncodeError(f"frame {number} of {path}: expected shape {shape}, got {picture.shape}")
        yield np.ascontiguousarray(to_uint8(picture))


def _write_gif(
    path: Path,
    partial: Path,
    arrays: Iterable[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]],
    size: tuple[int, int],
    rate: Fraction,
) -> int:
    """Store the frames without loss while their best 255 colours are chosen, then draw with these."""
    count = 0
    with ExitStack() as stack:
        stored = stack.enter_context(partial_file(partial, ".frames"))
        palette = stack.enter_context(partial_file(partial, ".palette"))
        process = stack.enter_context(
            FfmpegProcess(_palette_arguments(stored, palette, size, rate), feed=True)
        )
        try:
            for array in arrays:
                process.stdin.write(array.data)
                count += 1
        except BrokenPipeError as error:
            code = process.finish()
            raise encoding_failed(path, process.reason, code, count) from error
        code = process.finish()
        if code != 0:
            raise encoding_failed(path, process.reason, code, count)
        done = run_ffmpeg(_gif_arguments(stored, palette, partial))
        if not done.ok:
            raise encoding_failed(path, done.reason, done.returncode, count)
    return count


def _palette_arguments(stored: Path, palette: Path, size: tuple[int, int], rate: Fraction) -> list[str]:
    import ffmpeg

    video = ffmpeg.input(
        "pipe:0",
        format="rawvideo",
        pix_fmt="rgb24",
        s=f"{size[0]}x{size[1]}",
        framerate=str(rate),
        protocol_whitelist="pipe",
    )["v:0"]
    if rate > GIF_FASTEST:
        video = video.filter("fps", GIF_FASTEST)
    copies = video.filter_multi_output("split")
    lossless = {"format": "matroska", "c:v": "ffv1"}
    colours = copies[1].filter("palettegen", stats_mode="full")
    outputs = ffmpeg.merge_outputs(
        ffmpeg.output(copies[0], file_url(stored), pix_fmt="bgr0", fps_mode="passthrough", **lossless),
        ffmpeg.output(colours, file_url(palette), pix_fmt="bgra", **lossless),
    )
    return list(ffmpeg.get_args(outputs, overwrite_output=True))


def _gif_arguments(stored: Path, palette: Path, partial: Path) -> list[str]:
    import ffmpeg

    pictures = ffmpeg.input(file_url(stored), **input_options())["v:0"]
    colours = ffmpeg.input(file_url(palette), **input_options())["v:0"]
    drawn = ffmpeg.filter([pictures, colours], "paletteuse", dither="sierra2_4a", diff_mode="rectangle")
    output = ffmpeg.output(drawn, file_url(partial), format="gif", loop=0, fps_mode="passthrough")
    return list(ffmpeg.get_args(output, overwrite_output=True))


def _write_webp(
    path: Path,
    partial: Path,
    arrays: Iterable[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]],
    size: tuple[int, int],
    rate: Fraction,
) -> int:
    from PIL import Image

    images = [Image.fromarray(array) for array in arrays]
    times = [round(1000 * number / rate) for number in range(len(images) + 1)]
    durations = [end - start for start, end in itertools.pairwise(times)]
    try:
        images[0].save(
            partial,
            format="WEBP",
            save_all=True,
            append_images=images[1:],
            duration=durations,
            loop=0,
            quality=WEBP_QUALITY,
            method=4,
        )
    except OSError as error:
        raise unwritable(path, error) from error
    except ValueError as error:
        raise EncodeError(f"cannot write {path}: {error}") from error
    return len(images)


def _verify(path: Path, partial: Path, size: tuple[int, int], duration: Fraction) -> None:
    """Read every frame again. Equal neighbours may be merged, so the duration counts, not the number."""
    from PIL import Image

    from .picture_formats import quiet_pillow

    shown = 0
    try:
        with quiet_pillow(), Image.open(partial, formats=("GIF", "WEBP")) as image:
            found = image.size
            count = getattr(image, "n_frames", 1)
            for number in range(count):
                image.seek(number)
                image.load()
                shown += image.info.get("duration", 0)
    except (OSError, EOFError, SyntaxError, ValueError) as error:
        raise EncodeError(f"cannot write {path}: what was written cannot be read again: {error}") from error
    tolerance = Fraction(1, 20)
    if found != size or (count > 1 and abs(Fraction(shown, 1000) - duration) > tolerance):
        raise EncodeError(
            f"cannot write {path}: it came out wrong: expected {size[0]}x{size[1]} "
            f"for {float(duration):.2f} s, got {found[0]}x{found[1]} for {shown / 1000:.2f} s"
        )
