"""What a picture and a tensor are, and the check at every door that takes a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylize.errors import ShapeError

FloatImage = NDArray[np.float32]
"""A picture: float32, RGB, in [0, 1], shape (H, W, 3)."""

Tensor = Any
"""A tf.Tensor; TensorFlow ships no types."""


def check_picture(value: Any, name: str, *, minimum_side: int = 1) -> FloatImage:
    """`value` as a picture, or a ShapeError that says what is wrong with it.

    Parameters
    ----------
    value
        The array to check.
    name
        What to call it in the message: "content", "style 2".
    minimum_side
        The shortest side in pixels that the layers in use can see.

    Raises
    ------
    ShapeError
        For any shape but (H, W, 3), a type other than a float, values that are not finite or lie
        outside [0, 1], or a side under `minimum_side`.
    """
    array = np.asarray(value)
    if array.ndim != 3 or array.shape[2] != 3:
        raise ShapeError(f"{name}: expected a picture of shape (H, W, 3), got {array.shape}")
    if array.dtype.kind != "f":
        raise ShapeError(f"{name}: expected floats in [0, 1], got {array.dtype}")
    height, width = array.shape[:2]
    if min(height, width) < minimum_side:
        raise ShapeError(
            f"{name}: {width}x{height} pixels is too small for the layers in use; "
            f"the shorter side needs at least {minimum_side} pixels"
        )
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ShapeError(f"{name}: has values that are not finite")
    if low < 0.0 or high > 1.0:
        raise ShapeError(f"{name}: expected values in [0, 1], got {low:.4g} to {high:.4g}")
    return np.ascontiguousarray(array, dtype=np.float32)


def check_like(value: Any, name: str, content: FloatImage) -> FloatImage:
    """`value` as a picture of the content's shape, or a ShapeError with both shapes."""
    picture = check_picture(value, name)
    if picture.shape != content.shape:
        raise ShapeError(f"{name}: shape {picture.shape} differs from the content's {content.shape}")
    return picture
