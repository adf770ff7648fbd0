"""Time one evaluation of the loss and its gradient, against this machine's matrix product.

    python scripts/bench/iteration.py [--sizes 256 512] [--rounds 7] [--json]

The evaluation is that of the default objective with Gram matrices on VGG-19, full and slim, several ways:
compiled by our engine, in float32, in mixed precision where the hardware has it, and four pictures in a
batch; in plain eager TensorFlow (a GradientTape, no tf.function); in PyTorch, where that can be imported
(NCHW, autograd, its defaults). The weights are random: the time does not depend on their values.

GFLOP/s counts two operations for each multiply-add of the convolutions and of the Gram products, forward
and for the gradient with respect to the activations (the weights need none), and nothing else: the same
count for all. A Gram product's gradient counts as one product, F (D + D'), though TensorFlow and
PyTorch do two.

Matrix products of several sizes are timed first; every timing of an evaluation is then paired with a
product of the fastest size immediately before it, and the ways take turns in every round. The ratio is
the median over the rounds of the pairs' ratios, so that neither the drift of a shared machine nor a slow
moment falls on one side.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the program has it
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import tensorflow as tf

from pipeline.styling.precision import is_native
from scripts import tables
from scripts.processor import processor_name
from scripts.reference import torch_iteration
from scripts.reference.work import multiply_adds
from stylize.config import StylizeConfig
from stylize.layers import LAYERS, block_of
from stylize.stylizer import Stylizer
from stylize.types import FloatImage
from stylize.weights import WIDTHS, Weights

PRODUCT_SIZES = (1024, 2048, 3072, 4096)
CONFIG = StylizeConfig(
    style_statistic="gram", normalization="relative", rescale_activations=False, pooling="max"
)
BARS = {256: 0.70, 512: 0.80}
BATCH = 4


@dataclass
class Case:
    """One way of evaluating at one size; `evaluate` gives the loss once everything is computed."""

    network: str
    size: int
    way: str
    gflop: float
    evaluate: Callable[[], float]
    seconds: list[float] = field(default_factory=list)
    product_rates: list[float] = field(default_factory=list)

    def ratios(self) -> list[float]:
        """GFLOP/s over the matrix product's, for every round."""
        pairs = zip(self.seconds, self.product_rates, strict=True)
        return [self.gflop / seconds / rate for seconds, rate in pairs]


@dataclass(frozen=True)
class Row:
    """What is reported of a case; times in milliseconds."""

    network: str
    size: int
    way: str
    gflop: float
    milliseconds: float
    fastest: float
    slowest: float
    gflops: float
    ratio: float
    ratio_low: float
    ratio_high: float


def random_weights(network: str) -> Weights:
    """He-initialised weights of a network's shapes, under a name for which the engine rescales nothing."""
    random, layers, inputs = np.random.default_rng(0), {}, 3
    for layer in LAYERS:
        width = WIDTHS[network][block_of(layer) - 1]
        scale = np.sqrt(2.0 / (9 * inputs)) / (64.0 if layer == LAYERS[0] else 1.0)
        kernel = random.normal(scale=scale, size=(3, 3, inputs, width)).astype(np.float32)
        layers[layer] = (kernel, np.zeros(width, np.float32))
        inputs = width
    return Weights(name=f"random {network}", source="random", sha256="", layers=layers)


def random_picture(size: int, seed: int) -> FloatImage:
    """Noise, shape (size, size, 3), float32 in [0, 1]."""
    return np.random.default_rng(seed).uniform(size=(size, size, 3)).astype(np.float32)


# --- the ways -----------------------------------------------------------------------------------------------


def engine_way(stylizer: Stylizer, content: FloatImage, picture: FloatImage) -> Callable[[], float]:
    """Our compiled evaluation: L-BFGS' first one, nothing but assignments beside it."""
    targets, image = stylizer.targets(content), tf.constant(picture[None])
    minimizer = stylizer.evaluator.minimizer(*picture.shape[:2])  # the very steps that pictures are made with

    def engine() -> float:
        terms = minimizer.start(image, targets)
        float(minimizer.gradient[0, 0, 0, 0])
        return float(tf.reduce_sum(terms))

    return engine


def compiled_evaluation(stylizer: Stylizer, content: FloatImage) -> Callable[[Any], tuple[Any, Any]]:
    """A compiled function of pictures, shape (N, H, W, 3), that gives their terms and gradients."""
    targets = stylizer.targets(content)

    @tf.function
    def evaluate(images: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(images)
            terms = stylizer.evaluator.terms(images, targets)
        return terms, tape.gradient(terms, images)

    return evaluate


def batch_way(stylizer: Stylizer, content: FloatImage, picture: FloatImage) -> Callable[[], float]:
    """The same for `BATCH` pictures at once; gives the loss of one of them."""
    evaluate, images = compiled_evaluation(stylizer, content), tf.constant(np.stack([picture] * BATCH))

    def batch() -> float:
        terms, gradient = evaluate(images)
        float(gradient[0, 0, 0, 0])
        return float(tf.reduce_sum(terms[:, 0]))

    return batch


def tensorflow_ways(
    stylizer: Stylizer, content: FloatImage, picture: FloatImage
) -> dict[str, Callable[[], float]]:
    """Our evaluation by itself and in a batch, and the eager one."""
    targets, image = stylizer.targets(content), tf.constant(picture[None])

    def eager() -> float:
        with tf.GradientTape() as tape:
            tape.watch(image)
            loss = tf.reduce_sum(stylizer.evaluator.terms(image, targets))
        float(tape.gradient(loss, image)[0, 0, 0, 0])
        return float(loss)

    return {
        "engine": engine_way(stylizer, content, picture),
        "engine, batch": batch_way(stylizer, content, picture),
        "eager TensorFlow": eager,
    }


# --- measuring ----------------------------------------------------------------------------------------------


def matrix_product(size: int) -> Callable[[], float]:
    """Measures once: GFLOP/s of a float32 product of two square matrices in TensorFlow."""
    random = np.random.default_rng(size)
    a, b = (tf.constant(random.normal(size=(size, size)).astype(np.float32)) for _ in range(2))
    product = tf.function(lambda a, b: tf.matmul(a, b)[0, 0])

    def rate() -> float:
        began = time.perf_counter()
        float(product(a, b))
        return 2.0 * size**3 / (time.perf_counter() - began) / 1e9

    rate()
    return rate


def product_rates(repetitions: int) -> dict[int, float]:
    """The median GFLOP/s of matrix products by size; the sizes take turns."""
    products = {size: matrix_product(size) for size in PRODUCT_SIZES}
    found: dict[int, list[float]] = {size: [] for size in PRODUCT_SIZES}
    for _ in range(max(3, repetitions)):
        for size, rate in products.items():
            found[size].append(rate())
    return {size: statistics.median(rates) for size, rates in found.items()}


def build_cases(sizes: Sequence[int]) -> list[Case]:
    """Every network, size and way; all ways must agree on the loss."""
    torch, cases = torch_iteration.import_torch(), []
    for network in WIDTHS:
        weights = random_weights(network)
        for size in sizes:
            pictures = [random_picture(size, seed) for seed in (1, 2, 3)]
            stylizer = Stylizer(CONFIG, pictures[2:], weights)
            ways = tensorflow_ways(stylizer, *pictures[:2])
            if torch is not None:
                ways["PyTorch"] = torch_iteration.evaluation(torch, CONFIG, weights, *pictures)
            gflop = 2.0 * multiply_adds(weights, CONFIG, size) / 1e9
            losses = {way: evaluate() for way, evaluate in ways.items()}
            if max(losses.values()) > 1.001 * min(losses.values()):
                raise RuntimeError(f"{network} at {size}: the ways do not compute the same loss: {losses}")
            if is_native():
                mixed = Stylizer(CONFIG, pictures[2:], weights, mixed=True)
                ways["engine, mixed"] = engine_way(mixed, *pictures[:2])
            cases += [
                Case(network, size, way, gflop * (BATCH if way == "engine, batch" else 1), evaluate)
                for way, evaluate in ways.items()
            ]
    return cases


def measure(cases: Sequence[Case], rounds: int, product: Callable[[], float]) -> None:
    """Time every case once a round, with a matrix product immediately before it."""
    for case in cases:
        case.evaluate()
    for _ in range(rounds):
        for case in cases:
            case.product_rates.append(product())
            began = time.perf_counter()
            case.evaluate()
            case.seconds.append(time.perf_counter() - began)


def row_of(case: Case) -> Row:
    """The medians and ranges of a measured case."""
    seconds, ratios = statistics.median(case.seconds), case.ratios()
    return Row(
        case.network, case.size, case.way, round(case.gflop, 2), round(1e3 * seconds, 1),
        round(1e3 * min(case.seconds), 1), round(1e3 * max(case.seconds), 1), round(case.gflop / seconds, 1),
        round(statistics.median(ratios), 3), round(min(ratios), 3), round(max(ratios), 3),
    )  # fmt: skip


# --- reporting ----------------------------------------------------------------------------------------------


def load() -> float:
    """Processes that wanted to run in the last minute, on average: this one's threads too."""
    return round(os.getloadavg()[0], 2)


def machine() -> dict[str, Any]:
    """What the numbers were measured with."""
    torch = torch_iteration.import_torch()
    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "gpus": [device.name for device in tf.config.list_physical_devices("GPU")],
        "load_before": load(),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "torch": getattr(torch, "__version__", None),
    }


def print_table(facts: Mapping[str, Any], products: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """Markdown."""
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    rates = ", ".join(f"{size}: {rate:.0f}" for size, rate in products["by_size"].items())
    print(f"\nMatrix product, GFLOP/s by size (before): {rates}.")
    beside = f"median {products['beside']:.0f}, {products['beside_low']:.0f} to {products['beside_high']:.0f}"
    print(f"Size {products['size']} beside the evaluations: {beside}.\n")
    tables.head("network", "px", "way", "GFLOP", "ms (range)", "GFLOP/s", "of the matrix product (range)")
    for row in rows:
        times = f"{row.milliseconds:.1f} ({row.fastest:.1f} to {row.slowest:.1f})"
        ratio = f"{row.ratio:.2f} ({row.ratio_low:.2f} to {row.ratio_high:.2f})"
        cells = (row.network, row.size, row.way, f"{row.gflop:.1f}", times, f"{row.gflops:.0f}", ratio)
        tables.row(*cells)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 1 when the engine on vgg19 is under a bar."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[256, 512], help="sides of the square pictures"
    )
    parser.add_argument("--rounds", type=int, default=7, help="timings of each case")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or min(options.sizes) < CONFIG.minimum_side:
        parser.error(f"give at least 1 round, and sizes of at least {CONFIG.minimum_side}")
    facts, by_size = machine(), product_rates(options.rounds)
    fastest = max(by_size, key=lambda size: by_size[size])
    cases = build_cases(options.sizes)
    measure(cases, options.rounds, matrix_product(fastest))
    facts["load_after"] = load()
    beside = [rate for case in cases for rate in case.product_rates]
    products = {
        "by_size": by_size, "size": fastest, "beside": statistics.median(beside),
        "beside_low": min(beside), "beside_high": max(beside),
    }  # fmt: skip
    rows = [row_of(case) for case in cases]
    if options.json:
        print(
            json.dumps({"machine": facts, "matrix_product": products, "rows": [asdict(row) for row in rows]})
        )
    else:
        print_table(facts, products, rows)
    mine = [row for row in rows if (row.network, row.way) == ("vgg19", "engine") and row.size in BARS]
    for row in mine:
        if row.ratio < BARS[row.size]:
            print(f"under the bar of {BARS[row.size]:.2f} at {row.size} px", file=sys.stderr)
    return int(any(row.ratio < BARS[row.size] for row in mine))


if __name__ == "__main__":
    sys.exit(main())
