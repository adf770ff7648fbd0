"""The network against NumPy and PyTorch: tiny weights and the embedded ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from numpy_vgg import forward
from PIL import Image
from tiny_encoder import random_picture, tiny_weights

from stylize.backbone import _QUIET_FILTER, Vgg19
from stylize.errors import ConfigError
from stylize.weights import EMBEDDED, LAYERS, Weights, load_weights

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden" / "activations.npz"


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def assert_like_numpy(weights: Weights, picture: np.ndarray, pooling: str, tolerance: float) -> None:
    """Every layer, to `tolerance` times its largest activation."""
    found = Vgg19(weights, pooling=pooling).activations(tf.constant(picture[None]), tuple(weights.layers))
    for layer, expected in forward(weights.layers, picture, pooling).items():
        assert found[layer].shape == (1, *expected.shape)
        assert relative_error(found[layer].numpy()[0], expected) < tolerance, layer


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("size", [(8, 8), (9, 7), (5, 12)])
def test_tiny_network_against_scipy(pooling: str, size: tuple[int, int]) -> None:
    weights, picture = tiny_weights(), random_picture(*size)
    fast, slow = (forward(weights.layers, picture, pooling, slowly=slowly) for slowly in (False, True))
    for layer in weights.layers:
        np.testing.assert_allclose(fast[layer], slow[layer], rtol=1e-10, atol=1e-10)
    assert_like_numpy(weights, picture, pooling, 1e-5)


def test_all_five_blocks_at_the_smallest_size() -> None:
    weights = tiny_weights(count=16, widths=(2, 3, 3, 4, 4))
    assert_like_numpy(weights, random_picture(32, 47), "max", 1e-4)
    found = Vgg19(weights).activations(tf.constant(random_picture(32, 47)[None]), ("block5_conv4",))
    assert list(found) == ["block5_conv4"]
    assert found["block5_conv4"].shape == (1, 2, 3, 4)


def one_by_one(kernel: np.ndarray, bias: float = 0.0) -> Vgg19:
    """A first layer that looks at the middle pixel only: one output channel, `kernel` over B, G, R."""
    full = np.zeros((3, 3, 3, 1), np.float32)
    full[1, 1, :, 0] = kernel
    return Vgg19(Weights("custom", "test", "", {LAYERS[0]: (full, np.array([bias], np.float32))}))


@pytest.mark.parametrize(
    ("bgr", "expected"),
    [((1, 0, 0), 255 * 0.6 - 103.939), ((0, 1, 0), 255 * 0.8 - 116.779), ((0, 0, 1), 255 * 1.0 - 123.68)],
)
def test_the_first_kernel_reads_bgr_less_the_mean_by_hand(bgr: tuple[int, int, int], expected: float) -> None:
    picture = tf.constant(np.broadcast_to(np.array([1.0, 0.8, 0.6], np.float32), (1, 2, 2, 3)))
    found = one_by_one(np.array(bgr, np.float32)).activations(picture, LAYERS[:1])[LAYERS[0]]
    np.testing.assert_allclose(found, np.full((1, 2, 2, 1), expected), rtol=1e-5)


def test_padding_is_zero_after_the_mean_by_hand() -> None:
    # Ones over a picture of the mean colour + 1/255: inside 3 channels x 9 pixels of 1, at a corner 4 pixels.
    weights = Weights(
        "custom", "test", "", {LAYERS[0]: (np.ones((3, 3, 3, 1), np.float32), np.zeros(1, np.float32))}
    )
    mean = np.array([123.68, 116.779, 103.939])
    picture = tf.constant(np.broadcast_to((mean + 1.0) / 255.0, (1, 3, 3, 3)))
    found = Vgg19(weights).activations(picture, LAYERS[:1])[LAYERS[0]].numpy()[0, :, :, 0]
    np.testing.assert_allclose(found, [[12, 18, 12], [18, 27, 18], [12, 18, 12]], rtol=1e-4)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [("max", [[4.0, 60.0], [80.0, 90.0]]), ("average", [[2.5, 55.0], [75.0, 90.0]])],
)
def test_pooling_by_hand_keeps_the_odd_row_and_column(pooling: str, expected: list[list[float]]) -> None:
    middle = np.zeros((3, 3, 1, 1), np.float32)
    middle[1, 1] = 1.0
    first = np.zeros((3, 3, 3, 1), np.float32)
    first[1, 1, 2] = 1.0  # red
    zero = np.zeros(1, np.float32)
    layers = dict(zip(LAYERS[:3], [(first, zero), (middle, zero), (middle, zero)], strict=True))
    picture = np.zeros((1, 3, 3, 3))
    picture[0, :, :, 0] = (
        123.68 + np.array([[1.0, 2.0, 50.0], [3.0, 4.0, 60.0], [70.0, 80.0, 90.0]])
    ) / 255.0
    network = Vgg19(Weights("custom", "test", "", layers), pooling=pooling)
    found = network.activations(tf.constant(picture), ("block2_conv1",))["block2_conv1"]
    np.testing.assert_allclose(found[0, :, :, 0], expected, rtol=1e-4)


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_the_weights_follow_the_type_of_the_pictures(dtype: tf.DType) -> None:
    picture = tf.cast(random_picture()[None], dtype)
    found = Vgg19(tiny_weights()).activations(picture, ("block2_conv1", "image"))
    assert found["block2_conv1"].dtype == dtype
    assert found["image"] is picture
    expected = forward(tiny_weights().layers, random_picture())["block2_conv1"]
    assert relative_error(found["block2_conv1"].numpy()[0], expected) < (
        1e-5 if dtype == tf.float32 else 1e-6
    )


def test_a_trace_holds_kernels_as_they_are_convolved() -> None:
    """What is cast in a trace is cast in every evaluation. Only layers that are seen are made ready."""
    network = Vgg19(tiny_weights(), mixed=True)
    traced = tf.function(lambda images: network.activations(images, ("block1_conv2",)))
    graph = traced.get_concrete_function(tf.TensorSpec((1, None, None, 3))).graph
    assert [node.outputs[0].shape[3] for node in graph.get_operations() if node.type == "Cast"] == [3]
    assert [(each.dtype, len(each.shape)) for each, _ in graph.captures] == [
        (tf.bfloat16, 4), (tf.bfloat16, 1), (tf.bfloat16, 4), (tf.bfloat16, 1)
    ]  # fmt: skip


def test_pictures_of_a_batch_do_not_mix_and_compiled_equals_eager() -> None:
    network, layers = Vgg19(tiny_weights()), ("block1_conv1", "block2_conv1")
    batch = tf.constant(np.stack([random_picture(seed=1), random_picture(seed=2)]))
    together, compiled = network.activations(batch, layers), tf.function(network.activations)(batch, layers)
    for layer in layers:
        alone = network.activations(batch[1:], layers)[layer]
        np.testing.assert_allclose(together[layer][1:], alone, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(compiled[layer], together[layer], rtol=1e-5, atol=1e-6)


def test_a_layer_beyond_the_weights() -> None:
    with pytest.raises(ConfigError) as raised:
        Vgg19(tiny_weights()).activations(tf.zeros((1, 8, 8, 3)), ("image", "block2_conv2"))
    assert str(raised.value) == (
        "the weights of custom end at block2_conv1 and have no block2_conv2; "
        "choose a layer up to there or other weights"
    )


def test_unknown_pooling() -> None:
    with pytest.raises(ConfigError, match=r"^pooling: unknown value 'mean': choose from max, average$"):
        Vgg19(tiny_weights(), pooling="mean")


# --- taps ---------------------------------------------------------------------------------------------------


def tapped_weights(seed: int = 7) -> Weights:
    """The tiny network with taps at its first and last layer."""
    random, weights = np.random.default_rng(seed), tiny_weights()
    widths = {layer: weights.layers[layer][1].size for layer in ("block1_conv1", "block2_conv1")}
    taps = {layer: random.normal(size=(width, width)).astype(np.float32) for layer, width in widths.items()}
    return replace(weights, taps=taps)


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_activations_are_read_through_taps_and_passed_on_as_they_are(dtype: tf.DType) -> None:
    weights, picture = tapped_weights(), random_picture(9, 7)
    found = Vgg19(weights).activations(tf.cast(picture[None], dtype), tuple(weights.layers))
    for layer, value in forward(weights.layers, picture).items():
        expected = value @ weights.taps[layer] if layer in weights.taps else value
        assert found[layer].dtype == dtype
        assert relative_error(found[layer].numpy()[0], expected) < 1e-5, layer
    assert np.min(found["block2_conv1"]) < 0.0  # no ReLU behind a tap


def test_gradients_go_through_taps() -> None:
    weights, pictures = tapped_weights(), tf.constant(random_picture()[None])
    plain, layer = replace(weights, taps={}), "block2_conv1"

    def gradient(network: Vgg19, tap: np.ndarray) -> np.ndarray:
        with tf.GradientTape() as tape:
            tape.watch(pictures)
            total = tf.reduce_sum((network.activations(pictures, [layer])[layer] @ tap) ** 2)
        return np.asarray(tape.gradient(total, pictures))

    found = gradient(Vgg19(weights), np.eye(4, dtype=np.float32))
    assert relative_error(found, gradient(Vgg19(plain), weights.taps[layer])) < 1e-5


def test_taps_are_in_bfloat16_where_the_network_is_and_made_once() -> None:
    network = Vgg19(tapped_weights(), mixed=True)
    traced = tf.function(lambda images: network.activations(images, ("block1_conv1",)))
    graph = traced.get_concrete_function(tf.TensorSpec((1, None, None, 3))).graph
    assert [(each.dtype, tuple(each.shape)) for each, _ in graph.captures] == [
        (tf.bfloat16, (3, 3, 3, 3)), (tf.bfloat16, (3,)), (tf.bfloat16, (1, 1, 3, 3))
    ]  # fmt: skip
    found = network.activations(random_picture()[None], ("block1_conv1", "block2_conv1"))
    exact = Vgg19(tapped_weights()).activations(random_picture()[None], tuple(found))
    for layer, value in found.items():
        assert value.dtype == tf.bfloat16
        assert relative_error(np.asarray(value, np.float32), exact[layer].numpy()) < 0.05


# --- rescaled activations -----------------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_rescaled_mean_is_one_and_activations_are_proportional(pooling: str) -> None:
    network = Vgg19(tiny_weights(count=5), pooling=pooling)
    pictures = [random_picture(16, 20, seed=1), random_picture(17, 16, seed=2)]
    scaled = network.rescaled(pictures)
    other = random_picture(18, 18, seed=3)[None]
    before, after = (one.activations(other, network.layers) for one in (network, scaled))
    for layer in network.layers:
        old, new = (mean_activations(one, pictures, layer) for one in (network, scaled))
        loud = old > _QUIET_FILTER * old.mean()
        assert loud.any()
        np.testing.assert_allclose(new[loud], 1.0, rtol=1e-4)
        assert (new[~loud] < 1.0).all()
        # Each filter is the old one over one number, for any picture; quiet filters share theirs.
        factor = np.maximum(old, _QUIET_FILTER * old.mean())
        largest = before[layer].numpy().max()
        np.testing.assert_allclose(after[layer] * factor, before[layer], rtol=1e-3, atol=1e-4 * largest)


def test_rescaled_networks_have_no_taps() -> None:
    weights, picture = tapped_weights(), random_picture()
    network = Vgg19(weights)
    before = network.activations(picture[None], network.layers)
    scaled = network.rescaled([picture]).activations(picture[None], network.layers)
    expected = Vgg19(replace(weights, taps={})).rescaled([picture]).activations(picture[None], network.layers)
    after = network.activations(picture[None], network.layers)
    for layer in network.layers:
        np.testing.assert_array_equal(scaled[layer], expected[layer])
        np.testing.assert_array_equal(after[layer], before[layer])


def mean_activations(network: Vgg19, pictures: list[np.ndarray], layer: str) -> np.ndarray:
    """Of every filter, over the pictures."""
    values = [network.activations(picture[None], [layer])[layer].numpy() for picture in pictures]
    return np.mean([value.mean(axis=(0, 1, 2)) for value in values], axis=0)


def test_rescaling_leaves_a_dead_filter_dead_and_the_first_network_alone() -> None:
    weights = tiny_weights(count=2)
    kernel = weights.layers["block1_conv1"][0]
    bias = np.array([-1, 0.1, 0.1], np.float32)
    dead = {**weights.layers, "block1_conv1": (kernel * np.array([0, 1, 1], np.float32), bias)}
    network, picture = Vgg19(Weights("custom", "test", "", dead)), random_picture()[None]
    before = network.activations(picture, network.layers)
    scaled = network.rescaled([picture[0]]).activations(picture, network.layers)
    assert np.isfinite(scaled["block1_conv2"]).all()
    np.testing.assert_array_equal(scaled["block1_conv1"][..., 0], np.zeros((1, 16, 16)))
    after = network.activations(picture, network.layers)
    np.testing.assert_array_equal(after["block1_conv2"], before["block1_conv2"])


# --- real weights -------------------------------------------------------------------------------------------


def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN, allow_pickle=False) as stored:
        return dict(stored)


def real_picture() -> np.ndarray:
    return golden()["picture"].astype(np.float32) / 255.0


def assert_like_golden(network: str, activations: Mapping[str, np.ndarray]) -> None:
    """Mean, deviation, maximum and some values of every layer, as scripts/make_golden.py wrote them."""
    stored = golden()
    layers = [key.partition("/")[2] for key in stored if key.startswith(f"{network}/")]
    assert layers == list(activations)
    for layer in layers:
        value, expected = np.asarray(activations[layer]), stored[f"{network}/{layer}"]
        flat = value.reshape(-1)
        samples = flat[:: len(flat) // (len(expected) - 3)][: len(expected) - 3]
        found = np.array([value.mean(), value.std(), value.max(), *samples])
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * expected[2], err_msg=layer)


@pytest.mark.slow
@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_weights_against_numpy_and_the_golden_numbers(name: str) -> None:
    weights = load_weights(name)
    same = weights.sha256 == str(golden()[f"sha256 of {name}"])
    assert same, f"{name}.npz has changed: run scripts/make_golden.py and look at the difference"
    picture = real_picture()
    plain, read = (
        Vgg19(one).activations(picture[None], tuple(weights.layers))
        for one in (replace(weights, taps={}), weights)
    )
    found = {layer: value.numpy()[0] for layer, value in plain.items()}
    for layer, expected in forward(weights.layers, picture).items():
        assert relative_error(found[layer], expected) < 1e-4, layer
        edge = np.s_[[0, -1]], np.s_[:, [0, -1]]
        assert all(relative_error(found[layer][at], expected[at]) < 1e-4 for at in edge), layer
        tapped = found[layer] @ weights.taps[layer] if layer in weights.taps else found[layer]
        assert relative_error(read[layer].numpy()[0], tapped) < 1e-4, layer
    assert_like_golden(name, found)


@pytest.mark.slow
def test_every_layer_of_vgg19_is_what_pytorch_makes_of_it() -> None:
    """An independent implementation on the same weights: orientation, colours, padding, pooling, scale.

    The middle is at row and column 48 >> (block - 1); the Gram matrix is F F^T / M for M places.
    """
    expected = json.loads((GOLDEN.parent / "vgg19-activations.json").read_text())
    with Image.open(GOLDEN.parent / "tulips-96.png") as file:
        picture = np.asarray(file.convert("RGB"), np.float32) / 255.0
    assert picture.shape == (96, 96, 3)
    found = Vgg19(load_weights("vgg19")).activations(picture[None], LAYERS)
    assert list(expected) == list(LAYERS)
    for layer, figures in expected.items():
        value = found[layer].numpy()[0].astype(np.float64)
        middle = 48 >> (int(layer[len("block")]) - 1)
        flat = value.reshape(-1, value.shape[-1])
        ours = {
            "mean": value.mean(),
            "norm": np.linalg.norm(value),
            "max": value.max(),
            "gram_norm": np.linalg.norm(flat.T @ flat / len(flat)),
        }
        for name, figure in ours.items():
            assert figure == pytest.approx(figures[name], rel=1e-4), f"{name} of {layer}"
        theirs = figures["filters_0_to_4_at_centre"]
        np.testing.assert_allclose(
            value[middle, middle, :5], theirs, rtol=1e-3, atol=1e-4 * ours["max"], err_msg=layer
        )
