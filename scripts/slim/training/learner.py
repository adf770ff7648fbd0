"""The slim network as it learns: student, maps, optimiser, the compiled step, and what becomes of it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from stylize.backbone import Vgg19
from stylize.weights import Weights

from .bank import Bank, places_kept
from .linear_maps import LinearMap
from .measure import rows_of
from .painted import LAYERS_READ, bands, gradients, unit
from .student import MOMENTUM, Arrays, Student, rescaled
from .taps import fit_taps
from .teachers import SLIM_LAYERS, lesson_targets, plan_lessons

WARM_UP = 300
"""Steps over which the learning rate rises."""
LAST_BATCHES = 48
"""Batches over which normalisation, channel sizes and taps are measured at the end."""
QUIET_CHANNEL = 0.02
"""A channel's mean counts as at least this share of its layer's median: noise is not made large."""


class Training:
    """Student, maps, optimiser and the compiled step."""

    def __init__(self, options: argparse.Namespace, teacher: Any) -> None:
        self.options = options
        self.lessons = plan_lessons()
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
        self.maps = self._maps(teacher)
        self._dtype = tf.as_dtype(options.precision)
        self.learn = tf.function(self._learn)

    def _learn(self, crops: Any, places: Any, answers: Any, painted: tuple[Any, ...] = ()) -> Any:
        """One step; returns the unexplained share by lesson, the Gram error, and how far directions are off.

        Parameters
        ----------
        crops, places, answers
            From the bank.
        painted
            Half-painted pictures with the teacher's gradients (`Painted.draw`), or nothing; then how far
            directions are off is not a number.
        """
        images = tf.cast(crops, tf.float32) / 255.0
        variables = self.student.trainable_variables
        with tf.GradientTape() as tape:
            found = self.student.activations(images, training=True, dtype=self._dtype)
            unexplained, grams, total, astray = [], [], 0.0, tf.fill((2,), np.nan)
            for lesson, where, answer in zip(self.lessons, places, answers, strict=True):
                flat = tf.reshape(found[lesson.layer], (crops.shape[0], -1, found[lesson.layer].shape[-1]))
                features = tf.cast(tf.gather(flat, where, batch_dims=1), tf.float32)
                share, gram = self.maps[lesson.layer].losses(features, tf.cast(answer, tf.float32))
                unexplained.append(share)
                total += lesson.weight * share
                if lesson.layer.endswith("conv1"):
                    grams.append(gram)
                    total += self.options.gram_weight * gram
            if painted:
                astray = self._astray(*painted)
                total += self.options.gradient_weight * tf.reduce_sum(astray)
        changes = tape.gradient(total, variables)
        changes, _ = tf.clip_by_global_norm(changes, 5.0)
        self.optimizer.apply(changes, variables)
        self.step.assign_add(1)
        return tf.stack([*unexplained, tf.add_n(grams) / len(grams), *tf.unstack(astray)])

    def _astray(self, pictures: Any, contents: Any, styles: Any, *toward: Any) -> Any:
        """How far the student's gradients in pixels are off the teacher's: of style loss, of content loss.

        One less the cosine, half as a whole and half as the mean over brightness and colour by octaves.
        """
        metrics = {layer: tf.stop_gradient(self.maps[layer].metric()) for layer in LAYERS_READ}
        shown = tf.cast(tf.concat((pictures, contents, styles), 0), tf.float32) / 255.0
        found = gradients(self.student.fixed(shown), metrics, pictures, contents, styles)
        return tf.stack(
            [_off(mine, tf.cast(theirs, tf.float32)) for mine, theirs in zip(found, toward, strict=True)]
        )

    def _maps(self, teacher: Any) -> dict[str, LinearMap]:
        """A linear map from each layer to its lesson; a grey crop tells how many channels they have."""
        grey = tf.fill((1, self.options.side, self.options.side, 3), 0.5)
        features = self.student.activations(grey, training=False)
        targets = lesson_targets(teacher, self.lessons, grey)
        maps = {}
        for lesson in self.lessons:
            samples = self.options.batch * places_kept(lesson.layer, self.options.side)
            width, wanted = features[lesson.layer].shape[-1], targets[lesson.layer].shape[-1]
            maps[lesson.layer] = LinearMap(width, wanted, samples)
        return maps

    def settle(self, bank: Bank) -> None:
        """Measure the normalisation's moments in full precision."""
        student = self.student
        running = (*student.means, *student.variances)
        totals = [np.zeros(variable.shape, np.float64) for variable in running]
        for images in _batches(bank, self.options.batch):
            before = [variable.numpy() for variable in running]
            student.activations(images, training=True)
            for total, variable, old in zip(totals, running, before, strict=True):
                total += (variable.numpy() - MOMENTUM * old) / (1.0 - MOMENTUM) / LAST_BATCHES
        for total, variable in zip(totals, running, strict=True):
            variable.assign(total.astype(np.float32))

    def finished(self, teacher: Any, bank: Bank) -> Arrays:
        """The network's arrays: every channel of mean 1, and the taps."""
        self.settle(bank)
        means = dict.fromkeys(SLIM_LAYERS, 0.0)
        for images in _batches(bank, self.options.batch):
            for layer, value in self.student.activations(images, training=False).items():
                means[layer] = means[layer] + rows_of(value).mean(axis=0, dtype=np.float64) / LAST_BATCHES
        factors = {
            layer: 1.0 / np.maximum(mean, QUIET_CHANNEL * np.median(mean)) for layer, mean in means.items()
        }
        arrays = rescaled(self.student.folded(), factors)
        layers = {layer: (arrays[f"{layer}/kernel"], arrays[f"{layer}/bias"]) for layer in SLIM_LAYERS}
        slim = Vgg19(Weights("vgg19-slim", "trained", "", layers))
        taps = fit_taps(slim, teacher, self.lessons, _batches(bank, self.options.batch))
        return arrays | {f"{layer}/tap": tap for layer, tap in taps.items()}


def _off(mine: Any, theirs: Any) -> Any:
    """One less the cosine of gradients, half as a whole and half as the mean over their bands."""
    whole = tf.reduce_mean(unit(mine) * unit(theirs))
    pairs = zip(bands(mine), bands(theirs), strict=True)
    by_band = [tf.reduce_mean(unit(one) * unit(other)) for one, other in pairs]
    return 1.0 - 0.5 * whole - 0.5 * tf.add_n(by_band) / len(by_band)


def _batches(bank: Bank, size: int) -> Iterator[Any]:
    """Pictures in [0, 1] from the bank, to measure a trained network on."""
    for _ in range(LAST_BATCHES):
        yield tf.cast(bank.draw(size)[0], tf.float32) / 255.0
