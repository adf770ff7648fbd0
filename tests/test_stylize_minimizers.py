"""L-BFGS and Adam on functions whose minimum is known; the guard against values that are not finite."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tiny_encoder import tiny_config

from stylize.errors import NonFiniteError
from stylize.evaluator import build_minimizer
from stylize.lbfgs import Lbfgs
from stylize.minimizers import Adam, Minimizer
from stylize.optimize import Minimum, Progress, minimize

Array = np.ndarray
SHAPE = (2, 3, 3)
MAKERS: dict[str, Callable[..., Minimizer]] = {
    "lbfgs": lambda evaluate: Lbfgs(evaluate, history=5),
    "adam": lambda evaluate, rate=0.05: Adam(evaluate, learning_rate=rate),
}
both = pytest.mark.parametrize("kind", ["lbfgs", "adam"])


def bowl(images: Any, target: Any) -> Any:
    """Two terms: squared distance from the target, steep in the second half, and nothing. Shape (2, 1)."""
    steepness = tf.reshape(tf.linspace(1.0, 10.0, images.shape[-1]), (1, 1, 1, -1))
    return tf.stack([tf.reduce_sum(steepness * (images - target) ** 2, axis=(1, 2, 3)), tf.zeros(1)])


def bowl_of_any_size(images: Any, targets: Any) -> Any:
    return bowl(images, targets["to"])


def numbers(low: float, high: float, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(low, high, SHAPE).astype(np.float32)


def run(
    kind: str,
    evaluate: Callable[[Any, Any], Any],
    start: Array,
    targets: Any,
    iterations: int,
    callback: Callable[[Progress], None] | None = None,
    names: Sequence[str] = ("content", "style"),
    **details: Any,
) -> Minimum:
    minimizer = MAKERS[kind](evaluate, **details)
    return minimize(minimizer, start, targets, names, iterations, callback)


# --- the direction of L-BFGS --------------------------------------------------------------------------------


def two_loops(
    pairs: Sequence[tuple[Array, Array]], gradient: Array, initial: Callable[[Array], Array]
) -> Array:
    """Nocedal & Wright 2006, algorithm 7.4; oldest pair first."""
    q, alphas = gradient.copy(), []
    for s, y in reversed(pairs):
        alphas.append((s * q).sum() / (s * y).sum())
        q -= alphas[-1] * y
    s, y = pairs[-1]
    r = initial(q) * 2.0 * (s * y).sum() / (y * initial(y)).sum()
    for (s, y), alpha in zip(pairs, reversed(alphas), strict=True):
        r += s * (alpha - (y * r).sum() / (s * y).sum())
    return -r


@pytest.mark.parametrize("count", [1, 3, 5, 8])
def test_the_direction_is_that_of_the_two_loop_recursion_over_the_newest_pairs(count: int) -> None:
    minimizer = Lbfgs(bowl, history=5)
    minimizer.start(tf.constant(numbers(0.2, 0.8)[None]), tf.constant(numbers(0.0, 1.0, 1)[None]))
    random, pairs = np.random.default_rng(7), []
    for number in range(count + 1):
        s = random.normal(size=(1, *SHAPE)).astype(np.float32)
        y = s * np.float32(-1.0 if number == 1 and count > 1 else 1.0) + 0.3 * random.normal(size=s.shape)
        minimizer._remember(tf.constant(s), tf.constant(y, tf.float32), tf.constant(True))
        if (s * y).sum() > 0.0:  # of negative curvature: not remembered
            pairs.append((s.astype(np.float64), y.astype(np.float64)))
    gradient = random.normal(size=(1, *SHAPE))
    expected = two_loops(
        pairs[-5:], gradient, lambda value: np.asarray(minimizer._scaled(tf.constant(value, tf.float32)))
    )
    found = minimizer._direction(tf.constant(gradient, tf.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(("near", "size"), [(False, 0.02), (True, 0.0025)])
def test_the_first_step_is_short_near_the_minimum(near: bool, size: float) -> None:
    minimizer, start = Lbfgs(bowl, history=5), numbers(0.3, 0.7)
    seen: list[Array] = []
    target = tf.constant(numbers(0.0, 1.0, 1)[None])
    for _ in range(2):  # one minimiser serves frames and pictures in turns
        minimize(minimizer, start, target, ("a", "b"), 1, near=not near)
        found = minimize(
            minimizer, start, target, ("a", "b"), 1, lambda told: seen.append(told.picture()), near=near
        )
        assert found.evaluations == 2
    for one in seen[1::2]:
        assert np.sqrt(np.mean(np.square(one - start))) == pytest.approx(size, rel=1e-3)


# --- known minima -------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "iterations"), [("lbfgs", 40), ("adam", 400)])
def test_a_minimum_inside_the_box(kind: str, iterations: int) -> None:
    target = numbers(0.2, 0.8)
    found = run(kind, bowl, numbers(0.0, 1.0, 1), tf.constant(target), iterations)
    np.testing.assert_allclose(found.picture, target, atol=2e-3)
    assert found.loss < 1e-4
    assert found.picture.shape == SHAPE
    assert found.picture.dtype == np.float32


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "iterations"), [("lbfgs", 40), ("adam", 400)])
def test_bounds_are_kept_at_every_iterate(kind: str, iterations: int) -> None:
    target, seen = numbers(-0.5, 1.5), []
    found = run(
        kind, bowl, numbers(0.0, 1.0, 1), tf.constant(target), iterations, lambda p: seen.append(p.picture())
    )
    assert min(picture.min() for picture in seen) >= 0.0
    assert max(picture.max() for picture in seen) <= 1.0
    # The bowl is separable: its minimum on the box is its minimum, clipped.
    np.testing.assert_allclose(found.picture, target.clip(0.0, 1.0), atol=2e-3)


def coupled(images: Any, targets: Any) -> Any:
    """1/2 (x - s)'A(x - s): its minimum is 0, so that single precision does not hide how near it is."""
    A, s = targets
    x = tf.reshape(images, (-1, 1)) - s
    return tf.reshape(0.5 * tf.matmul(x, A @ x, transpose_a=True), (1, 1))


@pytest.mark.slow
def test_lbfgs_on_an_ill_conditioned_quadratic() -> None:
    random = np.random.default_rng(3)
    basis, _ = np.linalg.qr(random.normal(size=(18, 18)))
    A = basis @ np.diag(np.geomspace(1.0, 300.0, 18)) @ basis.T
    solution = random.uniform(0.3, 0.7, (18, 1))
    targets = (tf.constant(A, tf.float32), tf.constant(solution, tf.float32))
    found = run("lbfgs", coupled, np.full(SHAPE, 0.5, np.float32), targets, 150, names=["content"])
    np.testing.assert_allclose(found.picture.reshape(-1, 1), solution, atol=1e-5)
    assert found.evaluations < 250


def test_adam_follows_the_paper() -> None:
    """Kingma & Ba 2015, algorithm 1, step by step in NumPy, with the projection to [0, 1]."""
    start, target, rate = numbers(0.3, 0.7, 1).astype(np.float64), numbers(-0.2, 1.2), 0.05
    steepness = np.linspace(1.0, 10.0, 3)
    x, m, v = start.copy(), np.zeros(SHAPE), np.zeros(SHAPE)
    expected = [x]
    for t in range(1, 16):
        g = 2 * steepness * (x - target)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        x = (x - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)).clip(0.0, 1.0)
        expected.append(x)
    seen: list[Array] = []
    run("adam", bowl, start.astype(np.float32), tf.constant(target), 15, lambda p: seen.append(p.picture()))
    np.testing.assert_allclose(seen, expected, atol=1e-4)


# --- what is returned ---------------------------------------------------------------------------------------


def test_the_lowest_loss_iterate_is_returned_not_the_last() -> None:
    seen: list[Progress] = []
    target = tf.constant(numbers(0.4, 0.6))
    found = run("adam", bowl, numbers(0.3, 0.7, 1), target, 4, seen.append, rate=0.3)
    losses = [progress.loss for progress in seen]
    assert losses[-1] > min(losses)
    assert found.loss == min(losses)
    assert float(tf.reduce_sum(bowl(tf.constant(found.picture[None]), target))) == pytest.approx(
        found.loss, rel=1e-5
    )


@both
def test_a_start_that_is_best_is_returned(kind: str) -> None:
    target = numbers(0.2, 0.8)
    found = run(kind, bowl, target, tf.constant(target), 3)
    np.testing.assert_array_equal(found.picture, target)
    assert found.loss == 0.0


@pytest.mark.slow
def test_lbfgs_never_rises_and_stops_when_settled() -> None:
    seen: list[Progress] = []
    found = run("lbfgs", bowl, numbers(0.0, 1.0, 1), tf.constant(numbers(0.2, 0.8)), 500, seen.append)
    losses = [progress.loss for progress in seen]
    assert losses == sorted(losses, reverse=True)
    assert found.reason == "settled"
    assert found.iterations < 100
    assert len(seen) == found.iterations + 1


def test_the_limit_is_the_reason() -> None:
    found = run("adam", bowl, numbers(0.0, 1.0), tf.constant(numbers(0.2, 0.8)), 4)
    assert (found.reason, found.iterations, found.evaluations) == ("iterations", 4, 5)


@pytest.mark.slow
@both
def test_evaluations_are_counted(kind: str) -> None:
    counted = tf.Variable(0)

    def counting(images: Any, targets: Any) -> Any:
        counted.assign_add(1)
        return bowl(images, targets)

    found = run(kind, counting, numbers(0.0, 1.0), tf.constant(numbers(0.2, 0.8, 1)), 9)
    assert found.evaluations == int(counted) >= 10


@pytest.mark.slow
@both
def test_the_same_run_twice_is_equal_to_the_bit(kind: str) -> None:
    minimizer, target = MAKERS[kind](bowl), tf.constant(numbers(0.2, 0.8))
    one, two = (minimize(minimizer, numbers(0.0, 1.0, 1), target, ("a", "b"), 10) for _ in range(2))
    np.testing.assert_array_equal(one.picture, two.picture)
    assert (one.loss, one.terms, one.evaluations) == (two.loss, two.terms, two.evaluations)


@pytest.mark.slow
@both
def test_one_trace_serves_every_target(kind: str) -> None:
    minimizer = MAKERS[kind](bowl)
    for seed in range(3):
        minimize(minimizer, numbers(0.0, 1.0, seed), tf.constant(numbers(0.2, 0.8, seed + 5)), ("a", "b"), 3)
    assert minimizer.traces == 1


@pytest.mark.slow
@both
def test_one_trace_serves_every_size(kind: str) -> None:
    """And what comes out does not depend on the sizes before."""
    minimizer = MAKERS[kind](bowl_of_any_size)
    found = {}
    for shape in ((4, 6, 3), (7, 5, 3), (4, 6, 3)):
        start = np.random.default_rng(0).uniform(0.0, 1.0, shape).astype(np.float32)
        minimum = minimize(minimizer, start, {"to": tf.constant(0.5 * start[None] + 0.2)}, ("a", "b"), 6)
        fresh = minimize(
            MAKERS[kind](bowl_of_any_size), start, {"to": tf.constant(0.5 * start[None] + 0.2)}, ("a", "b"), 6
        )
        np.testing.assert_array_equal(minimum.picture, fresh.picture)
        found[shape] = minimum.loss
    assert minimizer.traces == 1
    assert len(found) == 2


@pytest.mark.slow
@both
def test_progress(kind: str) -> None:
    seen: list[Progress] = []
    start, target = numbers(0.0, 1.0), tf.constant(numbers(0.2, 0.8, 1))
    found = run(kind, bowl, start, target, 5, seen.append)
    assert [progress.iteration for progress in seen] == [0, 1, 2, 3, 4, 5]
    assert {progress.iterations for progress in seen} == {5}
    assert {progress.level for progress in seen} == {0}
    assert all(list(progress.terms) == ["content", "style"] for progress in seen)
    assert all(progress.loss == sum(progress.terms.values()) for progress in seen)
    assert seen[0].terms == found.first_terms
    assert seen[0].loss == pytest.approx(float(tf.reduce_sum(bowl(tf.constant(start[None]), target))))
    assert seen[0].evaluations == 1
    assert all(a.evaluations < b.evaluations and a.seconds < b.seconds for a, b in pairwise(seen))
    assert seen[-1].evaluations == found.evaluations
    assert 0.0 < seen[-1].seconds <= found.seconds


def test_a_picture_of_progress_is_a_copy() -> None:
    kept: list[Array] = []
    run(
        "adam",
        bowl,
        numbers(0.0, 1.0),
        tf.constant(numbers(0.2, 0.8, 1)),
        2,
        lambda p: kept.append(p.picture()),
    )
    np.testing.assert_array_equal(kept[0], numbers(0.0, 1.0))
    kept[0][:] = 0.0
    assert kept[1].max() > 0.0


def test_build_minimizer() -> None:
    lbfgs = build_minimizer(tiny_config(optimizer="lbfgs", history=7), bowl)
    adam = build_minimizer(tiny_config(optimizer="adam", learning_rate=0.5), bowl)
    assert isinstance(lbfgs, Lbfgs)
    assert lbfgs.history == 7
    assert isinstance(adam, Adam)
    assert adam.learning_rate == 0.5


# --- values that are not finite -----------------------------------------------------------------------------


def cliff(images: Any, target: Any) -> Any:
    """The distance from the target; the second term is not a number where any value is over 0.75."""
    distance = tf.reduce_sum((images - target) ** 2, axis=(1, 2, 3))
    over = tf.reduce_max(images, axis=(1, 2, 3)) > 0.75
    return tf.stack([distance, tf.where(over, np.float32(np.nan), 0.0)])


HALF = np.full(SHAPE, 0.5, np.float32)


def test_adam_goes_back_to_the_best_iterate_with_half_the_step() -> None:
    seen: list[Progress] = []
    found = run("adam", cliff, HALF, tf.constant(0.7), 30, seen.append, rate=0.1)
    assert found.loss < 1e-3
    assert found.picture.max() <= 0.75
    assert all(np.isfinite(progress.loss) for progress in seen)
    assert found.evaluations > 31  # every retry evaluates its start again
    np.testing.assert_allclose(found.picture, 0.7, atol=0.01)


def test_a_retry_halves_the_step_and_forgets_the_moments() -> None:
    minimizer, target = Adam(bowl, learning_rate=0.1), tf.constant(numbers(0.2, 0.8))
    minimizer.start(tf.constant(HALF[None]), target)
    minimizer.step(target)
    best, loss = minimizer.best_image.numpy(), float(minimizer.best_loss)
    minimizer.step(target)
    if float(minimizer.best_loss) < loss:
        best = minimizer.best_image.numpy()
    minimizer.retry(target)
    np.testing.assert_array_equal(minimizer.image.numpy(), best)
    assert float(minimizer.scale) == 0.5
    assert int(minimizer.evaluations) == 4
    assert float(minimizer.time) == 0.0
    minimizer.step(target)
    assert np.abs(minimizer.image.numpy() - best).max() == pytest.approx(0.05, rel=1e-3)


def test_adam_without_hope_names_the_term() -> None:
    with pytest.raises(NonFiniteError) as raised:
        run("adam", cliff, HALF, tf.constant(2.0), 60, rate=0.1)
    assert re.fullmatch(
        r"the style loss is not finite at iteration \d+, after 6 retries with smaller steps; "
        r"lower its weight or the learning rate, or check the weights file",
        str(raised.value),
    )
    assert raised.value.exit_code == 1


@pytest.mark.slow
def test_lbfgs_shortens_its_step_at_the_cliff() -> None:
    seen: list[Progress] = []
    found = run("lbfgs", cliff, HALF, tf.constant(0.9), 40, seen.append)
    assert all(np.isfinite(progress.loss) for progress in seen)
    assert found.picture.max() <= 0.75
    np.testing.assert_allclose(found.picture, 0.75, atol=0.01)


@pytest.mark.slow
def test_lbfgs_without_hope_names_the_term() -> None:
    def no_gradient(images: Any, target: Any) -> Any:
        """Finite, but the gradient of the square root is 0/0."""
        zero = tf.reduce_sum(tf.square(images - images), axis=(1, 2, 3))
        return tf.stack([tf.reduce_sum((images - target) ** 2, axis=(1, 2, 3)), tf.sqrt(zero)])

    with pytest.raises(NonFiniteError) as raised:
        run("lbfgs", no_gradient, HALF, tf.constant(0.9), 10)
    assert str(raised.value) == (
        "the content and style loss is not finite at iteration 2, however small the step; "
        "lower its weight or the learning rate, or check the weights file"
    )


@both
def test_a_start_that_is_not_finite(kind: str) -> None:
    with pytest.raises(NonFiniteError) as raised:
        run(kind, cliff, np.full(SHAPE, 0.8, np.float32), tf.constant(0.5), 10)
    assert str(raised.value) == (
        "the style loss is not finite at the start; "
        "lower its weight or the learning rate, or check the weights file"
    )


def test_minus_infinity_is_not_the_best() -> None:
    def abyss(images: Any, target: Any) -> Any:
        terms = cliff(images, target)
        return tf.where(tf.math.is_nan(terms), -np.float32(np.inf), terms)

    found = run("adam", abyss, HALF, tf.constant(0.7), 30, rate=0.1)
    assert np.isfinite(found.loss)
    assert found.picture.max() <= 0.75
