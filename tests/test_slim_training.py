"""The training of vgg19-slim: student, maps, taps, pictures, teacher, paintings, bank, and a short run."""

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
from numpy_vgg import forward
from tiny_encoder import TINY_LAYERS, random_picture, tiny_weights

from scripts.slim import train
from scripts.slim.training import bank as banks
from scripts.slim.training import learner, painted, taps
from scripts.slim.training.bank import Bank, places_kept
from scripts.slim.training.curves import Curves
from scripts.slim.training.learner import Training
from scripts.slim.training.linear_maps import LinearMap
from scripts.slim.training.measure import MAP_RIDGE, Moments, explained_variance
from scripts.slim.training.painted import Painted, gradients, paint, unit
from scripts.slim.training.pictures import LONGEST_SIDE, hold_back, random_crop, read_pictures
from scripts.slim.training.student import Student, rescaled, save_arrays
from scripts.slim.training.taps import fit_taps, tap_of
from scripts.slim.training.teachers import (
    PASSED_ON,
    SLIM_LAYERS,
    Lesson,
    lesson_targets,
    plan_lessons,
    read_teacher,
)
from stylize.backbone import IMAGENET_MEAN, Vgg19
from stylize.config import StylizeConfig
from stylize.errors import WeightsError
from stylize.weights import WIDTHS, Weights, embedded_path, verify
from video.images import from_uint8, write_image

pytestmark = pytest.mark.usefixtures("uncompiled")

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


def weights_of(arrays: Mapping[str, np.ndarray]) -> Weights:
    layers = {layer: (arrays[f"{layer}/kernel"], arrays[f"{layer}/bias"]) for layer in SLIM_LAYERS}
    taps = {name[: -len("/tap")]: tap for name, tap in arrays.items() if name.endswith("/tap")}
    return Weights("vgg19-slim", "test", "", layers, taps=taps)


def network(arrays: Mapping[str, np.ndarray]) -> Vgg19:
    return Vgg19(weights_of(arrays))


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


def test_a_fixed_network_is_normalised_by_what_it_was_fixed_on() -> None:
    """As a batch is while training; whatever it is shown next, and without a trace in the running moments."""
    student, pictures = uneven_student(), images(4)
    running = [variable.numpy() for variable in (*student.means, *student.variances)]
    look = student.fixed(pictures)
    for variable, before in zip((*student.means, *student.variances), running, strict=True):
        np.testing.assert_array_equal(variable, before)
    expected = student.activations(pictures, training=True)
    found = look(pictures[1:2], SLIM_LAYERS)
    assert list(found) == list(SLIM_LAYERS)
    for layer in SLIM_LAYERS:
        assert_same(found[layer], expected[layer][1:2], 1e-3)
    assert list(look(pictures, SLIM_LAYERS[3:5])) == list(SLIM_LAYERS[3:5])


def test_an_adopted_network_computes_the_same_and_is_normalised() -> None:
    """On pictures that it was not measured on too; and by the batch as by the moments."""
    finished, student, pictures = uneven_student(3), Student(0), images(4)
    student.adopt(weights_of(finished.folded()), pictures)
    for shown in (pictures, 1.0 - pictures[:1, :, :, ::-1]):
        expected = finished.activations(shown, training=False)
        found = student.activations(shown, training=False)
        for layer in SLIM_LAYERS:
            assert_same(found[layer], expected[layer], 1e-3)
    before = [variable.numpy() for variable in (*student.means, *student.variances)]
    expected = finished.activations(pictures, training=False)
    found = student.activations(pictures, training=True)
    for layer in SLIM_LAYERS:
        assert_same(found[layer], expected[layer], 1e-3)
    for variable, old in zip((*student.means, *student.variances), before, strict=True):
        assert np.abs(old).max() > 1e-3
        np.testing.assert_allclose(variable, old, rtol=2e-3, atol=1e-4 * np.abs(old).max())


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


def test_map_without_a_bias_is_that_of_ridge_regression() -> None:
    """The ridge as rows of the design: each feature's length, against nothing."""
    features, targets = samples()
    ridge = np.sqrt(MAP_RIDGE) * np.diag(np.linalg.norm(features, axis=0))
    design = np.concatenate([features, ridge])
    wanted = np.concatenate([targets, np.zeros((5, 4))])
    expected = np.linalg.lstsq(design, wanted, rcond=None)[0]
    np.testing.assert_allclose(moments_of(features, targets).homogeneous_map(), expected, rtol=1e-6)


def test_map_without_a_bias_does_not_depend_on_the_units() -> None:
    features, targets = samples()
    plain = moments_of(features, targets).homogeneous_map()
    units = np.array([1.0, 100.0, 0.01, 1.0, 10.0])
    found = moments_of(features * units, targets).homogeneous_map()
    np.testing.assert_allclose(found * units[:, None], plain, rtol=1e-6)


def test_two_features_that_say_the_same_share_the_map() -> None:
    random = np.random.default_rng(0)
    value = random.normal(1.0, 1.0, (500, 1))
    twins = np.concatenate([value, value + random.normal(0.0, 1e-6, value.shape)], axis=1)
    targets = 2.0 * value + random.normal(0.0, 1e-3, value.shape)
    np.testing.assert_allclose(moments_of(twins, targets).homogeneous_map(), [[1.0], [1.0]], rtol=0.01)


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


def test_metric_is_that_of_the_best_map_of_the_last_steps() -> None:
    """Least squares without a bias, in which a step counts 0.9 of the one after it."""
    found, rows, wanted = LinearMap(6, 4, samples_per_step=180), [], []
    for seed in range(3):
        features = crops_of_features(seed)
        targets = (
            features @ np.random.default_rng(9).normal(size=(6, 4)) + crops_of_features(50 + seed)[..., :4]
        )
        found.losses(tf.constant(features), tf.constant(targets, tf.float32))
        weight = np.sqrt(0.9 ** (2 - seed))
        rows.append(weight * features.reshape(-1, 6))
        wanted.append(weight * targets.reshape(-1, 4))
    linear = np.linalg.lstsq(np.concatenate(rows), np.concatenate(wanted), rcond=None)[0]
    np.testing.assert_allclose(found.metric(), linear @ linear.T, rtol=2e-3, atol=2e-3)
    assert np.linalg.norm(linear) > 1.0


# --- taps ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 8), (5, 3)])
def test_a_tap_keeps_lengths_less_the_share_of_channels(shape: tuple[int, int]) -> None:
    """Also where it stands for fewer channels than it has."""
    linear = np.random.default_rng(0).normal(size=shape)
    tap = tap_of(linear)
    assert (tap.shape, tap.dtype) == ((5, 5), np.dtype(np.float32))
    np.testing.assert_allclose(tap, tap.T, atol=1e-5)
    assert np.linalg.eigvalsh(tap).min() > -1e-5
    np.testing.assert_allclose(tap @ tap.T, linear @ linear.T * (shape[0] / shape[1]), atol=1e-5)
    differences = np.random.default_rng(1).normal(size=(20, 5))
    mine, theirs = (np.mean((differences @ matrix) ** 2, axis=1) for matrix in (tap, linear))
    np.testing.assert_allclose(mine, theirs, rtol=1e-4)


class Mixed:
    """A network each of whose layers is another linear map of the picture's pixels."""

    def __init__(self, maps: Mapping[str, np.ndarray]) -> None:
        self._maps = maps

    def activations(self, images: tf.Tensor, layers: Sequence[str]) -> dict[str, tf.Tensor]:
        return {layer: (images - 0.5) @ tf.constant(self._maps[layer], images.dtype) for layer in layers}


def test_fitted_taps_give_an_exact_pupil_its_teachers_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of differences and of Gram matrices; also from a part of the places."""
    monkeypatch.setattr(taps, "SAMPLES", 200)
    random, layers, lessons = np.random.default_rng(0), SLIM_LAYERS[:2], []
    slim, teacher = {}, {}
    for layer, width in zip(layers, (8, 5), strict=True):
        lessons.append(Lesson(layer, 1.0))
        slim[layer] = np.linalg.qr(random.normal(size=(3, 3)))[0] * [3.0, 1.0, 0.3]
        teacher[layer] = slim[layer] @ random.normal(size=(3, width))
    batches = (tf.constant(random.random((2, 16, 16, 3))) for _ in range(3))
    found = fit_taps(Mixed(slim), Mixed(teacher), (lesson for lesson in lessons), batches)
    assert list(found) == list(layers)
    pixels = random.random((100, 3))
    for layer in layers:
        share = 3 / teacher[layer].shape[1]
        mine, theirs = pixels @ slim[layer] @ found[layer], pixels @ teacher[layer]
        lengths = [np.sum((rows[:-1] - rows[1:]) ** 2, axis=1) for rows in (mine, theirs)]
        np.testing.assert_allclose(lengths[0], share * lengths[1], rtol=0.01)
        norms = [np.linalg.norm(rows.T @ rows) for rows in (mine, theirs)]
        assert norms[0] == pytest.approx(share * norms[1], rel=0.01)


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


# --- the teacher --------------------------------------------------------------------------------------------


def test_every_layer_has_a_lesson_and_those_that_are_read_count_fully() -> None:
    lessons = plan_lessons()
    assert [lesson.layer for lesson in lessons] == list(SLIM_LAYERS)
    read = {lesson.layer for lesson in lessons if lesson.weight == 1.0}
    assert read == {*StylizeConfig().layers, *StylizeConfig(style_statistic="gram").layers}
    assert {lesson.weight for lesson in lessons if lesson.layer not in read} == {PASSED_ON}


def test_targets_are_the_teachers_activations() -> None:
    teacher, pictures = Vgg19(tiny_weights(count=14)), images(1)
    found = lesson_targets(teacher, plan_lessons(), pictures)
    expected = teacher.activations(pictures, SLIM_LAYERS)
    assert list(found) == list(SLIM_LAYERS)
    for layer in SLIM_LAYERS:
        np.testing.assert_array_equal(found[layer], expected[layer])


def test_the_teacher_is_read_from_any_file_that_is_deep_enough(tmp_path: Path) -> None:
    arrays = Student(0).folded()
    save_arrays(tmp_path / "slim.npz", arrays)
    assert read_teacher(tmp_path / "slim.npz").layers == SLIM_LAYERS
    save_arrays(tmp_path / "short.npz", {name: arrays[name] for name in arrays if "block5_conv2" not in name})
    with pytest.raises(WeightsError, match=r"short\.npz: ends at block5_conv1; .* up to block5_conv2$"):
        read_teacher(tmp_path / "short.npz")
    with pytest.raises(WeightsError, match="absent"):
        read_teacher(tmp_path / "absent.npz")


# --- half-painted pictures ----------------------------------------------------------------------------------

SIDE = 16
NO_METRICS: Mapping[str, Any] = dict.fromkeys(TINY_LAYERS)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Vgg19:
    """A teacher of three layers, which are all that is looked at."""
    monkeypatch.setattr(painted, "LAYERS_READ", TINY_LAYERS)
    return Vgg19(tiny_weights())


def byte_pictures(count: int, seed: int, side: int = SIDE) -> np.ndarray:
    pictures = [random_picture(side, side, 10 * seed + number) for number in range(count)]
    return np.rint(np.stack(pictures) * 255.0).astype(np.uint8)


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


def few(monkeypatch: pytest.MonkeyPatch, *, steps: int, noisy: float) -> None:
    """Two pictures at once, a few short steps, so that each is one down."""
    for name, value in {"STEPS": steps, "TOGETHER": 2, "NOISE_STARTS": noisy, "RATE": 0.01}.items():
        monkeypatch.setattr(painted, name, value)


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


def made_up(count: int, side: int) -> Painted:
    """Parts of noise, different in every row."""
    random, shape = np.random.default_rng(8), (count, side, side, 3)
    parts = {name: random.integers(0, 256, shape, np.uint8) for name in Painted.NAMES[:3]}
    directions = {name: random.normal(size=shape).astype(np.float16) for name in Painted.NAMES[3:]}
    return Painted({**parts, **directions})


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


# --- the bank -----------------------------------------------------------------------------------------------

CAPACITY = 6


def bank_of(**settings: Any) -> Bank:
    random = np.random.default_rng(5)
    pictures = [random.integers(0, 256, (40, 44, 3), np.uint8) for _ in range(3)]
    teacher = Vgg19(tiny_weights(count=14, widths=(3, 4, 4, 5, 6)))
    given = {"capacity": CAPACITY, "side": 32, "seed": (0, 3), **settings}
    return Bank(pictures, teacher, plan_lessons(), **given)


def drawn(bank: Bank, count: int) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    crops, places, answers = bank.draw(count)
    return crops.numpy(), [value.numpy() for value in places], [value.numpy() for value in answers]


def assert_answers_are_the_teachers(bank: Bank, count: int, tolerance: float = 2e-3) -> None:
    crops, places, answers = drawn(bank, count)
    pictures = tf.constant(crops, tf.float32) / 255.0
    targets = lesson_targets(bank._teacher, bank._lessons, pictures)
    for lesson, where, answer in zip(bank._lessons, places, answers, strict=True):
        target = targets[lesson.layer].numpy().reshape(count, -1, answer.shape[-1])
        expected = np.take_along_axis(target, where[..., None].astype(int), axis=1)
        np.testing.assert_allclose(answer, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())
        assert expected.std() > 0.0


def test_bank_draws_crops_places_and_answers() -> None:
    bank = bank_of()
    bank.renew(4)
    assert bank.size == 4
    crops, places, answers = drawn(bank, 3)
    assert (crops.shape, crops.dtype) == ((3, 32, 32, 3), np.dtype(np.uint8))
    kept = [32, 32, 16, 16, 8, 8, 8, 8, 8, 8, 8, 8, 4, 4]
    assert [places_kept(layer, 32) for layer in SLIM_LAYERS] == kept
    assert [value.shape for value in places] == [(3, count) for count in kept]
    channels = [3] * 2 + [4] * 6 + [5] * 4 + [6] * 2
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


def test_banks_of_one_seed_are_the_same() -> None:
    crops = []
    for seed in ((0, 3), (0, 3), (1, 3)):
        bank = bank_of(seed=seed)
        bank.renew(3)
        crops.append(drawn(bank, 3)[0])
    np.testing.assert_array_equal(crops[0], crops[1])
    assert (crops[0] != crops[2]).any()


def painted_among(crops: np.ndarray, found: Painted) -> list[bool]:
    return [bool((found.pictures == crop).all(axis=(1, 2, 3)).any()) for crop in crops]


def test_some_crops_are_half_painted_with_the_answers_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    found = made_up(3, 32)
    bank = bank_of(capacity=64, painted=found)
    bank.renew(64)
    among = painted_among(drawn(bank, 64)[0], found)
    assert 0.1 < np.mean(among) < 0.4
    assert_answers_are_the_teachers(bank, 64)
    monkeypatch.setattr(banks, "PAINTED_SHARE", 1.0)
    bank.renew(32)
    crops = drawn(bank, 64)[0]
    assert painted_among(crops, found) == [True] * 32 + among[32:]
    assert len(np.unique(crops[:32].reshape(32, -1), axis=0)) == 3
    assert_answers_are_the_teachers(bank, 64)
    monkeypatch.setattr(banks, "PAINTED_SHARE", 0.0)
    bank.renew(32)
    assert not any(painted_among(drawn(bank, 64)[0][32:], found))


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
    """A training of a few steps, which still warms up, renews its bank, paints, and is finished."""
    for name, value in {"CHUNK": 4, "RENEWED_PER_STEP": 2.0, "WARM_UP": 1}.items():
        monkeypatch.setattr(train, name, value)
    for name, value in {"COMPARED_EVERY": 2, "PAINTED_PER_STEP": 3}.items():
        monkeypatch.setattr(train, name, value)
    for name, value in {"WARM_UP": 1, "LAST_BATCHES": 1}.items():
        monkeypatch.setattr(learner, name, value)
    few(monkeypatch, steps=2, noisy=0.5)
    folder = photo_folder(tmp_path / "photos", 7)
    save_arrays(tmp_path / "teacher.npz", uneven_student(3).folded())
    places = ["--pictures", str(folder), "--teacher", str(tmp_path / "teacher.npz")]
    places += ["--work", str(tmp_path / "work"), "-o", str(tmp_path / "slim.npz")]
    sizes = ["--side", "32", "--batch", "2", "--bank", "16", "--held-back", "2"]
    return [*places, *sizes, "--every", "2", "--seed", "1", "--precision", "float32"]


def test_the_teacher_is_the_packages_own_unless_another_is_given(arguments: list[str]) -> None:
    assert train.parsed([*arguments, "--teacher", "other.h5"]).teacher == Path("other.h5")
    assert train.parsed([*arguments[:2], *arguments[4:]]).teacher == embedded_path("vgg19")


@pytest.mark.slow
@pytest.mark.usefixtures("compiled")
def test_compiled_steps_in_bfloat16_learn(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One batch and some painted pictures over and over, one of which is its own content.

    (The deep layers have more features than such small crops have places.)
    """
    assert not tf.config.functions_run_eagerly()
    few(monkeypatch, steps=2, noisy=0.0)
    settings = ["--precision", "bfloat16", "--steps", "500", "--gradient-weight", "2"]
    options = train.parsed([*arguments, *settings])
    teacher = read_teacher(tmp_path / "teacher.npz")
    training = Training(options, teacher)
    pictures = list(read_pictures(options.pictures, smallest=32).values())
    paint(tmp_path / "painted", teacher, pictures, count=1, side=32, seed=0)
    found = Painted.read(tmp_path / "painted")
    bank = Bank(pictures, teacher, training.lessons, capacity=2, side=32, seed=[0], precision="bfloat16")
    bank.renew(2)
    shown = tuple(tf.constant(getattr(found, name)[1:]) for name in Painted.NAMES)
    assert [bool(np.any(toward)) for toward in shown[-1]] == [False, True, True]
    shares = np.stack([training.learn(*bank.draw(2), shown).numpy() for _ in range(25)])
    assert int(training.step) == 25
    assert shares.shape == (25, len(SLIM_LAYERS) + 3)
    assert np.isfinite(shares).all()
    shares[:, -1] -= 1 / 3  # the content itself has no direction to agree with
    for column, most in ((0, 0.8), (1, 0.8), (-3, 0.8), (-2, 0.8), (-1, 0.9)):
        assert 0.0 < shares[-5:, column].mean() < most * shares[:5, column].mean()


@pytest.mark.slow
def test_directions_are_off_by_nothing_where_the_networks_agree(arguments: list[str], tmp_path: Path) -> None:
    """A student that is its own teacher; and by two where one direction is turned round."""
    pictures, contents, styles = (tf.constant(byte_pictures(2, seed, 32)) for seed in (1, 2, 3))
    training = Training(train.parsed([*arguments, "--steps", "4"]), read_teacher(tmp_path / "teacher.npz"))
    shown = tf.cast(tf.concat((pictures, contents, styles), 0), tf.float32) / 255.0
    look = training.student.fixed(shown)
    for layer, linear in training.maps.items():
        width = look(shown, [layer])[layer].shape[-1]
        linear._weight.assign(1.0)
        linear._square.assign(tf.eye(width))
        linear._cross.assign(tf.eye(width))
    toward = gradients(look, dict.fromkeys(SLIM_LAYERS), pictures, contents, styles)
    for signs in ((1.0, 1.0), (1.0, -1.0), (-1.0, 1.0)):
        given = [sign * unit(part) for sign, part in zip(signs, toward, strict=True)]
        found = training._astray(pictures, contents, styles, *given)
        np.testing.assert_allclose(found, [1.0 - sign for sign in signs], atol=1e-3)


class OneBatch:
    """A bank that always has the same two pictures."""

    def draw(self, count: int) -> tuple[tf.Tensor, tuple[()], tuple[()]]:
        assert count == 2
        return tf.constant(byte_pictures(2, 1, 32)), (), ()


@pytest.fixture
def finishing(arguments: list[str], tmp_path: Path) -> tuple[Training, Any, tf.Tensor]:
    """A training that may be finished, a bank of one batch, and its pictures."""
    training = Training(train.parsed([*arguments, "--steps", "4"]), read_teacher(tmp_path / "teacher.npz"))
    bank = OneBatch()
    return training, bank, tf.cast(bank.draw(2)[0], tf.float32) / 255.0


@pytest.mark.slow
def test_finished_channels_have_the_mean_one(finishing: tuple[Training, Any, tf.Tensor]) -> None:
    """Over the crops that they were measured on; quiet ones less, and none is lost."""
    training, bank, pictures = finishing
    training.student.betas[0].assign(tf.concat([[-2.5], training.student.betas[0][1:]], axis=0))
    arrays = training.finished(network(uneven_student(3).folded()), bank)
    raw = network(training.student.folded()).activations(pictures, SLIM_LAYERS)
    found = network({name: array for name, array in arrays.items() if not name.endswith("/tap")})
    quiet = 0
    for layer, value in found.activations(pictures, SLIM_LAYERS).items():
        old = np.mean(raw[layer], (0, 1, 2))
        expected = np.minimum(old / (learner.QUIET_CHANNEL * np.median(old)), 1.0)
        np.testing.assert_allclose(np.mean(value, (0, 1, 2)), expected, rtol=1e-3)
        quiet += np.sum(expected < 0.99)
    assert 0 < quiet < 10
    plain = tf.nn.conv2d(
        (pictures * 255.0 - IMAGENET_MEAN)[..., ::-1] / 64.0, training.student.kernels[0], 1, "SAME"
    )
    np.testing.assert_allclose(training.student.means[0], np.mean(plain, (0, 1, 2)), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(training.student.variances[0], np.var(plain, (0, 1, 2)), rtol=5e-3)


@pytest.mark.slow
def test_finished_networks_measure_as_the_teacher(
    finishing: tuple[Training, Any, tf.Tensor], tmp_path: Path
) -> None:
    """One that says the same in other channels: differences between two pictures have the same length."""
    training, bank, pictures = finishing
    training.settle(bank)
    random, factors = np.random.default_rng(0), {}
    for layer in SLIM_LAYERS:
        width = WIDTHS["vgg19-slim"][int(layer[5]) - 1]
        factors[layer] = random.uniform(0.5, 20.0, width)
    teacher = network(rescaled(training.student.folded(), factors))
    save_arrays(tmp_path / "slim.npz", training.finished(teacher, bank))
    weights = verify(tmp_path / "slim.npz")
    assert (weights.name, list(weights.taps)) == ("vgg19-slim", list(SLIM_LAYERS))
    found, expected = (one.activations(pictures, SLIM_LAYERS) for one in (Vgg19(weights), teacher))
    for layer in SLIM_LAYERS:
        lengths = [np.sum((value[layer][0] - value[layer][1]) ** 2) for value in (found, expected)]
        assert lengths[0] == pytest.approx(lengths[1], rel=0.1)


def directions(path: Path) -> np.ndarray:
    """The first layer's kernels, one a column, less their lengths: what finishing leaves as learned."""
    kernel = verify(path).layers["block1_conv1"][0].reshape(27, -1)
    return kernel / np.linalg.norm(kernel, axis=0)


@pytest.mark.slow
def test_training_writes_weights_continues_and_keeps_to_its_run(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("matplotlib") is None:
        monkeypatch.setattr(Curves, "plot", lambda curves, path: path.write_bytes(b"\x89PNG"))
    work, output, shown = tmp_path / "work", tmp_path / "slim.npz", []
    draw = Painted.draw

    def counted(found: Painted, count: int, rng: np.random.Generator) -> tuple[tf.Tensor, ...]:
        shown.append(count)
        return draw(found, count, rng)

    monkeypatch.setattr(Painted, "draw", counted)
    assert train.main([*arguments, "--steps", "2", "--painted", "6"]) == 0
    assert shown == [3]
    assert "5 pictures, 2 held back" in capsys.readouterr().out
    assert verify(output).name == "vgg19-slim"
    assert list(verify(output).taps) == list(SLIM_LAYERS)
    rows = table(work / "curves.csv")
    assert [row["step"] for row in rows] == ["2"]
    columns = [f"{kind} {layer}" for kind in ("loss", "explained") for layer in SLIM_LAYERS]
    columns += [f"loss {name}" for name in ("gram", "style direction", "content direction")]
    assert set(rows[0]) == {"step", "seconds", *columns}
    for name in ("block1_conv1", "style direction", "content direction"):
        assert all(0.0 < float(row[f"loss {name}"]) < 2.0 for row in rows)
    assert all(-2.0 < float(row["explained block1_conv1"]) < 1.0 for row in rows)
    assert (work / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert len(list((work / "painted").iterdir())) == 2
    learned = directions(output)
    fresh = Student(1).kernels[0].numpy().reshape(27, -1)
    assert np.abs(learned - fresh / np.linalg.norm(fresh, axis=0)).max() > 1e-3

    assert train.main([*arguments, "--steps", "3", "--learning-rate", "1e-9"]) == 0
    continued = table(work / "curves.csv")
    assert continued[:1] == rows
    assert [row["step"] for row in continued] == ["2", "3"]
    assert continued[1]["loss style direction"] == continued[1]["loss content direction"] == ""
    np.testing.assert_allclose(directions(output), learned, atol=1e-6)
    note = json.loads((work / "run.json").read_text())
    parts = [(part["from"], part["steps"], part["painted"]) for part in note["parts"]]
    assert parts == [(0, 2, 6), (2, 3, 0)]

    before = output.read_bytes()
    with pytest.raises(SystemExit, match="seed 1 -> 2"):
        train.main([*arguments, "--steps", "8", "--seed", "2"])
    assert output.read_bytes() == before
    assert json.loads((work / "run.json").read_text()) == note
    assert table(work / "curves.csv") == continued


@pytest.mark.slow
def test_training_goes_on_from_a_finished_network(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At its beginning only: when it is continued, it goes on from where it was."""
    monkeypatch.setattr(Curves, "plot", lambda curves, path: None)
    start, output = tmp_path / "start.npz", tmp_path / "slim.npz"
    save_arrays(start, uneven_student(5).folded())
    begun = [*arguments, "--learning-rate", "1e-9", "--start", str(start)]
    assert train.main([*begun, "--steps", "2"]) == 0
    np.testing.assert_allclose(directions(output), directions(start), atol=1e-5)
    assert float(table(tmp_path / "work" / "curves.csv")[0]["loss block1_conv1"]) < 0.5
    monkeypatch.setattr(Student, "adopt", lambda *_: pytest.fail("adopted again"))
    assert train.main([*begun, "--steps", "3"]) == 0
    np.testing.assert_allclose(directions(output), directions(start), atol=1e-5)
    with pytest.raises(SystemExit, match=r"start .*start\.npz -> None"):
        train.main([*arguments, "--steps", "4"])


def test_networks_that_cannot_be_gone_on_from_end_the_run_in_a_line(
    arguments: list[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit, match=r"absent\.npz"):
        train.main([*arguments, "--start", str(tmp_path / "absent.npz")])
    arrays = uneven_student().folded()
    save_arrays(tmp_path / "short.npz", {name: arrays[name] for name in arrays if name[:6] <= "block3"})
    with pytest.raises(SystemExit, match="holds vgg19-slim to block3_conv4, not vgg19-slim to block5_conv2"):
        train.main([*arguments, "--start", str(tmp_path / "short.npz")])
    with pytest.raises(SystemExit, match="holds vgg19 to block5_conv4, not vgg19-slim to block5_conv2"):
        train.main([*arguments, "--start", "vgg19"])
    assert list((tmp_path / "work").iterdir()) == []


def test_teachers_that_will_not_do_end_the_run_in_a_line(arguments: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"absent\.h5"):
        train.main([*arguments, "--teacher", str(tmp_path / "absent.h5")])
    whole = np.load(tmp_path / "teacher.npz")
    shallow = {name: whole[name] for name in whole.files if name[:6] <= "block3"}
    save_arrays(tmp_path / "teacher.npz", shallow)
    with pytest.raises(SystemExit, match="ends at block3_conv4; the slim network learns up to block5_conv2"):
        train.main(arguments)
