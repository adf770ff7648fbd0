"""The whole engine on tiny networks: it lowers the loss, starts where it is told, and says what is wrong."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy_vgg import forward
from tiny_encoder import random_picture, tiny_config, tiny_weights

from stylize import pyramid
from stylize.errors import ConfigError, NonFiniteError, ShapeError
from stylize.optimize import Progress
from stylize.result import Result
from stylize.stylizer import Stylizer
from stylize.weights import Weights

pytestmark = pytest.mark.usefixtures("uncompiled")

CONTENT, STYLE, OTHER_STYLE = (
    random_picture(16, 20, 1),
    random_picture(18, 16, 2),
    random_picture(17, 17, 3),
)


def tiny_stylizer(
    styles: list[Any] | None = None, weights: Weights | None = None, **settings: Any
) -> Stylizer:
    return Stylizer(tiny_config(**settings), styles or [STYLE], weights or tiny_weights())


def stylize(initial: Any = None, content: Any = CONTENT, **settings: Any) -> Result:
    return tiny_stylizer(**settings).stylize(content, initial=initial)


def stylize_once(content: Any, iterations: int) -> Any:
    return tiny_stylizer().stylize(content, iterations=iterations).picture


# The systems that the presets describe, on the layers of the tiny network.
SYSTEMS: dict[str, dict[str, Any]] = {
    "default": {"style_weight": 10.0},
    "gatys": {
        "normalization": "gatys", "init": "noise", "pooling": "average", "style_weight": 1000.0,
        "rescale_activations": True,
    },
    "neural-style": {"normalization": "gatys", "init": "noise", "style_weight": 100.0, "tv_weight": 1e-3},
    "deep-fusion": {"normalization": "rms", "tv_weight": 0.1},
    "coursera": {
        "normalization": "coursera", "init": "mix:0.6", "pooling": "average", "content_weight": 10.0,
        "style_weight": 40.0, "style_layer_weights": (0.2, 0.2), "optimizer": "adam",
    },
    "classroom": {"normalization": "gatys", "init": "jitter:0.2", "optimizer": "adam"},
    "style start": {"init": "style", "style_weight": 0.1},
}  # fmt: skip


@pytest.mark.parametrize("system", SYSTEMS)
def test_three_iterations_lower_the_loss(system: str) -> None:
    engine = tiny_stylizer(**SYSTEMS[system])
    result = engine.stylize(CONTENT, iterations=3)
    assert result.picture.shape == CONTENT.shape
    assert result.picture.dtype == np.float32
    assert 0.0 <= result.picture.min() <= result.picture.max() <= 1.0
    assert result.losses["total"] < result.first_losses["total"]
    assert list(result.losses) == [*engine.objective.names, "total"]
    assert result.losses["total"] == pytest.approx(
        sum(result.losses[name] for name in engine.objective.names)
    )
    assert engine.losses(result.picture, CONTENT) == pytest.approx(result.losses, rel=1e-4, abs=1e-7)
    start = engine.losses(engine.start_picture(CONTENT), CONTENT)
    assert start == pytest.approx(result.first_losses, rel=1e-4, abs=1e-7)
    assert (result.iterations, result.reason) == (3, "iterations")


def test_losses_against_numpy() -> None:
    engine = tiny_stylizer(content_weight=2.0, style_weight=3.0, tv_weight=0.5)
    picture = random_picture(16, 20, 9)
    F, P, A = (forward(tiny_weights().layers, x) for x in (picture, CONTENT, STYLE))
    content = ((F["block2_conv1"] - P["block2_conv1"]) ** 2).sum() / (P["block2_conv1"] ** 2).sum()
    grams = {
        layer: [np.einsum("hwi,hwj->ij", x[layer], x[layer]) / x[layer][..., 0].size for x in (F, A)]
        for layer in ("block1_conv1", "block2_conv1")
    }
    style = np.mean([((G - T) ** 2).sum() / (T**2).sum() for G, T in grams.values()])
    tv = ((np.diff(picture, axis=0) ** 2).sum() + (np.diff(picture, axis=1) ** 2).sum()) / picture.size
    expected = {"content": 2.0 * content, "style": 3.0 * style, "tv": 0.5 * tv}
    assert engine.losses(picture, CONTENT) == pytest.approx(
        {**expected, "total": sum(expected.values())}, rel=1e-4
    )


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_the_same_seed_gives_the_same_bits(optimizer: str) -> None:
    one, two, other = (stylize(init="noise", optimizer=optimizer, seed=seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(one.picture, two.picture)
    assert one.losses == two.losses
    assert not np.array_equal(one.picture, other.picture)


@pytest.mark.slow
@pytest.mark.usefixtures("compiled")
def test_pictures_of_all_sizes_share_one_trace() -> None:
    engine = tiny_stylizer()
    for size in ((16, 20), (16, 16), (31, 17), (16, 20)):
        content = random_picture(*size)
        np.testing.assert_array_equal(
            engine.stylize(content, iterations=2).picture, stylize_once(content, iterations=2)
        )
    assert engine.evaluator.minimizer(16, 20).traces == 1


@pytest.mark.slow
@pytest.mark.usefixtures("compiled")
def test_one_stylizer_gives_the_same_whatever_came_before() -> None:
    engine, fresh = tiny_stylizer(), tiny_stylizer()
    engine.stylize(random_picture(16, 20, 7))
    np.testing.assert_array_equal(engine.stylize(CONTENT).picture, fresh.stylize(CONTENT).picture)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_compiled_steps_come_to_the_same_picture(optimizer: str, compiled: None) -> None:
    """The other tests do without compilation, which takes most of the time of a few iterations."""
    settings = {**SYSTEMS["default"], "optimizer": optimizer}
    found = tiny_stylizer(**settings).stylize(CONTENT)
    tf.config.run_functions_eagerly(True)
    expected = tiny_stylizer(**settings).stylize(CONTENT)
    np.testing.assert_allclose(found.picture, expected.picture, atol=1e-4)
    assert found.losses == pytest.approx(expected.losses, rel=1e-4)
    assert (found.iterations, found.evaluations) == (expected.iterations, expected.evaluations)


# --- starts -------------------------------------------------------------------------------------------------


def start_of(init: str, **settings: Any) -> np.ndarray:
    start = tiny_stylizer(init=init, **settings).start_picture(CONTENT)
    assert start.shape == CONTENT.shape
    assert start.dtype == np.float32
    assert 0.0 <= start.min() <= start.max() <= 1.0
    return start


MEAN = np.array([123.68, 116.779, 103.939]) / 255.0


def test_content_start() -> None:
    np.testing.assert_array_equal(start_of("content"), CONTENT)


def test_noise_start_lies_around_the_mean_colour() -> None:
    start = start_of("noise", noise_amplitude=0.2)
    assert np.abs(start - MEAN).max() <= 0.2 + 1e-6
    assert np.abs(start - MEAN).max() > 0.18
    np.testing.assert_allclose(start.mean(axis=(0, 1)), MEAN, atol=0.03)
    np.testing.assert_array_equal(start_of("noise", noise_amplitude=0.2), start)
    assert not np.array_equal(start_of("noise", noise_amplitude=0.2, seed=1), start)


def test_mix_start() -> None:
    noise = start_of("noise", noise_amplitude=0.3).astype(np.float64)
    np.testing.assert_allclose(
        start_of("mix:0.6", noise_amplitude=0.3), 0.6 * noise + 0.4 * CONTENT, atol=1e-6
    )
    np.testing.assert_allclose(start_of("mix:0", noise_amplitude=0.3), CONTENT, atol=1e-7)
    np.testing.assert_allclose(start_of("mix:1", noise_amplitude=0.3), noise, atol=1e-7)


@pytest.mark.parametrize("noise_amplitude", [0.0, 0.5])
def test_jitter_start_has_its_own_amplitude(noise_amplitude: float) -> None:
    moved = np.abs(start_of("jitter:0.1", noise_amplitude=noise_amplitude) - CONTENT)
    assert 0.09 < moved.max() <= 0.1 + 1e-6
    assert moved.mean() == pytest.approx(0.05, rel=0.15)


def test_style_start_covers_the_content() -> None:
    start = start_of("style")
    # 18x16 pixels cover 16x20 at a factor of 20/16; what is left over is cut in the middle.
    tall = tf.image.resize(STYLE, (22, 20), method="bicubic", antialias=True).numpy().clip(0.0, 1.0)
    np.testing.assert_allclose(start, tall[3:19], atol=1e-6)


def test_initial_is_where_it_starts() -> None:
    engine, initial, seen = tiny_stylizer(init="noise"), random_picture(16, 20, 8), []
    result = engine.stylize(
        CONTENT, initial=initial, callback=lambda progress: seen.append(progress.picture())
    )
    np.testing.assert_array_equal(seen[0], initial)
    assert result.first_losses == pytest.approx(engine.losses(initial, CONTENT), rel=1e-5)


def test_a_picture_file_must_be_read_by_the_caller() -> None:
    with pytest.raises(ConfigError) as raised:
        stylize(init="start.png")
    assert str(raised.value) == "init: 'start.png': read or make that picture and pass it as `initial`"


# --- doors --------------------------------------------------------------------------------------------------


def spoilt(value: float) -> np.ndarray:
    """A picture of grey in [0.1, 0.9] with one value that is not."""
    picture = CONTENT.copy()
    picture[0, :2, 0] = 0.1, 0.9
    picture[3, 4, 1] = value
    return picture


BAD_PICTURES: list[tuple[Any, str]] = [
    (CONTENT[..., 0], "expected a picture of shape (H, W, 3), got (16, 20)"),
    (CONTENT[None], "expected a picture of shape (H, W, 3), got (1, 16, 20, 3)"),
    (np.zeros((16, 20, 4), np.float32), "expected a picture of shape (H, W, 3), got (16, 20, 4)"),
    ((CONTENT * 255).astype(np.uint8), "expected floats in [0, 1], got uint8"),
    (spoilt(np.nan), "has values that are not finite"),
    (spoilt(np.inf), "has values that are not finite"),
    (spoilt(1.5), "expected values in [0, 1], got 0.1 to 1.5"),
    (spoilt(-0.25), "expected values in [0, 1], got -0.25 to 0.9"),
    (
        np.zeros((3, 20, 3), np.float32),
        "20x3 pixels is too small for the layers in use; the shorter side needs at least 4 pixels",
    ),
]


@pytest.mark.parametrize(("picture", "message"), BAD_PICTURES)
def test_a_bad_content_or_style(picture: Any, message: str) -> None:
    with pytest.raises(ShapeError) as content:
        tiny_stylizer().stylize(picture)
    with pytest.raises(ShapeError) as style:
        tiny_stylizer([STYLE, picture])
    assert str(content.value) == f"content: {message}"
    assert str(style.value) == f"style 2: {message}"
    assert content.value.exit_code == style.value.exit_code == 2


def test_an_initial_or_a_picture_of_another_shape() -> None:
    with pytest.raises(ShapeError) as raised:
        stylize(initial=STYLE)
    assert str(raised.value) == "initial: shape (18, 16, 3) differs from the content's (16, 20, 3)"
    with pytest.raises(ShapeError, match=r"^initial: has values that are not finite$"):
        stylize(initial=spoilt(np.nan))
    with pytest.raises(ShapeError) as raised:
        tiny_stylizer().losses(STYLE, CONTENT)
    assert str(raised.value) == "picture: shape (18, 16, 3) differs from the content's (16, 20, 3)"


def test_doubles_are_taken_as_they_are() -> None:
    np.testing.assert_array_equal(stylize(content=CONTENT.astype(np.float64)).picture, stylize().picture)


@pytest.mark.parametrize("styles", [STYLE, tf.constant(STYLE), STYLE[None]])
def test_one_picture_in_place_of_a_list(styles: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"^styles: expected a list of pictures, got one \w+; write \[picture\]$"
    ):
        Stylizer(tiny_config(), styles, tiny_weights())


def test_no_style() -> None:
    with pytest.raises(ConfigError, match=r"^no style picture given$"):
        Stylizer(tiny_config(), [], tiny_weights())


@pytest.mark.parametrize(
    ("blend", "message"),
    [
        ([1.0], "style weights: 1 given for 2 style pictures; give one each"),
        ([1.0, -1.0], "style weights: [1.0, -1.0]: none may be under 0, nor all 0"),
        ([0.0, 0.0], "style weights: [0.0, 0.0]: none may be under 0, nor all 0"),
        ([1.0, float("nan")], "style weights: [1.0, nan]: none may be under 0, nor all 0"),
    ],
)
def test_a_bad_blend(blend: list[float], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Stylizer(tiny_config(), [STYLE, OTHER_STYLE], tiny_weights(), style_blend=blend)
    assert str(raised.value) == message


def test_weights_that_end_too_early() -> None:
    with pytest.raises(
        ConfigError, match=r"^the weights of custom end at block1_conv2 and have no block2_conv1; "
    ):
        tiny_stylizer(weights=tiny_weights(count=2)).stylize(CONTENT)


def test_weights_that_overflow_name_the_term() -> None:
    weights = tiny_weights()
    huge = {name: (kernel * np.float32(1e8), bias) for name, (kernel, bias) in weights.layers.items()}
    with pytest.raises(NonFiniteError, match=r"^the content and style loss is not finite at the start; "):
        stylize(weights=Weights("custom", "test", "", huge), normalization="gatys", init="noise")


# --- styles -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("blend", "shares"), [(None, (0.5, 0.5)), ((0.7, 0.3), (0.7, 0.3)), ((6, 2), (0.75, 0.25))]
)
def test_blended_targets_are_the_mean_of_gram_matrices(blend: Any, shares: tuple[float, float]) -> None:
    engine = Stylizer(tiny_config(), [STYLE, OTHER_STYLE], tiny_weights(), style_blend=blend)
    targets = engine.targets(CONTENT)
    for layer in ("block1_conv1", "block2_conv1"):
        expected = 0.0
        for share, style in zip(shares, (STYLE, OTHER_STYLE), strict=True):
            F = forward(tiny_weights().layers, style)[layer]
            expected = expected + share * np.einsum("hwi,hwj->ij", F, F) / F[..., 0].size
        np.testing.assert_allclose(targets["style"][layer][0], expected, rtol=1e-4, atol=1e-6)


def test_the_style_itself_has_no_style_loss_and_the_content_no_content_loss() -> None:
    losses = tiny_stylizer([STYLE]).losses(STYLE, STYLE)
    assert losses["style"] == pytest.approx(0.0, abs=1e-9)
    assert losses["content"] == 0.0


def test_styles_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = tiny_stylizer()
    seen: list[str] = []
    look = engine.evaluator.seen

    def counted(terms: Any, *where: Any) -> Any:
        seen.extend(term.name for term in terms)
        return look(terms, *where)

    monkeypatch.setattr(engine.evaluator, "seen", counted)
    one, two = engine.targets(CONTENT), engine.targets(random_picture(16, 20, 5))
    assert sorted(seen) == ["content", "content", "style"]
    assert one["content"] is not two["content"]


def test_activations_are_rescaled_over_the_styles() -> None:
    engine = tiny_stylizer([STYLE, OTHER_STYLE], rescale_activations=True)
    layers = ("block1_conv1", "block2_conv1")
    values = [engine.backbone.activations(style[None], layers) for style in (STYLE, OTHER_STYLE)]
    for layer in layers:
        means = np.mean([value[layer].numpy().mean(axis=(0, 1, 2)) for value in values], axis=0)
        assert means.max() == pytest.approx(1.0, rel=1e-4)


# --- levels -------------------------------------------------------------------------------------------------


@pytest.fixture
def small_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyramid, "_COARSEST_SIDE", 6)


@pytest.mark.usefixtures("small_levels")
def test_levels_run_from_coarse_to_fine() -> None:
    content, seen = random_picture(26, 34), []

    def watch(progress: Progress) -> None:
        seen.append((progress.level, progress.picture().shape[:2], progress))

    result = tiny_stylizer(levels=3, iterations=2).stylize(content, callback=watch)
    assert [(level, shape) for level, shape, _ in seen] == [
        *[(2, (6, 8))] * 3, *[(1, (13, 17))] * 3, *[(0, (26, 34))] * 3,
    ]  # fmt: skip
    assert [progress.iteration for *_, progress in seen] == [0, 1, 2, 2, 3, 4, 4, 5, 6]
    assert {progress.iterations for *_, progress in seen} == {6}
    evaluations = [progress.evaluations for *_, progress in seen]
    assert all(a < b for a, b in pairwise(evaluations))
    assert result.iterations == 6
    assert result.evaluations == evaluations[-1]
    assert result.picture.shape == content.shape
    assert result.first_losses["total"] == pytest.approx(seen[6][2].loss)


@pytest.mark.usefixtures("small_levels")
def test_style_targets_of_a_coarse_level_are_of_the_smaller_style() -> None:
    engine = tiny_stylizer([random_picture(24, 28, 2)], levels=2)
    fine, coarse = (engine.targets(CONTENT, level)["style"]["block1_conv1"] for level in (0, 1))
    smaller = tf.image.resize(random_picture(24, 28, 2), (12, 14), method="bicubic", antialias=True)
    F = forward(tiny_weights().layers, smaller.numpy().clip(0, 1))["block1_conv1"]
    np.testing.assert_allclose(coarse[0], np.einsum("hwi,hwj->ij", F, F) / F[..., 0].size, rtol=1e-4)
    assert not np.allclose(fine, coarse, rtol=1e-3)


@pytest.mark.usefixtures("small_levels")
def test_initial_runs_at_full_size_only() -> None:
    seen: list[Progress] = []
    content = random_picture(24, 24)
    engine = tiny_stylizer(levels=3, iterations=2)
    result = engine.stylize(content, initial=random_picture(24, 24, 5), callback=seen.append)
    assert {(progress.level, progress.iterations) for progress in seen} == {(0, 2)}
    assert result.iterations == 2


def test_small_pictures_have_one_level() -> None:
    engine = tiny_stylizer(levels=4)
    assert engine.stylize(CONTENT).iterations == 3


@pytest.mark.slow
@pytest.mark.usefixtures("compiled")
def test_a_stylizer_takes_other_styles_without_compiling_anew() -> None:
    first = tiny_stylizer([STYLE])
    first.stylize(CONTENT)
    other = first.restyled([OTHER_STYLE, STYLE], (3.0, 1.0))
    made = other.stylize(CONTENT)
    fresh = Stylizer(tiny_config(), [OTHER_STYLE, STYLE], tiny_weights(), style_blend=(3.0, 1.0))
    np.testing.assert_array_equal(made.picture, fresh.stylize(CONTENT).picture)
    height, width, _ = CONTENT.shape
    assert other.evaluator.minimizer(height, width) is first.evaluator.minimizer(height, width)
    np.testing.assert_array_equal(first.styles[0], STYLE)
    with pytest.raises(ConfigError, match="no style picture given"):
        first.restyled([])
    with pytest.raises(ConfigError, match="rescaled to its style pictures"):
        tiny_stylizer(rescale_activations=True).restyled([OTHER_STYLE])
