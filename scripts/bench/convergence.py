"""How many evaluations the default optimiser needs for the loss that 500 steps of Adam reach.

    python scripts/bench/convergence.py MEDIA [--part pictures drafts clips] [--size 256]
        [--backbone vgg19|vgg19-slim] [--plot FILE.png]

pictures: four photos in four paintings, from content and from noise, the default objective with Gram matrices
(whose targets stay) at one size, the same start for all. Adam's step size is tuned once, on the first pair.
Beside it the TensorFlow tutorial's Adam loop and SciPy's L-BFGS-B on the same objective, in evaluations and
seconds.
drafts: the same objective from content, and after a draft on vgg19-slim.
clips: three clips with default settings and with a fixed number of iterations: evaluations a frame, loss
against 300 evaluations from content, warping error.

An evaluation is one loss and gradient at full size, convolutions of vgg19 in bfloat16 where the hardware has
it. MEDIA has folders `photos`, `paintings` and `videos`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import tensorflow as tf

from pipeline.cli.main import main as deepfusion
from pipeline.clip.score import score_clips
from pipeline.machine import load_tensorflow
from pipeline.progress.display import Display
from pipeline.run_folder.folder import run_path
from pipeline.settings.job_settings import VideoSettings
from pipeline.styling.pictures import read_picture, read_style
from pipeline.styling.precision import is_mixed
from scripts import tables
from scripts.media import Media, clip_frames
from scripts.reference.loops import Trace, scipy_lbfgs, tutorial_adam
from stylize.config import StylizeConfig
from stylize.stylizer import Stylizer
from stylize.weights import WIDTHS, Weights, load_weights

PAIRS = (
    ("chelsea-cat", "vangogh-starry-night"),
    ("tulips", "hokusai-great-wave"),
    ("rocket", "munch-scream"),
    ("elephant", "bruegel-harvesters"),
)
CLIPS = (
    ("flower", "vangogh-starry-night"),
    ("friday-speech", "munch-scream"),
    ("bunny-two-cuts", "monet-water-lilies"),
)
STEPS, LIMIT, RATES = 500, 260, (0.01, 0.02, 0.04)
OBJECTIVE = StylizeConfig(style_statistic="gram", levels=1, tolerance=0.0)


@dataclass
class Pair:
    """A photo, a painting, and what they are called."""

    name: str
    content: np.ndarray
    style: np.ndarray


def stylizer_on(weights: Weights, config: StylizeConfig, style: np.ndarray) -> Stylizer:
    """One in the precision that `--precision auto` takes for the network."""
    return Stylizer(config, [style], weights, mixed=is_mixed("auto", weights))


def trace_of(
    stylizer: Stylizer, content: np.ndarray, start: np.ndarray, iterations: int
) -> tuple[Trace, Any]:
    """(evaluations, seconds, loss) of every iterate, compiled before, and the result."""
    stylizer.stylize(content, initial=start, iterations=2)
    trace: Trace = []
    result = stylizer.stylize(
        content,
        initial=start,
        iterations=iterations,
        callback=lambda progress: trace.append((progress.evaluations, progress.seconds, progress.loss)),
    )
    return trace, result


def adam(config: StylizeConfig, rate: float) -> StylizeConfig:
    """The same objective, minimised by Adam."""
    return replace(config, optimizer="adam", learning_rate=rate)


def reached(trace: Trace, target: float) -> tuple[int, float] | None:
    """Evaluations and seconds until `target`."""
    return next(((count, seconds) for count, seconds, loss in trace if loss <= target), None)


def shown(found: tuple[int, float] | None, limit: int) -> str:
    """A count for the table."""
    return f"more than {limit}" if found is None else f"{found[0]}"


def loss_function(stylizer: Stylizer, content: np.ndarray) -> Callable[[Any], Any]:
    """The objective as a function of an image alone."""
    targets = stylizer.targets(content)
    return lambda image: tf.reduce_sum(stylizer.evaluator.terms(image, targets))


def tuned_rate(config: StylizeConfig, pair: Pair, weights: Weights) -> float:
    """The step size of Adam that reaches the lowest loss on one pair."""
    losses = {}
    for rate in RATES:
        stylizer = stylizer_on(weights, adam(config, rate), pair.style)
        losses[rate] = stylizer.stylize(pair.content, iterations=STEPS).losses["total"]
    best = min(losses, key=lambda rate: losses[rate])
    print(f"Adam on {pair.name}: " + ", ".join(f"{rate}: {loss:.4f}" for rate, loss in losses.items()))
    print(f"Step size: {best}\n", flush=True)
    return best


def pictures(pairs: Sequence[Pair], weights: Weights, plot: Path | None) -> None:
    """The table of single pictures, and the curves."""
    rate = tuned_rate(OBJECTIVE, pairs[0], weights)
    tables.head(
        "pair",
        "start",
        "loss of Adam after 500",
        "evaluations: default",
        "tutorial's Adam",
        "SciPy L-BFGS-B",
        "seconds: Adam 500",
        "default",
        "tutorial's Adam",
        "SciPy",
        texts=2,
    )
    counts: dict[str, list[float]] = {"content": [], "noise": []}
    curves = {}
    for pair in pairs:
        for start_name in counts:
            ours = stylizer_on(weights, replace(OBJECTIVE, init=start_name), pair.style)
            start = ours.start_picture(pair.content)
            theirs = stylizer_on(weights, adam(OBJECTIVE, rate), pair.style)
            slow, result = trace_of(theirs, pair.content, start, STEPS)
            target = result.losses["total"]
            fast, _ = trace_of(ours, pair.content, start, LIMIT)
            loss_of = loss_function(ours, pair.content)
            tutorial = tutorial_adam(loss_of, start, STEPS, target)
            scipy = scipy_lbfgs(loss_of, start, 2 * STEPS, target)
            found = [reached(trace, target) for trace in (fast, tutorial, scipy)]
            cells = [shown(one, limit) for one, limit in zip(found, (LIMIT, STEPS, 2 * STEPS), strict=True)]
            cells += [f"{slow[-1][1]:.1f}"] + ["-" if one is None else f"{one[1]:.1f}" for one in found]
            tables.row(pair.name, start_name, f"{target:.4f}", *cells)
            counts[start_name].append(LIMIT if found[0] is None else found[0][0])
            curves[pair.name, start_name] = (slow, fast, tutorial, scipy)
    for start_name, values in counts.items():
        print(f"\nFrom {start_name}: median {statistics.median(values):g}, {min(values)} to {max(values)}.")
    if plot is not None:
        draw(curves, plot)


def draw(curves: Mapping[tuple[str, str], tuple[Trace, ...]], path: Path) -> None:
    """Loss against evaluations, a panel for every pair and start."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, len(curves) // 2, figsize=(4 * len(curves) // 2, 7), squeeze=False)
    names = ("Adam, tuned", "default (L-BFGS)", "TensorFlow tutorial's Adam", "SciPy L-BFGS-B")
    for number, ((pair, start), traces) in enumerate(curves.items()):
        axis = axes[number % 2][number // 2]
        for name, trace in zip(names, traces, strict=True):
            axis.loglog([one[0] for one in trace], [one[2] for one in trace], label=name)
        axis.axhline(traces[0][-1][2], color="gray", linewidth=0.5)
        axis.set_title(f"{pair}, from {start}", fontsize=8)
    axes[0][0].legend(fontsize=7)
    figure.supxlabel("evaluations of loss and gradient")
    figure.supylabel("loss")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def drafts(pairs: Sequence[Pair], weights: Weights, lengths: Sequence[int] = (0, 50, 100)) -> None:
    """The table from content, and after drafts of some length on vgg19-slim."""
    small = load_weights("vgg19-slim")
    rate = tuned_rate(OBJECTIVE, pairs[0], weights)
    names = (f"draft of {length}" if length else "no draft" for length in lengths)
    tables.head("pair", "loss of Adam after 500", *names)
    for pair in pairs:
        slow = stylizer_on(weights, adam(OBJECTIVE, rate), pair.style)
        target = slow.stylize(pair.content, iterations=STEPS).losses["total"]
        ours = stylizer_on(weights, OBJECTIVE, pair.style)
        drafting = stylizer_on(small, OBJECTIVE, pair.style)
        cells = []
        for length in lengths:
            start, price = pair.content, 0.0
            if length:
                drafted = drafting.stylize(pair.content, iterations=length)
                start, price = drafted.picture, drafted.seconds
            trace, _ = trace_of(ours, pair.content, start, LIMIT // 2)
            an_evaluation = trace[-1][1] / trace[-1][0]
            cells.append(shown(reached(trace, target), LIMIT // 2) + f" + {price / an_evaluation:.1f}")
        tables.row(pair.name, f"{target:.4f}", *cells)


def clips(media: Media, weights: Weights, size: int, count: int) -> None:
    """What frames cost with the default rule, and what becomes of loss and warping error."""
    tables.head(
        "clip",
        "painting",
        "rule",
        "evaluations a frame after the first",
        "content + style, of 300 cold",
        "warping error e-4",
        texts=3,
    )
    for clip, painting in CLIPS:
        source, style = media.video(clip), media.painting(painting)
        cold = _cold(weights, source, style, size, count)
        for name, more in (("default", ()), ("40 a frame", ("--tolerance", "0"))):
            with tempfile.TemporaryDirectory() as folder:
                output = Path(folder) / "out.mp4"
                command = ["video", source, "--style", style, "-o", output, "--frames", f"0:{count}"]
                command += ["--size", size, "--backbone", weights.name, "--keep-run", "-q", *more]
                with contextlib.suppress(SystemExit):
                    deepfusion([str(part) for part in command])
                run = run_path(output)
                lines = (run / "journal.jsonl").read_text().splitlines()
                score = score_clips(source, run / "frames", Display(-1), frames=f"0:{count}")
            frames = {entry["index"]: entry for entry in map(json.loads, lines)}
            later = [frames[index] for index in range(1, count)]
            kept = [frames[index]["losses"] for index in cold]
            ratio = statistics.mean(
                (loss["content"] + loss["style"]) / cold[index]
                for index, loss in zip(cold, kept, strict=True)
            )
            error = 1e4 * (score.mean("warping_error") or 0.0)
            spent = statistics.mean(frame["evaluations"] for frame in later)
            tables.row(source.stem, style.stem, name, f"{spent:.1f}", f"{ratio:.3f}", f"{error:.3f}")


def _cold(weights: Weights, source: Path, style: Path, size: int, count: int) -> dict[int, float]:
    """Content + style loss of a few frames after 300 evaluations from content, by number."""
    config = StylizeConfig(levels=1, iterations=300, tolerance=0.0)
    settings = VideoSettings()
    picture = read_style(style, size, settings.style_scale, config.minimum_side, settings.style_crop)
    stylizer = stylizer_on(weights, config, picture)
    found = {}
    for index, frame in enumerate(clip_frames(source, f"0:{count}", size)):
        if index % 8 == 7:
            losses = stylizer.stylize(frame).losses
            found[index] = losses["content"] + losses["style"]
    return found


def main() -> None:
    """Run the parts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("media", type=Media.named)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--part", nargs="+", choices=("pictures", "drafts", "clips"), default=["pictures"])
    parser.add_argument("--backbone", choices=tuple(WIDTHS), default="vgg19")
    parser.add_argument("--frames", type=int, default=24, help="of each clip")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    load_tensorflow()
    weights = load_weights(options.backbone)
    side = StylizeConfig().minimum_side
    pairs = [
        Pair(
            f"{photo}, {painting}",
            read_picture(options.media.photo(photo), options.size, side),
            read_picture(options.media.painting(painting), options.size, side, style=True),
        )
        for photo, painting in PAIRS
    ]
    if "pictures" in options.part:
        pictures(pairs, weights, options.plot)
    if "drafts" in options.part:
        drafts(pairs, weights)
    if "clips" in options.part:
        clips(options.media, weights, options.size, options.frames)


if __name__ == "__main__":
    main()
