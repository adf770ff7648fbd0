"""What counts as flat, and that it is smoothed: at full size, where it is flat, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_encoder import random_picture, tiny_config, tiny_weights

from stylize.flatness import flatness
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
    np.testing.assert_allclose(flat[:, :18], 1.0, atol=1e-3)
    assert flat[:, 30:].max() < 0.05


def test_the_finest_octave_does_not_hide_a_flat_part() -> None:
    rows, columns = np.mgrid[0:48, 0:48]
    weave = 0.5 + 0.2 * ((rows + columns) % 2 - 0.5)
    flat = flatness(np.dstack([weave] * 3).astype(np.float32))
    assert flat.min() > 0.9


def test_half_flat_at_a_deviation_of_a_twentieth_of_luma() -> None:
    step = np.where(np.arange(90) < 45, 0.45, 0.55)  # a window that sees both halves alike deviates by 0.05
    picture = np.broadcast_to(step[None, :, None], (48, 90, 3)).astype(np.float32)
    assert 0.5 < flatness(picture)[24].min() < 0.65  # soft without its finest octave


@pytest.mark.parametrize("shape", [(17, 23), (16, 1), (1, 16)])
def test_any_shape(shape: tuple[int, int]) -> None:
    np.testing.assert_allclose(flatness(np.full((*shape, 3), 0.3, np.float32)), np.ones(shape), atol=1e-3)


def test_only_flat_parts_are_smoothed() -> None:
    content = half_and_half()
    config = tiny_config(flat_weight=1.0, style_weight=0.0)
    stylizer = Stylizer(config, [random_picture(48, 48, 3)], tiny_weights())
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
    assert not np.any(stylizer.targets(content, level=1)["flat"]["image"])
    assert np.any(stylizer.targets(content, level=0)["flat"]["image"])
    start = np.zeros_like(content)
    np.testing.assert_allclose(stylizer.targets(content, start=start)["flat"]["image"], 1.0, atol=1e-3)
