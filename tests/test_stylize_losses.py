"""Every formula against hand-computed numbers and against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from stylize import losses

Array = np.ndarray

PICTURES = {
    "F": np.random.default_rng(1).normal(size=(2, 4, 3, 5)),
    "P": np.random.default_rng(2).normal(size=(2, 4, 3, 5)),
}
MATRICES = {
    "F": np.random.default_rng(3).normal(size=(2, 4, 4)),
    "P": np.random.default_rng(4).normal(size=(2, 4, 4)),
}


def each(formula: Callable[..., float], *arrays: Array) -> Array:
    """`formula` of the pictures one by one."""
    return np.array([formula(*one) for one in zip(*arrays, strict=True)])


def sum_of_squares(a: Array) -> float:
    return float(sum(v * v for v in a.ravel()))


# A picture of 1x2 pixels and 2 channels: F = (1, 2), (3, 4); P = (1, 0), (1, 1); squares sum to 0+4+4+9 = 17.
SMALL_F = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
SMALL_P = np.array([[[[1.0, 0.0], [1.0, 1.0]]]])


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (losses.half_squared_error, 17 / 2),
        (losses.quarter_mean_squared_error, 17 / (4 * 1 * 2 * 2)),
        (losses.relative_squared_error, 17 / 3),  # sum P^2 = 1 + 0 + 1 + 1
        (losses.root_mean_square_error, (17 / 4) ** 0.5),
    ],
)
def test_by_hand(formula: Callable[..., Any], expected: float) -> None:
    assert formula(tf.constant(SMALL_F), tf.constant(SMALL_P)).numpy() == pytest.approx([expected], rel=1e-12)


def test_gram_by_hand() -> None:
    # Sums over the two pixels: 1*1 + 3*3 = 10, 1*2 + 3*4 = 14, 2*2 + 4*4 = 20; over M = 2.
    np.testing.assert_allclose(losses.gram_matrix(tf.constant(SMALL_F)), [[[5.0, 7.0], [7.0, 10.0]]])
    # A of P: 1+1 = 2, 0+1 = 1, 0+1 = 1, over 2; differences 4, 6.5, 6.5, 9.5: squares sum to 190.75.
    gram, target = losses.gram_matrix(tf.constant(SMALL_F)), losses.gram_matrix(tf.constant(SMALL_P))
    np.testing.assert_allclose(losses.gram_squared_error(gram, target), [190.75 / (4 * 2**2)])
    np.testing.assert_allclose(losses.root_mean_square_error(gram, target), [(190.75 / 4) ** 0.5])
    np.testing.assert_allclose(
        losses.relative_squared_error(gram, target), [190.75 / (1 + 0.25 + 0.25 + 0.25)]
    )


def test_total_variation_by_hand() -> None:
    picture = np.zeros((1, 2, 3, 3))
    picture[0, :, :, 0] = [[0.0, 0.5, 0.5], [1.0, 1.0, 0.0]]
    # Right: .25 + 0 + 0 + 1; down: 1 + .25 + .25; 18 values.
    assert losses.total_variation(tf.constant(picture)).numpy() == pytest.approx([2.75])
    assert losses.mean_total_variation(tf.constant(picture)).numpy() == pytest.approx([2.75 / 18])


def gram_of(F: Array) -> Array:
    """By three loops, over the pixels last."""
    pixels = F.reshape(-1, F.shape[-1])
    M, N = pixels.shape
    return np.array(
        [[sum(pixels[k, i] * pixels[k, j] for k in range(M)) / M for j in range(N)] for i in range(N)]
    )


def test_gram_against_numpy() -> None:
    F = PICTURES["F"]
    found = losses.gram_matrix(tf.constant(F)).numpy()
    assert found.shape == (2, 5, 5)
    np.testing.assert_allclose(found, [gram_of(one) for one in F], rtol=1e-12)
    np.testing.assert_allclose(found, found.transpose(0, 2, 1), rtol=1e-12)


def test_gram_does_not_depend_on_the_size() -> None:
    F = PICTURES["F"]
    twice = np.concatenate([F, F[:, ::-1]], axis=1)
    np.testing.assert_allclose(
        losses.gram_matrix(tf.constant(twice)), losses.gram_matrix(tf.constant(F)), rtol=1e-12
    )


def gatys_style(F: Array, P: Array) -> float:
    """Gatys et al. 2016, eq. 3 and 4, literally: Gram matrices that are sums, over 4 N^2 M^2."""
    N, M = F.shape[-1], F.shape[0] * F.shape[1]
    f, p = F.reshape(M, N).T, P.reshape(M, N).T
    return sum_of_squares(f @ f.T - p @ p.T) / (4 * N**2 * M**2)


def test_gram_squared_error_is_gatys_equation_4() -> None:
    F, P = PICTURES["F"], PICTURES["P"]
    found = losses.gram_squared_error(losses.gram_matrix(tf.constant(F)), losses.gram_matrix(tf.constant(P)))
    np.testing.assert_allclose(found, each(gatys_style, F, P), rtol=1e-12)


FORMULAS: list[tuple[Callable[..., Any], Callable[[Array, Array], float]]] = [
    (losses.half_squared_error, lambda F, P: 0.5 * sum_of_squares(F - P)),
    (losses.quarter_mean_squared_error, lambda F, P: sum_of_squares(F - P) / 4 / F.size),
    (losses.gram_squared_error, lambda G, A: sum_of_squares(G - A) / 4 / G.size),
    (losses.relative_squared_error, lambda X, T: float(np.linalg.norm(X - T) ** 2 / np.linalg.norm(T) ** 2)),
    (losses.root_mean_square_error, lambda X, T: float(np.sqrt(np.mean((X - T) ** 2)))),
]


@pytest.mark.parametrize(("formula", "reference"), FORMULAS, ids=lambda f: getattr(f, "__name__", ""))
@pytest.mark.parametrize("arrays", [PICTURES, MATRICES], ids=["activations", "gram"])
def test_against_numpy_one_value_a_picture(
    formula: Callable[..., Any], reference: Callable[[Array, Array], float], arrays: dict[str, Array]
) -> None:
    F, P = arrays["F"], arrays["P"]
    expected = each(reference, F, P)
    np.testing.assert_allclose(formula(tf.constant(F), tf.constant(P)), expected, rtol=1e-10)
    single = formula(tf.constant(F, tf.float32), tf.constant(P, tf.float32))
    assert single.dtype == tf.float32
    np.testing.assert_allclose(single, expected, rtol=1e-5)


@pytest.mark.parametrize("formula", [formula for formula, _ in FORMULAS])
def test_eager_equals_compiled_and_zero_at_the_target(formula: Callable[..., Any]) -> None:
    F, P = tf.constant(PICTURES["F"]), tf.constant(PICTURES["P"])
    np.testing.assert_allclose(tf.function(formula)(F, P), formula(F, P), rtol=1e-12)
    np.testing.assert_array_equal(formula(P, P), [0.0, 0.0])


@pytest.mark.parametrize("formula", [formula for formula, _ in FORMULAS])
def test_the_gradient_at_the_target_is_zero_and_not_nan(formula: Callable[..., Any]) -> None:
    P = tf.constant(PICTURES["P"])
    with tf.GradientTape() as tape:
        tape.watch(P)
        value = formula(P, tf.constant(PICTURES["P"]))
    np.testing.assert_array_equal(tape.gradient(value, P), np.zeros_like(PICTURES["P"]))


def test_relative_error_says_one_for_nothing_and_is_finite_for_a_target_of_zeros() -> None:
    P = tf.constant(PICTURES["P"])
    np.testing.assert_allclose(losses.relative_squared_error(tf.zeros_like(P), P), [1.0, 1.0], rtol=1e-9)
    assert np.isfinite(losses.relative_squared_error(P, tf.zeros_like(P)).numpy()).all()


@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (1, 1, 6, 3), (2, 7, 5, 3)])
def test_total_variation_against_numpy(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(5).uniform(size=shape)
    expected = (np.diff(x, axis=1) ** 2).sum(axis=(1, 2, 3)) + (np.diff(x, axis=2) ** 2).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(losses.total_variation(tf.constant(x)), expected, rtol=1e-12, atol=1e-12)
    size = np.prod(shape[1:])
    np.testing.assert_allclose(
        losses.mean_total_variation(tf.constant(x)), expected / size, rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize(("allowed", "expected"), [(0.0, 1.0), (0.5, 0.25 / 1.5), (1.0, 0.0), (2.0, 0.0)])
def test_excess_total_variation(allowed: float, expected: float) -> None:
    x = np.zeros((1, 2, 2, 3))
    x[0, 0, 0] = x[0, 1, 1] = 1.0  # four differences of 1 over four pixels
    weights = np.full((1, 2, 2, 1), 0.5)
    found = losses.excess_total_variation(
        tf.constant(x), tf.constant(weights), tf.constant(allowed, tf.float64)
    )
    np.testing.assert_allclose(found, [0.5 * expected], atol=1e-9)


def test_weighted_total_variation_by_hand_and_as_the_mean_one() -> None:
    x = np.zeros((1, 2, 2, 3))
    x[0, 0, 1], x[0, 1, 0] = 0.5, 1.0  # differences: 0.5 above, 1 at the left, 1 below, 0.5 at the right
    weights = np.array([[1.0, 0.0], [0.5, 0.0]])[None, ..., None]
    # Means of the two weights: above 0.5, left 0.75, below 0.25, right 0; weights of sum 1.5.
    expected = (0.5 * 0.25 + 0.75 * 1.0 + 0.25 * 1.0 + 0.0 * 0.25) / 1.5
    found = losses.weighted_total_variation(tf.constant(x), tf.constant(weights))
    np.testing.assert_allclose(found, [expected], rtol=1e-12)
    pictures = np.random.default_rng(5).uniform(size=(2, 7, 5, 3))
    even = losses.weighted_total_variation(tf.constant(pictures), tf.ones((2, 7, 5, 1), tf.float64))
    np.testing.assert_allclose(even, losses.mean_total_variation(tf.constant(pictures)), rtol=1e-12)
