"""Keeping a content's colours: style in brightness alone (Gatys et al. 2016, arXiv 1606.05897)."""

from __future__ import annotations

import numpy as np

from stylize.types import FloatImage

LUMA = (0.299, 0.587, 0.114)
"""Weights of R, G and B in the luma Y of YIQ."""


def grey(picture: FloatImage) -> FloatImage:
    """`picture` without its colours: its luma in all three channels. Shape (H, W, 3) in and out."""
    luma = picture @ np.asarray(LUMA, np.float32)
    return np.repeat(luma[..., None], 3, axis=2)


def with_colors_of(content: FloatImage, picture: FloatImage) -> FloatImage:
    """The luma of `picture` with the chroma (I and Q of YIQ) of `content`, clipped to [0, 1].

    As the chroma is the content's own, pixel for pixel, a clip's colours are as steady as they were. The
    paper also matches the mean and spread of the style's luma to the content's; that would make the style's
    target another one for every frame, and is left out.
    """
    luma = np.asarray(LUMA, np.float32)
    change = picture @ luma - content @ luma
    return np.clip(content + change[..., None], 0.0, 1.0).astype(np.float32)
