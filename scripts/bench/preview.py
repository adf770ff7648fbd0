"""How well a small picture predicts the full-size one, with the settings corrected for the size and without.

    python scripts/bench/preview.py MEDIA CACHE [--size 512] [--preview 256] [--iterations 60 50]
        [--backbone vgg19|vgg19-slim] [--pairs report|fit] [--count 6] [--ways ...] [--sheet FILE.png]

Default settings, paintings cropped as the command does. The full-size pictures are kept in the folder CACHE
and made once, for one network. They are scaled to the preview's size (area averages) and compared with
previews made in several ways:

same settings: what `--size` alone does: the levels are 1/4, 1/2 and 1 of the preview's size (none is under 64
pixels), each with the default iterations. The other ways have --iterations.
levels: the coarse levels are those of the full-size job that are smaller than the preview, so that the last
level starts from the very picture that the full-size job passes through.
levels, layers: and the last level reads shallower layers. At r of the size, block b sees what block
b + log2(1/r) sees at full size, so every layer is replaced by the one log2(1/r) blocks before it, split
between two blocks where that is no whole number; what would come before the first block is left out.
levels, layers, weights: and the weights of style, smoothing and flatness are multiplied by a power of r.

`--preview` does the second with nearest, the last with the other statistics.

The tables give the structural similarity of luminances (Wang et al. 2004), the mean difference of colours in
255ths, and the mean relative squared error of the Gram matrices. "photo" is the photo unstyled. Exits 1 if
the last way named is not nearer to the full-size picture than the first, in similarity, for every pair.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cv2
import numpy as np

from pipeline.machine import load_tensorflow
from pipeline.preview.preview import COARSE_ITERATIONS, LAST_ITERATIONS, shifted_layers
from pipeline.settings.job_settings import ImageSettings
from pipeline.styling.pictures import read_picture, read_style
from pipeline.styling.precision import is_mixed
from scripts import tables
from scripts.media import Media
from stylize.colors import grey
from stylize.config import StylizeConfig
from stylize.pyramid import rescale, shapes_of
from stylize.stylizer import Stylizer
from stylize.types import FloatImage
from stylize.weights import WIDTHS, Weights, load_weights
from video.images import read_image, resize_image, write_image

PHOTOS = ("coffee", "elephant", "rocket", "flower-2268x1512", "chelsea-cat", "tulips")
PAINTINGS = (
    "vangogh-starry-night", "munch-scream", "hokusai-great-wave", "monet-water-lilies", "bruegel-harvesters",
    "turner-shipwreck-minotaur",
)  # fmt: skip
PAIRS = {
    "fit": tuple(zip(PHOTOS, PAINTINGS, strict=True)),
    "report": tuple(zip(PHOTOS, PAINTINGS[2:] + PAINTINGS[:2], strict=True)),
}
"""The correction was chosen on the one half and is reported on the other."""
CONFIG = StylizeConfig()
JUDGED = StylizeConfig(style_statistic="gram")
"""What measures how unlike two pictures look."""


@dataclass(frozen=True)
class Way:
    """How a preview's settings follow from those of full size, with r the ratio of the sizes.

    Attributes
    ----------
    levels
        Take the coarse levels of the full-size job.
    layers
        Blocks by which the last level's layers move, in units of log2(1/r).
    style_power, tv_power
        The last level's weights of style, and of smoothing and flatness, are multiplied by r to these powers.
    scale_power
        The style picture is scaled by r to this power.
    every_level
        Correct the settings of the coarse levels like those of the last.
    """

    levels: bool = True
    layers: float = 0.0
    style_power: float = 0.0
    tv_power: float = 0.0
    scale_power: float = 0.0
    every_level: bool = False


WAYS = {
    "same settings": Way(levels=False),
    "levels": Way(),
    "levels, style weight": Way(style_power=1.0),
    "levels, smoothing": Way(tv_power=1.0),
    "levels, style scale": Way(scale_power=0.5),
    "levels, layers": Way(layers=1.0),
    "levels, layers, weights": Way(layers=1.0, style_power=1.0, tv_power=1.0),
    "levels, layers, weights, at every level": Way(
        layers=1.0, style_power=1.0, tv_power=1.0, every_level=True
    ),
}


def corrected(config: StylizeConfig, ratio: float, way: Way) -> StylizeConfig:
    """The settings of a preview's last level, `ratio` times the full size."""
    blocks = way.layers * math.log2(1.0 / ratio)
    config = replace(
        config,
        style_weight=config.style_weight * ratio**way.style_power,
        tv_weight=config.tv_weight * ratio**way.tv_power,
        flat_weight=config.flat_weight * ratio**way.tv_power,
    )
    if not blocks:
        return config
    content = shifted_layers(config.content_layers, config.content_layer_weights, blocks)
    style = shifted_layers(config.style_layers, config.style_layer_weights, blocks)
    return replace(
        config, content_layers=content[0], content_layer_weights=content[1],
        style_layers=style[0], style_layer_weights=style[1],
    )  # fmt: skip


def similarity(one: FloatImage, other: FloatImage) -> float:
    """The mean structural similarity of two luminances (Wang et al. 2004, eq. 13), at most 1.

    Gaussian windows of 11 pixels, sigma 1.5, where they lie inside the picture; C1 = 0.01^2, C2 = 0.03^2.
    """

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(values, (11, 11), 1.5)[5:-5, 5:-5]

    x, y = (grey(picture)[..., 0].astype(np.float64) for picture in (one, other))
    mu_x, mu_y = mean(x), mean(y)
    variances = mean(x * x) - mu_x**2 + mean(y * y) - mu_y**2
    covariance = mean(x * y) - mu_x * mu_y
    c_1, c_2 = 0.01**2, 0.03**2
    luminance = (2 * mu_x * mu_y + c_1) / (mu_x**2 + mu_y**2 + c_1)
    return float((luminance * (2 * covariance + c_2) / (variances + c_2)).mean())


class Painter:
    """Stylizers on one network; those of the same settings share their compiled steps."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._known: dict[StylizeConfig, Stylizer] = {}

    def __call__(self, config: StylizeConfig, style: FloatImage) -> Stylizer:
        """One with these settings for a style picture."""
        if config in self._known:
            return self._known[config].restyled([style])
        made = Stylizer(config, [style], self._weights, mixed=is_mixed("auto", self._weights))
        return self._known.setdefault(config, made)

    def gram_error(self, picture: FloatImage, target: FloatImage) -> float:
        """The mean over the style layers of the relative squared error of Gram matrices."""
        return self(JUDGED, target).losses(picture, target)["style"] / JUDGED.style_weight


@dataclass
class Pair:
    """One photo in one painting."""

    media: Media
    photo: str
    painting: str
    known: dict[int, tuple[FloatImage, FloatImage]] = field(default_factory=dict)

    def pictures(self, size: int) -> tuple[FloatImage, FloatImage]:
        """The photo at a size, and the painting fitted to its longer side."""
        if size not in self.known:
            content = read_picture(self.media.photo(self.photo), size, CONFIG.minimum_side)
            painting, longer = self.media.painting(self.painting), max(content.shape)
            style = read_style(painting, longer, 1.0, CONFIG.minimum_side, ImageSettings().style_crop)
            self.known[size] = content, style
        return self.known[size]

    def full(self, size: int, cache: Path, painter: Painter) -> FloatImage:
        """The full-size result."""
        kept = cache / f"{self.photo}+{self.painting}-{size}.png"
        if not kept.exists():
            content, style = self.pictures(size)
            cache.mkdir(parents=True, exist_ok=True)
            write_image(kept, painter(CONFIG, style).stylize(content).picture)
        return read_image(kept)


def at(style: FloatImage, factor: float) -> FloatImage:
    """A style picture for a coarse level, as the stylizer scales it."""
    height, width = (max(CONFIG.minimum_side, round(side * factor)) for side in style.shape[:2])
    return rescale(style, height, width)


def preview(
    pair: Pair, full: int, size: int, way: Way, iterations: Sequence[int], painter: Painter
) -> tuple[FloatImage, float]:
    """A preview made in one way, and the seconds that its optimisation took.

    Parameters
    ----------
    iterations
        At most, for every coarse level and for the last one.
    """
    content, style = pair.pictures(size)
    if not way.levels:
        result = painter(CONFIG, style).stylize(content)
        return result.picture, result.seconds
    whole = pair.pictures(full)[0].shape
    ratio = max(content.shape) / max(whole)
    if way.scale_power:
        scale = ratio**way.scale_power
        style = resize_image(style, (round(style.shape[1] * scale), round(style.shape[0] * scale)))
    last = replace(corrected(CONFIG, ratio, way), levels=1)
    begun, seconds = None, 0.0
    coarse = [shape for shape in shapes_of(CONFIG, *whole[:2]) if max(shape) < max(content.shape)]
    if coarse:
        height, width = coarse[-1]
        first = replace(last if way.every_level else CONFIG, levels=len(coarse))
        engine = painter(first, at(style, max(height, width) / max(content.shape)))
        result = engine.stylize(resize_image(content, (width, height)), iterations=iterations[0])
        begun, seconds = resize_image(result.picture, content.shape[1::-1]), result.seconds
    result = painter(last, style).stylize(content, initial=begun, iterations=iterations[1])
    return result.picture, seconds + result.seconds


def measured(
    pair: Pair, options: argparse.Namespace, painter: Painter
) -> tuple[dict[str, list[float]], list[FloatImage]]:
    """What each way comes to for a pair, and the pictures: full size scaled, then one a way."""
    content, _ = pair.pictures(options.preview)
    target = resize_image(pair.full(options.size, options.cache, painter), content.shape[1::-1])
    made = {"photo": (content, 0.0)}
    for name in options.ways:
        made[name] = preview(pair, options.size, options.preview, WAYS[name], options.iterations, painter)
    found = {
        name: [
            similarity(picture, target),
            255.0 * float(np.abs(picture - target).mean()),
            painter.gram_error(picture, target),
            seconds,
        ]
        for name, (picture, seconds) in made.items()
    }
    return found, [target, *(picture for name, (picture, _) in made.items() if name != "photo")]


def print_tables(found: dict[str, dict[str, list[float]]]) -> None:
    """Print what was measured: the similarity pair by pair, then the means."""
    ways = list(next(iter(found.values())))
    tables.head("similarity (wanted: the last above the first way)", *ways)
    for pair, values in found.items():
        tables.row(pair, *(f"{values[way][0]:.3f}" for way in ways))
    print()
    tables.head("means", "similarity", "colour difference, 255ths", "Gram error", "seconds a picture")
    for way in ways:
        close, colour, gram, seconds = np.mean([values[way] for values in found.values()], axis=0)
        tables.row(way, f"{close:.3f}", f"{colour:.1f}", f"{gram:.4f}", f"{seconds:.1f}")


def main() -> None:
    """Make what is missing and compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("media", type=Media.named)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--preview", type=int, default=256)
    parser.add_argument(
        "--iterations",
        type=int,
        nargs=2,
        default=(COARSE_ITERATIONS, LAST_ITERATIONS),
        metavar=("COARSE", "LAST"),
    )
    parser.add_argument("--backbone", choices=tuple(WIDTHS), default="vgg19")
    parser.add_argument("--pairs", choices=tuple(PAIRS), default="report")
    parser.add_argument("--count", type=int, default=6, help="only the first so many pairs")
    parser.add_argument("--ways", nargs="+", choices=tuple(WAYS), default=list(WAYS))
    parser.add_argument("--sheet", type=Path, help="full size and every way, a row a pair")
    options = parser.parse_args()
    load_tensorflow()
    painter = Painter(load_weights(options.backbone))
    found, rows = {}, []
    for names in PAIRS[options.pairs][: options.count]:
        pair = Pair(options.media, *names)
        found[", ".join(names)], pictures = measured(pair, options, painter)
        rows.append(np.concatenate(pictures, axis=1))
        print(f"{', '.join(names)}: done", file=sys.stderr, flush=True)
    print_tables(found)
    if options.sheet is not None:
        wide = max(row.shape[1] for row in rows)
        padded = [np.pad(row, ((0, 4), (0, wide - row.shape[1]), (0, 0))) for row in rows]
        write_image(options.sheet, np.concatenate(padded), overwrite=True)
    first, last = options.ways[0], options.ways[-1]
    sys.exit(any(values[last][0] <= values[first][0] for values in found.values()))


if __name__ == "__main__":
    main()
