"""The objective: a weighted sum of named terms, each represent + compare on named layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from stylize import losses
from stylize.config import StylizeConfig
from stylize.layers import block_of
from stylize.statistics import Statistic, halved, statistic_of
from stylize.types import Tensor

Represent = Callable[[Tensor], Tensor]
Compare = Callable[[Tensor, Any], Tensor]
Activations = Mapping[str, Tensor]
Targets = Mapping[str, Mapping[str, Tensor]]
"""Represented activations of what is aimed at: by term name, then by layer."""


SCALE = "scale"
"""In a term's target: a factor for its weight, for this picture."""


@dataclass(frozen=True)
class Term:
    """One named part of the objective.

    Its value is ``weight * sum over layers of share * compare(represent(activation), target)``. A term that
    aims at nothing (total variation) has ``compare=None`` and ``represent`` gives its value. ``pooled`` terms
    represent activations by a mean over their positions. Maps finer than a position every ``grid`` pixels are
    averaged down to that before they are represented. So many ``copies`` of these are in memory at once.
    """

    name: str
    weight: float
    layers: tuple[tuple[str, float], ...]
    represent: Represent
    compare: Compare | None
    pooled: bool = False
    grid: int = 1
    copies: int = 2

    def spacing(self, layer: str) -> int:
        """How many pixels lie between the positions of what is represented of a layer."""
        return max(self.grid, 2 ** (block_of(layer) - 1))

    def represented(self, layer: str, activations: Tensor) -> Tensor:
        """What this term sees of a layer's activations, shape (1, H', W', C)."""
        return self.represent(self.gridded(layer, activations))

    def gridded(self, layer: str, activations: Tensor) -> Tensor:
        """A layer's activations averaged down to this term's grid; bfloat16 ends here, when they are few."""
        if layer == "image":
            return activations
        times = (self.spacing(layer) // 2 ** (block_of(layer) - 1)).bit_length() - 1
        averaged = halved(activations, times)
        return tf.cast(averaged, tf.float32) if averaged.dtype == tf.bfloat16 else averaged

    def value(self, represented: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """The weighted value of this term a picture, shape (N,), from its represented activations."""
        values = []
        for layer, share in self.layers:
            found = represented[layer]
            compared = found if self.compare is None else self.compare(found, target[layer])
            values.append(share * compared)
        return self.weight * target.get(SCALE, 1.0) * tf.add_n(values)


@dataclass(frozen=True)
class Formulas:
    """The formulas that a normalisation stands for."""

    content: Compare
    style: Compare
    total_variation: Represent


FORMULAS: Mapping[str, Formulas] = {
    "relative": Formulas(
        losses.relative_squared_error, losses.relative_squared_error, losses.mean_total_variation
    ),
    "gatys": Formulas(losses.half_squared_error, losses.gram_squared_error, losses.total_variation),
    "coursera": Formulas(
        losses.quarter_mean_squared_error, losses.gram_squared_error, losses.total_variation
    ),
    "rms": Formulas(
        losses.root_mean_square_error, losses.root_mean_square_error, losses.mean_total_variation
    ),
}


class Objective:
    """A sum of terms with different names.

    Parameters
    ----------
    terms
        At least one; the order is the order of :attr:`names` and of the scores.
    """

    def __init__(self, terms: Sequence[Term]) -> None:
        self.terms = tuple(terms)
        self.names = tuple(term.name for term in self.terms)
        if not self.terms or len(set(self.names)) != len(self.names):
            raise ValueError(f"an objective needs terms of different names, got {self.names}")

    @property
    def layers(self) -> tuple[str, ...]:
        """Every layer that any term reads ("image" included), without repeats."""
        return tuple(dict.fromkeys(layer for term in self.terms for layer, _ in term.layers))

    def represented(self, activations: Activations) -> dict[str, dict[str, Tensor]]:
        """What each term sees of the activations, by term name and layer."""
        return {
            term.name: {layer: term.represented(layer, activations[layer]) for layer, _ in term.layers}
            for term in self.terms
        }

    def compared(self, represented: Targets, targets: Targets) -> Tensor:
        """The weighted value of each term, shape (terms, N); the objective is the sum over the first axis."""
        return tf.stack(
            [term.value(represented[term.name], targets.get(term.name, {})) for term in self.terms]
        )


def build_statistic(config: StylizeConfig) -> Statistic:
    """The statistic of style of a configuration, with its formula for Gram matrices."""
    return statistic_of(config.style_statistic, FORMULAS[config.normalization].style, config.style_coherence)


def build_objective(
    config: StylizeConfig, temporal_weight: float = 0.0, *, guided: bool = False
) -> Objective:
    """The objective of a configuration; terms of weight 0 are left out.

    The flat term's target is a pair: a weight a pixel, and the contrast that is allowed
    (:mod:`stylize.flatness`). The temporal term's is a
    pair: the picture to stay close to, and a weight a pixel. The style term's is the statistic's own
    (:mod:`stylize.statistics`); when `guided` it says where each style goes. A region counts by its area, so
    that style and content are balanced in it as in a whole picture.
    """
    formulas = FORMULAS[config.normalization]
    content = Term(
        "content", config.content_weight, _shares(config.content_layers, config.content_layer_weights),
        tf.identity, formulas.content,
    )  # fmt: skip
    statistic = build_statistic(config)
    style = Term(
        "style", config.style_weight, _shares(config.style_layers, config.style_layer_weights),
        statistic.represent, statistic.compare, pooled=statistic.pooled, grid=statistic.grid,
        copies=statistic.copies,
    )  # fmt: skip
    if guided:
        style = replace(style, represent=tf.identity, compare=statistic.compare_guided, pooled=False)
    smooth = Term("tv", config.tv_weight, (("image", 1.0),), formulas.total_variation, None)
    flat = Term(
        "flat", config.flat_weight, (("image", 1.0),), tf.identity,
        lambda image, target: losses.excess_total_variation(image, *target),
    )  # fmt: skip
    temporal = Term(
        "temporal", temporal_weight, (("image", 1.0),), tf.identity,
        lambda image, target: losses.weighted_squared_error(image, *target),
    )  # fmt: skip
    return Objective(
        [term for term in (content, style, smooth, flat, temporal) if term.weight > 0.0 and term.layers]
    )


def _shares(layers: tuple[str, ...], weights: tuple[float, ...]) -> tuple[tuple[str, float], ...]:
    """Layers with their weights, or with equal shares of 1."""
    return tuple(zip(layers, weights or [1.0 / len(layers)] * len(layers), strict=True)) if layers else ()
