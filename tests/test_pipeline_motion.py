"""Start and anchor of a frame from the frames before it, on motion that is known."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
from smooth_scenes import smooth_scene

from pipeline.clip.motion import SETTLING, FlowTracker, MotionModel, Picture
from stylize.anchor import Anchor
from stylize.colors import transferred
from video.images import FloatImage

HEIGHT, WIDTH, STEP = 72, 96, 4


def scene(seed: int) -> FloatImage:
    return smooth_scene(seed, HEIGHT, WIDTH + 80)


CONTENT, STYLED = scene(1), scene(2)


def window(of: FloatImage, t: int) -> FloatImage:
    """The t-th frame of a pan by STEP pixels."""
    return np.ascontiguousarray(of[:, STEP * t : STEP * t + WIDTH])


class Followed:
    """A motion model that is given the links of the very frames it is asked about."""

    def __init__(self, distances: tuple[int, ...], quality: str) -> None:
        self.tracker, self.model = FlowTracker(distances, quality), MotionModel(max(distances))
        self.asked = False

    def begin_shot(self) -> None:
        self.tracker.begin_shot()
        self.model.begin_shot()

    def guide(
        self, content: FloatImage, own: FloatImage | None = None
    ) -> tuple[FloatImage | None, Anchor | None]:
        self.asked = True
        return self.model.guide(content, self.tracker.look(content), own)

    def remember(self, content: FloatImage, picture: Picture) -> None:
        if not self.asked:
            self.tracker.look(content)
        self.asked = False
        self.model.remember(content, picture)


def filled(distances: tuple[int, ...], count: int) -> Followed:
    model = Followed(distances, "medium")
    for t in range(count):
        model.remember(window(CONTENT, t), partial(window, STYLED, t))
    return model


def test_the_first_frame_of_a_shot_has_no_guide() -> None:
    model = filled((1,), 2)
    model.begin_shot()
    assert model.guide(window(CONTENT, 2)) == (None, None)
    assert model.model.last_picture() is None


def test_start_and_anchor_move_along_and_what_is_new_is_content_in_the_last_frames_colors() -> None:
    start, anchor = filled((1,), 3).guide(window(CONTENT, 3))
    assert start is not None
    assert anchor is not None
    inner = (slice(8, -8), slice(8, -16))
    expected = window(STYLED, 3)
    assert np.abs(anchor.picture[inner] - expected[inner]).mean() < 0.02
    assert np.abs(start[inner] - expected[inner]).mean() < 0.02
    assert anchor.weights[inner].mean() > 0.95
    # The last STEP columns have only now come into the frame.
    assert anchor.weights[:, -STEP + 1 :].max() == 0
    new = (slice(None), slice(-STEP + 1, None))
    recolored = transferred(window(CONTENT, 3), window(CONTENT, 2), window(STYLED, 2))
    assert np.array_equal(start[new], recolored[new])


def test_weights_never_exceed_one_however_far_back_one_looks() -> None:
    _, anchor = filled((1, 2, 4), 5).guide(window(CONTENT, 5))
    assert anchor is not None
    assert anchor.weights.max() <= 1.0 + 1e-6


def test_looking_further_back_finds_what_was_hidden_between() -> None:
    hidden = window(CONTENT, 0).copy()
    hidden[20:50, 20:60] = scene(7)[20:50, 20:60]  # something passes through one frame
    weights = {}
    for distances in ((1,), (1, 2)):
        model = Followed(distances, "medium")
        for content in (window(CONTENT, 0), hidden):
            model.remember(content, lambda: window(STYLED, 0))
        _, anchor = model.guide(window(CONTENT, 0))
        assert anchor is not None
        weights[distances] = anchor.weights[25:45, 25:55].mean()
    assert weights[(1, 2)] > 0.95
    assert weights[(1,)] < 0.8


def test_a_later_pass_starts_between_its_own_picture_and_the_moved_one() -> None:
    own = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    start, anchor = filled((1,), 3).guide(window(CONTENT, 3), own)
    assert start is not None
    assert anchor is not None
    inner = (slice(8, -8), slice(8, -16))
    assert np.abs(start[inner] - 0.5 * window(STYLED, 3)[inner]).mean() < 0.02
    assert np.array_equal(start[:, -STEP + 1 :], own[:, -STEP + 1 :])


def test_only_as_many_frames_are_kept_as_are_looked_at() -> None:
    read: list[int] = []

    def reading(t: int) -> FloatImage:
        read.append(t)
        return window(STYLED, t)

    model = Followed((2,), "fast")
    for t in range(5):
        model.remember(window(CONTENT, t), partial(reading, t))
    model.guide(window(CONTENT, 5))
    assert set(read) == {3, 4}


def test_what_came_into_view_is_held_more_firmly_from_frame_to_frame() -> None:
    model = filled((1,), 2)
    column = WIDTH - 14  # comes into view with frame 2's step, far enough from the border
    held = []
    for t in range(2, 2 + SETTLING + 3):
        _, anchor = model.guide(window(CONTENT, t))
        assert anchor is not None
        # Follow one thing: it moves to the left by STEP a frame.
        held.append(float(anchor.weights[20:50, column - STEP * (t - 2)].mean()))
        model.remember(window(CONTENT, t), partial(window, STYLED, t))
    assert held[0] > 0.95  # it was in view from the start
    model = filled((1,), 2)
    fresh = []
    for t in range(2, 2 + SETTLING + 3):
        _, anchor = model.guide(window(CONTENT, t))
        assert anchor is not None
        place = WIDTH - 2 - STEP * (t - 2)
        fresh.append(float(anchor.weights[20:50, place].mean()))
        model.remember(window(CONTENT, t), partial(window, STYLED, t))
    assert fresh[0] == 0.0
    assert all(later >= earlier for earlier, later in pairwise(fresh))
    assert any(0.1 < one < 0.6 for one in fresh)
    assert fresh[-1] > 0.9


def test_a_slow_cross_fade_leaves_nothing_of_what_was_there() -> None:
    """Though its colours differ little from frame to frame, places are let go once their forms are others; of
    the same forms in a light that changes as much, none is."""
    last, places = 24, np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    begin, other = (np.dstack([0.5 + 0.3 * np.sin(np.float32(np.pi / 8) * one)] * 3) for one in places)

    def least_held(end: FloatImage) -> FloatImage:
        model, held = Followed((1,), "medium"), []
        for t in range(last + 1):
            content = begin + np.float32(t / last) * (end - begin)
            _, anchor = model.guide(content)
            if anchor is not None:
                held.append(anchor.weights[12:-12, 12:-12])
            model.remember(content, partial(window, STYLED, 0))
        return np.asarray(np.min(held, axis=0))

    assert np.median(least_held(other)) < 0.1
    assert np.quantile(least_held(np.float32(0.5) * begin + np.float32(0.1)), 0.01) > 0.5


def test_a_later_pass_holds_everything() -> None:
    model = Followed((1,), "medium")
    for t in range(3):
        model.guide(window(CONTENT, t), window(STYLED, t))
        model.remember(window(CONTENT, t), partial(window, STYLED, t))
    _, anchor = model.guide(window(CONTENT, 3), window(STYLED, 3))
    assert anchor is not None
    assert anchor.weights[10:-10, WIDTH - 14].min() > 0.9


def test_ages_begun_late_are_the_same_after_the_frames_that_settling_takes() -> None:
    whole, late = Followed((1, 2), "fast"), Followed((1, 2), "fast")
    last = 2 * SETTLING + 3
    for t in range(last):
        whole.guide(window(CONTENT, t % 20))
        whole.remember(window(CONTENT, t % 20), partial(window, STYLED, t % 20))
        if t >= last - 1 - 2 * SETTLING:
            late.guide(window(CONTENT, t % 20))
        late.remember(window(CONTENT, t % 20), partial(window, STYLED, t % 20))
    found = [model.guide(window(CONTENT, last % 20))[1] for model in (whole, late)]
    assert found[0] is not None
    assert found[1] is not None
    np.testing.assert_allclose(found[0].weights, found[1].weights, atol=1e-6)  # forms are moved for longer
