"""Hypercolumns: what all layers see at a position."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from stylize.statistics.base import Maps, halved
from stylize.types import Tensor


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
