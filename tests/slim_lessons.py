"""Students, networks and pictures for the tests of the training of vgg19-slim."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tiny_encoder import random_picture

from scripts.slim.training import painted
from scripts.slim.training.painted import Painted
from scripts.slim.training.student import Student
from scripts.slim.training.teachers import (
    SLIM_LAYERS,
)
from stylize.backbone import Vgg19
from stylize.weights import Weights
from video.images import from_uint8, write_image

SIDE = 16
"""Of a small picture, pixels."""


def uneven_student(seed: int = 0) -> Student:
    """A student whose normalisations all do something, as after training."""
    random, student = np.random.default_rng(seed), Student(seed)
    for gamma, beta, mean, variance in zip(
        student.gammas, student.betas, student.means, student.variances, strict=True
    ):
        width = gamma.shape[0]
        gamma.assign(random.uniform(0.5, 1.5, width) * random.choice([-1.0, 1.0], width))
        beta.assign(random.normal(0.3, 0.3, width))
        mean.assign(random.normal(0.0, 0.3, width))
        variance.assign(random.uniform(0.5, 2.0, width))
    return student


def weights_of(arrays: Mapping[str, np.ndarray]) -> Weights:
    layers = {layer: (arrays[f"{layer}/kernel"], arrays[f"{layer}/bias"]) for layer in SLIM_LAYERS}
    taps = {name[: -len("/tap")]: tap for name, tap in arrays.items() if name.endswith("/tap")}
    return Weights("vgg19-slim", "test", "", layers, taps=taps)


def network(arrays: Mapping[str, np.ndarray]) -> Vgg19:
    return Vgg19(weights_of(arrays))


def images(count: int = 2, side: int = 32) -> tf.Tensor:
    return tf.constant(np.stack([random_picture(side, side, seed) for seed in range(count)]))


def assert_same(found: tf.Tensor, expected: tf.Tensor, tolerance: float = 1e-4) -> None:
    """To `tolerance` of the largest value; and there is something to compare."""
    largest = float(np.abs(expected).max())
    assert np.std(expected) > 1e-2 * largest > 0.0
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * largest)


def byte_pictures(count: int, seed: int, side: int = SIDE) -> np.ndarray:
    pictures = [random_picture(side, side, 10 * seed + number) for number in range(count)]
    return np.rint(np.stack(pictures) * 255.0).astype(np.uint8)


def photo_folder(folder: Path, count: int = 3, height: int = 40, width: int = 48) -> Path:
    folder.mkdir()
    for number in range(count):
        picture = (random_picture(height, width, seed=number) * 255.0).astype(np.uint8)
        write_image(folder / f"{number}.png", from_uint8(picture))
    return folder


def few(monkeypatch: pytest.MonkeyPatch, *, steps: int, noisy: float) -> None:
    """Two pictures at once, a few short steps, so that each is one down."""
    for name, value in {"STEPS": steps, "TOGETHER": 2, "NOISE_STARTS": noisy, "RATE": 0.01}.items():
        monkeypatch.setattr(painted, name, value)


def made_up(count: int, side: int) -> Painted:
    """Parts of noise, different in every row."""
    random, shape = np.random.default_rng(8), (count, side, side, 3)
    parts = {name: random.integers(0, 256, shape, np.uint8) for name in Painted.NAMES[:3]}
    directions = {name: random.normal(size=shape).astype(np.float16) for name in Painted.NAMES[3:]}
    return Painted({**parts, **directions})
