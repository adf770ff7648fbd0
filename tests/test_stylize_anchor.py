"""The temporal term, which holds a picture close to another pixel by pixel; keeping a content's colours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tiny_encoder import random_picture, tiny_config, tiny_weights

from stylize import pyramid
from stylize.anchor import Anchor
from stylize.colors import LUMA, grey, transferred, with_colors_of
from stylize.errors import ConfigError, ShapeError
from stylize.losses import weighted_squared_error
from stylize.optimize import Progress
from stylize.stylizer import Stylizer
from stylize.types import FloatImage

pytestmark = pytest.mark.usefixtures("uncompiled")

CONTENT, STYLE, REFERENCE = (random_picture(16, 20, seed) for seed in (1, 2, 3))
ONES = np.ones((16, 20), np.float32)


def anchored(weight: float = 100.0, **settings: Any) -> Stylizer:
    return Stylizer(tiny_config(**settings), [STYLE], tiny_weights(), temporal_weight=weight)


def test_the_term_by_hand() -> None:
    weights = np.random.default_rng(0).random((16, 20)).astype(np.float32)
    value = weighted_squared_error(
        tf.constant(CONTENT[None]), tf.constant(REFERENCE[None]), tf.constant(weights[None, ..., None])
    )
    expected = np.sum(weights[..., None] * (CONTENT - REFERENCE) ** 2) / (16 * 20 * 3)
    assert value.numpy() == pytest.approx([expected], rel=1e-5)


def test_its_gradient_is_not_zero_and_points_away_from_the_reference() -> None:
    picture = tf.constant(CONTENT[None])
    with tf.GradientTape() as tape:
        tape.watch(picture)
        loss = weighted_squared_error(picture, tf.constant(REFERENCE[None]), tf.ones((1, 16, 20, 1)))
    gradient = tape.gradient(loss, picture).numpy()[0]
    assert np.all(np.sign(gradient) == np.sign(CONTENT - REFERENCE))
    lower = CONTENT - 10.0 * gradient
    assert np.mean((lower - REFERENCE) ** 2) < np.mean((CONTENT - REFERENCE) ** 2)


@pytest.mark.slow
def test_a_heavy_anchor_holds_the_picture() -> None:
    result = anchored(1e6).stylize(CONTENT, initial=CONTENT, anchor=Anchor(REFERENCE, ONES), iterations=30)
    free = anchored(1e6).stylize(CONTENT, initial=CONTENT, iterations=30)
    assert np.abs(result.picture - REFERENCE).max() < 0.02
    assert np.abs(free.picture - REFERENCE).max() > 0.2


@pytest.mark.slow
def test_pixels_without_weight_are_as_free_as_ever() -> None:
    left = ONES.copy()
    left[:, 10:] = 0.0
    result = anchored(1e6).stylize(CONTENT, initial=CONTENT, anchor=Anchor(REFERENCE, left), iterations=30)
    assert np.abs(result.picture - REFERENCE)[:, :10].max() < 0.02
    assert np.abs(result.picture - REFERENCE)[:, 10:].max() > 0.2


def test_what_is_made_afresh_goes_through_all_levels_but_for_what_is_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pyramid, "_COARSEST_SIDE", 16)
    content, held_to = random_picture(32, 40, 1), random_picture(32, 40, 3)
    left = np.zeros((32, 40), np.float32)
    left[:, :20] = 1.0
    levels: list[int] = []
    starts: list[FloatImage] = []

    def seen(progress: Progress) -> None:
        if not levels or levels[-1] != progress.level:
            starts.append(progress.picture())
        levels.append(progress.level)

    asked: dict[str, Any] = {
        "initial": content,
        "anchor": Anchor(held_to, left),
        "iterations": 3,
        "callback": seen,
    }
    stylizer = anchored(levels=2)
    stylizer.stylize(content, **asked)
    assert set(levels) == {0}
    levels.clear()
    stylizer.stylize(content, **asked, afresh=True)
    assert list(dict.fromkeys(levels)) == [1, 0]
    *_, coarse, full = starts
    assert coarse.shape == (16, 20, 3)
    np.testing.assert_allclose(full[:, :20], held_to[:, :20], atol=1e-6)
    assert np.abs(full - content)[:, 20:].mean() > 0.02  # it comes from the coarse level, not from the start


def test_without_an_anchor_the_term_is_zero_and_changes_nothing() -> None:
    with_term = anchored().stylize(CONTENT, iterations=3)
    without = anchored(0.0).stylize(CONTENT, iterations=3)
    assert with_term.losses["temporal"] == 0.0
    assert "temporal" not in without.losses
    assert np.array_equal(with_term.picture, without.picture)


@pytest.mark.slow
@pytest.mark.usefixtures("compiled")
def test_other_anchors_need_no_new_trace() -> None:
    engine = anchored()
    engine.stylize(CONTENT, initial=CONTENT, anchor=Anchor(REFERENCE, ONES), iterations=1)
    minimizer = engine.evaluator.minimizer(16, 20)
    engine.stylize(
        REFERENCE,
        initial=CONTENT,
        anchor=Anchor(STYLE, 0 * ONES),
        iterations=1,
    )
    engine.stylize(CONTENT, iterations=1)
    assert minimizer.traces == 1


@pytest.mark.parametrize(
    ("anchor", "initial", "error"),
    [
        (Anchor(REFERENCE[:8], ONES), CONTENT, ShapeError),
        (Anchor(REFERENCE, ONES[:8]), CONTENT, ShapeError),
        (Anchor(REFERENCE, -ONES), CONTENT, ShapeError),
        (Anchor(REFERENCE, np.nan * ONES), CONTENT, ShapeError),
        (Anchor(REFERENCE, ONES), None, ConfigError),
    ],
)
def test_a_wrong_anchor_is_refused(anchor: Anchor, initial: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="anchor"):
        anchored().stylize(CONTENT, initial=initial, anchor=anchor)


def test_an_anchor_without_the_term_is_refused() -> None:
    with pytest.raises(ConfigError, match="temporal weight is 0"):
        anchored(0.0).stylize(CONTENT, initial=CONTENT, anchor=Anchor(REFERENCE, ONES))


# --- colours ------------------------------------------------------------------------------------------------


def test_grey_has_the_luma_in_every_channel() -> None:
    one = grey(CONTENT)
    assert np.array_equal(one[..., 0], one[..., 2])
    assert one[3, 4, 0] == pytest.approx(float(CONTENT[3, 4] @ np.asarray(LUMA)), rel=1e-5)


def test_the_contents_chroma_and_the_pictures_luma() -> None:
    muted = 0.5 + 0.3 * (CONTENT - 0.5)  # far enough from the bounds that nothing is clipped
    other = 0.5 + 0.2 * (STYLE[:, :1] - 0.5)
    other = np.broadcast_to(other[:16], CONTENT.shape).astype(np.float32)
    result = with_colors_of(muted, other)
    luma = np.asarray(LUMA, np.float32)
    assert np.allclose(result @ luma, other @ luma, atol=1e-5)
    chroma = result - (result @ luma)[..., None]
    assert np.allclose(chroma, muted - (muted @ luma)[..., None], atol=1e-5)


def test_a_transfer_takes_mean_and_covariance_to_those_of_the_other_picture() -> None:
    rng = np.random.default_rng(5)
    before = rng.random((24, 20, 3)).astype(np.float32) * 0.4 + 0.3
    mixing = np.array([[0.8, 0.2, 0.0], [0.2, 0.6, 0.1], [0.0, 0.1, 0.7]], np.float32)
    after: FloatImage = ((before - 0.5) @ mixing + 0.45).astype(np.float32)
    found = transferred(before, before, after)
    # The only symmetric positive map between two covariances is the transfer itself (but for the floor).
    assert np.abs(found - after).max() < 0.02
    assert np.array_equal(transferred(before[:3], before, before), transferred(before, before, before)[:3])
    assert np.abs(transferred(before, before, before) - before).max() < 1e-5


def test_a_transfer_from_a_picture_without_colors_stays_sane() -> None:
    rng = np.random.default_rng(6)
    film = grey(rng.random((24, 20, 3)).astype(np.float32))
    colorful = rng.random((24, 20, 3)).astype(np.float32)
    grainy = np.clip(film + rng.normal(0, 1 / 255, film.shape), 0, 1).astype(np.float32)
    difference = transferred(grainy, film, colorful) - transferred(film, film, colorful)
    assert difference.std() < 12 / 255
    flat = np.full((8, 8, 3), 0.5, np.float32)
    assert np.all(np.isfinite(transferred(flat, flat, colorful)))
