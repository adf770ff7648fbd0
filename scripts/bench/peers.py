"""The preset neural-style beside neural-style-pt on the same weights: its objective by evaluations.

    python scripts/bench/peers.py MEDIA [--size 320] [--precision float32|mixed] [--results FOLDER]

MEDIA has folders `photos` and `paintings`. Starts from the content, as `-init image` does, and scores the
iterate rounded to 8 bits, as a PNG would be: 5 times the mean squared error of relu4_2, 100 times that of the
Gram matrices over C H W of relu1_1 to relu5_1, and 1e-3 of the sum of absolute differences of neighbours, all
in units of 0 to 255; thousands. The peer's figures are of its own pictures at 320 px, scored in the same way
(neural-style-pt with its defaults, one thread, the weights of this package, 2026-11-26).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from pipeline.machine import load_tensorflow
from pipeline.settings.job_settings import build_settings
from pipeline.settings.presets import read_preset
from pipeline.styling.pictures import read_picture
from scripts import tables
from scripts.media import Media
from stylize.types import FloatImage
from video.images import from_uint8, to_uint8, write_image

PEER = {
    ("tulips", "vangogh-starry-night"): {
        25: 2364,
        50: 1788,
        100: 1538,
        150: 1486,
        200: 1418,
        250: 1366,
    },
    ("chelsea-cat", "hokusai-great-wave"): {25: 3536, 50: 2430, 100: 1916, 150: 1719, 175: 1678},
}
"""Score by evaluations, of each pair."""


class EnoughError(Exception):
    """The evaluations that the peer was given are used up."""


class Scorer:
    """neural-style's objective of a picture, without its start's or its optimiser's constants."""

    def __init__(self, content: FloatImage, style: FloatImage) -> None:
        from stylize.backbone import Vgg19
        from stylize.config import StylizeConfig
        from stylize.weights import load_weights

        self._style_layers = StylizeConfig(style_statistic="gram").style_layers
        self._network = Vgg19(load_weights("vgg19"))
        self._content, self._style = self._seen(content), self._seen(style)

    def _seen(self, picture: FloatImage) -> dict[str, np.ndarray]:
        from stylize.losses import gram_matrix

        found = self._network.activations(picture[None], (*self._style_layers, "block4_conv2"))
        seen = {
            layer: (gram_matrix(found[layer]) / found[layer].shape[3]).numpy() for layer in self._style_layers
        }
        return {**seen, "content": found["block4_conv2"].numpy()}

    def score(self, picture: FloatImage) -> float:
        """In thousands."""
        shown = to_uint8(picture)
        seen = self._seen(from_uint8(shown))
        content = 5.0 * np.mean((seen["content"] - self._content["content"]) ** 2)
        style = 100.0 * sum(np.mean((seen[name] - self._style[name]) ** 2) for name in self._style_layers)
        pixels = shown.astype(float)
        smooth = 1e-3 * sum(np.abs(np.diff(pixels, axis=axis)).sum() for axis in (0, 1))
        return float(content + style + smooth) / 1e3


def scores(
    content: FloatImage, style: FloatImage, at: list[int], *, mixed: bool
) -> tuple[dict[int, float], FloatImage]:
    """The preset's score after each of the numbers of evaluations, and its last picture."""
    from stylize.optimize import Progress
    from stylize.stylizer import Stylizer
    from stylize.weights import load_weights

    scorer, found, last = Scorer(content, style), {}, [content]
    config, _ = build_settings("image", {**read_preset("neural-style"), "init": "content"})

    def seen(progress: Progress) -> None:
        for number in at:
            if progress.evaluations <= number:
                last[0] = progress.picture() if number - progress.evaluations < 3 else last[0]
            elif number not in found:
                found[number] = scorer.score(last[0])
        if len(found) == len(at):
            raise EnoughError

    try:
        Stylizer(config, [style], load_weights("vgg19"), mixed=mixed).stylize(content, callback=seen)
    except EnoughError:
        pass
    return found, last[0]


def main() -> None:
    """Both pairs, a row each number of evaluations."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("media", type=Media.named)
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--precision", choices=("float32", "mixed"), default="float32")
    parser.add_argument("--results", type=Path)
    options = parser.parse_args()
    load_tensorflow()
    tables.head("photo", "painting", "evaluations", "Deep Fusion", "neural-style-pt", "ratio", texts=2)
    for (photo, painting), peer in PEER.items():
        content = read_picture(options.media.photo(photo), options.size, 32)
        style = read_picture(options.media.painting(painting), options.size, 32)
        found, picture = scores(content, style, list(peer), mixed=options.precision == "mixed")
        for number, value in found.items():
            tables.row(
                photo,
                painting,
                number,
                f"{value:.0f}",
                peer[number],
                f"{value / peer[number]:.3f}",
            )
        if options.results:
            options.results.mkdir(parents=True, exist_ok=True)
            write_image(options.results / f"neural-style-{photo}.png", picture)


if __name__ == "__main__":
    main()
