"""The two loops that others use, on any objective: the TensorFlow tutorial's Adam, and SciPy's L-BFGS-B.

Each gives what it saw: (evaluations, seconds, loss) for every evaluation. Both stay in the box [0, 1]. A
`watcher` is told as much, with what gives the picture that was evaluated, and may end the loop by raising.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from scripts.reference.turns import EnoughError, Watcher

Trace = list[tuple[int, float, float]]

_SCALE = 1e6
"""The tutorial's losses are in the millions; its epsilon, 0.1, would hold back gradients of losses near 1."""


def tutorial_adam(
    loss_of: Callable[[Any], Any],
    start: np.ndarray,
    evaluations: int,
    target: float = -1.0,
    *,
    scale: float = _SCALE,
    watcher: Watcher | None = None,
) -> Trace:
    """Adam with the tutorial's settings (0.02, beta 0.99, epsilon 0.1), clipped after every step.

    `scale` brings the loss to the size of the tutorial's.
    """
    image = tf.Variable(start[None])
    optimizer = tf.keras.optimizers.Adam(learning_rate=0.02, beta_1=0.99, epsilon=1e-1)

    @tf.function
    def step() -> Any:
        with tf.GradientTape() as tape:
            loss = scale * loss_of(image)
        evaluated = tf.identity(image)
        optimizer.apply_gradients([(tape.gradient(loss, image), image)])
        image.assign(tf.clip_by_value(image, 0.0, 1.0))
        return loss / scale, evaluated

    step()  # compile
    image.assign(start[None])
    for variable in optimizer.variables:
        variable.assign(tf.zeros_like(variable) if variable.shape.rank else variable)
    optimizer.learning_rate = 0.02
    trace: Trace = []
    if watcher is not None:
        watcher.begin()
    began = time.perf_counter()
    for count in range(1, evaluations + 1):
        loss, evaluated = step()
        trace.append((count, time.perf_counter() - began, float(loss)))
        if watcher is not None:
            watcher.seen(count, float(loss), evaluated[0].numpy)
        if trace[-1][2] <= target:
            break
    return trace


def scipy_lbfgs(
    loss_of: Callable[[Any], Any],
    start: np.ndarray,
    evaluations: int,
    target: float = -1.0,
    *,
    watcher: Watcher | None = None,
) -> Trace:
    """SciPy's L-BFGS-B with its defaults, loss and gradient in a compiled function."""
    from scipy.optimize import minimize

    @tf.function
    def value_and_gradient(image: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(image)
            loss = loss_of(image)
        return loss, tape.gradient(loss, image)

    value_and_gradient(tf.constant(start[None]))  # compile
    trace: Trace = []
    if watcher is not None:
        watcher.begin()
    began = time.perf_counter()

    def function(flat: np.ndarray) -> tuple[float, np.ndarray]:
        loss, gradient = value_and_gradient(tf.constant(flat.reshape(1, *start.shape), tf.float32))
        trace.append((len(trace) + 1, time.perf_counter() - began, float(loss)))
        if watcher is not None:
            watcher.seen(len(trace), float(loss), lambda: flat.reshape(start.shape).astype(np.float32))
        if trace[-1][2] <= target or len(trace) >= evaluations:
            raise EnoughError
        return float(loss), gradient.numpy().astype(np.float64).ravel()

    bounds = [(0.0, 1.0)] * start.size
    try:
        minimize(
            function,
            start.astype(np.float64).ravel(),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": evaluations, "maxfun": evaluations},
        )
    except EnoughError:
        pass
    return trace
