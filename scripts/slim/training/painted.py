"""Pictures in the middle of an optimisation on the teacher, with the teacher's gradients at them.

What an optimiser shows a network are pictures that no camera makes, and what it takes from it is a direction
in pixels. So the slim network is shown half-painted pictures, and learns the directions of the teacher's
style and content losses there beside its activations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from stylize.losses import gram_matrix

from .pictures import ByteImage, random_crop
from .student import save_arrays
from .teachers import READ_LAYERS, SLIM_LAYERS

Tensor = Any

LAYERS_READ = tuple(layer for layer in SLIM_LAYERS if layer in READ_LAYERS)
STEPS = 12
"""Of Adam, from content or noise; every iterate is kept."""
RATE = 0.06
STYLE_WEIGHT = 8.0
NOISE_STARTS = 0.25
TOGETHER = 8
"""Pictures painted at once."""


class Painted:
    """Half-painted pictures, what they are being made of, and the teacher's gradients.

    Attributes
    ----------
    pictures, contents, styles
        uint8, shape (N, side, side, 3).
    toward_style, toward_content
        Gradients of the two losses with respect to the pictures, of mean square 1, float16, the same shape.
    """

    NAMES = ("pictures", "contents", "styles", "toward_style", "toward_content")

    def __init__(self, parts: Mapping[str, NDArray[Any]]) -> None:
        self.pictures, self.contents, self.styles, self.toward_style, self.toward_content = (
            parts[name] for name in self.NAMES
        )

    @classmethod
    def read(cls, folder: Path) -> Painted:
        """All parts that `paint` has left in `folder`."""
        found: dict[str, list[NDArray[Any]]] = {name: [] for name in cls.NAMES}
        for path in sorted(folder.glob("painted-*.npz")):
            with np.load(path, allow_pickle=False) as file:
                for name in cls.NAMES:
                    found[name].append(file[name])
        return cls({name: np.concatenate(parts) for name, parts in found.items()})

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """`count` of them, as the attributes are ordered."""
        rows = np.sort(rng.choice(len(self.pictures), count, replace=False))
        return tuple(tf.constant(getattr(self, name)[rows]) for name in self.NAMES)


def paint(
    folder: Path, teacher: Any, pictures: Sequence[ByteImage], *, count: int, side: int, seed: int
) -> None:
    """Leave at least `count` half-painted pictures in `folder`, in parts; goes on with those there are."""
    plain = dict.fromkeys(LAYERS_READ)
    painter = tf.function(lambda *parts: gradients(teacher.activations, plain, *parts))
    for number in range(-(-count // (TOGETHER * STEPS))):
        path = folder / f"painted-{number:04d}.npz"
        if path.exists():
            continue
        save_arrays(path, _painted(painter, pictures, side, np.random.default_rng([seed, 4, number])))


def _painted(
    painter: Any, pictures: Sequence[ByteImage], side: int, rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """Every iterate of `TOGETHER` optimisations."""
    contents, styles = (
        np.stack([random_crop(pictures, side, rng) for _ in range(TOGETHER)]) for _ in range(2)
    )
    value = contents / 255.0
    noisy = rng.random(TOGETHER) < NOISE_STARTS
    value[noisy] = rng.uniform(0.2, 0.8, value[noisy].shape)
    first, second = np.zeros_like(value), np.zeros_like(value)
    kept: dict[str, list[NDArray[Any]]] = {name: [] for name in Painted.NAMES}
    for step in range(1, STEPS + 1):
        shown = np.rint(value * 255.0).astype(np.uint8)
        toward = painter(*map(tf.constant, (shown, contents, styles)))
        directions = [unit(part).numpy().astype(np.float16) for part in toward]
        for name, part in zip(Painted.NAMES, (shown, contents, styles, *directions), strict=True):
            kept[name].append(part)
        gradient = STYLE_WEIGHT * toward[0].numpy() + toward[1].numpy()
        first = 0.9 * first + 0.1 * gradient
        second = 0.99 * second + 0.01 * gradient**2
        move = (first / (1.0 - 0.9**step)) / (np.sqrt(second / (1.0 - 0.99**step)) + 1e-9)
        value = np.clip(value - RATE * move, 0.0, 1.0)
    return {name: np.concatenate(parts) for name, parts in kept.items()}


def unit(gradients: Tensor) -> Tensor:
    """Each scaled to a mean square of 1, so that the mean of a product of two is their cosine."""
    square = tf.reduce_mean(tf.square(gradients), axis=(1, 2, 3), keepdims=True)
    return gradients * tf.math.rsqrt(square + 1e-30)


def gradients(
    look: Any, metrics: Mapping[str, Tensor | None], pictures: Tensor, contents: Tensor, styles: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of style and content loss in the pixels of `pictures`, both (N, H, W, 3).

    Parameters
    ----------
    look
        From pictures in [0, 1] and names of layers to their activations.
    metrics
        By layer, S: a difference d of activations has the squared length d S d^T, one of Gram matrices D the
        trace of S D S D. None for plain squares.
    pictures, contents, styles
        uint8, shape (N, H, W, 3).
    """
    value, kept, wanted = (tf.cast(part, tf.float32) / 255.0 for part in (pictures, contents, styles))
    kept, wanted = look(kept, LAYERS_READ), look(wanted, LAYERS_READ)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(value)
        found = look(value, LAYERS_READ)
        style, content = 0.0, 0.0
        for layer in LAYERS_READ:
            metric = metrics[layer]
            style += _relative_gram(gram_matrix(found[layer]), gram_matrix(wanted[layer]), metric)
            content += _relative(found[layer], kept[layer], metric)
    return tape.gradient(style, value), tape.gradient(content, value)


def _relative_gram(gram: Tensor, target: Tensor, metric: Tensor | None) -> Tensor:
    """The sum over pictures of the squared difference, relative to the target's own square."""

    def squared(matrix: Tensor) -> Tensor:
        other = matrix if metric is None else metric @ matrix @ metric
        return tf.reduce_sum(matrix * other, (1, 2))

    return tf.reduce_sum(squared(gram - target) / (tf.stop_gradient(squared(target)) + 1e-9))


def _relative(value: Tensor, target: Tensor, metric: Tensor | None) -> Tensor:
    def squared(difference: Tensor) -> Tensor:
        other = difference if metric is None else tf.einsum("nhwc,cd->nhwd", difference, metric)
        return tf.reduce_sum(difference * other, (1, 2, 3))

    return tf.reduce_sum(squared(value - target) / (tf.stop_gradient(squared(target)) + 1e-9))
