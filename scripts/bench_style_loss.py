"""How far the default settings bring the style loss down, for every photo in every painting.

    python scripts/bench_style_loss.py MEDIA --size 256 --sheet sheet.png

MEDIA has folders `photos` and `paintings`. Prints a Markdown table of the style loss at the end over its
value for the photo itself, and draws the results as one contact sheet, photos down and paintings across.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from pipeline.config import read_preset
from pipeline.engine import read_picture
from pipeline.settings import build_settings
from stylize.stylizer import Stylizer
from stylize.weights import load_weights
from video.images import list_pictures, write_image

MARGIN = 4


def padded(picture: np.ndarray, size: int) -> np.ndarray:
    """`picture` in the middle of a white square."""
    square = np.ones((size + MARGIN, size + MARGIN, 3), np.float32)
    height, width = picture.shape[:2]
    top, left = (size - height) // 2, (size - width) // 2
    square[top : top + height, left : left + width] = picture
    return square


def main() -> None:
    """Stylize every photo in every painting, print the table, draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("media", type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--backbone", default="vgg19-slim")
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    photos = list_pictures(options.media / "photos")
    paintings = list_pictures(options.media / "paintings")
    config, _ = build_settings("image", read_preset(options.preset))
    weights = load_weights(options.backbone)
    contents = [read_picture(path, options.size, config.minimum_side) for path in photos]
    columns = [[padded(content, options.size) for content in contents]]
    ratios = np.zeros((len(photos), len(paintings)))
    for column, painting in enumerate(paintings):
        style = read_picture(painting, options.size, config.minimum_side)
        stylizer = Stylizer(config, [style], weights)
        cells = []
        for row, content in enumerate(contents):
            before = stylizer.losses(content, content)["style"]
            result = stylizer.stylize(content)
            ratios[row, column] = result.losses["style"] / before
            cells.append(padded(result.picture, options.size))
        columns.append(cells)
    print(f"| photo | {' | '.join(path.stem for path in paintings)} |")
    print(f"| --- |{' ---: |' * len(paintings)}")
    for path, row_ratios in zip(photos, ratios, strict=True):
        print(f"| {path.stem} | {' | '.join(f'{ratio:.2%}' for ratio in row_ratios)} |")
    print(f"\nworst {ratios.max():.2%}, median {np.median(ratios):.2%} of {ratios.size} pairs")
    if options.sheet:
        rows = [np.concatenate([cells[row] for cells in columns], axis=1) for row in range(len(photos))]
        write_image(options.sheet, np.concatenate(rows, axis=0))


if __name__ == "__main__":
    main()
