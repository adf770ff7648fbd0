"""How well vgg19-slim stands in for its teachers: explained variance, transfer, pictures, size.

    python scripts/slim/bench.py MEDIA --pictures photos.zip --vgg19 blocks1-3.npz --teacher16x 16x.npz
                                 [--network NAME=FILE ...] [--sheet sheet.png]

MEDIA has the folders photos/ and paintings/. Nothing in it is trained on, nor are the pictures that
scripts/slim/train.py holds back of --pictures (the same seed and number choose the same ones).

Explained variance: of the best linear map with bias from each layer to the teacher's, about the channels'
means, over all channels; once fitted and measured on all pictures, once fitted on one half and measured on
the other. "bound" is the best that any map of the slim layer's rank can do (PCA).

Transfer: eight pairs are optimised on each network with the default settings (for VGG-19's first three
blocks: their style layers, and block3_conv4 for content) and each result's loss is measured on the teacher.
The figure is its ratio to the loss reached by optimising on that teacher itself.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from pipeline.styling.pictures import read_picture
from scripts import tables
from scripts.media import Media
from scripts.slim.training.measure import Activations, Moments, explained_variance
from scripts.slim.training.pictures import hold_back, read_pictures
from scripts.slim.training.teachers import SLIM_LAYERS, Compressed16x, read_teacher
from stylize.backbone import Vgg19
from stylize.config import StylizeConfig
from stylize.layers import block_of
from stylize.stylizer import Stylizer
from stylize.types import FloatImage
from stylize.weights import WIDTHS, Weights, embedded_path, load_weights
from video.images import write_image

PAIRS = (
    ("chelsea-cat", "vangogh-starry-night"),
    ("coffee", "munch-scream"),
    ("rocket", "hokusai-great-wave"),
    ("tulips", "monet-water-lilies"),
    ("elephant", "turner-shipwreck-minotaur"),
    ("flower-2268x1512", "bruegel-harvesters"),
    ("chelsea-cat", "hokusai-great-wave"),
    ("tulips", "vangogh-starry-night"),
)
STYLE = StylizeConfig(style_statistic="gram").style_layers
BARS = dict(zip(STYLE, (0.95, 0.72, 0.66, 0.75, 0.65), strict=True))
TRANSFER_BAR = 1.5
SHEET_SIZE = 384


def random_weights(seed: int = 0) -> Weights:
    """The slim network before any training (He et al. 2015)."""
    rng = np.random.default_rng(seed)
    layers, inputs = {}, 3
    for layer in SLIM_LAYERS:
        width = WIDTHS["vgg19-slim"][block_of(layer) - 1]
        kernel = rng.normal(0.0, np.sqrt(2.0 / (9 * inputs)), (3, 3, inputs, width)).astype(np.float32)
        layers[layer] = (kernel, np.zeros(width, np.float32))
        inputs = width
    return Weights("vgg19-slim", "random", "", layers)


def variance_table(
    networks: dict[str, Any], teachers: dict[str, Any], pictures: Sequence[FloatImage]
) -> bool:
    """Print explained variances of the conv1 layers; whether the first network reaches the bars."""
    print()
    tables.head("layer", "teacher", "bar", "bound", *networks, texts=2)
    found, bounds = {}, {}
    for which, teacher in teachers.items():
        layers = [layer for layer in STYLE if (layer in teacher.layers) and _teaches(which, layer)]
        for name, network in networks.items():
            mine = [layer for layer in layers if layer in network.layers]
            found[which, name] = explained_variance(
                _reading(network, mine), _reading(teacher, mine), pictures
            )
        for layer in layers:
            bounds[layer] = (which, _bound(teacher, layer, pictures))
    good = True
    for layer in STYLE:
        which, bound = bounds[layer]
        cells = [found[which, name].get(layer) for name in networks]
        good &= cells[0] is not None and min(cells[0]) >= BARS[layer]
        texts = ["-" if cell is None else f"{cell[0]:.3f} / {cell[1]:.3f}" for cell in cells]
        tables.row(layer, which, BARS[layer], f"{bound:.3f}", *texts)
    return good


def transfer_table(
    networks: dict[str, Any],
    teacher: Any,
    config: StylizeConfig,
    pairs: Sequence[tuple[FloatImage, FloatImage]],
) -> bool:
    """Print losses on `teacher` of what each network makes, as ratios to its own; check the first's."""
    layers = {*config.style_layers, *config.content_layers}
    able = {name: network for name, network in networks.items() if layers <= set(network.layers)}
    ratios: dict[tuple[str, str], list[float]] = {}
    for content, style in pairs:
        judge = stylizer_on(teacher, config, style)
        own = judge.stylize(content).losses
        for name, network in {"(unchanged photo)": None, **able}.items():
            picture = content
            if network is not None:
                picture = stylizer_on(network, config, style).stylize(content).picture
            losses = judge.losses(picture, content)
            for term in ("style", "content", "total"):
                ratios.setdefault((name, term), []).append(losses[term] / own[term])
    print()
    tables.head("optimised on", "style: median, worst", "content: median, worst", "whole loss: median, worst")
    for name in ["(unchanged photo)", *able]:
        cells = [ratios[name, term] for term in ("style", "content", "total")]
        tables.row(name, *(f"{statistics.median(cell):.2f}, {max(cell):.2f}" for cell in cells))
    first = next(iter(able))
    return max(ratios[first, "style"]) <= TRANSFER_BAR


def stylizer_on(network: Any, config: StylizeConfig, style: FloatImage) -> Stylizer:
    """A stylizer whose backbone is `network`."""
    stylizer = Stylizer(config, [style], load_weights("vgg19-slim"))
    stylizer.backbone = network
    return stylizer


def write_sheet(path: Path, networks: dict[str, Any], media: Media) -> None:
    """For each pair a row: photo, painting, and the picture optimised on each network."""
    config = StylizeConfig(style_statistic="gram")
    rows = []
    for photo, painting in PAIRS:
        content, style = _pair(media, photo, painting, SHEET_SIZE)
        cells = [content, style]
        for network in networks.values():
            cells.append(stylizer_on(network, config, style).stylize(content).picture)
        rows.append(np.concatenate([_squared(cell, SHEET_SIZE) for cell in cells], axis=1))
    write_image(path, np.concatenate(rows, axis=0))


def main(arguments: list[str] | None = None) -> int:
    """Print the tables; exit 1 when a bar is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("media", type=Media.named)
    parser.add_argument("--pictures", type=Path, action="append", required=True)
    parser.add_argument(
        "--vgg19", type=Path, required=True, help="VGG-19's real weights, at least to block3_conv4"
    )
    parser.add_argument("--teacher16x", type=Path, required=True)
    parser.add_argument(
        "--network", action="append", default=[], metavar="NAME=FILE", help="others to compare"
    )
    parser.add_argument("--size", type=int, default=256, help="of the transfer's pictures, pixels")
    parser.add_argument("--held-back", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side", type=int, default=128, help="what train.py was given")
    parser.add_argument("--pairs", type=int, default=len(PAIRS))
    parser.add_argument("--skip", choices=("variance", "transfer"), action="append", default=[])
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args(arguments)
    vgg19, teacher16x = read_teacher(options.vgg19), Compressed16x(options.teacher16x)
    networks: dict[str, Any] = {"vgg19-slim": Vgg19(load_weights("vgg19-slim"))}
    for given in options.network:
        name, _, file = given.partition("=")
        networks[name] = Vgg19(load_weights(Path(file)))
    size = embedded_path("vgg19-slim").stat().st_size
    print(f"file in the package: {size / 1e6:.2f} MB")
    good = size <= 2.6e6
    if "variance" not in options.skip:
        _, held_back = hold_back(
            read_pictures(options.pictures, smallest=options.side), options.held_back, options.seed
        )
        pictures = [picture.astype(np.float32) / 255.0 for picture in held_back.values()]
        for path in sorted(options.media.folder.glob("p*/*.*")):
            pictures.append(read_picture(path, 384, 16))
        compared = {**networks, "random": Vgg19(random_weights()), "16x": teacher16x}
        good &= variance_table(compared, {"VGG-19": vgg19, "16x": teacher16x}, pictures)
    if "transfer" not in options.skip:
        pairs = [_pair(options.media, *names, options.size) for names in PAIRS[: options.pairs]]
        early = replace(
            StylizeConfig(style_statistic="gram"), style_layers=STYLE[:3], content_layers=("block3_conv4",)
        )
        print(f"\nLosses on VGG-19's first three blocks, {len(pairs)} pairs, {options.size} px")
        compared = {**networks, "random": Vgg19(random_weights())}
        good &= transfer_table({**compared, "16x": teacher16x}, vgg19, early, pairs)
        print(f"\nLosses on the 16x network, {len(pairs)} pairs, {options.size} px")
        good &= transfer_table(compared, teacher16x, StylizeConfig(style_statistic="gram"), pairs)
    if options.sheet:
        write_sheet(options.sheet, {**networks, "16x": teacher16x}, options.media)
    return 0 if good else 1


def _teaches(which: str, layer: str) -> bool:
    """The real network judges the blocks there are of it; the 16x one the rest."""
    return (which == "VGG-19") == (block_of(layer) <= 3)


def _reading(network: Any, layers: Sequence[str]) -> Activations:
    return lambda image: network.activations(image, layers)


def _bound(teacher: Any, layer: str, pictures: Sequence[FloatImage]) -> float:
    moments = Moments()
    for picture in pictures:
        values = teacher.activations(picture[None], [layer])[layer].numpy()
        moments.add(np.zeros((values[..., 0].size, 0)), values.reshape(-1, values.shape[-1]))
    return moments.bound(WIDTHS["vgg19-slim"][block_of(layer) - 1])


def _pair(media: Media, photo: str, painting: str, size: int) -> tuple[FloatImage, FloatImage]:
    side = StylizeConfig().minimum_side
    return read_picture(media.photo(photo), size, side), read_picture(media.painting(painting), size, side)


def _squared(picture: FloatImage, size: int) -> FloatImage:
    """`picture` in the middle of a white square with a margin."""
    square = np.ones((size + 4, size + 4, 3), np.float32)
    top, left = (size - picture.shape[0]) // 2, (size - picture.shape[1]) // 2
    square[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return square


if __name__ == "__main__":
    sys.exit(main())
