"""Pictures enlarged with the edges of their originals."""

from __future__ import annotations

import numpy as np
import pytest

from video.enlarge import enlarge
from video.images import resize_image


def edge(dark: float, light: float) -> np.ndarray:
    """An upright edge in the middle of 96x64 pixels."""
    picture = np.full((64, 96, 3), dark, np.float32)
    picture[:, 49:] = light
    return picture


def steepest(picture: np.ndarray) -> float:
    """The largest step from a pixel to the next in the middle row."""
    return float(np.abs(np.diff(picture[32, :, 0])).max())


@pytest.mark.parametrize(("dark", "light"), [(0.2, 0.8), (0.7, 0.3)])
def test_an_edge_that_was_painted_is_as_sharp_as_in_the_original(dark: float, light: float) -> None:
    original, painted = edge(0.3, 0.8), edge(dark, light)
    small = resize_image(painted, (24, 16))
    plain = resize_image(small, (96, 64))
    found = enlarge(small, original)
    assert found.shape == original.shape
    assert found.dtype == np.float32
    assert steepest(found) > 1.7 * steepest(plain)
    assert np.abs(found - painted).mean() < 0.5 * np.abs(plain - painted).mean()
    assert np.sign(found[32, 90] - found[32, 5]).tolist() == [np.sign(light - dark)] * 3


def test_an_edge_that_was_painted_over_does_not_come_back() -> None:
    small = np.full((16, 24, 3), 0.4, np.float32)
    assert np.allclose(enlarge(small, edge(0.1, 0.9)), 0.4, atol=1e-3)


def test_an_original_without_edges_leaves_the_picture_as_enlarged() -> None:
    random = np.random.default_rng(0)
    small = random.uniform(0.2, 0.8, (16, 24, 3)).astype(np.float32)
    found = enlarge(small, np.full((64, 96, 3), 0.5, np.float32))
    assert np.abs(resize_image(found, (24, 16)) - small).mean() < 0.06
