"""How pictures look, in numbers and as a sheet: every photo in every painting, by any preset or setting.

    python scripts/bench/look.py MEDIA --size 384 --sheet sheet.jpg --results results/
    python scripts/bench/look.py MEDIA --photos tulips,rocket --set style_weight=40 --set flat_weight=0
    python scripts/bench/look.py MEDIA --score results/       # of the pictures there are: PHOTO-PAINTING.png

MEDIA has folders `photos` and `paintings`. Of each result, whatever made it, on the full network in float32:

mesh     root mean square, 0 to 255, of the luminance above a quarter of a cycle a pixel, in the quarter of
         the cells of 16x16 pixels that vary least below 0.12 cycles a pixel: a weave in flat parts. The
         painting's own stands beside it.
content  relative squared error of block4_conv2 to the photo's: 0 is the photo, 1 as wrong as saying nothing
style    relative squared error of the Gram matrices of block1_conv1 to block5_conv1 to the painting's, mean
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from numpy.typing import NDArray

from pipeline.machine import load_tensorflow
from pipeline.settings.common_settings import JobSettings
from pipeline.settings.job_settings import build_settings
from pipeline.settings.presets import read_preset
from pipeline.styling.pictures import read_picture, read_style
from pipeline.styling.precision import is_mixed
from scripts import tables
from scripts.media import Media
from stylize.colors import LUMA
from stylize.types import FloatImage
from video.images import list_pictures, read_image, write_image

MARGIN = 4
CELL = 16
FINE, COARSE = 0.25, 0.12
"""Cycles a pixel: a mesh lies above the one, the forms that a flat part lacks below the other."""


@dataclass(frozen=True)
class Scores:
    """What a result is worth; see the head of the script."""

    mesh: float
    painting_mesh: float
    content: float
    style: float


def mesh(picture: FloatImage) -> float:
    """The mesh of a picture, shape (H, W, 3) in [0, 1]; see the head of the script."""
    height, width = picture.shape[:2]
    luma = 255.0 * picture.astype(np.float64) @ np.array(LUMA)
    around = np.pad(luma, ((0, height), (0, width)), mode="symmetric")  # no jump where it wraps round
    seen = np.fft.rfft2(around)
    f = np.hypot(np.fft.fftfreq(2 * height)[:, None], np.fft.rfftfreq(2 * width)[None, :])
    fine, coarse = (
        np.fft.irfft2(np.where(keep, seen, 0.0), around.shape)[:height, :width]
        for keep in (f > FINE, f < COARSE)
    )
    flattest = cells(coarse).std(axis=1).argsort()
    flattest = flattest[: max(1, len(flattest) // 4)]
    return float(np.sqrt(np.mean(cells(fine)[flattest] ** 2)))


def cells(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cells of 16x16 pixels of a plane, shape (N, 256); what is left over is left out."""
    rows, columns = plane.shape[0] // CELL, plane.shape[1] // CELL
    cut = plane[: rows * CELL, : columns * CELL].reshape(rows, CELL, columns, CELL)
    return cut.transpose(0, 2, 1, 3).reshape(rows * columns, CELL * CELL)


class Judge:
    """Scores results on the full network in float32 by the default's layers."""

    def __init__(self) -> None:
        from stylize.backbone import Vgg19
        from stylize.config import StylizeConfig
        from stylize.weights import load_weights

        config = StylizeConfig(style_statistic="gram")
        self.style_layers, self.content_layers = config.style_layers, config.content_layers
        self._network = Vgg19(load_weights("vgg19"))

    def scores(self, result: FloatImage, content: FloatImage, style: FloatImage) -> Scores:
        """Of a result of the content's shape."""
        from stylize.losses import gram_matrix, relative_squared_error

        layers = tuple(dict.fromkeys((*self.content_layers, *self.style_layers)))
        found, photo, painting = (
            self._network.activations(one[None], layers) for one in (result, content, style)
        )
        apart = [relative_squared_error(found[layer], photo[layer]) for layer in self.content_layers]
        strokes = [
            relative_squared_error(gram_matrix(found[layer]), gram_matrix(painting[layer]))
            for layer in self.style_layers
        ]
        return Scores(mesh(result), mesh(style), float(np.mean(apart)), float(np.mean(strokes)))


def padded(picture: FloatImage, size: int) -> FloatImage:
    """`picture` in the middle of a white square."""
    square = np.ones((size + MARGIN, size + MARGIN, 3), np.float32)
    height, width = picture.shape[:2]
    top, left = (size - height) // 2, (size - width) // 2
    square[top : top + height, left : left + width] = picture
    return square


def stylized(
    options: argparse.Namespace, contents: list[FloatImage], style: FloatImage, targets: list[Path]
) -> list[FloatImage]:
    """Each content in one style, by the options' settings; those that are there already are read."""
    from stylize.stylizer import Stylizer
    from stylize.weights import load_weights

    values = {**read_preset(options.preset), **tomllib.loads("\n".join(options.set))}
    config, settings = build_settings("image", values)
    weights = load_weights(options.backbone)
    stylizer = Stylizer(config, [style], weights, mixed=is_mixed(settings.precision, weights))
    results = []
    for content, target in zip(contents, targets, strict=True):
        if not (options.results and target.is_file()):
            began = time.perf_counter()
            results.append(stylizer.stylize(content).picture)
            print(f"{target.stem}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
            if options.results:
                write_image(target, results[-1])
        else:
            results.append(read_image(target))
    return results


def chosen(paths: list[Path], names: str) -> list[Path]:
    """Those of the pictures that are named, all without a name."""
    return [path for path in paths if not names or path.stem in names.split(",")]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("media", type=Media.named)
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--photos", default="", metavar="NAME,NAME")
    parser.add_argument("--paintings", default="", metavar="NAME,NAME")
    parser.add_argument("--preset", default="default")
    parser.add_argument("--backbone", default="vgg19")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a line of a job file"
    )
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--results", type=Path, help="keep the results in this folder, and go on from them")
    parser.add_argument("--score", type=Path, help="score the pictures of this folder instead of making any")
    return parser.parse_args()


def main() -> None:
    """Stylize, or read, every pair; print the table, draw the sheet."""
    options = arguments()
    if options.results:
        options.results.mkdir(parents=True, exist_ok=True)
    load_tensorflow()
    judge = Judge()
    photos = chosen(list_pictures(options.media.photos), options.photos)
    paintings = chosen(list_pictures(options.media.paintings), options.paintings)
    contents = [read_picture(path, options.size, 16) for path in photos]
    columns = [[padded(content, options.size) for content in contents]]
    found: list[Scores] = []
    tables.head("photo", "painting", "mesh", "painting's", "content", "style", texts=2)
    for painting in paintings:
        style = read_style(painting, options.size, 1.0, 16, JobSettings().style_crop)
        names = [f"{photo.stem}-{painting.stem}.png" for photo in photos]
        if options.score:
            files = [options.score / name for name in names]
            results: Sequence[FloatImage | None] = [
                read_image(file) if file.is_file() else None for file in files
            ]
        else:
            results = stylized(
                options, contents, style, [(options.results or Path()) / name for name in names]
            )
        for photo, content, result in zip(photos, contents, results, strict=True):
            if result is None:
                continue
            one = judge.scores(result, content, style)
            found.append(one)
            tables.row(
                photo.stem,
                painting.stem,
                f"{one.mesh:.2f}",
                f"{one.painting_mesh:.2f}",
                f"{one.content:.3f}",
                f"{one.style:.4f}",
            )
        columns.append(
            [
                padded(np.zeros_like(content) if result is None else result, options.size)
                for content, result in zip(contents, results, strict=True)
            ]
        )
    for name in ("mesh", "painting_mesh", "content", "style"):
        values = [getattr(one, name) for one in found]
        print(f"{name}: median {np.median(values):.3f}, {min(values):.3f} to {max(values):.3f}")
    if options.sheet:
        rows = [np.concatenate([one[row] for one in columns], axis=1) for row in range(len(photos))]
        write_image(options.sheet, np.concatenate(rows, axis=0), quality=88)


if __name__ == "__main__":
    main()
