"""The slim network while it learns: normalisation, folding, going on from a finished one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from slim_lessons import (
    assert_same,
    images,
    network,
    uneven_student,
    weights_of,
)

from scripts.slim.training.student import Student, rescaled, save_arrays
from scripts.slim.training.teachers import (
    SLIM_LAYERS,
)
from stylize.backbone import IMAGENET_MEAN
from stylize.weights import verify

pytestmark = pytest.mark.usefixtures("uncompiled")


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
