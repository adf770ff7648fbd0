"""The training of vgg19-slim: pictures, teachers, bank, student, linear maps, measures, and a short run."""

from __future__ import annotations

import csv
import importlib.util
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy_vgg import convolve, pool, preprocess
from tiny_encoder import random_picture, tiny_weights

from scripts.slim import train
from scripts.slim.training.bank import Bank, places_kept
from scripts.slim.training.curves import Curves
from scripts.slim.training.linear_maps import LinearMap
from scripts.slim.training.measure import Moments, explained_variance
from scripts.slim.training.pictures import LONGEST_SIDE, hold_back, random_crop, read_pictures
from scripts.slim.training.student import Forger, Student, rescaled, save_arrays
from scripts.slim.training.teachers import (
    SLIM_LAYERS,
    Compressed16x,
    lesson_targets,
    plan_lessons,
    read_teacher,
)
from stylize.backbone import IMAGENET_MEAN, Vgg19
from stylize.errors import WeightsError
from stylize.weights import LAYERS, WIDTHS, Weights, verify
from video.images import from_uint8, write_image

# --- the student --------------------------------------------------------------------------------------------


def uneven_student(seed: int = 0) -> Student:
    """A student whose normalisations all do something, as after training."""
    random, student = np.random.default_rng(seed), Student(seed)
    for gamma, beta, mean, variance in zip(
        student.gammas, student.betas, student.means, student.variances, strict=True
    ):
        width = gamma.shape[0]
        gamma.assign(random.uniform(0.5, 1.5, width) * random.choice([-1.0, 1.0], width))
        beta.assign(random.normal(0.3, 0.3, width))
        mean.assign(random.normal(0.0, 0.3, width))
        variance.assign(random.uniform(0.5, 2.0, width))
    return student


def network(arrays: Mapping[str, np.ndarray]) -> Vgg19:
    layers = {layer: (arrays[f"{layer}/kernel"], arrays[f"{layer}/bias"]) for layer in SLIM_LAYERS}
    return Vgg19(Weights("custom", "test", "", layers))


def images(count: int = 2, side: int = 32) -> tf.Tensor:
    return tf.constant(np.stack([random_picture(side, side, seed) for seed in range(count)]))


def assert_same(found: tf.Tensor, expected: tf.Tensor, tolerance: float = 1e-4) -> None:
    """To `tolerance` of the largest value; and there is something to compare."""
    largest = float(np.abs(expected).max())
    assert np.std(expected) > 1e-2 * largest > 0.0
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * largest)


def test_folded_arrays_compute_what_the_student_does() -> None:
    student, pictures = uneven_student(), images()
    expected = student.activations(pictures, training=False)
    found = network(student.folded()).activations(pictures, SLIM_LAYERS)
    for layer in SLIM_LAYERS:
        assert_same(found[layer], expected[layer])


def test_rescaled_multiplies_channels_and_nothing_else() -> None:
    student, pictures, random = uneven_student(), images(), np.random.default_rng(1)
    arrays = student.folded()
    widths = {layer: arrays[f"{layer}/bias"].size for layer in SLIM_LAYERS}
    factors = {layer: random.uniform(0.2, 5.0, width) for layer, width in widths.items()}
    before = network(arrays).activations(pictures, SLIM_LAYERS)
    after = network(rescaled(arrays, factors)).activations(pictures, SLIM_LAYERS)
    for layer in SLIM_LAYERS:
        assert_same(after[layer], before[layer] * factors[layer].astype(np.float32))


def test_training_normalises_by_the_batch_and_remembers_it() -> None:
    student, pictures = Student(0), images(4)
    found = student.activations(pictures, training=True)["block1_conv1"].numpy()
    plain = tf.nn.conv2d((pictures * 255.0 - IMAGENET_MEAN)[..., ::-1] / 64.0, student.kernels[0], 1, "SAME")
    mean, variance = np.mean(plain, (0, 1, 2)), np.var(plain, (0, 1, 2))
    assert_same(found, np.maximum((plain - mean) / np.sqrt(variance + 1e-4), 0.0), 1e-3)
    np.testing.assert_allclose(student.means[0], 0.01 * mean, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(student.variances[0], 0.99 + 0.01 * variance, rtol=1e-3)


def test_saved_arrays_are_vgg19_slim(tmp_path: Path) -> None:
    arrays = uneven_student().folded()
    save_arrays(tmp_path / "new" / "slim.npz", arrays)
    weights = verify(tmp_path / "new" / "slim.npz")
    assert weights.name == "vgg19-slim"
    assert tuple(weights.layers) == SLIM_LAYERS
    for layer, (kernel, bias) in weights.layers.items():
        np.testing.assert_array_equal(kernel, arrays[f"{layer}/kernel"])
        np.testing.assert_array_equal(bias, arrays[f"{layer}/bias"])
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["slim.npz"]


def gram(student: Student, pictures: tf.Tensor) -> np.ndarray:
    found = student.activations(pictures, training=False)["block1_conv1"].numpy()
    return np.einsum("nhwc,nhwd->ncd", found, found)


@pytest.mark.slow
def test_forged_pictures_approach_the_style() -> None:
    student, contents = uneven_student(), images(1)
    styles = tf.reverse(contents, [-1]) ** 2.0
    forged = Forger(student, steps=6)._forge(contents, styles)
    assert forged.shape == contents.shape
    assert np.min(forged) >= 0.0 and np.max(forged) <= 1.0
    wanted = gram(student, styles)
    before, after = (np.linalg.norm(gram(student, value) - wanted) for value in (contents, forged))
    assert after < 0.8 * before


# --- measures and maps --------------------------------------------------------------------------------------


def samples(count: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Five features, and four targets that they explain in part; neither about zero."""
    random = np.random.default_rng(seed)
    features = random.normal(2.0, 1.0, (count, 5))
    linear = np.random.default_rng(99).normal(size=(5, 4))
    return features, features @ linear + random.normal(3.0, 1.5, (count, 4))


def moments_of(features: np.ndarray, targets: np.ndarray) -> Moments:
    moments = Moments()
    for part in (slice(0, 70), slice(70, None)):
        moments.add(features[part], targets[part])
    return moments


def test_best_map_is_that_of_least_squares() -> None:
    features, targets = samples()
    design = np.column_stack([np.ones(len(features)), features])
    expected = np.linalg.lstsq(design, targets, rcond=None)[0]
    moments = moments_of(features, targets)
    assert moments.count == len(features)
    np.testing.assert_allclose(moments.best_map(), expected, rtol=1e-5, atol=1e-5)


def test_explained_share_on_own_and_on_other_samples() -> None:
    linear = moments_of(*samples()).best_map()
    for seed in (0, 1):
        features, targets = samples(seed=seed)
        residual = targets - features @ linear[1:] - linear[0]
        expected = 1.0 - np.sum(residual**2) / np.sum((targets - targets.mean(0)) ** 2)
        assert 0.2 < expected < 0.95
        assert moments_of(features, targets).explained(linear) == pytest.approx(expected, abs=1e-9)


def test_bound_is_that_of_principal_components() -> None:
    features, targets = samples()
    squares = np.linalg.svd(targets - targets.mean(0), compute_uv=False) ** 2
    moments = moments_of(features, targets)
    for rank in (1, 2, 4):
        assert moments.bound(rank) == pytest.approx(squares[:rank].sum() / squares.sum())


def test_features_that_the_targets_are_made_of_count_more() -> None:
    features = np.random.default_rng(0).normal(1.0, 1.0, (500, 2))
    weights = moments_of(features, features[:, :1] * [3.0, 4.0]).weights_of_features()
    assert weights[0] == pytest.approx(5.0, rel=0.05)
    assert weights[1] < 0.05 * weights[0]


def test_weights_do_not_depend_on_the_unit_of_the_other_features() -> None:
    features, targets = samples()
    plain = moments_of(features, targets).weights_of_features()
    units = np.array([1.0, 100.0, 0.01, 1.0, 10.0])
    np.testing.assert_allclose(
        moments_of(features * units, targets).weights_of_features() * units, plain, rtol=1e-3
    )


def test_two_features_that_say_the_same_share_the_weight() -> None:
    random = np.random.default_rng(0)
    value = random.normal(1.0, 1.0, (500, 1))
    twins = np.concatenate([value, value + random.normal(0.0, 1e-6, value.shape)], axis=1)
    weights = moments_of(twins, 2.0 * value + random.normal(0.0, 1e-3, value.shape)).weights_of_features()
    np.testing.assert_allclose(weights, [1.0, 1.0], rtol=0.05)


def test_explained_variance_of_whole_and_crosswise() -> None:
    random = np.random.default_rng(0)
    pictures = [random.random((6, 6, 3)).astype(np.float32) for _ in range(2)]

    def student(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"exact": image, "noise": tf.constant(random.random((1, 6, 6, 10)))}

    def targets(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"exact": image @ tf.constant([[1.0, 2.0], [0.0, 3.0], [4.0, 1.0]]) + 5.0, "noise": image}

    found = explained_variance(student, targets, pictures)
    assert found["exact"] == pytest.approx((1.0, 1.0), abs=1e-5)
    whole, crossed = found["noise"]
    assert 0.0 < whole < 0.5
    assert crossed < 0.0


def crops_of_features(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(1.0, 1.0, (3, 60, 6)).astype(np.float32)


def test_an_exact_linear_lesson_is_found_at_once() -> None:
    linear = np.random.default_rng(9).normal(size=(6, 4)).astype(np.float32)
    found = LinearMap(6, 4, samples_per_step=180)
    for seed in range(4):
        features = crops_of_features(seed)
        share, gram_error = found.losses(tf.constant(features), tf.constant(features @ linear + 2.0))
    assert 0.0 <= float(share) < 1e-2
    assert 0.0 <= float(gram_error) < 1e-2


def test_gradient_is_that_of_the_unexplained_variance() -> None:
    """Through a map fitted anew for each set of features, though the gradient takes it for a constant."""
    features, targets = tf.constant(crops_of_features(0)), tf.constant(crops_of_features(1)[..., :4])

    def unexplained(values: tf.Tensor) -> tf.Tensor:
        return LinearMap(6, 4, samples_per_step=180).losses(values, targets)[0]

    with tf.GradientTape() as tape:
        tape.watch(features)
        share = unexplained(features)
    gradient = tape.gradient(share, features)
    assert float(share) > 0.5
    length = float(tf.norm(gradient))
    assert length > 1e-3
    step = 0.5 * gradient / length
    ahead, behind = float(unexplained(features + step)), float(unexplained(features - step))
    assert behind < float(share) < ahead
    assert ahead - behind == pytest.approx(length, rel=0.05)


# --- pictures -----------------------------------------------------------------------------------------------


def named(count: int) -> dict[str, np.ndarray]:
    return {f"{number:02}": np.full((4, 4, 3), number, np.uint8) for number in range(count)}


def test_pictures_held_back_are_spread_and_repeatable() -> None:
    training, kept = hold_back(named(20), 5, seed=7)
    assert [int(name) // 4 for name in kept] == [0, 1, 2, 3, 4]
    assert len(training) == 15
    assert sorted([*training, *kept]) == list(named(20))
    assert all(value[0, 0, 0] == int(name) for name, value in {**training, **kept}.items())
    assert list(hold_back(named(20), 5, seed=7)[1]) == list(kept)
    assert len({tuple(hold_back(named(20), 5, seed=seed)[1]) for seed in range(5)}) > 1


def test_not_all_pictures_can_be_held_back() -> None:
    assert len(hold_back(named(4), 3, seed=0)[0]) == 1
    with pytest.raises(SystemExit, match="cannot hold back 4 of 4"):
        hold_back(named(4), 4, seed=0)


def photo_folder(folder: Path, count: int = 3, height: int = 40, width: int = 48) -> Path:
    folder.mkdir()
    for number in range(count):
        picture = (random_picture(height, width, seed=number) * 255.0).astype(np.uint8)
        write_image(folder / f"{number}.png", from_uint8(picture))
    return folder


def test_folder_and_zip_hold_the_same_pictures(tmp_path: Path) -> None:
    folder = photo_folder(tmp_path / "photos")
    photo_folder(folder / "deep", 1, 70, 2 * LONGEST_SIDE)
    photo_folder(folder / "small", 1, 31, 60)
    (folder / "notes.txt").write_text("no picture")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in reversed(sorted(folder.rglob("*.*"))):
            archive.write(path, path.relative_to(folder))
    unpacked = read_pictures([folder], smallest=32)
    zipped = read_pictures([tmp_path / "photos.zip"], smallest=32)
    names = ["0.png", "1.png", "2.png", "deep/0.png"]
    assert list(unpacked) == [f"photos/{name}" for name in names]
    assert list(zipped) == [f"photos.zip/{name}" for name in names]
    for one, other in zip(unpacked.values(), zipped.values(), strict=True):
        np.testing.assert_array_equal(one, other)
    shapes = [picture.shape for picture in unpacked.values()]
    assert shapes == [(40, 48, 3)] * 3 + [(35, LONGEST_SIDE, 3)]
    assert len(read_pictures([folder, tmp_path / "photos.zip"], smallest=32)) == 8


def test_sources_without_pictures_are_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"absent\.zip"):
        read_pictures([tmp_path / "absent.zip"], smallest=32)
    (tmp_path / "hollow").mkdir()
    with pytest.raises(SystemExit, match="hollow"):
        read_pictures([tmp_path / "hollow"], smallest=32)
    (tmp_path / "page.zip").write_text("<html>")
    with pytest.raises(SystemExit, match=r"page\.zip"):
        read_pictures([tmp_path / "page.zip"], smallest=32)
    (tmp_path / "hollow" / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(SystemExit, match=r"broken\.jpg"):
        read_pictures([tmp_path / "hollow"], smallest=32)


def test_crops_are_squares_and_repeatable() -> None:
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, shape, np.uint8) for shape in ((32, 50, 3), (90, 40, 3))]

    def crops(seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return np.stack([random_crop(pictures, 32, rng) for _ in range(12)])

    assert crops(1).shape == (12, 32, 32, 3)
    assert crops(1).dtype == np.uint8
    np.testing.assert_array_equal(crops(1), crops(1))
    assert (crops(1) != crops(2)).mean() > 0.5


def test_crops_come_from_every_picture_mostly_in_its_colours() -> None:
    pictures = [np.full((40, 40, 3), colour, np.uint8) for colour in ((10, 200, 90), (250, 30, 60))]
    rng = np.random.default_rng(0)
    crops = [random_crop(pictures, 32, rng) for _ in range(120)]
    plain = [[(crop == picture[0, 0]).all() for crop in crops] for picture in pictures]
    for number in range(2):
        assert 0.2 < np.mean(plain[number]) < 0.5
    recoloured = np.mean([crop.std((0, 1)).max() == 0.0 for crop in crops]) - np.mean(plain) * 2
    noisy = np.mean([crop.std((0, 1)).max() > 0.5 for crop in crops])
    assert 0.08 < recoloured < 0.4
    assert 0.04 < noisy < 0.25


# --- teachers -----------------------------------------------------------------------------------------------


class Fake:
    """A teacher whose layers answer with a constant and the picture, at their block's size."""

    def __init__(self, layers: Sequence[str], value: float = 1.0) -> None:
        self.layers, self._value = tuple(layers), value

    def activations(self, images: tf.Tensor, layers: Sequence[str]) -> dict[str, tf.Tensor]:
        assert set(layers) <= set(self.layers)
        found = {}
        for layer in layers:
            smaller = images[:, :: 2 ** (int(layer[5]) - 1), :: 2 ** (int(layer[5]) - 1)]
            found[layer] = tf.concat([smaller, self._value * tf.ones_like(smaller)], axis=-1)
        return found


def test_first_teacher_that_has_the_layer_gives_the_lesson() -> None:
    lessons = plan_lessons([Fake(SLIM_LAYERS[:3]), Fake(SLIM_LAYERS[:5]), Fake(SLIM_LAYERS)])
    assert [lesson.layer for lesson in lessons] == list(SLIM_LAYERS)
    assert [lesson.source for lesson in lessons] == list(SLIM_LAYERS)
    assert [lesson.teacher for lesson in lessons] == [0] * 3 + [1] * 2 + [2] * 9
    assert not any(lesson.surroundings for lesson in lessons)
    weights = {lesson.layer: lesson.weight for lesson in lessons}
    assert {layer for layer in weights if weights[layer] == 1.0} == {f"block{n}_conv1" for n in range(1, 6)}
    assert weights["block1_conv2"] < weights["block4_conv2"] < 1.0


def test_last_layer_learns_the_surroundings_of_the_one_before() -> None:
    teachers = [Fake(SLIM_LAYERS[:3], 2.0), Fake(SLIM_LAYERS[:-1], 3.0)]
    lessons = plan_lessons(teachers)
    assert [lesson.layer for lesson in lessons if lesson.surroundings] == ["block5_conv2"]
    assert (lessons[-1].source, lessons[-1].teacher) == ("block5_conv1", 1)
    pictures = images(1, side=64)
    found = lesson_targets(teachers, lessons, pictures)
    assert set(found) == set(SLIM_LAYERS)
    assert found["block1_conv1"].shape == (1, 64, 64, 6)
    assert found["block1_conv1"].numpy()[0, 0, 0, 5] == 2.0
    assert found["block3_conv1"].numpy()[0, 0, 0, 5] == 3.0
    last = found["block5_conv2"].numpy()
    np.testing.assert_array_equal(last[..., :6], found["block5_conv1"])
    np.testing.assert_allclose(last[0, 1, 2, 6:9], last[0, 0:3, 1:4, :3].mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(last[0, 0, 0, 6:9], last[0, :2, :2, :3].mean((0, 1)), rtol=1e-5)


def test_a_block_without_a_teacher_is_named() -> None:
    with pytest.raises(WeightsError, match="block5_conv1"):
        plan_lessons([Fake(LAYERS[: LAYERS.index("block5_conv1")])])
    with pytest.raises(WeightsError, match="block1_conv1"):
        plan_lessons([])


TINY = tiny_weights(count=3).layers


@pytest.fixture
def compressed(tmp_path: Path) -> Path:
    """Three tiny layers in the layout of the 16x network: preprocessing as a 1x1 layer before them."""
    preprocessing = np.zeros((1, 1, 3, 3), np.float32)
    preprocessing[0, 0, [2, 1, 0], [0, 1, 2]] = 255.0
    arrays = {"input/kernel": preprocessing, "input/bias": -np.array(IMAGENET_MEAN[::-1], np.float32)}
    for layer, (kernel, bias) in TINY.items():
        arrays |= {f"{layer}/kernel": kernel, f"{layer}/bias": bias}
    np.savez(tmp_path / "16x.npz", allow_pickle=False, **arrays)
    return tmp_path / "16x.npz"


def reflecting(picture: np.ndarray) -> dict[str, np.ndarray]:
    """The tiny layers' activations in NumPy, every layer padded by reflection."""
    value, found = preprocess(picture), {}
    for layer, parameters in TINY.items():
        value = pool(value, "max") if layer == "block2_conv1" else value
        padded = np.pad(value, ((1, 1), (1, 1), (0, 0)), "reflect")
        value = found[layer] = np.maximum(convolve(padded, *parameters)[1:-1, 1:-1], 0.0)
    return found


def test_compressed_network_pads_by_reflection(compressed: Path) -> None:
    teacher, picture = read_teacher(compressed), random_picture()
    assert isinstance(teacher, Compressed16x)
    assert teacher.layers == tuple(TINY)
    found = teacher.activations(tf.constant(picture[None]), teacher.layers)
    expected = reflecting(picture)
    for layer in teacher.layers:
        assert_same(found[layer][0], expected[layer])


def test_compressed_network_is_vgg19_but_at_the_border(compressed: Path) -> None:
    teacher, pictures = Compressed16x(compressed), images(1, side=24)
    zero_padded = Vgg19(tiny_weights(count=3)).activations(pictures, tuple(TINY))
    found = teacher.activations(pictures, ["image", *TINY])
    assert found.pop("image") is pictures
    for border, layer in enumerate(TINY, start=1):
        inside = slice(border, -border) if layer != "block2_conv1" else slice(2, -2)
        assert_same(found[layer][:, inside, inside], zero_padded[layer][:, inside, inside])
        assert np.abs(found[layer] - zero_padded[layer]).max() > 1e-2 * np.max(found[layer])
    assert list(teacher.activations(pictures, ["block1_conv2"])) == ["block1_conv2"]


def test_other_files_are_read_as_vgg19s_or_refused(tmp_path: Path) -> None:
    save_arrays(tmp_path / "slim.npz", Student(0).folded())
    teacher = read_teacher(tmp_path / "slim.npz")
    assert isinstance(teacher, Vgg19)
    assert teacher.layers == SLIM_LAYERS
    with pytest.raises(WeightsError, match="absent"):
        read_teacher(tmp_path / "absent.npz")


# --- the bank -----------------------------------------------------------------------------------------------

CAPACITY = 6


def bank_of(**settings: Any) -> Bank:
    random = np.random.default_rng(5)
    pictures = [random.integers(0, 256, (40, 44, 3), np.uint8) for _ in range(3)]
    teachers = [Fake(SLIM_LAYERS[:4], 0.5), Vgg19(tiny_weights(count=13, widths=(3, 4, 4, 5, 6)))]
    given = {"capacity": CAPACITY, "side": 32, "seed": (0, 3), **settings}
    return Bank(pictures, teachers, plan_lessons(teachers), **given)


def drawn(bank: Bank, count: int) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    crops, places, answers = bank.draw(count)
    return crops.numpy(), [value.numpy() for value in places], [value.numpy() for value in answers]


def assert_answers_are_the_teachers(bank: Bank, count: int, tolerance: float = 2e-3) -> None:
    crops, places, answers = drawn(bank, count)
    pictures = tf.constant(crops, tf.float32) / 255.0
    targets = lesson_targets(bank._teachers, bank._lessons, pictures)
    for lesson, where, answer in zip(bank._lessons, places, answers, strict=True):
        target = targets[lesson.layer].numpy().reshape(count, -1, answer.shape[-1])
        expected = np.take_along_axis(target, where[..., None].astype(int), axis=1)
        np.testing.assert_allclose(answer, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())
        assert expected.std() > 0.0


@pytest.mark.slow
def test_bank_draws_crops_places_and_answers() -> None:
    bank = bank_of()
    bank.renew(4)
    assert bank.size == 4
    crops, places, answers = drawn(bank, 3)
    assert (crops.shape, crops.dtype) == ((3, 32, 32, 3), np.dtype(np.uint8))
    kept = [32, 32, 16, 16, 8, 8, 8, 8, 8, 8, 8, 8, 4, 4]
    assert [places_kept(layer, 32) for layer in SLIM_LAYERS] == kept
    assert [value.shape for value in places] == [(3, count) for count in kept]
    channels = [6] * 4 + [4] * 4 + [5] * 4 + [6, 12]
    assert [value.shape for value in answers] == [(3, *pair) for pair in zip(kept, channels, strict=True)]
    for layer, where in zip(SLIM_LAYERS, places, strict=True):
        assert (np.diff(where, axis=1) > 0).all()
        assert where.min() >= 0 and where.max() < (32 >> (int(layer[5]) - 1)) ** 2
    assert len({tuple(where) for where in places[0]}) == 3
    assert len({crop.tobytes() for crop in crops}) == 3
    with pytest.raises(ValueError, match="larger sample"):
        bank.draw(5)


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 2e-3), ("bfloat16", 0.1)])
def test_answers_are_the_teachers_at_the_places(precision: str, tolerance: float) -> None:
    bank = bank_of(precision=precision)
    for _ in range(2):
        bank.renew(4)
    assert_answers_are_the_teachers(bank, CAPACITY, tolerance)


def test_new_crops_replace_the_oldest() -> None:
    bank = bank_of()
    bank.renew(4)
    first = drawn(bank, 4)
    bank.renew(4)
    assert bank.size == CAPACITY
    second = drawn(bank, CAPACITY)
    for old, new in zip([first[0], *first[1], *first[2]], [second[0], *second[1], *second[2]], strict=True):
        np.testing.assert_array_equal(new[2:4], old[2:4])
    assert all((second[0][row] != first[0][row]).any() for row in (0, 1))
    bank.renew(2)
    third = drawn(bank, CAPACITY)[0]
    assert [bool((third[row] == second[0][row]).all()) for row in range(CAPACITY)] == [
        *(True, True),
        *(False, False),
        *(True, True),
    ]


@pytest.mark.slow
def test_banks_of_one_seed_are_the_same() -> None:
    crops = []
    for seed in ((0, 3), (0, 3), (1, 3)):
        bank = bank_of(seed=seed)
        bank.renew(3)
        crops.append(drawn(bank, 3)[0])
    np.testing.assert_array_equal(crops[0], crops[1])
    assert (crops[0] != crops[2]).any()


def test_forged_crops_are_kept_with_the_answers_to_them() -> None:
    seen = []

    def forge(contents: tf.Tensor, styles: tf.Tensor) -> tf.Tensor:
        seen.append((contents.numpy(), styles.numpy()))
        return (contents + styles) / 4.0

    bank = bank_of(forge=forge)
    bank.renew(2)
    assert not seen
    bank.renew(4, share=1.0)
    assert len(seen) == 1
    contents, styles = seen[0]
    assert contents.shape == styles.shape == (4, 32, 32, 3)
    assert 0.9 < contents.max() <= 1.0
    assert np.abs(contents - styles).max() > 0.1
    np.testing.assert_array_equal(drawn(bank, 6)[0][2:], np.rint((contents + styles) * (255.0 / 4.0)))
    assert_answers_are_the_teachers(bank, 6)


# --- curves and the whole run -------------------------------------------------------------------------------


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_curves_drop_what_a_continued_run_repeats(tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    curves = Curves(path, resume_at=0)
    for step in (2, 4, 6):
        curves.add(step, {"loss a": step / 8})
    curves = Curves(path, resume_at=4)
    curves.add(8, {"loss a": 1.0, "explained a": 0.123456789})
    rows = [("2", "0.25", ""), ("4", "0.5", ""), ("8", "1", "0.12346")]
    assert [tuple(row.values()) for row in table(path)] == rows
    Curves(path, resume_at=0).add(1, {"loss b": 2.0})
    assert table(path) == [{"step": "1", "loss b": "2"}]


def test_curves_are_plotted_also_where_a_column_has_gaps(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    curves = Curves(tmp_path / "curves.csv", resume_at=0)
    curves.add(2, {"loss gram": 0.5, "seconds": 3.0, "explained block1_conv1": 0.1})
    curves.add(4, {"loss gram": 0.4, "explained block1_conv1": 0.2, "explained block1_conv2": 0.3})
    curves.plot(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_sides_that_do_not_halve_four_times_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    rest = ["--pictures", "p", "--teacher", "t", "--work", "w", "-o", "o.npz"]
    assert train.parsed([*rest, "--side", "48"]).side == 48
    for side in ("16", "40"):
        with pytest.raises(SystemExit):
            train.parsed([*rest, "--side", side])
        assert "multiple of 16" in capsys.readouterr().err


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A training of a few steps, which still warms up, renews its bank, forges, and settles."""
    for name, value in {"CHUNK": 4, "RENEWED_PER_STEP": 2.0, "WARM_UP": 1, "LAST_BATCHES": 1}.items():
        monkeypatch.setattr(train, name, value)
    monkeypatch.setattr(train, "Forger", lambda student: Forger(student, steps=2))
    folder = photo_folder(tmp_path / "photos", 7)
    save_arrays(tmp_path / "teacher.npz", uneven_student(3).folded())
    places = ["--pictures", str(folder), "--teacher", str(tmp_path / "teacher.npz")]
    places += ["--work", str(tmp_path / "work"), "-o", str(tmp_path / "slim.npz")]
    sizes = ["--side", "32", "--batch", "2", "--bank", "16", "--held-back", "2", "--forged", "0.5"]
    return [*places, *sizes, "--every", "2", "--seed", "1", "--precision", "float32"]


@pytest.mark.slow
def test_compiled_steps_in_bfloat16_learn(arguments: list[str], tmp_path: Path) -> None:
    """One batch over and over. (The deep layers have more features than such small crops have places.)"""
    assert not tf.config.functions_run_eagerly()
    options = train.parsed([*arguments, "--precision", "bfloat16", "--steps", "500"])
    teachers = [read_teacher(tmp_path / "teacher.npz")]
    training = train.Training(options, teachers)
    pictures = list(read_pictures(options.pictures, smallest=32).values())
    bank = Bank(pictures, teachers, training.lessons, capacity=2, side=32, seed=[0], precision="bfloat16")
    bank.renew(2)
    shares = np.stack([training.learn(*bank.draw(2)).numpy() for _ in range(25)])
    assert int(training.step) == 25
    assert shares.shape == (25, len(SLIM_LAYERS) + 1)
    assert np.isfinite(shares).all()
    for column in (0, 1, -1):
        assert shares[-5:, column].mean() < 0.8 * shares[:5, column].mean()


def directions(path: Path) -> np.ndarray:
    """The first layer's kernels, one a column, less their lengths: what settling leaves as learned."""
    kernel = verify(path).layers["block1_conv1"][0].reshape(27, -1)
    return kernel / np.linalg.norm(kernel, axis=0)


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_training_writes_weights_continues_and_keeps_to_its_run(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("matplotlib") is None:
        monkeypatch.setattr(Curves, "plot", lambda curves, path: path.write_bytes(b"\x89PNG"))
    work, output = tmp_path / "work", tmp_path / "slim.npz"
    assert train.main([*arguments, "--steps", "2"]) == 0
    assert "5 pictures, 2 held back" in capsys.readouterr().out
    assert verify(output).name == "vgg19-slim"
    rows = table(work / "curves.csv")
    assert [row["step"] for row in rows] == ["2"]
    columns = [f"{kind} {layer}" for kind in ("loss", "explained") for layer in SLIM_LAYERS]
    assert set(rows[0]) == {"step", "seconds", "loss gram", *columns}
    assert all(0.0 < float(row["loss block1_conv1"]) < 2.0 for row in rows)
    assert all(-2.0 < float(row["explained block1_conv1"]) < 1.0 for row in rows)
    assert (work / "curves.png").read_bytes().startswith(b"\x89PNG")
    learned = directions(output)
    fresh = Student(1).kernels[0].numpy().reshape(27, -1)
    assert np.abs(learned - fresh / np.linalg.norm(fresh, axis=0)).max() > 1e-3

    assert train.main([*arguments, "--steps", "3", "--learning-rate", "1e-9"]) == 0
    continued = table(work / "curves.csv")
    assert continued[:1] == rows
    assert [row["step"] for row in continued] == ["2", "3"]
    np.testing.assert_allclose(directions(output), learned, atol=1e-6)
    note = json.loads((work / "run.json").read_text())
    assert [(part["from"], part["steps"]) for part in note["parts"]] == [(0, 2), (2, 3)]

    before = output.read_bytes()
    with pytest.raises(SystemExit, match="seed 1 -> 2"):
        train.main([*arguments, "--steps", "8", "--seed", "2"])
    assert output.read_bytes() == before
    assert json.loads((work / "run.json").read_text()) == note
    assert table(work / "curves.csv") == continued


@pytest.mark.slow
def test_settled_channels_have_the_mean_one_a_layer(arguments: list[str], tmp_path: Path) -> None:
    """Over the crops that they were measured on, and no channel is lost."""
    options = train.parsed([*arguments, "--steps", "4"])
    teachers = [read_teacher(tmp_path / "teacher.npz")]
    training = train.Training(options, teachers)
    crops = tf.constant((images(2).numpy() * 255.0).astype(np.uint8))

    class OneBatch:
        def draw(self, count: int) -> tuple[tf.Tensor, tuple[()], tuple[()]]:
            assert count == 2
            return crops, (), ()

    batch: Any = OneBatch()
    factors = training.settle(teachers, batch)
    pictures = tf.cast(crops, tf.float32) / 255.0
    found = network(rescaled(training.student.folded(), factors)).activations(pictures, SLIM_LAYERS)
    for layer in SLIM_LAYERS:
        assert np.mean(found[layer]) == pytest.approx(1.0, rel=1e-3)
        assert factors[layer].shape == (WIDTHS["vgg19-slim"][int(layer[5]) - 1],)
        assert factors[layer].min() >= 0.019 * np.median(factors[layer]) > 0.0
    plain = tf.nn.conv2d(
        (pictures * 255.0 - IMAGENET_MEAN)[..., ::-1] / 64.0, training.student.kernels[0], 1, "SAME"
    )
    np.testing.assert_allclose(training.student.means[0], np.mean(plain, (0, 1, 2)), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(training.student.variances[0], np.var(plain, (0, 1, 2)), rtol=5e-3)


def test_teachers_that_will_not_do_end_the_run_in_a_line(arguments: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"absent\.h5"):
        train.main([*arguments, "--teacher", str(tmp_path / "absent.h5")])
    whole = np.load(tmp_path / "teacher.npz")
    shallow = {name: whole[name] for name in whole.files if name[:6] <= "block3"}
    save_arrays(tmp_path / "teacher.npz", shallow)
    with pytest.raises(SystemExit, match="block4_conv1"):
        train.main(arguments)
