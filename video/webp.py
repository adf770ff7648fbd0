"""Animated WebP as a clip, through Pillow: older releases of ffmpeg cannot read it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from .errors import InputError
from .images import DEFAULT_PIXEL_LIMIT, WHITE, Color, FloatImage, opaque, resize_image
from .streams import Streams, Track

CONTAINER = "webp"
MILLISECOND = Fraction(1, 1000)
ANIMATION_FLAG = 2

USUAL = 100
"""Milliseconds of a picture that has none, as ffmpeg has it for GIF, and browsers for both."""


def is_animated_webp(head: bytes) -> bool:
    """Whether a file that begins with `head` (21 bytes at least) is an animated WebP, not a still one."""
    kind = head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X"
    return kind and len(head) > 20 and bool(head[20] & ANIMATION_FLAG)


def read_with_pillow(path: Path) -> Streams:
    """Look into an animated WebP; InputError when no picture of it can be read."""
    video = Track(0, "video", "webp", MILLISECOND, default=True, pixel_format="rgba")
    begin, damaged = 0, False
    try:
        for size, duration, _ in _pictures(path):
            video.width, video.height = size
            video.packets.add(begin, duration, False)
            begin += duration
    except _DECODER_ERRORS as error:
        if not video.packets.total:
            raise InputError(f"{path} is damaged: no picture of it can be read ({error})") from error
        damaged = True
    return Streams(CONTAINER, None, [video], damaged)


def read_webp(
    path: Path,
    size: tuple[int, int],
    wanted: range,
    on_warning: Callable[[str], None],
    background: Color = WHITE,
) -> Generator[FloatImage, None, None]:
    """Yield the pictures of an animated WebP whose numbers are in `wanted`, laid over `background`."""
    count = 0
    try:
        for own, _, rgba in _pictures(path):
            if count >= wanted.stop:
                return
            if count in wanted:
                picture = opaque(rgba, background)
                yield picture if own == size else resize_image(picture, size)
            count += 1
    except _DECODER_ERRORS as error:
        if not count:
            raise InputError(f"{path}: no frame could be decoded ({error}); the file is damaged") from error
        on_warning(
            f"{path} is damaged: {count} frame{'s' if count != 1 else ''} could be read; Pillow says: {error}"
        )


_DECODER_ERRORS = (OSError, EOFError, SyntaxError, ValueError)


def _pictures(
    path: Path,
) -> Iterator[tuple[tuple[int, int], int, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]]:
    """Size, duration in milliseconds and RGBA bytes of each picture."""
    from PIL import Image

    from .picture_formats import quiet_pillow

    with quiet_pillow():
        opened = Image.open(path, formats=["WEBP"])
    with opened as image:
        if image.width * image.height > DEFAULT_PIXEL_LIMIT:
            raise InputError(f"{path}: {image.width}x{image.height} pixels are too many; scale it down first")
        for number in range(getattr(image, "n_frames", 1)):
            with quiet_pillow():  # not while the one who asked goes on: others want to read as well
                image.seek(number)
                image.load()
            told = int(image.info.get("duration", 0))
            yield image.size, told or USUAL, np.asarray(image.convert("RGBA"))
