"""Which parts of a picture are flat: where a mesh would show, and may be smoothed.

Gram matrices ask for the style's mean energy at every scale and do not say where; an optimiser spreads the
finest of it over walls and skies, as a weave of three to five pixels. Measured in docs/decisions.md.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from stylize.types import FloatImage

_LUMA = (0.299, 0.587, 0.114)
_NEIGHBOURHOOD = 9
_FLAT = 0.05
"""The standard deviation of luma within a neighbourhood at which a place counts as half flat."""


def flatness(picture: FloatImage) -> NDArray[np.float32]:
    """How flat each pixel's surroundings are: 1 / (1 + (s / 0.05)^2), s the deviation of luma in 9x9 pixels.

    The finest octave is left out, so that a mesh that is there already does not hide a flat part.

    Parameters
    ----------
    picture
        Shape (H, W, 3), in [0, 1].

    Returns
    -------
    array
        Shape (H, W), in (0, 1].
    """
    luma = tf.tensordot(tf.constant(picture[None]), tf.constant(_LUMA), 1)[..., None]
    size = luma.shape[1:3]
    coarse = tf.nn.avg_pool2d(luma, 2, 2, "SAME")
    luma = tf.image.resize(coarse, size, method="bilinear")
    mean = tf.nn.avg_pool2d(luma, _NEIGHBOURHOOD, 1, "SAME")  # at the border over what there is
    variance = tf.nn.avg_pool2d(tf.square(luma), _NEIGHBOURHOOD, 1, "SAME") - tf.square(mean)
    flat = 1.0 / (1.0 + tf.maximum(variance, 0.0) / _FLAT**2)
    return np.asarray(flat[0, ..., 0], np.float32)


def smoothed_at(level: int, start: FloatImage) -> NDArray[np.float32]:
    """How much each pixel is smoothed, shape (1, H, W, 1): its `flatness` at full size, else not at all.

    Parameters
    ----------
    level
        Of the pyramid; 0 is full size.
    start
        The picture that the level starts from, shape (H, W, 3), in [0, 1].
    """
    flat = flatness(start) if level == 0 else np.zeros(start.shape[:2], np.float32)
    return flat[None, ..., None]
