"""How long units take on so many workers, and from how many on more of them cannot help."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.log import spoken_time
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
        How many workers there will be, and how long they take together.
    enough
        From this number on more of them cannot help.
    shortest
        Seconds that so many take.
    """

    kind: str
    units: int
    longest: float
    workers: int
    seconds: float
    enough: int
    shortest: float
    times: dict[int, float] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """The forecast for a person."""
        first = f"units   {self.units} {self.kind}, the longest about {spoken_time(self.longest)}"
        second = f"workers {self.workers}: about {spoken_time(self.seconds)}"
        others = [f"{count}: {spoken_time(time)}" for count, time in self.times.items()]
        second += f"  ({', '.join(others)})" if others else ""
        third = f"        more than {self.enough} cannot help: "
        if self.enough >= self.units:
            third += f"there are only {self.units} {self.kind}"
        else:
            third += f"the longest of the {self.kind} alone takes as long"
        return [first, second, third]


def forecast(staff: Staff, times: Sequence[float], kind: str, start_up: float = 0.0) -> Forecast:
    """What to expect of a staff.

    Parameters
    ----------
    times
        Seconds that each unit takes on one worker.
    kind
        What the units are, for people.
    start_up
        Seconds until a worker is ready.
    """
    enough = enough_workers(times)
    counts = sorted({1, 2 * staff.count, enough} - {staff.count})
    return Forecast(
        kind, len(times), max(times), staff.count, start_up + span(times, staff.count), enough,
        start_up + span(times, enough),
        {count: start_up + span(times, count) for count in counts if count <= max(enough, staff.count)},
    )  # fmt: skip


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
