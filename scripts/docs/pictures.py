"""Make the README's pictures anew from a folder of photos and paintings.

    python scripts/make_docs.py pictures MEDIA docs/images

MEDIA has folders `photos` and `paintings`. Every sheet shows photo, painting and result, made by the default
settings; `wipe.webp` is a progress movie. Results that scripts/bench/look.py has made will do, too.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from pathlib import Path

import numpy as np

from pipeline.cli.main import main as deepfusion
from pipeline.machine import load_tensorflow
from pipeline.settings.job_settings import build_settings
from pipeline.settings.presets import read_preset
from pipeline.styling.pictures import read_picture, read_style
from pipeline.styling.precision import is_native
from scripts.media import Media
from stylize.stylizer import Stylizer
from stylize.weights import load_weights
from video.images import read_image, resize_image, write_image

PAIRS = (
    ("chelsea-cat", "hokusai-great-wave"),
    ("elephant", "turner-shipwreck-minotaur"),
    ("flower-2268x1512", "monet-water-lilies"),
)
MOVIE_OF = ("tulips", "vangogh-starry-night")
SIZE = 512
HEIGHT = 300
GAP = 6
MOVIE = ("--size", "400", "--movie-seconds", "4", "--movie-wipe", "--overwrite", "-q")


def row(pictures: list[np.ndarray]) -> np.ndarray:
    """Pictures side by side at one height, with white gaps."""
    cells = []
    for picture in pictures:
        height, width = picture.shape[:2]
        cells += [
            resize_image(picture, (round(width * HEIGHT / height), HEIGHT)),
            np.ones((HEIGHT, GAP, 3), np.float32),
        ]
    return np.concatenate(cells[:-1], axis=1)


def make_movie(photo: Path, painting: Path, target: Path) -> None:
    """The optimisation of one picture as an animation that ends with a wipe."""
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(SystemExit):
        output = str(Path(folder) / "out.png")
        deepfusion(
            [
                "image",
                str(photo),
                "--style",
                str(painting),
                "-o",
                output,
                "--progress-movie",
                str(target),
                *MOVIE,
            ]
        )


def main(arguments: list[str]) -> None:
    """Stylize every pair; write one sheet a pair, and the results at full size."""
    parser = argparse.ArgumentParser(prog="make_docs.py pictures", description=__doc__.splitlines()[0])
    parser.add_argument("media", type=Media.named)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--results", type=Path, help="keep the results in this folder, and go on from them")
    options = parser.parse_args(arguments)
    for folder in filter(None, (options.folder, options.results)):
        folder.mkdir(parents=True, exist_ok=True)
    load_tensorflow()
    config, settings = build_settings("image", read_preset("default"))
    weights = load_weights("vgg19")
    mixed = is_native()
    for photo, painting in PAIRS:
        content = read_picture(options.media.photo(photo), SIZE, config.minimum_side)
        file = options.media.painting(painting)
        style = read_style(file, SIZE, settings.style_scale, config.minimum_side, settings.style_crop)
        name = f"{photo}-{painting}"
        kept = None if options.results is None else options.results / f"{name}.png"
        if kept is not None and kept.is_file():
            picture = read_image(kept)
        else:
            picture = Stylizer(config, [style], weights, mixed=mixed).stylize(content).picture
            if kept is not None:
                write_image(kept, picture)
        print(name, flush=True)
        write_image(options.folder / f"{name}.jpg", row([content, style, picture]), quality=85)
    photo, painting = MOVIE_OF
    make_movie(options.media.photo(photo), options.media.painting(painting), options.folder / "wipe.webp")
