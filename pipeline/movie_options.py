"""What may be asked of a progress movie."""

from __future__ import annotations

from dataclasses import dataclass, fields

from pipeline.errors import UsageError

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
