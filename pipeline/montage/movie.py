"""Movies of an optimisation's progress, made from its snapshots."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from pipeline.errors import UsageError
from pipeline.montage.captions import drawable
from pipeline.montage.contact_sheet import evenly
from pipeline.montage.layouts import Area, Layout, grid_layout, side_layout, single_layout
from pipeline.montage.loss_curves import LossStrip, strip_height
from pipeline.montage.panels import Growth, Panel, blend, originals
from pipeline.montage.snapshots import Snapshot, content_path, read_snapshots, style_paths
from pipeline.settings.run_options import MovieOptions
from video.animation import write_animation
from video.images import FloatImage

CLIP_RATE = Fraction(25)

ANIMATION_RATES = {".gif": Fraction(25, 2), ".webp": Fraction(15)}
"""Frames a second where none are asked for: 8/100 s is a delay a GIF can express."""

CLIP_LIMIT = 1920

ANIMATION_LIMITS = {".gif": 480, ".webp": 640}
"""Longer side in pixels where no size is asked for."""

LARGEST_GRID = 36
"""Pictures in a grid; of more, these are chosen evenly."""

SHORTEST_PART = 1.0
"""Seconds of movement that each of several folders gets at least."""

PAUSE = Fraction(3, 5)

FADE = Fraction(2, 5)
"""Seconds for which a result stays before the next folder's turn, and of the cross-fade between them."""

WAIT = Fraction(2, 5)

WIPE = Fraction(8, 5)
"""Seconds for which the original stands before the wipe, and for which the edge travels."""

_LAYOUT_OF = {"single": single_layout, "side": side_layout, "grid": grid_layout}


@dataclass(frozen=True)
class _Plan:
    """Counts of frames: of a scene's movement, its pauses, fades, wait and wipe, and of the last result."""

    moving: int
    paused: int
    fading: int
    waiting: int
    wiping: int
    held: int


def write_progress_movie(
    folders: Sequence[Path],
    output: Path,
    options: MovieOptions | None = None,
    *,
    hold: float = 1.5,
    rate: Fraction | int | None = None,
    size: tuple[int, int] | None = None,
    overwrite: bool = False,
) -> Path:
    """Make a movie of one or several optimisations, one after the other or at once, at an even pace.

    Each frame is the blend of the two snapshots around its moment; the last ones show the result as it is.
    Smaller snapshots are scaled up. Pictures of other proportions than their place have neutral bars beside
    them.

    Parameters
    ----------
    folders
        What :class:`pipeline.montage.recorder.SnapshotRecorder` filled, in order. A grid shows at most 36
        of them, evenly chosen.
    output
        Ends in ``.mp4`` or another clip's suffix, ``.gif`` or ``.webp``.
    options
        How it looks; None means the defaults.
    hold
        Seconds for which the last result stays; it is shown for one frame at least.
    rate
        Frames a second; None means 25, for a GIF 12.5 and for a WebP 15.
    size
        Width and height of the area of pictures and captions. None means as large as the results ask for,
        but 1920 pixels at most, 480 in a GIF and 640 in a WebP.
    overwrite
        Whether an existing file may be replaced.

    Returns
    -------
    Path
        `output`.

    Raises
    ------
    UsageError, video.errors.InputError
        If there are no snapshots, one cannot be read, the folders hold no originals for a layout or a wipe
        that shows them, a number makes no sense, or `output` cannot be one.
    video.errors.EncodeError
        If writing failed.
    """
    output, options = Path(output), options or MovieOptions()
    suffix = output.suffix.lower()
    rate = Fraction(ANIMATION_RATES.get(suffix, CLIP_RATE) if rate is None else rate)
    _check_numbers(options.seconds, hold, rate, size)
    parts = _read(folders, options)
    limit = ANIMATION_LIMITS.get(suffix, CLIP_LIMIT)
    area = Area((limit, limit) if size is None else size, size is not None)
    layout = _LAYOUT_OF[options.layout]([part[-1].size for part in parts], area, captions=options.captions)
    scenes = [parts] if options.layout == "grid" else [[part] for part in parts]
    share = max(options.seconds / len(scenes), min(options.seconds, SHORTEST_PART))
    plan = _Plan(
        moving=max(1, round(share * rate)),
        paused=max(1, round(PAUSE * rate)),
        fading=round(FADE * rate),
        waiting=round(WAIT * rate),
        wiping=max(1, round(WIPE * rate)) if options.wipe else 0,
        held=max(1, round(hold * rate)),
    )
    write_animation(output, _frames(scenes, layout, plan, options), rate, overwrite=overwrite)
    return output


def _check_numbers(seconds: float, hold: float, rate: Fraction, size: tuple[int, int] | None) -> None:
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


def _read(folders: Sequence[Path], options: MovieOptions) -> list[list[Snapshot]]:
    """The snapshots of the folders that are shown; what the movie needs besides is looked for, too."""
    if not folders:
        raise UsageError("no folder of snapshots given; name at least one")
    if options.layout == "grid":
        folders = [folders[number] for number in evenly(len(folders), LARGEST_GRID)]
    for folder in folders:
        if options.wipe or options.layout == "side":
            content_path(folder)
        if options.layout == "side":
            style_paths(folder)
    return [read_snapshots(folder) for folder in folders]


def _frames(
    scenes: Sequence[Sequence[Sequence[Snapshot]]], layout: Layout, plan: _Plan, options: MovieOptions
) -> Iterator[FloatImage]:
    """Every frame of the movie; a few pictures are alive at a time."""
    shown: FloatImage | None = None
    for number, parts in enumerate(scenes, start=1):
        scene = _Scene(parts, layout, options)
        if shown is not None:
            yield from _fade(shown, scene.grown(0.0), plan)
        for step in range(plan.moving):
            yield scene.grown(step / plan.moving)
        shown = scene.grown(1.0)
        if plan.wiping:
            yield from [shown] * plan.paused
            yield from _fade(shown, scene.wiped(0.0), plan)
            yield from [scene.wiped(0.0)] * plan.waiting
            for step in range(plan.wiping):
                yield scene.wiped(_eased(step / plan.wiping))
            shown = scene.wiped(1.0)
        yield from [shown] * (plan.held if number == len(scenes) else plan.paused)


def _fade(first: FloatImage, second: FloatImage, plan: _Plan) -> Iterator[FloatImage]:
    for step in range(1, plan.fading + 1):
        yield blend(first, second, step / (plan.fading + 1))


def _eased(part: float) -> float:
    """From 0 to 1, slow at both ends."""
    return part * part * (3 - 2 * part)


class _Scene:
    """What moves at the same time: one folder, or all of a grid."""

    def __init__(self, parts: Sequence[Sequence[Snapshot]], layout: Layout, options: MovieOptions) -> None:
        boxes = [box.size for box in layout.boxes]
        self._layout = layout
        growths = [Growth(part, box) for part, box in zip(parts, boxes[-len(parts) :], strict=True)]
        beside = originals(parts[0], (boxes[0], boxes[1])) if options.layout == "side" else []
        self._panels: list[Panel] = [*beside, *growths]
        self._place: Callable[[float], float] = growths[0].place
        self._strip: LossStrip | None = None
        if options.losses:
            width, height = layout.size
            band = (width, strip_height(width) + height % 2)  # with the pictures even, as clips need it
            title = "" if options.captions else drawable(growths[0].title)
            self._strip = LossStrip(growths[0].losses, band, title)

    def grown(self, moment: float) -> FloatImage:
        """The frame at a moment of the movement: 0 shows the first snapshots, 1 the results, exactly."""
        return self._with_losses(self._layout.draw([one.grown(moment) for one in self._panels]), moment)

    def wiped(self, part: float) -> FloatImage:
        """The frame of the wipe: 0 shows the originals, 1 the results, exactly."""
        return self._with_losses(self._layout.draw([one.wiped(part) for one in self._panels]), 1.0)

    def _with_losses(self, frame: FloatImage, moment: float) -> FloatImage:
        if self._strip is None:
            return frame
        return np.concatenate([frame, self._strip.draw(self._place(moment))])
