"""Pictures in the middle of an optimisation on the teacher, with the teacher's gradients at them.

What an optimiser shows a network are pictures that no camera makes, and what it takes from it is a direction
in pixels. So the slim network is shown half-painted pictures, and learns the directions of the teacher's
style and content losses there beside its activations. Some of them follow the slim network's own course:
what it takes for good, such as speckle in colours that it hardly sees, is on no picture that the teacher
paints, and only the teacher can say what is wrong with it (as in "DAgger", Ross, Gordon & Bagnell 2011).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from stylize.backbone import Vgg19
from stylize.losses import gram_matrix
from stylize.weights import Weights

from .pictures import ByteImage, random_crop
from .student import save_arrays
from .teachers import READ_LAYERS, SLIM_LAYERS

Tensor = Any

LAYERS_READ = tuple(layer for layer in SLIM_LAYERS if layer in READ_LAYERS)
STEPS = 12
"""Of Adam, from content or noise; every iterate is kept."""
RATE = 0.06
LINGERS = 4
"""A course on the slim network takes so many times as many steps, of half the length, and keeps as many
pictures: what it does wrong builds up over many."""
STYLE_WEIGHT = 8.0
NOISE_STARTS = 0.25
TOGETHER = 8
"""Pictures painted at once."""
OCTAVES = 2
"""In which directions are compared, from the finest on, and what is coarser as a whole."""


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
    def read(cls, folder: Path, kind: str = "*") -> Painted:
        """All parts that `paint` has left in `folder`, or those of a `kind`: "painted" or "followed"."""
        found: dict[str, list[NDArray[Any]]] = {name: [] for name in cls.NAMES}
        for path in sorted(folder.glob(f"{kind}-*.npz")):
            with np.load(path, allow_pickle=False) as file:
                for name in cls.NAMES:
                    found[name].append(file[name])
        return cls({name: np.concatenate(parts) for name, parts in found.items()})

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """`count` of them, as the attributes are ordered."""
        rows = np.sort(rng.choice(len(self.pictures), count, replace=False))
        return tuple(tf.constant(getattr(self, name)[rows]) for name in self.NAMES)


def paint(
    folder: Path,
    teacher: Any,
    pictures: Sequence[ByteImage],
    *,
    count: int,
    side: int,
    seed: int,
    followed: Weights | None = None,
) -> None:
    """Leave at least `count` half-painted pictures in `folder`, in parts; goes on with those there are.

    Parameters
    ----------
    teacher
        As :class:`stylize.backbone.Vgg19`: says the gradients.
    followed
        The network that the pictures are optimised on, where that is not the teacher. The names of the parts
        tell its own apart, so that a folder may hold those of several.
    """
    guides, kind, stream = [_Guide(teacher)], "painted", 4
    if followed is not None:
        guides.append(_Guide(Vgg19(followed)))
        kind, stream = f"followed-{followed.sha256[:8]}", 6
    for number in range(-(-count // (TOGETHER * STEPS))):
        path = folder / f"{kind}-{number:04d}.npz"
        if path.exists():
            continue
        save_arrays(path, _painted(guides, pictures, side, np.random.default_rng([seed, stream, number])))


class _Guide:
    """A network that says which way; what it is aimed at is computed once for a whole course."""

    def __init__(self, network: Any) -> None:
        plain = dict.fromkeys(LAYERS_READ)
        self.aims = tf.function(lambda *parts: _aims(network.activations, *parts))
        self.toward = tf.function(lambda *parts: _toward(network.activations, plain, *parts))


def _painted(
    guides: Sequence[_Guide], pictures: Sequence[ByteImage], side: int, rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """Pictures on the way of `TOGETHER` optimisations on the last of `guides`, with what the first says."""
    contents, styles = (
        np.stack([random_crop(pictures, side, rng) for _ in range(TOGETHER)]) for _ in range(2)
    )
    value = contents / 255.0
    noisy = rng.random(TOGETHER) < NOISE_STARTS
    value[noisy] = rng.uniform(0.2, 0.8, value[noisy].shape)
    first, second = np.zeros_like(value), np.zeros_like(value)
    kept: dict[str, list[NDArray[Any]]] = {name: [] for name in Painted.NAMES}
    aims = [guide.aims(*map(tf.constant, (contents, styles))) for guide in guides]
    lingers, rate = (1, RATE) if len(guides) == 1 else (LINGERS, RATE / 2.0)
    for step in range(1, STEPS * lingers + 1):
        shown = np.rint(value * 255.0).astype(np.uint8)
        toward = guides[-1].toward(tf.constant(shown), *aims[-1])
        if step % lingers == 0:
            said = toward if len(guides) == 1 else guides[0].toward(tf.constant(shown), *aims[0])
            directions = [unit(part).numpy().astype(np.float16) for part in said]
            for name, part in zip(Painted.NAMES, (shown, contents, styles, *directions), strict=True):
                kept[name].append(part)
        gradient = STYLE_WEIGHT * toward[0].numpy() + toward[1].numpy()
        first = 0.9 * first + 0.1 * gradient
        second = 0.99 * second + 0.01 * gradient**2
        move = (first / (1.0 - 0.9**step)) / (np.sqrt(second / (1.0 - 0.99**step)) + 1e-9)
        value = np.clip(value - rate * move, 0.0, 1.0)
    return {name: np.concatenate(parts) for name, parts in kept.items()}


def bands(gradients: Tensor) -> tuple[Tensor, ...]:
    """Parts of gradients in pixels (N, H, W, 3) that add up to them: brightness and colour by octaves.

    Brightness is the mean of the channels, colour the rest; each in octaves of `OCTAVES` and what is coarser.
    A network may agree with another about all that is large and be blind to fine colour.
    """
    parts = []
    for _ in range(OCTAVES):
        coarser = tf.nn.avg_pool2d(gradients, 2, 2, "VALID")
        smooth = tf.repeat(tf.repeat(coarser, 2, axis=1), 2, axis=2)
        parts.append(gradients - smooth)
        gradients = coarser
    parts.append(gradients)
    brightness = [tf.reduce_mean(part, axis=3, keepdims=True) for part in parts]
    colour = [part - grey for part, grey in zip(parts, brightness, strict=True)]
    return (*brightness, *colour)


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
    return _toward(look, metrics, pictures, *_aims(look, contents, styles))


def _aims(look: Any, contents: Tensor, styles: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Activations of the contents, and Gram matrices of the styles, by layer."""
    kept, wanted = (look(tf.cast(part, tf.float32) / 255.0, LAYERS_READ) for part in (contents, styles))
    return kept, {layer: gram_matrix(value) for layer, value in wanted.items()}


def _toward(
    look: Any,
    metrics: Mapping[str, Tensor | None],
    pictures: Tensor,
    kept: Mapping[str, Tensor],
    grams: Mapping[str, Tensor],
) -> tuple[Tensor, Tensor]:
    """What `gradients` says, of aims that are known."""
    value = tf.cast(pictures, tf.float32) / 255.0
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(value)
        found = look(value, LAYERS_READ)
        style, content = 0.0, 0.0
        for layer in LAYERS_READ:
            metric = metrics[layer]
            style += _relative_gram(gram_matrix(found[layer]), grams[layer], metric)
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
