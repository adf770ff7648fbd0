"""Whether arrays read from a file make a VGG-19, and which of its widths."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

import numpy as np

from stylize.errors import WeightsError
from stylize.layers import LAYERS, block_of
from stylize.weights.files import Array, Layers, Taps

WIDTHS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"vgg19": (64, 128, 256, 512, 512), "vgg19-slim": (16, 32, 64, 128, 128)}
)
"""Channels of each of the five blocks, by backbone."""

LARGEST_VALUE = 1e6
"""The largest that a kernel, bias or tap may hold; VGG-19's are under 10, the slim network's under 2000."""


def check_layers(path: Path, layers: Layers) -> str:
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
    for layer, parts in layers.items():
        for what, array in zip(("kernel", "bias"), parts, strict=True):
            _check_values(path, f"{what} of {layer}", array)
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


def _check_values(path: Path, what: str, array: Array) -> None:
    """WeightsError for values that no training leaves."""
    finite = np.isfinite(array)
    problem = ""
    if not finite.all():
        wrong = int(array.size - np.count_nonzero(finite))
        problem = f"{wrong:,} of {array.size:,} values that are not finite"
    elif (largest := float(np.abs(array).max(initial=0.0))) > LARGEST_VALUE:
        problem = f"values of up to {largest:.2g}"
    elif largest == 0.0 and "bias" not in what:
        problem = "no value but 0"
    if problem:
        raise WeightsError(f"{path}: the {what} has {problem}; the file is damaged, fetch it again")


def check_taps(path: Path, layers: Layers, taps: Taps) -> None:
    """WeightsError unless every tap fits its layer."""
    for layer, tap in taps.items():
        width = layers[layer][1].size
        if tap.shape != (width, width):
            raise WeightsError(f"{path}: the tap of {layer} must be {width} x {width}; it is {tap.shape}")
        _check_values(path, f"tap of {layer}", tap)
