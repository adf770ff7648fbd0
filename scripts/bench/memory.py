"""What a large picture takes: windows against one piece, and the peak of one evaluation at 3840 x 2160.

    python scripts/bench/memory.py [--part equal large predict] [--memory 7]

equal: loss and gradient at 512 px on the full network's shape, in windows and in one piece, and the times.
large: one evaluation (loss and gradient) of 3840 x 2160 pixels under --memory GiB, and the process's peak.
predict: pictures and a pan over one by the command line on vgg19-slim: what the dry run says, and the peak of
the run itself.
Weights are random but for predict: what matters is shape. The default objective.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the program has it
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import tensorflow as tf

from pipeline.machine import budget, peak
from scripts import tables
from scripts.bench.iteration import compiled_evaluation, random_weights
from stylize.config import StylizeConfig
from stylize.stylizer import Stylizer
from stylize.tiling import memory_of
from video.images import write_image

CASES = (
    "--size 256",
    "--size 1024",
    "--size 2048",
    "--size 2048 --memory 3.5",
    "--size 2048 --precision mixed",
)
CLIP_CASES = (
    "--size 960",
    "--size 96 --finish 1920",
    "--size 96 --finish 1920 --memory 3.5",
)
CLIP_FRAMES = 5


def smooth(height: int, width: int, seed: int) -> np.ndarray:
    """A picture of soft random blobs."""
    coarse = np.random.default_rng(seed).random((height // 16 + 2, width // 16 + 2, 3)).astype(np.float32)
    return tf.image.resize(coarse, (height, width), "bicubic").numpy().clip(0, 1)


def equal() -> None:
    """Compare the two at 512 px."""
    weights = random_weights("vgg19")
    content, style, picture = (smooth(384, 512, seed) for seed in range(3))
    found, times = {}, {}
    for name, memory in (("one piece", None), ("windows", 1)):
        stylizer = Stylizer(StylizeConfig(), [style], weights, memory=memory)
        run = compiled_evaluation(stylizer, content)
        image = tf.constant(picture[None])
        found[name] = [value.numpy().astype(np.float64) for value in run(image)]
        stamps = []
        for _ in range(3):
            began = time.perf_counter()
            run(image)[0].numpy()
            stamps.append(time.perf_counter() - began)
        times[name] = sorted(stamps)[1]
    (loss, gradient), (tiled_loss, tiled_gradient) = found["one piece"], found["windows"]
    tables.head("512x384, full width", "windows against one piece")
    tables.row("loss, relative difference", f"{abs(tiled_loss.sum() / loss.sum() - 1):.1e}")
    error = np.linalg.norm(tiled_gradient - gradient) / np.linalg.norm(gradient)
    tables.row("gradient, relative difference", f"{error:.1e}")
    tables.row("time", f"{times['windows'] / times['one piece']:.2f}")


def large(gibibytes: float) -> None:
    """One evaluation of 3840 x 2160."""
    weights = random_weights("vgg19")
    content, style = smooth(2160, 3840, 0), smooth(2160, 3840, 1)
    memory = budget(gibibytes)
    stylizer = Stylizer(StylizeConfig(), [style], weights, memory=memory)
    whole = memory_of(stylizer.backbone, stylizer.objective.layers, 2160, 3840)
    side = stylizer.evaluator.window(2160, 3840)
    began = time.perf_counter()
    run = compiled_evaluation(stylizer, content)
    ready = time.perf_counter()
    terms, gradient = run(tf.constant(smooth(2160, 3840, 2)[None]))
    tables.head("3840x2160, full width, one evaluation", "")
    tables.row("asked for", f"{gibibytes:g} GiB")
    tables.row("in one piece it would take about", f"{whole / 2**30:.1f} GiB")
    tables.row("windows of", f"{side} px")
    tables.row("targets", f"{ready - began:.0f} s")
    tables.row("evaluation, compiled on the way", f"{time.perf_counter() - ready:.0f} s")
    tables.row("finite", bool(np.isfinite(terms.numpy()).all() and np.isfinite(gradient.numpy()).all()))
    tables.row("peak resident memory", f"{peak() / 1e9:.2f} GB")


def predict() -> None:
    """Dry runs and runs of several sizes; exits 1 if a run takes more than was said."""
    tables.head("job", "dry run", "peak of the run")
    held = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        content, frames, style = folder / "content.png", folder / "frames", folder / "style.png"
        picture = smooth(1536, 2048, 0)
        write_image(content, picture)
        frames.mkdir()
        for number in range(CLIP_FRAMES):
            write_image(frames / f"{number:04}.png", picture[:1080, 6 * number :][:, :1920])
        write_image(style, smooth(768, 1024, 1))
        jobs = [("image", content, "out.png", more) for more in CASES]
        clip = "--frame-iterations 2 --finish-iterations 21"  # as many as L-BFGS remembers
        jobs += [("video", frames, "out.mp4", f"{more} {clip}") for more in CLIP_CASES]
        for command, source, output, more in jobs:
            arguments = (
                sys.executable, "-m", "pipeline.cli", command, str(source), "--style", str(style),
                "--backbone", "vgg19-slim", "--iterations", "2", "-q", "-o", str(folder / output),
                "--overwrite", "--restart", *more.split(),
            )  # fmt: skip
            foreseen, peaked = _said_and_taken(arguments)
            held = held and peaked <= foreseen
            tables.row(f"{command} {more}", f"{foreseen / 1e9:.2f} GB", f"{peaked / 1e9:.2f} GB")
    if not held:
        sys.exit("a run took more than its dry run said")


def _said_and_taken(arguments: tuple[str, ...]) -> tuple[int, int]:
    """Bytes that the dry run of a job says, and that its run takes at most."""
    environment = {**os.environ, "PYTHONPATH": sys.path[0]}
    told = [*arguments, "--dry-run", "--json"]
    said = subprocess.run(told, env=environment, capture_output=True, check=True)
    ran = subprocess.Popen(arguments, env=environment)
    _, status, usage = os.wait4(ran.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(arguments)}: ended with {os.waitstatus_to_exitcode(status)}")
    return json.loads(said.stdout)["memory"], usage.ru_maxrss * 1024


def main() -> None:
    """Run the parts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--part", nargs="+", choices=("equal", "large", "predict"), default=["equal", "large"]
    )
    parser.add_argument("--memory", type=float, default=7.0)
    options = parser.parse_args()
    if "large" in options.part:
        large(options.memory)
    if "equal" in options.part:
        equal()
    if "predict" in options.part:
        predict()


if __name__ == "__main__":
    main()
