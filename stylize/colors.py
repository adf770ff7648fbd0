"""Colours carried from one picture to another.

Keeping a content's own is style in brightness alone (Gatys et al. 2016, arXiv 1606.05897).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stylize.types import FloatImage

LUMA = (0.299, 0.587, 0.114)
"""Weights of R, G and B in the luma Y of YIQ."""

COLOR_FLOOR = 1e-3
"""Variance added to the colours that a transfer goes between: what hardly varies is hardly stretched.

Without it the grain of a film without colours would become as colourful as the painting.
"""


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


def transferred(picture: FloatImage, before: FloatImage, after: FloatImage) -> FloatImage:
    """`picture` with its colours changed as, on the whole, those of `before` were to become `after`.

    The linear map of least displacement that takes the mean and the covariance of the colours of `before`
    to those of `after` (Monge-Kantorovich; Pitie & Kokaram 2007), clipped to [0, 1].

    Parameters
    ----------
    picture, before, after
        Shapes (H, W, 3), not necessarily the same.
    """
    old, new = before.reshape(-1, 3), after.reshape(-1, 3)
    floor = COLOR_FLOOR * np.eye(3)
    root = _square_root(np.cov(old.T) + floor)
    inverse = np.linalg.inv(root)
    linear = inverse @ _square_root(root @ (np.cov(new.T) + floor) @ root) @ inverse
    moved = (picture - old.mean(axis=0)) @ linear.astype(np.float32) + new.mean(axis=0)
    return np.clip(moved, 0.0, 1.0).astype(np.float32)


def _square_root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
