"""For every position of a picture the painting's most alike one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from stylize.statistics.base import Maps, Scene, Statistic
from stylize.statistics.coherence import Rows, Values, coherent
from stylize.statistics.columns import Columns, finest
from stylize.statistics.likeness import Likeness, Luminance, Painting
from stylize.types import Tensor

CALIBRATION = 0.38
"""At the same style weight as much of the content is kept as with Gram matrices (docs/benchmarks.md)."""

_FIRMNESS, _FIRMNESS_WHERE_EVEN = 0.03, 0.1
"""How much cosine a match may lose for each neighbour that agrees: everywhere, and besides in even parts."""

_WEAR = 0.05
"""How much cosine a place of the painting loses each time that it is matched twice as often as is free."""

_TINY = 1e-12


class Nearest(Statistic):
    """Nearest neighbours among hypercolumns (after Kolkin et al. 2022).

    A position's hypercolumn is its activations in all style layers, each layer divided by the painting's
    deviation in it. What is matched is the mean of the picture's and its content's directions, each less its
    own mean: by the picture alone a thin shape that strokes have begun to cover is matched as what covers it,
    and goes. By cosine; the picture's activations are then drawn to the match's (squared error over the
    painting's variance, in place of the paper's cosine). Matches are renewed as the picture changes.

    Two things are added to the paper. Alike is only what is about as light, as far as the painting goes from
    dark to light. And neighbours are matched with neighbours, firmly where the content is even, and with what
    is not matched everywhere already (:mod:`stylize.statistics.coherence`).

    Parameters
    ----------
    coherence
        A factor of both: with 0 each position is matched for itself.
    """

    grid = 4
    copies = 6  # of picture, content and painting; aimed at; apart; the gradient
    matches = True
    renewed = True

    def __init__(self, coherence: float) -> None:
        self._coherence = coherence
        self._last: tuple[Sequence[Maps], Sequence[float], dict[str, float], list[Painting]] | None = None

    def compare(self, found: Tensor, target: Any) -> Tensor:
        """The mean squared distance to the matched activations, over the painting's variance."""
        matched, weights, variance = target
        apart = tf.reduce_sum(tf.square(found - matched), axis=-1, keepdims=True)
        return CALIBRATION * tf.reduce_mean(weights * apart)[None] / variance

    def compare_guided(self, features: Tensor, target: Any) -> Tensor:
        """The same: where which style goes is in the target."""
        return self.compare(features, target)

    def targets(self, scene: Scene) -> dict[str, Any]:
        """The matched activations, how much each position counts, and the paintings' variance.

        A coarser layer's position aims at the mean of what its finer ones are matched with.
        """
        assert scene.picture is not None
        assert scene.content is not None
        variances, styles = self._paintings(scene)
        picture = Columns(scene.picture)
        content = picture if scene.content is scene.picture else Columns(scene.content)
        for columns in (picture, content):
            columns.prepare(variances)
        tones = None if scene.tones is None else Luminance(scene.tones)
        alike, rows = _matched(picture, content, styles, tones, self._coherence)
        if scene.places is None:
            parts = np.eye(len(styles), dtype=np.float32)[assigned(alike, scene.shares)]
        else:
            places = np.asarray(finest(scene.places))
            parts = places.reshape(-1, len(styles)) * np.asarray(scene.weights)
        weights = parts.sum(axis=1, keepdims=True)
        aims: dict[str, Any] = {}
        for layer, features in scene.picture.items():
            drawn = tf.add_n(
                [
                    parts[:, number : number + 1] * style.at(layer, rows[:, number])
                    for number, style in enumerate(styles)
                ]
            )
            count = picture.on_grid(layer, weights)
            matched = picture.on_grid(layer, drawn) / tf.maximum(count, _TINY)
            aims[layer] = matched, count, tf.constant(variances[layer], features.dtype)
        return aims

    def _paintings(self, scene: Scene) -> tuple[dict[str, float], list[Painting]]:
        """The paintings' variance by layer, and they; renewed targets and a clip's frames ask again."""
        last = self._last
        if last is None or last[0] is not scene.styles or last[1] != scene.shares:
            styles = [Columns(style) for style in scene.styles]
            variances = {
                layer: max(np.average([one.variance(layer) for one in styles], weights=scene.shares), _TINY)
                for layer in scene.styles[0]
            }
            for style in styles:
                style.prepare(variances)
            last = self._last = scene.styles, scene.shares, variances, [Painting(style) for style in styles]
        return last[2], last[3]


def _matched(
    picture: Columns, content: Columns, styles: Sequence[Painting], tones: Luminance | None, coherence: float
) -> tuple[Values, Rows]:
    """How alike each position's match in each style is, and which it is: shapes (positions, styles)."""

    def directions(rows: Rows) -> Tensor:
        own = picture.units(rows)
        theirs = own if content is picture else content.units(rows)
        return tf.math.l2_normalize(own + theirs, axis=1)

    even = np.zeros(picture.count, np.float32) if tones is None else tones.even
    firmness = coherence * (_FIRMNESS + _FIRMNESS_WHERE_EVEN * even)
    alike, found = [], []
    for number, style in enumerate(styles):
        likeness = Likeness(directions, picture.count, style, tones, number)
        rows = likeness.best(picture.count)
        if coherence > 0.0:
            rows = coherent(
                rows, likeness, (picture.height, picture.width), (style.height, style.width),
                firmness, coherence * _WEAR,
            )  # fmt: skip
        alike.append(likeness(np.arange(picture.count), rows))
        found.append(rows)
    return np.stack(alike, axis=1), np.stack(found, axis=1)


def assigned(alike: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Which style each position takes, shape (N,): where it is most alike, so that each gets its share.

    Parameters
    ----------
    alike
        Cosines, shape (N, R).
    shares
        Of the positions, of sum 1.
    """
    count, styles = alike.shape
    wanted = np.asarray(shares, np.float64)
    offsets = np.where(wanted > 0.0, 0.0, -np.inf)
    step = 0.5
    for _ in range(60 if styles > 1 else 0):
        taken = np.argmax(alike + offsets, axis=1)
        lacking = wanted - np.bincount(taken, minlength=styles) / count
        offsets = offsets + np.where(wanted > 0.0, step * lacking, 0.0)
        step *= 0.93
    return np.argmax(alike + offsets, axis=1)
