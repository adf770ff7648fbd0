"""A store of crops with the teacher's answers to them, renewed little by little while training runs.

Asking the teacher at every step would cost more than the step. The bank keeps its answers, at a few
places of each crop as float16, and replaces its oldest crops by new ones all the time, so that none is seen
too often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from .painted import Painted
from .pictures import ByteImage, random_crop
from .teachers import Lesson, lesson_targets

PLACES = {1: 1 / 32, 2: 1 / 16, 3: 1 / 8, 4: 1 / 2, 5: 1.0}
"""Share of a layer's pixels whose answers are kept, by block: early layers' neighbours say much the same."""

PAINTED_SHARE = 0.25


def places_kept(layer: str, side: int) -> int:
    """How many places of `layer` the bank keeps of a crop of `side` pixels."""
    block = int(layer[5])
    return max(1, round((side >> (block - 1)) ** 2 * PLACES[block]))


class Bank:
    """Crops, places and answers, in rings of `capacity` entries.

    Parameters
    ----------
    capacity
        Crops kept; one of 128 px with the answers of all fourteen layers takes about 1 MB.
    side
        Of a crop, in pixels; a multiple of 16.
    precision
        The teacher's, "float32" or "bfloat16".
    painted
        Half-painted pictures: of the crops taken in, `PAINTED_SHARE` are these.
    """

    def __init__(
        self,
        pictures: Sequence[ByteImage],
        teacher: Any,
        lessons: Sequence[Lesson],
        *,
        capacity: int,
        side: int,
        seed: Sequence[int],
        precision: str = "float32",
        painted: Painted | None = None,
    ) -> None:
        self._pictures, self._lessons, self._side = pictures, lessons, side
        self._rng = np.random.default_rng(seed)
        self._teacher, self._dtype, self._painted = teacher, tf.as_dtype(precision), painted
        self._ask = tf.function(self._answers_at)
        self._capacity, self._next, self.size = capacity, 0, 0
        self._crops = np.zeros((capacity, side, side, 3), np.uint8)
        self._places: dict[str, NDArray[np.int32]] = {}
        self._answers: dict[str, NDArray[np.float16]] = {}

    def renew(self, count: int) -> None:
        """Put `count` new crops in the place of the oldest."""
        crops = np.stack([random_crop(self._pictures, self._side, self._rng) for _ in range(count)])
        if self._painted is not None:
            mine = self._rng.random(count) < PAINTED_SHARE
            rows = self._rng.choice(len(self._painted.pictures), mine.sum())
            crops[mine] = self._painted.pictures[rows]
        places = {}
        for lesson in self._lessons:
            pixels = (self._side >> (int(lesson.layer[5]) - 1)) ** 2
            kept = places_kept(lesson.layer, self._side)
            picks = np.argpartition(self._rng.random((count, pixels)), kept - 1, axis=1)[:, :kept]
            places[lesson.layer] = np.sort(picks, axis=1).astype(np.int32)
        answers = self._ask(tf.constant(crops), {name: tf.constant(where) for name, where in places.items()})
        rows = (self._next + np.arange(count)) % self._capacity
        self._crops[rows] = crops
        for name, answer in answers.items():
            if name not in self._answers:
                self._places[name] = np.zeros((self._capacity, answer.shape[1]), np.int32)
                self._answers[name] = np.zeros((self._capacity, *answer.shape[1:]), np.float16)
            self._places[name][rows] = places[name]
            self._answers[name][rows] = answer.numpy()
        self._next = (self._next + count) % self._capacity
        self.size = min(self._capacity, self.size + count)

    def draw(self, count: int) -> tuple[Any, tuple[Any, ...], tuple[Any, ...]]:
        """`count` crops (uint8) with their places and answers, one array a lesson."""
        rows = np.sort(self._rng.choice(self.size, count, replace=False))
        names = [lesson.layer for lesson in self._lessons]
        return (
            tf.constant(self._crops[rows]),
            tuple(tf.constant(self._places[name][rows]) for name in names),
            tuple(tf.constant(self._answers[name][rows]) for name in names),
        )

    def _answers_at(self, crops: Any, places: Mapping[str, Any]) -> dict[str, Any]:
        """The teacher's answers to `crops` at `places` (N, P) by layer: (N, P, C), float16."""
        images = tf.cast(tf.cast(crops, tf.float32) / 255.0, self._dtype)
        found = lesson_targets(self._teacher, self._lessons, images)
        answers = {}
        for name, where in places.items():
            flat = tf.reshape(found[name], (crops.shape[0], -1, found[name].shape[-1]))
            answers[name] = tf.cast(tf.gather(flat, where, batch_dims=1), tf.float16)
        return answers
