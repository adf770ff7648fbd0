"""Every statistic of style in whole optimisations: looks, sizes, windows, interruptions, renewed targets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tiny_encoder import random_picture, tiny_config, tiny_weights

from pipeline.settings.job_settings import build_settings
from pipeline.settings.presets import preset_names, read_preset
from stylize import pyramid
from stylize.anchor import Anchor
from stylize.checkpoint import Checkpoint
from stylize.config import SUITED, StylizeConfig
from stylize.errors import ConfigError
from stylize.evaluator import Evaluator
from stylize.look import Look
from stylize.objective import Term
from stylize.optimize import Progress, Renewal
from stylize.phase import Phase, phase_of
from stylize.stylizer import Stylizer
from stylize.targets import Targets
from stylize.tiling import TiledNetwork

Array = np.ndarray
NAMES = tuple(SUITED)
RENEWED = ("sliced", "nearest")
CONTENT, STYLE, OTHER = random_picture(24, 32, 1), random_picture(18, 16, 2), random_picture(17, 21, 3)
every = pytest.mark.parametrize("name", NAMES)


def stylizer(name: str, *, guided: bool = False, memory: int | None = None, **settings: Any) -> Stylizer:
    config = tiny_config(style_statistic=name, style_weight=8.0, tolerance=0.0, **settings)
    return Stylizer(config, [STYLE, OTHER], tiny_weights(), guided=guided, memory=memory)


@cache
def shared(name: str, guided: bool) -> Stylizer:
    """Compiled once for several tests; Adam's steps are soon compiled."""
    return stylizer(name, guided=guided, optimizer="adam", iterations=5)


def half(height: int, width: int) -> Array:
    """The left half of a picture."""
    mask = np.zeros((height, width), np.float32)
    mask[:, : width // 2] = 1.0
    return mask


def looks(height: int, width: int, *, guided: bool) -> list[Look]:
    masks = (half(height, width), None)
    if guided:
        return [Look(masks=masks), Look(strength=0.5, masks=masks), Look(blend=(1, 3), masks=masks)]
    return [Look(), Look(strength=0.5), Look(blend=(0.2, 0.8)), Look(blend=(0, 1))]


# --- whole optimisations ------------------------------------------------------------------------------------


@pytest.mark.slow
@every
@pytest.mark.parametrize("guided", [False, True])
def test_it_styles_pictures_of_every_size_and_look_with_one_trace(name: str, guided: bool) -> None:
    engine = shared(name, guided)
    for height, width in ((24, 32), (17, 21), (30, 19)):
        content = random_picture(height, width, 1)
        for look in looks(height, width, guided=guided):
            result = engine.stylize(content, look=look)
            assert result.losses["style"] < 0.9 * result.first_losses["style"]
            assert result.losses["total"] < result.first_losses["total"]
            assert result.picture.shape == content.shape
    assert engine.evaluator.minimizer(24, 32).traces == 1


@pytest.mark.slow
@every
def test_looks_differ_and_less_strength_moves_less(name: str) -> None:
    for guided in (False, True):
        engine = shared(name, guided)
        made = [engine.stylize(CONTENT, look=look).picture for look in looks(24, 32, guided=guided)]
        assert all(np.abs(a - b).max() > 1e-3 for i, a in enumerate(made) for b in made[:i])
        assert np.abs(made[1] - CONTENT).mean() < np.abs(made[0] - CONTENT).mean()


@every
def test_a_share_of_nothing_is_the_other_style(name: str) -> None:
    """Sliced's quantiles are those of the larger painting's positions then, which hardly matters."""
    alone = Stylizer(tiny_config(style_statistic=name, style_weight=8.0), [OTHER], tiny_weights())
    picture = random_picture(24, 32, 5)
    found = shared(name, False).losses(picture, CONTENT, Look(blend=(0, 1)))
    expected = alone.losses(picture, CONTENT)
    assert found == pytest.approx(expected, rel=1e-2 if name == "sliced" else 1e-5)


@pytest.mark.slow
@every
@pytest.mark.parametrize(("shape", "guided", "renewal"), [((21, 23), False, 0), ((22, 25), True, 1)])
def test_windows_equal_the_whole(name: str, shape: tuple[int, int], guided: bool, renewal: int) -> None:
    content, picture = random_picture(*shape, 1), random_picture(*shape, 5)
    found = []
    for memory in (None, 1):
        engine = stylizer(name, guided=guided, memory=memory, tv_weight=0.5)
        look = looks(*shape, guided=guided)[0]
        targets = engine.targets(content, look=look, renewal=renewal)
        images = tf.constant(picture[None])
        with tf.GradientTape() as tape:
            tape.watch(images)
            terms = engine.evaluator.terms(images, targets)
            loss = tf.reduce_sum(terms)
        found.append((terms.numpy(), tape.gradient(loss, images).numpy()))
    side = engine.evaluator.window(*shape)
    assert side is not None
    assert TiledNetwork(engine.backbone, engine.objective, *shape, side).count > 1
    (whole, whole_gradient), (tiled, tiled_gradient) = found
    # What wasserstein finds is what is left of moments that cancel.
    np.testing.assert_allclose(tiled, whole, rtol=5e-5 if name == "wasserstein" else 1e-5)
    error = np.linalg.norm(tiled_gradient - whole_gradient) / np.linalg.norm(whole_gradient)
    assert error < 1e-4


class EnoughError(Exception):
    """What a callback raises to stop an optimisation."""


@pytest.mark.slow
@every
def test_a_stopped_optimisation_goes_on_to_the_same_picture(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether targets have just been renewed, or some time ago, or not yet at this level."""
    monkeypatch.setattr(pyramid, "_COARSEST_SIDE", 6)
    optimizer = "lbfgs" if name == "sliced" else "adam"
    engine, fresh = (
        stylizer(name, levels=2, iterations=Renewal.every + 4, flat_weight=2.0, optimizer=optimizer)
        for _ in range(2)
    )
    whole = engine.stylize(CONTENT)
    for stop, renewals in (
        (Renewal.every, 1), (Renewal.every + 2, 1), (Renewal.every + 7, 0), (2 * Renewal.every + 6, 1),
    ):  # fmt: skip

        def stopping(progress: Progress, stop: int = stop) -> None:
            if progress.iteration == stop:
                raise EnoughError

        checkpoint = Checkpoint(tmp_path / str(stop))
        with pytest.raises(EnoughError):
            engine.stylize(CONTENT, callback=stopping, checkpoint=checkpoint)
        kept = checkpoint.load()
        assert kept is not None
        assert kept[2].renewals == (renewals if name in RENEWED else 0)
        assert np.array_equal(kept[2].aimed, kept[2].start) is (kept[2].renewals == 0)
        again = fresh.stylize(CONTENT, checkpoint=checkpoint)
        np.testing.assert_array_equal(again.picture, whole.picture)
        assert again.losses == whole.losses
        assert (again.iterations, again.evaluations) == (whole.iterations, whole.evaluations)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Array]]:
    """How often targets had been renewed, and the picture they were for, each time they were asked for."""
    found: list[tuple[int, Array]] = []
    targets = Targets.__call__

    def recorded(self: Targets, *arguments: Any, **more: Any) -> Any:
        found.append((more["renewal"], np.array(more["picture"])))
        return targets(self, *arguments, **more)

    monkeypatch.setattr(Targets, "__call__", recorded)
    return found


@pytest.mark.parametrize("name", RENEWED)
def test_renewed_targets_are_for_the_picture_as_it_stands(name: str, asked: list[tuple[int, Array]]) -> None:
    engine = shared(name, False)
    result = engine.stylize(CONTENT, iterations=2 * Renewal.every + 1)
    assert [renewal for renewal, _ in asked] == [0, 1, 2]
    np.testing.assert_array_equal(asked[0][1], CONTENT)
    assert np.abs(asked[1][1] - CONTENT).max() > 0.01
    assert np.abs(asked[2][1] - asked[1][1]).max() > 1e-4
    # The losses are those of the last targets: for these the picture is as good as said.
    last = engine.targets(CONTENT, picture=asked[2][1], renewal=2)
    terms = engine.evaluator.terms(tf.constant(result.picture[None]), last).numpy()[:, 0]
    assert result.losses["content"] == pytest.approx(terms[0], rel=1e-5)
    assert result.losses["style"] == pytest.approx(terms[1], rel=1e-5)


def test_renewing_looks_at_the_content_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For all terms in one pass, which serves the start as well; and again when another comes."""
    engine, found = stylizer("nearest"), []
    seen = Evaluator.seen

    def recorded(self: Evaluator, terms: Sequence[Term], picture: Any, phase: Phase) -> Any:
        found.append(([term.name for term in terms], picture is CONTENT, phase))
        return seen(self, terms, picture, phase)

    monkeypatch.setattr(Evaluator, "seen", recorded)
    for renewal in (0, 0, 1, 1):
        picture = CONTENT + np.float32(0.01) if found else CONTENT
        engine.targets(CONTENT, picture=picture, renewal=renewal)
    looked = [(terms, phase) for terms, content, phase in found if content]
    assert looked == [(["content", "style"], phase_of(renewal)) for renewal in (0, 1)]
    other = random_picture(24, 32, 7)
    one, two = (engine.targets(each)["content"]["block2_conv1"] for each in (other, CONTENT))
    assert np.abs(one - two).max() > 0.0


@pytest.mark.slow
@pytest.mark.parametrize("name", RENEWED)
def test_held_to_an_anchor_targets_are_not_renewed(name: str, asked: list[tuple[int, Array]]) -> None:
    """From a warm start without one they are."""
    config = tiny_config(style_statistic=name, style_weight=8.0, tolerance=0.0, optimizer="adam")
    engine = Stylizer(config, [STYLE], tiny_weights(), temporal_weight=1.0)
    anchor = Anchor(CONTENT, np.ones(CONTENT.shape[:2], np.float32))
    for held, renewals in ((anchor, [0]), (None, [0, 1])):
        asked.clear()
        engine.stylize(CONTENT, initial=CONTENT, anchor=held, iterations=Renewal.every + 5)
        assert [renewal for renewal, _ in asked] == renewals


# --- settings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["classroom", "coursera", "deep-fusion", "gatys", "neural-style", "video"])
def test_published_systems_compare_gram_matrices(name: str) -> None:
    assert name in preset_names()
    values = read_preset(name)
    assert values["style_statistic"] == "gram"  # whatever the default is
    assert build_settings("image", values)[0].style_statistic == "gram"


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"gram"}))
@pytest.mark.parametrize("normalization", ["gatys", "coursera", "rms"])
def test_published_formulas_go_with_gram_matrices_only(name: str, normalization: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"^normalization: {normalization}: .* style_statistic {name} set normalization"
    ):
        StylizeConfig(style_statistic=name, normalization=normalization)
    assert StylizeConfig(style_statistic="gram", normalization=normalization).normalization == normalization
    assert StylizeConfig(style_statistic=name).normalization == "relative"
