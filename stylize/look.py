"""How the styles are used on one picture: how strongly, in which shares, and where."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stylize.errors import ConfigError, ShapeError
from stylize.types import FloatImage

_STEEPNESS = 1.25

Plane = NDArray[np.float32]
"""Shape (H, W), in [0, 1]."""


@dataclass(frozen=True)
class Look:
    """What may differ from picture to picture, and from frame to frame, under the same styles.

    Attributes
    ----------
    strength
        From 0, the content as it is, to 1.
    blend
        A share for each style, at least 0 and not all 0; the stylizer's own when None.
    masks
        For each style where it goes; None: where no other one does. Empty: the styles are blended everywhere.
    """

    strength: float = 1.0
    blend: tuple[float, ...] | None = None
    masks: tuple[Plane | None, ...] = ()

    @property
    def factor(self) -> float:
        """The weight of the style and of what smooths it, of that at full strength.

        sqrt(s) exp(-1.25 (1 - s)). Alone it would change colours by most of the way at once, along the
        border first, and forms late; so the result is laid over the content, too: :meth:`over`
        (docs/decisions.md).
        """
        return math.sqrt(self.strength) * math.exp(-_STEEPNESS * (1.0 - self.strength))

    def shares(self, usual: Sequence[float]) -> Sequence[float]:
        """The share of each style, of sum 1: the `usual` ones where this look has none of its own."""
        return usual if self.blend is None else normalised(self.blend, len(usual))

    def over(self, content: FloatImage, picture: FloatImage) -> FloatImage:
        """What was optimised with this look, laid over its content with the strength as its opacity."""
        return picture if self.strength == 1.0 else content + np.float32(self.strength) * (picture - content)


PLAIN = Look()
"""At full strength, as the stylizer blends its styles, everywhere."""


def check_look(look: Look, content: FloatImage, styles: int, *, guided: bool) -> None:
    """ConfigError or ShapeError unless a look fits a content and the number of styles."""
    if not 0.0 <= look.strength <= 1.0:
        raise ConfigError(f"strength: {look.strength}: must be between 0 and 1")
    if look.blend is not None:
        normalised(look.blend, styles)
    if bool(look.masks) is not guided:
        raise ConfigError("masks go with a stylizer that was made for them, and with no other")
    if look.masks and len(look.masks) != styles:
        raise ConfigError(f"masks: {len(look.masks)} given for {styles} style pictures; give one each")
    for number, mask in enumerate(look.masks, start=1):
        if mask is not None and mask.shape != content.shape[:2]:
            raise ShapeError(
                f"mask {number}: shape {mask.shape} differs from the content's {content.shape[:2]}"
            )
        if mask is not None and not (np.all(mask >= 0.0) and np.all(mask <= 1.0)):
            raise ShapeError(f"mask {number}: expected values in [0, 1]")


def regions(masks: Sequence[Plane | None], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Where each style goes, shape (H, W, R); those without a mask share what the others leave."""
    taken = np.zeros(shape, np.float32)
    for mask in masks:
        taken += 0.0 if mask is None else mask
    free = sum(mask is None for mask in masks)
    rest = np.clip(1.0 - taken, 0.0, 1.0) / max(free, 1)
    return np.stack([rest if mask is None else mask for mask in masks], axis=-1).astype(np.float32)


def normalised(blend: Sequence[float] | None, count: int) -> list[float]:
    """Shares of sum 1 for so many styles, equal ones for None; ConfigError if they do not fit."""
    values = [1.0] * count if blend is None else [float(value) for value in blend]
    if len(values) != count:
        raise ConfigError(f"style weights: {len(values)} given for {count} style pictures; give one each")
    if any(not (value >= 0.0 and np.isfinite(value)) for value in values) or not sum(values) > 0.0:
        raise ConfigError(f"style weights: {values}: none may be under 0, nor all 0")
    return [value / sum(values) for value in values]
