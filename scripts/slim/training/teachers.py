"""The networks that vgg19-slim learns from, and what each of its layers learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from stylize.backbone import IMAGENET_MEAN, Vgg19
from stylize.errors import WeightsError
from stylize.layers import LAYERS, block_of
from stylize.weights import verify

Tensor = Any

SLIM_LAYERS = LAYERS[: LAYERS.index("block5_conv2") + 1]


class Compressed16x:
    """The published 16x compression of VGG-19 (Wang et al., CVPR 2020), to block5_conv1.

    Its file begins with a 1x1 layer that does VGG's preprocessing (RGB in [0, 1] in, BGR about the mean
    colour out). It pads by reflection. It has the interface of `stylize.backbone.Vgg19`.
    """

    name = "vgg19-16x"

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        self.layers = tuple(layer for layer in LAYERS if f"{layer}/kernel" in arrays)
        self._input = (tf.constant(arrays["input/kernel"]), tf.constant(arrays["input/bias"]))
        self._parameters = {
            layer: (tf.constant(arrays[f"{layer}/kernel"]), tf.constant(arrays[f"{layer}/bias"]))
            for layer in self.layers
        }

    def activations(self, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """As `Vgg19.activations`: RGB in [0, 1], shape (N, H, W, 3), to activations by layer name."""
        found = {"image": images} if "image" in layers else {}
        dtype = images.dtype
        value = tf.nn.conv2d(images, tf.cast(self._input[0], dtype), 1, "SAME") + tf.cast(
            self._input[1], dtype
        )
        for layer in self.layers:
            if layer.endswith("conv1") and block_of(layer) > 1:
                value = tf.nn.max_pool2d(value, 2, 2, "SAME")
            kernel, bias = self._parameters[layer]
            value = tf.pad(value, ((0, 0), (1, 1), (1, 1), (0, 0)), "REFLECT")
            value = tf.nn.conv2d(value, tf.cast(kernel, dtype), 1, "VALID")
            value = tf.nn.relu(tf.nn.bias_add(value, tf.cast(bias, dtype)))
            if layer in layers:
                found[layer] = value
        return found


def read_teacher(path: Path) -> Vgg19 | Compressed16x:
    """The network in a weight file: VGG-19's layers in any format the project reads, or the 16x network.

    Raises
    ------
    WeightsError
        In one line, for anything else.
    """
    if path.suffix == ".npz" and path.is_file():
        with np.load(path, allow_pickle=False) as file:
            if "input/kernel" in file.files:
                return Compressed16x(path)
    return Vgg19(verify(path))


@dataclass(frozen=True)
class Lesson:
    """What a layer of the slim network learns: to predict, by a linear map, a teacher's activations.

    Attributes
    ----------
    layer
        Of the slim network.
    teacher, source
        Index of the teacher, and its layer.
    surroundings
        Whether the mean over the 3x3 neighbourhood is to be predicted beside the activations: the lesson
        of a layer that comes one convolution after `source` and has no teacher of its own.
    weight
        Of this layer's loss.
    """

    layer: str
    teacher: int
    source: str
    surroundings: bool
    weight: float


def plan_lessons(teachers: Sequence[Any]) -> tuple[Lesson, ...]:
    """A lesson for each layer of the slim network: the first teacher that has the layer gives it.

    The five first layers of the blocks, which carry style, count fully, the default content layer 0.7, the
    others 0.3: they only need to pass on what the next one needs.
    """
    lessons = []
    for layer in SLIM_LAYERS:
        weight = 1.0 if layer.endswith("conv1") else 0.7 if layer == "block4_conv2" else 0.3
        source, surroundings = layer, False
        number = _first_with(teachers, layer)
        if number is None:
            source, surroundings = layer[:-1] + str(int(layer[-1]) - 1), True
            number = _first_with(teachers, source)
        if number is None:
            raise WeightsError(f"no teacher has {layer}; give one with --teacher that reaches it")
        lessons.append(Lesson(layer, number, source, surroundings, weight))
    return tuple(lessons)


def lesson_targets(teachers: Sequence[Any], lessons: Sequence[Lesson], images: Tensor) -> dict[str, Tensor]:
    """What the slim network should be able to predict of `images` (N, H, W, 3), by its layer names."""
    targets = {}
    for number, teacher in enumerate(teachers):
        mine = [lesson for lesson in lessons if lesson.teacher == number]
        found = teacher.activations(images, [lesson.source for lesson in mine])
        for lesson in mine:
            value = found[lesson.source]
            if lesson.surroundings:
                value = tf.concat([value, tf.nn.avg_pool2d(value, 3, 1, "SAME")], axis=-1)
            targets[lesson.layer] = value
    return targets


def preprocessed(images: Tensor) -> Tensor:
    """VGG's input from RGB in [0, 1]: BGR, 0 to 255, about ImageNet's mean colour."""
    return (images * 255.0 - tf.constant(IMAGENET_MEAN, images.dtype))[..., ::-1]


def _first_with(teachers: Sequence[Any], layer: str) -> int | None:
    return next((number for number, teacher in enumerate(teachers) if layer in teacher.layers), None)
