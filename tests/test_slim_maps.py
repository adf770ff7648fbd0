"""Measures of the training of vgg19-slim: explained variance, linear maps, taps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import tensorflow as tf

from scripts.slim.training import taps
from scripts.slim.training.linear_maps import LinearMap
from scripts.slim.training.measure import MAP_RIDGE, Moments, explained_variance
from scripts.slim.training.taps import fit_taps, tap_of
from scripts.slim.training.teachers import (
    SLIM_LAYERS,
    Lesson,
)

pytestmark = pytest.mark.usefixtures("uncompiled")


def samples(count: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Five features, and four targets that they explain in part; neither about zero."""
    random = np.random.default_rng(seed)
    features = random.normal(2.0, 1.0, (count, 5))
    linear = np.random.default_rng(99).normal(size=(5, 4))
    return features, features @ linear + random.normal(3.0, 1.5, (count, 4))


def moments_of(features: np.ndarray, targets: np.ndarray) -> Moments:
    moments = Moments()
    for part in (slice(0, 70), slice(70, None)):
        moments.add(features[part], targets[part])
    return moments


def test_best_map_is_that_of_least_squares() -> None:
    features, targets = samples()
    design = np.column_stack([np.ones(len(features)), features])
    expected = np.linalg.lstsq(design, targets, rcond=None)[0]
    moments = moments_of(features, targets)
    assert moments.count == len(features)
    np.testing.assert_allclose(moments.best_map(), expected, rtol=1e-5, atol=1e-5)


def test_explained_share_on_own_and_on_other_samples() -> None:
    linear = moments_of(*samples()).best_map()
    for seed in (0, 1):
        features, targets = samples(seed=seed)
        residual = targets - features @ linear[1:] - linear[0]
        expected = 1.0 - np.sum(residual**2) / np.sum((targets - targets.mean(0)) ** 2)
        assert 0.2 < expected < 0.95
        assert moments_of(features, targets).explained(linear) == pytest.approx(expected, abs=1e-9)


def test_bound_is_that_of_principal_components() -> None:
    features, targets = samples()
    squares = np.linalg.svd(targets - targets.mean(0), compute_uv=False) ** 2
    moments = moments_of(features, targets)
    for rank in (1, 2, 4):
        assert moments.bound(rank) == pytest.approx(squares[:rank].sum() / squares.sum())


def test_map_without_a_bias_is_that_of_ridge_regression() -> None:
    """The ridge as rows of the design: each feature's length, against nothing."""
    features, targets = samples()
    ridge = np.sqrt(MAP_RIDGE) * np.diag(np.linalg.norm(features, axis=0))
    design = np.concatenate([features, ridge])
    wanted = np.concatenate([targets, np.zeros((5, 4))])
    expected = np.linalg.lstsq(design, wanted, rcond=None)[0]
    np.testing.assert_allclose(moments_of(features, targets).homogeneous_map(), expected, rtol=1e-6)


def test_map_without_a_bias_does_not_depend_on_the_units() -> None:
    features, targets = samples()
    plain = moments_of(features, targets).homogeneous_map()
    units = np.array([1.0, 100.0, 0.01, 1.0, 10.0])
    found = moments_of(features * units, targets).homogeneous_map()
    np.testing.assert_allclose(found * units[:, None], plain, rtol=1e-6)


def test_two_features_that_say_the_same_share_the_map() -> None:
    random = np.random.default_rng(0)
    value = random.normal(1.0, 1.0, (500, 1))
    twins = np.concatenate([value, value + random.normal(0.0, 1e-6, value.shape)], axis=1)
    targets = 2.0 * value + random.normal(0.0, 1e-3, value.shape)
    np.testing.assert_allclose(moments_of(twins, targets).homogeneous_map(), [[1.0], [1.0]], rtol=0.01)


def test_explained_variance_of_whole_and_crosswise() -> None:
    random = np.random.default_rng(0)
    pictures = [random.random((6, 6, 3)).astype(np.float32) for _ in range(2)]

    def student(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"exact": image, "noise": tf.constant(random.random((1, 6, 6, 10)))}

    def targets(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"exact": image @ tf.constant([[1.0, 2.0], [0.0, 3.0], [4.0, 1.0]]) + 5.0, "noise": image}

    found = explained_variance(student, targets, pictures)
    assert found["exact"] == pytest.approx((1.0, 1.0), abs=1e-5)
    whole, crossed = found["noise"]
    assert 0.0 < whole < 0.5
    assert crossed < 0.0


def crops_of_features(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(1.0, 1.0, (3, 60, 6)).astype(np.float32)


def test_an_exact_linear_lesson_is_found_at_once() -> None:
    linear = np.random.default_rng(9).normal(size=(6, 4)).astype(np.float32)
    found = LinearMap(6, 4, samples_per_step=180)
    for seed in range(4):
        features = crops_of_features(seed)
        share, gram_error = found.losses(tf.constant(features), tf.constant(features @ linear + 2.0))
    assert 0.0 <= float(share) < 1e-2
    assert 0.0 <= float(gram_error) < 1e-2


def test_gradient_is_that_of_the_unexplained_variance() -> None:
    """Through a map fitted anew for each set of features, though the gradient takes it for a constant."""
    features, targets = tf.constant(crops_of_features(0)), tf.constant(crops_of_features(1)[..., :4])

    def unexplained(values: tf.Tensor) -> tf.Tensor:
        return LinearMap(6, 4, samples_per_step=180).losses(values, targets)[0]

    with tf.GradientTape() as tape:
        tape.watch(features)
        share = unexplained(features)
    gradient = tape.gradient(share, features)
    assert float(share) > 0.5
    length = float(tf.norm(gradient))
    assert length > 1e-3
    step = 0.5 * gradient / length
    ahead, behind = float(unexplained(features + step)), float(unexplained(features - step))
    assert behind < float(share) < ahead
    assert ahead - behind == pytest.approx(length, rel=0.05)


def test_metric_is_that_of_the_best_map_of_the_last_steps() -> None:
    """Least squares without a bias, in which a step counts 0.9 of the one after it."""
    found, rows, wanted = LinearMap(6, 4, samples_per_step=180), [], []
    for seed in range(3):
        features = crops_of_features(seed)
        targets = (
            features @ np.random.default_rng(9).normal(size=(6, 4)) + crops_of_features(50 + seed)[..., :4]
        )
        found.losses(tf.constant(features), tf.constant(targets, tf.float32))
        weight = np.sqrt(0.9 ** (2 - seed))
        rows.append(weight * features.reshape(-1, 6))
        wanted.append(weight * targets.reshape(-1, 4))
    linear = np.linalg.lstsq(np.concatenate(rows), np.concatenate(wanted), rcond=None)[0]
    np.testing.assert_allclose(found.metric(), linear @ linear.T, rtol=2e-3, atol=2e-3)
    assert np.linalg.norm(linear) > 1.0


@pytest.mark.parametrize("shape", [(5, 8), (5, 3)])
def test_a_tap_keeps_lengths_less_the_share_of_channels(shape: tuple[int, int]) -> None:
    """Also where it stands for fewer channels than it has."""
    linear = np.random.default_rng(0).normal(size=shape)
    tap = tap_of(linear)
    assert (tap.shape, tap.dtype) == ((5, 5), np.dtype(np.float32))
    np.testing.assert_allclose(tap, tap.T, atol=1e-5)
    assert np.linalg.eigvalsh(tap).min() > -1e-5
    np.testing.assert_allclose(tap @ tap.T, linear @ linear.T * (shape[0] / shape[1]), atol=1e-5)
    differences = np.random.default_rng(1).normal(size=(20, 5))
    mine, theirs = (np.mean((differences @ matrix) ** 2, axis=1) for matrix in (tap, linear))
    np.testing.assert_allclose(mine, theirs, rtol=1e-4)


class Mixed:
    """A network each of whose layers is another linear map of the picture's pixels."""

    def __init__(self, maps: Mapping[str, np.ndarray]) -> None:
        self._maps = maps

    def activations(self, images: tf.Tensor, layers: Sequence[str]) -> dict[str, tf.Tensor]:
        return {layer: (images - 0.5) @ tf.constant(self._maps[layer], images.dtype) for layer in layers}


def test_fitted_taps_give_an_exact_pupil_its_teachers_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of differences and of Gram matrices; also from a part of the places."""
    monkeypatch.setattr(taps, "SAMPLES", 200)
    random, layers, lessons = np.random.default_rng(0), SLIM_LAYERS[:2], []
    slim, teacher = {}, {}
    for layer, width in zip(layers, (8, 5), strict=True):
        lessons.append(Lesson(layer, 1.0))
        slim[layer] = np.linalg.qr(random.normal(size=(3, 3)))[0] * [3.0, 1.0, 0.3]
        teacher[layer] = slim[layer] @ random.normal(size=(3, width))
    batches = (tf.constant(random.random((2, 16, 16, 3))) for _ in range(3))
    found = fit_taps(Mixed(slim), Mixed(teacher), (lesson for lesson in lessons), batches)
    assert list(found) == list(layers)
    pixels = random.random((100, 3))
    for layer in layers:
        share = 3 / teacher[layer].shape[1]
        mine, theirs = pixels @ slim[layer] @ found[layer], pixels @ teacher[layer]
        lengths = [np.sum((rows[:-1] - rows[1:]) ** 2, axis=1) for rows in (mine, theirs)]
        np.testing.assert_allclose(lengths[0], share * lengths[1], rtol=0.01)
        norms = [np.linalg.norm(rows.T @ rows) for rows in (mine, theirs)]
        assert norms[0] == pytest.approx(share * norms[1], rel=0.01)
