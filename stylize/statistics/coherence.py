"""Neighbours matched with neighbours, so that a painting's whole strokes come over.

Matched each for itself, the positions of an even part all find the same one of the painting, and what is
painted of it is a pattern. After Ashikhmin (2001) and Barnes et al. (2009): a position also tries what its
neighbours are matched with, moved by as much as it lies beside them, and takes it where little is lost.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Values = NDArray[np.float32]

_REACHES = (16, 8, 4, 2, 1, 1, 1)
"""How far away the matches lie that are tried, one after the other: from far ones large pieces grow."""

_FAR = 2.0
"""A match from further away is tried as if so many neighbours agreed with it."""

_AROUND = ((0, 1), (1, 0), (0, -1), (-1, 0))


def coherent(
    rows: Rows,
    likeness: Callable[[Rows, Rows], Values],
    shape: tuple[int, int],
    painting: tuple[int, int],
    firmness: Values,
) -> Rows:
    """Matches that are nearly as alike as the given ones, and mostly those of their neighbours' neighbours.

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
            found = likeness(open_, tried[open_])
            if reach > 1:
                gained = np.full(len(open_), _FAR, np.float32)
            else:
                beside = [_from_beside(rows, shape, painting, *step) for step in _AROUND]
                gained = sum(
                    (one[open_] == tried[open_]).astype(np.float32) - (one[open_] == rows[open_])
                    for one in beside
                )
            better = found + firmness[open_] * gained > alike[open_]
            taken = open_[better]
            rows[taken], alike[taken] = tried[taken], found[better]
    return rows


def _from_beside(
    rows: Rows, shape: tuple[int, int], painting: tuple[int, int], down: int, across: int
) -> Rows:
    """What would continue the match of the position so far down and across; -1 where there is none."""
    height, width = shape
    place = np.arange(len(rows))
    y, x = place // width + down, place % width + across
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    theirs = rows[np.where(inside, y * width + x, place)]
    y, x = theirs // painting[1] - down, theirs % painting[1] - across
    inside &= (y >= 0) & (y < painting[0]) & (x >= 0) & (x < painting[1])
    return np.where(inside, y * painting[1] + x, -1)
