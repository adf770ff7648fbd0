"""The passes over a clip by their numbers: what each is, what it goes on from, and which way it goes."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

FINISHING = 99
"""The number of the pass that brings frames to another size: after all others."""
FINISHING_LAP = FINISHING + 1
"""That of the lap after it."""


@dataclass(frozen=True)
class Sweeps:
    """The passes of a job.

    Attributes
    ----------
    count
        Those that go through all of the clip are 1 to this; every other one goes backward.
    loop
        After them the lap goes on past the end of the last one, in its direction, as if it were another.
    finish
        At last all frames are finished, in `FINISHING`; those of a loop once more past the end.
    """

    count: int = 1
    loop: bool = False
    finish: bool = False

    @property
    def last(self) -> int:
        """The one that comes last, but for its lap."""
        return FINISHING if self.finish else self.count

    def lap_after(self, sweep: int) -> int:
        """The number of the lap that goes on past the end of a pass; 0 where there is none."""
        return sweep + 1 if self.loop and sweep in (self.count, FINISHING) else 0

    @property
    def laps(self) -> tuple[int, ...]:
        """The numbers of all laps."""
        ends = (self.count, FINISHING) if self.finish else (self.count,)
        return tuple(self.lap_after(sweep) for sweep in ends if self.loop)

    @property
    def shown(self) -> tuple[int, ...]:
        """Those whose frames are shown: the last one, and what a loop adds to it."""
        return (self.last, self.lap_after(self.last)) if self.loop else (self.last,)

    def before(self, sweep: int) -> int:
        """The pass that one goes on from; 0 for the first."""
        return self.count if sweep == FINISHING else sweep - 1

    def found(self, index: int, sweep: int, made: Container[tuple[int, int]]) -> tuple[int, int]:
        """The pass and number of what a pass goes on from at a frame, of those `made`; pass 0: nothing."""
        lap = self.lap_after(self.count) if sweep == FINISHING else 0
        return (lap if (lap, index) in made else self.before(sweep)), index

    def backward(self, sweep: int) -> bool:
        """Whether a pass goes through a shot from its end."""
        return not is_finishing(sweep) and (sweep - (sweep in self.laps)) % 2 == 0

    def ordered(self, sweep: int, shot: Sequence[int]) -> Sequence[int]:
        """The frames of a shot as a pass goes through them."""
        return shot[::-1] if self.backward(sweep) else shot

    def label(self, sweep: int) -> str:
        """What a pass is called before a frame's number, for people."""
        finishing = "finishing  " if is_finishing(sweep) else ""
        if finishing or sweep in self.laps:
            return finishing + "closing the loop  " * (sweep in self.laps)
        return f"pass {sweep}/{self.count}  " if self.count > 1 else ""


def is_finishing(sweep: int) -> bool:
    """Whether a pass or lap is at the finished size."""
    return sweep >= FINISHING


ONE_PASS = Sweeps()
"""What pictures have, and clips by default."""
