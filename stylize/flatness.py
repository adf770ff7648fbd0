"""Which parts of a picture are flat, and how much fine contrast the flat parts of a painting have.

Statistics of a painting ask for its energy at every scale and do not, or not exactly, say where; an optimiser
spreads the finest of it over walls and skies, as a weave of three to five pixels. What exceeds that of the
painting's own flat parts is smoothed: paper stays clean, impasto stays rough. Measured in docs/decisions.md.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from stylize.colors import LUMA
from stylize.losses import weighted_total_variation
from stylize.types import FloatImage, Tensor

_NEIGHBOURHOOD = 9
_EVEN = 1e-6
"""No variance is smaller: a picture of one colour is flat everywhere."""

_QUIETEST = 0.25
"""The share of a picture that counts as flat: its quietest neighbourhoods."""


def luminance(picture: FloatImage) -> Tensor:
    """The luma of a picture, shape (H, W, 3), as a map: shape (1, H, W, 1)."""
    return tf.tensordot(tf.constant(picture[None]), tf.constant(LUMA), 1)[..., None]


def flatness(picture: FloatImage) -> NDArray[np.float32]:
    """How flat each pixel's surroundings are: 1 / (1 + (s / q)^4), s the deviation of luma in 9x9 pixels.

    q is what a quarter of the picture stays below, so that a noisy picture has flat parts as well. The finest
    octave is left out: a mesh that is there already does not hide a flat part.

    Parameters
    ----------
    picture
        Shape (H, W, 3), in [0, 1].

    Returns
    -------
    array
        Shape (H, W), in (0, 1].
    """
    luma = luminance(picture)
    size = luma.shape[1:3]
    coarse = tf.nn.avg_pool2d(luma, 2, 2, "SAME")
    luma = tf.image.resize(coarse, size, method="bilinear")
    mean = tf.nn.avg_pool2d(luma, _NEIGHBOURHOOD, 1, "SAME")  # at the border over what there is
    variance = tf.nn.avg_pool2d(tf.square(luma), _NEIGHBOURHOOD, 1, "SAME") - tf.square(mean)
    variance = np.maximum(variance[0, ..., 0].numpy(), _EVEN)
    return 1.0 / (1.0 + (variance / np.quantile(variance, _QUIETEST).astype(np.float32)) ** 2)


def roughness(painting: FloatImage) -> float:
    """The mean squared difference of neighbours in the flat parts of a painting, shape (H, W, 3)."""
    weights = tf.constant(flatness(painting)[None, ..., None])
    return float(weighted_total_variation(tf.constant(painting[None]), weights)[0])


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
