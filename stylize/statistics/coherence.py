"""Neighbours matched with neighbours, so that a painting's whole strokes come over.

Matched each for itself, the positions of an even part all find the same one of the painting, and what is
painted of it is a pattern. After Ashikhmin (2001) and Barnes et al. (2009): a position also tries what its
neighbours are matched with, moved by as much as it lies beside them, and takes it where little is lost.
What has been taken often is dearer (after Kaspar et al. 2015): one piece over and over is a pattern as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Values = NDArray[np.float32]

_REACHES = (16, 8, 4, 2, 1, 1, 1)
"""How far away the matches lie that are tried, one after the other: from far ones large pieces grow."""

_FAR = 2.0
"""A match from further away is tried as if so many neighbours agreed with it."""

_AROUND = ((0, 1), (1, 0), (0, -1), (-1, 0))

_OFTEN = 2.0
"""How many times as often as all of the painting on average a place is matched before it becomes dearer."""

_STROKE = 5
"""Side in positions of the squares of a painting in which it is counted how often they are matched: a match
beside another shows the same stroke."""

_THE_SAME = 0.6
"""A neighbour with the very same match is as dear as so many doublings of how often a place is matched."""


def coherent(
    rows: Rows,
    likeness: Callable[[Rows, Rows], Values],
    shape: tuple[int, int],
    painting: tuple[int, int],
    firmness: Values,
    wear: float,
) -> Rows:
    """Matches nearly as alike as the given ones, mostly their neighbours' neighbours, of all of the painting.

    Parameters
    ----------
    rows
        The painting's position that each position of the picture is matched with, shape (H * W,).
    likeness
        How alike positions of the picture and of the painting are, pair by pair, each shape (N,).
    shape, painting
        Height and width in positions, of the picture and the painting.
    firmness
        How much less alike a match may be for each of the four neighbours that agrees with it, shape
        (H * W,).
    wear
        How much less alike a match counts as for each doubling of how often its place is matched, beyond
        `_OFTEN` times the average.

    Returns
    -------
    Rows
        Shape (H * W,).
    """
    alike, rows = likeness(np.arange(len(rows)), rows), rows.copy()
    for reach in _REACHES:
        for down, across in _AROUND:
            tried = _from_beside(rows, shape, painting, reach * down, reach * across)
            open_ = np.flatnonzero((tried >= 0) & (tried != rows))
            if not len(open_):
                continue
            new, old = tried[open_], rows[open_]
            found = likeness(open_, new)
            if reach > 1:
                gained = np.full(len(open_), _FAR, np.float32)
            else:
                beside = [_from_beside(rows, shape, painting, *step)[open_] for step in _AROUND]
                gained = _more_equal(beside, new, old)
            worn = _doublings(rows, painting)
            same = [_of_beside(rows, shape, *step)[open_] for step in _AROUND]
            dearer = worn[new] - worn[old] + _THE_SAME * _more_equal(same, new, old)
            better = found + firmness[open_] * gained - wear * dearer > alike[open_]
            taken = open_[better]
            rows[taken], alike[taken] = tried[taken], found[better]
    return rows


def _more_equal(others: Sequence[Rows], new: Rows, old: Rows) -> Values:
    """How many more of `others` are the new than are the old, position by position."""
    return np.sum([(one == new).astype(np.float32) - (one == old) for one in others], axis=0)


def _doublings(rows: Rows, painting: tuple[int, int]) -> Values:
    """For each place of the painting, how often its use doubles what it may be, shape (H * W,)."""
    count = painting[0] * painting[1]
    used = np.bincount(rows, minlength=count).reshape(painting)
    often = _over_squares(used) / _sizes(painting) * (count / (_OFTEN * len(rows)))
    doublings: Values = np.log2(np.maximum(often, 1.0)).astype(np.float32).reshape(-1)
    return doublings


@lru_cache(maxsize=8)
def _sizes(painting: tuple[int, int]) -> Rows:
    """How many places the square around each place has; the same for every renewal."""
    return _over_squares(np.ones(painting, np.int64))


def _over_squares(counts: Rows) -> Rows:
    """The sum over the square around each place, as far as it lies within, shape (H, W)."""
    before = _STROKE // 2 + 1
    sums = np.pad(counts, ((before, before - 1),) * 2).cumsum(axis=0).cumsum(axis=1)
    sums = sums[_STROKE:] - sums[:-_STROKE]
    return sums[:, _STROKE:] - sums[:, :-_STROKE]


def _of_beside(rows: Rows, shape: tuple[int, int], down: int, across: int) -> Rows:
    """The match of the position so far down and across; -1 where there is none."""
    height, width = shape
    margin = max(abs(down), abs(across))
    known = np.pad(rows.reshape(shape), margin, constant_values=-1)
    y, x = margin + down, margin + across
    return known[y : y + height, x : x + width].reshape(-1)


def _from_beside(
    rows: Rows, shape: tuple[int, int], painting: tuple[int, int], down: int, across: int
) -> Rows:
    """What would continue the match of the position so far down and across; -1 where there is none."""
    theirs = _of_beside(rows, shape, down, across)
    y, x = theirs // painting[1] - down, theirs % painting[1] - across
    inside = (theirs >= 0) & (y >= 0) & (y < painting[0]) & (x >= 0) & (x < painting[1])
    return np.where(inside, y * painting[1] + x, -1)
