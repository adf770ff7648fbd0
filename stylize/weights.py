"""The weights of the two backbones: where they come from, what they must be, which of them to use.

Sources: the ``vgg19-slim`` inside the package; Keras' official VGG-19 file, fetched on first use into Keras'
cache; and a local ``.h5``, ``.mat`` or ``.npz``. All are arrays only, in Keras' convention: kernels
(height, width, in, out), the first one for BGR input.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from stylize.download import Progress, download_vgg19
from stylize.errors import DownloadError, WeightsError
from stylize.layers import LAYERS, block_of
from stylize.weight_cache import (
    RETRY_AFTER,
    VGG19_PIN,
    accept,
    cache_path,
    cache_trouble,
    is_offline,
    recent_failure,
    remember_failure,
)
from stylize.weight_files import Array, Fingerprint, Layers, check_file, check_hash, fingerprint
from stylize.weight_readers import read_layers

__all__ = [
    "LAYERS",
    "WIDTHS",
    "SourceInfo",
    "Weights",
    "cache_path",
    "choose_backbone",
    "describe_sources",
    "download_vgg19",
    "embedded_path",
    "load_weights",
    "verify",
]

WIDTHS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"vgg19": (64, 128, 256, 512, 512), "vgg19-slim": (16, 32, 64, 128, 128)}
)
"""Channels of each of the five blocks, by backbone."""

VGG19_LICENCE = "CC BY 4.0 (K. Simonyan and A. Zisserman)"
SLIM_LICENCE = "MIT (trained for this project)"

KNOWN_FILES: Mapping[str, str] = MappingProxyType(
    {
        # MD5 from keras/applications/vgg19.py
        VGG19_PIN.md5: "Keras' official VGG-19 without its dense layers",
        # MD5 from MatConvNet's page of pretrained models; of its beta16 copy, from anishathalye/neural-style
        "106118b7cf60435e6d8e04f6a6dc3657": "MatConvNet's imagenet-vgg-verydeep-19",
        "8ee3263992981a1d26e73b3ca028a123": "MatConvNet's imagenet-vgg-verydeep-19 (beta16)",
    }
)
"""Files known by their published MD5. Recognition is a courtesy to the user, never a condition."""


@dataclass(frozen=True, eq=False)
class Weights:
    """The weights of a backbone.

    Attributes
    ----------
    name
        "vgg19" or "vgg19-slim" when the widths are theirs, "custom" otherwise.
    source
        Where they were read from, for people.
    sha256
        Of the file they were read from.
    layers
        Keras layer name -> (kernel (3, 3, in, out), bias (out,)), float32, read-only; the first layers of
        `LAYERS` without a gap, not necessarily all. The first kernel is for BGR input.
    known_as
        What the file is, if its published hash is known; None for any other.
    """

    name: str
    source: str
    sha256: str
    layers: Mapping[str, tuple[Array, Array]]
    known_as: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Weights, (self.name, self.source, self.sha256, dict(self.layers), self.known_as)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each block there is."""
        first = {block_of(layer): self.layers[layer][1].size for layer in reversed(list(self.layers))}
        return tuple(first[block] for block in sorted(first))


@dataclass(frozen=True)
class SourceInfo:
    """A line of `deepfusion weights list`. `present` is None for kinds of file only the user can name."""

    name: str
    where: str
    present: bool | None
    size: int | None
    sha256: str | None
    licence: str
    problem: str | None = None


def embedded_path() -> Path:
    """The vgg19-slim file inside the package: float16, keys <layer>/kernel and <layer>/bias."""
    return Path(str(resources.files("stylize").joinpath("weights", "vgg19-slim.npz")))


def verify(path: Path, *, sha256: str | None = None) -> Weights:
    """Read a weight file with every check there is.

    Parameters
    ----------
    path
        .h5 (any Keras layout), .mat (MatConvNet), or .npz.
    sha256
        What its SHA-256 must be, in hexadecimal.

    Raises
    ------
    WeightsError
        In one line: missing, empty, a web page, cut off, another network, wrong shapes, values that are
        not finite, another hash.
    """
    path = Path(path)
    check_file(path)
    found = fingerprint(path)
    check_hash(path, found, sha256)
    layers = read_layers(path)
    name = _check_layers(path, layers)
    return _frozen(name, str(path), found, layers)


def load_weights(source: str | Path, *, sha256: str | None = None) -> Weights:
    """Weights by the name of a backbone ("vgg19-slim", "vgg19") or from a file.

    "vgg19" is read from Keras' cache, and fetched there first when it is missing.

    Raises
    ------
    WeightsError, DownloadError
        As `verify` and `download_vgg19`.
    """
    if source == "vgg19-slim":
        return replace(verify(embedded_path(), sha256=sha256), source="vgg19-slim inside the package")
    if source == "vgg19":
        return verify(download_vgg19(), sha256=sha256)
    path = Path(source).expanduser()
    near = difflib.get_close_matches(str(source).lower(), WIDTHS, n=1)
    if isinstance(source, str) and near and not path.suffix and not path.exists():
        raise WeightsError(f"{source}: neither a backbone nor a file; did you mean {near[0]}?")
    return verify(path, sha256=sha256)


def choose_backbone(
    choice: Literal["auto", "vgg19", "vgg19-slim"] = "auto",
    *,
    weights: Path | None = None,
    sha256: str | None = None,
    timeout: float = 20.0,
    offline: bool = False,
    progress: Progress | None = None,
) -> tuple[Weights, str | None]:
    """The weights to use, and a line for the user where "auto" had to settle for vgg19-slim.

    "auto" is what `weights` holds, else vgg19 when it is cached or can be fetched within bounds, else
    vgg19-slim. A failed attempt is remembered for an hour, so that not every start waits for the network.

    Raises
    ------
    WeightsError, DownloadError
        For a file that will not do or is not the backbone asked for; for vgg19 asked for by name, when it
        cannot be had.
    """
    if choice not in ("auto", *WIDTHS):
        raise WeightsError(f"unknown backbone {choice!r}; use auto, {' or '.join(WIDTHS)}")
    if weights is not None:
        found = load_weights(Path(weights), sha256=sha256)
        if choice not in ("auto", found.name):
            raise WeightsError(f"{weights}: holds {found.name}, but --backbone asks for {choice}; drop one")
        return found, None
    if choice == "auto" and sha256 is not None:
        raise WeightsError("a SHA-256 was given without a file to check; name it with --weights")
    if choice == "vgg19-slim":
        return load_weights(choice, sha256=sha256), None
    if choice == "vgg19":
        path = download_vgg19(timeout=timeout, offline=offline, progress=progress)
        return verify(path, sha256=sha256), None
    return _automatic(timeout, offline, progress)


def describe_sources() -> list[SourceInfo]:
    """Every source of weights, with what is there of it now. Nothing is fetched."""
    return [
        _describe("vgg19-slim", embedded_path(), SLIM_LICENCE),
        _describe("vgg19", cache_path(), VGG19_LICENCE),
        SourceInfo("Keras .h5", "--weights FILE.h5", None, None, None, VGG19_LICENCE),
        SourceInfo("MatConvNet .mat", "--weights FILE.mat", None, None, None, VGG19_LICENCE),
        SourceInfo("NumPy .npz", "--weights FILE.npz", None, None, None, "as its author says"),
    ]


def _describe(name: str, path: Path, licence: str) -> SourceInfo:
    if not path.is_file():
        return SourceInfo(name, str(path), False, None, None, licence)
    try:
        found = accept(path) if name == "vgg19" else fingerprint(path)
    except WeightsError as error:
        return SourceInfo(name, str(path), True, path.stat().st_size, None, licence, str(error))
    return SourceInfo(name, str(path), True, found.size, found.sha256, licence)


def _automatic(timeout: float, offline: bool, progress: Progress | None) -> tuple[Weights, str | None]:
    if cache_trouble() is None:
        return verify(cache_path()), None
    quiet = offline or is_offline()
    failure = None if quiet else recent_failure()
    if failure is not None:
        minutes, why = max(1, round(failure[0] / 60)), failure[1]
        left = max(1, round((RETRY_AFTER - failure[0]) / 60))
        line = f"VGG-19 could not be fetched {minutes} min ago ({why}); next try in {left} min, or now with "
        return load_weights("vgg19-slim"), f"using vgg19-slim: {line}`deepfusion weights download`"
    try:
        return verify(download_vgg19(timeout=timeout, offline=offline, progress=progress)), None
    except DownloadError as error:
        if not quiet:
            remember_failure(str(error))
        return load_weights("vgg19-slim"), f"using vgg19-slim, the small network of the package: {error}"


# --- checks -------------------------------------------------------------------------------------------------


def _check_layers(path: Path, layers: Layers) -> str:
    """The network `layers` are of, once they are known to fit together."""
    if not layers:
        raise WeightsError(f"{path}: holds no layers; VGG-19's begin with {LAYERS[0]}")
    last = max(LAYERS.index(layer) for layer in layers)
    for layer in LAYERS[:last]:
        if layer not in layers:
            hint = "; this looks like VGG-16" if layer == "block3_conv4" else ""
            raise WeightsError(f"{path}: layer {layer} is missing, though {LAYERS[last]} is there{hint}")
    present = LAYERS[: last + 1]
    outputs = [layers[layer][0].shape[-1] if layers[layer][0].ndim == 4 else 0 for layer in present]
    named = {name: [widths[block_of(layer) - 1] for layer in present] for name, widths in WIDTHS.items()}
    likely = next((name for name, wanted in named.items() if wanted[0] == outputs[0]), None)
    try:
        _check_shapes(path, layers, outputs)
    except WeightsError:
        if likely is not None:
            _check_shapes(path, layers, named[likely])
        raise
    _check_finite(path, layers)
    return next((name for name, wanted in named.items() if wanted == outputs), "custom")


def _check_shapes(path: Path, layers: Layers, outputs: list[int]) -> None:
    """Every kernel must be 3x3 and take what the layer before gives: `outputs` channels, one a layer."""
    for layer, (inputs, width) in zip(LAYERS, pairwise([3, *outputs]), strict=False):
        kernel, bias = layers[layer]
        expected = {"kernel": (3, 3, inputs, width), "bias": (width,)}
        for what, got in (("kernel", kernel.shape), ("bias", bias.shape)):
            if got != expected[what]:
                message = f"the {what} of {layer} has shape {got}, expected {expected[what]}"
                raise WeightsError(f"{path}: {message}; this is not a VGG-19")


def _check_finite(path: Path, layers: Layers) -> None:
    for layer, parts in layers.items():
        for what, array in zip(("kernel", "bias"), parts, strict=True):
            wrong = int(array.size - np.count_nonzero(np.isfinite(array)))
            if wrong:
                raise WeightsError(
                    f"{path}: the {what} of {layer} has {wrong:,} values that are not finite; fetch it again"
                )


def _frozen(name: str, source: str, found: Fingerprint, layers: Layers) -> Weights:
    ordered = {layer: layers[layer] for layer in LAYERS if layer in layers}
    for parts in ordered.values():
        for array in parts:
            array.flags.writeable = False
    return Weights(name, source, found.sha256, MappingProxyType(ordered), KNOWN_FILES.get(found.md5))
