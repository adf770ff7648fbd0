"""VGG-19, full or slim: pictures in, named activations out, in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np
import tensorflow as tf

from stylize.convolution import Convolution
from stylize.errors import ConfigError
from stylize.layers import LAYERS, block_of
from stylize.types import FloatImage, Tensor
from stylize.weights import Weights
from stylize.weights.files import Array

IMAGENET_MEAN = (123.68, 116.779, 103.939)
"""Mean RGB colour of the pictures VGG-19 was trained on, in 0 to 255 (Simonyan & Zisserman 2015)."""

_QUIET_FILTER = 0.2
"""Filters whose mean is under this share of their layer's mean are rescaled as if it were this share."""


class Vgg19:
    """VGG-19's convolutional part with fixed weights.

    Input is RGB in [0, 1]; it is scaled to 0 to 255 and the ImageNet mean colour subtracted. (The published
    weights read BGR: the first kernel is turned round once instead of every picture.) Convolutions pad with
    zeros; pooling is 2x2 with stride 2, and an odd last row or column is pooled by itself, as in the Caffe
    network that was published (ports that drop it leave the right and lower border of a picture to itself).

    Where a layer has a tap (:class:`stylize.weights.Weights`), its activations are multiplied by it when they
    are read; the next layer gets them as they are. So the activations of ``vgg19-slim`` have the full
    network's lengths and angles, and the weights of published systems, in its units, mean about the same.

    Parameters
    ----------
    weights
        Kernels and biases by layer name, a prefix of VGG-19's sixteen layers.
    pooling
        "max", as trained, or "average" (Gatys et al. 2016, section 2: "slightly more appealing results").
    mixed
        Convolve in bfloat16, which has float32's range and 8 bits of precision; activations are of that type.
    """

    def __init__(self, weights: Weights, *, pooling: str = "max", mixed: bool = False) -> None:
        if pooling not in ("max", "average"):
            raise ConfigError(f"pooling: unknown value {pooling!r}: choose from max, average")
        self.name = weights.name
        self.pooling = pooling
        self.mixed = mixed
        self.layers = tuple(layer for layer in LAYERS if layer in weights.layers)
        self._parameters: dict[str, tuple[Any, Any]] = {}
        self._convolved: dict[tuple[str, Any], tuple[Convolution, Tensor]] = {}
        self._taps: dict[str, Array] = dict(weights.taps)
        self._tapped: dict[tuple[str, Any], Convolution] = {}
        for layer in self.layers:
            kernel, bias = weights.layers[layer]
            if layer == LAYERS[0]:
                kernel = kernel[:, :, ::-1, :] * np.float32(255.0)
            self._parameters[layer] = kernel, bias

    def width_of(self, layer: str) -> int:
        """The number of a layer's filters."""
        return int(self._parameters[layer][0].shape[3])

    def is_tapped(self, layer: str) -> bool:
        """Whether a layer's activations are multiplied by a tap where they are read."""
        return layer in self._taps

    def activations(self, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Activations after ReLU of the named layers, from one pass as deep as the deepest of them.

        Parameters
        ----------
        images
            Shape (N, H, W, 3), RGB in [0, 1]; any float type (the weights follow it).
        layers
            Keras layer names; "image" stands for the pictures themselves.

        Returns
        -------
        dict
            By layer name, shape (N, H', W', C), of the pictures' type, or bfloat16.

        Raises
        ------
        ConfigError
            If the weights end before one of the layers.
        """
        self.check(layers)
        found = {"image": images} if "image" in layers else {}
        wanted = [layer for layer in layers if layer != "image"]
        if not wanted:
            return found
        dtype = tf.bfloat16 if self.mixed else images.dtype
        value = tf.cast(images - tf.constant(np.asarray(IMAGENET_MEAN) / 255.0, images.dtype), dtype)
        deepest = max(wanted, key=LAYERS.index)
        for layer in LAYERS[: LAYERS.index(deepest) + 1]:
            if layer.endswith("conv1") and block_of(layer) > 1:
                value = self._pool(value)
            convolution, bias = self._of_type(layer, dtype)
            value = tf.nn.relu(tf.nn.bias_add(convolution(value), bias))
            if layer in wanted:
                found[layer] = self._read(layer, value)
        return found

    def _of_type(self, layer: str, dtype: tf.DType) -> tuple[Convolution, Tensor]:
        """Convolution and bias of a layer in a type; made once, for layers that are seen.

        A trace that cast them itself would do so in every evaluation: what it captures is no constant to it.
        """
        if (layer, dtype) not in self._convolved:
            with tf.init_scope():
                kernel, bias = self._single(layer)
                convolution = Convolution(tf.cast(kernel, dtype))
                self._convolved[layer, dtype] = convolution, tf.cast(bias, dtype)
        return self._convolved[layer, dtype]

    def _read(self, layer: str, value: Tensor) -> Tensor:
        """Activations of a layer as the losses see them."""
        if not self.is_tapped(layer):
            return value
        if (layer, value.dtype) not in self._tapped:
            with tf.init_scope():
                tap = tf.cast(self._taps[layer][None, None], value.dtype)
                self._tapped[layer, value.dtype] = Convolution(tap)
        return self._tapped[layer, value.dtype](value)

    def _single(self, layer: str) -> tuple[Tensor, Tensor]:
        """The same in single precision, as they were given."""
        kernel, bias = (tf.convert_to_tensor(part, tf.float32) for part in self._parameters[layer])
        return kernel, bias

    def rescaled(self, pictures: Sequence[FloatImage]) -> Vgg19:
        """This network with every filter's mean activation over `pictures` brought to 1.

        Gatys et al. 2016, section 2: as ReLU is linear for positive factors, dividing a filter's weights by
        its mean and multiplying the next layer's input weights by the same leaves what the network
        computes unchanged but for the factor. Their means are over ImageNet; over a few pictures some
        filters hardly respond, and bringing these to 1 would make noise of them, so small means count as
        `_QUIET_FILTER` of the layer's. Filters are those of the network itself: there are no taps any more.
        """
        network = copy(self)
        network._taps, network._convolved = {}, {}
        means = network._mean_activations(pictures)
        network._parameters, network._convolved = {}, {}
        before: Tensor = tf.ones((3,))
        for layer in self.layers:
            kernel, bias = self._single(layer)
            floor = tf.maximum(_QUIET_FILTER * tf.reduce_mean(means[layer]), 1e-6)
            scale = tf.maximum(means[layer], floor)
            network._parameters[layer] = (kernel * before[:, None] / scale, bias / scale)
            before = scale
        return network

    def _mean_activations(self, pictures: Sequence[FloatImage]) -> Mapping[str, Tensor]:
        totals = dict.fromkeys(self.layers, 0.0)
        for picture in pictures:
            for layer, value in self.activations(picture[None], self.layers).items():
                mean = tf.reduce_mean(tf.cast(value, picture.dtype), axis=(0, 1, 2))
                totals[layer] = totals[layer] + mean / len(pictures)
        return totals

    def _pool(self, value: Tensor) -> Tensor:
        pool = tf.nn.max_pool2d if self.pooling == "max" else tf.nn.avg_pool2d
        return pool(value, ksize=2, strides=2, padding="SAME")

    def check(self, layers: Sequence[str]) -> None:
        """ConfigError if the weights end before one of the layers."""
        missing = [layer for layer in layers if layer != "image" and layer not in self._parameters]
        if missing:
            raise ConfigError(
                f"the weights of {self.name} end at {self.layers[-1]} and have no {missing[0]}; "
                f"choose a layer up to there or other weights"
            )
