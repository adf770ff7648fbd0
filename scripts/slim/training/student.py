"""The slim network while it learns: batch normalisation after every convolution, folded away at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from stylize.layers import block_of
from stylize.weights import WIDTHS, Weights

from .teachers import SLIM_LAYERS, preprocessed

Tensor = Any
Arrays = dict[str, NDArray[np.float32]]
Look = Callable[[Tensor, Sequence[str]], dict[str, Tensor]]

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
            value = _entering(layer, value)
            value = tf.nn.conv2d(value, tf.cast(self.kernels[number], dtype), 1, "SAME")
            value = tf.nn.relu(self._normalised(number, value, training))
            found[layer] = value
        return found

    def fixed(self, images: Tensor) -> Look:
        """The network normalised by the moments over `images` (N, H, W, 3), whatever it is shown next.

        What it returns is as `stylize.backbone.Vgg19.activations`, and may be differentiated twice.
        The moments follow the kernels: by the running ones, which lag behind, a network under training would
        be another one, and learn to be.
        """
        folded: list[tuple[Tensor, Tensor]] = []
        value = preprocessed(images) * INPUT_SCALE
        for number, layer in enumerate(SLIM_LAYERS):
            value = _entering(layer, value)
            value = tf.nn.conv2d(value, self.kernels[number], 1, "SAME")
            mean, variance = tf.nn.moments(value, (0, 1, 2))
            factor = self.gammas[number] / tf.sqrt(variance + EPSILON)
            bias = self.betas[number] - mean * factor
            folded.append((self.kernels[number] * factor, bias))
            value = tf.nn.relu(value * factor + bias)

        def look(pictures: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
            value = preprocessed(pictures) * INPUT_SCALE
            found: dict[str, Tensor] = {}
            for layer, (kernel, bias) in zip(SLIM_LAYERS, folded, strict=True):
                value = _entering(layer, value)
                value = found[layer] = tf.nn.relu(tf.nn.conv2d(value, kernel, 1, "SAME") + bias)
            return {layer: found[layer] for layer in layers}

        return look

    def adopt(self, weights: Weights, images: Tensor) -> None:
        """Go on from a finished network: compute what it does, with normalisation as if just measured.

        Parameters
        ----------
        weights
            Of vgg19-slim.
        images
            RGB in [0, 1], shape (N, H, W, 3), over which the moments are measured; the more the better.
        """
        value = preprocessed(images) * INPUT_SCALE
        for number, layer in enumerate(SLIM_LAYERS):
            kernel, bias = weights.layers[layer]
            if number == 0:
                kernel = kernel / INPUT_SCALE
            value = _entering(layer, value)
            value = tf.nn.conv2d(value, kernel, 1, "SAME")
            mean, variance = tf.nn.moments(value, (0, 1, 2))
            self.kernels[number].assign(kernel)
            self.means[number].assign(mean)
            self.variances[number].assign(variance)
            self.gammas[number].assign(tf.sqrt(variance + EPSILON))
            self.betas[number].assign(bias + mean)
            value = tf.nn.relu(value + bias)

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


def _entering(layer: str, value: Tensor) -> Tensor:
    """What `layer` sees of the layer before it: pooled where a block begins."""
    begins = layer.endswith("conv1") and layer != SLIM_LAYERS[0]
    return tf.nn.max_pool2d(value, 2, 2, "SAME") if begins else value


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


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an .npz of arrays only, as `stylize.weights.verify` reads weights: whole or not at all."""
    temporary = path.with_name(f".{path.name}.part.npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(temporary, allow_pickle=False, **arrays)
    temporary.replace(path)
