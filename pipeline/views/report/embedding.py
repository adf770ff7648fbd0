"""Pictures inside a page: which of many, how large, how good, as texts that a browser shows."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from stylize.types import FloatImage


Picture: TypeAlias = "FloatImage | Callable[[], FloatImage]"
"""A picture, or a function that gives one: many wait on disk until their turn comes."""

LONGEST_SIDE = 960
"""Pixels of the longer side of an embedded picture, at the most."""

THUMB_HEIGHT = 96

THUMB_LIMIT = 100
"""Frames in the strip, at the most."""

PAIR_LIMITS = {"image": 24, "video": 24, "album": 300}
"""Pairs on the page of each command, at the most."""

PAIR_BYTES = {"image": 6_000_000, "video": 11_000_000, "album": 34_000_000}
"""What all pairs of a page may take in it, as texts."""

_SIDES = ((24, LONGEST_SIDE), (80, 800), (160, 640), (PAIR_LIMITS["album"], 512))

_LARGEST_PICTURE = 400_000

_LARGEST_THUMB = 16_000

_QUALITIES = (86, 80, 74, 66, 56, 46, 36)

_BASE64 = 4 / 3


@dataclass(frozen=True)
class Pair:
    """A picture before and after, for a slider.

    Attributes
    ----------
    name
        What it is called; a frame's :class:`Thumb` and row have the same name.
    style
        What it is stylized with; an album's gallery is filtered by it.
    before, after
        Shape (H, W, 3), float32 in [0, 1], or functions that give that.
    """

    name: str
    style: str
    before: Picture
    after: Picture


@dataclass(frozen=True)
class Thumb:
    """A small picture of the strip of frames; `picture` as in :class:`Pair`."""

    name: str
    picture: Picture


@dataclass(frozen=True)
class Embedded:
    """A picture as the address of an <img>, with its size in pixels."""

    address: str
    width: int
    height: int


@dataclass(frozen=True)
class EmbeddedPair:
    """A :class:`Pair` as it stands in the page."""

    name: str
    style: str
    before: Embedded
    after: Embedded


def chosen_frames(count: int, limit: int = THUMB_LIMIT) -> list[int]:
    """At most `limit` numbers of `range(count)`, evenly spread, the first and the last among them."""
    if count <= limit:
        return list(range(count))
    if limit < 2:
        return [0] * limit
    return [round(place * (count - 1) / (limit - 1)) for place in range(limit)]


def chosen_pairs(count: int, command: str) -> list[int]:
    """Which of `count` frames or photos have a slider; a clip's are among its :func:`chosen_frames`."""
    numbers = chosen_frames(count) if command == "video" else list(range(count))
    return [numbers[place] for place in chosen_frames(len(numbers), PAIR_LIMITS[command])]


def embedded_pairs(pairs: Sequence[Pair], command: str) -> tuple[list[EmbeddedPair], int]:
    """The pairs as they stand in the page, and how many are not shown.

    Where there are too many, those shown are evenly spread. The more there are, the smaller each is, so
    that all together stay under `PAIR_BYTES`.
    """
    shown = [pairs[place] for place in chosen_frames(len(pairs), PAIR_LIMITS[command])]
    side = next(side for count, side in _SIDES if len(shown) <= count)
    largest = min(_LARGEST_PICTURE, PAIR_BYTES[command] // max(2 * len(shown), 1))
    return [_embedded_pair(pair, side, largest) for pair in shown], len(pairs) - len(shown)


def hero_pair(pair: Pair) -> EmbeddedPair:
    """A pair as large as pictures of a page become."""
    return _embedded_pair(pair, LONGEST_SIDE, _LARGEST_PICTURE)


def embedded_thumb(picture: Picture) -> Embedded:
    """A picture of the strip: `THUMB_HEIGHT` high, less where it is very wide."""
    pixels = picture() if callable(picture) else picture
    height, width = pixels.shape[:2]
    return embedded(pixels, round(THUMB_HEIGHT * max(1.0, min(width / height, 4.0))), _LARGEST_THUMB)


def _embedded_pair(pair: Pair, side: int, largest: int) -> EmbeddedPair:
    after = pair.after() if callable(pair.after) else pair.after
    shown = embedded(after, side, largest)
    before = pair.before() if callable(pair.before) else pair.before
    # What it is compared with need not be larger.
    original = embedded(before, min(side, max(after.shape[:2])), largest)
    return EmbeddedPair(pair.name, pair.style, original, shown)


def embedded(picture: FloatImage, side: int, largest: int) -> Embedded:
    """A picture as a JPEG inside its own address.

    Parameters
    ----------
    picture
        Shape (H, W, 3), float32 in [0, 1].
    side
        Its longer side has at most so many pixels.
    largest
        Its address has at most so many characters: the quality falls until it fits, then the size.
    """
    from PIL import Image

    from video.decode import fit_size
    from video.images import resize_image, to_uint8

    height, width = picture.shape[:2]
    while True:
        size = fit_size(width, height, side)
        image = Image.fromarray(to_uint8(resize_image(picture, size)))
        for quality in _QUALITIES:
            data = _jpeg(image, quality)
            if len(data) * _BASE64 + 32 <= largest:
                break
        else:
            if side > 32:
                side = max(32, min(round(0.8 * side), max(size) - 1))
                continue
        text = base64.b64encode(data).decode("ascii")
        return Embedded(f"data:image/jpeg;base64,{text}", *size)


def _jpeg(image: Any, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=quality, optimize=True)
    return buffer.getvalue()
