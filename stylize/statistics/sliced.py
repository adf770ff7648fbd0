"""The whole distribution of a painting's activations, along random directions."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from stylize.statistics.base import Scene, Statistic, by_area
from stylize.types import Tensor

CALIBRATION = 5.0
"""At the same style weight as much of the content is kept as with Gram matrices (docs/benchmarks.md)."""

_DIRECTIONS = 128
"""At most; half as many as a layer has filters."""

_MOST_POSITIONS = 2**18
"""More positions of a painting's map are thinned out evenly."""

_GUIDED_QUANTILES = 4096
_TINY = 1e-12


class Sliced(Statistic):
    """The sliced Wasserstein distance (Heitz et al. 2021, eq. 5): sorted projections, compared in order.

    Directions are drawn anew at every renewal, by a seed. A picture of another size than the painting is
    compared with quantiles in between. With masks the positions of a region are sorted with their weights,
    which for masks of 0 and 1 is what the paper's tags do.
    """

    renewed = True

    def compare(self, found: Tensor, target: Any) -> Tensor:
        """The mean squared difference of sorted projections over the painting's mean square."""
        directions, quantiles, energy = target
        projected = projections(found, directions)
        order = tf.argsort(tf.stop_gradient(projected), axis=1)
        count = tf.shape(projected)[1]
        levels = (tf.range(tf.cast(count, tf.float32)) + 0.5) / tf.cast(count, tf.float32)
        wanted = quantile(quantiles[0, :, 0, :], tf.broadcast_to(levels[None], tf.shape(projected)))
        wanted = tf.stop_gradient(_unsorted(wanted, order))
        return CALIBRATION * tf.reduce_mean(tf.square(projected - wanted))[None] / energy

    def compare_guided(self, features: Tensor, target: Any) -> Tensor:
        """The same with weighted positions, region by region."""
        (directions, quantiles, energy), guides, weights = target
        projected = projections(features, directions)
        order = tf.argsort(tf.stop_gradient(projected), axis=1)
        apart = []
        for region in range(guides.shape[3]):
            places = tf.reshape(guides[..., region], (1, -1))
            total = tf.maximum(tf.reduce_sum(places), _TINY)
            ordered = tf.gather(places[0], order)
            levels = (tf.cumsum(ordered, axis=1) - 0.5 * ordered) / total
            wanted = tf.stop_gradient(_unsorted(quantile(quantiles[region, :, 0, :], levels), order))
            squares = tf.reduce_sum(places * tf.square(projected - wanted), axis=1) / total
            apart.append(CALIBRATION * tf.reduce_mean(squares) / energy[region])
        return by_area(guides, weights, tf.stack(apart))

    def targets(self, scene: Scene) -> dict[str, Any]:
        """Directions, quantiles along them (of the styles' mixture, without masks), and their mean square."""
        found: dict[str, Any] = {}
        for number, layer in enumerate(scene.styles[0]):
            samples = [_samples(style[layer]) for style in scene.styles]
            directions = random_directions(samples[0].shape[1], 1000 * scene.renewal + number)
            ordered = [np.sort(one @ directions, axis=0) for one in samples]
            if scene.places is None:
                mixed = mixture(ordered, scene.shares)[None, :, None]
                energy = np.mean(np.square(mixed)) + _TINY
            else:
                mixed = np.stack([_at(one, _centres(_GUIDED_QUANTILES)) for one in ordered])[:, :, None]
                energy = np.mean(np.square(mixed), axis=(1, 2, 3)) + _TINY
            aim = tuple(tf.constant(one, tf.float32) for one in (directions, mixed, energy))
            found[layer] = aim if scene.places is None else (aim, scene.places[layer], scene.weights)
        return found


def random_directions(filters: int, seed: int) -> np.ndarray:
    """Unit vectors, shape (filters, K): half as many as filters, at most 128; the same for the same seed."""
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(filters, min(_DIRECTIONS, max(1, filters // 2))))
    return (vectors / np.linalg.norm(vectors, axis=0)).astype(np.float32)


def projections(features: Tensor, directions: Tensor) -> Tensor:
    """Activations of one picture, (1, H, W, C), along directions (C, K): shape (K, H W)."""
    flat = tf.reshape(features, (-1, features.shape[3]))
    return tf.matmul(directions, flat, transpose_a=True, transpose_b=True)


def quantile(quantiles: Tensor, levels: Tensor) -> Tensor:
    """Sorted values (M, K) at levels (K, N) in [0, 1], linear between the values' own (i + 1/2) / M."""
    last = tf.cast(tf.shape(quantiles)[0] - 1, levels.dtype)
    position = tf.clip_by_value(levels * (last + 1.0) - 0.5, 0.0, last)
    below = tf.floor(position)
    rows = tf.transpose(quantiles)
    low = tf.gather(rows, tf.cast(below, tf.int32), batch_dims=1)
    high = tf.gather(rows, tf.cast(tf.minimum(below + 1.0, last), tf.int32), batch_dims=1)
    return low + (position - below) * (high - low)


def mixture(ordered: list[np.ndarray], shares: Any) -> np.ndarray:
    """Sorted values, shape (M, K), of a mixture of sorted samples (M_s, K), each with its share."""
    if len(ordered) == 1:
        return ordered[0]
    count = max(len(one) for one in ordered)
    values = np.concatenate(ordered)
    masses = np.concatenate(
        [np.full(len(one), share / len(one)) for one, share in zip(ordered, shares, strict=True)]
    )
    levels, found = _centres(count), np.empty((count, values.shape[1]), np.float32)
    for column in range(values.shape[1]):
        order = np.argsort(values[:, column], kind="stable")
        reached = np.cumsum(masses[order]) - 0.5 * masses[order]
        kept = masses[order] > 0.0
        found[:, column] = np.interp(levels, reached[kept], values[order, column][kept])
    return found


def _samples(features: Tensor) -> np.ndarray:
    """The positions of a painting's map, shape (M, C), thinned out if they are too many."""
    flat = np.asarray(features, np.float32).reshape(-1, features.shape[3])
    if len(flat) <= _MOST_POSITIONS:
        return flat
    return flat[np.linspace(0, len(flat) - 1, _MOST_POSITIONS).astype(np.int64)]


def _centres(count: int) -> np.ndarray:
    """The levels of so many sorted values, in the middle of the share of each."""
    return (np.arange(count) + 0.5) / count


def _at(ordered: np.ndarray, levels: np.ndarray) -> np.ndarray:
    own = _centres(len(ordered))
    return np.stack([np.interp(levels, own, column) for column in ordered.T], axis=1)


def _unsorted(values: Tensor, order: Tensor) -> Tensor:
    """`values` (K, N), given in the order of sorting, back at the places they were sorted from."""
    rows, count = tf.shape(order)[0], tf.shape(order)[1]
    places = tf.reshape(order + tf.range(rows)[:, None] * count, (-1,))
    back = tf.math.invert_permutation(places)
    return tf.reshape(tf.gather(tf.reshape(values, (-1,)), back), (rows, count))
