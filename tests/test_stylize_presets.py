"""Every shipped preset against the formulas of its source, written out in NumPy in the source's terms.

Nothing of `stylize.losses` or `stylize.objective` is used, and no published number is read from a preset, but
only weights chosen by eye. F, P and A are activations (H, W, N) by layer of the picture, the content and the
style, with M = H W positions and N (in other systems C, n_C) filters; `x` is the picture, in [0, 1].
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from numpy_statistics import REFERENCES, Case
from numpy_vgg import forward, pool
from tiny_encoder import random_picture, tiny_weights

from pipeline.settings.job_settings import build_settings
from pipeline.settings.presets import preset_names, preset_text, read_preset
from stylize.config import StylizeConfig
from stylize.stylizer import Stylizer
from stylize.weights import Weights

Array = NDArray[np.float64]
Maps = Mapping[str, Array]

STYLE_LAYERS = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1")
TINY, FULL = (2, 3, 4, 4, 4), (64, 128, 256, 512, 512)
"""Filters of each of the five blocks, of a tiny network and of VGG-19."""

PICTURE, CONTENT = random_picture(48, 40, seed=1), random_picture(48, 40, seed=2)
STYLE, STYLE_OF_SAME_SIZE = random_picture(40, 56, seed=3), random_picture(48, 40, seed=3)


@dataclass(frozen=True)
class Reference:
    """What a system's own formulas give, weighted; the style by layer, None for terms that it has not."""

    content: float
    style: tuple[float, ...]
    tv: float | None = None
    flat: float | None = None

    def terms(self) -> dict[str, float]:
        found = {"content": self.content, "style": sum(self.style)}
        found |= {} if self.tv is None else {"tv": self.tv}
        found |= {} if self.flat is None else {"flat": self.flat}
        return {**found, "total": sum(found.values())}


def positions(F: Array) -> int:
    """M, the height times the width of the maps."""
    return F.shape[0] * F.shape[1]


def gram(F: Array) -> Array:
    """G_ij = sum_k F_ik F_jk: Gatys et al. 2016, eq. 3, divided by nothing."""
    return np.einsum("hwi,hwj->ij", F, F)


def squared_differences(x: Array) -> float:
    """Of every value and its right and its lower neighbour, summed."""
    return float((np.diff(x, axis=0) ** 2).sum() + (np.diff(x, axis=1) ** 2).sum())


def flatness(P: Array) -> Array:
    """1 / (1 + (s / q)^4), s the deviation of luma in 9x9 pixels, of which the border cuts some off.

    q is what a quarter of the pixels have at most. Luma is halved by means of 2x2 and enlarged again by
    bilinear interpolation first.
    """
    luma = P @ np.array([0.299, 0.587, 0.114])
    height, width = luma.shape
    halved = luma.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    luma = cv2.resize(halved, (width, height), interpolation=cv2.INTER_LINEAR)
    s = np.empty_like(luma)
    for row, column in np.ndindex(*luma.shape):
        s[row, column] = luma[max(0, row - 4) : row + 5, max(0, column - 4) : column + 5].std()
    return 1.0 / (1.0 + (s / np.quantile(s, 0.25)) ** 4)


def flat_differences(x: Array, m: Array) -> float:
    """The squared differences of neighbours, each times the mean of its two pixels' m, over 3 sum m."""
    right = np.diff(x, axis=1) ** 2 * (0.5 * (m[:, 1:] + m[:, :-1]))[..., None]
    down = np.diff(x, axis=0) ** 2 * (0.5 * (m[1:] + m[:-1]))[..., None]
    return float((right.sum() + down.sum()) / (3.0 * m.sum()))


def every_fourth(F: Array, layer: str) -> Array:
    """Activations averaged down to a position every four pixels, where they are finer."""
    for _ in range(3 - int(layer[len("block")])):
        F = pool(F, "average")
    return F


def fourfold(x: NDArray[np.float32]) -> Array:
    """Luminance on a position every four pixels."""
    luma = x.astype(np.float64) @ np.array([[0.299], [0.587], [0.114]])
    return pool(pool(luma, "average"), "average")[..., 0]


# --- the systems --------------------------------------------------------------------------------------------


def gatys_style(F: Array, A: Array) -> float:
    """E_l of eq. 4, 1/(4 N^2 M^2) sum (G - A)^2, with each Gram matrix divided by its own picture's M."""
    N = F.shape[-1]
    return float(((gram(F) / positions(F) - gram(A) / positions(A)) ** 2).sum() / (4 * N**2))


def gatys_style_of_one_size(F: Array, A: Array) -> float:
    """E_l of eq. 4 to the letter; the paper knows no style picture of another size."""
    N, M = F.shape[-1], positions(F)
    return float(((gram(F) - gram(A)) ** 2).sum()) / (4 * N**2 * M**2)


def gatys(F: Maps, P: Maps, A: Maps, x: Array, by_eye: StylizeConfig) -> Reference:
    """Gatys et al. 2016, eqs. 1, 4, 5 and 7, with alpha = 1 and w_l = 1/5."""
    alpha, beta, w = 1.0, by_eye.style_weight, 1.0 / 5.0
    E = gatys_style_of_one_size if F["block1_conv1"].shape == A["block1_conv1"].shape else gatys_style
    content = 0.5 * ((F["block4_conv2"] - P["block4_conv2"]) ** 2).sum()
    return Reference(alpha * content, tuple(beta * w * E(F[layer], A[layer]) for layer in STYLE_LAYERS))


def classroom(F: Maps, P: Maps, A: Maps, x: Array, by_eye: StylizeConfig) -> Reference:
    """As Gatys et al., with a deeper content layer."""
    content = by_eye.content_weight * 0.5 * ((F["block5_conv2"] - P["block5_conv2"]) ** 2).sum()
    return Reference(content, gatys(F, P, A, x, by_eye).style)


def coursera(F: Maps, P: Maps, A: Maps, x: Array, by_eye: StylizeConfig) -> Reference:
    """J = alpha J_content + beta sum_l lambda_l J_style, of the generated, content and style picture."""
    alpha, beta, lambda_l = 10.0, 40.0, 0.2
    a_G, a_C = F["block4_conv2"], P["block4_conv2"]
    n_H, n_W, n_C = a_G.shape
    J_content = ((a_C - a_G) ** 2).sum() / (4 * n_H * n_W * n_C)
    J_style = []
    for layer in STYLE_LAYERS:
        n_H, n_W, n_C = F[layer].shape
        # Its pictures are all of one size: the style's Gram matrix is brought to the generated picture's.
        gram_S = gram(A[layer]) * (n_H * n_W) / positions(A[layer])
        J_style.append(((gram_S - gram(F[layer])) ** 2).sum() / (4 * n_C**2 * (n_H * n_W) ** 2))
    return Reference(alpha * J_content, tuple(beta * lambda_l * J for J in J_style))


def neural_style(F: Maps, P: Maps, A: Maps, x: Array, by_eye: StylizeConfig) -> Reference:
    """jcjohnson's modules: MSECriterion is a mean, a Gram matrix is over nElement = C M, TV is on 0..255.

    C is the full network's, for which the preset's numbers are made, however many F has. (Its TV module
    has only a gradient, that of half the squares, without the last row and column; here these count.)
    """
    content = 5.0 * np.mean((F["block4_conv2"] - P["block4_conv2"]) ** 2)
    style = []
    for layer, C in zip(STYLE_LAYERS, FULL, strict=True):
        M, M_a = positions(F[layer]), positions(A[layer])
        style.append(float(100.0 * np.mean((gram(F[layer]) / (C * M) - gram(A[layer]) / (C * M_a)) ** 2)))
    return Reference(float(content), tuple(style), 1e-3 * 0.5 * squared_differences(255.0 * x))


def relative(F: Maps, P: Maps, A: Maps, x: Array, by_eye: StylizeConfig) -> Reference:
    """This program's own: squared errors as a share of the target's squares, total variation a value.

    Style is the distance to the painting's nearest neighbours, on a position every four pixels, which are
    about as light, and mostly neighbours themselves.
    """
    target = P["block4_conv2"]
    content = ((F["block4_conv2"] - target) ** 2).sum() / (target**2).sum()
    layers = (
        "block1_conv2", "block2_conv2", "block3_conv1", "block3_conv3", "block4_conv1", "block4_conv3",
    )  # fmt: skip
    picture, photo, painting = (
        {layer: every_fourth(maps[layer], layer) for layer in layers} for maps in (F, P, A)
    )
    nearest = REFERENCES["nearest"]
    tones = fourfold(CONTENT), [fourfold(STYLE)]
    aims = nearest.aims(
        Case(picture, photo, [painting], [1.0], tones=tones, coherence=by_eye.style_coherence)
    )
    style = [by_eye.style_weight / 6.0 * nearest.distance(picture[layer], aims[layer]) for layer in layers]
    tv = by_eye.tv_weight * squared_differences(x) / x.size
    m, m_a = flatness(CONTENT.astype(np.float64)), flatness(STYLE.astype(np.float64))
    V, E = flat_differences(x, m), flat_differences(STYLE.astype(np.float64), m_a)
    flat = by_eye.flat_weight * m.mean() * max(V - E, 0.0) ** 2 / (V + E)
    return Reference(by_eye.content_weight * content, tuple(style), tv, flat)


def deep_fusion(F: Maps, P: Maps, A: Maps, x: Array, by_eye: StylizeConfig) -> Reference:
    """Root mean square differences, a fifth from each style layer, total variation a value."""
    content = np.sqrt(np.mean((F["block5_conv2"] - P["block5_conv2"]) ** 2))
    style = []
    for layer in STYLE_LAYERS:
        difference = gram(F[layer]) / positions(F[layer]) - gram(A[layer]) / positions(A[layer])
        style.append(by_eye.style_weight / 5.0 * np.sqrt(np.mean(difference**2)))
    tv = by_eye.tv_weight * squared_differences(x) / x.size
    return Reference(by_eye.content_weight * float(content), tuple(style), tv)


@dataclass(frozen=True)
class System:
    """A system's formulas and its network: the pooling, and whether filters are brought to a mean of 1."""

    formulas: Callable[..., Reference]
    pooling: str = "max"
    normalised: bool = False


SYSTEMS = {
    "classroom": System(classroom, normalised=True),
    "coursera": System(coursera, "average"),
    "deep-fusion": System(deep_fusion, normalised=True),
    "default": System(relative),
    "fine": System(relative),
    "gatys": System(gatys, "average", normalised=True),
    "neural-style": System(neural_style),
    "preview": System(relative),
    "video": System(neural_style),
}


# --- the comparison -----------------------------------------------------------------------------------------


@cache
def network(widths: tuple[int, ...]) -> Weights:
    """Random weights of the fourteen layers up to block5_conv2, of a seed with which every layer counts."""
    return tiny_weights(14, widths, seed=3)


@cache
def activations(widths: tuple[int, ...], pooling: str, same_size: bool) -> tuple[Maps, Maps, Maps]:
    """F, P and A."""
    F, P, A = (forward(network(widths).layers, x, pooling) for x in (PICTURE, CONTENT, style(same_size)))
    return F, P, A


def style(same_size: bool) -> NDArray[np.float32]:
    return STYLE_OF_SAME_SIZE if same_size else STYLE


def scales(A: Maps) -> dict[str, Array]:
    """What normalising divides each filter by: its mean over the style, if over 0.2 of the layer's mean."""
    means = {layer: value.mean(axis=(0, 1)) for layer, value in A.items()}
    return {
        layer: np.where(mean > 0.2 * mean.mean(), mean, 0.2 * mean.mean()) for layer, mean in means.items()
    }


def engine_config(preset: str) -> StylizeConfig:
    return build_settings("image", read_preset(preset))[0]


def compare(preset: str, widths: tuple[int, ...], *, same_size: bool = False) -> None:
    """The engine's losses against the formulas, each term and the total; no term, no layer may hide."""
    config, system = engine_config(preset), SYSTEMS[preset]
    maps: tuple[Any, Any, Any] = activations(widths, system.pooling, same_size)
    if system.normalised:  # ReLU and pooling pass positive factors on: dividing the weights divides these.
        s = scales(maps[2])
        F, P, A = ({layer: value / s[layer] for layer, value in one.items()} for one in maps)
    else:
        F, P, A = maps
    expected = system.formulas(F, P, A, PICTURE.astype(np.float64), config)
    assert min(expected.style) > 0.002 * sum(expected.style)  # twenty times the tolerance
    assert min(expected.terms().values()) > 0.0
    found = Stylizer(config, [style(same_size)], network(widths)).losses(PICTURE, CONTENT)
    assert found == pytest.approx(expected.terms(), rel=1e-4, abs=0.0)


@pytest.mark.parametrize("preset", preset_names())
def test_losses_are_those_of_the_systems_formulas(preset: str) -> None:
    compare(preset, TINY)


@pytest.mark.parametrize("preset", ["gatys", "classroom", "coursera"])
def test_losses_with_a_style_of_the_pictures_size_to_the_letter(preset: str) -> None:
    """Eq. 4's 1/(4 N^2 M^2) of Gram matrices divided by nothing."""
    compare(preset, TINY, same_size=True)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["neural-style", "video"])
def test_losses_of_neural_style_on_a_network_as_wide_as_its_own(preset: str) -> None:
    """Here C is the number of filters there are: nothing of its formula is adapted to a narrow network."""
    assert [activations(FULL, "max", False)[0][layer].shape[-1] for layer in STYLE_LAYERS] == list(FULL)
    compare(preset, FULL)


def test_normalising_meets_loud_and_quiet_filters() -> None:
    """Else the comparison would not see the floor under the means."""
    for pooling in ("max", "average"):
        A = activations(TINY, pooling, False)[2]
        floored = {layer: scales(A)[layer] > A[layer].mean(axis=(0, 1)) for layer in A}
        assert all(scale.min() > 0.0 for scale in scales(A).values())
        assert any(one.any() for one in floored.values())
        assert not any(one.all() for one in floored.values())


# --- the presets' own numbers -------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["neural-style", "video"])
def test_constants_of_neural_style_are_exact(preset: str) -> None:
    """w_l / (4 C^2) sum (G/M - A/M_a)^2 is mean (G/(C M) - A/(C M_a))^2, that is 1/C^4 of the same sum."""
    config = engine_config(preset)
    assert [w / (4 * C**2) for w, C in zip(config.style_layer_weights, FULL, strict=True)] == [
        1 / C**4 for C in FULL
    ]
    assert config.content_weight / 4 == 5.0
    assert config.tv_weight == pytest.approx(1e-3 * 255**2 / 2, rel=1e-12)


# Noise uniform in [-a, a] has the standard deviation a / sqrt(3).
PUBLISHED = {
    ("gatys", "noise_amplitude"): np.sqrt(3) / 255,
    ("neural-style", "noise_amplitude"): np.sqrt(3) * 0.001 / 255,
    ("video", "noise_amplitude"): np.sqrt(3) * 0.001 / 255,
    ("coursera", "noise_amplitude"): 20 / 255,
    ("coursera", "learning_rate"): 2 / 255,
}


@pytest.mark.parametrize(("preset", "key"), PUBLISHED)
def test_numbers_on_the_scale_of_255_are_brought_to_ours(preset: str, key: str) -> None:
    assert getattr(engine_config(preset), key) == pytest.approx(PUBLISHED[preset, key], rel=0.01)


@pytest.mark.parametrize("preset", preset_names())
def test_every_setting_of_a_preset_says_why_on_its_line(preset: str) -> None:
    """One comment a number; names of formulas and of layers speak for themselves."""
    lines = [line for line in preset_text(preset).splitlines() if line.strip() and not line.startswith("#")]
    commented: set[str] = set()
    bare: set[str] = set()
    for line in lines:
        setting, _, comment = line.partition("#")
        (commented if comment.strip() else bare).update(tomllib.loads(setting))
    assert commented | bare == set(read_preset(preset))
    assert bare <= {"normalization", "content_layers", "style_layers"}
