"""Statistics that are means over positions: Gram matrices, and means with covariances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from stylize.losses import gram_matrix, guided_gram_matrices
from stylize.statistics.base import Scene, Statistic, by_area
from stylize.types import Tensor

CALIBRATION = 0.95
"""At the same style weight as much of the content is kept as with Gram matrices (docs/benchmarks.md)."""

_SINGULAR = 1e-3
"""Variances under this share of the painting's largest count as hardly any: there the root is too steep."""


class Gram(Statistic):
    """Correlations of the filters: one matrix a layer, compared by the formula of a published system."""

    pooled = True

    def __init__(self, compare: Callable[[Tensor, Tensor], Tensor]) -> None:
        self._compare = compare

    def represent(self, features: Tensor) -> Tensor:
        """The Gram matrix, shape (1, C, C)."""
        return gram_matrix(features)

    def compare(self, found: Tensor, target: Any) -> Tensor:
        """By the formula given."""
        return self._compare(found, target)

    def compare_guided(self, features: Tensor, target: Any) -> Tensor:
        """The same region by region (Gatys et al. 2017)."""
        grams, guides, weights = target
        return by_area(guides, weights, self._compare(guided_gram_matrices(features, guides), grams))

    def targets(self, scene: Scene) -> dict[str, Any]:
        """The styles' weighted mean; with places each one's own."""
        found: dict[str, Any] = {}
        for layer in scene.styles[0]:
            each = [style[layer] for style in scene.styles]
            if scene.places is None:
                found[layer] = self._aim(
                    tf.add_n([share * one for share, one in zip(scene.shares, each, strict=True)])
                )
            else:
                found[layer] = self._aim(tf.concat(each, axis=0)), scene.places[layer], scene.weights
        return found

    def _aim(self, described: Tensor) -> Any:
        return described


class Wasserstein(Gram):
    """Means and covariances, compared as normal distributions: the squared 2-Wasserstein distance.

    |m - n|^2 + tr(S + T - 2 (T^1/2 S T^1/2)^1/2) with means m, n and covariances S, T (Dowson & Landau 1982;
    Olkin & Pukelsheim 1982; the part of the covariances is the Bures distance), over the painting's mean
    squared activation. Several styles without masks are one mixture.
    """

    def __init__(self) -> None:
        super().__init__(normal_distance)

    def represent(self, features: Tensor) -> Tensor:
        """The Gram matrix of the filters and a constant 1, shape (1, C + 1, C + 1): mean and correlations."""
        return gram_matrix(_with_one(features))

    def compare_guided(self, features: Tensor, target: Any) -> Tensor:
        """The same region by region."""
        return super().compare_guided(_with_one(features), target)

    def _aim(self, described: Tensor) -> Any:
        return normal_target(np.asarray(described, np.float64))


def _with_one(features: Tensor) -> Tensor:
    return tf.concat([features, tf.ones_like(features[..., :1])], axis=-1)


def mean_and_covariance(moments: Tensor) -> tuple[Tensor, Tensor]:
    """Means (N, C) and covariances (N, C, C) from Gram matrices of the filters and a constant 1."""
    mean = moments[:, :-1, -1]
    return mean, moments[:, :-1, :-1] - mean[:, :, None] * mean[:, None, :]


def normal_target(moments: np.ndarray) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """What :func:`normal_distance` needs of a painting's moments, shape (N, C + 1, C + 1).

    Mean (N, C), root of the covariance (N, C, C), a floor for each matrix (N,), a constant so that the
    distance of the painting from itself is 0 (N,), and its mean squared activation (N,).
    """
    mean, covariance = mean_and_covariance(moments)
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, 0.0)
    root = (vectors * np.sqrt(values)[:, None, :]) @ np.swapaxes(vectors, 1, 2)
    floor = (_SINGULAR * values.max(axis=1, initial=0.0)) ** 2 + 1e-30
    # The trace, and what the floor adds to a painting's distance from itself, so that this stays 0.
    own = 2.0 * np.sqrt(values**2 + floor[:, None]).sum(axis=1) - values.sum(axis=1)
    energy = np.trace(moments, axis1=1, axis2=2) - 1.0
    found = mean, root, floor, own, np.maximum(energy, 1e-12)
    return tuple(tf.constant(one, tf.float32) for one in found)


def normal_distance(moments: Tensor, target: Any) -> Tensor:
    """The squared 2-Wasserstein distance of normal distributions, relative and calibrated, shape (N,)."""
    mean, root, floor, own, energy = target
    found, covariance = mean_and_covariance(moments)
    between = tf.matmul(root, tf.matmul(covariance, root))
    between = 0.5 * (between + tf.linalg.matrix_transpose(between))
    overlap = trace_of_root(between, floor)
    apart = tf.reduce_sum(tf.square(found - mean), axis=1)
    return CALIBRATION * (apart + tf.linalg.trace(covariance) + own - 2.0 * overlap) / energy


@tf.custom_gradient
def trace_of_root(matrices: Tensor, floor: Tensor) -> tuple[Tensor, Any]:
    """tr (A + f I)^1/2 of symmetric A without negative eigenvalues, shape (N, C, C) and (N,).

    From the eigenvalues: five times as quick as the iteration of Newton and Schulz (docs/decisions.md). The
    gradient, 1/2 (A + f I)^-1/2, is finite for singular A and for equal eigenvalues, where that of the
    eigenvectors is not. NaN where A is not finite.
    """
    finite = tf.reduce_all(tf.math.is_finite(matrices), axis=(1, 2))
    usable = tf.where(finite[:, None, None], matrices, tf.zeros_like(matrices))
    values, vectors = tf.linalg.eigh(usable)
    roots = tf.sqrt(tf.maximum(values, 0.0) + floor[:, None])
    roots = tf.where(finite[:, None], roots, float("nan"))

    def gradient(upstream: Tensor) -> tuple[Tensor, Tensor]:
        scaled = vectors * (0.5 / roots)[:, None, :]
        slope = tf.matmul(scaled, vectors, transpose_b=True)
        return upstream[:, None, None] * slope, tf.zeros_like(floor)

    return tf.reduce_sum(roots, axis=1), gradient
