"""Train vgg19-slim: a VGG-19 of a quarter of the width that learns to say what its teachers say.

    python scripts/slim/train.py --pictures photos.zip --teacher vgg19.h5 --work slim-run -o slim.npz

Any number of --pictures (folders, zip files) and --teacher (any weight file the project reads, or the
published 16x network's arrays); for each layer the first teacher that has it is followed. The same command
continues after an interruption. `scripts/slim/pack.py` makes the package's file of the result,
`scripts/slim/bench.py` judges it; docs/networks.md tells the recipe. Needs matplotlib besides the
project's own dependencies.
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

from scripts.slim.training.bank import Bank, places_kept  # noqa: E402
from scripts.slim.training.curves import Curves  # noqa: E402
from scripts.slim.training.linear_maps import LinearMap  # noqa: E402
from scripts.slim.training.measure import Moments, explained_variance, rows_of  # noqa: E402
from scripts.slim.training.pictures import hold_back, read_pictures  # noqa: E402
from scripts.slim.training.student import MOMENTUM, Forger, Student, rescaled, save_arrays  # noqa: E402
from scripts.slim.training.teachers import lesson_targets, plan_lessons, read_teacher  # noqa: E402
from stylize.errors import WeightsError  # noqa: E402

FIRST_CROPS = 512
"""Crops in the bank before the first step."""
RENEWED_PER_STEP = 0.25
"""New crops a step, in chunks of `CHUNK`."""
CHUNK = 16
WARM_UP = 300
"""Steps over which the learning rate rises."""
LAST_BATCHES = 48
"""Batches over which normalisation and channel sizes are measured at the end."""
QUIET_CHANNEL = 0.02
"""A channel's size is at least this share of its layer's median: none is lost."""


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=Path, action="append", required=True, help="folder or zip file")
    parser.add_argument("--teacher", type=Path, action="append", required=True, help="weight file")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints and curves")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the trained weights, .npz, float32")
    parser.add_argument("--steps", type=int, default=60_000)
    parser.add_argument("--batch", type=int, default=8, help="crops a step")
    parser.add_argument("--side", type=int, default=128, help="of a crop, pixels, a multiple of 16")
    parser.add_argument("--bank", type=int, default=4096, help="crops in memory, about 1 MB each")
    parser.add_argument("--learning-rate", type=float, default=5e-3)
    parser.add_argument("--gram-weight", type=float, default=0.2, help="of the Gram matrices' error")
    parser.add_argument(
        "--forged",
        type=float,
        default=0.0,
        help="share of the new crops that the student has stylized itself",
    )
    parser.add_argument("--held-back", type=int, default=24, help="pictures kept for validation")
    parser.add_argument("--precision", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=2000, help="steps between validations and checkpoints")
    options = parser.parse_args(arguments)
    if options.held_back == 1:
        parser.error(
            "--held-back must be 0 or at least 2: the maps are fitted on one half and tried on the other"
        )
    if options.bank < options.batch:
        parser.error("--bank must hold at least one --batch")
    if options.steps <= WARM_UP:
        parser.error(f"--steps must be above {WARM_UP}, over which the learning rate rises")
    if options.side % 16 or options.side < 32:
        parser.error("--side must be a multiple of 16, at least 32")
    return options


class Training:
    """Student, maps, optimiser and the compiled step."""

    def __init__(self, options: argparse.Namespace, teachers: list[Any]) -> None:
        self.options = options
        self.lessons = plan_lessons(teachers)
        self.student = Student(options.seed)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        rate = tf.keras.optimizers.schedules.CosineDecay(
            0.0,
            options.steps - WARM_UP,
            alpha=1e-3,
            warmup_target=options.learning_rate,
            warmup_steps=WARM_UP,
        )
        self.optimizer = tf.keras.optimizers.Adam(rate, beta_2=0.99)
        self.optimizer.build(self.student.trainable_variables)
        self.maps = self._maps(teachers)
        self._dtype = tf.as_dtype(options.precision)
        self.learn = tf.function(self._learn)

    def _learn(self, crops: Any, places: Any, answers: Any) -> Any:
        """One step; returns the unexplained share by lesson, and the mean Gram error."""
        images = tf.cast(crops, tf.float32) / 255.0
        variables = self.student.trainable_variables
        with tf.GradientTape() as tape:
            found = self.student.activations(images, training=True, dtype=self._dtype)
            unexplained, grams, total = [], [], 0.0
            for lesson, where, answer in zip(self.lessons, places, answers, strict=True):
                flat = tf.reshape(found[lesson.layer], (crops.shape[0], -1, found[lesson.layer].shape[-1]))
                features = tf.cast(tf.gather(flat, where, batch_dims=1), tf.float32)
                share, gram = self.maps[lesson.layer].losses(features, tf.cast(answer, tf.float32))
                unexplained.append(share)
                total += lesson.weight * share
                if lesson.layer.endswith("conv1"):
                    grams.append(gram)
                    total += self.options.gram_weight * gram
        gradients = tape.gradient(total, variables)
        gradients, _ = tf.clip_by_global_norm(gradients, 5.0)
        self.optimizer.apply(gradients, variables)
        self.step.assign_add(1)
        return tf.stack([*unexplained, tf.add_n(grams) / len(grams)])

    def _maps(self, teachers: list[Any]) -> dict[str, LinearMap]:
        """A linear map from each layer to its lesson; a grey crop tells how many channels they have."""
        grey = tf.fill((1, self.options.side, self.options.side, 3), 0.5)
        features = self.student.activations(grey, training=False)
        targets = lesson_targets(teachers, self.lessons, grey)
        maps = {}
        for lesson in self.lessons:
            samples = self.options.batch * places_kept(lesson.layer, self.options.side)
            width, wanted = features[lesson.layer].shape[-1], targets[lesson.layer].shape[-1]
            maps[lesson.layer] = LinearMap(width, wanted, samples)
        return maps

    def settle(self, teachers: list[Any], bank: Bank) -> dict[str, Any]:
        """Measure the normalisation's moments in full precision; return factors for the channels."""
        student = self.student
        running = (*student.means, *student.variances)
        totals = [np.zeros(variable.shape, np.float64) for variable in running]
        for _ in range(LAST_BATCHES):
            crops, _, _ = bank.draw(self.options.batch)
            before = [variable.numpy() for variable in running]
            student.activations(tf.cast(crops, tf.float32) / 255.0, training=True)
            for total, variable, old in zip(totals, running, before, strict=True):
                total += (variable.numpy() - MOMENTUM * old) / (1.0 - MOMENTUM) / LAST_BATCHES
        for total, variable in zip(totals, running, strict=True):
            variable.assign(total.astype(np.float32))
        return self._factors(teachers, bank)

    def _factors(self, teachers: list[Any], bank: Bank) -> dict[str, Any]:
        """What to multiply the channels by.

        Training leaves their sizes free: the linear map takes up any. The Gram matrices of style transfer
        do not, so each channel gets the size that it has in the teacher's activations, and each layer the
        mean 1.
        """
        moments = {lesson.layer: Moments() for lesson in self.lessons}
        means = dict.fromkeys(moments, 0.0)
        for _ in range(LAST_BATCHES):
            crops, _, _ = bank.draw(self.options.batch)
            images = tf.cast(crops, tf.float32) / 255.0
            found = self.student.activations(images, training=False)
            targets = lesson_targets(teachers, self.lessons, images)
            for layer, one in moments.items():
                features, wanted = rows_of(found[layer]), rows_of(targets[layer])
                means[layer] = means[layer] + features.mean(axis=0, dtype=np.float64) / LAST_BATCHES
                stride = 4 ** (5 - int(layer[5])) // 4 or 1
                one.add(features[::stride], wanted[::stride])
        factors = {}
        for layer, one in moments.items():
            weights = one.weights_of_features()
            weights = np.maximum(weights, QUIET_CHANNEL * np.median(weights))
            factors[layer] = weights / np.mean(weights * means[layer])
        return factors


def main(arguments: list[str] | None = None) -> int:
    """Train, or continue, and write the weights."""
    options = parsed(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    try:
        teachers = [read_teacher(path) for path in options.teacher]
        training = Training(options, teachers)
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
    start = int(training.step)
    curves = Curves(options.work / "curves.csv", resume_at=start)
    bank = Bank(
        list(pictures.values()),
        teachers,
        training.lessons,
        capacity=options.bank,
        side=options.side,
        seed=(options.seed, 3, start),
        precision=options.precision,
        forge=Forger(training.student).forge,
    )
    while bank.size < min(FIRST_CROPS, options.bank):
        bank.renew(CHUNK)
    images = [picture.astype(np.float32) / 255.0 for picture in held_back.values()]
    _run(training, teachers, bank, images, curves, manager)
    factors = training.settle(teachers, bank)
    save_arrays(options.output, rescaled(training.student.folded(), factors))
    curves.plot(options.work / "curves.png")
    print(f"wrote {options.output}; curves in {options.work}")
    return 0


def _run(training: Training, teachers: Any, bank: Bank, held_back: Any, curves: Curves, manager: Any) -> None:
    options, lessons = training.options, training.lessons
    recent: list[Any] = []
    owed, began = 0.0, time.perf_counter()
    start = int(training.step)
    for step in range(start + 1, options.steps + 1):
        owed += RENEWED_PER_STEP
        if owed >= CHUNK:
            bank.renew(CHUNK, share=options.forged)
            owed -= CHUNK
        recent.append(training.learn(*bank.draw(options.batch)))
        if step % options.every and step != options.steps:
            continue
        shares = np.mean([values.numpy() for values in recent], axis=0)
        recent.clear()
        found = explained_variance(
            lambda image: training.student.activations(image, training=False),
            lambda image: lesson_targets(teachers, lessons, image),
            held_back,
        )
        seconds = time.perf_counter() - began
        values = {f"loss {lesson.layer}": share for lesson, share in zip(lessons, shares, strict=False)}
        values |= {"loss gram": shares[-1], "seconds": seconds}
        values |= {f"explained {layer}": pair[1] for layer, pair in found.items()}
        curves.add(step, values)
        manager.save(checkpoint_number=step)
        line = " ".join(f"{layer[5]}_{layer[-1]} {pair[1]:.3f}" for layer, pair in found.items())
        left = seconds / (step - start) * (options.steps - step)
        print(
            f"step {step}, {seconds:.0f} s, {left / 60:.0f} min left, gram {shares[-1]:.3f}: {line}",
            flush=True,
        )


def _note_run(options: argparse.Namespace, start: int) -> None:
    """Keep in the work folder how the run was made, part by part; refuse to continue another one.

    The length, the learning rate and the weights of what is learned may change from part to part; the rest
    may not.
    """
    given = {name: getattr(options, name) for name in ("batch", "side", "held_back", "precision", "seed")}
    given["teacher"] = [str(path) for path in options.teacher]
    given["pictures"] = [str(path) for path in options.pictures]
    part = {"from": start, "every": options.every}
    part |= {name: getattr(options, name) for name in ("steps", "learning_rate", "gram_weight", "forged")}
    path = options.work / "run.json"
    kept = json.loads(path.read_text()) if path.exists() else {**given, "parts": []}
    changed = [f"{name} {kept.get(name)} -> {given[name]}" for name in given if kept.get(name) != given[name]]
    if changed:
        raise SystemExit(f"{options.work} holds another run ({', '.join(changed)}); use another --work")
    kept["parts"].append(part)
    path.write_text(json.dumps(kept, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
