"""The four statistics of style: values and gradients against NumPy, and what must not change them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from numpy_statistics import REFERENCES, Case, Maps
from statistic_cases import COARSE, FINE, activations, case_of, compared, distances, single, targets_of

from stylize import losses
from stylize.config import SUITED
from stylize.statistics import statistic_of

every = pytest.mark.parametrize("name", tuple(REFERENCES))


# --- values and gradients -----------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("kind", ["one", "blended", "guided"])
def test_value_and_gradient_against_numpy(name: str, kind: str) -> None:
    """Gradients by central differences of the reference, in float64.

    The engine works in float32, and lifts the matrices it takes roots of by 1e-6 of the painting's largest
    variance squared: with condition numbers under 100, as here, that is less than 1e-4 of the distance.
    """
    case, reference = case_of(kind), REFERENCES[name]
    statistic = statistic_of(name, losses.relative_squared_error, coherence=0.0)
    targets, aims = targets_of(statistic, case), reference.aims(case)
    assert list(targets) == [FINE, COARSE]
    for layer, F in activations(8, 7, 5).items():
        value = tf.constant(F[None], tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(value)
            found = compared(statistic, value, targets[layer], guided=kind == "guided")
        assert float(found) == pytest.approx(reference.distance(F, aims[layer]), rel=1e-4)
        moves = 1e-5 * np.eye(F.size).reshape(-1, *F.shape)
        expected = [
            (reference.distance(F + move, aims[layer]) - reference.distance(F - move, aims[layer])) / 2e-5
            for move in moves
        ]
        largest = np.abs(expected).max()
        assert largest > 0.0
        gradient = tape.gradient(found, value).numpy().ravel()
        np.testing.assert_allclose(gradient, expected, atol=5e-4 * largest, err_msg=layer)


def test_every_statistic_has_its_formulas() -> None:
    assert set(REFERENCES) == set(SUITED)


@pytest.mark.slow
@every
def test_compiled_equals_eager(name: str) -> None:
    case = case_of("guided")
    statistic = statistic_of(name, losses.relative_squared_error, coherence=0.0)
    target, value = targets_of(statistic, case)[FINE], single(case.picture)[FINE]
    eager = compared(statistic, value, target, guided=True)
    compiled = tf.function(lambda one, aim: compared(statistic, one, aim, guided=True))(value, target)
    assert float(compiled) == pytest.approx(float(eager), rel=1e-5)


# --- what changes nothing -----------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("kind", ["one", "blended", "guided"])
def test_the_order_of_positions_does_not_matter(name: str, kind: str) -> None:
    """Neither the paintings', nor the picture's together with its content and places."""
    case = case_of(kind)
    fine = replace(
        case, styles=[{FINE: style[FINE]} for style in case.styles],
        picture={FINE: case.picture[FINE]}, content={FINE: case.content[FINE]},
    )  # fmt: skip

    def shuffled(maps: Maps, seed: int) -> Maps:
        order = np.random.default_rng(seed).permutation(maps[FINE].shape[0] * maps[FINE].shape[1])
        return {FINE: maps[FINE].reshape(len(order), -1)[order].reshape(maps[FINE].shape)}

    expected = distances(name, fine)
    other = replace(fine, styles=[shuffled(style, 7) for style in fine.styles])
    assert distances(name, other) == pytest.approx(expected, rel=1e-5)
    guides = None if case.places is None else shuffled(case.places, 8)
    other = replace(fine, picture=shuffled(fine.picture, 8), content=shuffled(fine.content, 8), places=guides)
    assert distances(name, other) == pytest.approx(expected, rel=1e-5)


@every
@pytest.mark.parametrize("shape", [(8, 8), (7, 5), (2, 13), (33, 17), (64, 41)])
@pytest.mark.parametrize("factor", [1.0, 300.0])
def test_a_picture_is_at_no_distance_from_itself(name: str, shape: tuple[int, int], factor: float) -> None:
    """To 1e-5, a few roundings of each of the terms that cancel, at small and at VGG's activations."""
    own = {layer: factor * value for layer, value in activations(*shape, 1).items()}
    found = distances(name, Case(own, own, [own], (1.0,)))
    assert found == pytest.approx({FINE: 0.0, COARSE: 0.0}, abs=1e-5)
    other = {layer: factor * value for layer, value in activations(*shape, 2).items()}
    assert min(distances(name, Case(own, own, [own], (1.0,)), other).values()) > 1e-2


@every
def test_faint_filters_leave_a_picture_at_no_distance_from_itself(name: str) -> None:
    """Their variances, down to nothing, are under what roots of matrices are lifted by."""
    loudness = np.concatenate([np.geomspace(1.0, 1e-4, 28), np.zeros(4)])
    own = {FINE: loudness * np.random.default_rng(0).normal(size=(17, 12, 32))}
    assert distances(name, Case(own, own, [own], (1.0,)))[FINE] == pytest.approx(0.0, abs=1e-5)


@every
def test_a_mask_that_is_everywhere_is_none(name: str) -> None:
    """To rounding; sliced describes a painting by other quantiles then, in between which it is linear."""
    case = case_of("one")
    ones = {layer: np.ones((*value.shape[:2], 1)) for layer, value in case.picture.items()}
    expected = distances(name, case, activations(8, 7, 5))
    found = distances(name, replace(case, places=ones), activations(8, 7, 5))
    assert found == pytest.approx(expected, rel=0.02 if name == "sliced" else 1e-5)


@every
def test_a_style_that_goes_nowhere_does_not_count(name: str) -> None:
    case = case_of("guided")
    nowhere = {
        layer: np.stack([np.ones(value.shape[:2]), np.zeros(value.shape[:2])], axis=-1)
        for layer, value in case.picture.items()
    }
    alone = {layer: value[..., :1] for layer, value in nowhere.items()}
    found = distances(name, replace(case, places=nowhere, shares=(0.5, 0.5)))
    expected = distances(name, replace(case, places=alone, styles=case.styles[:1], shares=(1.0,)))
    # Sliced draws the same directions; nearest measures in the variance of both paintings.
    assert np.isfinite(list(found.values())).all()
    if name != "nearest":
        assert found == pytest.approx(expected, rel=1e-5)


@every
@pytest.mark.parametrize("flat", ["painting", "picture", "both"])
@pytest.mark.parametrize("contrast", [0.0, 1e-3, 0.1, 1.0])
def test_one_colour_has_a_finite_distance_and_gradient(name: str, flat: str, contrast: float) -> None:
    """Where a painting or a picture has hardly any variance about means like VGG's, as in a black frame."""
    random = np.random.default_rng(0)
    base = np.abs(random.normal(size=64)) * 300.0
    lively, dull = (
        {FINE: np.maximum(0.0, base + size * random.normal(size=(24, 20, 64)))} for size in (100.0, contrast)
    )
    painting = lively if flat == "picture" else dull
    picture = lively if flat == "painting" else dull
    statistic = statistic_of(name, losses.relative_squared_error, coherence=0.0)
    target = targets_of(statistic, Case(picture, picture, [painting], (1.0,)))[FINE]
    value = single(picture)[FINE]
    with tf.GradientTape() as tape:
        tape.watch(value)
        found = compared(statistic, value, target)
    assert np.isfinite(float(found))
    assert float(found) > -1e-3
    assert np.isfinite(tape.gradient(found, value).numpy()).all()
