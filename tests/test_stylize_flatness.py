"""What counts as flat, and that it is smoothed: at full size, where it is flat, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_encoder import random_picture, tiny_config, tiny_weights

from stylize.flatness import flatness, roughness
from stylize.stylizer import Stylizer


def half_and_half(size: int = 48) -> np.ndarray:
    """Grey on the left, blocks of 4x4 pixels in black and white on the right."""
    blocks = np.indices((size // 4, size // 8)).sum(axis=0) % 2
    right = np.kron(blocks, np.ones((4, 4)))
    plane = np.concatenate([np.full((size, size // 2), 0.5), right], axis=1)
    return np.dstack([plane] * 3).astype(np.float32)


def test_grey_is_flat_and_blocks_are_not() -> None:
    flat = flatness(half_and_half())
    assert flat.shape == (48, 48)
    assert flat.dtype == np.float32
    np.testing.assert_allclose(flat[:, :18], 0.5, atol=1e-3)  # the quietest quarter is below, or at, the mark
    assert flat[:, 30:].max() < 0.05


def test_the_finest_octave_does_not_hide_a_flat_part() -> None:
    rows, columns = np.mgrid[0:48, 0:48]
    weave = 0.5 + 0.2 * ((rows + columns) % 2 - 0.5)
    flat = flatness(np.dstack([weave] * 3).astype(np.float32))
    assert flat.min() > 0.4


def test_a_quarter_of_any_picture_counts_as_flat() -> None:
    noise = np.random.default_rng(1).uniform(size=(96, 96, 1)) * np.linspace(0.1, 1.0, 96)[None, :, None]
    flat = flatness(np.repeat(noise, 3, axis=2).astype(np.float32))
    assert np.mean(flat > 0.5) == pytest.approx(0.25, abs=0.01)


def test_a_painting_of_rough_paint_is_rough_where_it_is_flat() -> None:
    noise = np.random.default_rng(1).uniform(-0.1, 0.1, (48, 48, 3)).astype(np.float32)
    assert roughness(np.full((48, 48, 3), 0.5, np.float32)) == 0.0
    # Neighbours of independent values differ by 2 / 3 0.1^2 in the mean of their squares, across and down.
    assert roughness(0.5 + noise) == pytest.approx(2 * 2 / 3 * 0.1**2, rel=0.1)


def test_no_flat_part_is_smoothed_beyond_the_paintings() -> None:
    painting = (0.5 + np.random.default_rng(1).uniform(-0.1, 0.1, (48, 48, 3))).astype(np.float32)
    stylizer = Stylizer(tiny_config(flat_weight=1.0), [painting], tiny_weights())
    content = np.full((48, 48, 3), 0.5, np.float32)
    rough = np.random.default_rng(2).uniform(-0.1, 0.1, content.shape).astype(np.float32)
    alike, rougher = (stylizer.losses(content + k * rough, content)["flat"] for k in (0.8, 2.0))
    assert alike == 0.0
    assert rougher > 0.0


@pytest.mark.parametrize("shape", [(17, 23), (16, 1), (1, 16)])
def test_any_shape(shape: tuple[int, int]) -> None:
    np.testing.assert_allclose(
        flatness(np.full((*shape, 3), 0.3, np.float32)), np.full(shape, 0.5), atol=1e-3
    )


def test_only_flat_parts_are_smoothed() -> None:
    content = half_and_half()
    config = tiny_config(flat_weight=1.0, style_weight=0.0)
    stylizer = Stylizer(config, [np.full((48, 48, 3), 0.5, np.float32)], tiny_weights())
    noise = np.random.default_rng(0).uniform(-0.05, 0.05, content.shape).astype(np.float32)
    left, right = content.copy(), content.copy()
    left[:, :18] += noise[:, :18]
    right[:, 30:] -= noise[:, 30:] * np.sign(right[:, 30:] - 0.5)  # stays within [0, 1]
    right = np.clip(right, 0.0, 1.0)
    plain, on_flat, on_blocks = (stylizer.losses(one, content)["flat"] for one in (content, left, right))
    assert on_flat - plain > 4.0 * abs(on_blocks - plain)


def test_coarse_levels_are_not_smoothed() -> None:
    content = random_picture(48, 48)
    stylizer = Stylizer(tiny_config(flat_weight=1.0), [random_picture(48, 48, 3)], tiny_weights())
    assert not np.any(stylizer.targets(content, level=1)["flat"]["image"][0])
    assert np.any(stylizer.targets(content, level=0)["flat"]["image"][0])
    start = np.zeros_like(content)
    np.testing.assert_allclose(stylizer.targets(content, start=start)["flat"]["image"][0], 0.5, atol=1e-3)
