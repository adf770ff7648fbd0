"""Which charts a report has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.views.report.chart_types import Chart, Mark, Series, has_values

if TYPE_CHECKING:
    from pipeline.views.report.content import CurvePoint, ReportPage, Row


BAR_LIMIT = 150
"""Frames up to which evaluations and seconds are drawn as bars."""


def charts_of(page: ReportPage) -> list[Chart]:
    """The charts of a page, those that have nothing to show left out."""
    charts = [] if page.command == "image" else _row_charts(page.rows, is_clip=page.command == "video")
    if page.curves:
        charts.insert(0, _iteration_chart(page.curves))
    return [chart for chart in charts if chart.values]


def _row_charts(rows: Sequence[Row], *, is_clip: bool) -> list[Chart]:
    if not rows:
        return []
    rows = sorted(rows, key=lambda row: row.index) if is_clip else rows
    unit = "frame" if is_clip else "photo"
    x = tuple(float(row.index if is_clip else place) for place, row in enumerate(rows, 1))
    names = tuple(row.name for row in rows)
    marks = tuple(Mark(row.index - 0.5, "cut", f"at {row.name}") for row in rows[1:] if row.cut and is_clip)
    breaks = frozenset(place for place, row in enumerate(rows) if row.cut)

    def chart(key: str, title: str, y_label: str, series: tuple[Series, ...], kind: str) -> Chart:
        return Chart(
            *(key, title, unit, y_label, unit, x, series, names, marks, kind, breaks),
            log_allowed=key == "losses",
        )

    few = "bars" if len(rows) <= BAR_LIMIT or not is_clip else "line"
    errors, evaluations, seconds = (
        (Series("warping error", tuple(row.error for row in rows)),),
        (Series("evaluations", tuple(float(row.evaluations) for row in rows)),),
        (Series("seconds", tuple(row.seconds for row in rows)),),
    )
    return [
        chart("losses", f"Losses of each {unit}", "weighted loss", _terms([row.losses for row in rows]),
              "line" if is_clip else "dots"),
        chart("errors", "Warping error", "difference from the moved frame before", errors, "line"),
        chart("evaluations", f"Evaluations of each {unit}", "evaluations", evaluations, few),
        chart("seconds", f"Time of each {unit}", "seconds", seconds, few),
    ]  # fmt: skip


def _iteration_chart(points: Sequence[CurvePoint]) -> Chart:
    """The loss curves of one picture; every level of the pyramid has its own objective."""
    levels = [level for _, level, _ in points]
    starts = [place for place in range(1, len(levels)) if levels[place] != levels[place - 1]]
    x = tuple(float(iteration) for iteration, _, _ in points)
    marks = tuple(
        Mark((x[place - 1] + x[place]) / 2, _size_name(levels[place]), f"from {points[place][0]} on")
        for place in starts
    )
    return Chart(
        "curves",
        "Losses of each iteration",
        "iteration",
        "weighted loss",
        "iteration",
        x,
        _terms([terms for _, _, terms in points]),
        tuple(
            f"iteration {iteration}" + (f" ({_size_name(level)})" if starts else "")
            for iteration, level, _ in points
        ),
        marks,
        breaks=frozenset(starts),
        log_allowed=True,
    )


def _size_name(level: int) -> str:
    return f"1/{2**level} size" if level > 0 else "full size"


def _terms(losses: Sequence[dict[str, float]]) -> tuple[Series, ...]:
    """A series a term, the total first; terms that are never there are left out."""
    names = list(dict.fromkeys(name for one in losses for name in one))
    names.sort(key=lambda name: name != "total")
    series = (Series(name, tuple(one.get(name) for one in losses)) for name in names)
    return tuple(one for one in series if has_values(one.values) and any(one.values))
