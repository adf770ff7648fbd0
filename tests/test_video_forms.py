"""Forms are compared whatever their light."""

from __future__ import annotations

import numpy as np
from smooth_scenes import smooth_scene

from video.forms import alike, luma
from video.images import FloatImage


def scene(seed: int) -> FloatImage:
    return smooth_scene(seed, 96, 128, deviation=4.0)


def test_the_same_forms_in_another_light_are_alike() -> None:
    darker = 0.5 * scene(1) + 0.3
    assert alike(luma(scene(1)), luma(darker)).min() > 0.9
    assert np.median(alike(luma(scene(1)), luma(1.0 - scene(1)))) < -0.5


def test_other_forms_are_not_alike() -> None:
    assert np.median(alike(luma(scene(1)), luma(scene(2)))) < 0.4


def test_two_flat_places_are_alike_and_a_flat_one_is_not_like_forms() -> None:
    flat = np.full((96, 128, 3), 0.3, np.float32)
    assert alike(luma(flat), luma(flat + 0.4)).min() > 0.99
    assert np.median(alike(luma(flat), luma(scene(1)))) < 0.5


def test_grain_is_no_form() -> None:
    grain = np.random.default_rng(5).normal(0.0, 0.03, (2, 96, 128, 1)).astype(np.float32)
    flat = np.full((96, 128, 3), 0.5, np.float32)
    assert alike(luma(flat + grain[0]), luma(flat + grain[1])).min() > 0.8
