"""What workers say of themselves and of their units, whatever these are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stylize.optimize import Progress


@dataclass(frozen=True)
class Ready:
    """A worker is set up; `where` says on which machine."""

    where: str = ""


@dataclass(frozen=True)
class Unfit:
    """A worker cannot be set up, now or ever; the exit code is that of the error."""

    reason: str
    exit_code: int = 1


@dataclass(frozen=True)
class Done:
    """A worker has done its unit."""


@dataclass(frozen=True)
class Failed:
    """A unit cannot be done."""

    reason: str


@dataclass(frozen=True)
class Broke:
    """A worker met an error that is no fault of the unit, or nobody knows; it may go on with others."""

    reason: str


@dataclass(frozen=True)
class Died:
    """A worker is no more."""

    reason: str


@dataclass(frozen=True)
class Progressed:
    """How much of its unit a worker has done, in [0, 1]."""

    share: float


@dataclass(frozen=True)
class Said:
    """A line for the display, and from which verbosity on it is shown."""

    text: str
    verbosity: int


@dataclass(frozen=True)
class Warned:
    """A note for the user, said once."""

    text: str


@dataclass(frozen=True)
class Kept:
    """Files that belong into a folder of the run folder's snapshots."""

    folder: str
    files: dict[str, bytes]

    @classmethod
    def of(cls, folder: Path) -> Kept:
        """What a folder holds, under its name."""
        return cls(folder.name, {file.name: file.read_bytes() for file in folder.iterdir()})


@dataclass(frozen=True)
class Stepped:
    """An iteration, for those who look on; its picture, in whole bytes, only now and then."""

    progress: Progress
    picture: NDArray[np.uint8] | None


def retold(message: Any, change: Callable[[str], str]) -> Any:
    """A message with what it says to people changed."""
    told = {name: getattr(message, name, None) for name in ("reason", "text")}
    changed = {name: change(text) for name, text in told.items() if isinstance(text, str)}
    return replace(message, **changed) if changed else message
