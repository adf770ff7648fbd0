"""What a frame is held to: a picture, with a weight a pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stylize.errors import ConfigError, ShapeError
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

    def over(self, picture: FloatImage) -> FloatImage:
        """`picture` with what it is held to laid over it, as firmly as each pixel is held."""
        share = np.minimum(self.weights, np.float32(1.0))[..., None]
        return picture + share * (self.picture - picture)


def no_anchor(content: FloatImage) -> Anchor:
    """An anchor that holds nothing, of the content's shape."""
    return Anchor(content, np.zeros(content.shape[:2], np.float32))


def check_anchor(
    anchor: Anchor | None, content: FloatImage, initial: FloatImage | None, *, held: bool
) -> None:
    """Raise ConfigError for an anchor without a picture to start from, or where nothing is `held`.

    And ShapeError unless it fits a content and its weights are numbers from 0.
    """
    if anchor is None:
        return
    if initial is None:
        raise ConfigError("an anchor was given without the picture to start from")
    if not held:
        raise ConfigError(
            "an anchor was given to a stylizer whose temporal weight is 0; make it with another"
        )
    check_like(anchor.picture, "anchor", content)
    if anchor.weights.shape != content.shape[:2] or not np.all(anchor.weights >= 0.0):
        raise ShapeError(
            f"anchor weights: shape {anchor.weights.shape}; expected {content.shape[:2]}, none below 0"
        )
