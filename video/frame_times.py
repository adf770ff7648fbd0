"""When the frames that really decode are shown: ffmpeg tells while it decodes, whatever was lost on the way.

The packets of a clip tell when each frame is to be shown, but not which of them become frames: a recording
that begins without a key frame, or with a hole in it, gives fewer, and counting would move all later ones.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise

from .probe import ClipInfo
from .timing import JITTER, SHORTEST, TimeTable

TICK = Fraction(1, 90_000)
MARK = "frame-shown"

MOSTLY = Fraction(9, 10)
"""Share of the times that must make sense for any of them to be believed."""

TELLING = (
    f"settb=1/90000,metadata=mode=add:key={MARK}:value=1,"
    f"metadata=mode=print:key={MARK}:file='pipe\\:2':direct=1"
)
"""Filters that print the time of every frame, in ticks, among what ffmpeg has to say; one write a line."""

_TOLD = re.compile(r"frame:\d+ +pts:(\S+) +pts_time:\S+")

FrameTimes = Sequence[Fraction | None]
"""Seconds on the file's own clock at which each decoded frame is shown; None where ffmpeg does not know."""


@dataclass
class FrameClock:
    """Takes the times out of what ffmpeg says (`TELLING`)."""

    times: list[Fraction | None] = field(default_factory=list)

    def hear(self, line: str) -> str:
        """Note the time that a line tells, and return what else is in it."""
        told = _TOLD.search(line)
        if told is not None:
            ticks = told[1]
            self.times.append(int(ticks) * TICK if re.fullmatch(r"-?\d+", ticks) else None)
            return (line[: told.start()] + line[told.end() :]).strip()
        return line.replace(f"{MARK}=1", "").strip() if f"{MARK}=1" in line else line


def shown_at(clip: ClipInfo, times: FrameTimes) -> ClipInfo:
    """Return the clip as its decoded frames are shown, of which `times` has the first ones or all.

    It is the same clip where they come as its packets tell. Where some are missing it begins with the first
    that is there, and unless the others follow evenly, each has its own time.
    """
    known = _in_order(times, 1 / clip.rate) if clip.timed else None
    if known is None or len(known) > clip.frames:
        return clip
    told = _told(clip)
    slack = 2 * SHORTEST if clip.times else Fraction(1, 2) / clip.rate
    if all(abs(time - expected) <= slack for time, expected in zip(known, told, strict=False)):
        return clip
    if len(known) == clip.frames:  # nothing is missing: the packets' times are the exact ones
        return clip
    starts = _snapped(known, told, slack)
    begin, end = starts[0], _end(clip, told, starts[-1])
    even = all(abs(time - begin - i / clip.rate) <= JITTER / clip.rate for i, time in enumerate(starts))
    table = None if even else TimeTable(tuple(time - begin for time in starts), end - begin)
    return replace(clip, start_time=begin, times=table, variable_rate=not even)


def _in_order(times: FrameTimes, step: Fraction) -> list[Fraction] | None:
    """The times as they grow; None if too few are known. After a gap decoders may guess a few wrong.

    Frames whose own time cannot be follow the one before, `step` apart at most.
    """
    certain = _growing([(place, time) for place, time in enumerate(times) if time is not None])
    if not certain or len(certain) < MOSTLY * len(times):
        return None
    place, time = certain[0]
    found = [time - step * (place - i) for i in range(place + 1)]
    for place, time in certain[1:]:
        missing, last = place - len(found), found[-1]
        room = min(step, (time - last) / (missing + 1))
        found += [*(last + room * (i + 1) for i in range(missing)), time]
    behind = len(times) - len(found)
    return found + [found[-1] + step * (i + 1) for i in range(behind)]


def _growing(times: Sequence[tuple[int, Fraction]]) -> list[tuple[int, Fraction]]:
    """The most of these places and times of which the times grow from one to the next."""
    if all(before[1] < after[1] for before, after in pairwise(times)):
        return list(times)
    lowest: list[Fraction] = []  # the end of the growing runs of each length, of the one that ends earliest
    ends: list[int] = []
    before: list[int] = []
    for at, (_, time) in enumerate(times):
        length = bisect_left(lowest, time)
        before.append(ends[length - 1] if length else -1)
        lowest[length : length + 1], ends[length : length + 1] = [time], [at]
    run, at = [], ends[-1]
    while at >= 0:
        run.append(times[at])
        at = before[at]
    return run[::-1]


def _told(clip: ClipInfo) -> list[Fraction]:
    """When each frame is shown as the packets tell."""
    starts = clip.times.starts if clip.times else [i / clip.rate for i in range(clip.frames)]
    return [clip.start_time + start for start in starts]


def _snapped(known: Sequence[Fraction], told: Sequence[Fraction], slack: Fraction) -> list[Fraction]:
    """The told times that are meant, which are exact; where none is near, the time itself."""
    found: list[Fraction] = []
    for time in known:
        at = bisect_left(told, time)
        near = min(told[max(0, at - 1) : at + 1], key=lambda one: abs(one - time))
        exact = near if abs(near - time) <= slack else time
        found.append(max(exact, found[-1] + SHORTEST) if found else exact)
    return found


def _end(clip: ClipInfo, told: Sequence[Fraction], last: Fraction) -> Fraction:
    """When the frame that is shown at `last` ends: with the next one, or with the clip."""
    behind = bisect_right(told, last + SHORTEST)
    if behind < len(told):
        return told[behind]
    whole = clip.start_time + clip.times.end if clip.times else told[-1] + 1 / clip.rate
    return max(whole, last + SHORTEST)
