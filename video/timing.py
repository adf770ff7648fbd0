"""When the frames of a clip are shown: an exact rate where one fits, otherwise the time of every frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from .streams import Packets, Track

COMMON_RATES = tuple(
    Fraction(rate)
    for rate in (
        *("24000/1001", "24", "25", "30000/1001", "30", "48", "50", "60000/1001", "60", "120"),
        *("15", "12", "10"),
    )
)
FALLBACK_RATE = Fraction(25)
FASTEST = 1000
"""Frames a second above which a rate is taken for a slip of the file: times are told in milliseconds."""

JITTER = Fraction(1, 4)
"""How far, in frames, a time may lie from an even grid before the rate counts as variable."""

LONGEST = 3600
"""Seconds from frame to frame, on average, above which times are taken for a slip of the file."""

REORDERING = 16
"""Frames by which the order of decoding can differ from that of showing, at most, in any codec."""

SHORTEST = Fraction(1, FASTEST)
"""Seconds that a frame is shown at least: containers need times that grow."""


@dataclass(frozen=True)
class TimeTable:
    """Times of a clip's frames, in seconds after the first one is shown.

    Attributes
    ----------
    starts
        When each frame is shown, growing, the first 0.
    end
        When the last one ends.
    """

    starts: tuple[Fraction, ...]
    end: Fraction

    def at(self, frame: int) -> Fraction:
        """Time at which `frame` is shown: the end for the one behind the last, and evenly on from there."""
        count = len(self.starts)
        if frame < count:
            return self.starts[frame]
        return self.end + (frame - count) * self.end / count

    def part(self, first: int, count: int) -> TimeTable:
        """Times of `count` frames from `first` on, counted from the first of them."""
        begin = self.at(first)
        starts = tuple(self.at(first + i) - begin for i in range(count))
        return TimeTable(starts, self.at(first + count) - begin)


def time_table(video: Track) -> TimeTable | None:
    """Return the times of the frames as the packets tell them; None when not every packet has one."""
    packets, base = video.packets, video.time_base
    if not _tells_times(packets, base) or packets.end is None:
        return None
    ordered = sorted(packets.times)
    starts = [Fraction(0)]
    for time in ordered[1:]:
        starts.append(max((time - ordered[0]) * base, starts[-1] + SHORTEST))
    end = (packets.end - ordered[0]) * base
    if end - starts[-1] < SHORTEST:  # the file does not tell how long the last frame lasts
        end = starts[-1] + (starts[-1] - starts[-2] if len(starts) > 1 else 1 / FALLBACK_RATE)
    return TimeTable(tuple(starts), end)


def timing(video: Track) -> tuple[Fraction, bool, Fraction | None]:
    """Rate, whether it varies, and duration in seconds, from the times of the packets.

    The rate is the average or the real rate that the file tells, or a common one, whichever first fits every
    time; exactly (to a tick of the clock) rather than roughly. Otherwise it is frames over duration.
    """
    packets, base = video.packets, video.time_base
    told = [rate for rate in (video.average_rate, video.real_rate) if rate and 0 < rate <= FASTEST]
    if not _tells_times(packets, base):
        length = _only_duration(packets, base)
        rate = 1 / length if length else (told or [FALLBACK_RATE])[-1]
        return rate, False, packets.shown / rate
    times = sorted(packets.times)
    assert packets.end is not None
    span = (packets.end - times[0]) * base
    if len(times) == 1:
        rate = told[0] if told else _limited(1 / span) if span > 0 else FALLBACK_RATE
        return rate, False, span if span > 0 else 1 / rate
    for tolerance in (Fraction(0), JITTER):
        for rate in (*told, *COMMON_RATES):
            if _fits(times, base, rate, tolerance + base * rate):
                return rate, False, len(times) / rate
    average = _average_rate(times, base, span)
    even = _fits(times, base, average, JITTER)
    return average, not even, span


def _tells_times(packets: Packets, base: Fraction) -> bool:
    """Whether every packet has a time, they are not all one, span no absurd length, and never begin again.

    Packets come in the order of decoding, so times go back a little where frames are reordered, but far
    only where two recordings were joined without mending their clocks.
    """
    times = packets.times
    if len(times) < max(1, packets.shown):
        return False
    if not _goes_on(times):
        return False
    span = (max(packets.times) - min(packets.times)) * base
    return len(packets.times) == 1 or 0 < span <= len(packets.times) * LONGEST


def tells_some_times(video: Track) -> bool:
    """Whether most packets have a time, and times do not begin again somewhere."""
    times = video.packets.times
    return 2 * len(times) > video.packets.shown and _goes_on(times)


def _goes_on(times: Sequence[int]) -> bool:
    shown = sorted(range(len(times)), key=times.__getitem__)
    return all(abs(place - index) <= REORDERING for place, index in enumerate(shown))


def _only_duration(packets: Packets, base: Fraction) -> Fraction | None:
    """Length of every packet in seconds, when they are all equally and plausibly long."""
    length = next(iter(packets.durations)) * base if len(packets.durations) == 1 else Fraction(0)
    return length if length >= SHORTEST else None


def _limited(rate: Fraction) -> Fraction:
    return min(rate, Fraction(FASTEST))


def _average_rate(times: Sequence[int], base: Fraction, span: Fraction) -> Fraction:
    gaps = (times[-1] - times[0]) * base
    usual = gaps / (len(times) - 1)  # stands in for the last picture's length where the file tells none
    rate = len(times) / (span if span > gaps else gaps + usual)
    return _limited(rate.limit_denominator(100_000) or rate)


def _fits(times: Sequence[int], base: Fraction, rate: Fraction, tolerance: Fraction) -> bool:
    """Whether time i lies within `tolerance` frames of i / rate after the first, for every i."""
    step = base * rate
    numerator, denominator = step.numerator, step.denominator
    limit = tolerance * denominator
    most = limit.numerator // limit.denominator
    first = times[0]
    return all(abs((time - first) * numerator - i * denominator) <= most for i, time in enumerate(times))
