"""Whether a style picture alone tells how much a clip in it flickers.

    python scripts/bench/flicker.py MEDIA [--cache FILE.json] [--backbone vgg19] [--size 160] [--frames 6]

MEDIA has the folders videos/, photos/ and paintings/. The truth: the warping error (video/metrics.py) of
frames that are stylized alone by the default settings, as with `--temporal off`, on two clips, for every
painting and photo of MEDIA as a style and for variants of them (a half, blurred, paler, other scales, grey),
on the network of --backbone. Against it the numbers in `CANDIDATES`, each found from the style picture and
the slim network, some with one reference content from the demo: Spearman's rank correlation over the
originals, over all, and within each half of the originals and their variants (chosen on one half, a measure
can be checked on the other), and the lowest when any one style is left out. With a cache only what is new is
stylized.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the program has it
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cv2
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.stats import spearmanr

from pipeline.settings.job_settings import VideoSettings
from pipeline.styling.pictures import read_picture
from pipeline.styling.precision import is_mixed
from scripts import tables
from scripts.media import Media, clip_frames
from stylize.backbone import Vgg19
from stylize.colors import grey
from stylize.config import StylizeConfig
from stylize.layers import block_of
from stylize.stylizer import Stylizer
from stylize.types import FloatImage
from stylize.weights import WIDTHS, Weights, load_weights
from video.images import from_uint8, resize_image, to_uint8
from video.metrics import LIVELY, ConsistencyMeter

CLIPS = ("flower", "friday-speech")
CONFIG = StylizeConfig(style_statistic="gram")
ITERATIONS = VideoSettings().frame_iterations
DEMO = Path(__file__).resolve().parents[2] / "pipeline" / "demo" / "tulips.jpg"
"""The reference content."""


def half(style: FloatImage) -> FloatImage:
    """The left half, at its own size."""
    return np.ascontiguousarray(style[:, : style.shape[1] // 2])


def scaled(style: FloatImage, scale: float) -> FloatImage:
    """At another size, as `--style-scale` does."""
    return resize_image(style, (round(style.shape[1] * scale), round(style.shape[0] * scale)))


def pale(style: FloatImage) -> FloatImage:
    """With half the contrast around its mean colour."""
    mean = style.mean(axis=(0, 1))
    return mean + np.float32(0.5) * (style - mean)


VARIANTS: Mapping[str, Callable[[FloatImage], FloatImage]] = {
    "": lambda style: style,
    "half": half,
    "blurred": lambda style: cv2.GaussianBlur(style, (0, 0), 2.0),
    "pale": pale,
    "small": lambda style: scaled(style, 0.5),
    "large": lambda style: scaled(style, 2.0),
    "grey": grey,
}
CYCLE = ("blurred", "pale", "small", "large", "grey")
"""Every painting and photo comes as it is and in one of these, in turn; paintings also as a half."""


@dataclass(frozen=True)
class Style:
    """A picture whose flicker is measured."""

    name: str
    variant: str
    painting: bool
    picture: FloatImage

    @property
    def label(self) -> str:
        """The name with its variant."""
        return f"{self.name}, {self.variant}" if self.variant else self.name


def styles_of(media: Media, size: int) -> list[Style]:
    """All styles; each variant is made of the picture at the size it is used at."""
    found = []
    for folder in ("paintings", "photos"):
        for number, file in enumerate(sorted((media.folder / folder).iterdir())):
            picture = read_picture(file, size, CONFIG.minimum_side, style=True)
            also = CYCLE[(number + (folder == "photos")) % len(CYCLE)]
            for variant in ("", also, "half") if folder == "paintings" else ("", also):
                made = np.clip(VARIANTS[variant](picture), 0.0, 1.0).astype(np.float32)
                found.append(Style(file.stem, variant, folder == "paintings", made))
    return found


class Studio:
    """Stylizers of different styles that share one compiled step."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._first: Stylizer | None = None

    def of(self, style: FloatImage) -> Stylizer:
        """With default settings."""
        if self._first is None:
            mixed = is_mixed("auto", self._weights)
            self._first = Stylizer(StylizeConfig(), [style], self._weights, mixed=mixed)
            return self._first
        return self._first.restyled([style])


def flicker(stylizer: Stylizer, frames: Sequence[FloatImage], iterations: int) -> float:
    """Mean warping error of frames stylized alone, each quantised as if saved."""
    meter, errors = ConsistencyMeter(), []
    for content in frames:
        picture = stylizer.stylize(content, initial=content, iterations=iterations).picture
        found = meter.feed(content, from_uint8(to_uint8(picture)))
        if found is not None:
            errors.append(found.error)
    return float(np.mean(errors))


def truths(styles: Sequence[Style], options: argparse.Namespace) -> dict[str, list[float]]:
    """The warping error of each style on each clip, by label; from the cache what it knows."""
    cache, size, count, iterations = options.cache, options.size, options.frames, options.iterations
    asked = f"{size} | {count} | {iterations} | {options.backbone}"
    known = json.loads(cache.read_text()) if cache is not None and cache.exists() else {}
    clips = {name: clip_frames(options.media.video(name), f"0:{count}", size) for name in CLIPS}
    studio = Studio(load_weights(options.backbone))
    for style in styles:
        for name, frames in clips.items():
            key = f"{style.label} | {name} | {asked}"
            if key not in known:
                known[key] = flicker(studio.of(style.picture), frames, iterations)
                if cache is not None:
                    cache.write_text(json.dumps(known, indent=1))
                print(f"{key}: {known[key] * 1e4:.2f}e-4", file=sys.stderr, flush=True)
    return {style.label: [known[f"{style.label} | {name} | {asked}"] for name in CLIPS] for style in styles}


@dataclass(frozen=True)
class Seen:
    """A style picture and what the network makes of it.

    `size` is the longer side of the frames in pixels; features are by block, of shape (positions, filters).
    """

    picture: FloatImage
    size: int
    features: Mapping[int, NDArray[np.float64]]
    reference: Mapping[int, NDArray[np.float64]]


Measure = Callable[[Seen], float]
BLOCKS = tuple(range(1, 1 + len(CONFIG.style_layers)))


def gram(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """G_ij = 1/M sum_k F_ik F_jk of features (M, C), as in `stylize.losses.gram_matrix`."""
    return features.T @ features / len(features)


def trace(features: NDArray[np.float64]) -> float:
    """tr G: the mean squared length of the features (Gupta et al. 2017, section 4)."""
    return float(np.square(features).sum(axis=1).mean())


def variance(features: NDArray[np.float64]) -> float:
    """tr (G - m m^T) for the filters' means m: the trace of the features' covariance."""
    return float(features.var(axis=0).sum())


def top_share(features: NDArray[np.float64]) -> float:
    """The largest eigenvalue's share of the trace."""
    values = np.linalg.eigvalsh(gram(features))
    return float(values[-1] / values.sum())


def off_diagonal(features: NDArray[np.float64]) -> float:
    """The share of |G|^2 that is off the diagonal."""
    matrix = gram(features)
    return float(1.0 - np.square(np.diag(matrix)).sum() / np.square(matrix).sum())


def geometric(formula: Callable[[NDArray[np.float64]], float]) -> Measure:
    """The geometric mean of a formula over the style layers: no layer's units count."""
    return lambda seen: float(np.exp(np.mean([np.log(formula(seen.features[block])) for block in BLOCKS])))


def first_loss(seen: Seen) -> float:
    """The style loss of the reference content before the first iteration."""
    each = []
    for block in BLOCKS:
        target = gram(seen.features[block])
        each.append(np.square(gram(seen.reference[block]) - target).sum() / np.square(target).sum())
    return float(np.mean(each))


def fine_contrast(share: float) -> Measure:
    """Root mean square of the picture less its Gaussian mean, of that share of the frames' longer side."""

    def measure(seen: Seen) -> float:
        fine = seen.picture - cv2.GaussianBlur(seen.picture, (0, 0), share * seen.size)
        return float(np.sqrt(np.square(fine).mean()))

    return measure


def contrast(seen: Seen) -> float:
    """Standard deviation of the colours, root mean square over the channels."""
    return float(np.sqrt(seen.picture.var(axis=(0, 1)).mean()))


def total_variation(seen: Seen) -> float:
    """Mean squared difference of neighbours, right and below."""
    return float(sum(np.square(np.diff(seen.picture, axis=axis)).mean() for axis in (0, 1)))


def one_block(formula: Callable[[NDArray[np.float64]], float], block: int) -> Measure:
    """A formula at one style layer."""
    return lambda seen: formula(seen.features[block])


CANDIDATES: Mapping[str, Measure] = {
    "trace of the Gram matrix, geometric mean": geometric(trace),
    **{f"the same, block {block}": one_block(trace, block) for block in BLOCKS},
    "variance of the activations, geometric mean": geometric(variance),
    **{f"the same, block {block} ": one_block(variance, block) for block in BLOCKS},
    "top eigenvalue's share of the trace, geometric mean": geometric(top_share),
    "energy off the diagonal, geometric mean": geometric(off_diagonal),
    "style loss of a photo at the start": first_loss,
    "contrast of the picture": contrast,
    "standard deviation of its luminance": lambda seen: float(grey(seen.picture)[..., 0].std()),
    "total variation": total_variation,
    "fine contrast, Gaussian of 1/80 of the size": fine_contrast(1 / 80),
    "fine contrast, 1/40": fine_contrast(1 / 40),
    "fine contrast, 1/25": fine_contrast(1 / 25),
    "fine contrast, 1/13": fine_contrast(1 / 13),
}
CHOSEN = "fine contrast, 1/25"
BAR = LIVELY
"""A style whose fine contrast is over this flickers more than most."""


def measured(styles: Sequence[Style], size: int) -> dict[str, dict[str, float]]:
    """Every candidate of every style, by candidate and label."""
    network = Vgg19(load_weights("vgg19-slim"))

    def features(picture: FloatImage) -> dict[int, NDArray[np.float64]]:
        found = network.activations(tf.constant(picture[None]), CONFIG.style_layers)
        return {
            block_of(layer): value.numpy()[0].reshape(-1, value.shape[-1]).astype(np.float64)
            for layer, value in found.items()
        }

    reference = features(read_picture(DEMO, size, CONFIG.minimum_side))
    seen = {style.label: Seen(style.picture, size, features(style.picture), reference) for style in styles}
    return {name: {label: of(one) for label, one in seen.items()} for name, of in CANDIDATES.items()}


def rank(one: Mapping[str, float], other: Mapping[str, float], labels: Sequence[str]) -> float:
    """Spearman's rank correlation over some labels."""
    return float(spearmanr([one[label] for label in labels], [other[label] for label in labels])[0])


def weakest(one: Mapping[str, float], other: Mapping[str, float], labels: Sequence[str]) -> float:
    """The correlation nearest to 0 when any one label is left out."""
    left = [rank(one, other, [label for label in labels if label != out]) for out in labels]
    return min(left, key=abs)


def groups_of(styles: Sequence[Style]) -> dict[str, list[str]]:
    """Labels of the originals, of all, and of two halves: every second original with its variants."""
    originals = [style.name for style in styles if not style.variant]
    odd = set(originals[::2])
    return {
        "originals": originals,
        "all": [style.label for style in styles],
        "half A": [style.label for style in styles if style.name in odd],
        "half B": [style.label for style in styles if style.name not in odd],
    }


def report(styles: Sequence[Style], truth: Mapping[str, Sequence[float]], size: int) -> None:
    """Print the tables."""
    mean = {label: float(np.mean(errors)) for label, errors in truth.items()}
    candidates, groups = measured(styles, size), groups_of(styles)
    first, second = ({label: errors[clip] for label, errors in truth.items()} for clip in (0, 1))
    tables.head(
        "rank correlation with the warping error",
        "originals",
        "weakest without one",
        "all",
        "weakest without one",
        "half A",
        "half B",
    )
    for name, values in {f"({CLIPS[0]} with {CLIPS[1]})": None, **candidates}.items():
        one, other = (first, second) if values is None else (values, mean)
        cells = [
            rank(one, other, groups["originals"]), weakest(one, other, groups["originals"]),
            rank(one, other, groups["all"]), weakest(one, other, groups["all"]),
            rank(one, other, groups["half A"]), rank(one, other, groups["half B"]),
        ]  # fmt: skip
        tables.row(name.strip(), *(f"{cell:.2f}" for cell in cells))
    print()
    tables.head("style", *(f"{clip}, e-4" for clip in CLIPS), "mean", CHOSEN)
    for label in sorted(mean, key=lambda label: -mean[label]):
        cells = [*(error * 1e4 for error in truth[label]), mean[label] * 1e4]
        tables.row(label, *(f"{cell:.1f}" for cell in cells), f"{candidates[CHOSEN][label]:.4g}")
    quarter(mean, candidates[CHOSEN], groups)


def quarter(
    truth: Mapping[str, float], values: Mapping[str, float], groups: Mapping[str, Sequence[str]]
) -> None:
    """Print which of the styles of the largest errors (the originals' upper quartile) are over the bar."""
    originals = groups["originals"]
    limit = float(np.quantile([truth[label] for label in originals], 0.75))
    for name in ("originals", "all"):
        warned = {label for label in groups[name] if values[label] > BAR}
        worst = {label for label in groups[name] if truth[label] > limit}
        print(
            f"\n{name}: {len(warned)} of {len(groups[name])} have a {CHOSEN.split(',')[0]} over {BAR:g}, "
            f"{len(worst)} an error over {limit * 1e4:.1f}e-4, {len(warned & worst)} both"
        )


def main() -> None:
    """Measure what is not in the cache, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("media", type=Media.named)
    parser.add_argument("--cache", type=Path, help="a JSON file of warping errors, read and added to")
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--iterations", type=int, default=ITERATIONS)
    parser.add_argument("--backbone", choices=tuple(WIDTHS), default="vgg19", help="that makes the frames")
    options = parser.parse_args()
    styles = styles_of(options.media, options.size)
    truth = truths(styles, options)
    report(styles, truth, options.size)


if __name__ == "__main__":
    main()
