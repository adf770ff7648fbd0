"""What a finished picture's losses become when it is moved: made in one phase, and in turns.

    python scripts/bench/phase.py PHOTO PAINTING [--size 256] [--backbone vgg19|vgg19-slim] [--sheet FILE.png]

The picture is made by default settings, and cut out anew with its photo, so many pixels further down and to
the right each time. Less apart is better fitted to every place, and the mean is what a clip's frames have.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from pipeline.machine import load_tensorflow
from pipeline.styling.pictures import read_picture, read_style
from pipeline.styling.precision import is_mixed
from scripts import tables
from stylize import phase
from stylize.config import StylizeConfig
from stylize.stylizer import Stylizer
from stylize.types import FloatImage
from stylize.weights import WIDTHS, load_weights
from video.images import write_image

SHIFTS = range(5)
"""The matched grid has a position every four pixels, so the last is as good as the first."""


def measure(stylizer: Stylizer, content: FloatImage, way: str) -> FloatImage:
    """One row; gives the picture."""
    made = stylizer.stylize(content)
    found = []
    for shift in SHIFTS:
        there = tuple(slice(shift, length - SHIFTS[-1] + shift) for length in content.shape[:2])
        picture, below = (np.ascontiguousarray(one[there]) for one in (made.picture, content))
        found.append(stylizer.losses(picture, below))
    contents, styles = ([one[name] for one in found] for name in ("content", "style"))
    tables.row(
        way, *(f"{value:.3f}" for value in styles), f"{np.mean(styles[:-1]):.3f}",
        f"{np.mean(contents[:-1]):.3f}", made.evaluations, f"{made.seconds:.0f}",
    )  # fmt: skip
    return made.picture


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("photo", type=Path)
    parser.add_argument("painting", type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--backbone", default="vgg19", choices=tuple(WIDTHS))
    parser.add_argument("--sheet", type=Path, help="a file for both pictures")
    asked = parser.parse_args()
    load_tensorflow()
    config, weights = StylizeConfig(), load_weights(asked.backbone)
    content = read_picture(asked.photo, asked.size, config.minimum_side)
    style = read_style(asked.painting, asked.size, 1.0, config.minimum_side)
    stylizer = Stylizer(config, [style], weights, mixed=is_mixed("auto", weights))
    tables.head(
        "phases", *(f"style, moved by {shift}" for shift in SHIFTS), "style, mean", "content, mean",
        "evaluations", "seconds",
    )  # fmt: skip
    pictures, every = [], phase.PHASES
    for way, phases in (("one", every[:1]), ("in turns", every)):
        phase.PHASES = phases
        pictures.append(measure(stylizer, content, way))
    if asked.sheet is not None:
        write_image(asked.sheet, np.concatenate(pictures, axis=1), overwrite=True)


if __name__ == "__main__":
    main()
