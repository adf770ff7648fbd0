"""Weights that tests make, and files of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylize.weights import LAYERS

Parts = dict[str, tuple[np.ndarray, np.ndarray]]


def make_layers(count: int = 3, widths: tuple[int, ...] = (4, 6, 8, 8, 8), seed: int = 0) -> Parts:
    """Random weights of the first `count` layers."""
    random, layers, inputs = np.random.default_rng(seed), {}, 3
    for layer in LAYERS[:count]:
        width = widths[int(layer[5]) - 1]
        kernel = random.normal(size=(3, 3, inputs, width)).astype(np.float32)
        layers[layer] = (kernel, random.normal(size=width).astype(np.float32))
        inputs = width
    return layers


def write_npz(path: Path, layers: Parts) -> Path:
    arrays: dict[str, Any] = {f"{layer}/kernel": kernel for layer, (kernel, _) in layers.items()}
    arrays |= {f"{layer}/bias": bias for layer, (_, bias) in layers.items()}
    np.savez(path, allow_pickle=False, **arrays)
    return path


class Bomb:
    """Runs code when unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("a pickle was opened",)
