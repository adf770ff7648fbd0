"""Which boxes of a picture are to change, and the windows around them that the network has to see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stylize.phase import STANDARD, Phase

REACH = 16
"""Pixels beyond a box in which its changes count; and beyond those, that a window begins before them."""

_BASE = 0.05
"""What a box costs besides its windows, in evaluations of the whole picture for each of its evaluations."""

_WORTH = 0.8
"""Of the work of a whole picture: where boxes would take more, it is done as a whole."""

Box = tuple[int, int, int, int]
"""Top, bottom, left, right."""


@dataclass(frozen=True)
class Part:
    """A box of a picture that is optimised while the rest stays.

    Attributes
    ----------
    box
        What changes.
    core
        Where that is seen, of the picture as the grid lies on it.
    window
        What an evaluation takes the network over, likewise.
    """

    box: Box
    core: Box
    window: Box

    @classmethod
    def around(cls, box: Box, height: int, width: int, grain: int, phase: Phase = STANDARD) -> Part:
        """The part of a picture of this size that has this box; see `parts_of`."""
        core = _wider(_laid(box, height, width, phase), height, width, grain)
        return cls(box, core, _wider(core, height, width, grain))

    @property
    def seen(self) -> tuple[int, int]:
        """Height and width of the window."""
        top, bottom, left, right = self.window
        return bottom - top, right - left

    @property
    def work(self) -> float:
        """Pixels of the window."""
        height, width = self.seen
        return float(height * width)

    def within(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        """What a picture, shape (H, W, ...), has in the box."""
        top, bottom, left, right = self.box
        return picture[top:bottom, left:right]

    def placed(self, inside: NDArray[np.float32], picture: NDArray[np.float32]) -> NDArray[np.float32]:
        """`picture` with something else in the box."""
        made = picture.copy()
        self.within(made)[:] = inside
        return made


def parts_of(share: NDArray[np.float32], grain: int, phase: Phase = STANDARD) -> list[Part] | None:
    """The parts of a picture in which something may change; None where the whole is as cheap.

    Parameters
    ----------
    share
        How far each pixel may change, shape (H, W), in [0, 1].
    grain
        Cores and windows begin at multiples of it, where all poolings begin anew.
    phase
        How the grid lies on the picture.
    """
    height, width = share.shape
    rows, columns = (-(-side // grain) for side in share.shape)
    padded = np.pad(share > 0.0, ((0, rows * grain - height), (0, columns * grain - width)))
    cells = np.asarray(padded.reshape(rows, grain, columns, grain).any(axis=(1, 3)))
    boxes = _split(cells, height, width, grain)
    parts = [Part.around(_tight(box, share), height, width, grain, phase) for box in boxes]
    whole = float(height * width)
    return parts if sum(part.work for part in parts) <= _WORTH * whole else None


def _split(
    cells: NDArray[np.bool_], height: int, width: int, grain: int, top: int = 0, left: int = 0
) -> list[Box]:
    """Boxes of pixels around cells of `grain` pixels, cut at empty rows and columns where that saves work."""
    used = [np.flatnonzero(cells.any(axis=axis)) for axis in (1, 0)]
    if not used[0].size:
        return []
    spans = [(int(found[0]), int(found[-1]) + 1) for found in used]
    (first, last), (start, end) = spans
    cells, top, left = cells[first:last, start:end], top + first, left + start
    box = (
        top * grain, min(height, (top + last - first) * grain),
        left * grain, min(width, (left + end - start) * grain),
    )  # fmt: skip
    best, least = [box], _cost([box], height, width, grain)
    for axis in (0, 1):
        for at in _gaps(np.asarray(cells.any(axis=1 - axis))):
            one, other = np.split(cells, [at], axis=axis)
            beside = (top + at, left) if axis == 0 else (top, left + at)
            boxes = _split(one, height, width, grain, top, left) + _split(
                other, height, width, grain, *beside
            )
            if (cost := _cost(boxes, height, width, grain)) < least:
                best, least = boxes, cost
    return best


def _gaps(used: NDArray[np.bool_]) -> list[int]:
    """Where to cut a line of cells: the beginning of its widest gap; nowhere without one."""
    edges = np.flatnonzero(np.diff(used.astype(np.int8)))
    if edges.size < 2:
        return []
    begins, ends = edges[0::2] + 1, edges[1::2] + 1  # it begins and ends with a used cell
    return [int(begins[np.argmax(ends - begins)])]


def _cost(boxes: Sequence[Box], height: int, width: int, grain: int) -> float:
    """The work of boxes one after another, in pixels of an evaluation."""
    windows = sum(Part.around(box, height, width, grain).work for box in boxes)
    return windows + _BASE * height * width * len(boxes)


def _laid(box: Box, height: int, width: int, phase: Phase) -> Box:
    """A box where it lies in a picture that is moved by `phase` and mirrored at its end (`phase.laid`)."""
    (top, bottom, left, right), (up, aside) = box, phase
    return (
        max(0, top - up), height if bottom > height - up else max(1, bottom - up),
        max(0, left - aside), width if right > width - aside else max(1, right - aside),
    )  # fmt: skip


def _wider(box: Box, height: int, width: int, grain: int) -> Box:
    """A box with `REACH` around it, from one multiple of `grain` to another or the picture's border."""
    top, bottom, left, right = box
    return (
        max(0, (top - REACH) // grain * grain), min(height, -(-(bottom + REACH) // grain) * grain),
        max(0, (left - REACH) // grain * grain), min(width, -(-(right + REACH) // grain) * grain),
    )  # fmt: skip


def _tight(box: Box, share: NDArray[np.float32]) -> Box:
    """What is used of a box."""
    top, bottom, left, right = box
    used = share[top:bottom, left:right] > 0.0
    rows, columns = (np.flatnonzero(used.any(axis=axis)) for axis in (1, 0))
    return top + int(rows[0]), top + int(rows[-1]) + 1, left + int(columns[0]), left + int(columns[-1]) + 1
