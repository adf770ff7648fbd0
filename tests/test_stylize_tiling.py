"""Windows give the loss and the gradient of the whole picture."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tiny_encoder import random_picture, tiny_config, tiny_weights

from stylize import tiling
from stylize.backbone import Vgg19
from stylize.config import StylizeConfig
from stylize.objective import build_objective
from stylize.stylizer import Stylizer

pytestmark = pytest.mark.usefixtures("uncompiled")

LAYERS = ("block1_conv1", "block3_conv2")


def value_and_gradient(stylizer: Stylizer, picture: Any, targets: Any) -> tuple[np.ndarray, np.ndarray]:
    minimizer = stylizer.evaluator.minimizer(*picture.shape[:2])
    terms = minimizer.start(tf.constant(picture[None]), targets)
    return terms.numpy(), minimizer.gradient.numpy()


def config_of(normalization: str = "relative", **more: Any) -> StylizeConfig:
    return tiny_config(
        normalization=normalization, content_layers=("block3_conv1",), tv_weight=1.0,
        style_layers=("block1_conv1", "block2_conv1", "block3_conv2"), **more,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("normalization", ["relative", "gatys", "coursera", "rms"])
def test_windows_equal_the_whole(normalization: str) -> None:
    height, width = 70, 203
    config = config_of(normalization, pooling="average" if normalization == "gatys" else "max")
    content, style, picture = (random_picture(height, width, seed) for seed in range(3))
    found = []
    for memory in (None, 1):
        stylizer = Stylizer(config, [style], tiny_weights(6), memory=memory)
        targets = stylizer.targets(content)
        found.append(value_and_gradient(stylizer, picture, targets))
    (whole, whole_gradient), (tiled, tiled_gradient) = found
    assert (
        tiling.TiledNetwork(
            stylizer.backbone, stylizer.objective, height, width, 4 * tiling.reach(LAYERS)
        ).count
        > 1
    )
    np.testing.assert_allclose(tiled, whole, rtol=1e-5)
    error = np.linalg.norm(tiled_gradient - whole_gradient) / np.linalg.norm(whole_gradient)
    assert error < 1e-4


def test_reach_is_how_far_a_pixel_is_seen() -> None:
    network = Vgg19(tiny_weights(6))
    picture = random_picture(128, 128)
    before = network.activations(picture[None], ["block3_conv2"])["block3_conv2"].numpy()
    changed = picture.copy()
    changed[64, 64] = 1.0 - changed[64, 64]
    after = network.activations(changed[None], ["block3_conv2"])["block3_conv2"].numpy()
    rows = np.flatnonzero(np.abs(after - before).max(axis=(0, 2, 3)))
    assert 64 - 4 * rows.min() <= tiling.reach(["block3_conv2"])
    assert 4 * rows.max() + 3 - 64 <= tiling.reach(["block3_conv2"])
    assert tiling.reach(["image"]) == 0


@pytest.mark.parametrize(("length", "size"), [(100, 32), (64, 64), (65, 32), (31, 8), (16, 8), (3840, 800)])
def test_cores_cut_a_length(length: int, size: int) -> None:
    parts = tiling.cores(length, size, 16)
    assert parts[0][0] == 0 and parts[-1][1] == length
    assert all(end == start for (_, end), (start, _) in pairwise(parts))
    assert all(start % 16 == 0 for start, _ in parts)
    assert all(end - start >= 16 for start, end in parts)


def test_a_window_holds_its_core_and_what_that_sees() -> None:
    table = tiling.windows(300, 500, 160, LAYERS)
    margin = tiling.reach(LAYERS)
    covered = np.zeros((300, 500), int)
    for top, bottom, left, right, y0, y1, x0, x1 in table:
        covered[y0:y1, x0:x1] += 1
        assert (top == 0 or y0 - top >= margin) and (bottom == 300 or bottom - y1 >= margin)
        assert (left == 0 or x0 - left >= margin) and (right == 500 or right - x1 >= margin)
        assert top % 4 == left % 4 == 0
    assert np.all(covered == 1)


def test_memory_decides() -> None:
    network, layers = Vgg19(tiny_weights(6)), build_objective(config_of()).layers
    need = tiling.memory_of(network, layers, 400, 400, history=5)
    assert tiling.largest_window(network, layers, 400, 400, need, 5) is None
    sides = [
        tiling.largest_window(network, layers, 400, 400, int(share * need), 5) for share in (0.99, 0.9, 0.0)
    ]
    found = [side for side in sides if side is not None]
    assert found == sides == sorted(found, reverse=True)
    assert sides[-1] == 4 * tiling.reach(layers)


def test_taps_take_memory_where_layers_are_read() -> None:
    plain = tiny_weights(6)
    width = plain.layers["block1_conv2"][1].size
    tapped = Vgg19(replace(plain, taps={"block1_conv2": np.eye(width, dtype=np.float32)}))
    for layer, more in (("block1_conv2", 4 * width * 100 * 100), ("block2_conv1", 0)):
        without = tiling.memory_of(Vgg19(plain), [layer], 100, 100)
        assert tiling.memory_of(tapped, [layer], 100, 100) - without == pytest.approx(more, abs=2)


@pytest.mark.slow
@pytest.mark.usefixtures("compiled")
def test_an_optimisation_in_windows_comes_to_the_same_picture() -> None:
    config = config_of(iterations=4)
    content, style = random_picture(96, 120, 0), random_picture(90, 90, 1)
    whole, tiled = (
        Stylizer(config, [style], tiny_weights(6), memory=memory).stylize(content) for memory in (None, 1)
    )
    assert tiled.losses["total"] == pytest.approx(whole.losses["total"], rel=1e-3)
    assert np.abs(tiled.picture - whole.picture).mean() < 2e-3
