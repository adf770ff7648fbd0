"""Coarse to fine: the sizes of a pyramid, scaling pictures between them, and the count over its levels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from stylize.checkpoint import Checkpoint, Standing, Totals
from stylize.config import StylizeConfig
from stylize.types import FloatImage

if TYPE_CHECKING:
    from stylize.optimize import Minimum, Progress

_COARSEST_SIDE = 96
"""No level of the pyramid has a shorter side under this: below it the style's own composition is built."""


def shapes_of(config: StylizeConfig, height: int, width: int) -> list[tuple[int, int]]:
    """The shapes a picture of this size goes through, from coarse to fine."""
    return level_shapes(height, width, config.levels, max(_COARSEST_SIDE, config.minimum_side))


def level_shapes(height: int, width: int, levels: int, minimum_side: int) -> list[tuple[int, int]]:
    """(height, width) from the coarsest level to the finest, each half of the next, rounded.

    Levels whose shorter side would fall under `minimum_side` are left out; the finest always stays.
    """
    shapes = [(height, width)]
    for level in range(1, levels):
        shape = (round(height / 2**level), round(width / 2**level))
        if min(shape) < minimum_side:
            break
        shapes.insert(0, shape)
    return shapes


def rescale(picture: FloatImage, height: int, width: int) -> FloatImage:
    """`picture` at another size, bicubic with antialiasing, clipped to [0, 1]."""
    if picture.shape[:2] == (height, width):
        return picture
    import tensorflow as tf  # late: the levels can be counted without it

    scaled = tf.image.resize(picture, (height, width), method="bicubic", antialias=True)
    return np.clip(scaled.numpy(), 0.0, 1.0)


def after(done: Totals, minimum: Minimum) -> Totals:
    """What was done when a level is finished."""
    return replace(
        done, finished=done.finished + minimum.iterations,
        evaluations=done.evaluations + minimum.evaluations, seconds=done.seconds + minimum.seconds,
    )  # fmt: skip


def shifted(
    callback: Callable[[Progress], None] | None, level: int, done: Totals
) -> Callable[[Progress], None] | None:
    """`callback` for one level, told of the progress over all levels."""
    if callback is None:
        return None

    def told(progress: Progress) -> None:
        callback(
            replace(
                progress, level=level, iterations=done.iterations,
                iteration=done.finished + progress.iteration,
                evaluations=done.evaluations + progress.evaluations,
                seconds=done.seconds + progress.seconds,
            )
        )  # fmt: skip

    return told


@dataclass(frozen=True)
class LevelKeeper:
    """Keeps the state of one level in the checkpoint of all levels."""

    checkpoint: Checkpoint
    level: int
    before: Totals

    def due(self) -> bool:
        """Whether it is time to keep it again."""
        return self.checkpoint.due()

    def keep(self, standing: Standing) -> None:
        """Keep it."""
        self.checkpoint.save(self.level, self.before, standing)
