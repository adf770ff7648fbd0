"""Where pictures and their captions stand in the frames of a progress movie."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from pipeline.montage.captions import Caption, band_height, common_form, draw_caption, type_size
from pipeline.montage.loss_curves import BACKGROUND
from video.decode import fit_size
from video.images import FloatImage, from_uint8

Size = tuple[int, int]
"""Width and height in pixels."""

Captioned = tuple[FloatImage, Caption]
"""A picture and what stands under it."""

WIDE = 16 / 9
"""The shape that layouts of several pictures come near to."""


@dataclass(frozen=True)
class Area:
    """The room for pictures and captions: at most so large, or `exact`, just so large."""

    size: Size
    exact: bool = False


@dataclass(frozen=True)
class Box:
    """The place of a picture; its caption goes under it."""

    left: int
    top: int
    width: int
    height: int

    @property
    def size(self) -> Size:
        """Width and height."""
        return self.width, self.height


@dataclass(frozen=True)
class Layout:
    """Places for pictures on a neutral ground.

    Attributes
    ----------
    size
        Of the whole ground.
    boxes
        A place for each picture, in order.
    type_
        Of the captions, in pixels; 0: there are none.
    """

    size: Size
    boxes: tuple[Box, ...]
    type_: int = 0

    def draw(self, shown: Sequence[Captioned]) -> FloatImage:
        """A frame with these pictures, none larger than its box; shape (height, width, 3)."""
        frame = ground(self.size)
        bands = [(box.width, band_height(self.type_)) for box in self.boxes]
        captions = [caption for _, caption in shown]
        form = common_form(captions, [width for width, _ in bands], self.type_) if self.type_ else 0
        for box, band, (picture, caption) in zip(self.boxes, bands, shown, strict=True):
            right = box.left + box.width
            frame[box.top : box.top + box.height, box.left : right] = place_on(box.size, picture)
            if self.type_:
                under = box.top + (box.height + picture.shape[0]) // 2
                frame[under : under + band[1], box.left : right] = draw_caption(
                    caption, band, self.type_, form
                )
        return frame


def single_layout(sizes: Sequence[Size], area: Area, *, captions: bool) -> Layout:
    """One picture, in a box that holds all of these sizes."""
    if area.exact:
        type_ = type_size(area.size[0]) if captions else 0
        width, height = area.size
        return Layout(area.size, (Box(0, 0, width, max(1, height - band_height(type_))),), type_)
    whole = common_size(sizes)

    def build(longer: int) -> Layout:
        width, height = fit_size(*whole, longer)
        if not captions:
            return Layout((width, height), (Box(0, 0, width, height),))
        type_ = type_size(width)
        return Layout(_even(width, height + band_height(type_)), (Box(0, 0, width, height),), type_)

    return _largest(build, max(whole), area)


def side_layout(sizes: Sequence[Size], area: Area, *, captions: bool) -> Layout:
    """Content, style and result: the arrangement whose shape comes nearest to 16:9.

    Upright pictures stand in a row. Otherwise the content and the style are half as large as the result: one
    above the other on its left, or beside each other above it where it is wide.
    """
    whole = common_size(sizes)
    shape = area.size[0] / area.size[1] if area.exact else WIDE

    def arranged(arrange: Callable[..., list[Box]], height: int) -> Layout:
        width = max(1, round(height * whole[0] / whole[1]))
        type_ = type_size(width) if captions else 0
        return _around(arrange(width, height, _gap(max(width, height)), band_height(type_)), type_)

    def distance(arrange: Callable[..., list[Box]]) -> float:
        width, height = arranged(arrange, whole[1]).size
        return abs(math.log(width / height / shape))

    best = min((_beside, _in_a_row, _above), key=distance)
    most = max(area.size) if area.exact else whole[1]
    return _largest(lambda height: arranged(best, height), most, area)


def _beside(width: int, height: int, gap: int, band: int) -> list[Box]:
    """Content over style, on the left of the result."""
    small = max(1, (height - gap - band) // 2)
    narrow = max(1, round(small * width / height))
    rest = max(1, height - small - gap - band)
    return [
        Box(0, 0, narrow, small),
        Box(0, small + band + gap, narrow, rest),
        Box(narrow + gap, 0, width, height),
    ]


def _in_a_row(width: int, height: int, gap: int, _: int) -> list[Box]:
    """All of one size."""
    return [Box(number * (width + gap), 0, width, height) for number in range(3)]


def _above(width: int, height: int, gap: int, band: int) -> list[Box]:
    """Content beside style, above the result."""
    narrow = max(1, (width - gap) // 2)
    small = max(1, round(narrow * height / width))
    return [
        Box(0, 0, narrow, small),
        Box(narrow + gap, 0, max(1, width - narrow - gap), small),
        Box(0, small + band + gap, width, height),
    ]


def grid_layout(sizes: Sequence[Size], area: Area, *, captions: bool) -> Layout:
    """Every picture in its own shape, in rows that fill the width; the whole comes near to 16:9.

    Together they are no larger than they are by themselves.
    """
    shapes = [width / height for width, height in sizes]
    rows = rows_of(shapes, area.size[0] / area.size[1] if area.exact else WIDE)

    def build(width: int) -> Layout:
        type_ = type_size(width // max(map(len, rows))) if captions else 0
        gap, boxes, top = _gap(width), list[Box](), 0
        for row in rows:
            free = max(width - gap * (len(row) - 1), len(row))
            height = max(1, round(free / sum(row)))
            ends = [round(free * sum(row[:number]) / sum(row)) for number in range(len(row) + 1)]
            boxes += [
                Box(start + gap * number, top, max(1, end - start), height)
                for number, (start, end) in enumerate(pairwise(ends))
            ]
            top += height + band_height(type_) + gap
        return _around(boxes, type_)

    pixels = sum(width * height for width, height in sizes)

    def natural(layout: Layout) -> bool:
        return sum(box.width * box.height for box in layout.boxes) <= 1.02 * pixels

    if area.exact:
        return _largest(build, max(area.size), area)
    return _largest(build, sum(width for width, _ in sizes) + area.size[0], area, natural)


def rows_of(shapes: Sequence[float], whole: float) -> list[list[float]]:
    """Proportions (width over height) in rows of nearly one height, together nearly of the shape `whole`."""
    best, least = [list(shapes)], math.inf
    for count in range(1, len(shapes) + 1):
        rows: list[list[float]] = [[] for _ in range(count)]
        before = 0.0
        for shape in shapes:
            rows[min(count - 1, int(count * (before + shape / 2) / sum(shapes) + 1e-9))].append(shape)
            before += shape
        rows = [row for row in rows if row]
        heights = [1 / sum(row) for row in rows]
        cost = abs(math.log(whole * sum(heights))) + math.log(max(heights) / min(heights))
        if cost < least:
            best, least = rows, cost
    return best


def _gap(longer: int) -> int:
    """Pixels between pictures, and around them."""
    return max(4, 2 * round(0.006 * longer))


def _around(boxes: Sequence[Box], type_: int) -> Layout:
    """A layout of these boxes with a margin."""
    right, bottom = max(box.left + box.width for box in boxes), max(box.top + box.height for box in boxes)
    margin = _gap(max(right, bottom))
    moved = tuple(Box(box.left + margin, box.top + margin, box.width, box.height) for box in boxes)
    under = max(margin, band_height(type_))
    return Layout(_even(right + 2 * margin, bottom + margin + under), moved, type_)


def _even(width: int, height: int) -> Size:
    return width + width % 2, height + height % 2


def _largest(
    build: Callable[[int], Layout],
    most: int,
    area: Area,
    fits: Callable[[Layout], bool] = lambda _: True,
) -> Layout:
    """The layout of the largest measure up to `most` that fits in the area; if exact, in its middle."""
    low, high = 1, most
    while low < high:
        middle = (low + high + 1) // 2
        layout = build(middle)
        inside = all(side <= room for side, room in zip(layout.size, area.size, strict=True))
        low, high = (middle, high) if inside and fits(layout) else (low, middle - 1)
    layout = build(low)
    if not area.exact:
        return layout
    across, down = ((room - side) // 2 for side, room in zip(layout.size, area.size, strict=True))
    moved = (Box(box.left + across, box.top + down, box.width, box.height) for box in layout.boxes)
    return Layout(area.size, tuple(moved), layout.type_)


def common_size(sizes: Sequence[Size]) -> Size:
    """The size that holds every picture at its own size."""
    return max(width for width, _ in sizes), max(height for _, height in sizes)


def fitted_size(size: Size, canvas: Size) -> Size:
    """The largest (width, height) in the proportions of `size` that fits on `canvas`."""
    fitting = [(1, 1)]
    for outer, inner in zip(canvas, size, strict=True):
        width, height = (max(1, round(Fraction(side * outer, inner))) for side in size)
        if width <= canvas[0] and height <= canvas[1]:
            fitting.append((width, height))
    return max(fitting)


def place_on(canvas: Size, picture: FloatImage) -> FloatImage:
    """`picture` in the middle of a neutral ground of this (width, height)."""
    height, width = picture.shape[:2]
    if (width, height) == canvas:
        return picture
    placed = ground(canvas)
    left, top = (canvas[0] - width) // 2, (canvas[1] - height) // 2
    placed[top : top + height, left : left + width] = picture
    return placed


def ground(size: Size) -> FloatImage:
    """A neutral ground of this (width, height)."""
    empty = np.empty((size[1], size[0], 3), np.float32)
    empty[:] = from_uint8(np.asarray(BACKGROUND, np.uint8))
    return empty
