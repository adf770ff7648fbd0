"""For every position of a picture the painting's most alike one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from stylize.statistics.base import Maps, Scene, Statistic, halved
from stylize.types import Tensor

CALIBRATION = 0.5
"""At the same style weight as much of the content is kept as with Gram matrices (docs/benchmarks.md)."""

_MOST_CANDIDATES = 2**14
"""More positions of a painting are thinned out evenly: matching costs picture times painting."""

_CHUNK = 2048
"""Positions matched at once: bounds the memory."""

_TINY = 1e-12


class Nearest(Statistic):
    """Nearest neighbours among hypercolumns (after Kolkin et al. 2022).

    A position's hypercolumn is its activations in all style layers, each layer divided by the painting's
    deviation in it. What is matched is the mean of the picture's and its content's directions, each less its
    own mean: by the picture alone a thin shape that strokes have begun to cover is matched as what covers it,
    and goes. By cosine; the picture's activations are then drawn to the match's (squared error over the
    painting's variance, in place of the paper's cosine). Matches are renewed as the picture changes.
    """

    grid = 4
    copies = 6  # of picture, content and painting; aimed at; apart; the gradient
    matches = True
    renewed = True

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
        alike, rows = _matched(picture, content, styles)
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


def _matched(picture: Columns, content: Columns, styles: Sequence[Columns]) -> tuple[np.ndarray, np.ndarray]:
    """How alike each position's match in each style is, and which it is: shapes (positions, styles)."""
    chosen = [
        np.linspace(0, style.count - 1, min(style.count, _MOST_CANDIDATES)).astype(np.int64)
        for style in styles
    ]
    candidates = [style.units(rows) for style, rows in zip(styles, chosen, strict=True)]
    alike, found = [], []
    for begin in range(0, picture.count, _CHUNK):
        rows = np.arange(begin, min(begin + _CHUNK, picture.count))
        query = tf.math.l2_normalize(picture.units(rows) + content.units(rows), axis=1)
        best = [matches(query, one) for one in candidates]
        alike.append(np.stack([cosines for cosines, _ in best], axis=1))
        found.append(np.stack([known[rows] for known, (_, rows) in zip(chosen, best, strict=True)], axis=1))
    return np.concatenate(alike), np.concatenate(found)


def matches(query: Tensor, candidates: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The largest cosine of each row of unit vectors with any candidate, and that candidate's row.

    Parameters
    ----------
    query, candidates
        Shape (N, D) and (M, D).

    Returns
    -------
    tuple
        Cosines, shape (N,), and rows, shape (N,).
    """
    cosines = tf.matmul(query, candidates, transpose_b=True)
    best = tf.argmax(cosines, axis=1)
    return tf.gather(cosines, best, batch_dims=1).numpy(), best.numpy()


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
