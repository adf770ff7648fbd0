"""How much of a teacher's activations the best linear map from a network's layer explains."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from stylize.types import FloatImage

MAP_RIDGE = 1e-3
"""So that of two features that say the same neither has a large weight that the other one cancels."""

Activations = Callable[[Any], Mapping[str, Any]]


class Moments:
    """Sums over samples of features (k) and targets (C), in float64, from which the best map follows."""

    def __init__(self) -> None:
        self.count = 0
        self._joint: NDArray[np.float64] = np.zeros((1, 1))  # grows to (1 + k + C, 1 + k + C)

    def add(self, features: NDArray[Any], targets: NDArray[Any]) -> None:
        """Take in samples: shape (P, k) and (P, C)."""
        ones = np.ones((len(features), 1))
        rows = np.concatenate([ones, features.astype(np.float64), targets.astype(np.float64)], axis=1)
        self._joint = self._joint + rows.T @ rows
        self.count += len(features)
        self._features = features.shape[1]

    def best_map(self) -> NDArray[np.float64]:
        """The least-squares map, shape (1 + k, C), its first row the bias."""
        size = 1 + self._features
        square = self._joint[:size, :size]
        ridge = 1e-9 * np.trace(square) / size * np.eye(size)
        return np.linalg.solve(square + ridge, self._joint[:size, size:])

    def explained(self, linear: NDArray[np.float64]) -> float:
        """Share of the targets' variance about their mean that `linear` explains, over all channels."""
        size = 1 + self._features
        cross, targets = self._joint[:size, size:], self._joint[size:, size:]
        error = (
            np.trace(targets)
            - 2 * np.sum(linear * cross)
            + np.sum(linear * (self._joint[:size, :size] @ linear))
        )
        variance = np.trace(targets) - np.sum(cross[0] ** 2) / self.count
        return float(1.0 - error / variance)

    def homogeneous_map(self) -> NDArray[np.float64]:
        """The least-squares map without a bias, shape (k, C), of standardised features with a small ridge."""
        size = 1 + self._features
        square, cross = self._joint[1:size, 1:size], self._joint[1:size, size:]
        length = np.sqrt(np.diag(square) + 1e-12)
        alike = square / np.outer(length, length) + MAP_RIDGE * np.eye(size - 1)
        return np.linalg.solve(alike, cross / length[:, None]) / length[:, None]

    def bound(self, rank: int) -> float:
        """The share of the targets' variance that a linear map of `rank` can explain at best (PCA)."""
        size = 1 + self._features
        mean = self._joint[0, size:] / self.count
        covariance = self._joint[size:, size:] / self.count - np.outer(mean, mean)
        values = np.linalg.eigvalsh(covariance)
        return float(values[-rank:].sum() / values.sum())


def explained_variance(
    student: Activations, targets: Activations, pictures: Iterable[FloatImage]
) -> dict[str, tuple[float, float]]:
    """Explained variance of every layer that both functions give.

    Parameters
    ----------
    student, targets
        From pictures (1, H, W, 3) to activations by layer name, of the same height and width.

    Returns
    -------
    dict
        Layer -> (of the map fitted to all pictures; of maps fitted to one half and tried on the other,
        averaged over both ways). The second does not grow by having many features and few samples.
    """
    halves: tuple[dict[str, Moments], dict[str, Moments]] = ({}, {})
    whole: dict[str, Moments] = {}
    for number, picture in enumerate(pictures):
        image = tf.constant(picture[None])
        learned, wanted = student(image), targets(image)
        for layer in wanted:
            pair = (rows_of(learned[layer]), rows_of(wanted[layer]))
            halves[number % 2].setdefault(layer, Moments()).add(*pair)
            whole.setdefault(layer, Moments()).add(*pair)
    found = {}
    for layer, moments in whole.items():
        one, other = halves[0][layer], halves[1][layer]
        crossed = (other.explained(one.best_map()) + one.explained(other.best_map())) / 2
        found[layer] = (moments.explained(moments.best_map()), crossed)
    return found


def rows_of(activations: Any) -> NDArray[np.float32]:
    """Activations (N, H, W, C) as samples, shape (N H W, C)."""
    values = activations.numpy()
    return values.reshape(-1, values.shape[-1])
