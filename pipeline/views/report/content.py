"""What a report shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pipeline.views.report.embedding import (
    Pair,
    Thumb,
)

CurvePoint: TypeAlias = tuple[int, int, dict[str, float]]
"""An iteration, the pyramid's level (0 is full size), and the weighted terms after it."""


@dataclass(frozen=True)
class Row:
    """A finished frame or photo.

    Attributes
    ----------
    index
        Its number: of a frame within the clip.
    shot, cut
        The shot it belongs to, counted from 1, and whether it begins one.
    losses
        The weighted terms and their "total".
    error
        Its warping error; None where that is not known, as at a cut.
    """

    name: str
    index: int
    shot: int
    cut: bool
    losses: dict[str, float]
    evaluations: int
    seconds: float
    error: float | None = None


@dataclass(frozen=True)
class ReportPage:
    """Everything that a page shows.

    Attributes
    ----------
    facts, environment
        Pairs of a label and a value.
    settings
        Name, value and default; None for what has no default. Those that differ are shown first.
    curves
        The losses of a single picture by iteration.
    rerun, job_file
        The shell command, and the TOML text, that do the job again.
    no_job_file
        Why there is no such text.
    failed
        Names of what failed, and why.
    """

    title: str
    command: Literal["image", "video", "album"]
    facts: Sequence[tuple[str, str]] = ()
    settings: Sequence[tuple[str, str, str | None]] = ()
    environment: Sequence[tuple[str, str]] = ()
    rows: Sequence[Row] = ()
    pairs: Sequence[Pair] = ()
    thumbs: Sequence[Thumb] = ()
    curves: Sequence[CurvePoint] = ()
    warnings: Sequence[str] = ()
    rerun: str = ""
    job_file: str = ""
    no_job_file: str = ""
    failed: Sequence[tuple[str, str]] = ()
