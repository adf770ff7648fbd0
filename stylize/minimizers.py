"""L-BFGS and Adam for one picture: state in tf.Variables, one compiled call an iteration.

Both stay inside the range of a picture, [0, 1], by projection: what is minimised is the loss of the very
picture that is saved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from stylize import metric

Tensor = Any
Evaluate = Callable[[Tensor, Any], Tensor]
"""Maps (images of shape (1, H, W, 3), targets) to the values of the terms, shape (terms, 1)."""

_SUFFICIENT_DECREASE = 1e-4
_FIRST_STEP = 0.02
_MAX_TRIALS = 12
_GAIN = 2.0
"""Of the step that the newest pair alone suggests: kinks (max pooling, ReLU) make its curvature too large."""

_CURVATURE_FLOOR = 1e-10
_ADAM_BETA_1, _ADAM_BETA_2, _ADAM_EPSILON = 0.9, 0.999, 1e-7


def _variable(shape: tuple[int, ...]) -> tf.Variable:
    return tf.Variable(tf.zeros(shape), trainable=False)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return tf.reduce_sum(a * b)


class Minimizer:
    """State and compiled steps for pictures of one shape.

    Parameters
    ----------
    evaluate
        The function to minimise.
    shape
        (1, H, W, 3).
    """

    def __init__(self, evaluate: Evaluate, shape: tuple[int, ...]) -> None:
        self._evaluate = evaluate
        self.image = _variable(shape)
        self.gradient = _variable(shape)
        self.loss = _variable(())
        self.best_image = _variable(shape)
        self.best_loss = _variable(())
        self.evaluations = tf.Variable(0, trainable=False, dtype=tf.int32)
        self.scale = _variable(())
        self.start = tf.function(self._start)
        self.step = tf.function(self._step)

    def _value_and_gradient(self, image: Tensor, targets: Any) -> tuple[Tensor, Tensor, Tensor]:
        """The loss, its gradient, and the terms' values, shape (terms,)."""
        with tf.GradientTape() as tape:
            tape.watch(image)
            terms = self._evaluate(image, targets)
            loss = tf.reduce_sum(terms)
        self.evaluations.assign_add(1)
        return loss, tape.gradient(loss, image), tf.reduce_sum(terms, axis=1)

    def _start(self, image: Tensor, targets: Any) -> Tensor:
        """Forget everything and evaluate `image`; gives the values of the terms."""
        self.evaluations.assign(0)
        self.scale.assign(1.0)
        loss, gradient, terms = self._value_and_gradient(image, targets)
        self.image.assign(image)
        self.gradient.assign(gradient)
        self.loss.assign(loss)
        self.best_image.assign(image)
        self.best_loss.assign(loss)
        self._reset()
        return terms

    def variables(self) -> dict[str, tf.Variable]:
        """Everything that the next step depends on, by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, tf.Variable)}

    def restore(self, values: Mapping[str, Any]) -> None:
        """Set the state to values that `variables` had; ValueError if they are not of this minimiser."""
        mine = self.variables()
        if values.keys() != mine.keys():
            raise ValueError("state of another minimiser")
        if any(values[name].shape != tuple(mine[name].shape) for name in mine):
            raise ValueError("state of another shape")
        for name, variable in mine.items():
            variable.assign(values[name])

    def _keep_best(self) -> None:
        better = tf.math.is_finite(self.loss) & (self.loss < self.best_loss)
        self.best_image.assign(tf.where(better, self.image, self.best_image))
        self.best_loss.assign(tf.where(better, self.loss, self.best_loss))

    def retry(self, targets: Any) -> None:
        """Go back to the best iterate, forget the curvature or momentum, and halve the step."""
        evaluations, scale, best = int(self.evaluations), float(self.scale), tf.identity(self.best_image)
        self.start(best, targets)
        self.evaluations.assign_add(evaluations)
        self.scale.assign(scale * 0.5)

    def _reset(self) -> None:
        raise NotImplementedError

    def _step(self, targets: Any) -> tuple[Tensor, Tensor]:
        """One iteration; gives the terms' values and whether another iteration can go on from here."""
        raise NotImplementedError


class Adam(Minimizer):
    """Adam (Kingma & Ba 2015), with every step projected to [0, 1]."""

    def __init__(self, evaluate: Evaluate, shape: tuple[int, ...], learning_rate: float) -> None:
        super().__init__(evaluate, shape)
        self.learning_rate = learning_rate
        self.first_moment = _variable(shape)
        self.second_moment = _variable(shape)
        self.time = _variable(())

    def _reset(self) -> None:
        self.first_moment.assign(tf.zeros_like(self.first_moment))
        self.second_moment.assign(tf.zeros_like(self.second_moment))
        self.time.assign(0.0)

    def _step(self, targets: Any) -> tuple[Tensor, Tensor]:
        t = self.time.assign_add(1.0)
        g = self.gradient.read_value()
        m = self.first_moment.assign(_ADAM_BETA_1 * self.first_moment + (1.0 - _ADAM_BETA_1) * g)
        v = self.second_moment.assign(_ADAM_BETA_2 * self.second_moment + (1.0 - _ADAM_BETA_2) * g * g)
        rate = self.scale * self.learning_rate * tf.sqrt(1.0 - _ADAM_BETA_2**t) / (1.0 - _ADAM_BETA_1**t)
        image = tf.clip_by_value(self.image - rate * m / (tf.sqrt(v) + _ADAM_EPSILON), 0.0, 1.0)
        loss, gradient, terms = self._value_and_gradient(image, targets)
        self.image.assign(image)
        self.gradient.assign(gradient)
        self.loss.assign(loss)
        self._keep_best()
        return terms, tf.constant(True)


class Lbfgs(Minimizer):
    """Limited-memory BFGS (Nocedal & Wright 2006, algorithm 7.4) on the box [0, 1].

    Pixels that stand at a bound with the gradient pointing out of the box are held for the iteration
    (Bertsekas 1982); the step along the two-loop direction is projected, and halved or shortened by
    quadratic interpolation until the loss has decreased sufficiently (Armijo). Pairs without positive
    curvature are not remembered. The loss never rises, so the last iterate is the best one.

    The initial inverse Hessian is not a multiple of the identity but the one of :mod:`stylize.metric`: the
    first steps move large forms and leave the finest texture for later, which reaches a lower loss sooner and
    makes strokes rather than speckle (see docs/decisions.md).
    """

    def __init__(self, evaluate: Evaluate, shape: tuple[int, ...], history: int) -> None:
        super().__init__(evaluate, shape)
        self.history = history
        self.steps = _variable((history, *shape))
        self.changes = _variable((history, *shape))
        self.inverse_curvatures = _variable((history,))
        self.pairs = tf.Variable(0, trainable=False, dtype=tf.int32)
        self.curvature = _variable((*shape[:3], 1))
        self.places = _variable((*shape[:3], 1))
        self.spectrum = tf.constant(metric.spectrum(shape[1], shape[2]), tf.complex64)

    def _reset(self) -> None:
        self.inverse_curvatures.assign(tf.zeros_like(self.inverse_curvatures))
        self.pairs.assign(0)
        self.curvature.assign(tf.zeros_like(self.curvature))
        self.places.assign(tf.ones_like(self.places))

    def _step(self, targets: Any) -> tuple[Tensor, Tensor]:
        x, g, f = self.image.read_value(), self.gradient.read_value(), self.loss.read_value()
        held = ((x <= 0.0) & (g > 0.0)) | ((x >= 1.0) & (g < 0.0))
        free_gradient = tf.where(held, 0.0, g)
        direction = tf.where(held, 0.0, self._direction(free_gradient))
        downhill = _dot(direction, free_gradient) < 0.0
        direction = tf.where(downhill, direction, -free_gradient)
        new_x, new_f, new_g, terms, accepted = self._search(x, f, g, direction, targets)
        self._remember(new_x - x, new_g - g, accepted)
        self.image.assign(new_x)
        self.gradient.assign(new_g)
        self.loss.assign(new_f)
        self._keep_best()
        return terms, accepted

    def _direction(self, gradient: Tensor) -> Tensor:
        """-H g by the two-loop recursion; a step of RMS size _FIRST_STEP when nothing is remembered.

        The recursion's coefficients solve two triangular systems in the products s_i y_j (newest first), so
        that the pairs are read in a few matrix products instead of one by one.
        """
        order = (self.pairs - 1 - tf.range(self.history)) % self.history  # by age; its own inverse
        steps, changes = (tf.reshape(pairs, (self.history, -1)) for pairs in (self.steps, self.changes))
        known = tf.gather(self.inverse_curvatures, order)[:, None] > 0.0
        products = tf.matmul(steps, changes, transpose_b=True)
        products = tf.gather(tf.gather(products, order, axis=0), order, axis=1)
        products = tf.linalg.band_part(tf.where(known & tf.transpose(known), products, 0.0), -1, 0)
        curvatures = tf.where(known, tf.linalg.diag_part(products)[:, None], 1.0)
        products = tf.linalg.set_diag(products, curvatures[:, 0])
        q = tf.reshape(gradient, (-1, 1))
        along = tf.where(known, tf.gather(tf.matmul(steps, q), order), 0.0)
        alphas = tf.linalg.triangular_solve(products, along)
        q = tf.reshape(q - tf.matmul(changes, tf.gather(alphas, order), transpose_a=True), gradient.shape)
        newest = self.changes[order[0]]
        curvature = self.inverse_curvatures[order[0]] * _dot(newest, self._scaled(newest))
        r = self._scaled(q)
        first = _FIRST_STEP / tf.maximum(tf.sqrt(tf.reduce_mean(tf.square(r))), 1e-30)
        r = r * tf.where(curvature > 0.0, _GAIN / tf.maximum(curvature, 1e-30), first)
        against = tf.where(known, tf.gather(tf.matmul(changes, tf.reshape(r, (-1, 1))), order), 0.0)
        deltas = tf.linalg.triangular_solve(products, curvatures * alphas - against, adjoint=True)
        along = tf.matmul(steps, tf.gather(deltas, order), transpose_a=True)
        return -(r + tf.reshape(along, gradient.shape))

    def _scaled(self, value: Tensor) -> Tensor:
        """The initial inverse Hessian, but for a factor, times `value`."""
        return metric.scaled(value, self.spectrum, self.places)

    def _search(
        self, x: Tensor, f: Tensor, g: Tensor, direction: Tensor, targets: Any
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Backtrack along the projected direction; without success gives the old point and False."""

        def trial(step: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
            image = tf.clip_by_value(x + step * direction, 0.0, 1.0)
            loss, gradient, terms = self._value_and_gradient(image, targets)
            slope = _dot(g, image - x)
            finite = tf.math.is_finite(loss) & tf.reduce_all(tf.math.is_finite(gradient))
            accepted = finite & (slope < 0.0) & (loss <= f + _SUFFICIENT_DECREASE * slope)
            shorter = -0.5 * slope / tf.maximum(loss - f - slope, 1e-30)
            shrink = tf.where(finite, tf.clip_by_value(shorter, 0.1, 0.5), 0.1)
            return image, loss, gradient, terms, accepted, step * shrink

        count = tf.constant(1)
        state = (*trial(tf.identity(self.scale)), count)
        image, loss, gradient, terms, accepted, _, _ = tf.while_loop(
            lambda *state: ~state[4] & (state[6] < _MAX_TRIALS),
            lambda *state: (*trial(state[5]), state[6] + 1),
            state,
        )
        image = tf.where(accepted, image, x)
        gradient = tf.where(accepted, gradient, g)
        return image, tf.where(accepted, loss, f), gradient, terms, accepted

    def _remember(self, s: Tensor, y: Tensor, accepted: Tensor) -> None:
        """Store a pair of positive curvature; after a failed search forget all pairs instead."""
        sy = _dot(s, y)
        good = accepted & (sy > _CURVATURE_FLOOR * _dot(y, y)) & (sy > 0.0)
        slot = self.pairs % self.history
        old_s, old_y, old_rho = self.steps[slot], self.changes[slot], self.inverse_curvatures[slot]
        rho = tf.where(good, 1.0 / tf.where(good, sy, 1.0), old_rho)
        self.steps.scatter_nd_update([[slot]], [tf.where(good, s, old_s)])
        self.changes.scatter_nd_update([[slot]], [tf.where(good, y, old_y)])
        self.inverse_curvatures.scatter_nd_update([[slot]], [rho])
        self.pairs.assign_add(tf.cast(good, tf.int32))
        self.curvature.assign(tf.where(good, metric.remembered(self.curvature, y), self.curvature))
        self.places.assign(tf.where(good, metric.relative_steps(self.curvature), self.places))
        self.inverse_curvatures.assign(self.inverse_curvatures * tf.cast(accepted, tf.float32))
