"""L-BFGS for one picture, on the box [0, 1]."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from stylize import metric
from stylize.minimizers import PICTURES, Evaluate, Minimizer, variable
from stylize.types import Tensor

_SUFFICIENT_DECREASE = 1e-4
_FIRST_STEP, _SHORT_FIRST_STEP = 0.02, 0.0025
"""RMS sizes. Near the minimum the longer one was taken back nearly always, which cost an evaluation."""

_MAX_TRIALS = 12
_GAIN = 2.0
"""Of the step that the newest pair alone suggests: kinks (max pooling, ReLU) make its curvature too large."""

_CURVATURE_FLOOR = 1e-10


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return tf.reduce_sum(a * b)


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

    def __init__(self, evaluate: Evaluate, history: int) -> None:
        super().__init__(evaluate)
        self.history = history
        self.steps = variable((history, *PICTURES))
        self.changes = variable((history, *PICTURES))
        self.inverse_curvatures = variable((history,))
        self.products = variable((history, history))
        self.curvature = variable((*PICTURES[:3], 1))
        self.places = variable((*PICTURES[:3], 1))
        self._spectrum = variable((3, None, None), tf.complex64)
        self._size = (0, 0)
        self._first_step = tf.Variable(_FIRST_STEP, trainable=False)

    def set_out(self, *, near: bool) -> None:
        """The first step is short if it is near."""
        self._first_step.assign(_SHORT_FIRST_STEP if near else _FIRST_STEP)

    def _prepare(self, height: int, width: int) -> None:
        if self._size == (height, width):
            return
        self._spectrum.assign(metric.spectrum(height, width))
        for pairs in (self.steps, self.changes):
            pairs.assign(tf.zeros((self.history, 1, height, width, 3)))
        self._size = (height, width)

    def _reset(self) -> None:
        plane = tf.zeros_like(self.image)[..., :1]
        self.inverse_curvatures.assign(tf.zeros_like(self.inverse_curvatures))
        self.products.assign(tf.zeros_like(self.products))
        self.curvature.assign(plane)
        self.places.assign(plane + 1.0)

    def _step(self, targets: Any) -> tuple[Tensor, Tensor]:
        x, g, f = self.image.read_value(), self.gradient.read_value(), self.loss.read_value()
        held = ((x <= 0.0) & (g > 0.0)) | ((x >= 1.0) & (g < 0.0))
        free_gradient = tf.where(held, 0.0, g)
        direction = tf.where(held, 0.0, self._direction(free_gradient))
        downhill = _dot(direction, free_gradient) < 0.0
        direction = tf.cond(downhill, lambda: direction, lambda: -free_gradient)
        new_x, new_f, new_g, terms, accepted = self._search(x, f, g, direction, targets)
        self._remember(new_x - x, new_g - g, accepted)
        self.image.assign(new_x)
        self.gradient.assign(new_g)
        self.loss.assign(new_f)
        self._keep_best()
        return terms, accepted

    def _direction(self, gradient: Tensor) -> Tensor:
        """-H g by the two-loop recursion; a step of the first step's RMS size when nothing is remembered.

        The recursion's coefficients solve two triangular systems in the products s_i y_j (newest first), so
        that the pairs are read in a few matrix products instead of one by one.
        """
        known = self.inverse_curvatures[:, None] > 0.0
        products = tf.where(known & tf.transpose(known), self.products, 0.0)
        curvatures = tf.where(known, tf.linalg.diag_part(products)[:, None], 1.0)
        products = tf.linalg.set_diag(products, curvatures[:, 0])
        steps, changes = (tf.reshape(pairs, (self.history, -1)) for pairs in (self.steps, self.changes))
        q = tf.reshape(gradient, (-1, 1))
        alphas = tf.linalg.triangular_solve(products, tf.where(known, tf.matmul(steps, q), 0.0))
        q = tf.reshape(q - tf.matmul(changes, alphas, transpose_a=True), tf.shape(gradient))
        newest = self.changes[0]
        curvature = self.inverse_curvatures[0] * _dot(newest, self._scaled(newest))
        r = self._scaled(q)
        first = self._first_step / tf.maximum(tf.sqrt(tf.reduce_mean(tf.square(r))), 1e-30)
        r = r * tf.where(curvature > 0.0, _GAIN / tf.maximum(curvature, 1e-30), first)
        against = tf.where(known, tf.matmul(changes, tf.reshape(r, (-1, 1))), 0.0)
        deltas = tf.linalg.triangular_solve(products, curvatures * alphas - against, adjoint=True)
        along = tf.matmul(steps, deltas, transpose_a=True)
        return -(r + tf.reshape(along, tf.shape(gradient)))

    def _scaled(self, value: Tensor) -> Tensor:
        """The initial inverse Hessian, but for a factor, times `value`."""
        return metric.scaled(value, self._spectrum, self.places)

    def _search(
        self, x: Tensor, f: Tensor, g: Tensor, direction: Tensor, targets: Any
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Backtrack along the projected direction; without success gives the old point and False."""

        def trial(
            _image: Tensor, _loss: Tensor, _gradient: Tensor, _terms: Tensor, _accepted: Tensor,
            step: Tensor, count: Tensor,
        ) -> tuple[Tensor, ...]:  # fmt: skip
            image = tf.clip_by_value(x + step * direction, 0.0, 1.0)
            loss, gradient, terms = self._value_and_gradient(image, targets)
            slope = _dot(g, image - x)
            finite = tf.math.is_finite(loss) & tf.reduce_all(tf.math.is_finite(gradient))
            accepted = finite & (slope < 0.0) & (loss <= f + _SUFFICIENT_DECREASE * slope)
            shorter = -0.5 * slope / tf.maximum(loss - f - slope, 1e-30)
            shrink = tf.where(finite, tf.clip_by_value(shorter, 0.1, 0.5), 0.1)
            return image, loss, gradient, terms, accepted, step * shrink, count + 1

        start = (x, f, g, tf.zeros((0,)), tf.constant(False), tf.identity(self.scale), tf.constant(0))
        shapes = (x.shape, f.shape, g.shape, tf.TensorShape((None,)), *[tf.TensorShape(())] * 3)
        image, loss, gradient, terms, accepted, _, _ = tf.while_loop(
            lambda *state: ~state[4] & (state[6] < _MAX_TRIALS), trial, start, shape_invariants=shapes
        )
        found, known = (image, loss, gradient), (x, f, g)
        image, loss, gradient = tf.cond(accepted, lambda: found, lambda: known)
        return image, loss, gradient, terms, accepted

    def _remember(self, s: Tensor, y: Tensor, accepted: Tensor) -> None:
        """Store a pair of positive curvature; after a failed search forget all pairs instead."""
        sy = _dot(s, y)
        good = accepted & (sy > _CURVATURE_FLOOR * _dot(y, y)) & (sy > 0.0)
        tf.cond(good, lambda: self._push(s, y, sy), tf.no_op)
        self.inverse_curvatures.assign(self.inverse_curvatures * tf.cast(accepted, tf.float32))

    def _push(self, s: Tensor, y: Tensor, sy: Tensor) -> Any:
        """Put a pair in front of the others; the oldest goes. And learn from it where steps must be small.

        By concatenation: after a scatter into a variable TensorFlow copies it whenever it is read, and on a
        graphics card a scatter takes as long as several evaluations.
        """
        self.steps.assign(_in_front(s[None], self.steps))
        self.changes.assign(_in_front(y[None], self.changes))
        self.inverse_curvatures.assign(_in_front(1.0 / sy[None], self.inverse_curvatures))
        older = tf.pad(self.products[:-1, :-1], [[1, 0], [1, 0]])
        newest = tf.matmul(tf.reshape(self.steps, (self.history, -1)), tf.reshape(y, (-1, 1)))
        self.products.assign(older + tf.pad(newest, [[0, 0], [0, self.history - 1]]))
        self.curvature.assign(metric.remembered(self.curvature, y))
        self.places.assign(metric.relative_steps(self.curvature))
        return tf.no_op()


def _in_front(newest: Tensor, pairs: Tensor) -> Tensor:
    return tf.concat([newest, pairs[:-1]], axis=0)
