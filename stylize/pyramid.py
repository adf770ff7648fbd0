"""Coarse to fine: the sizes of a pyramid, and scaling pictures between them."""

from __future__ import annotations

import numpy as np

from stylize.config import StylizeConfig
from stylize.types import FloatImage

_COARSEST_SIDE = 64
"""No level of the pyramid has a shorter side under this: below it a picture holds no content to keep."""


def shapes_of(config: StylizeConfig, height: int, width: int) -> list[tuple[int, int]]:
    """The shapes a picture of this size goes through, from coarse to fine."""
    return level_shapes(height, width, config.levels, max(_COARSEST_SIDE, config.minimum_side))


def level_shapes(height: int, width: int, levels: int, minimum_side: int) -> list[tuple[int, int]]:
    """(height, width) from the coarsest level to the finest, each half of the next, rounded.

    Levels whose shorter side would fall under `minimum_side` are left out; the finest always stays.
    """
    shapes = [(height, width)]
    for level in range(1, levels):
        shape = (round(height / 2**level), round(width / 2**level))
        if min(shape) < minimum_side:
            break
        shapes.insert(0, shape)
    return shapes


def rescale(picture: FloatImage, height: int, width: int) -> FloatImage:
    """`picture` at another size, bicubic with antialiasing, clipped to [0, 1]."""
    if picture.shape[:2] == (height, width):
        return picture
    import tensorflow as tf  # late: the levels can be counted without it

    scaled = tf.image.resize(picture, (height, width), method="bicubic", antialias=True)
    return np.clip(scaled.numpy(), 0.0, 1.0)
