"""Pictures and style pictures read at the size they are used at."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.progress.display import Display
from pipeline.settings.common_settings import JobSettings
from pipeline.settings.job import StyleSource
from pipeline.settings.job_settings import ImageSettings

if TYPE_CHECKING:
    from stylize.types import FloatImage


def read_picture(path: Path, longer: int, minimum_side: int, *, style: bool = False) -> FloatImage:
    """A picture file, upright, its longer side at most `longer` pixels.

    A long and narrow style picture may be larger, so that its shorter side is not under `minimum_side`.

    Raises
    ------
    InputError
        If it cannot be read.
    UsageError
        If it is too small for the layers in use.
    """
    from video.images import read_image

    picture = read_image(path)
    return _at(picture, _fitted_size(path, picture, longer, minimum_side, style=style))


def _fitted_size(
    path: Path, picture: FloatImage, longer: int, minimum_side: int, *, style: bool
) -> tuple[int, int]:
    """Width and height that a picture is used at; a UsageError if it is too small, as in `read_picture`."""
    from video.decode import fit_size

    height, width = picture.shape[:2]
    if style and min(width, height) >= minimum_side:
        longer = max(longer, math.ceil(minimum_side * max(width, height) / min(width, height)))
    fitted = fit_size(width, height, longer)
    if min(fitted) < minimum_side:
        cure = "give a larger --size" if min(width, height) >= minimum_side else "use a larger picture"
        width, height = fitted if min(width, height) >= minimum_side else (width, height)
        raise UsageError(
            f"{path}: {width}x{height} pixels is too small for the network, which needs {minimum_side} "
            f"on the shorter side; {cure}"
        )
    return fitted


def _at(picture: FloatImage, size: tuple[int, int]) -> FloatImage:
    """A picture at a size; itself if it has it."""
    from video.images import resize_image

    return picture if size == (picture.shape[1], picture.shape[0]) else resize_image(picture, size)


def note_pages(path: Path, display: Display) -> None:
    """Say that only one picture of a file is used, and which, if it holds several."""
    from video.picture_formats import count_pages

    pages, used = count_pages(path)
    if pages > 1:
        which = "the first" if used == 1 else f"number {used}, the main one,"
        display.warn(f"{path}: holds {pages} pictures, pages or frames; {which} is used")


def note_styles(styles: Sequence[StyleSource], display: Display) -> None:
    """The same for style pictures, and for those in a folder of styles."""
    for style in styles:
        for picture in pictures_of(style):
            note_pages(picture.path, display)


def pictures_of(style: StyleSource, on_warning: Callable[[str], None] | None = None) -> list[StyleSource]:
    """A style picture, or the pictures of a folder, which share its weight."""
    from video.images import list_pictures

    if not style.path.is_dir():
        return [style]
    pictures = list_pictures(style.path, on_warning)
    return [StyleSource(path, style.weight / len(pictures)) for path in pictures]


def read_style(path: Path, longer: int, scale: float, minimum_side: int, crop: float = 0.0) -> FloatImage:
    """A style picture `scale` times as large as it would be, but never too small for the network.

    The share `crop` is left out at every edge. It is enlarged only where its file has no more pixels: what
    is larger than the content keeps its detail.
    """
    from video.images import read_image

    picture = read_image(path)
    width, height = _fitted_size(path, picture, longer, minimum_side, style=True)
    down, across = (round(crop * side) for side in picture.shape[:2])
    picture = picture[down : picture.shape[0] - down, across : picture.shape[1] - across]
    scale = max(scale, minimum_side / min(height, width))
    return _at(picture, (round(width * scale), round(height * scale)))


def exif_for(photo: Path, settings: JobSettings) -> bytes:
    """What goes into a result beside its pixels, as the settings want it."""
    from video.exif import read_exif

    keeps = isinstance(settings, ImageSettings) and settings.metadata == "keep"
    return read_exif(photo) if keeps else b""
