"""The weights of the two backbones: where they come from, what they must be, which of them to use.

Sources: the two files inside the package, ``vgg19`` in eight bits a weight and ``vgg19-slim``; and a local
``.h5``, ``.mat`` or ``.npz``, such as Keras' official float32 file, which `download_vgg19` fetches when it is
asked to. All are arrays only, in Keras' convention: kernels (height, width, in, out), the first one for BGR
input. Nothing here touches the network.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

from stylize.errors import WeightsError
from stylize.layers import LAYERS, block_of
from stylize.weights.cache import VGG19_PIN, accept, cache_path
from stylize.weights.checks import WIDTHS, check_layers, check_taps
from stylize.weights.files import Array, Fingerprint, Layers, Taps, check_file, check_hash, fingerprint
from stylize.weights.readers import read_layers, read_taps

VGG19_LICENCE = "CC BY 4.0 (K. Simonyan and A. Zisserman)"
CODED_LICENCE = f"{VGG19_LICENCE}, MIT (quantised by D. Steinberg)"
SLIM_LICENCE = "MIT (trained for this project)"

EMBEDDED: Mapping[str, str] = MappingProxyType(
    {
        "vgg19": "0868ad776e8b2129a67968c17594a17a5635519b96dc5eaa22de60f9410b8487",
        "vgg19-slim": "9da75d82e9a7160e2ec60ae0fc6fe7d789b903b3fcec2918e0443aa3e5a88767",
    }
)
"""The SHA-256 of the file of each backbone inside the package."""

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
    taps
        By layer, for those that have one, what its activations are multiplied by where they are read, shape
        (out, out), float32, read-only. They make lengths and angles of a network that has learned from
        another one those of the other (docs/networks.md).
    """

    name: str
    source: str
    sha256: str
    layers: Mapping[str, tuple[Array, Array]]
    known_as: str | None = None
    taps: Mapping[str, Array] = field(default_factory=lambda: MappingProxyType({}))

    def __reduce__(self) -> tuple[Any, ...]:
        given = (self.name, self.source, self.sha256, dict(self.layers), self.known_as, dict(self.taps))
        return Weights, given

    @property
    def untapped(self) -> str:
        """What to say of a slim network that lacks taps; empty for any other."""
        lacking = len(self.layers) - len(self.taps)
        if self.name != "vgg19-slim" or not lacking:
            return ""
        return f"without taps for {lacking} of its {len(self.layers)} layers (docs/networks.md)"

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


def embedded_path(name: str) -> Path:
    """The file of a backbone inside the package; scripts/pack_vgg19.py and slim/pack.py say what it holds."""
    return Path(str(resources.files("stylize.weights").joinpath(f"{name}.npz")))


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
        In one line: missing, empty, a web page, cut off, another network, wrong shapes, values that no
        training leaves, another hash.
    """
    path = Path(path)
    if near := _own_network(path):
        raise WeightsError(
            f"{path}: no such file; {near} is inside the package, for --backbone {near}; "
            "`deepfusion weights list` checks it"
        )
    check_file(path)
    found = fingerprint(path)
    check_hash(path, found, sha256)
    layers, taps = read_layers(path), read_taps(path)
    name = check_layers(path, layers)
    check_taps(path, layers, taps)
    return _frozen(name, str(path), found, layers, taps)


def load_weights(source: str | Path, *, sha256: str | None = None) -> Weights:
    """Weights by the name of a backbone in the package ("vgg19", "vgg19-slim") or from a file.

    Raises
    ------
    WeightsError
        As `verify`; and for a file of the package that is damaged or missing.
    """
    if source in EMBEDDED:
        return _embedded(str(source))
    path = Path(os.path.expanduser(source))
    if isinstance(source, str) and (near := _own_network(path)):
        raise WeightsError(f"{source}: neither a backbone nor a file; did you mean {near}?")
    return verify(path, sha256=sha256)


def _own_network(path: Path) -> str:
    """The network of the package that is meant where a file is named that is not there; else empty."""
    if path.suffix or os.path.exists(path):
        return ""
    return next(iter(difflib.get_close_matches(str(path).lower(), WIDTHS, n=1)), "")


def _embedded(name: str) -> Weights:
    path = embedded_path(name)
    mend = "the installation is damaged; install Deep Fusion again as before, with pip's --force-reinstall"
    if not path.is_file():
        raise WeightsError(f"{path}: {mend} (the file is missing)")
    found = fingerprint(path)
    if found.sha256 != EMBEDDED[name]:
        got, wanted = found.sha256[:12], EMBEDDED[name][:12]
        raise WeightsError(f"{path}: {mend} (SHA-256 {got}..., expected {wanted}...)")
    return _frozen(name, f"{name} inside the package", found, read_layers(path), read_taps(path))


def choose_weights(
    backbone: str = "vgg19", *, file: Path | None = None, sha256: str | None = None
) -> tuple[Weights, str | None]:
    """The weights to use: what `file` holds, if there is one, else the package's `backbone`.

    Returns
    -------
    weights, note
        `note` is a line for the user where the file holds another network than `backbone`, or a slim one
        that lacks taps.

    Raises
    ------
    WeightsError
        For a file that will not do, and a hash without a file.
    """
    if backbone not in EMBEDDED:
        raise WeightsError(f"unknown backbone {backbone!r}; use {' or '.join(EMBEDDED)}")
    if file is None:
        if sha256 is not None:
            raise WeightsError("a SHA-256 was given without a file to check; name it with --weights")
        return load_weights(backbone), None
    found = load_weights(Path(file), sha256=sha256)
    notes = [] if found.name == backbone else [f"holds {found.name}, which is used in place of {backbone}"]
    notes += [f"is {found.untapped}: its pictures are less like VGG-19's"] if found.untapped else []
    return found, f"{file}: {'; '.join(notes)}" if notes else None


def describe_sources() -> list[SourceInfo]:
    """Every source of weights, with what is there of it now. Nothing is fetched."""
    return [
        _describe("vgg19", embedded_path("vgg19"), CODED_LICENCE),
        _describe("vgg19-slim", embedded_path("vgg19-slim"), SLIM_LICENCE),
        _describe("Keras float32", cache_path(), VGG19_LICENCE),
        SourceInfo("Keras .h5", "--weights FILE.h5", None, None, None, VGG19_LICENCE),
        SourceInfo("MatConvNet .mat", "--weights FILE.mat", None, None, None, VGG19_LICENCE),
        SourceInfo("NumPy .npz", "--weights FILE.npz", None, None, None, "as its author says"),
    ]


def _describe(name: str, path: Path, licence: str) -> SourceInfo:
    if name not in EMBEDDED and not path.is_file():
        return SourceInfo(name, str(path), False, None, None, licence)
    try:
        found = Fingerprint(0, _embedded(name).sha256, "") if name in EMBEDDED else accept(path)
    except WeightsError as error:
        here = path.is_file()
        return SourceInfo(
            name, str(path), here, path.stat().st_size if here else None, None, licence, str(error)
        )
    return SourceInfo(name, str(path), True, path.stat().st_size, found.sha256, licence)


def _frozen(name: str, source: str, found: Fingerprint, layers: Layers, taps: Taps) -> Weights:
    ordered = {layer: layers[layer] for layer in LAYERS if layer in layers}
    for array in (*chain.from_iterable(ordered.values()), *taps.values()):
        array.flags.writeable = False
    known_as = KNOWN_FILES.get(found.md5)
    return Weights(name, source, found.sha256, MappingProxyType(ordered), known_as, MappingProxyType(taps))
