"""What the four statistics have in common, and what their targets are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from stylize.types import Tensor

Maps = Mapping[str, Tensor]
"""By layer."""

Tones = tuple[Tensor, Sequence[Tensor]]
"""Luminance of a picture's content and of each style, shape (1, H', W', 1), at the finest map's positions."""


@dataclass(frozen=True)
class Scene:
    """What a picture's style targets are made from, at one level of the pyramid.

    Attributes
    ----------
    styles
        Of each style what the statistic represents of its activations.
    shares
        Of each style, of sum 1.
    places
        With masks: where each style goes, shape (1, H', W', R) in [0, 1], at each layer's positions.
    picture, content
        Activations, shape (1, H', W', C), of the picture as it stands and of its content; only for
        statistics that match.
    tones
        The luminance of the content and of each style; only for statistics that match.
    renewal
        How often these targets have been renewed before.
    """

    styles: Sequence[Maps]
    shares: Sequence[float]
    places: Maps | None = None
    picture: Maps | None = None
    content: Maps | None = None
    tones: Tones | None = None
    renewal: int = 0

    @property
    def weights(self) -> Tensor:
        """How much each style counts where it is, shape (R,), of mean 1."""
        return tf.constant([len(self.shares) * share for share in self.shares], tf.float32)


class Statistic:
    """How paintings are described, and how a picture is compared with the description.

    Attributes
    ----------
    pooled
        The description is a mean over positions.
    grid
        Finer maps are averaged down to a position every so many pixels.
    copies
        How many maps of the picture, or like them, are in memory at once.
    matches
        Targets are made for a picture as it stands, and renewed as it changes.
    renewed
        Targets are renewed during an optimisation.
    """

    pooled = False
    grid = 1
    copies = 2
    matches = False
    renewed = False

    def represent(self, features: Tensor) -> Tensor:
        """The description of activations of shape (1, H, W, C)."""
        return features

    def compare(self, found: Tensor, target: Any) -> Tensor:
        """How far a described picture is from a layer's target, shape (1,)."""
        raise NotImplementedError

    def compare_guided(self, features: Tensor, target: Any) -> Tensor:
        """The same for activations and a target with places, a region counting by its area."""
        raise NotImplementedError

    def targets(self, scene: Scene) -> dict[str, Any]:
        """What is aimed at, by layer: tensors, or tuples of them."""
        raise NotImplementedError


def halved(maps: Tensor, times: int) -> Tensor:
    """Maps (N, H, W, C) averaged over 2x2 so often, an odd last row or column by itself, as in pooling."""
    for _ in range(times):
        maps = tf.nn.avg_pool2d(maps, 2, 2, "SAME")
    return maps


def by_area(guides: Tensor, weights: Tensor, apart: Tensor) -> Tensor:
    """The distances of regions, shape (R,), as one of shape (1,): each by its area and weight."""
    return tf.reduce_sum(tf.reduce_mean(guides, axis=(0, 1, 2)) * weights * apart)[None]
