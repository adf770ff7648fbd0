"""Reading VGG weights out of Keras (.h5), MatConvNet (.mat) and NumPy (.npz) files: arrays only.

Nothing here runs code from a file: no pickle, no `load_model`; HDF5 files may not point outside themselves.
Every reader returns kernels as Keras keeps them: (height, width, in, out), first layer for BGR input.
"""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylize.errors import WeightsError
from stylize.layers import LAYERS
from stylize.weights import mat_child
from stylize.weights.files import SIZE_LIMIT, Array, Layers, Taps, as_float32, check_file, pair, parsing

ARRAY_LIMIT = 16 * 10**6
"""The most numbers one array may claim to hold; VGG-19's largest kernel has 2.4 million."""
OBJECT_LIMIT = 20_000
DEPTH_LIMIT = 12
MAT_TIMEOUT = 300.0
"""Seconds after which reading a .mat is given up."""


# --- .npz ---------------------------------------------------------------------------------------------------


def _read_npz(path: Path) -> Layers:
    """Arrays named <layer>/kernel and <layer>/bias; or, for a kernel, <layer>/codes and <layer>/table.

    Codes are uint8 of the kernel's shape, places in the table of at most 256 float values: a kernel in eight
    bits. There may be a <layer>/tap as well (`read_taps`). Any other name is refused: it is another network.
    """
    with parsing(path, ".npz"), zipfile.ZipFile(path) as archive:
        members = _npz_members(path, archive)
        arrays = {name: _npy_array(path, archive, member) for name, member in members.items()}
        layers = dict.fromkeys(name.rpartition("/")[0] for name in members)
        return {layer: _npz_layer(path, layer, arrays) for layer in layers}


def _read_npz_taps(path: Path) -> Taps:
    with parsing(path, ".npz"), zipfile.ZipFile(path) as archive:
        members = _npz_members(path, archive)
        return {
            name.rpartition("/")[0]: as_float32(path, name, _npy_array(path, archive, member))
            for name, member in members.items()
            if name.endswith("/tap")
        }


def _npz_members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The arrays of the file by name; WeightsError for what does not belong into one."""
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        layer, _, part = name.rpartition("/")
        if layer not in LAYERS or part not in ("kernel", "codes", "table", "bias", "tap"):
            raise WeightsError(
                f"{path}: unknown array {name!r}; an .npz holds block1_conv1/kernel, block1_conv1/bias "
                "and so on to block5_conv4, and nothing else"
            )
        if name in members:
            raise WeightsError(f"{path}: holds {name} twice")
        members[name] = member
    sizes = [member.file_size * (4 if name.endswith("codes") else 1) for name, member in members.items()]
    if sum(sizes) > SIZE_LIMIT:  # a code becomes a float of four bytes
        raise WeightsError(f"{path}: unpacks to more than {SIZE_LIMIT:,} bytes; not a VGG file")
    return members


def _npz_layer(path: Path, layer: str, arrays: dict[str, NDArray[Any]]) -> tuple[Array, Array]:
    found = {
        part: as_float32(path, f"{layer}/{part}", arrays[f"{layer}/{part}"])
        for part in ("kernel", "table", "bias")
        if f"{layer}/{part}" in arrays
    }
    codes = arrays.get(f"{layer}/codes")
    if codes is not None or "table" in found:
        found["kernel"] = _looked_up(path, layer, codes, found)
    return pair(path, layer, found)


def _looked_up(path: Path, layer: str, codes: NDArray[Any] | None, found: dict[str, Array]) -> Array:
    """A kernel from its codes and table."""
    if codes is None or "table" not in found or "kernel" in found:
        raise WeightsError(f"{path}: {layer} must have a kernel, or codes and a table")
    table = found["table"]
    if codes.dtype != np.uint8 or table.ndim != 1 or table.size != 256:
        raise WeightsError(
            f"{path}: the codes of {layer} are {codes.dtype} with a table of shape {table.shape}; "
            "uint8 and (256,) are expected"
        )
    return np.take(table, codes)


def _npy_array(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as file:
        try:
            return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
        except ValueError as error:
            if "pickle" not in str(error):
                raise
            raise WeightsError(
                f"{path}: {member.filename} holds pickled Python objects, which could run code; "
                "only plain arrays are read"
            ) from error


# --- Keras .h5 ----------------------------------------------------------------------------------------------


def _read_h5(path: Path) -> Layers:
    """Keras' weights in any of its layouts; a layer is found by its name, wherever in the file it stands.

    Keras 1 (the official file): ``block1_conv1/block1_conv1_W_1:0`` and ``..._b_1:0``. Keras 2:
    ``block1_conv1/block1_conv1/kernel:0`` and ``bias:0``, under ``model_weights`` in a whole saved model.
    Keras 3: ``layers/conv2d/vars/0`` and ``1``, the layer's own name being an attribute of ``vars``, or
    ``layers/block1_conv1/vars/0``. A kernel has four axes and a bias one, so those need no names.
    """
    import h5py

    layers: Layers = {}
    others: list[str] = []
    with parsing(path, ".h5"), h5py.File(path, "r") as file:
        walk = _Walk(path, h5py)
        for name, group in walk.layer_groups(file):
            if name not in LAYERS:
                others.append(name)
            elif name in layers:
                raise WeightsError(f"{path}: holds the layer {name} twice; save VGG-19 alone")
            else:
                layers[name] = _h5_layer(path, name, walk.datasets(group))
    if not layers:
        seen = f"its layers are {', '.join(others[:4])} ..." if others else "it holds no layers at all"
        raise WeightsError(f"{path}: no layer is named block1_conv1, as Keras' VGG19 names them; {seen}")
    return layers


class _Walk:
    """A walk over an HDF5 file that follows nothing but plain members and ends on any file."""

    def __init__(self, path: Path, h5py: Any) -> None:
        self.path, self.h5py, self.seen = path, h5py, 0

    def members(self, group: Any) -> Iterator[tuple[str, Any]]:
        """Members of a group. Links out of the file, or around in it, are refused before they are opened."""
        for key in group:
            self.seen += 1
            where = f"{group.name.rstrip('/')}/{key}"
            kind = group.id.links.get_info(key.encode()).type
            if kind != self.h5py.h5l.TYPE_HARD:
                word = "an external" if kind == self.h5py.h5l.TYPE_EXTERNAL else "a symbolic"
                raise WeightsError(f"{self.path}: {where} is {word} link; only arrays in the file are read")
            if self.seen > OBJECT_LIMIT or where.count("/") > DEPTH_LIMIT:
                raise WeightsError(f"{self.path}: too deep or too full for VGG weights (at {where[:80]})")
            yield key, group[key]

    def layer_groups(self, group: Any) -> Iterator[tuple[str, Any]]:
        """(layer name, group) of each layer; optimiser states, which repeat the names, are left out."""
        for key, item in self.members(group):
            if not isinstance(item, self.h5py.Group) or key in ("optimizer", "optimizer_weights", "vars"):
                continue
            children = dict(self.members(item))
            name = _own_name(children.get("vars"), key)
            holds_arrays = any(isinstance(child, self.h5py.Dataset) for child in children.values())
            if name in LAYERS or holds_arrays or "vars" in children:
                yield name, item
            if name not in LAYERS:
                yield from self.layer_groups(item)

    def datasets(self, group: Any) -> Iterator[Any]:
        """All arrays below a layer's group."""
        for _, item in self.members(group):
            if isinstance(item, self.h5py.Dataset):
                yield item
            else:
                yield from self.datasets(item)


def _own_name(variables: Any, key: str) -> str:
    """A Keras 3 layer's name, kept beside its numbered variables, or else the group's."""
    name = key if variables is None else variables.attrs.get("name", key)
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)


def _h5_layer(path: Path, layer: str, datasets: Iterator[Any]) -> tuple[Array, Array]:
    found: dict[str, Array] = {}
    for data in datasets:
        if data.is_virtual or data.external:
            raise WeightsError(f"{path}: {data.name} is kept in another file; refused")
        part = {4: "kernel", 1: "bias"}.get(len(data.shape or ()))
        if part is None or part in found or data.size > ARRAY_LIMIT:
            raise WeightsError(
                f"{path}: {data.name} has shape {data.shape}; a kernel and a bias are expected"
            )
        found[part] = as_float32(path, data.name, data[()])
    return pair(path, layer, found)


# --- MatConvNet .mat ----------------------------------------------------------------------------------------


def _read_mat(path: Path) -> Layers:
    """MatConvNet's ``imagenet-vgg-verydeep-19.mat``, in its older and newer layouts.

    Kernels are stored (height, width, in, out), as TensorFlow wants them: they must *not* be transposed.
    Many programs do transpose them, for MatConvNet's manual calls the axes "FW x FH"; but its importer
    (``import-caffe.py``) turns Caffe's arrays to height first, and the values settle it: in the file,
    conv1_1[0, 1, :, 0] is Keras' block1_conv1[0, 1, ::-1, 0] (0.3774, 0.4181, 0.3400), not [1, 0, ...].
    A transposed network sees every picture mirrored along its diagonal.

    The same values show the one thing to turn round: the file's first layer takes RGB, Keras' takes BGR.
    """
    with parsing(path, ".mat"), np.load(io.BytesIO(_run_mat_child(path)), allow_pickle=False) as stored:
        arrays = dict(stored)
    layers: Layers = {}
    for name in sorted({key.partition("/")[0] for key in arrays}):
        layer = f"block{name[4]}_conv{name[-1]}"
        if layer not in LAYERS:
            raise WeightsError(f"{path}: has a layer {name}, which VGG-19 has not")
        bias = as_float32(path, f"the bias of {name}", arrays[f"{name}/bias"]).reshape(-1)
        kernel = as_float32(path, f"the kernel of {name}", arrays[f"{name}/kernel"])
        kernel = kernel.reshape(kernel.shape + (1,) * (4 - kernel.ndim))  # MATLAB drops trailing axes of 1
        layers[layer] = np.ascontiguousarray(kernel[:, :, ::-1]) if layer == LAYERS[0] else kernel, bias
    if not layers:
        raise WeightsError(f"{path}: no layer is named conv1_1, as MatConvNet's VGG-19 names them")
    return layers


def _run_mat_child(path: Path) -> bytes:
    """What `mat_child` makes of a file, in a process of its own: SciPy may crash on a damaged one."""
    command = [sys.executable, "-I", str(Path(mat_child.__file__)), str(path.resolve())]
    try:
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=MAT_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise WeightsError(f"{path}: not read within {MAT_TIMEOUT:g} seconds; use the .h5 file") from error
    if done.returncode == mat_child.NOT_A_NETWORK:
        raise WeightsError(f"{path}: no variable named 'layers'; a MatConvNet network has one")
    if done.returncode < 0:
        raise ValueError("the reader crashed on it")
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ValueError(lines[-1] if lines else "unreadable")
    return done.stdout


_READERS: dict[str, Callable[[Path], Layers]] = {
    ".h5": _read_h5,
    ".hdf5": _read_h5,
    ".mat": _read_mat,
    ".npz": _read_npz,
}


def read_layers(path: Path) -> Layers:
    """The convolutional layers in a weight file; dense layers and everything else are left out.

    Raises
    ------
    WeightsError
        In one line, for any file that is not what its name says.
    """
    check_file(path)
    return _READERS[path.suffix.lower()](path)


def read_taps(path: Path) -> Taps:
    """The taps in a weight file; only an .npz has any.

    Raises
    ------
    WeightsError
        As `read_layers`.
    """
    check_file(path)
    return _read_npz_taps(path) if path.suffix.lower() == ".npz" else {}
