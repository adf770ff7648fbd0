"""Random networks of a few narrow convolutions, so that a test of the engine takes milliseconds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylize.config import StylizeConfig
from stylize.weights import LAYERS, Weights

TINY_LAYERS = ("block1_conv1", "block1_conv2", "block2_conv1")


def tiny_weights(count: int = 3, widths: tuple[int, ...] = (3, 4, 4, 4, 4), seed: int = 0) -> Weights:
    """The first `count` layers of a VGG-19 with `widths` channels a block; seeded.

    The first kernel is scaled for input of 0 to 255, so that every activation is of the order of 1.
    """
    random, layers, inputs = np.random.default_rng(seed), {}, 3
    for layer in LAYERS[:count]:
        width = widths[int(layer[len("block")]) - 1]
        scale = np.sqrt(2.0 / (9 * inputs)) / (64.0 if layer == LAYERS[0] else 1.0)
        kernel = random.normal(scale=scale, size=(3, 3, inputs, width)).astype(np.float32)
        layers[layer] = (kernel, random.uniform(0.0, 0.2, size=width).astype(np.float32))
        inputs = width
    return Weights(name="custom", source="tiny", sha256="", layers=layers)


def random_picture(height: int = 16, width: int = 16, seed: int = 0) -> NDArray[np.float32]:
    """A smooth random picture, float32 RGB in [0.1, 0.9]: blobs of colour and a little grain."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    picture = np.zeros((height, width, 3))
    for channel in range(3):
        across, down = random.uniform(0.1, 0.6, size=2)
        phase = random.uniform(0.0, 6.0)
        picture[..., channel] = 0.5 + 0.35 * np.sin(across * rows + down * columns + phase)
    picture += random.uniform(-0.05, 0.05, size=picture.shape)
    return picture.clip(0.1, 0.9).astype(np.float32)


def tiny_config(**settings: Any) -> StylizeConfig:
    """A configuration on the layers of :func:`tiny_weights`, one level, a few iterations."""
    small: dict[str, Any] = {
        "content_layers": ("block2_conv1",),
        "style_statistic": "gram",
        "style_layers": ("block1_conv1", "block2_conv1"),
        "content_weight": 1.0,
        "style_weight": 1.0,
        "tv_weight": 0.0,
        "flat_weight": 0.0,
        "normalization": "relative",
        "pooling": "max",
        "init": "content",
        "optimizer": "lbfgs",
        "iterations": 3,
        "levels": 1,
        "history": 3,
        "learning_rate": 0.02,
        "seed": 0,
    }
    return StylizeConfig(**{**small, **settings})
