"""Frames stylized one from the other, in memory: what each starts from, on motion that is known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from smooth_scenes import smooth_scene
from tiny_encoder import tiny_config, tiny_weights

from pipeline.clip.links import linked
from pipeline.clip.temporal import StylizedFrame, TemporalModel, stylize_frames
from pipeline.settings.job_settings import VideoSettings
from stylize.anchor import Anchor
from stylize.config import StylizeConfig
from stylize.errors import ConfigError, ShapeError
from stylize.look import Look
from stylize.result import Result
from stylize.stylizer import Stylizer
from video.flow import Mask
from video.images import FloatImage, from_uint8, to_uint8

HEIGHT, WIDTH, STEP = 72, 96, 4
FRAMES = 4


def scene(seed: int) -> FloatImage:
    return smooth_scene(seed, HEIGHT, WIDTH + 80)


def pan(seed: int = 1, count: int = FRAMES) -> list[FloatImage]:
    """Frames of a pan by STEP pixels."""
    whole = scene(seed)
    return [np.ascontiguousarray(whole[:, STEP * t : STEP * t + WIDTH]) for t in range(count)]


@dataclass
class Painter:
    """In place of a Stylizer: inverts what has no start, keeps what has one, remembers what it was given."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    changing: list[Mask | None] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    afresh: list[bool] = field(default_factory=list)
    config: StylizeConfig = field(default_factory=StylizeConfig)
    temporal_weight: float = 1000.0

    def stylize(
        self,
        content: FloatImage,
        *,
        initial: FloatImage | None,
        anchor: Anchor | None,
        look: Look,
        iterations: int | None,
        tolerance: float | None,
        changing: Mask | None,
        turn: int,
        afresh: bool,
    ) -> Result:
        call = {"initial": initial, "anchor": anchor, "look": look, "iterations": iterations}
        self.calls.append({**call, "tolerance": tolerance})
        self.changing.append(changing)
        self.turns.append(turn)
        self.afresh.append(afresh)
        picture = 1.0 - content if initial is None else initial
        return Result(picture, {"total": 1.0}, {"total": 2.0}, 1, 1, 0.0, "settled")


def painted(frames: list[FloatImage], **settings: Any) -> tuple[list[StylizedFrame], list[dict[str, Any]]]:
    painter = Painter()
    return list(stylize_frames(painter, frames, **settings)), painter.calls  # type: ignore[arg-type]


def test_a_frame_starts_from_the_one_before_moved_along() -> None:
    frames = pan()
    made, calls = painted(frames, cuts="none")
    assert [one.index for one in made] == list(range(FRAMES))
    assert calls[0] == {**dict.fromkeys(("initial", "anchor", "iterations", "tolerance")), "look": Look()}
    inner = (slice(8, -8), slice(8, -16))
    for frame, one, call in zip(frames[1:], made[1:], calls[1:], strict=True):
        assert np.abs(one.picture - (1.0 - frame))[inner].mean() < 0.03  # the inverted scene, moved
        assert call["anchor"].weights[inner].mean() > 0.9
        new = 1.0 - call["anchor"].weights.mean()
        assert call["iterations"] == round(40 + new * 40)
        assert call["tolerance"] == pytest.approx(1e-3 - new * 7e-4)
        assert one.error is not None
        assert one.error < 5e-3


def test_frames_with_a_past_take_turns_in_phase() -> None:
    """By their numbers; a shot's first is made as a picture is."""
    painter = Painter()
    list(stylize_frames(painter, pan(), cuts=frozenset({2})))  # type: ignore[arg-type]
    assert painter.turns == [number if number not in (0, 2) else 0 for number in range(FRAMES)]


def test_a_frame_of_which_most_is_new_is_made_afresh() -> None:
    """After a flash, but not as long as its strokes form afterwards."""
    shown = pan(count=1)[0]
    painter = Painter()
    frames = [shown, shown, 0.2 * shown + 0.8, shown, shown, shown]
    list(stylize_frames(painter, frames, cuts="none"))  # type: ignore[arg-type]
    assert painter.afresh == [False, False, True, True, False, False]


def test_pictures_are_what_a_file_would_keep() -> None:
    for one in painted(pan(), cuts="none")[0]:
        np.testing.assert_array_equal(one.picture, from_uint8(to_uint8(one.picture)))


def test_only_what_shows_something_else_may_change() -> None:
    """A square moves over a still scene: far from it everything starts from, and keeps, the last picture."""
    frames = []
    for step in range(FRAMES):
        frame = scene(1)[:, :WIDTH].copy()
        frame[30:42, 10 + STEP * step : 22 + STEP * step] = (1.0, 0.2, 0.1)
        frames.append(frame)
    painter = Painter()
    made = list(stylize_frames(painter, frames, cuts="none"))  # type: ignore[arg-type]
    assert painter.changing[0] is None
    for before, call, changing in zip(made, painter.calls[1:], painter.changing[1:], strict=False):
        assert changing is not None
        assert changing[30:42, 14:22].min() == 1.0
        assert changing[:, 70:].max() == 0.0
        np.testing.assert_array_equal(call["initial"][:, 70:], before.picture[:, 70:])
    every = Painter()
    list(stylize_frames(every, frames, cuts="none", repaint="all"))  # type: ignore[arg-type]
    assert every.changing == [None] * FRAMES


@pytest.mark.parametrize("temporal", ["previous", "off"])
def test_other_ways_to_treat_time(temporal: str) -> None:
    made, calls = painted(pan(), cuts="none", temporal=temporal)
    assert all(call["anchor"] is None for call in calls)
    if temporal == "off":
        assert all(call["initial"] is None and call["iterations"] is None for call in calls)
    else:
        for before, call in zip(made, calls[1:], strict=False):
            np.testing.assert_array_equal(call["initial"], before.picture)
            assert call["iterations"] == 40


def test_a_shot_begins_anew() -> None:
    frames = [*pan(1), *pan(5)]
    made, calls = painted(frames, cuts=frozenset({FRAMES}))
    assert [one.begins for one in made] == [number in (0, FRAMES) for number in range(len(frames))]
    assert calls[FRAMES]["initial"] is None
    assert made[FRAMES].error is None


def test_shots_are_found() -> None:
    frames = [*pan(1, 1) * 12, *pan(5, 1) * 12]
    begun = [one.index for one in painted(frames, flow_quality="fast")[0] if one.begins]
    assert begun == [0, 12]


def test_frames_are_taken_one_at_a_time() -> None:
    taken: list[int] = []

    def source() -> Iterator[FloatImage]:
        for number, frame in enumerate(pan()):
            taken.append(number)
            yield frame

    made = stylize_frames(Painter(), source(), cuts="none")  # type: ignore[arg-type]
    next(made)
    assert taken == [0]
    next(made)
    assert taken == [0, 1]


def test_the_look_decides_what_is_shown_and_not_what_the_next_frame_starts_from() -> None:
    frames = pan(count=2)
    made, calls = painted(frames, cuts="none", temporal="previous", look=Look(0.5))
    np.testing.assert_allclose(made[0].picture, 0.5, atol=1 / 255)  # half of the frame, half of its inverse
    np.testing.assert_array_equal(calls[1]["initial"], from_uint8(to_uint8(1.0 - frames[0])))


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(ConfigError, match="temporal"):
        next(stylize_frames(Painter(), pan(), temporal="flaw"))  # type: ignore[arg-type]


def test_a_changing_look_is_held_less_and_gets_more_iterations_to_a_stricter_tolerance() -> None:
    settings = VideoSettings()
    model = TemporalModel(settings, StylizeConfig())
    first, second = linked(((number, one, number == 0) for number, one in enumerate(pan(count=2))), settings)
    model.enter(first)
    model.remember(first, lambda: 1.0 - first.content)
    model.enter(second)
    same, changed = model.start(second), model.start(second, change=0.05)
    assert same.anchor is not None
    assert changed.anchor is not None
    np.testing.assert_allclose(changed.anchor.weights, same.anchor.weights * np.exp(-3.0), rtol=1e-5)
    assert same.iterations is not None
    assert changed.iterations is not None
    assert 40 <= same.iterations < changed.iterations <= 80
    assert same.tolerance is not None
    assert changed.tolerance is not None
    assert 1e-3 >= same.tolerance > changed.tolerance >= 3e-4


def test_going_backward_the_warping_error_is_the_same() -> None:
    settings, frames = VideoSettings(), pan(count=2)
    errors: list[Any] = []
    for order in (frames, frames[::-1]):
        model = TemporalModel(settings, StylizeConfig())
        first, second = linked(((number, one, number == 0) for number, one in enumerate(order)), settings)
        model.enter(first)
        model.remember(first, partial(np.subtract, 1.0, first.content))
        model.enter(second)
        shown = np.clip(1.1 - second.content, 0.0, 1.0)
        errors.append(
            model.error(second, shown, lambda content, picture: picture, backward=order is not frames)
        )
    assert errors[0] == pytest.approx(errors[1], rel=0.1)
    assert errors[0] > 0


@pytest.mark.slow
def test_a_real_stylizer_keeps_a_still_scene_still() -> None:
    """Held to the frame before, frames of one scene with a camera's noise differ less than made alone."""
    noise = np.random.default_rng(3)
    still = pan(count=1)[0][:32, :48]
    frames = [
        np.clip(still + noise.normal(0.0, 0.02, still.shape), 0, 1).astype(np.float32) for _ in range(3)
    ]
    stylizer = Stylizer(tiny_config(), [scene(2)[:32, :48]], tiny_weights(), temporal_weight=1000.0)
    change = {}
    for temporal in ("flow", "off"):
        made = [one.picture for one in stylize_frames(stylizer, frames, cuts="none", temporal=temporal)]
        change[temporal] = float(np.mean([np.abs(a - b).mean() for a, b in pairwise(made)]))
    assert change["flow"] < 0.8 * change["off"]


def test_a_source_may_use_one_buffer_and_what_is_given_may_be_changed() -> None:
    """As cameras do, and as people do."""

    def camera() -> Iterator[FloatImage]:
        buffer = np.empty_like(pan()[0])
        for frame in pan():
            buffer[:] = frame
            yield buffer

    expected = [one.picture for one in painted(pan())[0]]
    for number, made in enumerate(stylize_frames(Painter(), camera())):  # type: ignore[arg-type]
        np.testing.assert_array_equal(made.picture, expected[number])
        made.picture[:] = 0.0


@pytest.mark.parametrize(
    ("frames", "settings", "error", "message"),
    [
        ([np.zeros((8, 8, 3), np.uint8)], {}, ShapeError, "frame 0: expected floats in [0, 1], got uint8"),
        ([*pan(count=1), pan(count=1)[0][:40]], {}, ShapeError, "frame 1: shape (40, 96, 3) differs from"),
        (pan(), {"temporal_weight": 5.0}, ConfigError, "temporal_weight: is no setting of stylize_frames"),
        (pan(), {"cuts": "cuts.txt"}, ConfigError, "cuts: expected 'auto', 'none' or a set of frame numbers"),
    ],
)
def test_what_cannot_be_is_named(
    frames: list[FloatImage], settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        painted(frames, **settings)


def test_a_stylizer_that_holds_nothing_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="make it with temporal_weight=1000"):
        next(stylize_frames(Painter(temporal_weight=0.0), pan()))  # type: ignore[arg-type]
    assert next(stylize_frames(Painter(temporal_weight=0.0), pan(), temporal="off"))  # type: ignore[arg-type]
