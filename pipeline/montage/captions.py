"""Lines of text under pictures, cut to their width."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipeline.montage.loss_curves import BACKGROUND, QUIET, TEXT
from video.names import shown

if TYPE_CHECKING:
    from video.images import FloatImage


COUNTER_SHARE = 0.6
"""The most of a line's width for the counter where it has a shorter form; the title has the rest."""


@dataclass(frozen=True)
class Caption:
    """What stands under a picture.

    Attributes
    ----------
    title
        What the picture is called; cut with an ellipsis where there is no room.
    counters
        How far the optimisation is, in forms that become shorter; of all pictures the same is shown.
    widest
        The same at their widest: room is kept for these, so that nothing moves as the numbers grow.
    """

    title: str
    counters: tuple[str, ...] = ()
    widest: tuple[str, ...] = ()


def cut(text: str, width: float, font: Any) -> str:
    """`text` as far as there is room, with an ellipsis where it ends, in letters that Pillow's own font has.

    Accents are left out; what has no letter in it becomes a question mark, and what is none is escaped.
    """
    text = drawable(text)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}...") > width:
        text = text[:-1].rstrip(" .")
    return f"{text}..."


def drawable(text: str) -> str:
    """`text` in letters that Pillow's own font has, as :func:`cut` says."""
    bare = (one for one in unicodedata.normalize("NFKD", shown(text)) if not unicodedata.combining(one))
    return "".join((one if one.isascii() else "?") if one.isprintable() else " " for one in bare)


def type_size(width: int) -> int:
    """Type for captions under pictures of this width, in pixels: never too small to be read."""
    return min(max(round(0.036 * width), 11), 24)


def band_height(type_: int) -> int:
    """Height of the band that a caption in this type takes up."""
    return 2 * type_


def common_form(captions: Sequence[Caption], widths: Sequence[int], type_: int) -> int:
    """The number of the longest form of the counters for which there is room under every picture."""
    forms = [len(caption.widest) for caption in captions if caption.widest]
    for form in range(min(forms, default=1) - 1):
        rooms = zip(captions, widths, strict=True)
        if all(_reserved(caption, form, type_) <= COUNTER_SHARE * width for caption, width in rooms):
            return form
    return min(forms, default=1) - 1


@lru_cache(maxsize=256)
def _reserved(caption: Caption, form: int, type_: int) -> float:
    return float(_font(type_).getlength(caption.widest[form])) if caption.widest else 0.0


@lru_cache(maxsize=4)
def _font(type_: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(type_)


@lru_cache(maxsize=128)
def draw_caption(caption: Caption, size: tuple[int, int], type_: int, form: int) -> FloatImage:
    """A caption in the middle of a neutral band of this (width, height); shape (height, width, 3)."""
    import numpy as np
    from PIL import Image, ImageDraw

    from video.images import from_uint8

    font, width = _font(type_), size[0]
    reserved = min(float(width), _reserved(caption, form, type_))
    counter = cut(caption.counters[form], width, font) if caption.counters else ""
    room = width - reserved - type_ if reserved else width
    title = cut(caption.title, room, font) if room > 3 * type_ else ""
    taken = font.getlength(title) + type_ if title and reserved else font.getlength(title)
    left, middle = max(0.0, (width - taken - reserved) / 2), size[1] / 2
    band = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(band)
    draw.text((left, middle), title, TEXT, font, anchor="lm")
    draw.text((left + taken, middle), counter, QUIET if title else TEXT, font, anchor="lm")
    return from_uint8(np.asarray(band))
