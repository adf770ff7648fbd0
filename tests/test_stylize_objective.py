"""The weighted sum of terms against NumPy, and the gradient of every term against finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy_vgg import forward
from tiny_encoder import random_picture, tiny_config, tiny_weights

from stylize import losses
from stylize.backbone import Vgg19
from stylize.config import NORMALIZATIONS, StylizeConfig
from stylize.knobs import knobs_of
from stylize.objective import FORMULAS, Objective, Term, build_objective

Array = np.ndarray
NAMES = ("content", "style", "tv", "flat")
WEIGHTS = {"content_weight": 2.0, "style_weight": 3.0, "tv_weight": 0.5, "flat_weight": 0.7}
STYLE_SHARES = (0.3, 0.9)
ALLOWED = 0.001


class Case:
    """A picture, a content and a style of another size, in float64, on a tiny network."""

    def __init__(self, normalization: str, pooling: str = "max") -> None:
        settings = {**WEIGHTS, "style_layer_weights": STYLE_SHARES}
        self.objective = build_objective(tiny_config(normalization=normalization, **settings))
        self.weights = tiny_weights()
        self.pooling = pooling
        self.backbone = Vgg19(self.weights, pooling=pooling)
        self.picture, self.content = (random_picture(10, 9, seed).astype(np.float64) for seed in (1, 2))
        self.style = random_picture(12, 14, seed=3).astype(np.float64)
        self.flat = np.random.default_rng(4).uniform(size=(10, 9))

    def activations(self, pictures: Any) -> dict[str, Any]:
        return self.backbone.activations(pictures, self.objective.layers)

    def targets(self) -> dict[str, dict[str, Any]]:
        aims = {"content": self.content, "style": self.style}
        found = {
            name: self.objective.represented(self.activations(tf.constant(aim[None])))[name]
            for name, aim in aims.items()
        }
        return {**found, "flat": {"image": (tf.constant(self.flat[None, ..., None]), ALLOWED)}}

    def scores(self, pictures: Any) -> Any:
        seen = self.objective.represented(self.activations(pictures))
        return self.objective.compared(seen, self.targets())


# --- values -------------------------------------------------------------------------------------------------


def numpy_content(normalization: str, F: Array, P: Array) -> float:
    squares = ((F - P) ** 2).sum()
    height, width, channels = F.shape
    return float(
        {
            "relative": squares / (P**2).sum(),
            "gatys": squares / 2,
            "coursera": squares / (4 * height * width * channels),
            "rms": np.sqrt(squares / F.size),
        }[normalization]
    )


def numpy_gram_sum(F: Array) -> Array:
    """Gatys et al. 2016, eq. 3: G_ij = sum_k F_ik F_jk."""
    return np.einsum("hwi,hwj->ij", F, F)


def numpy_style(normalization: str, F: Array, P: Array) -> float:
    M_F, M_P, N = F.shape[0] * F.shape[1], P.shape[0] * P.shape[1], F.shape[2]
    G, A = numpy_gram_sum(F) / M_F, numpy_gram_sum(P) / M_P
    squares = ((G - A) ** 2).sum()
    published = ((numpy_gram_sum(F) - numpy_gram_sum(P) * M_F / M_P) ** 2).sum() / (4 * N**2 * M_F**2)
    return float(
        {
            "relative": squares / (A**2).sum(),
            "gatys": published,
            "coursera": published,
            "rms": np.sqrt(squares / N**2),
        }[normalization]
    )


def numpy_tv(normalization: str, x: Array) -> float:
    total = (np.diff(x, axis=0) ** 2).sum() + (np.diff(x, axis=1) ** 2).sum()
    return float(total if normalization in ("gatys", "coursera") else total / x.size)


def numpy_flat(x: Array, m: Array) -> float:
    right, down = np.diff(x, axis=1) ** 2, np.diff(x, axis=0) ** 2
    across, along = (m[:, 1:] + m[:, :-1]) / 2, (m[1:] + m[:-1]) / 2
    found = ((across[..., None] * right).sum() + (along[..., None] * down).sum()) / (3.0 * m.sum())
    return float(m.mean() * max(found - ALLOWED, 0.0) ** 2 / (found + ALLOWED))


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_every_term_against_numpy(normalization: str, pooling: str) -> None:
    case = Case(normalization, pooling)
    F, P, A = (forward(case.weights.layers, x, pooling) for x in (case.picture, case.content, case.style))
    expected = [
        2.0 * numpy_content(normalization, F["block2_conv1"], P["block2_conv1"]),
        3.0
        * sum(
            share * numpy_style(normalization, F[layer], A[layer])
            for share, layer in zip(STYLE_SHARES, ("block1_conv1", "block2_conv1"), strict=True)
        ),
        0.5 * numpy_tv(normalization, case.picture),
        0.7 * numpy_flat(case.picture, case.flat),
    ]
    assert case.objective.names == NAMES
    found = case.scores(tf.constant(case.picture[None])).numpy()
    assert found.shape == (4, 1)
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-5)
    single = case.objective.compared(
        case.objective.represented(case.activations(tf.constant(case.picture[None], tf.float32))),
        tf.nest.map_structure(lambda value: tf.cast(value, tf.float32), case.targets()),
    )
    np.testing.assert_allclose(single.numpy()[:, 0], expected, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_eager_equals_compiled_and_pictures_of_a_batch_do_not_mix(normalization: str) -> None:
    case = Case(normalization)
    batch = tf.constant(np.stack([case.picture, case.content]))
    scores = case.scores(batch)
    assert scores.shape == (4, 2)
    np.testing.assert_allclose(tf.function(case.scores)(batch), scores, rtol=1e-12)
    np.testing.assert_allclose(case.scores(batch[:1]), scores[:, :1], rtol=1e-12)
    assert scores.numpy()[0, 1] == 0.0  # the content itself


# --- gradients ----------------------------------------------------------------------------------------------


def gradients(case: Case) -> Array:
    """Of every term with respect to the picture, shape (terms, H, W, 3)."""
    images = tf.constant(case.picture[None])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(images)
        terms = tf.unstack(case.scores(images)[:, 0])
    return np.stack([tape.gradient(term, images).numpy()[0] for term in terms])


def central_differences(case: Case, step: float = 1e-5) -> Array:
    """The same by moving every value of the picture both ways, all in one batch."""
    moves = step * np.eye(case.picture.size).reshape(-1, *case.picture.shape)
    values = case.scores(tf.constant(case.picture + np.concatenate([moves, -moves]))).numpy()
    up, down = values[:, : len(moves)], values[:, len(moves) :]
    return ((up - down) / (2 * step)).reshape(-1, *case.picture.shape)


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_gradient_of_every_term(normalization: str, pooling: str) -> None:
    case = Case(normalization, pooling)
    found, expected = gradients(case), central_differences(case)
    before = case.scores(tf.constant(case.picture[None])).numpy()[:, 0]
    for index, name in enumerate(case.objective.names):
        largest = np.abs(expected[index]).max()
        assert largest > 0.0, f"{name}: no gradient"
        assert np.count_nonzero(found[index]) > 0.9 * case.picture.size, f"{name}: hardly any gradient"
        np.testing.assert_allclose(
            found[index], expected[index], rtol=1e-5, atol=1e-6 * largest, err_msg=name
        )
        downhill = case.picture - 1e-4 * found[index] / np.linalg.norm(found[index])
        assert case.scores(tf.constant(downhill[None])).numpy()[index, 0] < before[index], (
            f"{name}: not downhill"
        )


# --- putting it together ------------------------------------------------------------------------------------


def test_every_term_that_has_a_weight_is_compared_here() -> None:
    assert {name for name in knobs_of(StylizeConfig) if name.endswith("_weight")} == set(WEIGHTS)


def test_layers_share_equally_without_weights() -> None:
    style = build_objective(tiny_config(style_layers=("relu1_1", "conv1_2", "block2_conv1"))).terms[1]
    assert [layer for layer, _ in style.layers] == ["block1_conv1", "block1_conv2", "block2_conv1"]
    assert [share for _, share in style.layers] == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize(
    ("settings", "names", "layers"),
    [
        ({}, ("content", "style"), ("block2_conv1", "block1_conv1")),
        ({"tv_weight": 1.0, "flat_weight": 1.0}, NAMES, ("block2_conv1", "block1_conv1", "image")),
        ({"content_weight": 0.0}, ("style",), ("block1_conv1", "block2_conv1")),
        ({"style_weight": 0.0}, ("content",), ("block2_conv1",)),
        ({"style_layers": ()}, ("content",), ("block2_conv1",)),
    ],
)
def test_terms_without_weight_are_left_out(
    settings: dict[str, Any], names: tuple[str, ...], layers: tuple[str, ...]
) -> None:
    objective = build_objective(tiny_config(**settings))
    assert objective.names == names
    assert objective.layers == layers


def test_an_objective_needs_terms_of_different_names() -> None:
    term = Term("tv", 1.0, (("image", 1.0),), losses.total_variation, None)
    for terms, names in (([], r"\(\)"), ([term, term], r"\('tv', 'tv'\)")):
        with pytest.raises(ValueError, match=rf"^an objective needs terms of different names, got {names}$"):
            Objective(terms)


def test_every_normalization_has_its_formulas() -> None:
    assert tuple(FORMULAS) == NORMALIZATIONS
