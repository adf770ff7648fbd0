"""L-BFGS and Adam for one picture: state in tf.Variables, one compiled call an iteration.

Both stay inside the range of a picture, [0, 1], by projection: what is minimised is the loss of the very
picture that is saved. The steps are traced once and serve pictures of every size.
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


_PICTURES = (1, None, None, 3)


def _variable(shape: tuple[int | None, ...] = (), dtype: Any = tf.float32) -> tf.Variable:
    """A variable for values of any shape that fits `shape`; empty at first."""
    empty = tf.zeros([length or 0 for length in shape], dtype)
    return tf.Variable(empty, trainable=False, shape=tf.TensorShape(shape))


def _of_any_size(value: Tensor) -> tf.TensorSpec:
    """What `value` and its like for pictures of other sizes have in common."""
    height_and_width = value.shape.rank == 4
    shape = [value.shape[0], None, None, value.shape[3]] if height_and_width else value.shape
    return tf.TensorSpec(shape, value.dtype)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return tf.reduce_sum(a * b)


class Minimizer:
    """State and compiled steps.

    The steps are traced at the first start, for targets of the structure and types given then.

    Parameters
    ----------
    evaluate
        The function to minimise.

    Attributes
    ----------
    traces
        How often `evaluate` has been traced.
    """

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate = evaluate
        self.traces = 0
        self.image = _variable(_PICTURES)
        self.gradient = _variable(_PICTURES)
        self.loss = _variable()
        self.best_image = _variable(_PICTURES)
        self.best_loss = _variable()
        self.evaluations = tf.Variable(0, trainable=False, dtype=tf.int32)
        self.scale = _variable()
        self._compiled: dict[str, Any] = {}

    def start(self, image: Tensor, targets: Any) -> Tensor:
        """Forget everything and evaluate `image`, shape (1, H, W, 3); gives the values of the terms."""
        self._trace(targets)
        self._prepare(int(image.shape[1]), int(image.shape[2]))
        return self._compiled["start"](image, targets)

    def step(self, targets: Any) -> tuple[Tensor, Tensor]:
        """One iteration; gives the terms' values and whether another iteration can go on from here."""
        self._trace(targets)
        return self._compiled["step"](targets)

    def _trace(self, targets: Any) -> None:
        if self._compiled:
            return
        image, aims = tf.TensorSpec(_PICTURES), tf.nest.map_structure(_of_any_size, targets)
        # A function of its own: start, step and the line search's loop share its one trace.
        self._value_and_gradient = tf.function(self._evaluated, input_signature=(image, aims))
        self._compiled["start"] = tf.function(self._start, input_signature=(image, aims))
        self._compiled["step"] = tf.function(self._step, input_signature=(aims,))

    def _evaluated(self, image: Tensor, targets: Any) -> tuple[Tensor, Tensor, Tensor]:
        """The loss, its gradient, and the terms' values, shape (terms,)."""
        self.traces += 1
        with tf.GradientTape() as tape:
            tape.watch(image)
            terms = self._evaluate(image, targets)
            loss = tf.reduce_sum(terms)
        self.evaluations.assign_add(1)
        return loss, tape.gradient(loss, image), tf.reduce_sum(terms, axis=1)

    def _start(self, image: Tensor, targets: Any) -> Tensor:
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
        own = vars(self).items()
        return {name: value for name, value in own if isinstance(value, tf.Variable) and name[0] != "_"}

    def restore(self, values: Mapping[str, Any], height: int, width: int) -> None:
        """Set the state to values that `variables` had; ValueError if they are not of this minimiser.

        Parameters
        ----------
        height, width
            Of the picture in work.
        """
        mine = self.variables()
        if values.keys() != mine.keys():
            raise ValueError("state of another minimiser")
        if any(not mine[name].shape.is_compatible_with(values[name].shape) for name in mine):
            raise ValueError("state of another shape")
        if values["image"].shape[1:3] != (height, width):
            raise ValueError("state of another shape")
        self._prepare(height, width)
        for name, variable in mine.items():
            variable.assign(values[name])

    def _prepare(self, height: int, width: int) -> None:
        """Set what depends on nothing but the size."""

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
        raise NotImplementedError


class Adam(Minimizer):
    """Adam (Kingma & Ba 2015), with every step projected to [0, 1]."""

    def __init__(self, evaluate: Evaluate, learning_rate: float) -> None:
        super().__init__(evaluate)
        self.learning_rate = learning_rate
        self.first_moment = _variable(_PICTURES)
        self.second_moment = _variable(_PICTURES)
        self.time = _variable()

    def _reset(self) -> None:
        self.first_moment.assign(tf.zeros_like(self.image))
        self.second_moment.assign(tf.zeros_like(self.image))
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

    def __init__(self, evaluate: Evaluate, history: int) -> None:
        super().__init__(evaluate)
        self.history = history
        self.steps = _variable((history, *_PICTURES))
        self.changes = _variable((history, *_PICTURES))
        self.inverse_curvatures = _variable((history,))
        self.pairs = tf.Variable(0, trainable=False, dtype=tf.int32)
        self.curvature = _variable((*_PICTURES[:3], 1))
        self.places = _variable((*_PICTURES[:3], 1))
        self._spectrum = _variable((3, None, None), tf.complex64)

    def _prepare(self, height: int, width: int) -> None:
        self._spectrum.assign(metric.spectrum(height, width))

    def _reset(self) -> None:
        pairs = tf.zeros(tf.concat([[self.history], tf.shape(self.image)], axis=0))
        plane = tf.zeros_like(self.image)[..., :1]
        self.steps.assign(pairs)
        self.changes.assign(pairs)
        self.inverse_curvatures.assign(tf.zeros_like(self.inverse_curvatures))
        self.pairs.assign(0)
        self.curvature.assign(plane)
        self.places.assign(plane + 1.0)

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
        q = tf.reshape(q - tf.matmul(changes, tf.gather(alphas, order), transpose_a=True), tf.shape(gradient))
        newest = self.changes[order[0]]
        curvature = self.inverse_curvatures[order[0]] * _dot(newest, self._scaled(newest))
        r = self._scaled(q)
        first = _FIRST_STEP / tf.maximum(tf.sqrt(tf.reduce_mean(tf.square(r))), 1e-30)
        r = r * tf.where(curvature > 0.0, _GAIN / tf.maximum(curvature, 1e-30), first)
        against = tf.where(known, tf.gather(tf.matmul(changes, tf.reshape(r, (-1, 1))), order), 0.0)
        deltas = tf.linalg.triangular_solve(products, curvatures * alphas - against, adjoint=True)
        along = tf.matmul(steps, tf.gather(deltas, order), transpose_a=True)
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
