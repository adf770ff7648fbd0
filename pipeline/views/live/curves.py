"""Curves of any length in some hundred points."""

from __future__ import annotations

import math
from typing import Any

POINTS = 300
"""Points of a curve, at the most."""


class ThinnedCurve:
    """Named values along one axis, thinned evenly while they come; the latest are always among them."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, dict[str, float | None]]] = []
        self._last: tuple[int, dict[str, float | None]] | None = None
        self._count = 0
        self._stride = 1

    def add(self, x: int, values: dict[str, float | None]) -> None:
        """The values at `x`; what stood there or behind it was begun again and is forgotten."""
        while self._kept and self._kept[-1][0] >= x:
            self._kept.pop()
        self._last = x, values
        if self._count % self._stride == 0:
            self._kept.append(self._last)
        self._count += 1
        if len(self._kept) > POINTS:
            self._kept = self._kept[::2]
            self._stride *= 2

    def as_json(self) -> dict[str, Any]:
        """`x` and, by name, the values of each of `series`: None where there is none or it is not finite."""
        points = list(self._kept)
        if self._last is not None and (not points or points[-1][0] < self._last[0]):
            points.append(self._last)
        names = dict.fromkeys(name for _, values in points for name in values)
        return {
            "x": [x for x, _ in points],
            "series": {name: [plain(values.get(name)) for _, values in points] for name in names},
        }


def plain(value: float | None) -> float | None:
    """A number as JSON has it: short, and None where it is not finite."""
    return float(f"{value:.5g}") if value is not None and math.isfinite(value) else None
