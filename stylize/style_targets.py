"""What the style term aims at: Gram matrices of the styles, blended or each in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from stylize.evaluator import Evaluator
from stylize.layers import block_of
from stylize.look import Look, normalised, regions
from stylize.losses import gram_matrix
from stylize.objective import SCALE, Term
from stylize.pyramid import rescale
from stylize.types import FloatImage

Tensor = Any


class StyleTargets:
    """The targets of one style term, from the same styles for every picture.

    Parameters
    ----------
    evaluator
        Sees the pictures.
    term
        The style term: pooled, or guided by masks.
    styles
        Shape (H, W, 3) each.
    blend
        Their shares, of sum 1.
    minimum_side
        Of a style picture at the coarse levels.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        term: Term,
        styles: Sequence[FloatImage],
        blend: Sequence[float],
        minimum_side: int,
    ) -> None:
        self._evaluator = evaluator
        self._term = term
        self._styles = styles
        self._blend = blend
        self._minimum_side = minimum_side
        self._known: dict[int, list[Mapping[str, Tensor]]] = {}

    def of(self, content: FloatImage, level: int, look: Look) -> dict[str, Any]:
        """The target by layer for a content, scaled to a level of the pyramid, as `look` will have it.

        Without masks it is the weighted mean of the styles' Gram matrices. With masks every style keeps its
        own matrix and place.
        """
        shares = self._blend if look.blend is None else normalised(look.blend, len(self._styles))
        found: dict[str, Any] = {SCALE: tf.constant(look.factor)}
        places = None if self._term.pooled else _places(look, content.shape[:2])
        for layer, _ in self._term.layers:
            grams = [one[layer] for one in self._grams(level)]
            if places is None:
                found[layer] = tf.add_n([share * gram for share, gram in zip(shares, grams, strict=True)])
            else:
                guides = places
                for _ in range(block_of(layer) - 1):  # as the network's maps shrink
                    guides = tf.nn.avg_pool2d(guides, 2, 2, "SAME")
                weights = tf.constant([len(shares) * share for share in shares])
                found[layer] = tf.concat(grams, axis=0), guides, weights
        return found

    def _grams(self, level: int) -> list[Mapping[str, Tensor]]:
        """The Gram matrices of each style, shape (1, C, C), at 1/2^level of its size; computed once."""
        if level not in self._known:
            each = []
            for style in self._styles:
                height, width = (max(self._minimum_side, round(side / 2**level)) for side in style.shape[:2])
                seen = self._evaluator.seen(self._term, rescale(style, height, width))
                if not self._term.pooled:
                    seen = {layer: gram_matrix(features) for layer, features in seen.items()}
                each.append(seen)
            self._known[level] = each
        return self._known[level]


def _places(look: Look, shape: tuple[int, ...]) -> Tensor:
    """Where each style goes at a level's size, shape (1, H, W, R)."""
    full = next((mask.shape for mask in look.masks if mask is not None), shape)
    places = tf.constant(regions(look.masks, full)[None])
    if full == shape:
        return places
    return tf.clip_by_value(tf.image.resize(places, shape, antialias=True), 0.0, 1.0)
