"""Pictures of soft random blobs, in which motion and forms can be found."""

from __future__ import annotations

import cv2
import numpy as np

from video.images import FloatImage


def smooth_scene(seed: int, height: int, width: int, deviation: float = 2.0) -> FloatImage:
    """Noise under a blur of this standard deviation in pixels, stretched to [0, 1]; shape (H, W, 3)."""
    noise = np.random.default_rng(seed).random((height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), deviation)
    return (smooth - smooth.min()) / (smooth.max() - smooth.min())
