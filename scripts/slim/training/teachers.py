"""What vgg19-slim learns from: VGG-19, layer for layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from stylize.backbone import IMAGENET_MEAN, Vgg19
from stylize.config import SUITED, StylizeConfig
from stylize.errors import WeightsError
from stylize.layers import LAYERS
from stylize.weights import embedded_path, verify

Tensor = Any

SLIM_LAYERS = LAYERS[: LAYERS.index("block5_conv2") + 1]

TEACHER = embedded_path("vgg19")
"""VGG-19 in eight bits a weight, as the package has it: what pictures are made on otherwise."""

READ_LAYERS = frozenset(
    {
        *StylizeConfig().content_layers,
        *SUITED["nearest"]["style_layers"],
        *SUITED["gram"]["style_layers"],
    }
)
"""The layers that the default settings and most presets read."""

PASSED_ON = 0.3
"""Weight of the lessons of the other layers: they only need to pass on what the next one needs."""


@dataclass(frozen=True)
class Lesson:
    """That `layer` of the slim network predict the teacher's activations by a linear map, and its weight."""

    layer: str
    weight: float


def read_teacher(path: Path) -> Vgg19:
    """The network in a weight file of any format that the project reads.

    Raises
    ------
    WeightsError
        In one line, for anything else, and for a network that ends before the slim one.
    """
    teacher = Vgg19(verify(path))
    if SLIM_LAYERS[-1] not in teacher.layers:
        raise WeightsError(
            f"{path}: ends at {teacher.layers[-1]}; the slim network learns up to {SLIM_LAYERS[-1]}"
        )
    return teacher


def plan_lessons() -> tuple[Lesson, ...]:
    """A lesson for each layer of the slim network."""
    return tuple(Lesson(layer, 1.0 if layer in READ_LAYERS else PASSED_ON) for layer in SLIM_LAYERS)


def lesson_targets(teacher: Any, lessons: Sequence[Lesson], images: Tensor) -> dict[str, Tensor]:
    """What the slim network should be able to predict of `images` (N, H, W, 3), by its layer names."""
    found: dict[str, Tensor] = teacher.activations(images, [lesson.layer for lesson in lessons])
    return found


def preprocessed(images: Tensor) -> Tensor:
    """VGG's input from RGB in [0, 1]: BGR, 0 to 255, about ImageNet's mean colour."""
    return (images * 255.0 - tf.constant(IMAGENET_MEAN, images.dtype))[..., ::-1]
