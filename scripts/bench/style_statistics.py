"""What each statistic of style costs: an iteration, a renewal of its targets, and memory, in turn.

    python scripts/bench/style_statistics.py PHOTO PAINTING [--size 512] [--rounds 3]

Every statistic has a process of its own, in turn; medians of the rounds. Full network, in bfloat16 where the
hardware has it. Exits 1 where an iteration, with its share of the renewals, takes over 2.5 times Gram's.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from scripts import tables
from scripts.bench.stepping import begun, seconds_an_evaluation
from stylize.config import SUITED, StylizeConfig

ITERATIONS = 8
BAR = 2.5


def measured(statistic: str, options: argparse.Namespace) -> dict[str, float]:
    """Seconds of an iteration and of making the targets, and the peak of memory in GB, of this process."""
    from pipeline.machine import load_tensorflow
    from pipeline.styling.pictures import read_picture
    from pipeline.styling.precision import is_native

    load_tensorflow()
    from stylize.stylizer import Stylizer
    from stylize.weights import load_weights

    content = read_picture(options.photo, options.size, 16)
    style = read_picture(options.painting, options.size, 16)
    config = StylizeConfig(style_statistic=statistic)
    stylizer = Stylizer(config, [style], load_weights("vgg19"), mixed=is_native())
    targets = stylizer.targets(content)  # the style is described once
    began = time.perf_counter()
    targets = stylizer.targets(content, renewal=1)
    renewal = time.perf_counter() - began
    seconds = seconds_an_evaluation(begun(stylizer, content, targets), targets, ITERATIONS)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"evaluation": seconds, "renewal": renewal if stylizer.statistic.renewed else 0.0, "memory": peak}


def main() -> int:
    """Measure each statistic in turn; print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("painting", type=Path)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", choices=tuple(SUITED), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(options.one, options)))
        return 0
    from stylize.optimize import Renewal

    found: dict[str, list[dict[str, float]]] = {statistic: [] for statistic in SUITED}
    for _ in range(options.rounds):
        for statistic, results in found.items():
            command = [sys.executable, __file__, *sys.argv[1:], "--one", statistic]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            results.append(json.loads(done.stdout.splitlines()[-1]))
    tables.head(
        "statistic", "s an evaluation", "s a renewal", "s with a twentieth of a renewal, of Gram's", "GB"
    )
    base, good = 0.0, True
    for statistic, results in found.items():
        one = {key: float(np.median([result[key] for result in results])) for key in results[0]}
        price = one["evaluation"] + one["renewal"] / Renewal.every
        base = base or price
        good &= price <= BAR * base
        tables.row(
            statistic,
            f"{one['evaluation']:.3f}",
            f"{one['renewal']:.2f}",
            f"{price / base:.2f}",
            f"{one['memory']:.2f}",
        )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
