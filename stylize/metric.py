"""The initial inverse Hessian of L-BFGS: how far a step may go by frequency, colour and place.

What a picture's loss curves like is known before it is measured. Large forms curve little and may move far;
the spectrum of pictures, 1/f, is the step a frequency gets. Colour differences curve like fine luminance at
every frequency and get less than luminance. And flat regions curve otherwise than busy ones: how the
gradient has changed in the last steps, averaged over a neighbourhood, tells where steps must be small.
Measured in docs/decisions.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from stylize.types import Tensor

CHROMA_SHARE = 0.4
"""Size of a step in the two colour differences, of that in luminance."""

_COLORS = np.array([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
COLORS = (_COLORS / np.linalg.norm(_COLORS, axis=1, keepdims=True)).astype(np.float32)
"""Orthonormal rows: luminance, red against blue, green against both."""

_MEMORY = 0.8
_NEIGHBOURHOOD = 13
_EXPONENT = 0.3
_FLOOR = 0.1


def spectrum(height: int, width: int) -> Any:
    """Step sizes by channel of `COLORS` and frequency, shape (3, height, width // 2 + 1), of mean 1.

    1/f, f in cycles a pixel and at least one cycle over the longer side.
    """
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    inverse = 1.0 / np.maximum(f, 1.0 / max(height, width))
    steps = np.stack([inverse, CHROMA_SHARE * inverse, CHROMA_SHARE * inverse])
    return steps / steps.mean()


def scaled(value: Tensor, steps: Tensor, places: Tensor) -> Tensor:
    """The initial inverse Hessian times `value`, symmetric and positive; shapes (1, H, W, 3).

    Parameters
    ----------
    steps
        `spectrum` of this shape, complex.
    places
        Shape (1, H, W, 1): see `relative_steps`.
    """
    planes = tf.einsum("nhwc,kc->nkhw", places * value, COLORS)
    planes = tf.signal.irfft2d(tf.signal.rfft2d(planes) * steps, fft_length=tf.shape(planes)[2:])
    return places * tf.einsum("nkhw,kc->nhwc", planes, COLORS)


def remembered(curvature: Tensor, change: Tensor) -> Tensor:
    """The running mean, shape (1, H, W, 1), of the squared change of the gradient, each time of mean 1."""
    squared = tf.reduce_mean(tf.square(change), axis=-1, keepdims=True)
    squared /= tf.maximum(tf.reduce_mean(squared), 1e-30)
    return _MEMORY * curvature + (1.0 - _MEMORY) * squared


def relative_steps(curvature: Tensor) -> Tensor:
    """How far steps may go by place, shape (1, H, W, 1), of mean 1, from what `remembered` gave."""
    # Down, then across: the mean over a square is separable. At the border it is over what there is.
    local = tf.nn.avg_pool2d(curvature, (_NEIGHBOURHOOD, 1), 1, "SAME")
    local = tf.nn.avg_pool2d(local, (1, _NEIGHBOURHOOD), 1, "SAME")
    steps = (local + _FLOOR * tf.reduce_mean(local) + 1e-30) ** -_EXPONENT
    return steps / tf.reduce_mean(steps)
