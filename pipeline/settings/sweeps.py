"""The passes over a clip by their numbers: what each is, what it goes on from, and which way it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FINISHING = 99
"""The number of the pass that brings frames to another size: after all others."""


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
        At last all frames are finished, in `FINISHING`.
    """

    count: int = 1
    loop: bool = False
    finish: bool = False

    @property
    def lap(self) -> int:
        """The number of the lap; 0 where there is none."""
        return self.count + 1 if self.loop else 0

    @property
    def shown(self) -> tuple[int, ...]:
        """Those whose frames are shown: the last one, and what a loop adds to it."""
        if self.finish:
            return (FINISHING,)
        return (self.count, self.lap) if self.loop else (self.count,)

    def before(self, sweep: int) -> int:
        """The pass that one goes on from; 0 for the first."""
        return self.count if sweep == FINISHING else sweep - 1

    def backward(self, sweep: int) -> bool:
        """Whether a pass goes through a shot from its end."""
        return sweep != FINISHING and (sweep - (sweep == self.lap)) % 2 == 0

    def ordered(self, sweep: int, shot: Sequence[int]) -> Sequence[int]:
        """The frames of a shot as a pass goes through them."""
        return shot[::-1] if self.backward(sweep) else shot

    def label(self, sweep: int) -> str:
        """What a pass is called before a frame's number, for people."""
        if sweep == FINISHING:
            return "finishing  "
        if sweep == self.lap:
            return "closing the loop  "
        return f"pass {sweep}/{self.count}  " if self.count > 1 else ""


ONE_PASS = Sweeps()
"""What pictures have, and clips by default."""
