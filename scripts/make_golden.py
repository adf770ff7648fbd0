"""Write the golden numbers that the tests of the backbone compare with.

    python scripts/make_golden.py

A small real picture goes through a forward pass in NumPy (tests/numpy_vgg.py: float64, none of the
engine's code) on each of the package's networks; of every layer the mean, the standard deviation, the maximum
and sixteen evenly spaced values are kept in tests/golden/activations.npz. Derived numbers only: no weights.

tests/golden/vgg19-activations.json is not written here: it was computed with PyTorch, from the same weights
on tulips-96.png, and is what a mistake made twice in this project would be found by.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from numpy_vgg import forward  # noqa: E402

from stylize.weights import EMBEDDED, Weights, load_weights  # noqa: E402

GOLDEN = ROOT / "tests" / "golden" / "activations.npz"
PHOTO = ROOT / "pipeline" / "demo" / "cat.jpg"
PICTURE_SIZE = (53, 41)
"""Width and height: both odd after one or two poolings."""
SAMPLES = 16


def real_picture() -> NDArray[np.uint8]:
    """A small picture of the demo's cat, uint8 RGB, shape (H, W, 3)."""
    with Image.open(PHOTO) as photo:
        return np.asarray(photo.convert("RGB").resize(PICTURE_SIZE, Image.Resampling.LANCZOS))


def summary(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean, standard deviation, maximum, and evenly spaced values."""
    flat = value.reshape(-1)
    return np.array([value.mean(), value.std(), value.max(), *flat[:: len(flat) // SAMPLES][:SAMPLES]])


def summaries(name: str, weights: Weights, picture: NDArray[np.uint8]) -> Mapping[str, NDArray[np.float64]]:
    """The summary of every layer's activations, by ``name/layer``."""
    activations = forward(weights.layers, picture / 255.0)
    return {f"{name}/{layer}": summary(value) for layer, value in activations.items()}


def main() -> int:
    """Write the file; keep the stored picture, so that other versions of Pillow change nothing."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    stored: dict[str, NDArray[np.generic]] = {}
    if GOLDEN.is_file():
        with np.load(GOLDEN, allow_pickle=False) as old:
            stored = dict(old)
    picture = np.asarray(stored.get("picture", real_picture()), np.uint8)
    found: dict[str, NDArray[np.generic]] = {"picture": picture}
    for name in EMBEDDED:
        weights = load_weights(name)
        found[f"sha256 of {name}"] = np.array(weights.sha256)
        found.update(summaries(name, weights, picture))
    GOLDEN.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(GOLDEN, allow_pickle=False, **found)
    print(f"{GOLDEN}: {GOLDEN.stat().st_size:,} bytes, {len(found)} arrays")
    return 0


if __name__ == "__main__":
    sys.exit(main())
