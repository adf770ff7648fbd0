"""Price and seconds to the same loss beside the loops that others use, on the same weights, taking turns.

    python scripts/bench/peers.py MEDIA --part price [--sizes 256 512] [--threads 2 1] [--rounds 7]
    python scripts/bench/peers.py MEDIA --part race [--pairs 0 1] [--ways ours scipy] [--evaluations 1000]

MEDIA has folders `photos` and `paintings`. Every side has a process of its own, on the processor, and only
one computes at a time. PyTorch is optional: without it there is nothing of it in the tables. `--results
FOLDER` keeps every measurement as a line of JSON at once, and the last pictures of a race.

Where others use the cores too, PyTorch's threads lose whole seconds by spinning while they wait for one
another: OMP_WAIT_POLICY=passive in the environment is kinder to it.

price: loss and gradient of neural-style's objective in the preset and in PyTorch, several ways, beside the
machine's matrix products of both libraries. GFLOP/s are counted alike for all (scripts/reference/work.py).
Ratios are of the same round: their median, lowest and highest.

race: neural-style's objective from the content, as `-init image` does. The best picture so far is rounded to
8 bits, as a PNG would be, and scored by scripts/reference/neural_style.py, in thousands. Seconds are the
optimisation's own, compiled before; nothing of scoring is in them. The sides take turns of some evaluations.
Ctrl-C ends it and prints what there is.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pipeline.machine import cores, limit_threads, load_tensorflow
from pipeline.styling.pictures import read_picture
from pipeline.styling.precision import is_native
from scripts.bench import peers_price, peers_race
from scripts.media import Media
from scripts.processor import processor_name
from stylize.weights import load_weights
from video.images import from_uint8, resize_image, write_image

PAIRS = (("tulips", "vangogh-starry-night"), ("chelsea-cat", "hokusai-great-wave"))
SIDE = 32
"""The least that a picture measures for the deepest layer."""

NO_TORCH = "PyTorch is not here and is left out; `pip install torch` brings it"


class Results:
    """Lines of JSON in a file that is complete after each; nothing without a folder."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def keep(self, part: str, **values: Any) -> None:
        """One measurement."""
        if self.folder is not None:
            with (self.folder / f"{part}.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(values) + "\n")


def price(options: argparse.Namespace, results: Results, *, torch: bool) -> None:
    """The table of every number of threads."""
    paths = options.media.photo(PAIRS[0][0]), options.media.painting(PAIRS[0][1])
    pictures = {}
    for size in options.sizes:
        content, style = (resize_image(read_picture(path, 2 * size, SIDE), (size, size)) for path in paths)
        pictures[size] = content, style
    precisions = peers_price.PRECISIONS if is_native() else peers_price.PRECISIONS[:1]
    job, weights = peers_price.Job(pictures, options.product, precisions), load_weights("vgg19")
    for threads in options.threads:
        found = peers_price.measure(
            job, threads, options.rounds, torch=torch, keep=lambda **values: results.keep("price", **values)
        )
        peers_price.print_results(job, threads, found, weights)


def race(options: argparse.Namespace, results: Results, *, torch: bool) -> None:
    """The tables of every pair."""
    threads = options.threads[0]
    limit_threads(threads)
    load_tensorflow()
    ways = [way for way in options.ways if torch or not way.startswith("torch")]
    for photo, painting in (PAIRS[number] for number in options.pairs):
        job = peers_race.Job(
            read_picture(options.media.photo(photo), options.size, SIDE),
            read_picture(options.media.painting(painting), options.size, SIDE),
            options.evaluations, options.turn, threads, options.precision, options.ours,
        )  # fmt: skip
        height, width, _ = job.content.shape
        print(f"\n## {photo}, {painting}: {width}x{height} pixels, {threads} threads\n", flush=True)

        def keep(photo: str = photo, painting: str = painting, **values: Any) -> None:
            results.keep("race", photo=photo, painting=painting, **values)

        tracks = peers_race.race(job, ways, keep)
        peers_race.print_results(job, tracks)
        for track in tracks:
            if results.folder is not None and track.kept:
                path = results.folder / f"{photo}-{track.way}.png"
                write_image(path, from_uint8(track.kept[-1].picture))
        if not all(track.over for track in tracks):
            return  # by Ctrl-C


def options_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("media", type=Media.named)
    add("--part", choices=("price", "race"), required=True)
    add("--threads", type=int, nargs="+", default=[cores()], help="of each side; a race takes the first")
    add("--results", type=Path, metavar="FOLDER")
    add("--sizes", type=int, nargs="+", default=[256, 512], help="price: sides of the square picture")
    add("--rounds", type=int, default=7, help="price: timings of each way")
    add("--product", type=int, default=4096, help="price: rows of the square matrices")
    add("--size", type=int, default=320, help="race: the longer side")
    add("--pairs", type=int, nargs="+", choices=range(len(PAIRS)), default=[*range(len(PAIRS))], help="race")
    ways = tuple(peers_race.WAYS)
    add("--ways", nargs="+", choices=ways, default=ways, help="race")
    add("--evaluations", type=int, default=1000, help="race: of each way, at most")
    add("--ours", type=int, metavar="N", help="race: of ours, at most, if less")
    add("--turn", type=int, default=25, help="race: evaluations a turn")
    add("--precision", choices=("auto", "float32", "mixed"), default="auto", help="race: ours")
    options = parser.parse_args(arguments)
    if min(*options.sizes, options.size) < SIDE:
        parser.error(f"sizes are at least {SIDE}")
    counts = options.rounds, options.evaluations, options.turn, options.product
    if min(*options.threads, *counts, 1 if options.ours is None else options.ours) < 1:
        parser.error("threads, rounds, evaluations, turns and rows are at least 1")
    return options


def _facts() -> str:
    """What the figures are measured with."""
    versions = [
        f"{name} {version(name)}"
        for name in ("tensorflow", "torch", "scipy")
        if importlib.util.find_spec(name) is not None
    ]
    waiting = os.environ.get("OMP_WAIT_POLICY", "as by default")
    load = f"{os.getloadavg()[0]:.1f} processes at work before"
    return ", ".join([processor_name(), f"{cores()} cores", load, *versions, f"OMP_WAIT_POLICY {waiting}"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the part."""
    options = options_of(arguments)
    torch = importlib.util.find_spec("torch") is not None
    if not torch:
        print(NO_TORCH, flush=True)
    print(_facts(), flush=True)
    part = {"price": price, "race": race}[options.part]
    part(options, Results(options.results), torch=torch)


if __name__ == "__main__":
    main()
