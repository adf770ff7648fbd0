"""Where the lines, dots, bars and labels of a chart lie; the template writes them down as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.views.report.chart_types import Chart, Series, is_number, spoken

WIDE, NARROW = (1040, 300), (360, 250)
"""Sizes of a drawing: type is as large on a phone as on a desk."""

DOT_LIMIT = 60
"""Places up to which a line has a dot at each."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 30, 44

_LOWEST_SHARE = 1e-6

_SHAPES = (
    "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "m-3.5-3.5h7v7h-7z",
    "m0-5l5 5-5 5-5-5z",
    "m0-4.5l5 8.5h-10z",
)
"""A circle, a square, a diamond and a triangle: series are told apart without their colours."""

_KNOWN = ("total", "style", "content", "tv", "flat", "temporal")


@dataclass(frozen=True)
class Tick:
    """A place on an axis, in pixels, and its words."""

    at: float
    text: str


@dataclass(frozen=True)
class Curve:
    """One series: `path` is an SVG path to be stroked, `shapes` one to be filled, `dots` are points.

    `sample` is what stands for it in the legend, 26 by 10 pixels, to be filled; a line if it is empty.
    """

    name: str
    color: str
    path: str
    dots: tuple[tuple[float, float], ...]
    shapes: str
    sample: str = ""


@dataclass(frozen=True)
class Drawing:
    """A chart in pixels of a picture of `width` and `height`; the plot lies between the four sides."""

    key: str
    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    marks: tuple[Tick, ...]
    curves: tuple[Curve, ...]


def draw(chart: Chart, size: tuple[int, int], key: str) -> Drawing:
    """The chart at a size; `key` is a word that no other drawing of the page has."""
    width, height = size
    across = _Scale.of_places(chart, _LEFT, width - _RIGHT)
    upward = _Scale.of_values(chart, height - _BOTTOM, _TOP)
    return Drawing(
        key,
        width,
        height,
        _LEFT,
        width - _RIGHT,
        _TOP,
        height - _BOTTOM,
        x_ticks=tuple(
            Tick(across(value), f"{value:g}") for value in whole_ticks(chart.x, 8 if width > 500 else 5)
        ),
        y_ticks=tuple(Tick(upward(value), spoken(value)) for value in upward.ticks()),
        marks=_marks([Tick(across(mark.at), mark.label) for mark in chart.marks], width - _RIGHT),
        curves=tuple(_curve(chart, one, across, upward) for one in chart.series),
    )


def _marks(marks: Sequence[Tick], end: float) -> tuple[Tick, ...]:
    """The marks, without the words of those that would lie over others or beyond the end."""
    shown: list[Tick] = []
    free = 0.0
    for mark in marks:
        fits = mark.at >= free and mark.at + 6 * len(mark.text) <= end
        shown.append(mark if fits else Tick(mark.at, ""))
        free = mark.at + 7 * len(mark.text) if fits else free
    return tuple(shown)


@dataclass(frozen=True)
class _Scale:
    """From values between `low` and `high` to pixels between `start` and `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    @classmethod
    def of_places(cls, chart: Chart, start: float, end: float) -> _Scale:
        low, high = (chart.x[0], chart.x[-1]) if chart.x else (0.0, 1.0)
        room = 0.6 if chart.kind == "bars" or low == high else 0.02 * (high - low)
        return cls(low - room, high + room, start, end)

    @classmethod
    def of_values(cls, chart: Chart, start: float, end: float) -> _Scale:
        values = chart.values
        if chart.is_log:
            positive = [value for value in values if value > 0.0]
            high = max(positive)
            return cls(max(min(positive), high * _LOWEST_SHARE) / 1.25, high * 1.25, start, end, True)
        return cls(min(0.0, *values, 0.0), max(0.0, *values, 0.0) * 1.06 or 1.0, start, end)

    def __call__(self, value: float) -> float:
        value = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        """Round values on the scale, few enough to be read."""
        if not self.log:
            return steps(self.low, self.high, 5)
        from pipeline.montage.loss_curves import gridlines

        lines = gridlines(self.low, self.high)
        return lines[:: math.ceil(len(lines) / 7)]


def steps(low: float, high: float, count: int) -> list[float]:
    """About `count` round values from `low` to `high`: 1, 2 or 5 times a power of ten apart."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def whole_ticks(places: Sequence[float], count: int) -> list[float]:
    """Round whole numbers among the places of an axis."""
    if not places:
        return []
    low, high = places[0], places[-1]
    if low == high:
        return [low]
    found = [value for value in steps(low, high, count) if value == round(value)]
    return found or [low, high]


def _curve(chart: Chart, series: Series, across: _Scale, upward: _Scale) -> Curve:
    runs = _runs(chart, series, across, upward, thin=chart.kind != "bars")
    points = [point for run in runs for point in run]
    color = series.name if series.name in _KNOWN else f"other{_place(chart, series) % 3}"
    path = shapes = sample = ""
    dots: list[tuple[float, float]] = []
    if chart.kind == "bars":
        half = max(0.4, min(14.0, 0.36 * (across(chart.x[0] + 1) - across(chart.x[0])))) if chart.x else 0
        foot = upward.start
        shapes = "".join(f"M{x - half:.1f} {foot}V{y}h{2 * half:.1f}V{foot}z" for x, y in points)
    elif chart.kind == "line":
        path = "".join("M" + "L".join(f"{x} {y}" for x, y in run) for run in runs if len(run) > 1)
        dots = points if len(points) <= DOT_LIMIT else [run[0] for run in runs if len(run) == 1]
    else:
        shape = _SHAPES[_place(chart, series) % len(_SHAPES)]
        shapes = "".join(f"M{x} {y}{shape}" for x, y in points)
        sample = f"M13 5{shape}"
    return Curve(series.name, color, path, tuple(dots), shapes, sample)


def _place(chart: Chart, series: Series) -> int:
    return [one.name for one in chart.series].index(series.name)


def _runs(
    chart: Chart, series: Series, across: _Scale, upward: _Scale, *, thin: bool
) -> list[list[tuple[float, float]]]:
    """The points of a series, apart where a value is missing or the line is interrupted.

    Of the points over one pixel the lowest and the highest are enough.
    """
    runs: list[list[tuple[float, float]]] = [[]]
    for place, (x, value) in enumerate(zip(chart.x, series.values, strict=True)):
        if place in chart.breaks and runs[-1]:
            runs.append([])
        if not is_number(value) or (upward.log and value <= 0.0):
            if runs[-1]:
                runs.append([])
            continue
        runs[-1].append((across(x), upward(value)))
    return [_thinned(run) if thin else run for run in runs if run]


def _thinned(run: list[tuple[float, float]]) -> list[tuple[float, float]]:
    if len(run) < 2 * WIDE[0]:
        return run
    columns: dict[int, list[tuple[float, float]]] = {}
    for point in run:
        columns.setdefault(int(point[0]), []).append(point)
    return [
        point
        for column in columns.values()
        for point in sorted({min(column, key=lambda one: one[1]), max(column, key=lambda one: one[1])})
    ]
