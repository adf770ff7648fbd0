"""Units that do nothing and are told apart by their names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.workers.protocol import Unit


@dataclass(frozen=True)
class Named:
    """A task that says what it is."""

    name: str
    files: tuple[Path, ...] = ()


def unit(name: str, cost: float = 1.0) -> Unit:
    """A unit of that name."""
    return Unit(name, cost, lambda: Named(name))
