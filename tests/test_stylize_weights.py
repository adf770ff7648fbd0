"""Weights: every layout that is read, every file that is refused, and the download."""

from __future__ import annotations

import hashlib
import http.server
import io
import pickle
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
from made_weights import Bomb, Parts, make_layers, write_npz

from stylize.errors import DownloadError, WeightsError
from stylize.weights import (
    EMBEDDED,
    LAYERS,
    WIDTHS,
    Weights,
    choose_weights,
    describe_sources,
    download,
    embedded_path,
    load_weights,
    mat_child,
    verify,
)
from stylize.weights import cache as weight_cache
from stylize.weights import files as weight_files
from stylize.weights import readers as weight_readers
from stylize.weights.download import download_vgg19

ROOT = Path(__file__).resolve().parent.parent


def assert_same(weights: Weights, layers: Parts) -> None:
    assert tuple(weights.layers) == tuple(layers)
    for layer, (kernel, bias) in layers.items():
        np.testing.assert_array_equal(weights.layers[layer][0], kernel)
        np.testing.assert_array_equal(weights.layers[layer][1], bias)


def write_one(path: Path, name: str, array: np.ndarray) -> None:
    arrays: dict[str, Any] = {name: array}
    np.savez(path, **arrays)


def write_h5(path: Path, layers: Parts, kernel_name: str, bias_name: str, prefix: str = "") -> Path:
    """A Keras 1 or 2 file: `kernel_name` and `bias_name` with {} for the layer's name."""
    with h5py.File(path, "w") as file:
        root = file.require_group(prefix) if prefix else file
        root.attrs["layer_names"] = np.array(
            [name.encode() for name in ("input_1", *layers, "block1_pool", "fc1")]
        )
        for layer, (kernel, bias) in layers.items():
            names = [kernel_name.format(layer), bias_name.format(layer)]
            group = root.create_group(layer)
            group.attrs["weight_names"] = np.array([name.encode() for name in names])
            group[names[0]], group[names[1]] = kernel, bias
        root.create_group("block1_pool").attrs["weight_names"] = np.array([], "S1")
        root["fc1/fc1_W_1:0"], root["fc1/fc1_b_1:0"] = np.zeros((7, 5), "f4"), np.zeros(5, "f4")
    return path


def write_keras3(path: Path, layers: Parts, names: Callable[[int, str], str], attribute: bool) -> Path:
    with h5py.File(path, "w") as file:
        for index, (layer, parts) in enumerate(layers.items()):
            group = file.create_group(f"layers/{names(index, layer)}/vars")
            if attribute:
                group.attrs["name"] = layer
            group["0"], group["1"] = parts
        file["optimizer/vars/0"] = np.zeros(3)
        file.create_group("vars")
    return path


def write_mat(path: Path, layers: Parts, layout: str) -> Path:
    """MatConvNet's layouts: kernels (height, width, in, out) as they are, the first one for RGB."""
    cells = np.empty((1, 2 * len(layers) + 1), object)
    for index, (layer, (kernel, bias)) in enumerate(layers.items()):
        stored = kernel[:, :, ::-1, :] if layer == LAYERS[0] else kernel
        name = f"conv{layer[5]}_{layer[-1]}"
        pair = np.empty((1, 2), object)
        pair[0, 0], pair[0, 1] = stored, bias.reshape(-1, 1) if layout == "new" else bias.reshape(1, -1)
        cells[0, 2 * index] = {
            "new": {"name": name, "type": "conv", "weights": pair, "pad": np.ones((1, 4))},
            "beta16": {"weights": pair, "pad": np.ones((1, 4)), "type": "conv", "name": name},
            "old": {"type": "conv", "name": name, "filters": stored, "biases": pair[0, 1]},
        }[layout]
        cells[0, 2 * index + 1] = {"name": name.replace("conv", "relu"), "type": "relu"}
    cells[0, -1] = {"name": "fc6", "type": "conv", "filters": np.zeros((2, 2)), "biases": np.zeros(2)}
    scipy.io.savemat(path, {"layers": cells, "normalization": {"averageImage": np.zeros((2, 2, 3))}})
    return path


def refused(path: Path, *parts: str, **options: Any) -> None:
    """Assert that `path` is refused in one line that holds its name and every one of `parts`."""
    with pytest.raises(WeightsError) as caught:
        verify(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    for part in parts:
        assert part in message, message


# --- what is read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "layers", "limit"),
    [("vgg19", LAYERS, 19_000_000), ("vgg19-slim", LAYERS[: LAYERS.index("block5_conv2") + 1], 2_100_000)],
)
def test_the_networks_in_the_package(name: str, layers: tuple[str, ...], limit: int) -> None:
    path = embedded_path(name)
    weights = load_weights(name)
    assert (weights.name, weights.widths, tuple(weights.layers)) == (name, WIDTHS[name], layers)
    assert weights.sha256 == hashlib.sha256(path.read_bytes()).hexdigest() == EMBEDDED[name]
    assert weights.source == f"{name} inside the package"
    kernel, bias = weights.layers["block1_conv1"]
    assert kernel.dtype == bias.dtype == np.float32
    assert not kernel.flags.writeable
    assert path.stat().st_size < limit
    read = verify(path)  # as a file of the user's it says the same
    assert (read.name, read.sha256, tuple(read.layers)) == (name, weights.sha256, layers)


@pytest.mark.slow
def test_the_full_network_has_eight_bits_a_weight_and_float_biases() -> None:
    layers = load_weights("vgg19").layers
    assert all(np.unique(kernel).size <= 256 for kernel, _ in layers.values())
    assert all(np.unique(bias).size > 60 for _, bias in layers.values())


@pytest.mark.parametrize("name", EMBEDDED)
@pytest.mark.parametrize("harm", ["missing", "cut", "changed", "exchanged", "empty"])
def test_a_damaged_installation_is_one_line(
    name: str, harm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"{name}.npz"
    spoil(embedded_path("vgg19-slim"), path, harm)
    monkeypatch.setattr("stylize.weights.sources.embedded_path", lambda _: path)
    with pytest.raises(WeightsError) as caught:
        choose_weights(name)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    mend = "the installation is damaged; install Deep Fusion again as before, with pip's --force-reinstall ("
    assert mend in message
    assert "\n" not in message
    assert caught.value.exit_code == 2
    problems = {source.name: source.problem for source in describe_sources()}
    assert problems[name] == message


def spoil(good: Path, path: Path, harm: str) -> None:
    """Write what is no longer the network `good` to `path`, or nothing."""
    data = bytearray(good.read_bytes())
    if harm == "cut":
        data = data[: len(data) // 2]
    elif harm == "changed":
        data[len(data) // 2] ^= 1
    elif harm == "empty":
        data = bytearray()
    elif harm == "exchanged":
        write_npz(path, make_layers())
        return
    if harm != "missing":
        path.write_bytes(data)


@pytest.mark.parametrize(
    ("kernel_name", "bias_name", "prefix"),
    [
        ("{}_W_1:0", "{}_b_1:0", ""),
        ("{0}/kernel:0", "{0}/bias:0", ""),
        ("{0}/kernel", "{0}/bias", "model_weights"),
        ("kernel:0", "bias:0", "vgg19"),
    ],
    ids=["keras1-official", "keras2", "whole-model", "nested-model"],
)
def test_keras_layouts(tmp_path: Path, kernel_name: str, bias_name: str, prefix: str) -> None:
    layers = make_layers()
    path = write_h5(tmp_path / "vgg.h5", layers, kernel_name, bias_name, prefix)
    weights = verify(path)
    assert_same(weights, layers)
    assert (weights.name, weights.widths, weights.known_as) == ("custom", (4, 6), None)


@pytest.mark.parametrize("attribute", [True, False], ids=["auto-names", "own-names"])
def test_keras3_weights(tmp_path: Path, attribute: bool) -> None:
    layers = make_layers()
    path = tmp_path / "vgg.weights.h5"
    write_keras3(path, layers, lambda i, n: (f"conv2d_{i}" if i else "conv2d") if attribute else n, attribute)
    assert_same(verify(path), layers)


def test_keras3_automatic_names_alone_are_refused(tmp_path: Path) -> None:
    path = write_keras3(tmp_path / "vgg.weights.h5", make_layers(), lambda i, _: f"conv2d_{i}", False)
    refused(path, "no layer is named block1_conv1", "conv2d_0")


@pytest.mark.parametrize("layout", ["new", "beta16", "old"])
def test_matconvnet_layouts(tmp_path: Path, layout: str) -> None:
    layers = make_layers()
    assert_same(verify(write_mat(tmp_path / "vgg.mat", layers, layout)), layers)


@pytest.mark.slow
def test_matconvnet_orientation(tmp_path: Path) -> None:
    """Values of the real .mat, as published print-outs show them, land where the real Keras file has them."""
    in_mat = np.zeros((3, 3, 3, 1), np.float32)
    in_mat[0, 0, :, 0] = 0.39416704, 0.46418372, 0.34119523
    in_mat[0, 1, :, 0] = 0.37740308, 0.41810837, 0.33999205
    in_mat[1, 0, 0, 0] = 0.2671299
    layer = {"name": "conv1_1", "type": "conv", "filters": in_mat, "biases": np.zeros((1, 1), np.float32)}
    scipy.io.savemat(tmp_path / "vgg.mat", {"layers": [layer]})
    kernel, _ = verify(tmp_path / "vgg.mat").layers["block1_conv1"]
    np.testing.assert_allclose(kernel[0, 1, :, 0], (0.33999205, 0.41810837, 0.37740308))
    np.testing.assert_allclose(kernel[1, 0, 2, 0], 0.2671299)
    ours = load_weights("vgg19").layers["block1_conv1"][0][..., 0]  # to 8 bits
    np.testing.assert_allclose(kernel[0, :2, :, 0], ours[0, :2], atol=4e-3)
    np.testing.assert_allclose(kernel[1, 0, 2, 0], ours[1, 0, 2], atol=4e-3)


def test_npz_of_full_shapes(tmp_path: Path) -> None:
    layers: Parts = {}
    inputs = 3
    for layer in LAYERS:
        width = WIDTHS["vgg19"][int(layer[5]) - 1]
        layers[layer] = np.full((3, 3, inputs, width), 0.1, np.float32), np.zeros(width, np.float32)
        inputs = width
    weights = verify(write_npz(tmp_path / "vgg.npz", layers))
    assert (weights.name, weights.widths, tuple(weights.layers)) == ("vgg19", WIDTHS["vgg19"], LAYERS)


def test_the_first_blocks_of_the_full_network_are_a_vgg19(tmp_path: Path) -> None:
    blocks = dict(list(load_weights("vgg19").layers.items())[:8])
    weights = load_weights(write_npz(tmp_path / "blocks.npz", blocks))
    assert (weights.name, weights.widths) == ("vgg19", (64, 128, 256))
    assert_same(weights, blocks)


def write_coded(path: Path, layers: Parts, **changed: Any) -> Path:
    """Codes and a table for each kernel; `changed` are arrays of the first layer, None to leave one out."""
    random, arrays = np.random.default_rng(3), {}
    for layer, (kernel, bias) in layers.items():
        arrays[f"{layer}/codes"] = random.integers(0, 256, kernel.shape).astype(np.uint8)
        arrays[f"{layer}/table"] = np.sort(random.normal(size=256)).astype(np.float32)
        arrays[f"{layer}/bias"] = bias
    for part, values in changed.items():
        arrays[f"{LAYERS[0]}/{part}"] = values
    whole = {name: values for name, values in arrays.items() if values is not None}
    np.savez(path, allow_pickle=False, **whole)
    return path


def test_codes_and_a_table_are_a_kernel(tmp_path: Path) -> None:
    layers = make_layers()
    path = write_coded(tmp_path / "a.npz", layers)
    weights = verify(path)
    with np.load(path) as arrays:
        for layer, (kernel, bias) in weights.layers.items():
            np.testing.assert_array_equal(kernel, arrays[f"{layer}/table"][arrays[f"{layer}/codes"]])
            np.testing.assert_array_equal(bias, layers[layer][1])


def test_heads_of_arrays_are_read_in_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.11's `ast`, which NumPy reads them by, fails now and then when several threads use it."""
    read = np.lib.format.read_array

    def here(*arguments: Any, **named: Any) -> np.ndarray:
        assert threading.current_thread() is threading.main_thread()
        return read(*arguments, **named)

    monkeypatch.setattr(np.lib.format, "read_array", here)
    assert load_weights("vgg19-slim").name == "vgg19-slim"


@pytest.mark.parametrize(
    ("changed", "parts"),
    [
        ({"codes": None}, ["block1_conv1 must have a kernel, or codes and a table"]),
        ({"table": None}, ["block1_conv1 must have a kernel, or codes and a table"]),
        ({"kernel": np.zeros((3, 3, 3, 4), np.float32)}, ["must have a kernel, or codes and a table"]),
        ({"table": np.zeros(255, np.float32)}, ["a table of shape (255,)", "uint8 and (256,) are expected"]),
        ({"table": np.zeros((256, 1), np.float32)}, ["a table of shape (256, 1)"]),
        ({"table": np.zeros(256, np.int32)}, ["block1_conv1/table holds int32"]),
        ({"table": np.full(256, np.nan, np.float32)}, ["conv1 has 108 of 108 values that are not finite"]),
        ({"codes": np.zeros((3, 3, 3, 4), np.int64)}, ["the codes of block1_conv1 are int64"]),
        ({"codes": np.zeros((3, 3, 4), np.uint8)}, ["the kernel of block1_conv1 has shape (3, 3, 4)"]),
        ({"bias": None}, ["the bias of block1_conv1 is missing"]),
    ],
)  # fmt: skip
def test_codes_and_tables_that_will_not_do(changed: dict[str, Any], parts: list[str], tmp_path: Path) -> None:
    refused(write_coded(tmp_path / "a.npz", make_layers(), **changed), *parts)


def test_half_and_double_precision_become_float32(tmp_path: Path) -> None:
    layers = make_layers(2)
    for kind in (np.float16, np.float64):
        stored = {name: (kernel.astype(kind), bias.astype(kind)) for name, (kernel, bias) in layers.items()}
        weights = verify(write_npz(tmp_path / "a.npz", stored))
        assert weights.layers["block1_conv2"][0].dtype == np.float32
        np.testing.assert_allclose(
            weights.layers["block1_conv2"][0], layers["block1_conv2"][0], rtol=1e-3, atol=1e-3
        )


def write_tapped(path: Path, layers: Parts, taps: dict[str, np.ndarray]) -> Path:
    """An .npz with taps beside the layers."""
    with np.load(write_npz(path, layers)) as file:
        arrays: dict[str, Any] = dict(file)
    arrays |= {f"{layer}/tap": tap for layer, tap in taps.items()}
    np.savez(path, allow_pickle=False, **arrays)
    return path


def made_taps(layers: Parts) -> dict[str, np.ndarray]:
    """Of the first layer and the last."""
    random = np.random.default_rng(2)
    widths = {layer: layers[layer][1].size for layer in (next(iter(layers)), list(layers)[-1])}
    return {layer: random.normal(size=(width, width)).astype(np.float32) for layer, width in widths.items()}


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_taps_are_read_beside_the_layers_that_have_them(kind: type, tmp_path: Path) -> None:
    layers = make_layers()
    taps: dict[str, np.ndarray] = {layer: tap.astype(kind) for layer, tap in made_taps(layers).items()}
    weights = verify(write_tapped(tmp_path / "a.npz", layers, taps))
    assert_same(weights, layers)
    again = pickle.loads(pickle.dumps(weights))
    for read in (weights, again):
        assert list(read.taps) == list(taps)
        for layer, tap in taps.items():
            assert read.taps[layer].dtype == np.float32
            np.testing.assert_array_equal(read.taps[layer], tap.astype(np.float32))
    assert not any(tap.flags.writeable for tap in weights.taps.values())


def test_slim_networks_that_lack_taps_are_told(tmp_path: Path) -> None:
    whole = load_weights("vgg19-slim")
    taps: dict[str, np.ndarray] = dict(whole.taps)
    del taps["block3_conv1"]
    for given, lacking in ((taps, 1), ({}, 14)):
        path = write_tapped(tmp_path / "a.npz", dict(whole.layers), given)
        _, note = choose_weights("vgg19-slim", file=path)
        assert note is not None
        assert note.startswith(f"{path}: is without taps for {lacking} of its 14 layers")
    path = write_tapped(tmp_path / "a.npz", dict(whole.layers), dict(whole.taps))
    assert choose_weights("vgg19-slim", file=path)[1] is None


def test_most_files_have_no_taps(tmp_path: Path) -> None:
    layers = make_layers()
    write_npz(tmp_path / "a.npz", layers)
    write_mat(tmp_path / "a.mat", layers, "new")
    write_h5(tmp_path / "a.h5", layers, "kernel:0", "bias:0")
    for suffix in ("npz", "mat", "h5"):
        assert verify(tmp_path / f"a.{suffix}").taps == {}
    assert load_weights("vgg19").taps == {}


def test_right_hash_passes_in_any_case(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", make_layers())
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    assert load_weights(str(path), sha256=f" {right.upper()}").sha256 == right


# --- what is refused ----------------------------------------------------------------------------------------


def test_missing_file_names_the_near_miss(tmp_path: Path) -> None:
    write_npz(tmp_path / "vgg19-mine.npz", make_layers())
    refused(tmp_path / "vgg19-nine.npz", "no such file", "did you mean vgg19-mine.npz?")
    refused(tmp_path / "none" / "a.npz", f"the folder {tmp_path / 'none'} does not exist")
    refused(tmp_path, "not a file")
    with pytest.raises(WeightsError, match="VGG-19: neither a backbone nor a file; did you mean vgg19"):
        load_weights("VGG-19")


@pytest.mark.parametrize("suffix", [".h5", ".mat", ".npz", ".bin"])
def test_plainly_wrong_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"vgg{suffix}"
    path.write_bytes(b"\n <!DOCTYPE html><html><body>Log in</body></html>")
    refused(path, "a web page was saved instead of the weights")
    path.write_bytes(b"")
    refused(path, "empty")
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n")
    refused(path, "Git LFS pointer")
    path.write_bytes(b"\x00\x01garbage" * 50)
    refused(path, "unknown kind of weight file '.bin'" if suffix == ".bin" else f"not a {suffix} file")


def test_suffix_at_odds_with_content(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", make_layers())
    refused(path.rename(tmp_path / "a.h5"), "rename it to end in .npz")
    path = write_h5(tmp_path / "b.h5", make_layers(), "kernel:0", "bias:0")
    refused(path.rename(tmp_path / "b.mat"), "MATLAB 7.3", "-v7")


def test_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_npz(tmp_path / "a.npz", make_layers())
    monkeypatch.setattr(weight_files, "SIZE_LIMIT", 1000)
    refused(path, "more than the limit of 1,000")
    monkeypatch.setattr(weight_files, "SIZE_LIMIT", 10**9)
    monkeypatch.setattr(weight_readers, "SIZE_LIMIT", 1000)
    refused(path, "unpacks to more than 1,000 bytes")


@pytest.mark.parametrize("kind", ["h5", "mat", "npz"])
def test_cut_off(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"vgg.{kind}"
    if kind == "h5":
        write_h5(path, make_layers(), "kernel:0", "bias:0")
    else:
        write_mat(path, make_layers(), "new") if kind == "mat" else write_npz(path, make_layers())
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    refused(path, f"damaged or cut-off .{kind} file", "fetch it again")


def test_a_mat_that_crashes_its_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SciPy crashes on some damaged files; only the reading process may go."""
    path = write_mat(tmp_path / "vgg.mat", make_layers(), "new")
    (tmp_path / "child.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    monkeypatch.setattr(mat_child, "__file__", str(tmp_path / "child.py"))
    refused(path, "damaged or cut-off .mat file (the reader crashed on it)")
    (tmp_path / "child.py").write_text("import time; time.sleep(9)")
    monkeypatch.setattr(weight_readers, "MAT_TIMEOUT", 0.2)
    refused(path, "not read within 0.2 seconds")


def test_damaged_npz_member(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", make_layers())
    data = bytearray(path.read_bytes())
    data[400] ^= 255
    path.write_bytes(bytes(data))
    refused(path, "damaged or cut-off .npz file", "CRC")


def test_wrong_shapes_name_both(tmp_path: Path) -> None:
    layers = make_layers(4)
    layers["block2_conv1"] = np.zeros((6, 4, 3, 3), np.float32), layers["block2_conv1"][1]  # Theano's order
    refused(write_npz(tmp_path / "a.npz", layers), "block2_conv1", "(6, 4, 3, 3)", "(3, 3, 4, 3)")
    layers = make_layers(4)
    layers["block1_conv2"] = layers["block1_conv2"][0], np.zeros(5, np.float32)
    refused(write_npz(tmp_path / "a.npz", layers), "the bias of block1_conv2", "(5,)", "(4,)")


def test_wrong_shapes_of_a_known_network_name_the_layer_at_fault(tmp_path: Path) -> None:
    layers = make_layers(4, (16, 32, 64, 128, 128))
    layers["block2_conv1"] = np.zeros((3, 3, 16, 31), np.float32), np.zeros(31, np.float32)
    refused(write_npz(tmp_path / "a.npz", layers), "block2_conv1", "(3, 3, 16, 31)", "(3, 3, 16, 32)")


def test_missing_layer_and_missing_part(tmp_path: Path) -> None:
    layers = make_layers(9)
    del layers["block3_conv4"]
    refused(write_npz(tmp_path / "a.npz", layers), "block3_conv4 is missing", "VGG-16")
    write_one(tmp_path / "b.npz", "block1_conv1/kernel", np.zeros((3, 3, 3, 4), np.float32))
    refused(tmp_path / "b.npz", "the bias of block1_conv1 is missing")


def test_not_finite(tmp_path: Path) -> None:
    layers = make_layers()
    layers["block1_conv2"][0][0, 0, 0, :2] = np.nan, np.inf
    said = "the kernel of block1_conv2 has 2 of 144 values that are not finite"
    refused(write_npz(tmp_path / "a.npz", layers), said)


@pytest.mark.parametrize(("factor", "said"), [(0.0, "no value but 0"), (1e20, "values of up to")])
@pytest.mark.parametrize("part", ["kernel", "tap"])
def test_values_that_no_training_leaves(part: str, factor: float, said: str, tmp_path: Path) -> None:
    layers, path = make_layers(), tmp_path / "a.npz"
    taps = made_taps(layers)
    last = list(layers)[-1]
    if part == "kernel":
        layers[last] = layers[last][0] * np.float32(factor), layers[last][1]
    else:
        taps[last] = taps[last] * np.float32(factor)
    refused(write_tapped(path, layers, taps), f"the {part} of {last} has {said}", "damaged, fetch it again")


def test_taps_that_will_not_do(tmp_path: Path) -> None:
    """Of another shape, with values that are no numbers, of no numbers, and of no layer."""
    layers, path = make_layers(), tmp_path / "a.npz"
    for shape in ((4, 3), (6, 6), (4,), (4, 4, 1)):
        tap = np.zeros(shape, np.float32)
        said = f"the tap of block1_conv2 must be 4 x 4; it is {shape}"
        refused(write_tapped(path, layers, {"block1_conv2": tap}), said)
    for value in (np.nan, np.inf):
        tap = np.zeros((6, 6), np.float32)
        tap[1, 2] = value
        said = "the tap of block2_conv1 has 1 of 36 values that are not finite"
        refused(write_tapped(path, layers, {"block2_conv1": tap}), said)
    tap = np.zeros((4, 4), int)
    refused(write_tapped(path, layers, {"block1_conv1": tap}), "block1_conv1/tap holds int64, not floating")
    lonely = {"block2_conv2": np.zeros((6, 6), np.float32)}
    refused(write_tapped(path, layers, lonely), "the kernel of block2_conv2 is missing")


def test_wrong_hash_says_expected_and_got(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", make_layers())
    got = hashlib.sha256(path.read_bytes()).hexdigest()
    refused(path, f"expected SHA-256 {'0' * 64}, got {got}", sha256="0" * 64)
    with pytest.raises(WeightsError, match="'abc' is not a SHA-256"):
        verify(path, sha256="abc")


def test_pickles_are_refused(tmp_path: Path) -> None:
    write_one(tmp_path / "a.npz", "block1_conv1/kernel", np.array([Bomb()], object))
    refused(tmp_path / "a.npz", "pickled Python objects", "block1_conv1/kernel")
    (tmp_path / "b.npz").write_bytes(pickle.dumps(Bomb()))
    refused(tmp_path / "b.npz", "not a .npz file")


def test_other_arrays_and_other_types_are_refused(tmp_path: Path) -> None:
    write_one(tmp_path / "a.npz", "input/kernel", np.zeros((1, 1, 3, 3), np.float32))
    refused(tmp_path / "a.npz", "unknown array 'input/kernel'")
    write_one(tmp_path / "b.npz", "block1_conv1/kernel", np.zeros((3, 3, 3, 4), int))
    refused(tmp_path / "b.npz", "int64, not floating-point")
    np.savez(tmp_path / "c.npz")
    refused(tmp_path / "c.npz", "holds no layers")


def test_hdf5_links_out_of_the_file_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["kernel"] = np.zeros((3, 3, 3, 4), np.float32)
    for name, link in (
        ("external", h5py.ExternalLink("other.h5", "/kernel")),
        ("symbolic", h5py.SoftLink("/elsewhere")),
    ):
        path = tmp_path / f"{name}.h5"
        with h5py.File(path, "w") as file:
            file.create_group("block1_conv1")["kernel:0"] = link
        refused(path, f"/block1_conv1/kernel:0 is an {name} link".replace("an symbolic", "a symbolic"))
    path = tmp_path / "root.h5"
    with h5py.File(path, "w") as file:
        file["block1_conv1"] = h5py.ExternalLink("other.h5", "/")
    refused(path, "an external link")


def test_hdf5_arrays_kept_elsewhere_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["kernel"] = np.zeros((3, 3, 3, 4), np.float32)
    layout = h5py.VirtualLayout((3, 3, 3, 4), np.float32)
    layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "kernel", (3, 3, 3, 4))
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.create_group("block1_conv1").create_virtual_dataset("kernel:0", layout)
    refused(tmp_path / "virtual.h5", "kept in another file")
    (tmp_path / "raw").write_bytes(bytes(432))
    with h5py.File(tmp_path / "external.h5", "w") as file:
        storage = [(str(tmp_path / "raw"), 0, 432)]
        file.create_dataset("block1_conv1/kernel:0", (3, 3, 3, 4), "f4", external=storage)
    refused(tmp_path / "external.h5", "in another file")


def test_hdf5_that_would_not_end_or_fit_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "loop.h5", "w") as file:
        file.create_group("a")["b"] = file["/"]
    refused(tmp_path / "loop.h5", "too deep or too full")
    with h5py.File(tmp_path / "huge.h5", "w") as file:
        file.create_dataset("block1_conv1/kernel:0", (3, 3, 3, 10**8), "f4", chunks=(3, 3, 3, 100))
    refused(tmp_path / "huge.h5", "block1_conv1/kernel:0 has shape (3, 3, 3, 100000000)")


@pytest.mark.slow
def test_files_of_other_networks(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"x": np.zeros(3)})
    refused(tmp_path / "a.mat", "no variable named 'layers'")
    layer = {"name": "conv1_3", "type": "conv", "filters": np.zeros((3, 3, 3, 4)), "biases": np.zeros(4)}
    scipy.io.savemat(tmp_path / "d.mat", {"net": {"layers": [layer]}})
    refused(tmp_path / "d.mat", "has a layer conv1_3, which VGG-19 has not")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["conv1/kernel:0"] = np.zeros(3)
    refused(tmp_path / "b.h5", "no layer is named block1_conv1", "conv1")
    with h5py.File(tmp_path / "c.h5", "w"):
        pass
    refused(tmp_path / "c.h5", "it holds no layers at all")


# --- the download -------------------------------------------------------------------------------------------


class Server(http.server.ThreadingHTTPServer):
    """Answers by path: good, html, short, wrong, missing, redirect, stall, silent."""

    daemon_threads = True
    good = b""
    asked = 0
    released = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: Any) -> None:
        """Keep the tests quiet."""

    def do_GET(self) -> None:
        self.server.asked += 1
        kind, good = self.path.strip("/"), self.server.good
        body = {"html": b"<html>log in</html>", "wrong": bytes(len(good)), "long": good + b"x"}.get(
            kind, good
        )
        if kind == "silent":
            self.server.released.wait(10)
            return
        self.send_response({"missing": 404, "redirect": 302}.get(kind, 200))
        if kind == "redirect":
            self.send_header("Location", "ftp://127.0.0.1/vgg19.h5")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if kind in ("short", "stall") else body)
        if kind == "stall":
            self.wfile.flush()
            self.server.released.wait(10)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Keras cache, and no word from the environment."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("DEEPFUSION_OFFLINE", raising=False)
    return weight_cache.cache_path()


@pytest.fixture
def server(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server on 127.0.0.1 whose good file is the pinned one."""
    path = write_h5(tmp_path / "good.h5", make_layers(16, seed=5), "{}_W_1:0", "{}_b_1:0")
    running = Server(("127.0.0.1", 0), Handler)
    running.good, running.released = path.read_bytes(), threading.Event()
    md5 = hashlib.md5(running.good, usedforsecurity=False).hexdigest()
    monkeypatch.setattr(weight_cache, "VGG19_PIN", weight_cache.Pin(len(running.good), md5))
    monkeypatch.setattr(download, "_PLAIN_HTTP_HOSTS", frozenset({"127.0.0.1"}))
    monkeypatch.setattr(urllib.request, "getproxies", dict)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield running
    running.released.set()
    running.shutdown()
    running.server_close()


def url_of(server: Server, kind: str) -> str:
    return f"http://127.0.0.1:{server.server_port}/{kind}"


def test_download(server: Server, cache: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    path = download_vgg19(url=url_of(server, "good"), progress=lambda *args: seen.append(args))
    size = len(server.good)
    assert path == cache
    assert path.read_bytes() == server.good
    assert seen[-1] == (size, size)
    record = f"{path.name}.sha256"
    assert sorted(entry.name for entry in path.parent.iterdir()) == [path.name, record]
    assert (path.parent / record).read_text() == f"{hashlib.sha256(server.good).hexdigest()}  {path.name}\n"
    assert download_vgg19(url="ftp://never.asked") == path
    assert server.asked == 1
    assert_same(load_weights(path), make_layers(16, seed=5))
    assert load_weights("vgg19").sha256 == EMBEDDED["vgg19"]  # a copy in the cache changes no job


def test_a_bad_cached_file_is_fetched_again(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_bytes(server.good[:-9])
    monkeypatch.setenv("DEEPFUSION_OFFLINE", "1")
    with pytest.raises(DownloadError, match=r"expected bytes .* got .* forbids to fetch"):
        download_vgg19(url=url_of(server, "good"))
    monkeypatch.setenv("DEEPFUSION_OFFLINE", "0")
    assert download_vgg19(url=url_of(server, "good")).read_bytes() == server.good


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("html", "a web page came instead of the weights"),
        ("short", "the connection ended after"),
        ("wrong", "not the known file: expected MD5"),
        ("long", "more came than"),
        ("missing", "answered 404"),
        ("redirect", "ftp://127.0.0.1/vgg19.h5: refused, weights are fetched over https only"),
    ],
)
def test_bad_answers(server: Server, cache: Path, kind: str, text: str) -> None:
    with pytest.raises(DownloadError) as caught:
        download_vgg19(url=url_of(server, kind))
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(cache.parent.iterdir())
    assert caught.value.exit_code == 1


def test_a_pinned_sha256_is_required(server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pin = weight_cache.VGG19_PIN
    monkeypatch.setattr(weight_cache, "VGG19_PIN", weight_cache.Pin(pin.size, pin.md5, "0" * 64))
    with pytest.raises(DownloadError, match=f"expected SHA-256 {'0' * 64}, got "):
        download_vgg19(url=url_of(server, "good"))
    assert not list(cache.parent.iterdir())


@pytest.mark.parametrize(
    ("kind", "text"), [("stall", "nothing came for 0.3"), ("silent", "no answer in 0.3")]
)
def test_stalls_are_bounded(server: Server, kind: str, text: str) -> None:
    start = time.monotonic()
    with pytest.raises(DownloadError, match=text):
        download_vgg19(url=url_of(server, kind), timeout=0.3)
    assert time.monotonic() - start < 3


@pytest.mark.parametrize(
    "error", [TimeoutError("timed out"), urllib.error.URLError(TimeoutError("timed out"))]
)
def test_the_sockets_own_time_out_is_no_answer(
    server: Server, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def open_(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(urllib.request.OpenerDirector, "open", open_)
    with pytest.raises(DownloadError, match=r"no answer in 30 seconds"):
        download_vgg19(url=url_of(server, "good"), timeout=30)


def test_total_time_and_rate_are_bounded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DownloadError, match="not finished after 0 seconds"):
        download_vgg19(url=url_of(server, "good"), total=0)
    monkeypatch.setattr(download, "RATE_WINDOW", 0.0)
    monkeypatch.setattr(download, "MINIMUM_RATE", 1 << 60)
    with pytest.raises(DownloadError, match="slower than"):
        download_vgg19(url=url_of(server, "good"))


def test_https_only(cache: Path) -> None:
    with pytest.raises(DownloadError, match="https only"):
        download_vgg19(url="http://127.0.0.1:1/vgg19.h5")
    assert not cache.parent.exists()


def test_offline(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPFUSION_OFFLINE", "1")
    with pytest.raises(DownloadError, match=r"is not at .* DEEPFUSION_OFFLINE forbids to fetch it"):
        download_vgg19()
    assert not cache.parent.exists()


def test_unwritable_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "file"))
    monkeypatch.delenv("DEEPFUSION_OFFLINE", raising=False)
    with pytest.raises(DownloadError, match="cannot be written to"):
        download_vgg19()


def test_a_cached_file_that_changed_is_refused(server: Server, cache: Path) -> None:
    download_vgg19(url=url_of(server, "good"))
    record = cache.with_name(cache.name + ".sha256")
    record.write_text("0" * 64)
    with pytest.raises(WeightsError, match=f"expected SHA-256 {'0' * 64}"):
        weight_cache.accept(cache)


# --- the choice ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", EMBEDDED)
def test_without_a_file_it_is_the_packages_network(
    name: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever lies in Keras' cache; and nobody is asked for anything."""
    monkeypatch.setattr(download, "_open", lambda *_: pytest.fail("the network was asked"))
    cache.parent.mkdir(parents=True)
    cache.write_bytes(b"rubbish")
    weights, note = choose_weights(name)
    assert (weights.name, weights.sha256, note) == (name, EMBEDDED[name], None)
    assert choose_weights()[0].name == "vgg19"


def test_a_file_replaces_the_packages_network_and_another_one_is_noted(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "mine.npz", make_layers())
    weights, note = choose_weights("vgg19", file=path)
    assert weights.name == "custom"
    assert note == f"{path}: holds custom, which is used in place of vgg19"
    slim = embedded_path("vgg19-slim")
    weights, note = choose_weights("vgg19", file=slim)
    assert weights.name == "vgg19-slim"
    assert note == f"{slim}: holds vgg19-slim, which is used in place of vgg19"
    assert choose_weights("vgg19-slim", file=slim)[1] is None
    with pytest.raises(WeightsError, match="expected SHA-256"):
        choose_weights(file=path, sha256="1" * 64)
    with pytest.raises(WeightsError, match="without a file"):
        choose_weights(sha256="1" * 64)
    for name in ("vgg16", "auto"):
        with pytest.raises(WeightsError, match=f"unknown backbone '{name}'; use vgg19 or vgg19-slim"):
            choose_weights(name)


@pytest.mark.slow
def test_sources(server: Server, cache: Path) -> None:
    full, slim, keras, *kinds = describe_sources()
    for name, source in (("vgg19", full), ("vgg19-slim", slim)):
        assert (source.name, source.present, source.sha256) == (name, True, EMBEDDED[name])
    assert (keras.name, keras.present, keras.where) == ("Keras float32", False, str(cache))
    assert [kind.present for kind in kinds] == [None] * 3
    assert server.asked == 0
    download_vgg19(url=url_of(server, "good"))
    keras = describe_sources()[2]
    assert (keras.present, keras.size, keras.problem) == (True, len(server.good), None)
    cache.write_bytes(b"cut")
    keras = describe_sources()[2]
    assert keras.size == 3
    assert keras.problem is not None
    assert "got 3;" in keras.problem


# --- the import ---------------------------------------------------------------------------------------------


def test_importing_loads_no_readers() -> None:
    code = (
        "import sys, stylize.weights; print([m for m in ('h5py', 'scipy', 'tensorflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_html_is_known_by_its_start() -> None:
    assert weight_files.looks_like_html(b"\xef\xbb\xbf  <HTML lang='en'>")
    assert not weight_files.looks_like_html(io.BytesIO(b"\x89HDF").read())
