"""Strength, shares and places of the styles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy_vgg import forward
from tiny_encoder import random_picture, tiny_config, tiny_weights

from stylize.errors import ConfigError, ShapeError
from stylize.look import Look, regions
from stylize.losses import gram_matrix, guided_gram_matrices
from stylize.stylizer import Stylizer

pytestmark = pytest.mark.usefixtures("uncompiled")

CONTENT, STYLE, OTHER = random_picture(24, 32, 1), random_picture(18, 16, 2), random_picture(17, 17, 3)
LEFT = np.zeros((24, 32), np.float32)
LEFT[:, :16] = 1.0
ALL = np.ones((24, 32), np.float32)


def guided(styles: int = 2, **settings: Any) -> Stylizer:
    return Stylizer(tiny_config(**settings), [STYLE, OTHER][:styles], tiny_weights(), guided=True)


# --- places -------------------------------------------------------------------------------------------------


def test_guided_gram_matrices_against_numpy() -> None:
    random = np.random.default_rng(0)
    F, t = random.normal(size=(1, 5, 7, 3)), random.uniform(size=(1, 5, 7, 2))
    found = guided_gram_matrices(tf.constant(F), tf.constant(t)).numpy()
    for region in range(2):
        weights = t[0, ..., region]
        expected = np.einsum("hw,hwi,hwj->ij", weights, F[0], F[0]) / weights.sum()
        np.testing.assert_allclose(found[region], expected, rtol=1e-10)


def test_a_guide_that_is_everywhere_is_the_gram_matrix() -> None:
    F = tf.constant(np.random.default_rng(0).normal(size=(1, 6, 4, 3)))
    found = guided_gram_matrices(F, tf.ones((1, 6, 4, 1), F.dtype))
    np.testing.assert_allclose(found, gram_matrix(F), rtol=1e-10)


def test_one_style_everywhere_by_a_mask_is_that_style() -> None:
    plain = Stylizer(tiny_config(), [STYLE], tiny_weights())
    picture = random_picture(24, 32, 5)
    found = guided(1).losses(picture, CONTENT, Look(masks=(ALL,)))
    assert found == pytest.approx(plain.losses(picture, CONTENT), rel=1e-5)


def test_the_guided_term_against_numpy() -> None:
    picture = random_picture(24, 32, 5)
    found = guided(style_weight=3.0).losses(picture, CONTENT, Look(masks=(LEFT, None)))["style"]
    F, styles = (
        forward(tiny_weights().layers, picture),
        [forward(tiny_weights().layers, x) for x in (STYLE, OTHER)],
    )
    expected = []
    for layer, step in (("block1_conv1", 1), ("block2_conv1", 2)):
        mask = LEFT[::step, ::step]
        for place, style in zip((mask, 1.0 - mask), styles, strict=True):
            G = np.einsum("hw,hwi,hwj->ij", place, F[layer], F[layer]) / place.sum()
            A = np.einsum("hwi,hwj->ij", style[layer], style[layer]) / style[layer][..., 0].size
            expected.append(0.5 * place.mean() * ((G - A) ** 2).sum() / (A**2).sum())
    assert found == pytest.approx(3.0 * sum(expected), rel=1e-4)


@pytest.mark.slow
def test_nothing_happens_where_no_style_goes() -> None:
    engine = guided(1, iterations=60, style_weight=20.0)
    moved = np.abs(engine.stylize(CONTENT, look=Look(masks=(LEFT,))).picture - CONTENT)
    assert moved[:, :14].mean() > 0.02
    assert moved[:, 22:].mean() < 0.2 * moved[:, :14].mean()  # large forms move a little everywhere


def test_styles_without_a_mask_share_the_rest() -> None:
    np.testing.assert_allclose(regions([LEFT, None], LEFT.shape), np.stack([LEFT, 1 - LEFT], -1))
    rest = (1 - LEFT) / 2
    np.testing.assert_allclose(regions([LEFT, None, None], LEFT.shape), np.stack([LEFT, rest, rest], -1))
    np.testing.assert_allclose(regions([ALL, ALL, None], LEFT.shape)[..., 2], 0.0)


@pytest.mark.slow
def test_masks_are_of_every_level(monkeypatch: pytest.MonkeyPatch) -> None:
    from stylize import pyramid

    monkeypatch.setattr(pyramid, "_COARSEST_SIDE", 6)
    result = guided(levels=3).stylize(CONTENT, look=Look(masks=(LEFT, None)))
    assert np.isfinite(result.losses["total"])
    assert result.losses["total"] < result.first_losses["total"] * 1.001


@pytest.mark.slow
@pytest.mark.usefixtures("compiled")
def test_other_masks_need_no_new_trace() -> None:
    engine = guided()
    for masks in ((LEFT, None), (None, ALL), (1 - LEFT, LEFT)):
        engine.stylize(CONTENT, look=Look(masks=masks))
    engine.stylize(CONTENT, look=engine.everywhere(CONTENT))
    assert engine.evaluator.minimizer(24, 32).traces == 1


@pytest.mark.parametrize(
    ("look", "error", "message"),
    [
        (Look(), ConfigError, "masks go with a stylizer that was made for them, and with no other"),
        (Look(masks=(LEFT,)), ConfigError, "masks: 1 given for 2 style pictures; give one each"),
        (
            Look(masks=(LEFT[:3], None)),
            ShapeError,
            "mask 1: shape (3, 32) differs from the content's (24, 32)",
        ),
        (Look(masks=(None, 2 * ALL)), ShapeError, "mask 2: expected values in [0, 1]"),
        (Look(strength=1.5, masks=(LEFT, None)), ConfigError, "strength: 1.5: must be between 0 and 1"),
    ],
)
def test_looks_that_do_not_fit(look: Look, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        guided().stylize(CONTENT, look=look)
    assert str(raised.value) == message


# --- strength and shares ------------------------------------------------------------------------------------


def plain(**settings: Any) -> Stylizer:
    return Stylizer(tiny_config(tv_weight=0.5, **settings), [STYLE, OTHER], tiny_weights())


def test_strength_is_a_factor_of_style_and_smoothing_and_of_nothing_else() -> None:
    picture, look = random_picture(24, 32, 5), Look(strength=0.4)
    whole, less = (plain().losses(picture, CONTENT, one) for one in (Look(), look))
    assert look.factor == pytest.approx(0.4**0.5 * np.exp(-0.75))
    assert less["content"] == whole["content"]
    for name in ("style", "tv"):
        assert less[name] == pytest.approx(look.factor * whole[name], rel=1e-5)


def test_without_strength_the_content_stays() -> None:
    result = plain().stylize(CONTENT, look=Look(strength=0.0))
    np.testing.assert_array_equal(result.picture, CONTENT)
    assert result.evaluations == 1


@pytest.mark.slow
def test_more_strength_moves_more() -> None:
    engine = plain(iterations=10)
    looks = [Look(strength=strength) for strength in (0.1, 0.4, 0.7, 1.0)]
    made = [look.over(CONTENT, engine.stylize(CONTENT, look=look).picture) for look in looks]
    moved = [np.abs(picture - CONTENT).mean() for picture in made]
    assert moved == sorted(moved)
    assert moved[0] > 0.0


def test_a_result_is_laid_over_its_content() -> None:
    picture = random_picture(24, 32, 5)
    np.testing.assert_allclose(Look(0.25).over(CONTENT, picture), 0.75 * CONTENT + 0.25 * picture, atol=1e-6)
    assert Look().over(CONTENT, picture) is picture
    np.testing.assert_array_equal(Look(0.0).over(CONTENT, picture), CONTENT)


def test_a_look_has_shares_of_its_own() -> None:
    picture = random_picture(24, 32, 5)
    blended = Stylizer(tiny_config(tv_weight=0.5), [STYLE, OTHER], tiny_weights(), style_blend=(3, 1))
    assert plain().losses(picture, CONTENT, Look(blend=(0.75, 0.25))) == blended.losses(picture, CONTENT)
