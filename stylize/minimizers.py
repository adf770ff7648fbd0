"""What minimisers have in common, and Adam: state in tf.Variables, one compiled call an iteration.

They stay inside the range of a picture, [0, 1], by projection: what is minimised is the loss of the very
picture that is saved. The steps are traced once and serve pictures of every size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from stylize.types import Tensor

Evaluate = Callable[[Tensor, Any], Tensor]
"""Maps (images of shape (1, H, W, 3), targets) to the values of the terms, shape (terms, 1)."""

_ADAM_BETA_1, _ADAM_BETA_2, _ADAM_EPSILON = 0.9, 0.999, 1e-7

PICTURES = (1, None, None, 3)
"""The shape of a picture of any size."""


def variable(shape: tuple[int | None, ...] = (), dtype: Any = tf.float32) -> tf.Variable:
    """A variable for values of any shape that fits `shape`; empty at first."""
    empty = tf.zeros([length or 0 for length in shape], dtype)
    return tf.Variable(empty, trainable=False, shape=tf.TensorShape(shape))


def _of_any_size(value: Tensor) -> tf.TensorSpec:
    """What `value` and its like for pictures of other sizes have in common."""
    height_and_width = value.shape.rank == 4
    shape = [value.shape[0], None, None, value.shape[3]] if height_and_width else value.shape
    return tf.TensorSpec(shape, value.dtype)


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
        self.image = variable(PICTURES)
        self.gradient = variable(PICTURES)
        self.loss = variable()
        self.best_image = variable(PICTURES)
        self.best_loss = variable()
        self.evaluations = tf.Variable(0, trainable=False, dtype=tf.int32)
        self.scale = variable()
        self._compiled_step: Any = None

    def set_out(self, *, near: bool) -> None:
        """How the next start is made: `near` the minimum or not, where that makes a difference."""

    def start(self, image: Tensor, targets: Any) -> Tensor:
        """Forget everything and evaluate `image`, shape (1, H, W, 3); gives the values of the terms."""
        self._trace(targets)
        self._prepare(int(image.shape[1]), int(image.shape[2]))
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

    def step(self, targets: Any) -> tuple[Tensor, Tensor]:
        """One iteration; gives the terms' values and whether another iteration can go on from here."""
        self._trace(targets)
        return self._compiled_step(targets)

    def _trace(self, targets: Any) -> None:
        if self._compiled_step is not None:
            return
        image, aims = tf.TensorSpec(PICTURES), tf.nest.map_structure(_of_any_size, targets)
        # A function of its own: start, step and the line search's loop share its one trace. Nothing here is
        # for AutoGraph to rewrite, and it would read all sources for that, which took a second and a half.
        self._value_and_gradient = tf.function(
            self._evaluated, input_signature=(image, aims), autograph=False
        )
        self._compiled_step = tf.function(self._step, input_signature=(aims,), autograph=False)

    def _evaluated(self, image: Tensor, targets: Any) -> tuple[Tensor, Tensor, Tensor]:
        """The loss, its gradient, and the terms' values, shape (terms,)."""
        self.traces += 1
        with tf.GradientTape() as tape:
            tape.watch(image)
            terms = self._evaluate(image, targets)
            loss = tf.reduce_sum(terms)
        self.evaluations.assign_add(1)
        return loss, tape.gradient(loss, image), tf.reduce_sum(terms, axis=1)

    def renew(self, targets: Any) -> Tensor:
        """Go on from the best iterate with other targets: its loss and gradient are found anew.

        What is known of the curvature is kept: targets shift the loss and hardly bend it.
        """
        self.image.assign(self.best_image)
        loss, gradient, terms = self._value_and_gradient(self.image.read_value(), targets)
        self.gradient.assign(gradient)
        self.loss.assign(loss)
        self.best_loss.assign(loss)
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
        tf.cond(better, self._take_as_best, tf.no_op)

    def _take_as_best(self) -> Any:
        self.best_image.assign(self.image)
        self.best_loss.assign(self.loss)
        return tf.no_op()

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
        self.first_moment = variable(PICTURES)
        self.second_moment = variable(PICTURES)
        self.time = variable()

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
