"""How long units take on so many workers, and from how many on more of them cannot help."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.progress.wording import spoken_time
from pipeline.settings.run_options import LOCAL
from pipeline.workers.staff import Staff

_NEARLY = 1.02
"""So much more than the shortest time there can be is as good as it."""


@dataclass(frozen=True)
class Forecast:
    """What a dry run says of units and workers.

    Attributes
    ----------
    kind, units
        What the units are, and how many.
    longest
        Seconds that the longest takes.
    workers, seconds
        How many workers there will be, and how long they take together, from their start on.
    alone
        Seconds that one process takes, without workers.
    enough
        From this number on more workers cannot help.
    reason
        Why.
    times
        Seconds that other numbers of workers take.
    """

    kind: str
    units: int
    longest: float
    workers: int
    seconds: float
    alone: float
    enough: int
    reason: str
    times: dict[int, float] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """The forecast for a person."""
        others = [f"{count}: {spoken_time(time)}" for count, time in self.times.items()]
        lines = [
            f"units   {_counted(self.units, self.kind)}, the longest about {spoken_time(self.longest)}",
            f"workers {self.workers}: about {spoken_time(self.seconds)}"
            + (f"  ({', '.join(others)})" if others else ""),
            f"        more than {self.enough} cannot help: {self.reason}",
        ]
        if self.seconds >= self.alone:
            lines.append(f"        without workers about {spoken_time(self.alone)}: they do not pay here")
        return lines


def forecast(staff: Staff, times: Sequence[float], kind: str, start_up: float) -> Forecast:
    """What to expect of a staff.

    Parameters
    ----------
    times
        Seconds that each unit takes on one worker.
    kind
        What the units are, for people.
    start_up
        Seconds until a worker, or one process, is at work.
    """
    enough = enough_workers(times)
    reason = f"the longest of the {kind} alone takes as long"
    if enough >= len(times):
        reason = f"there {'is' if len(times) == 1 else 'are'} only {_counted(len(times), kind)}"
    fixed = staff.address in (None, LOCAL)  # a cluster may grow
    if fixed and staff.room < enough:
        enough, reason = (
            staff.room,
            f"this machine has no {'cards' if staff.cards else 'cores'} for more at once",
        )
    working = min(staff.count, staff.room) if fixed else staff.count

    def seconds(count: int) -> float:
        return start_up + span(times, count)

    counts = sorted({1, 2 * working, enough} - {working})
    others = {count: seconds(count) for count in counts if count <= max(enough, working)}
    return Forecast(
        kind, len(times), max(times), staff.count, seconds(working), seconds(1), enough, reason, others
    )


def _counted(count: int, kind: str) -> str:
    return f"{count} {kind.removesuffix('s') if count == 1 else kind}"


def span(times: Sequence[float], workers: int, overhead: float = 0.0) -> float:
    """Seconds until the last of all units is done, each given to whoever is free, the longest first.

    Parameters
    ----------
    overhead
        Seconds by which the one who hands out units delays each of them: it hands out one at a time.
    """
    free = [0.0] * min(workers, len(times))
    handed = 0.0
    for time in sorted(times, reverse=True):
        handed = max(handed, heapq.heappop(free)) + overhead
        heapq.heappush(free, handed + time)
    return max(free)


def enough_workers(times: Sequence[float]) -> int:
    """The least number of workers that are as good as one for each unit."""
    low, high = 1, len(times)
    while low < high:
        middle = (low + high) // 2
        if span(times, middle) <= _NEARLY * max(times):
            high = middle
        else:
            low = middle + 1
    return low
