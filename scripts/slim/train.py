"""Train vgg19-slim: a VGG-19 of a quarter of the width that learns to say what VGG-19 says.

    python scripts/slim/train.py --pictures photos.zip --work slim-run -o slim.npz [--start vgg19-slim]

Any number of --pictures (folders, zip files). The teacher is the package's vgg19, or any weight file the
project reads. --start goes on from a finished slim network instead of from nothing. The same command
continues after an interruption. `scripts/slim/pack.py` makes the package's file of the result,
`scripts/slim/bench.py` judges it; docs/networks.md tells the recipe. The curves are drawn where there is
matplotlib.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from scripts.slim.training.bank import Bank  # noqa: E402
from scripts.slim.training.curves import Curves  # noqa: E402
from scripts.slim.training.learner import WARM_UP, Training  # noqa: E402
from scripts.slim.training.measure import explained_variance  # noqa: E402
from scripts.slim.training.painted import Painted, paint  # noqa: E402
from scripts.slim.training.pictures import hold_back, read_pictures  # noqa: E402
from scripts.slim.training.student import save_arrays  # noqa: E402
from scripts.slim.training.teachers import SLIM_LAYERS, TEACHER, lesson_targets, read_teacher  # noqa: E402
from stylize.errors import WeightsError  # noqa: E402
from stylize.weights import Weights, load_weights  # noqa: E402

FIRST_CROPS = 512
"""Crops in the bank before the first step."""
RENEWED_PER_STEP = 0.25
"""New crops a step, in chunks of `CHUNK`."""
CHUNK = 16
DIRECTIONS = ("loss style direction", "loss content direction")
COMPARED_EVERY, PAINTED_PER_STEP = 2, 4
"""Steps from one comparison of gradients to the next (it costs more than a step), and pictures in each."""
ADOPTED_CROPS = 64
"""Crops over which the normalisation of a network to go on from is measured."""


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=Path, action="append", required=True, help="folder or zip file")
    parser.add_argument("--teacher", type=Path, default=TEACHER, help="weight file; the package's vgg19")
    parser.add_argument("--start", help="slim network to go on from: vgg19-slim, or a file")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints and curves")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the trained weights, .npz, float32")
    parser.add_argument("--steps", type=int, default=60_000)
    parser.add_argument("--batch", type=int, default=8, help="crops a step")
    parser.add_argument("--side", type=int, default=128, help="of a crop, pixels, a multiple of 16")
    parser.add_argument("--bank", type=int, default=4096, help="crops in memory, about 1 MB each")
    parser.add_argument("--learning-rate", type=float, default=5e-3)
    parser.add_argument("--gram-weight", type=float, default=0.2, help="of the Gram matrices' error")
    parser.add_argument(
        "--painted", type=int, default=0, help="half-painted pictures to learn from; made first, in --work"
    )
    parser.add_argument(
        "--followed", type=int, default=0, help="such pictures made on the network of --start, beside those"
    )
    parser.add_argument("--gradient-weight", type=float, default=0.5, help="of their directions")
    parser.add_argument("--held-back", type=int, default=24, help="pictures kept for validation")
    parser.add_argument("--precision", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=2000, help="steps between validations and checkpoints")
    options = parser.parse_args(arguments)
    if options.held_back == 1:
        parser.error(
            "--held-back must be 0 or at least 2: the maps are fitted on one half and tried on the other"
        )
    if options.followed and not options.start:
        parser.error("--followed needs --start, the network whose course is followed")
    if options.bank < options.batch:
        parser.error("--bank must hold at least one --batch")
    if options.steps <= WARM_UP:
        parser.error(f"--steps must be above {WARM_UP}, over which the learning rate rises")
    if options.side % 16 or options.side < 32:
        parser.error("--side must be a multiple of 16, at least 32")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Train, or continue, and write the weights."""
    options = parsed(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    try:
        teacher = read_teacher(options.teacher)
        start = _finished(options.start) if options.start else None
        training = Training(options, teacher)
    except WeightsError as error:
        raise SystemExit(str(error)) from error
    pictures, held_back = hold_back(
        read_pictures(options.pictures, smallest=options.side), options.held_back, options.seed
    )
    print(f"{len(pictures)} pictures, {len(held_back)} held back")
    checkpoint = tf.train.Checkpoint(
        student=training.student, optimizer=training.optimizer, step=training.step, **training.maps
    )
    manager = tf.train.CheckpointManager(checkpoint, str(options.work), max_to_keep=2)
    latest = manager.latest_checkpoint
    _note_run(options, int(latest.rpartition("-")[2]) if latest else 0)
    if latest:
        checkpoint.restore(latest).assert_existing_objects_matched()
    step = int(training.step)
    curves = Curves(options.work / "curves.csv", resume_at=step)
    painted, folder = None, options.work / "painted"
    for count, followed in ((options.painted, None), (options.followed, start)):
        if count:
            made = {"count": count, "side": options.side, "seed": options.seed, "followed": followed}
            paint(folder, teacher, list(pictures.values()), **made)
    if options.painted or options.followed:
        painted = Painted.read(folder)
    bank = Bank(
        list(pictures.values()),
        teacher,
        training.lessons,
        capacity=options.bank,
        side=options.side,
        seed=(options.seed, 3, step),
        precision=options.precision,
        painted=painted,
    )
    while bank.size < min(FIRST_CROPS, options.bank):
        bank.renew(CHUNK)
    if start is not None and not step:
        crops = bank.draw(min(ADOPTED_CROPS, bank.size))[0]
        training.student.adopt(start, tf.cast(crops, tf.float32) / 255.0)
    images = [picture.astype(np.float32) / 255.0 for picture in held_back.values()]
    _run(training, teacher, bank, painted, images, curves, manager)
    save_arrays(options.output, training.finished(teacher, bank))
    print(f"wrote {options.output}; curves in {options.work}")
    try:
        curves.plot(options.work / "curves.png")
    except ModuleNotFoundError as error:
        print(f"curves.csv is there, but curves.png is not drawn: {error}")
    return 0


def _finished(given: str) -> Weights:
    """The slim network to go on from, whole."""
    weights = load_weights(given)
    if weights.name != "vgg19-slim" or SLIM_LAYERS[-1] not in weights.layers:
        found = f"{weights.name} to {list(weights.layers)[-1]}"
        raise WeightsError(f"{given}: holds {found}, not vgg19-slim to {SLIM_LAYERS[-1]}")
    return weights


def _run(
    training: Training,
    teacher: Any,
    bank: Bank,
    painted: Painted | None,
    held_back: Any,
    curves: Curves,
    manager: Any,
) -> None:
    options, lessons = training.options, training.lessons
    recent: list[Any] = []
    rng = np.random.default_rng([options.seed, 5, int(training.step)])
    owed, began = 0.0, time.perf_counter()
    start = int(training.step)
    for step in range(start + 1, options.steps + 1):
        owed += RENEWED_PER_STEP
        if owed >= CHUNK:
            bank.renew(CHUNK)
            owed -= CHUNK
        compared = painted is not None and step % COMPARED_EVERY == 0
        shown = (painted.draw(PAINTED_PER_STEP, rng),) if painted and compared else ()
        recent.append(training.learn(*bank.draw(options.batch), *shown))
        if step % options.every and step != options.steps:
            continue
        learned = np.array([values.numpy() for values in recent])
        shares = learned[:, :-2].mean(axis=0)
        astray = learned[np.isfinite(learned[:, -1]), -2:]
        recent.clear()
        found = explained_variance(
            lambda image: training.student.activations(image, training=False),
            lambda image: lesson_targets(teacher, lessons, image),
            held_back,
        )
        seconds = time.perf_counter() - began
        values = {f"loss {lesson.layer}": share for lesson, share in zip(lessons, shares, strict=False)}
        values |= {"loss gram": shares[-1], "seconds": seconds}
        if len(astray):
            values |= dict(zip(DIRECTIONS, astray.mean(axis=0), strict=True))
        values |= {f"explained {layer}": pair[1] for layer, pair in found.items()}
        curves.add(step, values)
        manager.save(checkpoint_number=step)
        line = " ".join(f"{layer[5]}_{layer[-1]} {pair[1]:.3f}" for layer, pair in found.items())
        left = seconds / (step - start) * (options.steps - step)
        others = " ".join(
            f"{name[5:]} {values[name]:.3f}" for name in ("loss gram", *DIRECTIONS) if name in values
        )
        print(f"step {step}, {seconds:.0f} s, {left / 60:.0f} min left, {others}: {line}", flush=True)


def _note_run(options: argparse.Namespace, start: int) -> None:
    """Keep in the work folder how the run was made, part by part; refuse to continue another one.

    The length, the learning rate and the weights of what is learned may change from part to part; the rest
    may not.
    """
    given = {name: getattr(options, name) for name in ("batch", "side", "held_back", "precision", "seed")}
    given |= {"teacher": str(options.teacher), "start": options.start}
    given["pictures"] = [str(path) for path in options.pictures]
    part = {"from": start, "every": options.every}
    part |= {
        name: getattr(options, name)
        for name in ("steps", "learning_rate", "gram_weight", "painted", "followed", "gradient_weight")
    }
    path = options.work / "run.json"
    kept = json.loads(path.read_text()) if path.exists() else {**given, "parts": []}
    changed = [f"{name} {kept.get(name)} -> {given[name]}" for name in given if kept.get(name) != given[name]]
    if changed:
        raise SystemExit(f"{options.work} holds another run ({', '.join(changed)}); use another --work")
    kept["parts"].append(part)
    path.write_text(json.dumps(kept, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
