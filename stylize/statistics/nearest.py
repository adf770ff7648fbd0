"""For every position of a picture the painting's most alike one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from stylize.statistics.base import Maps, Scene, Statistic, Tones, halved
from stylize.statistics.coherence import Rows, Values, coherent
from stylize.types import Tensor

CALIBRATION = 0.5
"""At the same style weight as much of the content is kept as with Gram matrices (docs/benchmarks.md)."""

_MOST_CANDIDATES = 2**14
"""More positions of a painting are thinned out evenly: matching costs picture times painting."""

_CHUNK = 2048
"""Positions matched at once: bounds the memory."""

_TONE = 1.0
"""What a difference of 1 in luminance costs beside the cosine: dark, flat parts stay dark."""

_MOST_CONTRAST = 1.5
"""The picture's luminance is given the painting's mean and deviation, enlarged by no more than this."""

_FIRMNESS, _FIRMNESS_WHERE_EVEN = 0.03, 0.1
"""How much cosine a match may lose for each neighbour that agrees: everywhere, and besides in even parts."""

_EVEN = 0.015
"""The deviation of luminance at which a part counts half as even."""

_EVEN_SIDE = 5
"""Positions around one that are looked at for it."""

_MOST_KEPT = 2**15
"""Positions whose hypercolumns are kept while matches are made coherent; of more they are made each time."""

_TINY = 1e-12


class Nearest(Statistic):
    """Nearest neighbours among hypercolumns (after Kolkin et al. 2022).

    A position's hypercolumn is its activations in all style layers, each layer divided by the painting's
    deviation in it. What is matched is the mean of the picture's and its content's directions, each less its
    own mean: by the picture alone a thin shape that strokes have begun to cover is matched as what covers it,
    and goes. By cosine; the picture's activations are then drawn to the match's (squared error over the
    painting's variance, in place of the paper's cosine). Matches are renewed as the picture changes.

    Two things are added to the paper. Alike is only what is about as light, as far as the painting goes from
    dark to light. And neighbours are matched with neighbours (:mod:`stylize.statistics.coherence`), firmly
    where the content is even.

    Parameters
    ----------
    coherence
        A factor of that firmness: with 0 each position is matched for itself.
    """

    grid = 4
    copies = 6  # of picture, content and painting; aimed at; apart; the gradient
    matches = True
    renewed = True

    def __init__(self, coherence: float) -> None:
        self._coherence = coherence

    def compare(self, found: Tensor, target: Any) -> Tensor:
        """The mean squared distance to the matched activations, over the painting's variance."""
        matched, weights, variance = target
        apart = tf.reduce_sum(tf.square(found - matched), axis=-1, keepdims=True)
        return CALIBRATION * tf.reduce_mean(weights * apart)[None] / variance

    def compare_guided(self, features: Tensor, target: Any) -> Tensor:
        """The same: where which style goes is in the target."""
        return self.compare(features, target)

    def targets(self, scene: Scene) -> dict[str, Any]:
        """The matched activations, how much each position counts, and the paintings' variance.

        A coarser layer's position aims at the mean of what its finer ones are matched with.
        """
        assert scene.picture is not None
        assert scene.content is not None
        styles = [Columns(style) for style in scene.styles]
        variances = {
            layer: max(np.average([style.variance(layer) for style in styles], weights=scene.shares), _TINY)
            for layer in scene.picture
        }
        picture, content = Columns(scene.picture), Columns(scene.content)
        for columns in (*styles, picture, content):
            columns.prepare(variances)
        tones = None if scene.tones is None else _Tones(scene.tones)
        alike, rows = _matched(picture, content, styles, tones, self._coherence)
        if scene.places is None:
            parts = np.eye(len(styles), dtype=np.float32)[assigned(alike, scene.shares)]
        else:
            places = np.asarray(finest(scene.places))
            parts = places.reshape(-1, len(styles)) * np.asarray(scene.weights)
        weights = parts.sum(axis=1, keepdims=True)
        aims: dict[str, Any] = {}
        for layer, features in scene.picture.items():
            drawn = tf.add_n(
                [
                    parts[:, number : number + 1] * style.at(layer, rows[:, number])
                    for number, style in enumerate(styles)
                ]
            )
            count = picture.on_grid(layer, weights)
            matched = picture.on_grid(layer, drawn) / tf.maximum(count, _TINY)
            aims[layer] = matched, count, tf.constant(variances[layer], features.dtype)
        return aims


class Columns:
    """Hypercolumns of a picture on the grid of its finest map.

    Parameters
    ----------
    maps
        Activations, shape (1, H', W', C), by layer.
    """

    def __init__(self, maps: Maps) -> None:
        self.height, self.width = map(int, finest(maps).shape[1:3])
        self.maps = maps
        self._flat = {layer: tf.reshape(value, (-1, value.shape[3])) for layer, value in maps.items()}
        self._halvings = {layer: _halvings(self.height, int(value.shape[1])) for layer, value in maps.items()}
        self._scales: dict[str, float] = {}
        self._means: dict[str, Tensor] = {}

    @property
    def count(self) -> int:
        """How many positions there are."""
        return self.height * self.width

    def variance(self, layer: str) -> float:
        """The variance of a layer's activations, summed over its filters."""
        return float(tf.reduce_sum(tf.math.reduce_variance(self._flat[layer], axis=0)))

    def prepare(self, variances: Mapping[str, float]) -> None:
        """Make ready for `units`: layers over the root of their variance, less their mean."""
        self._scales = {layer: value**-0.5 for layer, value in variances.items()}
        self._means = {layer: tf.reduce_mean(value, axis=0) for layer, value in self._flat.items()}

    def at(self, layer: str, rows: np.ndarray) -> Tensor:
        """A layer's activations at positions of the finest grid, shape (N, C)."""
        down, across = np.divmod(rows, self.width)
        halvings = self._halvings[layer]
        return tf.gather(
            self._flat[layer], (down >> halvings) * int(self.maps[layer].shape[2]) + (across >> halvings)
        )

    def units(self, rows: np.ndarray) -> Tensor:
        """The hypercolumns of positions, shape (N, D), each of length 1."""
        parts = [self._scales[layer] * (self.at(layer, rows) - self._means[layer]) for layer in self.maps]
        return tf.math.l2_normalize(tf.concat(parts, axis=1), axis=1)

    def on_grid(self, layer: str, values: Tensor) -> Tensor:
        """Values of the finest grid's positions, (N, C), averaged on a layer's own, (1, H', W', C)."""
        values = tf.reshape(values, (1, self.height, self.width, values.shape[1]))
        return halved(values, self._halvings[layer])


def _halvings(length: int, shorter: int) -> int:
    """How often a side was halved, rounded up, to be as short as another."""
    count = 0
    while length > shorter:
        count, length = count + 1, -(-length // 2)
    return count


def finest(maps: Maps) -> Tensor:
    """The map with the most positions."""
    return max(maps.values(), key=lambda value: int(value.shape[1]))


class _Tones:
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


class _Likeness:
    """How alike positions of a picture and of a style are: cosines, less what luminance differs in."""

    def __init__(
        self, query: Callable[[Rows], Tensor], style: Columns, tones: _Tones | None, number: int
    ) -> None:
        self._query, self._style = query, style
        self._tones, self._number = tones, number
        self._columns = _kept(style.units, style.count)

    def __call__(self, positions: Rows, rows: Rows) -> Values:
        """Of pairs, each shape (N,)."""
        cosines = [
            tf.reduce_sum(self._query(positions[begin:end]) * self._columns(rows[begin:end]), axis=1).numpy()
            for begin, end in _chunks(len(rows))
        ]
        tones = self._tones
        alike: Values = np.concatenate(cosines)
        return alike if tones is None else alike - tones.lost(self._number, positions, rows)

    def best(self, count: int) -> Rows:
        """What each of the picture's positions is most alike, shape (count,)."""
        style, tones = self._style, self._tones
        chosen = np.linspace(0, style.count - 1, min(style.count, _MOST_CANDIDATES)).astype(np.int64)
        candidates = self._columns(chosen)
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


def _matched(
    picture: Columns, content: Columns, styles: Sequence[Columns], tones: _Tones | None, coherence: float
) -> tuple[Values, Rows]:
    """How alike each position's match in each style is, and which it is: shapes (positions, styles)."""

    def directions(rows: Rows) -> Tensor:
        return tf.math.l2_normalize(picture.units(rows) + content.units(rows), axis=1)

    query = _kept(directions, picture.count)
    even = np.zeros(picture.count, np.float32) if tones is None else tones.even
    firmness = coherence * (_FIRMNESS + _FIRMNESS_WHERE_EVEN * even)
    alike, found = [], []
    for number, style in enumerate(styles):
        likeness = _Likeness(query, style, tones, number)
        rows = likeness.best(picture.count)
        if coherence > 0.0:
            rows = coherent(
                rows, likeness, (picture.height, picture.width), (style.height, style.width), firmness
            )
        alike.append(likeness(np.arange(picture.count), rows))
        found.append(rows)
    return np.stack(alike, axis=1), np.stack(found, axis=1)


def _kept(made: Callable[[Rows], Tensor], count: int) -> Callable[[Rows], Tensor]:
    """A function of positions that looks up what it gives, where that is little enough to keep."""
    if count > _MOST_KEPT:
        return made
    every = made(np.arange(count))
    return lambda rows: tf.gather(every, rows)


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


def assigned(alike: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Which style each position takes, shape (N,): where it is most alike, so that each gets its share.

    Parameters
    ----------
    alike
        Cosines, shape (N, R).
    shares
        Of the positions, of sum 1.
    """
    count, styles = alike.shape
    wanted = np.asarray(shares, np.float64)
    offsets = np.where(wanted > 0.0, 0.0, -np.inf)
    step = 0.5
    for _ in range(60 if styles > 1 else 0):
        taken = np.argmax(alike + offsets, axis=1)
        lacking = wanted - np.bincount(taken, minlength=styles) / count
        offsets = offsets + np.where(wanted > 0.0, step * lacking, 0.0)
        step *= 0.93
    return np.argmax(alike + offsets, axis=1)
