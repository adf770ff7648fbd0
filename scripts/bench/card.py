"""What an evaluation costs on a graphics card, by size and precision, beside the card's matrix product.

    python scripts/bench/card.py PHOTO PAINTING [--sizes 256 512 1024] [--rounds 5] [--backbone vgg19]

The default objective, the photo cut to a square. Milliseconds of loss and gradient alone, and of one within a
whole step of L-BFGS, each the median of the rounds, in which precisions take turns: float32 (tensor cores
off), tf32 and bfloat16. Beside them products of square matrices, 8192 wide. Runs on the processor where there
is no card; the first line says which device it was.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pipeline.machine import device, load_tensorflow
from pipeline.styling.pictures import read_picture
from scripts import tables
from scripts.bench.stepping import begun, seconds_an_evaluation
from stylize.config import StylizeConfig
from stylize.types import FloatImage
from stylize.weights import WIDTHS, load_weights
from video.images import resize_image

PRECISIONS = ("float32", "tf32", "bfloat16")
PRODUCT = 8192
STEPS = 10


def set_precision(precision: str) -> None:
    """Tensor cores round float32 to tf32 only where that is asked for."""
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(precision == "tf32")


def seconds(work: Callable[[], Any]) -> float:
    """Of what `work` computes, until its result is there."""
    began = time.perf_counter()
    work().numpy()
    return time.perf_counter() - began


def product(precision: str, size: int = PRODUCT) -> float:
    """Tera operations a second of a matrix product."""
    import tensorflow as tf

    set_precision(precision)
    kind = tf.bfloat16 if precision == "bfloat16" else tf.float32
    left, right = (tf.cast(tf.random.normal((size, size)), kind) for _ in range(2))

    def work() -> Any:
        for _ in range(STEPS):
            made = tf.matmul(left, right)
        return made[0, 0]

    work().numpy()
    return 2 * size**3 * STEPS / min(seconds(work) for _ in range(3)) / 1e12


class Case:
    """The default objective of a pair at one size in one precision, and a minimisation that has begun."""

    def __init__(self, pair: tuple[FloatImage, FloatImage], precision: str, backbone: str) -> None:
        from stylize.stylizer import Stylizer

        set_precision(precision)
        content, style = pair
        stylizer = Stylizer(StylizeConfig(), [style], load_weights(backbone), mixed=precision == "bfloat16")
        self.precision = precision
        self.targets = stylizer.targets(content)
        self.minimizer = begun(stylizer, content, self.targets)
        self.evaluation()

    def evaluation(self) -> float:
        """Milliseconds of loss and gradient alone."""
        set_precision(self.precision)
        image = self.minimizer.image.read_value()

        def work() -> Any:
            for _ in range(STEPS):
                loss = self.minimizer._value_and_gradient(image, self.targets)[0]
            return loss

        return 1e3 * seconds(work) / STEPS

    def step(self) -> float:
        """Milliseconds of an evaluation within whole steps, as a stylization takes them."""
        set_precision(self.precision)
        return 1e3 * seconds_an_evaluation(self.minimizer, self.targets, STEPS)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("painting", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--backbone", choices=tuple(WIDTHS), default="vgg19")
    parser.add_argument("--product", type=int, default=PRODUCT, help="width of the matrices")
    options = parser.parse_args()
    load_tensorflow()
    print(f"on {device()}, {options.backbone}\n")
    tables.head("product of matrices", "Tera operations a second", texts=1)
    for precision in PRECISIONS:
        tables.row(precision, f"{product(precision, options.product):.1f}")
    print()
    tables.head("px", "precision", "ms, loss and gradient", "ms, an evaluation within L-BFGS", texts=2)
    for size in options.sizes:
        photo, painting = (
            resize_image(read_picture(path, size, 16), (size, size))
            for path in (options.photo, options.painting)
        )
        cases = {one: Case((photo, painting), one, options.backbone) for one in PRECISIONS}
        found = [
            {one: (case.evaluation(), case.step()) for one, case in cases.items()}
            for _ in range(options.rounds)
        ]
        for one in cases:
            columns = zip(*(turn[one] for turn in found), strict=True)
            texts = (f"{statistics.median(c):.1f} ({min(c):.1f} to {max(c):.1f})" for c in columns)
            tables.row(size, one, *texts)


if __name__ == "__main__":
    main()
