"""The price of an evaluation beside PyTorch's, ways and machine's products in turns; a part of peers.py."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from scripts import tables
from scripts.reference.turns import Side
from scripts.reference.work import multiply_adds
from stylize.config import StylizeConfig
from stylize.types import FloatImage
from stylize.weights import Weights, load_weights

PRECISIONS = ("float32", "bfloat16")
OURS = "Deep Fusion"
STEPS = 3
OBJECTIVES = {"neural-style": "", "gram": ", default objective with Gram matrices"}

Case = tuple[int, str]
"""Pixels a side (0: a product) and what the way is called."""

Ways = dict[Case, Callable[[], Any]]


@dataclass(frozen=True)
class Job:
    """What both sides compute: pictures (content, style) by size, and products of so many rows.

    In bfloat16 too where the processor computes it; elsewhere it takes minutes.
    """

    pictures: Mapping[int, tuple[FloatImage, FloatImage]]
    product: int
    precisions: Sequence[str] = PRECISIONS


def config_of(objective: str) -> StylizeConfig:
    """The preset's or the default objective, of Gram matrices."""
    if objective == "gram":
        return StylizeConfig(style_statistic="gram")
    from pipeline.settings.job_settings import build_settings
    from pipeline.settings.presets import read_preset

    return build_settings("image", {**read_preset(objective), "init": "content"})[0]


def product_of(library: str, precision: str) -> str:
    """What a matrix product is called."""
    return f"product, {library} {precision}"


# --- the two sides, each in its own process -----------------------------------------------------------------


def tensorflow_side(line: Any, job: Job) -> None:
    """Ours: loss and gradient, whole steps, products."""
    from pipeline.machine import load_tensorflow

    load_tensorflow()
    import tensorflow as tf

    ways: Ways = {}
    multiply = tf.function(lambda value: tf.matmul(value, value)[0, 0])
    for precision in job.precisions:
        left = tf.cast(tf.random.normal((job.product, job.product)), precision)
        ways[0, product_of("TensorFlow", precision)] = _timed(partial(_number, multiply, left))
    weights = load_weights("vgg19")
    for objective in OBJECTIVES:
        for precision in job.precisions:
            _engine_ways(ways, weights, job, objective, mixed=precision == "bfloat16")
    _answer_in_turns(line, ways)


def _engine_ways(ways: Ways, weights: Weights, job: Job, objective: str, *, mixed: bool) -> None:
    """The compiled evaluation at every size, and the whole step of the preset's."""
    import tensorflow as tf

    from scripts.bench.stepping import begun, seconds_an_evaluation
    from stylize.stylizer import Stylizer

    name = f"{OURS} {PRECISIONS[mixed]}"
    for size, (content, style) in job.pictures.items():
        stylizer = Stylizer(config_of(objective), [style], weights, mixed=mixed)
        targets, image = stylizer.targets(content), tf.constant(content[None])
        minimizer = begun(stylizer, content, targets)

        ways[size, name + OBJECTIVES[objective]] = _timed(partial(_gradient, minimizer, image, targets))
        if objective == "neural-style":
            ways[size, f"{name}, whole step"] = partial(seconds_an_evaluation, minimizer, targets, STEPS)


def torch_side(line: Any, job: Job, threads: int) -> None:
    """PyTorch's: every way to compute, products."""
    from scripts.reference.neural_style_torch import WAYS, TorchObjective
    from scripts.reference.torch_iteration import import_torch

    torch: Any = import_torch()
    torch.set_num_threads(threads)
    ways: Ways = {}
    for precision in job.precisions:
        left = torch.randn(job.product, job.product).to(getattr(torch, precision))
        ways[0, product_of("PyTorch", precision)] = _timed(partial(_number, _first_of_square, left))
    weights = load_weights("vgg19")
    for size, (content, style) in job.pictures.items():
        for way in WAYS:
            if "bfloat16" in way and "bfloat16" not in job.precisions:
                continue
            ways[size, way] = _timed(TorchObjective(torch, weights, content, style, way).evaluation(content))
    _answer_in_turns(line, ways)


def _gradient(minimizer: Any, image: Any, targets: Any) -> float:
    """Waits for loss and gradient."""
    return float(minimizer._value_and_gradient(image, targets)[1][0, 0, 0, 0])


def _number(function: Callable[[Any], Any], value: Any) -> float:
    """Waits for the result."""
    return float(function(value))


def _first_of_square(matrix: Any) -> Any:
    return (matrix @ matrix)[0, 0]


def _timed(work: Callable[[], Any]) -> Callable[[], float]:
    """Seconds of the second of two times: the first wakes the threads."""

    def seconds() -> float:
        work()
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return seconds


def _answer_in_turns(line: Any, ways: Ways) -> None:
    for measure in ways.values():
        measure()
    line.send(list(ways))
    while True:
        line.send(ways[line.recv()]())


# --- the process that asks ----------------------------------------------------------------------------------


def measure(
    job: Job, threads: int, rounds: int, *, torch: bool, keep: Callable[..., None]
) -> dict[Case, list[float]]:
    """Seconds of every case, once a round."""
    sides = [Side("TensorFlow", threads, tensorflow_side, job)]
    try:
        cases = {case: sides[0] for case in sides[0].answer()}
        if torch:
            sides.append(Side("PyTorch", threads, torch_side, job, threads))
            cases |= {case: sides[1] for case in sides[1].answer()}
        found: dict[Case, list[float]] = {case: [] for case in sorted(cases, key=lambda case: case[0])}
        for turn in range(rounds):
            for case, seconds in found.items():
                seconds.append(cases[case].ask(case))
                keep(threads=threads, round=turn, size=case[0], way=case[1], seconds=seconds[-1])
    finally:
        for side in sides:
            side.end()
    return found


def print_results(job: Job, threads: int, found: Mapping[Case, Sequence[float]], weights: Weights) -> None:
    """The table of one number of threads, and what was wanted."""
    rates = {
        case: [_gflop(job, case, weights) / seconds for seconds in times] for case, times in found.items()
    }
    best = {
        precision: [
            max(turn)
            for turn in zip(*(rates[case] for case in rates if _is_product(case, precision)), strict=True)
        ]
        for precision in job.precisions
    }
    print(f"\nthreads: {threads}; products of {job.product} rows\n")
    shares_of = [f"of the better {precision} product" for precision in reversed(job.precisions)]
    tables.head("px", "way", "ms (range)", "GFLOP/s", *shares_of, texts=2)
    for (size, way), times in found.items():
        shares = (
            _shown(_ratios(rates[size, way], best[precision])) for precision in reversed(job.precisions)
        )
        rate = f"{statistics.median(rates[size, way]):.0f}"
        tables.row(size or "", way, _shown([1e3 * one for one in times], 0), rate, *shares)
    print()
    for size in job.pictures:
        _print_wanted(size, found, rates, best)


def _print_wanted(
    size: int,
    found: Mapping[Case, Sequence[float]],
    rates: Mapping[Case, Sequence[float]],
    best: Mapping[str, Sequence[float]],
) -> None:
    from scripts.reference.neural_style_torch import BFLOAT16, CHANNELS_LAST, FLOAT32

    for precision, bar in (("bfloat16", 0.75), ("float32", 0.9)):
        if precision not in best:
            continue
        shares = _ratios(rates[size, f"{OURS} {precision}"], best[precision])
        print(f"{size} px, {precision} of the better product: {_shown(shares)}; wanted: at least {bar}")
    if (size, BFLOAT16) in found:
        ratios = _ratios(found[size, f"{OURS} bfloat16"], found[size, BFLOAT16])
        print(f"{size} px, ours to {BFLOAT16}: {_shown(ratios)} of its time; wanted: at most 0.7")
    torch = [found[case] for case in ((size, FLOAT32), (size, CHANNELS_LAST)) if case in found]
    if torch:
        fastest = [min(turn) for turn in zip(*torch, strict=True)]
        ratios = _ratios(found[size, f"{OURS} float32"], fastest)
        print(f"{size} px, float32, ours to PyTorch's fastest way: {_shown(ratios)} of its time")


def _gflop(job: Job, case: Case, weights: Weights) -> float:
    size, way = case
    if not size:
        return 2e-9 * job.product**3
    objective = "gram" if way.endswith(OBJECTIVES["gram"]) else "neural-style"
    return 2e-9 * multiply_adds(weights, config_of(objective), size)


def _is_product(case: Case, precision: str) -> bool:
    return case in [(0, product_of(library, precision)) for library in ("TensorFlow", "PyTorch")]


def _ratios(some: Sequence[float], others: Sequence[float]) -> list[float]:
    """Of each round."""
    return [one / other for one, other in zip(some, others, strict=True)]


def _shown(values: Sequence[float], digits: int = 2) -> str:
    median, low, high = (f"{f(values):.{digits}f}" for f in (statistics.median, min, max))
    return f"{median} ({low} to {high})"
