"""The initial inverse Hessian: symmetric, positive, of the size it says by frequency, colour and place."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from stylize import metric

SHAPE = (1, 12, 16, 3)


def random(seed: int, shape: tuple[int, ...] = SHAPE) -> tf.Tensor:
    return tf.constant(np.random.default_rng(seed).standard_normal(shape), tf.float32)


def apply(value: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    steps = tf.constant(metric.spectrum(*value.shape[1:3]), tf.complex64)
    return metric.scaled(value, steps, places)


def dot(a: tf.Tensor, b: tf.Tensor) -> float:
    return float(tf.reduce_sum(a * b))


@pytest.mark.parametrize("shape", [SHAPE, (1, 7, 9, 3), (1, 2, 3, 3)])
def test_it_is_symmetric_and_positive(shape: tuple[int, ...]) -> None:
    places = tf.exp(random(3, (*shape[:3], 1)))
    a, b = random(1, shape), random(2, shape)
    assert dot(a, apply(b, places)) == pytest.approx(dot(b, apply(a, places)), rel=1e-4)
    assert dot(a, apply(a, places)) > 0


def test_a_wave_is_scaled_by_its_frequency_and_colour() -> None:
    places = tf.ones((*SHAPE[:3], 1))
    scales = []
    for cycles in (2, 4):
        for color in metric.COLORS:
            wave = np.cos(2 * np.pi * cycles * np.arange(16) / 16)[None, None, :, None] * color
            value = tf.constant(np.broadcast_to(wave, SHAPE), tf.float32)
            found = apply(value, places)
            scales.append(dot(value, found) / dot(value, value))
            np.testing.assert_allclose(found, scales[-1] * value, atol=1e-5)
    share = metric.CHROMA_SHARE
    np.testing.assert_allclose(
        np.array(scales) / scales[0], [1, share, share, 0.5, share / 2, share / 2], rtol=1e-4
    )


def test_steps_are_small_where_the_gradient_changes_much() -> None:
    change = np.full((1, 40, 40, 3), 0.1, np.float32)
    change[:, :, 20:] = 1.0
    curvature = metric.remembered(tf.zeros((1, 40, 40, 1)), tf.constant(change))
    steps = metric.relative_steps(curvature).numpy()[0, :, :, 0]
    assert steps.mean() == pytest.approx(1.0, abs=1e-5)
    assert steps[:, 5].min() > 1.3 * steps[:, 35].max()
    np.testing.assert_allclose(steps[:, 35], steps[0, 35], rtol=1e-5)  # the border counts like the inside


def test_an_even_change_gives_even_steps_whatever_its_size() -> None:
    for size in (1e-6, 1.0, 1e6):
        curvature = metric.remembered(tf.zeros((1, 9, 9, 1)), tf.fill((1, 9, 9, 3), size))
        np.testing.assert_allclose(metric.relative_steps(curvature), 1.0, rtol=1e-5)
