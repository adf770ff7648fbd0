"""Sizes from coarse to fine, and scaling between them."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_encoder import random_picture

from stylize.pyramid import level_shapes, rescale


@pytest.mark.parametrize(
    ("size", "levels", "minimum", "expected"),
    [
        ((256, 192), 1, 64, [(256, 192)]),
        ((256, 192), 2, 64, [(128, 96), (256, 192)]),
        ((256, 192), 3, 64, [(128, 96), (256, 192)]),
        ((256, 192), 3, 48, [(64, 48), (128, 96), (256, 192)]),
        ((101, 75), 3, 16, [(25, 19), (50, 38), (101, 75)]),
        ((20, 20), 4, 64, [(20, 20)]),
    ],
)
def test_level_shapes(
    size: tuple[int, int], levels: int, minimum: int, expected: list[tuple[int, int]]
) -> None:
    assert level_shapes(*size, levels, minimum) == expected


def test_rescale_to_the_same_size_changes_nothing() -> None:
    picture = random_picture()
    np.testing.assert_array_equal(rescale(picture, 16, 16), picture)


@pytest.mark.parametrize("size", [(8, 8), (5, 11), (32, 33)])
def test_rescale_keeps_colours_and_range(size: tuple[int, int]) -> None:
    color = np.array([0.2, 0.5, 1.0], np.float32)
    flat = np.broadcast_to(color, (16, 16, 3))
    scaled = rescale(flat, *size)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, np.broadcast_to(color, (*size, 3)), atol=1e-6)
    checks = np.indices((16, 16)).sum(axis=0)[..., None] // 4 % 2 * np.ones(3)
    found = rescale(checks.astype(np.float32), *size)
    assert found.min() >= 0.0
    assert found.max() <= 1.0


def test_shrinking_averages_and_does_not_skip_pixels() -> None:
    columns = np.broadcast_to((np.arange(16) % 2).astype(np.float32)[None, :, None], (16, 16, 3))
    inside = rescale(np.ascontiguousarray(columns), 4, 4)[:, 1:3]
    np.testing.assert_allclose(inside, 0.5, atol=0.02)


def test_down_and_up_again_keeps_a_smooth_picture() -> None:
    rows = np.linspace(0.0, 1.0, 32, dtype=np.float32)
    ramp = np.broadcast_to(rows[:, None, None], (32, 32, 3))
    again = rescale(rescale(np.ascontiguousarray(ramp), 16, 16), 32, 32)
    np.testing.assert_allclose(again[4:-4], ramp[4:-4], atol=0.01)
