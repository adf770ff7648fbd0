"""The best linear maps from the student's layers to its lessons, and the losses measured through them.

The student is judged by how much of a teacher's activations a linear map of its own explains. While it
learns, that map is not learned by gradient descent beside it: it is the least-squares solution over the
last steps, from running covariances, so the student's gradient is that of the explained variance itself
(variable projection; Golub & Pereyra 1973).
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

Tensor = Any

RIDGE = 1e-4
"""Share of the features' mean variance added to the diagonal: some features die for a while."""
SAMPLES_PER_FEATURE = 300
"""How many samples a feature the running covariances should stand for."""


class LinearMap(tf.Module):
    """Running moments of features (k) and targets (C), and the map between them."""

    def __init__(self, features: int, targets: int, samples_per_step: int) -> None:
        super().__init__()
        memory = SAMPLES_PER_FEATURE * features / samples_per_step
        self._decay = tf.constant(min(0.995, max(0.9, 1.0 - 1.0 / memory)), tf.float32)
        self._weight = tf.Variable(0.0, trainable=False)
        self._mean = tf.Variable(tf.zeros(features), trainable=False)
        self._target_mean = tf.Variable(tf.zeros(targets), trainable=False)
        self._square = tf.Variable(tf.zeros((features, features)), trainable=False)
        self._cross = tf.Variable(tf.zeros((features, targets)), trainable=False)
        self._energy = tf.Variable(0.0, trainable=False)

    def losses(self, features: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Unexplained share of the targets' variance, and the relative error of their Gram matrices.

        Parameters
        ----------
        features, targets
            Shape (N, P, k) and (N, P, C): P places in each of N crops.
        """
        flat = tf.reshape(features, (-1, features.shape[-1]))
        wanted = tf.reshape(targets, (-1, targets.shape[-1]))
        kernel, bias, variance = self._update(tf.stop_gradient(flat), wanted)
        predicted = tf.einsum("npk,kc->npc", features, kernel) + bias
        unexplained = tf.reduce_mean(tf.reduce_sum(tf.square(predicted - targets), -1)) / variance
        gram = tf.matmul(predicted, predicted, transpose_a=True)
        target_gram = tf.matmul(targets, targets, transpose_a=True)
        error = tf.reduce_sum(tf.square(gram - target_gram), (1, 2))
        relative = error / (tf.reduce_sum(tf.square(target_gram), (1, 2)) + 1e-6)
        return unexplained, tf.reduce_mean(tf.minimum(relative, 4.0))

    def metric(self) -> Tensor:
        """S = M M^T of the map M without a bias, (k, k): d S d^T is the squared length of d M."""
        kernel = _solved(self._square / self._weight, self._cross / self._weight)
        return tf.matmul(kernel, kernel, transpose_b=True)

    def _update(self, flat: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The map (k, C), its bias (C,) and the targets' total variance, after this step's samples."""
        count = tf.cast(tf.shape(flat)[0], tf.float32)
        keep = self._decay
        self._weight.assign(keep * self._weight + 1.0)
        self._mean.assign(keep * self._mean + tf.reduce_mean(flat, 0))
        self._target_mean.assign(keep * self._target_mean + tf.reduce_mean(wanted, 0))
        self._square.assign(keep * self._square + tf.matmul(flat, flat, transpose_a=True) / count)
        self._cross.assign(keep * self._cross + tf.matmul(flat, wanted, transpose_a=True) / count)
        self._energy.assign(keep * self._energy + tf.reduce_sum(tf.square(wanted)) / count)
        mean, target_mean = self._mean / self._weight, self._target_mean / self._weight
        square = self._square / self._weight - mean[:, None] * mean[None, :]
        cross = self._cross / self._weight - mean[:, None] * target_mean[None, :]
        kernel = _solved(square, cross)
        bias = target_mean - tf.linalg.matvec(kernel, mean, transpose_a=True)
        variance = self._energy / self._weight - tf.reduce_sum(tf.square(target_mean))
        return kernel, bias, variance


def _solved(square: Tensor, cross: Tensor) -> Tensor:
    """The least-squares map (k, C) from the features' moments (k, k) and those with the targets."""
    ridge = RIDGE * tf.reduce_mean(tf.linalg.diag_part(square)) + 1e-6
    return tf.linalg.solve(square + ridge * tf.eye(square.shape[0]), cross)
