"""Where a clip stands still: what of a frame shows something else than when it was last attended to."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .flow import Mask
from .images import FloatImage

NEAR = (1.5, 3.0 / 255.0)
"""Standard deviation of a blur in pixels, and the difference after it that is a change: an edge that moves.

A camera's noise of 2/255 a value falls to 0.4/255 by that blur.
"""

FAR = (8.0, 1.0 / 255.0)
"""The same for light that changes."""

SPREAD = 8
"""Pixels around a change that may change with it; the last of them fade out."""


class Stillness:
    """Follows what has changed in the frames of a shot, by their contents alone.

    A pixel is compared with what it showed when it last changed, not with the frame before: so what
    changes slowly is seen once it has come far enough. A frame in which nothing has changed is the one before
    it: a camera's noise, or a drawing held for several frames.

    Parameters
    ----------
    settling
        Frames for which a pixel counts as changing after a change, those that are held left out.
    """

    def __init__(self, settling: int) -> None:
        self._settling = settling
        self._shown: FloatImage | None = None
        self._since: NDArray[np.uint8] | None = None

    def begin_shot(self) -> None:
        """Forget all frames."""
        self._shown = self._since = None

    def look(self, frame: FloatImage) -> Mask | None:
        """How far each pixel of the next frame is to change, in [0, 1]; None for a shot's first.

        Shape (H, W).
        """
        if self._shown is None or self._since is None:
            self._shown, self._since = frame.copy(), np.full(frame.shape[:2], self._settling, np.uint8)
            return None
        apart = frame - self._shown
        changed = _beyond(apart, *NEAR)
        elsewhere = np.where(_wider(changed, SPREAD // 2)[..., None], np.float32(0.0), apart)
        changed |= _beyond(elsewhere, *FAR)
        if not changed.any():
            return np.zeros(frame.shape[:2], np.float32)
        self._shown = np.where(_wider(changed, SPREAD)[..., None], frame, self._shown)
        self._since = np.where(changed, 0, np.minimum(self._since + 1, self._settling)).astype(np.uint8)
        return _softened(self._since < self._settling)


def _beyond(apart: FloatImage, deviation: float, limit: float) -> NDArray[np.bool_]:
    """Where a blurred difference is over a limit in any colour."""
    return np.asarray(np.abs(cv2.GaussianBlur(apart, (0, 0), deviation)).max(axis=-1) > limit)


def _wider(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """A mask with so many pixels around it, as a disc reaches."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disc) > 0)


def _softened(mask: NDArray[np.bool_]) -> Mask:
    """1 on a mask and half of `SPREAD` around it, falling to 0 in the other half."""
    inner = _wider(mask, SPREAD // 2).astype(np.uint8)
    away = cv2.distanceTransform(1 - inner, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(np.clip(1.0 - 2.0 * away / SPREAD, 0.0, 1.0), np.float32)
