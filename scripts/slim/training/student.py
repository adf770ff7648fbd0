"""The slim network while it learns: batch normalisation after every convolution, folded away at the end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from stylize.layers import block_of
from stylize.weights import WIDTHS

from .teachers import SLIM_LAYERS, preprocessed

Tensor = Any
Arrays = dict[str, NDArray[np.float32]]

INPUT_SCALE = 1.0 / 64.0
"""Brings preprocessed pixels to about 1 while training; folded into the first kernel."""
EPSILON = 1e-4
MOMENTUM = 0.99


class Student(tf.Module):
    """Fourteen 3x3 convolutions, zero padded, batch-normalised, with ReLU; max pooling between the blocks."""

    def __init__(self, seed: int) -> None:
        super().__init__(name="student")
        rng = np.random.default_rng([seed, 2])
        self.kernels, self.gammas, self.betas, self.means, self.variances = [], [], [], [], []
        inputs = 3
        for layer in SLIM_LAYERS:
            width = WIDTHS["vgg19-slim"][block_of(layer) - 1]
            scale = np.sqrt(2.0 / (9 * inputs))
            kernel = rng.normal(0.0, scale, (3, 3, inputs, width)).astype(np.float32)
            self.kernels.append(tf.Variable(kernel, name=f"{layer}_kernel"))
            self.gammas.append(tf.Variable(tf.ones(width), name=f"{layer}_gamma"))
            self.betas.append(tf.Variable(tf.zeros(width), name=f"{layer}_beta"))
            self.means.append(tf.Variable(tf.zeros(width), trainable=False, name=f"{layer}_mean"))
            self.variances.append(tf.Variable(tf.ones(width), trainable=False, name=f"{layer}_variance"))
            inputs = width

    def activations(self, images: Tensor, *, training: bool, dtype: Any = tf.float32) -> dict[str, Tensor]:
        """Activations of every layer for RGB in [0, 1], shape (N, H, W, 3).

        While training, a batch is normalised by its own moments and the running ones follow; otherwise by
        the running ones.
        """
        value = tf.cast(preprocessed(images) * INPUT_SCALE, dtype)
        found = {}
        for number, layer in enumerate(SLIM_LAYERS):
            if layer.endswith("conv1") and number:
                value = tf.nn.max_pool2d(value, 2, 2, "SAME")
            value = tf.nn.conv2d(value, tf.cast(self.kernels[number], dtype), 1, "SAME")
            value = tf.nn.relu(self._normalised(number, value, training))
            found[layer] = value
        return found

    def folded(self) -> Arrays:
        """Plain kernels and biases that compute the same as the normalised network, for VGG's input."""
        arrays: Arrays = {}
        for number, layer in enumerate(SLIM_LAYERS):
            factor = self.gammas[number].numpy() / np.sqrt(self.variances[number].numpy() + EPSILON)
            kernel = self.kernels[number].numpy() * factor * (INPUT_SCALE if number == 0 else 1.0)
            arrays[f"{layer}/kernel"] = kernel.astype(np.float32)
            arrays[f"{layer}/bias"] = self.betas[number].numpy() - self.means[number].numpy() * factor
        return arrays

    def _normalised(self, number: int, value: Tensor, training: bool) -> Tensor:
        mean, variance = self.means[number], self.variances[number]
        empty = tf.zeros((0,))
        value, batch_mean, batch_variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=value,
            scale=self.gammas[number],
            offset=self.betas[number],
            mean=empty if training else mean.value(),
            variance=empty if training else variance.value(),
            epsilon=EPSILON,
            is_training=training,
        )
        if training:
            mean.assign(MOMENTUM * mean + (1.0 - MOMENTUM) * batch_mean)
            variance.assign(MOMENTUM * variance + (1.0 - MOMENTUM) * batch_variance)
        return value


class Forger:
    """Makes pictures the way style transfer does, with the student as it stands.

    What the optimiser finds is what fools the network: pictures whose Gram matrices agree in the student's
    eyes and not in the teacher's. Shown to the teachers, these teach what photographs cannot.
    """

    def __init__(self, student: Student, *, steps: int = 40, rate: float = 0.03) -> None:
        self._student, self._steps, self._rate = student, steps, rate
        self.forge = tf.function(self._forge)

    def _forge(self, contents: Tensor, styles: Tensor) -> Tensor:
        """`contents` in the style of `styles`, all (N, H, W, 3) in [0, 1], by Adam on the pixels."""
        wanted = self._look(styles)[0]
        kept = self._look(contents)[1]
        picture, first, second = contents, tf.zeros_like(contents), tf.zeros_like(contents)
        for step in tf.range(1, self._steps + 1):
            with tf.GradientTape() as tape:
                tape.watch(picture)
                grams, content = self._look(picture)
                losses = [_relative(gram, target) for gram, target in zip(grams, wanted, strict=True)]
                total = tf.reduce_sum(8.0 * tf.add_n(losses) + _relative(content, kept))
            gradient = tape.gradient(total, picture)
            first = 0.9 * first + 0.1 * gradient
            second = 0.99 * second + 0.01 * tf.square(gradient)
            time = tf.cast(step, tf.float32)
            move = (first / (1.0 - 0.9**time)) / (tf.sqrt(second / (1.0 - 0.99**time)) + 1e-8)
            picture = tf.clip_by_value(picture - self._rate * move, 0.0, 1.0)
        return picture

    def _look(self, images: Tensor) -> tuple[list[Tensor], Tensor]:
        found = self._student.activations(images, training=False)
        grams = []
        for layer in SLIM_LAYERS:
            if layer.endswith("conv1"):
                flat = tf.reshape(found[layer], (images.shape[0], -1, found[layer].shape[-1]))
                grams.append(tf.matmul(flat, flat, transpose_a=True) / flat.shape[1])
        return grams, found["block4_conv2"]


def _relative(value: Tensor, target: Tensor) -> Tensor:
    axes = list(range(1, value.shape.rank))
    return tf.reduce_sum(tf.square(value - target), axes) / (tf.reduce_sum(tf.square(target), axes) + 1e-9)


def rescaled(arrays: Arrays, factors: Mapping[str, NDArray[np.float64]]) -> Arrays:
    """`arrays` with the channels of each layer's activations multiplied by positive `factors`.

    ReLU is linear for positive factors: what a channel is multiplied by, the next layer's kernel makes good
    (as in Gatys et al. 2016, section 2).
    """
    scaled, before = {}, np.ones(3)
    for layer in SLIM_LAYERS:
        kernel = arrays[f"{layer}/kernel"] / before[:, None] * factors[layer]
        scaled[f"{layer}/kernel"] = kernel.astype(np.float32)
        scaled[f"{layer}/bias"] = (arrays[f"{layer}/bias"] * factors[layer]).astype(np.float32)
        before = factors[layer]
    return scaled


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Write an .npz that `stylize.weights.verify` reads, whole or not at all."""
    temporary = path.with_name(f".{path.name}.part.npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(temporary, allow_pickle=False, **arrays)
    temporary.replace(path)
