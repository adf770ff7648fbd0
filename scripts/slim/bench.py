"""How well vgg19-slim stands in for VGG-19: explained variance, transfer, directions of gradients, pictures.

    python scripts/slim/bench.py MEDIA --part variance --pictures photos.zip [--network NAME=FILE ...]
    python scripts/slim/bench.py MEDIA --part transfer --work FOLDER [--sizes 256 512] [--statistics gram]
    python scripts/slim/bench.py MEDIA --part gradients
    python scripts/slim/bench.py MEDIA --part spectrum --work FOLDER
    python scripts/slim/bench.py MEDIA --part sheet --work FOLDER --sheet sheet.png

MEDIA has the folders photos/ and paintings/. Nothing in it is trained on, nor are the pictures that
scripts/slim/train.py holds back of --pictures (the same seed and number choose the same ones).

variance: of the best linear map with bias from each layer to VGG-19's, about the channels' means, over all
channels; once fitted and measured on all pictures, once fitted on one half and measured on the other. "bound"
is the best that any map of the slim layer's rank can do (PCA).

transfer: pairs are optimised on each network with the default settings, and each result's loss is measured on
VGG-19. The figure is its ratio to the loss reached by optimising on VGG-19 itself. --work keeps the pictures.

gradients: the cosine between the networks' gradients of the style loss (Gram matrices) in pixels, at iterates
of an optimisation on VGG-19.

spectrum: how much there is of fine and coarse structure in brightness and in colour in the pictures of
--work, over what VGG-19's have: speckle and meshes are what is over one at the finest.

sheet: photo, painting, the picture on VGG-19, and that on each network, from --work.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.machine import load_tensorflow
from pipeline.styling.pictures import read_picture
from scripts import tables
from scripts.media import Media
from scripts.slim.training.measure import Activations, Moments, explained_variance, rows_of
from scripts.slim.training.pictures import hold_back, read_pictures
from scripts.slim.training.teachers import SLIM_LAYERS
from stylize.backbone import Vgg19
from stylize.colors import LUMA
from stylize.config import StylizeConfig
from stylize.layers import block_of
from stylize.losses import gram_matrix, relative_squared_error
from stylize.stylizer import Stylizer
from stylize.types import FloatImage
from stylize.weights import WIDTHS, Weights, load_weights
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
TERMS = ("style", "content", "total")
STYLE_BAR, TOTAL_BAR = 3.0, 1.3
ITERATES = (0, 10, 50, 100)
OCTAVES = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 2**-0.5)
"""Between these frequencies, in periods a pixel, power is compared; the last are slanting ones only."""


class Gallery:
    """Pictures of the pairs by network, statistic and size, made when they are asked for and kept.

    Parameters
    ----------
    media
        Where photos and paintings are.
    folder
        Where pictures are kept, by the hash of the network.
    """

    def __init__(self, media: Media, folder: Path) -> None:
        self.media, self.folder = media, folder
        folder.mkdir(parents=True, exist_ok=True)

    def picture(self, weights: Weights, statistic: str, size: int, number: int) -> FloatImage:
        """Pair `number` by the default settings, but for the statistic."""
        path = self.folder / f"{weights.name}-{weights.sha256[:8]}-{statistic}-{size}-{number}.npy"
        if not path.exists():
            content, style = pair(self.media, number, size)
            config = StylizeConfig(style_statistic=statistic)
            made = Stylizer(config, [style], weights).stylize(content).picture
            temporary = path.with_name(f".{path.name}.part.npy")
            np.save(temporary, made)
            temporary.replace(path)
        found: FloatImage = np.load(path, allow_pickle=False)
        return found


def pair(media: Media, number: int, size: int) -> tuple[FloatImage, FloatImage]:
    """Photo and painting of a pair."""
    side = StylizeConfig().minimum_side
    photo, painting = PAIRS[number]
    return read_picture(media.photo(photo), size, side), read_picture(media.painting(painting), size, side)


def variance(options: argparse.Namespace, networks: dict[str, Weights]) -> bool:
    """Print the explained variance of every layer; there is no bar."""
    _, held_back = hold_back(
        read_pictures(options.pictures, smallest=options.side), options.held_back, options.seed
    )
    pictures = [picture.astype(np.float32) / 255.0 for picture in held_back.values()]
    pictures += [read_picture(path, 384, 16) for path in sorted(options.media.folder.glob("p*/*.*"))]
    taught = _reading(Vgg19(load_weights("vgg19")))
    found = {
        name: explained_variance(_reading(Vgg19(weights)), taught, pictures)
        for name, weights in networks.items()
    }
    bounds = _bounds(taught, pictures)
    print()
    tables.head("layer", "bound", *networks, texts=1)
    for layer in SLIM_LAYERS:
        cells = [
            f"{whole:.3f} / {crosswise:.3f}" for whole, crosswise in (found[name][layer] for name in found)
        ]
        tables.row(layer, f"{bounds[layer]:.3f}", *cells)
    return True


def transfer(options: argparse.Namespace, networks: dict[str, Weights]) -> bool:
    """Print losses on VGG-19 of what each network makes, as ratios to its own; hold the first to the bars."""
    gallery, full, good = Gallery(options.media, options.work), load_weights("vgg19"), True
    for statistic in options.statistics:
        for size in options.sizes:
            print(f"\n{statistic}, {size} px, {len(options.pairs)} pairs: median, worst")
            ratios: dict[str, list[dict[str, float]]] = {name: [] for name in ["the photo", *networks]}
            for number in options.pairs:
                content, style = pair(options.media, number, size)
                judge = Stylizer(StylizeConfig(style_statistic=statistic), [style], full)
                own = judge.losses(gallery.picture(full, statistic, size, number), content)
                for name in ratios:
                    made = content
                    if name in networks:
                        made = gallery.picture(networks[name], statistic, size, number)
                    losses = judge.losses(made, content)
                    ratios[name].append({term: losses[term] / own[term] for term in TERMS})
            tables.head("optimised on", *TERMS, texts=1)
            for name, rows in ratios.items():
                columns = [[row[term] for row in rows] for term in TERMS]
                tables.row(name, *(f"{statistics.median(cell):.2f}, {max(cell):.2f}" for cell in columns))
            first = ratios[next(iter(networks))]
            good &= statistics.median(row["style"] for row in first) <= STYLE_BAR
            good &= statistics.median(row["total"] for row in first) <= TOTAL_BAR
    return good


def gradients(options: argparse.Namespace, networks: dict[str, Weights]) -> bool:
    """Print cosines between gradients of the style loss; there is no bar."""
    full, size = load_weights("vgg19"), options.sizes[0]
    found: dict[str, list[list[float]]] = {name: [] for name in networks}
    for number in options.pairs:
        content, style = pair(options.media, number, size)
        iterates = list(_iterates(full, content, style))
        wanted = [_style_gradient(Vgg19(full), picture, style) for picture in iterates]
        for name, weights in networks.items():
            network = Vgg19(weights)
            mine = [_style_gradient(network, picture, style) for picture in iterates]
            found[name].append([_cosine(*both) for both in zip(mine, wanted, strict=True)])
    print(f"\nCosine between gradients of the style loss, {size} px, median of {len(options.pairs)} pairs")
    tables.head("network", *(f"iterate {number}" for number in ITERATES), texts=1)
    for name, rows in found.items():
        tables.row(name, *(f"{statistics.median(column):.3f}" for column in zip(*rows, strict=True)))
    return True


def spectrum(options: argparse.Namespace, networks: dict[str, Weights]) -> bool:
    """Print the power in octaves over that of VGG-19's pictures, geometric means; there is no bar."""
    gallery, full, size = Gallery(options.media, options.work), load_weights("vgg19"), options.sizes[0]
    periods = [f"{1 / high:.3g} to {1 / low:.3g} px" for low, high in pairwise(OCTAVES)]
    print(f"\nPower over that of VGG-19's pictures, {size} px, geometric mean of {len(options.pairs)} pairs")
    tables.head("network", "of", *periods, texts=2)
    for name, weights in networks.items():
        ratios = []
        for number in options.pairs:
            made, own = (
                _powers(gallery.picture(one, options.statistics[0], size, number)) for one in (weights, full)
            )
            ratios.append(np.log(made / own))
        for kind, row in zip(("brightness", "colour"), np.exp(np.mean(ratios, axis=0)), strict=True):
            tables.row(name, kind, *(f"{ratio:.2f}" for ratio in row))
    return True


def _powers(picture: FloatImage) -> NDArray[np.float64]:
    """The mean power of brightness and of red less green between `OCTAVES`, shape (2, octaves)."""
    height, width = picture.shape[:2]
    window = np.outer(np.hanning(height), np.hanning(width))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    rows = []
    for plane in (picture @ np.array(LUMA), picture[..., 0] - picture[..., 1]):
        power = np.abs(np.fft.fft2((plane - plane.mean()) * window)) ** 2
        bands = [(frequency >= low) & (frequency < high) for low, high in pairwise(OCTAVES)]
        rows.append([power[band].mean() for band in bands])
    return np.array(rows)


def sheet(options: argparse.Namespace, networks: dict[str, Weights]) -> bool:
    """A row for each pair: photo, painting, the picture on VGG-19, and that on each network."""
    gallery, size = Gallery(options.media, options.work), options.sizes[0]
    rows = []
    for number in options.pairs:
        cells = list(pair(options.media, number, size))
        for weights in (load_weights("vgg19"), *networks.values()):
            cells.append(gallery.picture(weights, options.statistics[0], size, number))
        rows.append(np.concatenate([_squared(cell, size) for cell in cells], axis=1))
    write_image(options.sheet, np.concatenate(rows, axis=0))
    return True


PARTS = {
    "variance": variance,
    "transfer": transfer,
    "gradients": gradients,
    "spectrum": spectrum,
    "sheet": sheet,
}


def main(arguments: list[str] | None = None) -> int:
    """Print the tables; exit 1 when a bar is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("media", type=Media.named)
    add("--part", choices=tuple(PARTS), required=True)
    add("--network", action="append", default=[], metavar="NAME=FILE", help="others to compare")
    add("--sizes", type=int, nargs="+", default=[256], help="pixels; but for transfer: the first")
    add("--statistics", nargs="+", default=["nearest"], help="spectrum, sheet: the first")
    add("--pairs", type=int, nargs="+", choices=range(len(PAIRS)), default=[*range(len(PAIRS))])
    add("--work", type=Path, help="transfer, spectrum, sheet: folder for pictures")
    add("--sheet", type=Path, help="sheet: the file to write")
    add("--pictures", type=Path, action="append", help="variance: what train.py was given")
    add("--held-back", type=int, default=24, help="variance: what train.py was given")
    add("--seed", type=int, default=0, help="variance: what train.py was given")
    add("--side", type=int, default=128, help="variance: what train.py was given")
    options = parser.parse_args(arguments)
    wanted = {
        "variance": ["pictures"],
        "transfer": ["work"],
        "spectrum": ["work"],
        "sheet": ["work", "sheet"],
    }
    for name in wanted.get(options.part, []):
        if getattr(options, name) is None:
            parser.error(f"--part {options.part} needs --{name}")
    load_tensorflow()
    networks = {"vgg19-slim": load_weights("vgg19-slim")}
    for given in options.network:
        name, _, file = given.partition("=")
        networks[name] = load_weights(Path(file))
    return 0 if PARTS[options.part](options, networks) else 1


def _reading(network: Vgg19) -> Activations:
    return tf.function(lambda image: network.activations(image, SLIM_LAYERS), reduce_retracing=True)


def _bounds(taught: Activations, pictures: Sequence[FloatImage]) -> dict[str, float]:
    moments = {layer: Moments() for layer in SLIM_LAYERS}
    for picture in pictures:
        for layer, values in taught(tf.constant(picture[None])).items():
            rows = rows_of(values)
            moments[layer].add(np.zeros((len(rows), 0)), rows)
    widths = {layer: WIDTHS["vgg19-slim"][block_of(layer) - 1] for layer in SLIM_LAYERS}
    return {layer: one.bound(widths[layer]) for layer, one in moments.items()}


def _iterates(full: Weights, content: FloatImage, style: FloatImage) -> Iterator[FloatImage]:
    """Pictures of an optimisation from the content, at one size, after `ITERATES` iterations."""
    kept: dict[int, FloatImage] = {}

    def keep(progress: Any) -> None:
        if progress.iteration in ITERATES:
            kept[progress.iteration] = progress.picture()

    config = StylizeConfig(style_statistic="gram", tolerance=0.0)
    stylizer = Stylizer(config, [style], full)
    stylizer.stylize(content, initial=content, iterations=max(ITERATES), callback=keep)
    yield from (kept[number] for number in ITERATES)


def _style_gradient(network: Vgg19, picture: FloatImage, style: FloatImage) -> FloatImage:
    """Of the squared differences of Gram matrices, each relative to the painting's, in pixels."""
    layers = StylizeConfig(style_statistic="gram").style_layers
    wanted = network.activations(tf.constant(style[None]), layers)
    value = tf.constant(picture[None])
    with tf.GradientTape() as tape:
        tape.watch(value)
        found = network.activations(value, layers)
        errors = [
            relative_squared_error(gram_matrix(found[layer]), gram_matrix(wanted[layer])) for layer in layers
        ]
        loss = tf.add_n(errors)
    gradient: FloatImage = tape.gradient(loss, value).numpy()[0]
    return gradient


def _cosine(one: FloatImage, other: FloatImage) -> float:
    return float(np.sum(one * other) / (np.linalg.norm(one) * np.linalg.norm(other)))


def _squared(picture: FloatImage, size: int) -> FloatImage:
    """`picture` in the middle of a white square with a margin."""
    square = np.ones((size + 4, size + 4, 3), np.float32)
    top, left = (size - picture.shape[0]) // 2, (size - picture.shape[1]) // 2
    square[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return square


if __name__ == "__main__":
    sys.exit(main())
