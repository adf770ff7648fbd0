"""Whether the knobs of art direction do what they say: masks, stroke size, colours, strength.

    python scripts/bench_direction.py MEDIA [--size 256] [--sheet FILE.png]

Default settings on vgg19-slim. Each table says what is wanted; exits 1 if something is missed.

masks: two styles, each in one half of a photo. The style loss inside each mask, over that of a picture in that
style alone inside the same mask.
preserved: the largest change inside and outside --mask-preserve, in 255ths.
strokes: how far the texture that the style has added resembles itself (the distance at which its
autocorrelation has fallen to a half, mean over all directions), for --style-scale 0.5, 1 and 2.
colours: the mean difference of chroma between result and photo with --preserve-color luminance, in 255ths.
strength: the content loss at 0.25, 0.5 and 0.75 over that at 1.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from pipeline.engine import read_picture
from stylize.colors import grey, with_colors_of
from stylize.config import StylizeConfig
from stylize.look import Look
from stylize.stylizer import Stylizer
from stylize.types import FloatImage
from stylize.weights import load_weights
from video.images import resize_image, write_image

PAIRS = (
    ("chelsea-cat.png", "vangogh-starry-night", "hokusai-great-wave"),
    ("elephant.jpg", "munch-scream", "monet-water-lilies"),
    ("rocket.png", "hokusai-great-wave", "bruegel-harvesters"),
)
CONFIG = StylizeConfig()
WEIGHTS = load_weights("vgg19-slim")
SCALES, STRENGTHS = (0.5, 1.0, 2.0), (0.25, 0.5, 0.75)


def stylizer(*styles: FloatImage, guided: bool = False) -> Stylizer:
    """With default settings."""
    return Stylizer(CONFIG, styles, WEIGHTS, guided=guided)


def scaled(style: FloatImage, scale: float) -> FloatImage:
    """A style picture at another size."""
    return resize_image(style, (round(style.shape[1] * scale), round(style.shape[0] * scale)))


def stroke_length(picture: FloatImage, content: FloatImage) -> float:
    """Pixels at which the autocorrelation of what was added to the luminance has fallen to a half."""
    added = grey(picture - content)[..., 0]
    added = added - added.mean()
    power = np.abs(np.fft.fft2(added)) ** 2
    correlation = np.fft.ifft2(power).real
    correlation /= correlation[0, 0]
    rows, columns = (np.minimum(np.arange(length), length - np.arange(length)) for length in added.shape)
    distance = np.hypot(rows[:, None], columns[None, :])
    rings = [correlation[(distance >= r - 0.5) & (distance < r + 0.5)].mean() for r in range(40)]
    below = next(r for r, value in enumerate(rings) if value < 0.5)
    before, after = rings[below - 1], rings[below]
    return below - 1 + (before - 0.5) / (before - after)


def chroma_difference(one: FloatImage, other: FloatImage) -> float:
    """Mean absolute difference of the colours without their luminance, in 255ths."""
    return float(255.0 * np.abs((one - grey(one)) - (other - grey(other))).mean())


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("media", type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    rows: dict[str, list[str]] = {
        name: [] for name in ("masks", "preserved", "strokes", "colours", "strength")
    }
    held, sheet = True, []
    for photo, *paintings in PAIRS:
        found = next((options.media / "photos").glob(f"{Path(photo).stem}.*"))
        content = read_picture(found, options.size, CONFIG.minimum_side)
        styles = [
            read_picture(
                options.media / "paintings" / f"{name}.jpg", options.size, CONFIG.minimum_side, style=True
            )
            for name in paintings
        ]
        name = f"{found.stem}, {paintings[0]}"
        left = np.zeros(content.shape[:2], np.float32)
        left[:, : content.shape[1] // 2] = 1.0
        alone = [stylizer(style).stylize(content).picture for style in styles]
        both = stylizer(*styles, guided=True).stylize(content, look=Look(masks=(left, 1.0 - left))).picture
        for side, mask in enumerate((left, 1.0 - left)):
            judge = stylizer(styles[side], guided=True)
            masked, single = (
                judge.losses(picture, content, Look(masks=(mask,)))["style"]
                for picture in (both, alone[side])
            )
            held = held and masked <= 1.1 * single
            rows["masks"].append(f"| {found.stem}, {paintings[side]} | {masked / single:.3f} |")
        kept = alone[0] + left[..., None] * (content - alone[0])
        change = 255.0 * np.abs(kept - content).max(axis=2)
        rows["preserved"].append(
            f"| {name} | {change[left == 1].max():.1f} | {change[left == 0].max():.0f} |"
        )
        held = held and change[left == 1].max() <= 1.0 < change[left == 0].max()
        strokes = [stylizer(scaled(styles[0], scale)).stylize(content).picture for scale in SCALES]
        lengths = [stroke_length(picture, content) for picture in strokes]
        held = held and lengths == sorted(lengths)
        rows["strokes"].append(f"| {name} | {' | '.join(f'{length:.2f}' for length in lengths)} |")
        luminance = with_colors_of(content, stylizer(grey(styles[0])).stylize(grey(content)).picture)
        difference = chroma_difference(luminance, content)
        held = held and difference < 2.0
        rows["colours"].append(f"| {name} | {difference:.2f} |")
        engine = stylizer(styles[0])
        weak = [engine.stylize(content, look=Look(strength=strength)).picture for strength in STRENGTHS]
        costs = [engine.losses(picture, content)["content"] for picture in (*weak, alone[0])]
        rows["strength"].append(
            f"| {name} | {' | '.join(f'{cost / costs[-1]:.2f}' for cost in costs[:-1])} |"
        )
        sheet.append(np.concatenate([content, both, kept, *strokes, luminance, *weak], axis=1))
    heads = {
        "masks": ("style loss inside its mask, of that style alone (wanted: at most 1.1)",),
        "preserved": ("largest change inside, 255ths (wanted: at most 1)", "outside"),
        "strokes": tuple(f"stroke length at {scale:g}, px (wanted: rising)" for scale in SCALES),
        "colours": ("mean difference of chroma, 255ths (wanted: under 2)",),
        "strength": tuple(f"content loss at {strength}, of that at 1" for strength in STRENGTHS),
    }
    for part, lines in rows.items():
        print(f"| {part} | {' | '.join(heads[part])} |\n| --- |{' ---: |' * len(heads[part])}")
        print("\n".join(lines) + "\n")
    if options.sheet is not None:
        wide = max(row.shape[1] for row in sheet)
        padded = [np.pad(row, ((0, 4), (0, wide - row.shape[1]), (0, 0))) for row in sheet]
        write_image(options.sheet, np.concatenate(padded), overwrite=True)
    sys.exit(not held)


if __name__ == "__main__":
    main()
