"""A worked picture enlarged with the edges of its original, which is there at the larger size."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .images import FloatImage

_RADIUS = 2
"""Of the places, in pixels of the small picture, in which it is compared with its original."""

_NOISE = 1e-3
"""Variance of luminance that is no edge yet: (0.03)^2."""

_STEEPEST = 1.0
"""An edge of the original counts at most this much: what was painted faint stays faint."""

_LUMINANCE = np.array([[0.299, 0.587, 0.114]], np.float32)


def enlarge(picture: FloatImage, original: FloatImage) -> FloatImage:
    """`picture` at the size of `original`, with its edges as sharp as they are there.

    How the picture follows the original's luminance is found from place to place at the small size, as in
    the guided filter (He, Sun & Tang 2013), by least squares. What enlarging takes from the original is then
    given back to the picture by that measure: an edge that was painted over does not come back, one that was
    painted light on dark comes back so. The rest of the picture is enlarged (Lanczos).

    Parameters
    ----------
    picture
        Shape (h, w, 3), in [0, 1].
    original
        Shape (H, W, 3), in [0, 1]; of nearly the same shape.
    """
    small, large = picture.shape[1::-1], original.shape[1::-1]
    light = cv2.transform(np.ascontiguousarray(original), _LUMINANCE)
    guide = _resized(light, small)
    follows = _slopes(picture, guide)
    lost = light - _resized(guide, large)
    found = _resized(picture, large) + _resized(follows, large) * lost[..., None]
    result: FloatImage = np.clip(found, 0.0, 1.0, dtype=np.float32)
    return result


def _slopes(picture: FloatImage, guide: NDArray[np.float32]) -> NDArray[np.float32]:
    """By how much each channel rises with the guide around every pixel, shape (h, w, 3)."""

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        side = 2 * _RADIUS + 1
        return np.asarray(cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT), np.float32)

    wide = guide[..., None]
    middle = mean(guide)
    variance = mean(guide * guide) - middle * middle
    together = mean(picture * wide) - mean(picture) * middle[..., None]
    slopes = together / (np.maximum(variance, 0.0) + _NOISE)[..., None]
    return mean(np.clip(slopes, -_STEEPEST, _STEEPEST).astype(np.float32))


def _resized(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """At a size (width, height): area averages when shrinking, Lanczos when enlarging; not clipped."""
    smaller = size[0] <= values.shape[1]
    return np.asarray(
        cv2.resize(values, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LANCZOS4), np.float32
    )
