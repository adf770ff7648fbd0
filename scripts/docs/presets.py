"""Every preset on a few pairs with its own iterations, as one sheet, and classroom's picture as it grows.

    python scripts/make_docs.py presets MEDIA WORK [--size 384] [--pairs 3] [--to docs/images]

MEDIA has folders `photos` and `paintings`. Finished pictures are kept in WORK; a run that was stopped goes
on from them. Writes `presets.jpg` (a row a preset; of one pair three in a row) and `classroom.jpg` (its
picture after 200 to 3200 iterations). Convolutions are in bfloat16 where the hardware has it: in float32 it
takes twice the time, and with thousands of iterations it is hours.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pipeline.machine import load_tensorflow
from pipeline.settings.job_settings import build_settings
from pipeline.settings.presets import preset_names, read_preset
from pipeline.styling.pictures import read_picture, read_style
from pipeline.styling.precision import is_native
from scripts.media import Media
from stylize.types import FloatImage
from video.images import read_image, to_uint8, write_image

PAIRS = (
    ("chelsea-cat", "vangogh-starry-night"),
    ("tulips", "hokusai-great-wave"),
    ("coffee", "munch-scream"),
)
GROWTH = (200, 400, 600, 800, 1400, 3200)
LINE = 16


def stylized(preset: str, photo: Path, painting: Path, size: int, target: Path) -> FloatImage:
    """What a preset makes of a pair; classroom's iterates of `GROWTH` are written beside `target`."""
    from stylize.optimize import Progress
    from stylize.stylizer import Stylizer
    from stylize.weights import load_weights

    config, settings = build_settings("image", read_preset(preset))
    content = read_picture(photo, size, config.minimum_side)
    style = read_style(painting, size, settings.style_scale, config.minimum_side, settings.style_crop)
    stylizer = Stylizer(config, [style], load_weights("vgg19"), mixed=is_native())

    def seen(progress: Progress) -> None:
        if preset == "classroom" and progress.iteration in GROWTH:
            write_image(target.with_stem(f"{target.stem}-at-{progress.iteration}"), progress.picture())

    return stylizer.stylize(content, callback=seen).picture


def sheet(rows: list[list[tuple[str, Path]]]) -> Image.Image:
    """Pictures in rows, each under its title."""
    shown = [[(title, to_uint8(read_image(path))) for title, path in row] for row in rows]
    width = max(sum(picture.shape[1] + 4 for _, picture in row) for row in shown)
    heights = [max(picture.shape[0] for _, picture in row) + LINE for row in shown]
    page = Image.new("RGB", (width, sum(heights)), "white")
    draw, top = ImageDraw.Draw(page), 0
    for row, height in zip(shown, heights, strict=True):
        left = 0
        for title, picture in row:
            draw.text((left + 2, top + 2), title, fill="black")
            page.paste(Image.fromarray(np.ascontiguousarray(picture)), (left, top + LINE))
            left += picture.shape[1] + 4
        top += height
    return page


def main(arguments: list[str]) -> None:
    """Make what is missing in WORK, pair by pair; then the sheets."""
    parser = argparse.ArgumentParser(prog="make_docs.py presets", description=__doc__.splitlines()[0])
    parser.add_argument("media", type=Media.named)
    parser.add_argument("work", type=Path)
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--pairs", type=int, default=len(PAIRS))
    parser.add_argument("--to", type=Path, default=Path("docs") / "images")
    options = parser.parse_args(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    load_tensorflow()
    rows: dict[str, list[tuple[str, Path]]] = {preset: [] for preset in preset_names()}
    for number, (photo, painting) in enumerate(PAIRS[: options.pairs]):
        pair = options.media.photo(photo), options.media.painting(painting)
        for preset, row in rows.items():
            target = options.work / f"{preset}-{number}.png"
            if not target.is_file():
                write_image(target, stylized(preset, *pair, options.size, target))
                print(target, flush=True)
            row.append((preset, target))
    shown = list(rows.values())
    if options.pairs == 1:
        one_each = [cell for row in shown for cell in row]
        shown = [one_each[begin : begin + 3] for begin in range(0, len(one_each), 3)]
    sheet(shown).save(options.to / "presets.jpg", quality=88)
    grown = [(f"{at} iterations", options.work / f"classroom-0-at-{at}.png") for at in GROWTH]
    sheet([grown[:3], grown[3:]]).save(options.to / "classroom.jpg", quality=88)
