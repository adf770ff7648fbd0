"""What may be asked of a run besides its settings: workers, movies, pages."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UsageError

if TYPE_CHECKING:
    pass


LAYOUTS = ("single", "side", "grid")


@dataclass(frozen=True)
class MovieOptions:
    """How a progress movie looks.

    Attributes
    ----------
    seconds
        Time of the movement. In a grid everything moves at once; otherwise the pictures share it, and each
        gets at least one second.
    losses
        Draw the loss curves below the pictures.
    layout
        "single": one picture after the other. "side": each beside its content and its style. "grid": all
        pictures at once.
    captions
        Titles under the pictures, with the iteration and the pyramid's level.
    wipe
        Every picture ends with an edge that travels across and turns the original into the result.

    Raises
    ------
    UsageError
        If they do not go together.
    """

    seconds: float = 8.0
    losses: bool = False
    layout: str = "single"
    captions: bool = False
    wipe: bool = False

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise UsageError(f"a movie's layout is one of {', '.join(LAYOUTS)}, not {self.layout!r}")
        if self.layout == "grid" and self.losses:
            raise UsageError(
                "loss curves are of one optimisation, and a grid shows many; leave one of them out"
            )

    def changed(self) -> list[str]:
        """The names of what differs from the defaults."""
        return [one.name for one in fields(self) if getattr(self, one.name) != one.default]


@dataclass(frozen=True)
class RunOptions:
    """What was asked of a run besides its settings; `command_line` is how, for its report."""

    progress_movie: Path | None = None
    movie: MovieOptions = field(default_factory=MovieOptions)
    contact_sheet: Path | None = None
    preview: int | None = None
    tensorboard: Path | None = None
    report: Path | None = None
    command_line: str = ""
    save_settings: Path | None = None
    keep_run: bool = False
    restart: bool = False
    overwrite: bool = False
    dry_run: bool = False
    offline: bool = False
    live: int | None = None
    workers: WorkerOptions | None = None

    @property
    def wants_snapshots(self) -> bool:
        """Whether the optimisation has to leave pictures behind."""
        return self.progress_movie is not None or self.keep_run


PAGE_SUFFIXES = (".html", ".htm")

LOCAL = "local"
"""The address that means: start a Ray here, for this job."""


@dataclass(frozen=True)
class WorkerOptions:
    """What was asked of workers.

    Attributes
    ----------
    count
        How many; None: as many as there is room for.
    address
        Of a Ray cluster, or "local": a Ray started here; None: processes of this machine.
    cards
        Graphics cards for each, or the share of one; None: one each, where there are any.
    """

    count: int | None = None
    address: str | None = None
    cards: float | None = None
