"""A band with the loss curves of an optimisation, to go under the frames of its movie."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

from pipeline.montage.snapshots import Loss
from video.images import FloatImage, from_uint8

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont


Color = tuple[int, int, int]

Point = tuple[float, float]

BACKGROUND: Color = (24, 24, 28)

GRID: Color = (50, 50, 57)

LEVEL_CHANGE: Color = (104, 104, 114)

QUIET: Color = (138, 138, 148)

TEXT: Color = (214, 214, 220)

TERM_COLORS: dict[str, Color] = {
    "total": (242, 242, 244),
    "style": (255, 161, 74),
    "content": (94, 170, 255),
    "tv": (128, 205, 116),
    "flat": (232, 214, 92),
    "temporal": (203, 136, 255),
}

MORE_COLORS: tuple[Color, ...] = ((255, 122, 148), (92, 212, 204))

SUPERSAMPLING = (4, 2)
"""Curves are drawn this much larger and scaled down, in bands up to 800 pixels wide and in wider ones:
Pillow's lines have jagged edges."""

SHOWN_RANGE = 12.0
"""The chart's floor is the lowest total over this; terms that never rise above it are left out."""


def strip_height(width: int) -> int:
    """Height in pixels of the band under frames of this width; even."""
    return 2 * round(min(max(38.0, 0.14 * width), 120.0))


class LossStrip:
    """Draws the loss curves as far as the movie has come: one curve a term, with a dot at the present.

    Losses go up on a logarithmic scale; iterations go right by the square root of their number within a
    level, because most happens at first. Every level of the pyramid has its own objective, so a curve is
    interrupted where the level changes, and a thin line marks the place.

    Parameters
    ----------
    losses
        Of every iteration, in order; at least one.
    size
        Width and height of the band in pixels.
    title
        Shown when there is room for it.
    """

    def __init__(self, losses: Sequence[Loss], size: tuple[int, int], title: str = "") -> None:
        self.size = size
        self._scale = SUPERSAMPLING[size[0] > 800]
        self._iterations = [loss.iteration for loss in losses]
        self._levels = [loss.level for loss in losses]
        self._low, self._high = shown_range([_finite(loss.loss) for loss in losses])
        self.curves = curves_of(losses, self._low)
        self.colors = _colors(list(self.curves))
        self._across = across(self._iterations, self._levels)
        self._fit_font(title)
        self._chart = self._chart_box()
        self._points = {
            name: [(self._x(number), self._y(value)) for number, value in enumerate(values)]
            for name, values in self.curves.items()
        }
        self._base = self._draw_base(title)

    def _fit_font(self, title: str) -> None:
        """Choose the largest type with which legend and counter fit; the title is shown if it fits too."""
        from PIL import ImageFont

        width = self.size[0]
        self._margin = max(6.0, 0.025 * width)
        largest = min(max(round(0.031 * width), 11), 19)
        choices = [(word, size) for word in ("iteration ", "") for size in range(largest, 7, -1)]
        for self._word, self._type in choices:
            self._font: Any = ImageFont.load_default(self._type)
            counter = self._font.getlength(f"{self._word}{self._iterations[-1]}")
            self._room = width - 3 * self._margin - counter
            if self._legend_width() <= self._room:
                break
        self._title_fits = self._legend_width() + self._font.getlength(title) + 2 * self._type <= self._room

    def _legend_width(self) -> float:
        return sum(self._font.getlength(name) + 2.1 * self._type for name in self.curves) - 0.9 * self._type

    def _chart_box(self) -> tuple[float, float, float, float]:
        width, height = self.size
        label: Any = self._small_font()
        gutter = max(
            (label.getlength(f"{value:g}") for value in gridlines(self._low, self._high)), default=0.0
        )
        left = self._margin + gutter + 0.6 * self._type
        return left, 2.4 * self._type, width - self._margin - 0.3 * self._type, height - 0.7 * self._type

    def _draw_base(self, title: str) -> Image.Image:
        """Everything that stays the same: grid, level changes, legend."""
        from PIL import Image, ImageDraw

        image = Image.new("RGB", self.size, BACKGROUND)
        draw = ImageDraw.Draw(image)
        left, top, right, bottom = self._chart
        small: Any = self._small_font()
        for value in gridlines(self._low, self._high):
            y = round(self._y(value))
            draw.line([(left, y), (right, y)], fill=GRID)
            draw.text((left - 0.5 * self._type, y), f"{value:g}", QUIET, small, anchor="rm")
        for number, (before, after) in enumerate(pairwise(self._levels), start=1):
            if before != after:
                x = round(self._x(number))
                draw.line([(x, top - 2), (x, bottom)], fill=LEVEL_CHANGE)
        self._draw_legend(draw, title if self._title_fits else "")
        return image

    def _small_font(self) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        from PIL import ImageFont

        return ImageFont.load_default(max(8, round(0.8 * self._type)))

    def _draw_legend(self, draw: ImageDraw.ImageDraw, title: str) -> None:
        x, y, radius = self._margin, 1.2 * self._type, 0.28 * self._type
        for name, color in self.colors.items():
            length = self._font.getlength(name)
            if x + length + 1.2 * self._type > self._margin + self._room:
                break
            swatch = (x, round(y - radius), x + 0.8 * self._type, round(y - radius) + 2 * radius)
            draw.rounded_rectangle(swatch, radius, fill=color)
            draw.text((x + 1.2 * self._type, y), name, TEXT, self._font, anchor="lm")
            x += length + 2.1 * self._type
        if title:
            draw.text((x + 0.5 * self._type, y), title, QUIET, self._font, anchor="lm")

    def draw(self, position: float) -> FloatImage:
        """The band at a moment of the movie.

        Parameters
        ----------
        position
            How many of the losses have passed, counted from 0; fractions lie between two.

        Returns
        -------
        FloatImage
            Shape (height, width, 3).
        """
        import numpy as np
        from PIL import Image, ImageDraw

        position = min(max(position, 0.0), len(self._iterations) - 1.0)
        width, height = self.size
        scale = self._scale
        image = self._base.resize((width * scale, height * scale), Image.Resampling.NEAREST)
        draw = ImageDraw.Draw(image)
        for name in reversed(self.curves):
            self._draw_curve(draw, name, position)
        image = image.resize(self.size, Image.Resampling.BOX)
        counter = f"{self._word}{self._iterations[math.floor(position)]}"
        place = (width - self._margin, 1.2 * self._type)
        ImageDraw.Draw(image).text(place, counter, TEXT, self._font, anchor="rm")
        return from_uint8(np.asarray(image))

    def _draw_curve(self, draw: ImageDraw.ImageDraw, name: str, position: float) -> None:
        """The curve of one term up to `position`, and the dot at its end."""
        scale, color = self._scale, self.colors[name]
        thickness = 0.13 * self._type * (1.25 if name == "total" else 1.0)
        segments = self._segments(name, position)
        for segment in segments:
            points = [(x * scale, y * scale) for x, y in segment]
            if len(points) > 1:
                draw.line(points, fill=color, width=round(thickness * scale), joint="curve")
        if segments:
            x, y = segments[-1][-1]
            for radius, fill in ((2.4 * thickness, BACKGROUND), (1.7 * thickness, color)):
                draw.ellipse(
                    [scale * side for side in (x - radius, y - radius, x + radius, y + radius)], fill
                )

    def _segments(self, name: str, position: float) -> list[list[Point]]:
        """The points of a curve up to `position`, a list for each level."""
        points, last = self._points[name], math.floor(position)
        segments: list[list[Point]] = []
        for number in range(last + 1):
            if number == 0 or self._levels[number] != self._levels[number - 1]:
                segments.append([])
            elif number < last and points[number][0] - segments[-1][-1][0] < 0.5:
                continue  # less than half a pixel: not to be seen, but slow to draw
            segments[-1].append(points[number])
        if position > last and self._levels[last] == self._levels[last + 1]:
            part, (x, y), (to_x, to_y) = position - last, points[last], points[last + 1]
            segments[-1].append((x + part * (to_x - x), y + part * (to_y - y)))
        return segments

    def _x(self, number: int) -> float:
        left, _, right, _ = self._chart
        return left + (right - left) * self._across[number]

    def _y(self, value: float) -> float:
        _, top, _, bottom = self._chart
        value = min(max(value, self._low), self._high)
        return bottom - (bottom - top) * math.log(value / self._low) / math.log(self._high / self._low)


def across(iterations: Sequence[int], levels: Sequence[int]) -> list[float]:
    """Where each loss lies along the chart, from 0 to 1.

    A level is as wide as its number of iterations; within it, places go by their square root.
    """
    first, whole = iterations[0], max(iterations[-1] - iterations[0], 1)
    places: list[float] = []
    for _, numbers in groupby(range(len(levels)), lambda number: levels[number]):
        level = [iterations[number] for number in numbers]
        start, length = level[0], max(level[-1] - level[0], 1)
        places += [(start - first + math.sqrt((one - start) * length)) / whole for one in level]
    return places


def curves_of(losses: Sequence[Loss], floor: float) -> dict[str, list[float]]:
    """The curves worth drawing by name: the total and, where there are several, the terms above `floor`."""
    names = list(dict.fromkeys(name for loss in losses for name in loss.terms))
    terms = {name: [_finite(loss.terms.get(name, 0.0)) for loss in losses] for name in names}
    terms = {name: values for name, values in terms.items() if max(values) > floor}
    total = {"total": [_finite(loss.loss) for loss in losses]}
    return {**total, **terms} if len(names) > 1 else total


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def shown_range(totals: Sequence[float]) -> tuple[float, float]:
    """The smallest and the largest loss on the chart, for these totals; both above 0."""
    positive = [value for value in totals if value > 0.0] or [1.0]
    return min(positive) / SHOWN_RANGE, max(positive) * 1.1


def gridlines(low: float, high: float) -> list[float]:
    """Round values between two losses: powers of ten, or 1-2-5 steps where that gives too few."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    decades = [10.0**exponent for exponent in exponents]
    if bisect.bisect_right(decades, high) - bisect.bisect_left(decades, low) < 2:
        decades = [step * decade for decade in decades for step in (1, 2, 5)]
    return [value for value in decades if low < value < high]


def _colors(names: Sequence[str]) -> dict[str, Color]:
    """A colour for each curve: the known terms always have theirs."""
    unknown = [name for name in names if name not in TERM_COLORS]
    spare = {name: MORE_COLORS[number % len(MORE_COLORS)] for number, name in enumerate(unknown)}
    return {name: TERM_COLORS.get(name) or spare[name] for name in names}
