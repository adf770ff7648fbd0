"""Write the golden numbers that the tests of the backbone compare with.

    python scripts/make_golden.py [--reference FOLDER]

A small real picture goes through a forward pass in NumPy (tests/numpy_vgg.py: float64, none of the
engine's code); of every layer the mean, the standard deviation, the maximum and sixteen evenly spaced values
are kept in tests/golden/activations.npz. Derived numbers only: no weights. FOLDER holds the real VGG-19's
first three blocks, ``vgg19-imagenet-blocks1-3.npz``; without it those numbers are kept as they are.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from numpy_vgg import forward  # noqa: E402

from stylize.weights import Weights, load_weights  # noqa: E402

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
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    default = Path(os.environ.get("DEEPFUSION_REFERENCE_WEIGHTS", ROOT.parent / "shared" / "weights"))
    parser.add_argument("--reference", type=Path, default=default, help="folder of the real blocks 1-3")
    options = parser.parse_args()
    stored: dict[str, NDArray[np.generic]] = {}
    if GOLDEN.is_file():
        with np.load(GOLDEN, allow_pickle=False) as old:
            stored = dict(old)
    picture = np.asarray(stored.get("picture", real_picture()), np.uint8)
    slim = load_weights("vgg19-slim")
    found: dict[str, NDArray[np.generic]] = {"picture": picture, "slim_sha256": np.array(slim.sha256)}
    found.update(summaries("vgg19-slim", slim, picture))
    real = options.reference / "vgg19-imagenet-blocks1-3.npz"
    if real.is_file():
        found.update(summaries("vgg19", load_weights(real), picture))
    else:
        print(f"{real}: not there; the numbers of the real network stay as they are", file=sys.stderr)
        found.update({key: value for key, value in stored.items() if key.startswith("vgg19/")})
    GOLDEN.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(GOLDEN, allow_pickle=False, **found)
    print(f"{GOLDEN}: {GOLDEN.stat().st_size:,} bytes, {len(found)} arrays")
    return 0


if __name__ == "__main__":
    sys.exit(main())
