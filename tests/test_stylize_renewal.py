"""Targets that are renewed in the middle of an optimisation: when, from where, and what is reported then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from stylize.errors import NonFiniteError
from stylize.lbfgs import Lbfgs
from stylize.minimizers import Adam, Minimizer
from stylize.optimize import WINDOW, Minimum, Progress, Renewal, minimize

Array = np.ndarray
SHAPE = (2, 3, 3)
MAKERS: dict[str, Callable[[Any], Minimizer]] = {
    "lbfgs": lambda evaluate: Lbfgs(evaluate, history=5),
    "adam": lambda evaluate: Adam(evaluate, learning_rate=0.03),
}
both = pytest.mark.parametrize("kind", ["lbfgs", "adam"])


def numbers(seed: int) -> Array:
    return np.random.default_rng(seed).uniform(0.2, 0.8, SHAPE).astype(np.float32)


def bowl(images: Any, targets: Any) -> Any:
    """Two terms: the squared distance from a picture, with more weight in blue, and a constant."""
    apart = tf.reduce_sum(tf.constant([1.0, 3.0, 10.0]) * tf.square(images - targets["to"]))
    return tf.reshape(tf.stack([apart, targets["more"]]), (2, 1))


def aim(seed: int, more: float = 0.0) -> dict[str, Any]:
    return {"to": tf.constant(numbers(seed)[None]), "more": tf.constant(more)}


class Renewing:
    """Targets by count, and a record of when they were asked for, and of the pictures given."""

    def __init__(self, targets: Callable[[int], Any], **settings: int) -> None:
        self.at: list[int] = []
        self.counts: list[int] = []
        self.handed: list[Array] = []
        self.progress: list[Progress] = []
        self.seen: list[Array] = []
        self._targets = targets
        self.renewal = Renewal(self._renewed, **settings)

    def _renewed(self, picture: Array, count: int) -> Any:
        self.at.append(len(self.progress))  # as many as the number of the iteration in work
        self.counts.append(count)
        self.handed.append(np.array(picture))
        return self._targets(count)

    def _told(self, progress: Progress) -> None:
        self.progress.append(progress)
        self.seen.append(np.array(progress.picture()))

    def run(self, minimizer: Minimizer, iterations: int, **more: Any) -> Minimum:
        return minimize(
            minimizer, numbers(0), self._targets(0), ("content", "style"), iterations, self._told,
            renewal=self.renewal, **more,
        )  # fmt: skip


@pytest.mark.slow
@both
def test_a_minimizer_goes_on_from_the_best_with_the_loss_and_gradient_of_the_new_targets(kind: str) -> None:
    minimizer = MAKERS[kind](bowl)
    minimizer.start(tf.constant(numbers(0)[None]), aim(1))
    for _ in range(3):
        minimizer.step(aim(1))
    best, before = tf.constant(minimizer.best_image.numpy()), int(minimizer.evaluations)
    with tf.GradientTape() as tape:
        tape.watch(best)
        expected = bowl(best, aim(2, 7.0))[:, 0]
    np.testing.assert_allclose(minimizer.renew(aim(2, 7.0)), expected, rtol=1e-6)
    np.testing.assert_array_equal(minimizer.image.numpy(), best)
    np.testing.assert_allclose(minimizer.gradient.numpy(), tape.gradient(expected, best), rtol=1e-5)
    assert (
        float(minimizer.loss) == float(minimizer.best_loss) == pytest.approx(float(sum(expected)), rel=1e-6)
    )
    assert int(minimizer.evaluations) == before + 1


@pytest.mark.slow
@both
def test_targets_are_renewed_every_so_many_iterations_but_not_at_the_end(kind: str) -> None:
    minimizer = MAKERS[kind](bowl)
    expected = {3: [], 4: [], 5: [4], 8: [4], 9: [4, 8], 13: [4, 8, 12]}
    for iterations, at in expected.items():
        renewing = Renewing(lambda count: aim(count + 1), every=4)
        found = renewing.run(minimizer, iterations)
        assert renewing.at == at
        assert renewing.counts == list(range(1, len(at) + 1))
        assert found.iterations == iterations
        assert len(renewing.progress) == iterations + 1
    assert minimizer.traces == 1


@pytest.mark.slow
@both
def test_the_best_loss_is_that_of_the_last_targets(kind: str) -> None:
    """Though with the first ones it was much lower; it begins at the best picture before the renewal."""
    renewing = Renewing(lambda count: aim(count + 1, 50.0 * count), every=6)
    found = renewing.run(MAKERS[kind](bowl), 15)
    assert renewing.at == [6, 12]
    expected = bowl(tf.constant(found.picture[None]), aim(3, 100.0)).numpy()[:, 0]
    assert list(found.terms.values()) == pytest.approx(list(expected), rel=1e-5)
    assert found.loss == pytest.approx(expected.sum(), rel=1e-6)
    losses = [progress.loss for progress in renewing.progress]
    assert found.loss == min(losses[12:])
    assert min(losses[:6]) < 50.0 <= min(losses[6:12]) < 100.0 <= min(losses[12:])
    for count, (at, picture) in enumerate(zip(renewing.at, renewing.handed, strict=True), start=1):
        again = bowl(tf.constant(picture[None]), aim(count + 1, 50.0 * count)).numpy().sum()
        assert again == pytest.approx(losses[at], rel=1e-6)  # with the new targets


def test_it_goes_on_from_the_best_picture_before_the_renewal_not_from_the_last() -> None:
    minimizer = Adam(bowl, learning_rate=0.3)
    for due in (3, 4, 5):
        before = Renewing(lambda _: aim(1), every=1000)
        before.run(minimizer, due)
        best = int(np.argmin([progress.loss for progress in before.progress]))
        if 0 < best < due:
            break
    assert 0 < best < due  # it swings over
    renewing = Renewing(lambda count: aim(count + 1), every=due)
    renewing.run(minimizer, due + 1)
    np.testing.assert_array_equal(renewing.handed[0], before.seen[best])
    np.testing.assert_array_equal(renewing.seen[due], before.seen[best])


def test_settled_before_it_is_due_targets_are_renewed_and_then_it_ends() -> None:
    """What it settles by is the losses since the last renewal."""
    renewing = Renewing(lambda _: aim(1), every=1000, before_settling=2)
    found = renewing.run(MAKERS["adam"](bowl), 600, tolerance=0.05)
    assert renewing.counts == [1, 2]
    assert found.reason == "settled"
    assert all(length >= 2 * WINDOW for length in np.diff([0, *renewing.at, found.iterations]))
    assert found.iterations < 300


def test_never_settling_there_is_no_renewal_before_it_is_due() -> None:
    renewing = Renewing(lambda _: aim(1), every=1000)
    assert renewing.run(MAKERS["adam"](bowl), 60, tolerance=0.0).iterations == 60
    assert renewing.at == []


@pytest.mark.slow
@pytest.mark.parametrize("before_settling", [0, 2])
def test_where_no_step_helps_it_ends_after_its_renewals(before_settling: int) -> None:
    """L-BFGS in the minimum, and renewed targets that are the same."""
    renewing = Renewing(lambda _: aim(1), every=1000, before_settling=before_settling)
    found = renewing.run(MAKERS["lbfgs"](bowl), 400)
    assert found.reason == "settled"
    assert found.iterations < 100
    assert len(renewing.at) <= before_settling


@pytest.mark.slow
@both
@pytest.mark.parametrize("iterations", [60, 61])
def test_a_loss_that_is_not_finite_after_a_renewal_is_an_error(kind: str, iterations: int) -> None:
    renewing = Renewing(lambda count: aim(1, np.nan if count else 0.0), every=4)
    with pytest.raises(NonFiniteError, match=r"^the style loss is not finite at iteration "):
        renewing.run(MAKERS[kind](bowl), iterations)


@pytest.mark.slow
@pytest.mark.parametrize("iterations", [10, 11])
def test_a_gradient_that_is_not_finite_is_an_error_in_spite_of_renewals(iterations: int) -> None:
    """As it is without them (test_lbfgs_without_hope_names_the_term)."""

    def no_gradient(images: Any, targets: Any) -> Any:
        return bowl(images, targets) + tf.sqrt(tf.reduce_sum(tf.square(images - images)))  # 0/0

    with pytest.raises(
        NonFiniteError, match=r" loss is not finite at iteration \d+, however small the step; "
    ):
        Renewing(lambda _: aim(1), every=20).run(Lbfgs(no_gradient, history=5), iterations)
