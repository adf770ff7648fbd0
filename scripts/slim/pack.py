"""Pack a trained vgg19-slim into the file inside the package: float16, deterministic, checked.

    python scripts/slim/pack.py SOURCE.npz [-o stylize/weights/vgg19-slim.npz]

float16 halves the file; its rounding (about 0.05 % of a weight) is far below what training leaves open.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from stylize.errors import WeightsError  # noqa: E402
from stylize.weights import LAYERS, Weights, verify  # noqa: E402

LAST_LAYER = "block5_conv2"


def pack(source: Path, target: Path) -> Weights:
    """Write `source` as float16 to `target`, and return what reads back from it.

    Raises
    ------
    WeightsError
        If `source` is not a whole vgg19-slim, or a value does not fit float16.
    """
    weights = verify(source)
    wanted = LAYERS[: LAYERS.index(LAST_LAYER) + 1]
    if weights.name != "vgg19-slim" or tuple(weights.layers) != wanted:
        found = f"{weights.name} to {list(weights.layers)[-1]}"
        raise WeightsError(f"{source}: holds {found}, not vgg19-slim to {LAST_LAYER}")
    arrays: dict[str, NDArray[np.float16]] = {}
    for layer, (kernel, bias) in weights.layers.items():
        if layer not in weights.taps:
            raise WeightsError(f"{source}: {layer} has no tap; scripts/slim/train.py writes them")
        for part, values in (("kernel", kernel), ("bias", bias), ("tap", weights.taps[layer])):
            if np.abs(values).max() > np.finfo(np.float16).max:
                raise WeightsError(f"{source}: {layer}/{part} has values too large for float16")
            arrays[f"{layer}/{part}"] = values.astype(np.float16)
    temporary = target.with_name(f".{target.name}.part.npz")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        np.savez_compressed(temporary, allow_pickle=False, **arrays)
        packed = verify(temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return packed


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description="Pack a trained vgg19-slim into the package as float16.")
    parser.add_argument("source", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "stylize" / "weights" / "vgg19-slim.npz")
    options = parser.parse_args(arguments)
    try:
        packed = pack(options.source, options.output)
    except WeightsError as error:
        print(f"pack: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{options.output}: {options.output.stat().st_size:,} bytes, SHA-256 {packed.sha256}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
