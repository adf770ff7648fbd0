"""Small random cases for the four statistics of style, and what the engine makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
from numpy_statistics import Case, Maps

from stylize import losses
from stylize.statistics import Scene, Statistic, statistic_of

FINE, COARSE = "block1_conv1", "block2_conv1"


def activations(height: int, width: int, seed: int, layers: Sequence[str] = (FINE, COARSE)) -> Maps:
    """Random, correlated, of a mean other than 0; the coarse map has half the positions, rounded up."""
    random, found = np.random.default_rng(seed), {}
    for layer in layers:
        filters = 4 if layer == FINE else 3
        shape = (height, width) if layer == FINE else (-(-height // 2), -(-width // 2))
        mixing = np.eye(filters) + 0.2 * random.normal(size=(filters, filters))
        found[layer] = random.normal(size=(*shape, filters)) @ mixing + random.uniform(0.0, 1.0, filters)
    return found


def places(height: int, width: int, styles: int) -> Maps:
    """Random places of each style at every position, of sum 1."""
    random, found = np.random.default_rng(9), {}
    for layer, step in ((FINE, 1), (COARSE, 2)):
        parts = random.uniform(0.05, 1.0, (-(-height // step), -(-width // step), styles))
        found[layer] = parts / parts.sum(axis=-1, keepdims=True)
    return found


def case_of(kind: str) -> Case:
    """A picture of 8 x 7 positions, and styles of other sizes: one, two blended, or two in their places."""
    styles = [activations(9, 6, 3), activations(7, 11, 4)]
    case = Case(activations(8, 7, 1), activations(8, 7, 2), styles, (0.3, 0.7))
    if kind == "one":
        return replace(case, styles=styles[:1], shares=(1.0,))
    return replace(case, places=places(8, 7, 2)) if kind == "guided" else case


def single(maps: Maps) -> dict[str, Any]:
    return {layer: tf.constant(value[None], tf.float32) for layer, value in maps.items()}


def targets_of(statistic: Statistic, case: Case) -> dict[str, Any]:
    """What the engine aims at."""
    seen = [single(style) for style in case.styles]
    described = [{layer: statistic.represent(value) for layer, value in one.items()} for one in seen]
    guides = None if case.places is None else single(case.places)
    scene = Scene(described, case.shares, guides, single(case.picture), single(case.content))
    return statistic.targets(scene)


def compared(statistic: Statistic, value: Any, target: Any, *, guided: bool = False) -> Any:
    """The distance of activations of one layer, a number."""
    if guided:
        return statistic.compare_guided(value, target)[0]
    return statistic.compare(statistic.represent(value), target)[0]


def distances(name: str, case: Case, of: Maps | None = None) -> dict[str, float]:
    """Of each layer the distance of a picture from what is aimed at, each position matched for itself."""
    statistic = statistic_of(name, losses.relative_squared_error, coherence=0.0)
    targets, guided = targets_of(statistic, case), case.places is not None
    return {
        layer: float(compared(statistic, value, targets[layer], guided=guided))
        for layer, value in single(case.picture if of is None else of).items()
    }
