"""Half-painted pictures and the directions that the teacher gives at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy_vgg import forward
from slim_lessons import (
    SIDE,
    assert_same,
    byte_pictures,
    few,
    made_up,
)
from tiny_encoder import TINY_LAYERS, tiny_weights

from scripts.slim.training import painted
from scripts.slim.training.painted import Painted, bands, gradients, paint, unit
from stylize.backbone import Vgg19

pytestmark = pytest.mark.usefixtures("uncompiled")

NO_METRICS: Mapping[str, Any] = dict.fromkeys(TINY_LAYERS)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Vgg19:
    """A teacher of three layers, which are all that is looked at."""
    monkeypatch.setattr(painted, "LAYERS_READ", TINY_LAYERS)
    return Vgg19(tiny_weights())


def three(count: int = 2) -> tuple[tf.Tensor, ...]:
    """Pictures, contents and styles."""
    return tuple(tf.constant(byte_pictures(count, seed)) for seed in (1, 2, 3))


def reference_losses(picture: np.ndarray, content: np.ndarray, style: np.ndarray) -> tuple[float, float]:
    """Style and content loss of one picture in NumPy, each layer's relative to the target's own square."""
    found, kept, wanted = (forward(tiny_weights().layers, part) for part in (picture, content, style))
    losses = [0.0, 0.0]
    for layer in TINY_LAYERS:
        gram, target = (np.einsum("hwc,hwd->cd", part[layer], part[layer]) for part in (found, wanted))
        places = [part[layer].shape[0] * part[layer].shape[1] for part in (found, wanted)]
        gram, target = gram / places[0], target / places[1]
        losses[0] += np.sum((gram - target) ** 2) / np.sum(target**2)
        losses[1] += np.sum((found[layer] - kept[layer]) ** 2) / np.sum(kept[layer] ** 2)
    return losses[0], losses[1]


def test_gradients_are_those_of_differences_in_numpy(tiny: Vgg19) -> None:
    """Along some directions, each picture's by itself."""
    parts = three()
    found = [part.numpy() for part in gradients(tiny.activations, NO_METRICS, *parts)]
    assert [part.shape for part in found] == [(2, SIDE, SIDE, 3)] * 2
    random = np.random.default_rng(0)
    for number in range(2):
        picture, content, style = (part[number].numpy() / 255.0 for part in parts)
        for _ in range(3):
            step = random.normal(size=picture.shape) * 1e-6
            ahead, behind = (reference_losses(picture + sign * step, content, style) for sign in (1.0, -1.0))
            for gradient, high, low in zip(found, ahead, behind, strict=True):
                assert np.sum(gradient[number] * step) == pytest.approx((high - low) / 2.0, rel=1e-3)


def test_gradients_by_a_metric_are_those_of_mapped_activations(tiny: Vgg19) -> None:
    random = np.random.default_rng(0)
    maps = {layer: random.normal(size=(tiny.width_of(layer), 6)).astype(np.float32) for layer in TINY_LAYERS}
    metrics = {layer: tf.constant(linear @ linear.T) for layer, linear in maps.items()}

    def mapped(pictures: tf.Tensor, layers: Sequence[str]) -> dict[str, tf.Tensor]:
        return {layer: value @ maps[layer] for layer, value in tiny.activations(pictures, layers).items()}

    found = gradients(tiny.activations, metrics, *three())
    expected = gradients(mapped, NO_METRICS, *three())
    plain = gradients(tiny.activations, NO_METRICS, *three())
    for one, other, without in zip(found, expected, plain, strict=True):
        assert_same(one, other, 1e-3)
        assert np.abs(one - without).max() > 0.1 * np.abs(one).max()


def test_directions_have_the_mean_square_one_and_nothing_has_none() -> None:
    given = np.random.default_rng(0).normal(size=(3, 4, 4, 3)).astype(np.float32) * 1e-5
    given[1] = 0.0
    found = unit(tf.constant(given)).numpy()
    np.testing.assert_allclose(np.mean(found**2, axis=(1, 2, 3)), [1.0, 0.0, 1.0], rtol=1e-5)
    assert_same(found[0] / found[0].max(), given[0] / given[0].max())


def test_bands_add_up_and_each_has_its_own() -> None:
    """A grey board goes to the brightness of its octave, one in red and green to the colour."""
    rows, columns = np.indices((16, 16))
    boards = [(rows + columns) % 2, (rows // 2 + columns // 2) % 2, (rows // 4) % 2]
    tints = [np.array([1.0, 1.0, 1.0]), np.array([1.0, -1.0, 0.0])]
    given = [board[..., None] * 2.0 - 1.0 for board in boards]
    for place, picture in enumerate(board * tint for tint in tints for board in given):
        found = bands(tf.constant(picture[None], tf.float32))
        energy = [float(tf.reduce_mean(tf.square(band))) for band in found]
        assert np.argmax(energy) == place
        assert sorted(energy)[-2] < 1e-6
    noise = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype(np.float32)
    whole = np.zeros_like(noise)
    for place, band in enumerate(bands(tf.constant(noise))):
        times = 2 ** (place % 3)
        whole += np.repeat(np.repeat(band, times, axis=1), times, axis=2)
    np.testing.assert_allclose(whole, noise, atol=1e-5)


def loss_of(found: Painted, row: int, kind: int) -> float:
    parts = (found.pictures, found.contents, found.styles)
    return reference_losses(*(part[row] / 255.0 for part in parts))[kind]


def test_painting_goes_from_the_content_to_the_style(
    tiny: Vgg19, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every iterate is kept with the directions at it; at the content itself the content has none."""
    few(monkeypatch, steps=6, noisy=0.0)
    paint(tmp_path / "new" / "painted", tiny, list(byte_pictures(3, 5, 24)), count=1, side=SIDE, seed=0)
    assert [path.name for path in (tmp_path / "new" / "painted").iterdir()] == ["painted-0000.npz"]
    found = Painted.read(tmp_path / "new" / "painted")
    assert [getattr(found, name).shape for name in Painted.NAMES] == [(12, SIDE, SIDE, 3)] * 5
    kinds = [str(getattr(found, name).dtype) for name in Painted.NAMES]
    assert kinds == ["uint8"] * 3 + ["float16"] * 2
    np.testing.assert_array_equal(found.pictures[:2], found.contents[:2])
    for name in ("contents", "styles"):
        values = getattr(found, name)
        assert all((values[2 * step : 2 * step + 2] == values[:2]).all() for step in range(6))
    assert (found.contents[0] != found.contents[1]).any()
    for row in (0, 1):
        assert loss_of(found, 10 + row, 0) < 0.7 * loss_of(found, row, 0)
        assert loss_of(found, 10 + row, 1) > loss_of(found, row, 1) == 0.0
    parts = (tf.constant(part) for part in (found.pictures, found.contents, found.styles))
    style, content = gradients(tiny.activations, NO_METRICS, *parts)
    assert_same(found.toward_style.astype(np.float32), unit(style).numpy(), 2e-3)
    assert_same(found.toward_content[2:].astype(np.float32), unit(content[2:]).numpy(), 2e-3)
    np.testing.assert_array_equal(found.toward_content[:2], np.zeros((2, SIDE, SIDE, 3)))


def test_painting_from_noise_goes_to_the_content_too(
    tiny: Vgg19, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch, steps=6, noisy=1.0)
    monkeypatch.setattr(painted, "STYLE_WEIGHT", 0.0)
    paint(tmp_path, tiny, list(byte_pictures(3, 5, 24)), count=12, side=SIDE, seed=0)
    found = Painted.read(tmp_path)
    assert 50 <= found.pictures[:2].min() < 60
    assert 195 < found.pictures[:2].max() <= 204
    for row in (0, 1):
        assert loss_of(found, 10 + row, 1) < 0.8 * loss_of(found, row, 1)


def test_painting_follows_another_network_and_asks_the_teacher(
    tiny: Vgg19, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Down the other's loss, further than the teacher's own course; the directions are the teacher's."""
    few(monkeypatch, steps=4, noisy=0.0)
    other = replace(tiny_weights(seed=5), sha256="0123456789abcdef")
    settings: dict[str, Any] = {"count": 8, "side": SIDE, "seed": 0, "followed": other}
    paint(tmp_path, tiny, list(byte_pictures(3, 5, 24)), **settings)
    assert [path.name for path in tmp_path.iterdir()] == ["followed-01234567-0000.npz"]
    found = Painted.read(tmp_path)
    assert len(found.pictures) == 8
    parts = [tf.constant(part) for part in (found.pictures, found.contents, found.styles)]
    style, content = gradients(tiny.activations, NO_METRICS, *parts)
    assert_same(found.toward_style.astype(np.float32), unit(style).numpy(), 2e-3)
    assert_same(found.toward_content.astype(np.float32), unit(content).numpy(), 2e-3)
    mine = gradients(Vgg19(other).activations, NO_METRICS, *parts)[0].numpy()
    start = gradients(Vgg19(other).activations, NO_METRICS, parts[1], parts[1], parts[2])[0].numpy()
    for row in (0, 1):
        moved = found.pictures[6 + row] / 255.0 - found.contents[row] / 255.0
        assert np.sum(moved * start[row]) < 0.0
        assert np.abs(found.pictures[row] / 255.0 - found.contents[row] / 255.0).max() > 0.015
        assert np.linalg.norm(mine[6 + row]) > 0.0
    paint(tmp_path, tiny, list(byte_pictures(3, 5, 24)), **{**settings, "followed": None})
    assert len(Painted.read(tmp_path).pictures) == 16
    assert len(Painted.read(tmp_path, "painted").pictures) == 8


def test_painting_goes_on_with_the_parts_there_are(
    tiny: Vgg19, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch, steps=2, noisy=0.5)
    settings: dict[str, Any] = {"side": SIDE, "seed": 3}
    pictures = list(byte_pictures(3, 5, 24))
    paint(tmp_path, tiny, pictures, count=9, **settings)
    names = [f"painted-{number:04}.npz" for number in range(4)]
    assert sorted(path.name for path in tmp_path.iterdir()) == names[:3]
    whole = Painted.read(tmp_path)
    assert len(np.unique(whole.styles.reshape(12, -1), axis=0)) == 6
    nobody: Any = None
    paint(tmp_path, nobody, [], count=12, **settings)
    (tmp_path / names[1]).unlink()
    kept = (tmp_path / names[0]).stat().st_mtime_ns
    paint(tmp_path, tiny, pictures, count=13, **settings)
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert (tmp_path / names[0]).stat().st_mtime_ns == kept
    longer = Painted.read(tmp_path)
    for name in Painted.NAMES:
        assert len(getattr(longer, name)) == 16
        np.testing.assert_array_equal(getattr(longer, name)[:12], getattr(whole, name))


def test_drawn_parts_belong_together() -> None:
    found = made_up(5, 4)
    rng, seen = np.random.default_rng(0), set()
    for _ in range(8):
        drawn = [part.numpy() for part in found.draw(3, rng)]
        rows = [next(row for row in range(5) if (found.pictures[row] == one).all()) for one in drawn[0]]
        assert len(set(rows)) == 3
        seen |= set(rows)
        for name, part in zip(Painted.NAMES, drawn, strict=True):
            np.testing.assert_array_equal(part, getattr(found, name)[rows])
            assert part.dtype == getattr(found, name).dtype
    assert seen == set(range(5))
