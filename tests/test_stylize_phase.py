"""Where the grid lies that style is seen on: moved from renewal to renewal, for all pictures alike."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tiny_encoder import random_picture, tiny_config, tiny_weights

from stylize.phase import PHASE, PHASES, STANDARD, laid, phase_of
from stylize.stylizer import Stylizer

Array = np.ndarray
CONTENT, PICTURE, STYLE = (random_picture(24, 32, seed) for seed in range(3))
CYCLE = len(PHASES)


def stylizer(styles: list[Array], statistic: str = "nearest", **settings: Any) -> Stylizer:
    config = tiny_config(style_statistic=statistic, style_weight=8.0, tv_weight=0.0, **settings)
    return Stylizer(config, styles, tiny_weights())


def moved(picture: Array, renewal: int) -> Array:
    """`picture` in the phase of a renewal, by hand."""
    up, left = phase_of(renewal)
    wider = np.pad(picture, ((0, up), (0, left), (0, 0)), "symmetric")
    return np.ascontiguousarray(wider[up:, left:])


def test_phases_are_spread_evenly() -> None:
    """Over a position of the matched grid, four pixels wide; and each is far from the one before it."""
    phases = [phase_of(renewal) for renewal in range(CYCLE)]
    assert phases[0] == STANDARD
    assert phase_of(CYCLE) == STANDARD
    assert len(set(phases)) == CYCLE
    for axis in (0, 1):
        assert Counter(phase[axis] for phase in phases) == dict.fromkeys(range(4), 2)
    for one, other in zip(phases, [*phases[1:], phases[0]], strict=True):
        steps = [abs(a - b) for a, b in zip(one, other, strict=True)]
        assert sum(min(step, 4 - step) ** 2 for step in steps) == 5


@pytest.mark.parametrize("renewal", range(CYCLE))
def test_a_picture_is_moved_and_mirrored(renewal: int) -> None:
    for phase in (phase_of(renewal), tf.constant(phase_of(renewal))):
        found = laid(tf.constant(PICTURE[None]), phase)
        np.testing.assert_array_equal(found[0], moved(PICTURE, renewal))


@pytest.mark.parametrize("statistic", ["nearest", "sliced"])
def test_a_phase_is_that_of_all_pictures(statistic: str) -> None:
    """What terms are in a phase they are of pictures that were moved before."""
    engine = stylizer([STYLE], statistic)
    names = engine.objective.names
    for renewal in (1, 2):
        targets = engine.targets(CONTENT, picture=PICTURE, renewal=renewal)
        found = engine.evaluator.terms(tf.constant(PICTURE[None]), targets).numpy()[:, 0]
        by_hand = stylizer([moved(STYLE, renewal)], statistic)
        targets = by_hand.targets(moved(CONTENT, renewal), picture=moved(PICTURE, renewal), renewal=CYCLE)
        expected = by_hand.evaluator.terms(tf.constant(moved(PICTURE, renewal)[None]), targets).numpy()[:, 0]
        assert names[0] == "content"
        np.testing.assert_allclose(found[0], expected[0], rtol=1e-5)
        if statistic == "nearest":  # sliced has other directions at every renewal
            np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_published_objectives_have_one_phase() -> None:
    engine = stylizer([STYLE], "gram")
    assert all(PHASE not in engine.targets(CONTENT, renewal=renewal) for renewal in range(3))


@pytest.mark.slow
def test_a_picture_fits_every_phase() -> None:
    """Optimised in turns it is as well painted in one phase as in another; in one only, it is not."""
    engine = stylizer([STYLE], optimizer="adam", learning_rate=0.02, tolerance=0.0)
    style = engine.objective.names.index("style")

    def apart(picture: Array) -> float:
        """How much more style loss there is in other phases than in the first."""
        values = []
        for renewal in range(CYCLE):
            targets = engine.targets(CONTENT, picture=picture, renewal=renewal)
            values.append(engine.evaluator.terms(tf.constant(picture[None]), targets).numpy()[style, 0])
        return float(np.mean(values[1:]) / values[0])

    turned = engine.stylize(CONTENT, iterations=81).picture
    fixed = CONTENT
    for _ in range(8):  # each begins in the first phase, and ends before the next
        fixed = engine.stylize(CONTENT, initial=fixed, iterations=10).picture
    assert apart(turned) < 0.5 * apart(fixed) + 0.5
