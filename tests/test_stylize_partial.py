"""Pictures optimised in part: which boxes, what their windows give, and that nothing else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tiny_encoder import tiny_config, tiny_weights

from stylize import parts
from stylize.anchor import Anchor
from stylize.errors import ConfigError, ShapeError
from stylize.partial import targets_of_part
from stylize.parts import Part
from stylize.stylizer import Stylizer

SIDE, GRAIN = 320, 16


def parts_of(share: np.ndarray) -> list[Part] | None:
    return parts.parts_of(share, GRAIN)


def share(*boxes: tuple[int, int, int, int], side: int = SIDE) -> np.ndarray:
    made = np.zeros((side, side), np.float32)
    for top, bottom, left, right in boxes:
        made[top:bottom, left:right] = 1.0
    return made


def picture(seed: int, side: int = SIDE) -> np.ndarray:
    return np.random.default_rng(seed).random((side, side, 3)).astype(np.float32)


def test_a_box_is_seen_in_a_window_of_whole_pools() -> None:
    (part,) = parts_of(share((100, 141, 170, 203))) or []
    assert part.box == (100, 141, 170, 203)
    assert all(edge % GRAIN == 0 for edge in (*part.core, *part.window))
    for inner, outer in ((part.box, part.core), (part.core, part.window)):
        assert inner[0] - outer[0] >= parts.REACH
        assert outer[3] - inner[3] >= parts.REACH


def test_windows_end_at_the_border() -> None:
    (part,) = parts_of(share((0, 20, 300, 317), side=317)) or []
    assert part.window == (0, 64, 256, 317)


def test_far_boxes_are_apart_and_near_ones_together() -> None:
    far = parts_of(share((0, 20, 0, 20), (300, 320, 300, 320)))
    near = parts_of(share((100, 120, 100, 120), (100, 120, 130, 150)))
    assert far is not None
    assert near is not None
    assert [part.box for part in far] == [(0, 20, 0, 20), (300, 320, 300, 320)]
    assert [part.box for part in near] == [(100, 120, 100, 150)]


def test_where_windows_take_as_much_the_picture_is_done_as_a_whole() -> None:
    assert parts_of(np.ones((SIDE, SIDE), np.float32)) is None
    assert parts_of(share((40, 280, 40, 280))) is None
    assert parts_of(share()) == []


def stylizer(statistic: str) -> Stylizer:
    config = tiny_config(style_statistic=statistic, iterations=3, levels=1)
    return Stylizer(config, [picture(9, 96)], tiny_weights(), temporal_weight=100.0)


@pytest.mark.parametrize(
    ("statistic", "turn", "box"),
    [
        ("gram", 0, (10, 40, 20, 60)),
        ("wasserstein", 0, (10, 40, 20, 60)),
        ("sliced", 3, (10, 40, 20, 60)),
        ("nearest", 0, (10, 40, 20, 60)),
        ("nearest", 3, (290, 320, 290, 320)),
        ("nearest", 5, (0, 20, 2, 20)),
    ],
)
def test_losses_and_gradients_are_those_of_the_whole(
    statistic: str, turn: int, box: tuple[int, int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With windows that reach as far as the network sees, in every phase, at borders, too."""
    monkeypatch.setattr(parts, "REACH", 96)
    made = stylizer(statistic)
    content, start = picture(1), picture(2)
    anchor, phase = Anchor(start, np.ones((SIDE, SIDE), np.float32)), made.targets.phase(turn)
    aims = made.targets(content, 0, anchor, start=start, turn=turn)
    part = Part.around(box, SIDE, SIDE, GRAIN, phase)
    changes = share(part.box)
    network, evaluator = made._partial._network, made.evaluator
    seen = network.resting(start, part, evaluator.seen(evaluator.objective.terms, start, phase), phase)
    targets = targets_of_part(part, start, changes, seen, aims)
    moved = part.within(picture(3))

    def values(terms: Any, image: np.ndarray, aims: Any) -> tuple[np.ndarray, np.ndarray]:
        value = tf.constant(image[None])
        with tf.GradientTape() as tape:
            tape.watch(value)
            found = terms(value, aims)
            total = tf.reduce_sum(found)
        return found.numpy()[:, 0], tape.gradient(total, value).numpy()[0]

    losses, gradient = values(made._partial._terms, moved, targets)
    expected, whole = values(evaluator.terms, part.placed(moved, start), aims)
    np.testing.assert_allclose(losses, expected, rtol=2e-4)
    np.testing.assert_allclose(gradient, part.within(whole), atol=2e-3 * np.abs(whole).max())


def test_nothing_else_changes() -> None:
    made = stylizer("gram")
    changes, start = share((10, 40, 20, 60)), picture(2)
    changes[40:44, 20:60] = 0.5
    told: list[np.ndarray] = []
    result = made.stylize(
        picture(1), initial=start, anchor=Anchor(start, np.ones((SIDE, SIDE), np.float32)),
        changing=changes, callback=lambda progress: told.append(progress.picture()),
    )  # fmt: skip
    np.testing.assert_array_equal(result.picture[changes == 0.0], start[changes == 0.0])
    assert np.abs(result.picture - start)[10:40, 20:60].max() > 0.0
    assert result.losses["total"] < result.first_losses["total"]
    assert told[-1].shape == start.shape


def test_two_boxes_are_counted_together() -> None:
    made = stylizer("gram")
    start = picture(2)
    result = made.stylize(
        picture(1), initial=start, changing=share((0, 20, 0, 20), (300, 320, 300, 320)), iterations=2
    )
    assert result.iterations == 4
    assert np.abs(result.picture - start)[:20, :20].max() > 0.0
    assert np.abs(result.picture - start)[300:, 300:].max() > 0.0


def test_without_a_change_only_the_losses_are_found() -> None:
    made = stylizer("gram")
    content, start = picture(1), picture(2)
    result = made.stylize(content, initial=start, changing=share())
    assert result.picture is start
    assert result.evaluations == 0
    assert result.losses["total"] == pytest.approx(made.losses(start, content)["total"], rel=1e-5)


def test_a_wrong_share_is_an_error() -> None:
    made = stylizer("gram")
    with pytest.raises(ConfigError, match="without the picture to start from"):
        made.stylize(picture(1), changing=share())
    with pytest.raises(ShapeError, match="changing: shape"):
        made.stylize(picture(1), initial=picture(2), changing=share(side=64))
