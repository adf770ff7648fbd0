"""Whether the knobs of art direction do what they say: masks, stroke size, colours, strength.

    python scripts/bench/direction.py MEDIA [--part ...] [--size 256] [--sheet FILE.png]

Default settings on vgg19-slim. Each table says what is wanted; exits 1 if something is missed.

masks: two styles, each in one half of a photo. The style loss inside each mask, over that of a picture in
that style alone inside the same mask.
preserved: the largest change inside and outside --mask-preserve on the command line, in 255ths.
strokes: how far the texture of the result resembles itself (the distance at which its autocorrelation has
fallen to a half, mean over all directions), for --style-scale 0.5, 1 and 2 and every painting. The content
is a grey field, where all there is comes from the style: on a photo the measure cannot tell strokes from
shading.
colours: the mean difference of chroma between result and photo with --preserve-color luminance, in 255ths.
strength: how far pixels and what the content term sees of them (the root of its loss) are from the photo
at 0.25, 0.5 and 0.75, over that at 1.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from itertools import chain
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from numpy.typing import NDArray

from pipeline.cli.main import main as deepfusion
from pipeline.styling.pictures import read_picture, read_style
from scripts import tables
from scripts.media import Media
from stylize.colors import grey, with_colors_of
from stylize.config import StylizeConfig
from stylize.look import Look, Plane
from stylize.stylizer import Stylizer
from stylize.types import FloatImage
from stylize.weights import load_weights
from video.images import read_image, write_image

PAIRS = (
    ("chelsea-cat", "vangogh-starry-night", "hokusai-great-wave"),
    ("elephant", "munch-scream", "monet-water-lilies"),
    ("rocket", "hokusai-great-wave", "bruegel-harvesters"),
)
CONFIG = StylizeConfig()
WEIGHTS = load_weights("vgg19-slim")
SCALES, STRENGTHS = (0.5, 1.0, 2.0), (0.25, 0.5, 0.75)
BORDER = 16


def stylizer(*styles: FloatImage, guided: bool = False) -> Stylizer:
    """With default settings."""
    return Stylizer(CONFIG, styles, WEIGHTS, guided=guided)


def grey_field(size: int) -> FloatImage:
    """A content without forms: mid-grey with a camera's noise, which gives the optimisation a place to begin.

    On an exactly flat field the gradient is the same everywhere and texture grows from the borders alone.
    """
    noise = np.random.default_rng(0).normal(0.0, 2.0 / 255.0, (size, size, 3))
    return np.clip(0.5 + noise, 0.0, 1.0).astype(np.float32)


def stroke_length(texture: FloatImage) -> float:
    """Pixels at which the autocorrelation of a texture's luminance has fallen to a half.

    Mean over all directions; each lag is averaged over the pixels that it is known for. The outermost
    pixels are left out, where the network sees its own padding. Infinite if it does not fall.
    """
    inner = grey(texture)[BORDER:-BORDER, BORDER:-BORDER, 0].astype(np.float64)
    inner -= inner.mean()
    lags = [2 * length for length in inner.shape]

    def correlation(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.fft.ifft2(np.abs(np.fft.fft2(values, lags)) ** 2).real

    found = correlation(inner) / np.maximum(correlation(np.ones_like(inner)), 1.0)
    rows, columns = (np.minimum(np.arange(length), length - np.arange(length)) for length in lags)
    distance = np.hypot(rows[:, None], columns[None, :])
    before = found[0, 0]
    for r in range(1, min(inner.shape) // 2):
        after = found[(distance >= r - 0.5) & (distance < r + 0.5)].mean()
        if after < 0.5 * found[0, 0]:
            return float(r - 1 + (before - 0.5 * found[0, 0]) / (before - after))
        before = after
    return float("inf")


def chroma_difference(one: FloatImage, other: FloatImage) -> float:
    """Mean absolute difference of the colours without their luminance, in 255ths."""
    return float(255.0 * np.abs((one - grey(one)) - (other - grey(other))).mean())


def half(content: FloatImage) -> Plane:
    """A mask of the left half."""
    left = np.zeros(content.shape[:2], np.float32)
    left[:, : content.shape[1] // 2] = 1.0
    return left


class Pair:
    """One photo in a painting, with a second painting beside it."""

    def __init__(self, media: Media, size: int, photo: str, *paintings: str) -> None:
        self.files = [media.photo(photo)]
        self.files += [media.painting(painting) for painting in paintings]
        self.names = [f"{photo}, {painting}" for painting in paintings]
        self.size = size
        self.content = read_picture(self.files[0], size, CONFIG.minimum_side)
        self.styles = [read_picture(file, size, CONFIG.minimum_side, style=True) for file in self.files[1:]]
        self.alone = [stylizer(style).stylize(self.content).picture for style in self.styles]
        self.pictures = [self.content]

    def masks(self) -> list[tuple[str, list[str], bool]]:
        """The style loss inside each mask."""
        places = (half(self.content), 1.0 - half(self.content))
        both = stylizer(*self.styles, guided=True).stylize(self.content, look=Look(masks=places)).picture
        self.pictures.append(both)
        found = []
        for name, style, place, alone in zip(self.names, self.styles, places, self.alone, strict=True):
            judge, look = stylizer(style, guided=True), Look(masks=(place,))
            ours, single = (judge.losses(one, self.content, look)["style"] for one in (both, alone))
            whole = stylizer(style).losses(alone, self.content)["style"]
            inside = ours / place.mean()  # a region counts by its area
            found.append((name, [f"{ours / single:.3f}", f"{inside / whole:.3f}"], ours <= 1.1 * single))
        return found

    def preserved(self) -> list[tuple[str, list[str], bool]]:
        """What --mask-preserve lets change."""
        with tempfile.TemporaryDirectory() as folder:
            mask, content, out = (Path(folder) / f"{name}.png" for name in ("mask", "content", "out"))
            write_image(content, self.content)
            write_image(mask, np.dstack([half(self.content)] * 3))
            command = (
                "image", content, "--style", self.files[1], "--mask-preserve", mask, "-o", out,
                "--size", self.size, "--backbone", "vgg19-slim", "-q",
            )  # fmt: skip
            with contextlib.suppress(SystemExit):
                deepfusion([str(part) for part in command])
            picture = read_image(out)
            change = 255.0 * np.abs(picture - read_image(content)).max(axis=2)
        self.pictures.append(picture)
        inside, outside = change[half(self.content) == 1].max(), change[half(self.content) == 0].max()
        return [(self.names[0], [f"{inside:.1f}", f"{outside:.0f}"], inside <= 1.0 < outside)]

    def colours(self) -> list[tuple[str, list[str], bool]]:
        """How far the colours are from the photo's."""
        picture = stylizer(grey(self.styles[0])).stylize(grey(self.content)).picture
        self.pictures.append(with_colors_of(self.content, picture))
        difference = chroma_difference(self.pictures[-1], self.content)
        return [(self.names[0], [f"{difference:.2f}"], difference < 2.0)]

    def strength(self) -> list[tuple[str, list[str], bool]]:
        """How far from the photo each strength is."""
        engine = stylizer(self.styles[0])
        made = []
        for look in map(Look, STRENGTHS):
            made.append(look.over(self.content, engine.stylize(self.content, look=look).picture))
        self.pictures += made
        cells, rising = [], True
        for distance in (
            lambda one: float(np.abs(one - self.content).mean()),
            lambda one: engine.losses(one, self.content)["content"] ** 0.5,
        ):
            far = [distance(one) for one in (*made, self.alone[0])]
            cells += [f"{one / far[-1]:.2f}" for one in far[:-1]]
            rising = rising and far == sorted(far)
        return [(self.names[0], cells, rising)]


def strokes(media: Media, size: int) -> list[tuple[str, list[str], bool]]:
    """The length of strokes at each scale, for every painting."""
    found = []
    for file in sorted(media.paintings.iterdir()):
        styles = [read_style(file, size, scale, CONFIG.minimum_side) for scale in SCALES]
        made = [stylizer(style).stylize(grey_field(size)).picture for style in styles]
        lengths = [stroke_length(picture) for picture in made]
        found.append((file.stem, [f"{length:.2f}" for length in lengths], lengths == sorted(set(lengths))))
    return found


PARTS: dict[str, tuple[str, ...]] = {
    "masks": (
        "style loss inside its mask, of that of the style alone inside it (wanted: at most 1.1)",
        "of that of the style alone in its whole picture",
    ),
    "preserved": ("largest change inside, 255ths (wanted: at most 1)", "outside"),
    "strokes": tuple(f"stroke length at {scale:g}, px (wanted: rising)" for scale in SCALES),
    "colours": ("mean difference of chroma, 255ths (wanted: under 2)",),
    "strength": tuple(
        f"{of} at {strength}, of that at 1 (wanted: rising)"
        for of in ("change of pixels", "change in block4_conv2")
        for strength in STRENGTHS
    ),
}
"""What is measured, and the heads of its columns."""


def main() -> None:
    """Run the parts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("media", type=Media.named)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--part", nargs="+", choices=tuple(PARTS), default=list(PARTS))
    parser.add_argument("--sheet", type=Path, help="all pictures, a row a pair")
    options = parser.parse_args()
    pairs: list[Pair] = []
    if options.sheet is not None or set(options.part) != {"strokes"}:
        pairs = [Pair(options.media, options.size, *names) for names in PAIRS]
    held = True
    for part in options.part:
        tables.head(part, *PARTS[part])
        by_pair = (getattr(pair, part)() for pair in pairs)
        rows = [strokes(options.media, options.size)] if part == "strokes" else by_pair
        for name, cells, good in chain.from_iterable(rows):
            held = held and good
            tables.row(name, *cells)
        print()
    if options.sheet is not None:
        strips = [np.concatenate(pair.pictures, axis=1) for pair in pairs]
        wide = max(strip.shape[1] for strip in strips)
        padded = [np.pad(strip, ((0, 4), (0, wide - strip.shape[1]), (0, 0))) for strip in strips]
        write_image(options.sheet, np.concatenate(padded), overwrite=True)
    sys.exit(not held)


if __name__ == "__main__":
    main()
