"""A clip that is a loop: past its end its first frames are done again, until they meet the first lap."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from pipeline.clip.motion import FlowTracker
from pipeline.clip.timeline import Timeline, look_change
from pipeline.errors import UsageError
from pipeline.settings.job_settings import VideoSettings

if TYPE_CHECKING:
    from pipeline.clip.source import Clip
    from stylize.types import FloatImage

LAP = 12
"""Frames that are done again at the most: what the two laps differ by is gone over in as many steps."""

KNOWN = 0.5
"""How much of the first frame must be found again in the last one, of what is found between its next two."""


def lap_length(frames: int) -> int:
    """How many frames of a loop of so many are done again; the one after them is where the laps meet."""
    return max(0, min(LAP, frames - 1))


def rounds(settings: VideoSettings, frames: int, *, closes: bool = True) -> int:
    """How often frames are optimised in a shot of so many; one that is not all of its clip never `closes`."""
    return frames * settings.passes + _again(settings, frames, closes)


def finishes(settings: VideoSettings, frames: int, *, closes: bool = True) -> int:
    """How often they are finished."""
    return frames + _again(settings, frames, closes) if settings.finish else 0


def _again(settings: VideoSettings, frames: int, closes: bool) -> int:
    return lap_length(frames) if settings.loop and closes else 0


def lap_of(settings: VideoSettings, sweep: int, shot: Sequence[int]) -> tuple[int, Sequence[int]]:
    """Where a pass over a shot ends, and the frames of the lap after it; at the last the laps meet."""
    order = settings.sweeps.ordered(sweep, shot)
    return order[-1], order[: lap_length(len(order)) + 1] if len(order) > 1 else ()


def share_of_own(place: int, length: int) -> float:
    """How far a frame of the lap, counted from 0, is brought from the one before to what the first lap made.

    With these, what the laps differ by goes in even steps, none of them between the last frame and the first:
    that one is done as any frame is after the one before. A lap of a single frame lies in the middle.
    """
    return 1.0 / (length + 1 - place) if place or length == 1 else 0.0


def leads_on(last: FloatImage, first: FloatImage, second: FloatImage, *, quality: str) -> str:
    """Empty where a clip's last frame leads into its first; else what to say of it.

    Across a cut next to nothing of a frame is found in the one before, however much of it is new elsewhere.
    """
    shares = []
    for one, other in ((last, first), (first, second)):
        tracker = FlowTracker((1,), quality)
        tracker.look(one)
        shares.append(float(tracker.look(other)[0].trusted.mean()))
    if shares[0] >= KNOWN * shares[1]:
        return ""
    return (
        f"--loop: {shares[0]:.0%} of the first frame is found again in the last one, {shares[1]:.0%} of the "
        f"next one in the first; that is no loop, and the clip is done as one that ends"
    )


def several_shots(shots: int) -> str:
    """What to say of a loop that has cuts."""
    return (
        f"--loop: the clip has {shots} shots, so its end is a cut like others and nothing leads into its "
        f"beginning; --cuts none takes it for one shot"
    )


def check_loop(settings: VideoSettings, timeline: Timeline, clip: Clip) -> None:
    """UsageError where the looks of a loop do not end as they begin."""
    indices: Sequence[int] = clip.indices
    if not settings.loop or len(indices) < 2:
        return
    looks = [timeline.at(index, 1) for index in indices]
    step, jump = max(look_change(*pair) for pair in pairwise(looks)), look_change(looks[-1], looks[0])
    if jump > step + 1e-6:
        raise UsageError(
            f"--loop: from the last frame to the first the look changes by {jump:.2g}, between others by at "
            f"most {step:.2g}; let the keyframes end as they begin"
        )
