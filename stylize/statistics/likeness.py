"""How alike a picture's positions are to a painting's: by their hypercolumns, and by how light they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from stylize.statistics.base import Tones
from stylize.statistics.coherence import Rows, Values
from stylize.statistics.columns import Columns
from stylize.types import Tensor

_TONE = 3.0
"""What a difference of 1 in luminance costs beside the cosine: dark, flat parts stay dark."""

_MOST_CONTRAST = 1.5
"""The picture's luminance is given the painting's mean and deviation, enlarged by no more than this."""

_EVEN = 0.015
"""The deviation of luminance at which a part counts as half even."""

_EVEN_SIDE = 5
"""Positions around one that are looked at for it."""

_MOST_CANDIDATES = 2**13
"""More positions of a painting are thinned out evenly: matching costs picture times painting, and neighbours
find the rest (:mod:`stylize.statistics.coherence`)."""

_CHUNK = 2048
"""Positions matched at once: bounds the memory."""

_DIMENSIONS = 256
"""Hypercolumns are compared in so many dimensions, those in which the painting's differ most: nine tenths of
the variance of the full network's 1728. What is found is as alike to 0.3 %, for a fifth of the time."""

_TURNS = 2
"""Of the subspace iteration that finds them."""

_MOST_KEPT = 2**18
"""Positions whose hypercolumns are kept while matches are looked for; of more they are made each time."""

_TINY = 1e-12


class Painting:
    """A painting's side of the matching: its hypercolumns, as far as they are compared."""

    def __init__(self, columns: Columns) -> None:
        self.height, self.width, self.at = columns.height, columns.width, columns.at
        self.chosen = np.linspace(0, columns.count - 1, min(columns.count, _MOST_CANDIDATES)).astype(np.int64)
        self._axes = principal(columns.units(self.chosen))
        self.columns = kept(lambda rows: self.along(columns.units(rows)), columns.count)

    def along(self, columns: Tensor) -> Tensor:
        """Hypercolumns along the painting's axes, shape (N, 256)."""
        return columns if self._axes is None else tf.matmul(columns, self._axes)


class Likeness:
    """How alike positions of a picture and of a painting are: cosines, less what luminance differs in.

    Parameters
    ----------
    directions
        Gives the hypercolumns, of length 1, of the picture's positions, of which there are `count`.
    painting, tones, number
        The painting, and which of the luminances' styles it is.
    """

    def __init__(
        self, directions: Callable[[Rows], Tensor], count: int, painting: Painting, tones: Luminance | None,
        number: int,
    ) -> None:  # fmt: skip
        self._painting, self._tones, self._number = painting, tones, number
        self._query = kept(lambda rows: painting.along(directions(rows)), count)

    def __call__(self, positions: Rows, rows: Rows) -> Values:
        """Of pairs, each shape (N,)."""
        columns = self._painting.columns
        cosines = [
            tf.reduce_sum(self._query(positions[begin:end]) * columns(rows[begin:end]), axis=1).numpy()
            for begin, end in _chunks(len(rows))
        ]
        tones = self._tones
        alike: Values = np.concatenate(cosines)
        return alike if tones is None else alike - tones.lost(self._number, positions, rows)

    def best(self, count: int) -> Rows:
        """What each of the picture's positions is most alike, shape (count,)."""
        tones, chosen = self._tones, self._painting.chosen
        candidates = self._painting.columns(chosen)
        if tones is not None:
            candidates = tf.concat([candidates, tones.of_style(self._number, chosen)], axis=1)
        found = []
        for begin, end in _chunks(count):
            positions = np.arange(begin, end)
            query = self._query(positions)
            if tones is not None:
                query = tf.concat([query, tones.of_picture(self._number, positions)], axis=1)
            found.append(chosen[matches(query, candidates)])
        return np.concatenate(found)


class Luminance:
    """Luminance in the matching: the content's, as light and as contrasty as the painting's."""

    def __init__(self, tones: Tones) -> None:
        content, styles = tones
        own = _flat(content)
        self.styles = [_flat(style) for style in styles]
        self.wanted = [
            (own - own.mean()) * min(style.std() / max(float(own.std()), _TINY), _MOST_CONTRAST)
            + style.mean()
            for style in self.styles
        ]
        around = [tf.nn.avg_pool2d(one, _EVEN_SIDE, 1, "SAME") for one in (content, tf.square(content))]
        variance = _flat(tf.maximum(around[1] - tf.square(around[0]), 0.0))
        self.even = 1.0 / (1.0 + variance / _EVEN**2)

    def lost(self, style: int, positions: Rows, rows: Rows) -> Values:
        """What pairs of positions of the picture and of a style differ in, as a loss of cosine."""
        apart = np.square(self.wanted[style][positions] - self.styles[style][rows])
        return (_TONE * apart).astype(np.float32)

    def of_picture(self, style: int, positions: Rows) -> Values:
        """What the product with `of_style` makes -`lost`, but for what is the same for all of a style."""
        wanted = self.wanted[style][positions]
        return (_TONE * np.stack([2.0 * wanted, -np.ones_like(wanted)], axis=1)).astype(np.float32)

    def of_style(self, style: int, rows: Rows) -> Values:
        """See `of_picture`; both of shape (N, 2)."""
        tone = self.styles[style][rows]
        return np.stack([tone, np.square(tone)], axis=1)


def _flat(plane: Tensor) -> Values:
    """The values of a plane, shape (1, H, W, 1)."""
    return np.asarray(plane, np.float32).reshape(-1)


def kept(made: Callable[[Rows], Tensor], count: int) -> Callable[[Rows], Tensor]:
    """A function of positions that looks up what it gives, where that is little enough to keep."""
    if count > _MOST_KEPT:
        return made
    every = tf.concat([made(np.arange(begin, end)) for begin, end in _chunks(count)], axis=0)
    return lambda rows: tf.gather(every, rows)


def principal(columns: Tensor) -> Tensor | None:
    """Orthonormal axes along which columns, shape (N, D), are nearly all they are, shape (D, 256).

    By subspace iteration from random ones, the same each time (Halko, Martinsson & Tropp 2011, algorithm
    4.4). None where there are no more dimensions than that.
    """
    dimensions = int(columns.shape[1])
    if dimensions <= _DIMENSIONS:
        return None
    random = np.random.default_rng(0).standard_normal((dimensions, _DIMENSIONS))
    axes = tf.constant(random, tf.float32)
    for _ in range(_TURNS):
        axes, _ = tf.linalg.qr(tf.matmul(columns, tf.matmul(columns, axes), transpose_a=True))
    return axes


def _chunks(count: int) -> list[tuple[int, int]]:
    """Where the positions begin and end that are worked on at once."""
    return [(begin, min(begin + _CHUNK, count)) for begin in range(0, count, _CHUNK)]


def matches(query: Tensor, candidates: Tensor) -> Rows:
    """The row of the candidate with the largest product with each query.

    Parameters
    ----------
    query, candidates
        Shape (N, D) and (M, D).

    Returns
    -------
    Rows
        Shape (N,).
    """
    return tf.argmax(tf.matmul(query, candidates, transpose_b=True), axis=1).numpy()
