"""What a frame is held to: a picture, with a weight a pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stylize.errors import ShapeError
from stylize.types import FloatImage, check_like


@dataclass(frozen=True)
class Anchor:
    """What a picture shall stay close to, pixel by pixel.

    Attributes
    ----------
    picture
        Shape (H, W, 3), in [0, 1].
    weights
        Shape (H, W), at least 0: how much each pixel counts, times the temporal weight.
    """

    picture: FloatImage
    weights: NDArray[np.float32]


def no_anchor(content: FloatImage) -> Anchor:
    """An anchor that holds nothing, of the content's shape."""
    return Anchor(content, np.zeros(content.shape[:2], np.float32))


def check_anchor(anchor: Anchor, content: FloatImage) -> None:
    """Raise ShapeError unless `anchor` fits a content and its weights are numbers from 0."""
    check_like(anchor.picture, "anchor", content)
    if anchor.weights.shape != content.shape[:2] or not np.all(anchor.weights >= 0.0):
        raise ShapeError(
            f"anchor weights: shape {anchor.weights.shape}; expected {content.shape[:2]}, none below 0"
        )
