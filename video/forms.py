"""Whether two pictures show the same forms, in whatever light."""

from __future__ import annotations

import cv2
import numpy as np

from .flow import Mask
from .images import FloatImage

_GRAIN = 2.5
"""Standard deviation in pixels of a blur that takes grain away."""

_AROUND = 6.0
"""Standard deviation in pixels of the window in which forms are compared."""

_FLAT = 0.02
"""Contrast, as a standard deviation in a window, under which a place counts as flat."""


def luma(picture: FloatImage) -> Mask:
    """The luminance of a picture, shape (H, W, 3), without its grain; shape (H, W)."""
    return np.asarray(cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (0, 0), _GRAIN))


def alike(one: Mask, other: Mask) -> Mask:
    """The correlation of two lumas around each pixel, shape (H, W), in [-1, 1]; two flat places are alike."""

    def mean(values: Mask) -> Mask:
        return np.asarray(cv2.GaussianBlur(values, (0, 0), _AROUND))

    flat = np.float32(_FLAT**2)
    first, second = one - mean(one), other - mean(other)
    spread = (mean(first * first) + flat) * (mean(second * second) + flat)
    return np.asarray((mean(first * second) + flat) / np.sqrt(spread), np.float32)
