"""Movies of an optimisation's progress, made from its snapshots."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

import numpy as np

from pipeline.errors import UsageError
from pipeline.loss_strip import BACKGROUND, LossStrip, strip_height
from pipeline.snapshots import Loss, Snapshot, read_losses, read_snapshots
from video.animation import write_animation
from video.decode import fit_size
from video.images import FloatImage, from_uint8, read_image, resize_image

CLIP_RATE = Fraction(25)
ANIMATION_RATES = {".gif": Fraction(25, 2), ".webp": Fraction(15)}
"""Frames a second where none are asked for: 8/100 s is a delay a GIF can express."""

CLIP_LIMIT = 1920
ANIMATION_LIMITS = {".gif": 480, ".webp": 640}
"""Longer side in pixels where no size is asked for."""

TEMPER = 0.7
"""Power of the distance between snapshots that their time grows with: 1 moves evenly, 0 shows each alike."""

LEAST_SHARE = 0.1
"""Time every change gets besides, as a part of the mean: the last touches are small."""

SHORTEST_PART = 1.0
"""Seconds of movement that each of several folders gets at least."""

PAUSE = Fraction(3, 5)
FADE = Fraction(2, 5)
"""Seconds for which a result stays before the next folder's turn, and of the cross-fade between them."""


@dataclass(frozen=True)
class _Plan:
    """Counts of frames: of each folder's movement, pause and fade to the next, and of the last result."""

    canvas: tuple[int, int]
    moving: int
    paused: int
    fading: int
    held: int
    strip: int


def write_progress_movie(
    folders: Sequence[Path],
    output: Path,
    *,
    seconds: float = 8.0,
    hold: float = 1.5,
    rate: Fraction | int | None = None,
    loss_strip: bool = False,
    size: tuple[int, int] | None = None,
    overwrite: bool = False,
) -> Path:
    """Make a movie of one or several optimisations, one after the other, at a pace that looks even.

    Each frame is the blend of the two snapshots around its moment; the last ones show the result as it is.
    Smaller snapshots are scaled up. Pictures of other proportions than the movie's have neutral bars beside
    them.

    Parameters
    ----------
    folders
        What :class:`pipeline.snapshots.SnapshotRecorder` filled, in order.
    output
        Ends in ``.mp4`` or another clip's suffix, ``.gif`` or ``.webp``.
    seconds
        Time of the movement, shared by the folders; with several, each gets at least one second.
    hold
        Seconds for which the last result stays; it is shown for one frame at least.
    rate
        Frames a second; None means 25, for a GIF 12.5 and for a WebP 15.
    loss_strip
        Draw the loss curves below the pictures.
    size
        Width and height of the pictures' area. None means as large as the results, but 1920 pixels at most,
        480 in a GIF and 640 in a WebP.
    overwrite
        Whether an existing file may be replaced.

    Returns
    -------
    Path
        `output`.

    Raises
    ------
    UsageError, video.errors.InputError
        If there are no snapshots, one cannot be read, a number makes no sense, or `output` cannot be one.
    video.errors.EncodeError
        If writing failed.
    """
    output = Path(output)
    suffix = output.suffix.lower()
    rate = Fraction(ANIMATION_RATES.get(suffix, CLIP_RATE) if rate is None else rate)
    if not folders:
        raise UsageError("no folder of snapshots given; name at least one")
    if (
        not (math.isfinite(seconds) and math.isfinite(hold))
        or seconds <= 0
        or hold < 0
        or rate <= 0
        or (size and min(size) < 1)
    ):
        shape = f", size {size[0]}x{size[1]}" if size else ""
        raise UsageError(
            f"a movie of {seconds:g} s, held for {hold:g} s, at {float(rate):g} frames a second{shape}: "
            f"all must be above 0 (the hold may be 0)"
        )
    parts = [read_snapshots(folder) for folder in folders]
    canvas = size or _common_size([part[-1].size for part in parts], ANIMATION_LIMITS.get(suffix, CLIP_LIMIT))
    share = max(seconds / len(parts), min(seconds, SHORTEST_PART))
    plan = _Plan(
        canvas=canvas,
        moving=max(1, round(share * rate)),
        paused=max(1, round(PAUSE * rate)),
        fading=round(FADE * rate),
        held=max(1, round(hold * rate)),
        strip=_strip_rows(canvas) if loss_strip else 0,
    )
    write_animation(output, _frames(parts, plan), rate, overwrite=overwrite)
    return output


def _common_size(sizes: Sequence[tuple[int, int]], limit: int) -> tuple[int, int]:
    """The size that holds every picture at its own size, with the longer side at `limit` or less."""
    return fit_size(max(width for width, _ in sizes), max(height for _, height in sizes), limit)


def _strip_rows(canvas: tuple[int, int]) -> int:
    """Height of the loss strip; together with the picture it is even, as clips need it."""
    return strip_height(canvas[0]) + canvas[1] % 2


def _frames(parts: Sequence[Sequence[Snapshot]], plan: _Plan) -> Iterator[FloatImage]:
    """Every frame of the movie; a few pictures are alive at a time."""
    shown: FloatImage | None = None
    for number, snapshots in enumerate(parts, start=1):
        part = _Part(snapshots, plan)
        if shown is not None:
            first = part.frame(0.0)
            for step in range(1, plan.fading + 1):
                yield blend(shown, first, step / (plan.fading + 1))
        for step in range(plan.moving):
            yield part.frame(step / plan.moving)
        shown = part.frame(1.0)
        for _ in range(plan.held if number == len(parts) else plan.paused):
            yield shown


class _Part:
    """The movement of one folder: the frame at every moment from 0 to 1."""

    def __init__(self, snapshots: Sequence[Snapshot], plan: _Plan) -> None:
        self._times = pace([snapshot.distance for snapshot in snapshots[1:]])
        size = fitted_size(snapshots[-1].size, plan.canvas)

        @lru_cache(maxsize=2)
        def picture(number: int) -> FloatImage:
            return place_on(plan.canvas, resize_image(read_image(snapshots[number].path), size))

        self._picture = picture
        self._strip: LossStrip | None = None
        if plan.strip:
            losses = read_losses(snapshots[0].folder) or [
                Loss(one.iteration, one.level, one.loss, one.terms) for one in snapshots
            ]
            self._places = places_of(snapshots, losses)
            self._strip = LossStrip(losses, (plan.canvas[0], plan.strip), snapshots[0].title)

    def frame(self, moment: float) -> FloatImage:
        """The frame at a moment: 0 is the first snapshot, 1 the last, exactly."""
        number, part = locate(self._times, moment)
        picture = self._picture(number)
        if part > 0.0:
            picture = blend(picture, self._picture(number + 1), part)
        if self._strip is None:
            return picture
        place = float(self._places[number])
        if part > 0.0:
            place += part * (self._places[number + 1] - place)
        return np.concatenate([picture, self._strip.draw(place)])


def pace(distances: Sequence[float]) -> list[float]:
    """When each snapshot is shown, from 0 to 1, for a pace that looks even.

    Parameters
    ----------
    distances
        Between each snapshot and the next, one less than there are snapshots. A larger distance takes longer,
        but less than in proportion; equal pictures take no time.
    """
    mean = sum(distances) / max(len(distances), 1)
    if mean == 0.0:
        return [number / max(len(distances), 1) for number in range(len(distances) + 1)]
    costs = [(distance / mean) ** TEMPER + LEAST_SHARE if distance > 0.0 else 0.0 for distance in distances]
    whole = sum(costs)
    return [0.0, *(min(cost / whole, 1.0) for cost in accumulate(costs[:-1])), 1.0]


def locate(times: Sequence[float], moment: float) -> tuple[int, float]:
    """The last snapshot shown at a moment and how far the next one has come, from 0 to less than 1."""
    number = bisect.bisect_right(times, moment) - 1
    if number >= len(times) - 1:
        return len(times) - 1, 0.0
    return number, (moment - times[number]) / (times[number + 1] - times[number])


def places_of(snapshots: Sequence[Snapshot], losses: Sequence[Loss]) -> list[int]:
    """The index of every snapshot's iteration in `losses`, never decreasing; the result has the last one."""
    known = {(loss.level, loss.iteration): index for index, loss in enumerate(losses)}
    found = [known.get((snapshot.level, snapshot.iteration), 0) for snapshot in snapshots]
    if snapshots[-1].kept:
        found[-1] = len(losses) - 1
    return list(accumulate(found, max))


def blend(first: FloatImage, second: FloatImage, part: float) -> FloatImage:
    """`first` with the share `part` of `second`."""
    weight = np.float32(part)
    return first + weight * (second - first)


def fitted_size(size: tuple[int, int], canvas: tuple[int, int]) -> tuple[int, int]:
    """The largest (width, height) in the proportions of `size` that fits on `canvas`."""
    fitting = [(1, 1)]
    for outer, inner in zip(canvas, size, strict=True):
        width, height = (max(1, round(Fraction(side * outer, inner))) for side in size)
        if width <= canvas[0] and height <= canvas[1]:
            fitting.append((width, height))
    return max(fitting)


def place_on(canvas: tuple[int, int], picture: FloatImage) -> FloatImage:
    """`picture` in the middle of a neutral ground of this (width, height)."""
    height, width = picture.shape[:2]
    if (width, height) == canvas:
        return picture
    ground = np.empty((canvas[1], canvas[0], 3), np.float32)
    ground[:] = from_uint8(np.asarray(BACKGROUND, np.uint8))
    left, top = (canvas[0] - width) // 2, (canvas[1] - height) // 2
    ground[top : top + height, left : left + width] = picture
    return ground
