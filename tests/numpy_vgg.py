"""VGG-19's forward pass in NumPy and SciPy only: what the backbone is checked against.

Written from the paper's description (Simonyan & Zisserman 2015) and Keras' published preprocessing, and
in another order of work than the engine's: the picture is turned to BGR in 0 to 255 first, and
every convolution is a sum of two-dimensional correlations of the picture padded with zeros, in float64.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate

Array = NDArray[np.float64]
BGR_MEAN = (103.939, 116.779, 123.68)


def preprocess(picture: NDArray[np.floating]) -> Array:
    """RGB in [0, 1] to BGR in 0 to 255 less the mean colour of ImageNet."""
    return np.asarray(picture, np.float64)[..., ::-1] * 255.0 - np.asarray(BGR_MEAN)


def convolve(value: Array, kernel: NDArray[np.floating], bias: NDArray[np.floating]) -> Array:
    """3x3 correlation of (H, W, in) with (3, 3, in, out), zeros outside, plus the bias."""
    height, width, _ = value.shape
    padded = np.pad(value, ((1, 1), (1, 1), (0, 0)))
    found = np.zeros((height, width, kernel.shape[3]))
    for row in range(3):
        for column in range(3):
            found += padded[row : row + height, column : column + width] @ kernel[row, column].astype(
                np.float64
            )
    return found + bias


def convolve_one_by_one(value: Array, kernel: NDArray[np.floating], bias: NDArray[np.floating]) -> Array:
    """As :func:`convolve`, each pair of channels through SciPy's `correlate` (slow; to check the checker)."""
    planes = [
        sum(
            correlate(value[..., i], kernel[..., i, o].astype(np.float64), mode="same", method="direct")
            for i in range(value.shape[2])
        )
        for o in range(kernel.shape[3])
    ]
    return np.stack(planes, axis=-1) + bias


def pool(value: Array, kind: str) -> Array:
    """2x2 pooling with stride 2; an odd last row or column is pooled by itself."""
    height, width, channels = value.shape
    odd = ((0, height % 2), (0, width % 2), (0, 0))
    filled = np.pad(value, odd, constant_values=np.nan)
    cut = filled.reshape(-(-height // 2), 2, -(-width // 2), 2, channels)
    return np.nanmax(cut, axis=(1, 3)) if kind == "max" else np.nanmean(cut, axis=(1, 3))


def forward(
    layers: Mapping[str, tuple[NDArray[np.floating], NDArray[np.floating]]],
    picture: NDArray[np.floating],
    pooling: str = "max",
    *,
    slowly: bool = False,
) -> dict[str, Array]:
    """Activations after ReLU of every layer, (H', W', C) by Keras name; `layers` in the network's order."""
    value, found = preprocess(picture), {}
    for name, (kernel, bias) in layers.items():
        if name.endswith("_conv1") and name != "block1_conv1":
            value = pool(value, pooling)
        value = np.maximum((convolve_one_by_one if slowly else convolve)(value, kernel, bias), 0.0)
        found[name] = value
    return found
