"""What a chart shows: its numbers, its words and its table. How it is drawn: `drawing`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeGuard

TABLE_LIMIT = 600
"""Rows of a chart's table, at the most."""

LOG_RATIO = 30.0
"""From this ratio of the largest value to the smallest above 0 on, the scale is logarithmic."""


@dataclass(frozen=True)
class Series:
    """A named row of numbers; None where there is none."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Mark:
    """A vertical line at a place of the x axis, the word at its top, and where that is in words."""

    at: float
    label: str
    where: str


@dataclass(frozen=True)
class Chart:
    """What is to be drawn.

    Attributes
    ----------
    key
        A word that no other chart of the page has.
    x
        The places of the values, rising.
    names
        What the table calls each place.
    kind
        How the values are drawn: "line", "dots" or "bars".
    unit
        What one place is: "frame", "photo", "iteration".
    breaks
        Positions in `x` before which a line is interrupted.
    """

    key: str
    title: str
    x_label: str
    y_label: str
    unit: str
    x: tuple[float, ...]
    series: tuple[Series, ...]
    names: tuple[str, ...]
    marks: tuple[Mark, ...] = ()
    kind: str = "line"
    breaks: frozenset[int] = frozenset()
    log_allowed: bool = False

    @property
    def values(self) -> list[float]:
        """All numbers that can be drawn."""
        return [value for one in self.series for value in one.values if is_number(value)]

    @property
    def is_log(self) -> bool:
        """Whether the values differ too much for a plain scale."""
        positive = [value for value in self.values if value > 0.0]
        return self.log_allowed and bool(positive) and max(positive) >= LOG_RATIO * min(positive)

    @property
    def summary(self) -> str:
        """What there is to see, in words."""
        return " ".join([*(_course(one, self.names) for one in self.series), *self._remarks()])

    @property
    def caption(self) -> str:
        """The summary of the first series alone, the total where there is one."""
        return " ".join([*(_course(one, self.names) for one in self.series[:1]), *self._remarks()])

    def _remarks(self) -> list[str]:
        parts = ["The scale is logarithmic."] if self.is_log else []
        if self.marks:
            words = ", ".join(f"{mark.label} {mark.where}" for mark in self.marks[:12])
            more = len(self.marks) - 12
            parts.append(f"Marked: {words}{f' and {more} more' if more > 0 else ''}.")
        return parts

    @property
    def table(self) -> tuple[list[str], list[list[str]], int]:
        """The table's head, its rows, and of how many rows each one shown stands for."""
        step = max(1, math.ceil(len(self.x) / TABLE_LIMIT))
        head = [self.unit, *(one.name for one in self.series)]
        rows = [
            [self.names[place], *(spoken(one.values[place]) for one in self.series)]
            for place in range(0, len(self.x), step)
        ]
        return head, rows, step


def is_number(value: float | None) -> TypeGuard[float]:
    """Whether there is a value, and a finite one."""
    return value is not None and math.isfinite(value)


def spoken(value: float | None) -> str:
    """A number for a person: four digits, powers of ten where it is very large or small."""
    if value is None or not math.isfinite(value):
        return "–"
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        digits, exponent = f"{value:.2e}".split("e")
        power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        digits = digits.rstrip("0").rstrip(".")
        return f"10{power}" if digits == "1" else f"{digits}·10{power}"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def has_values(values: Sequence[float | None]) -> bool:
    """Whether any of them can be drawn."""
    return any(is_number(value) for value in values)


def _course(series: Series, names: Sequence[str]) -> str:
    """Where a row of numbers begins and ends, and how far it goes."""
    known = [(value, name) for value, name in zip(series.values, names, strict=True) if is_number(value)]
    numbers = [value for value, _ in known]
    name = series.name[:1].upper() + series.name[1:]
    if not numbers:
        return f"{name}: no values."
    if len(numbers) == 1:
        return f"{name}: {spoken(numbers[0])} at {known[0][1]}."
    low, high = min(numbers), max(numbers)
    if all(earlier == later for earlier, later in pairwise(numbers)):
        return f"{name}: {spoken(low)} throughout."
    return (
        f"{name}: from {spoken(numbers[0])} at {known[0][1]} to {spoken(numbers[-1])} at "
        f"{known[-1][1]}, between {spoken(low)} and {spoken(high)}."
    )
