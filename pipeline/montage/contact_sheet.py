"""Contact sheets: many small pictures on a page, each with a line under it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from video.names import safe_name

if TYPE_CHECKING:
    from PIL import Image

    from stylize.types import FloatImage


Small: TypeAlias = "Image.Image"

SHEET_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")

SIDE = 240
"""Pixels of the longer side of a picture on a sheet, if it stands with others."""

PAGE = 60
"""Cells on a page, at the most."""

_COLUMNS = 6

_GAP = 8

_TYPE = 13

_PAPER, _INK = (24, 24, 28), (214, 214, 220)


def small(picture: FloatImage, side: int = SIDE) -> Small:
    """A picture at the size that it has on a sheet: its longer side has at most `side` pixels."""
    from PIL import Image

    from video.decode import fit_size
    from video.images import resize_image, to_uint8

    height, width = picture.shape[:2]
    return Image.fromarray(to_uint8(resize_image(picture, fit_size(width, height, side))))


@dataclass(frozen=True)
class Cell:
    """Pictures over one another, and what is said of them.

    Attributes
    ----------
    pictures
        From :func:`small`, or functions that give one: many wait on disk until their page is drawn.
    caption
        Each of its lines is cut to the width of the cell.
    """

    pictures: tuple[Small | Callable[[], Small], ...]
    caption: str


def write_contact_sheet(cells: Sequence[Cell], target: Path, *, overwrite: bool) -> list[Path]:
    """Write the cells in rows; what does not fit on a page goes on in NAME-2, NAME-3, ...

    Parameters
    ----------
    target
        Ends in one of `SHEET_SUFFIXES`.

    Returns
    -------
    list of Path
        The files written.
    """
    from video.images import from_uint8, write_image

    pages = [cells[start : start + PAGE] for start in range(0, len(cells), PAGE)]
    paths = page_paths(target, len(cells))
    for path, page in zip(paths, pages, strict=True):
        write_image(path, from_uint8(_draw(page)), quality=90, overwrite=overwrite)
    return paths


def page_paths(target: Path, count: int) -> list[Path]:
    """The files of a sheet of so many cells."""
    later = range(2, (count - 1) // PAGE + 2)
    names = (safe_name(f"{target.stem}-{number}", target.suffix) for number in later)
    return [target, *map(target.with_name, names)]


def evenly(count: int, wanted: int) -> list[int]:
    """At most `wanted` numbers of `range(count)`, spread over all of it, each in the middle of its part."""
    wanted = min(count, wanted)
    return [(2 * place + 1) * count // (2 * wanted) for place in range(wanted)]


def _draw(cells: Sequence[Cell]) -> Any:
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    from pipeline.montage.captions import cut

    font = ImageFont.load_default(_TYPE)
    columns = min(len(cells), _COLUMNS)
    drawn = [[one() if callable(one) else one for one in cell.pictures] for cell in cells]
    width = max(picture.width for pictures in drawn for picture in pictures)
    rows = [drawn[start : start + columns] for start in range(0, len(drawn), columns)]
    heights = [[max(column) for column in zip(*_heights(row), strict=True)] for row in rows]
    lines = max(cell.caption.count("\n") + 1 for cell in cells)
    band = (lines + 1) * (_TYPE + 2)
    whole = [sum(height) + _GAP * (len(height) - 1) // 2 + band for height in heights]
    size = (columns * (width + _GAP) + _GAP, sum(whole) + _GAP * (len(rows) + 1))
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    top = _GAP
    for number, row in enumerate(rows):
        for column, pictures in enumerate(row):
            left, under = _GAP + column * (width + _GAP), top
            for picture, height in zip(pictures, heights[number], strict=True):
                sheet.paste(
                    picture, (left + (width - picture.width) // 2, under + (height - picture.height) // 2)
                )
                under += height + _GAP // 2
            caption = cells[number * columns + column].caption.split("\n")
            for line, text in enumerate(caption):
                height = top + whole[number] - band + (line + 1) * (_TYPE + 2)
                draw.text((left + width / 2, height), cut(text, width, font), _INK, font, anchor="mm")
        top += whole[number] + _GAP
    return np.asarray(sheet)


def _heights(row: Sequence[Sequence[Small]]) -> list[list[int]]:
    return [[picture.height for picture in pictures] for pictures in row]
