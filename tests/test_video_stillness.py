"""Where a clip stands still: noise is no change, an edge that moves and light that fades are."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from video.stillness import SPREAD, Stillness

SETTLING = 4
SHAPE = (96, 128, 3)


def room(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(0.2, 0.8, SHAPE).astype(np.float32)


def square(frame: NDArray[np.float32], left: int) -> NDArray[np.float32]:
    made = frame.copy()
    made[40:52, left : left + 12] = (1.0, 0.0, 0.0)
    return made


def after(*frames: NDArray[np.float32]) -> list[NDArray[np.float32] | None]:
    still = Stillness(SETTLING)
    return [still.look(frame) for frame in frames]


def test_a_shot_begins_without_a_past() -> None:
    still = Stillness(SETTLING)
    assert still.look(room()) is None
    assert still.look(room()) is not None
    still.begin_shot()
    assert still.look(room()) is None


@pytest.mark.parametrize("level", [0.0, 2.0])
def test_a_camera_s_noise_is_no_change(level: float) -> None:
    rng = np.random.default_rng(1)
    frames = [(room() + rng.normal(0.0, level / 255, SHAPE)).astype(np.float32) for _ in range(6)]
    assert all(found is not None and not found.any() for found in after(*frames)[1:])


def test_what_moves_changes_and_fades_out_around() -> None:
    found = after(square(room(), 20), square(room(), 24))[1]
    assert found is not None
    assert found[40:52, 20:24].min() == 1.0
    assert found[40:52, 32:36].min() == 1.0
    assert found[:, 36 + 2 * SPREAD :].max() == 0.0
    assert 0.0 < np.sort(np.unique(found))[1] < 1.0


def test_a_change_is_attended_to_for_a_while() -> None:
    """While something else goes on: a light that is turned on and off."""
    frames = [square(room(), 20), *[square(room(), 24) for _ in range(SETTLING + 1)]]
    for number, frame in enumerate(frames):
        frame[80:90, 110:120] = number % 2
    found = after(*frames)[1:]
    assert [float(one[46, 30]) for one in found if one is not None] == [1.0] * SETTLING + [0.0]


def test_held_frames_are_those_before_them() -> None:
    drawn = [square(room(), left) for left in (20, 20, 24, 24, 24, 28)]
    found = [bool(one.any()) for one in after(*drawn)[1:] if one is not None]
    assert found == [False, True, False, False, True]


def test_light_that_fades_slowly_is_seen_once_it_has_come_far_enough() -> None:
    frames = [(room() + 0.3 * step / 255).astype(np.float32) for step in range(9)]
    found = [bool(one.any()) for one in after(*frames)[1:] if one is not None]
    assert not found[0]
    assert any(found)
