"""Exact losses and gradients of pictures too large for memory, from overlapping windows.

Not independent tiles: Gram matrices and content maps are collected from all windows first, the terms are
evaluated on these, and their gradient is taken back through every window. A window reaches beyond the core
it answers for by more than the network sees, and begins at a multiple of all pooling steps, so what the core
gets equals what it would get in one piece, up to rounding. It costs the windows' overlap, and one more
forward pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from stylize.backbone import Vgg19
from stylize.layers import CONVOLUTIONS_PER_BLOCK, LAYERS, block_of
from stylize.objective import Objective, Term
from stylize.types import Tensor

_FLOAT = 4
_PICTURES = 30
"""Copies of the picture that an optimiser and its steps hold besides the history, as measured."""

_HISTORIES = 3
"""Steps and changes of the gradient, and a copy of one of them while a pair is added."""

_FRAGMENTS = 1.6
"""What memory falls to between the many pieces of windows, as measured."""


def _down_to(layers: Sequence[str]) -> tuple[str, ...]:
    """The network's layers down to the deepest of `layers`."""
    return LAYERS[: max((LAYERS.index(layer) + 1 for layer in layers if layer != "image"), default=0)]


def reach(layers: Sequence[str]) -> int:
    """How many pixels away a picture can change the deepest of `layers`."""
    pixels = 0
    for layer in _down_to(layers):
        step = 2 ** (block_of(layer) - 1)
        pixels += step
        if layer.endswith("conv1"):
            pixels += step // 2  # the pooling before it
    return pixels


def pooled_by(layers: Sequence[str]) -> int:
    """Pixels between the positions of the deepest of `layers`."""
    down = _down_to(layers)
    return 2 ** (block_of(down[-1]) - 1) if down else 1


def memory_of(backbone: Vgg19, layers: Sequence[str], height: int, width: int, history: int = 0) -> int:
    """About how many bytes one evaluation takes at this size, in one piece, with an optimiser's state.

    Every activation down to the deepest layer is kept for the gradient; the widest map is there three times
    more meanwhile. Convolutions in bfloat16 take no less, as measured: their library rearranges more, and the
    terms' layers are there in float32 as well.
    """
    kept = widest = 0.0
    for layer in _down_to(layers):
        values = backbone.width_of(layer) / 4.0 ** (block_of(layer) - 1)
        kept += values * (2.0 if backbone.mixed and layer in layers else 1.0)
        kept += values if layer in layers and backbone.is_tapped(layer) else 0.0
        if layer.endswith(f"conv{CONVOLUTIONS_PER_BLOCK[block_of(layer) - 1]}"):
            kept += values / 4.0  # what is pooled from it
        widest = max(widest, values)
    pictures = 3 * (_PICTURES + _HISTORIES * history)
    return int(_FLOAT * height * width * (kept + 3.0 * widest + pictures))


def largest_window(
    backbone: Vgg19,
    layers: Sequence[str],
    height: int,
    width: int,
    budget: int,
    history: int,
    collected: int = 0,
) -> int | None:
    """The side of the largest windows that fit in `budget` bytes; None if the picture fits in one piece.

    However small the budget, it is not under `smallest_window`. `collected` bytes go to what is compared
    whole, in windows or not.
    """
    if memory_of(backbone, layers, height, width, history) + collected <= budget:
        return None
    state = memory_of(backbone, (), height, width, history)
    a_pixel = memory_of(backbone, layers, 1000, 1000) / 1e6
    side = math.isqrt(max(0, int(((budget - collected) / _FRAGMENTS - state) / a_pixel)))
    return max(side, smallest_window(layers))


def memory_in_windows(
    backbone: Vgg19, layers: Sequence[str], height: int, width: int, side: int, history: int
) -> int:
    """About how many bytes the same takes in windows of `side`."""
    state = memory_of(backbone, (), height, width, history)
    return int(_FRAGMENTS * (state + memory_of(backbone, layers, min(side, height), min(side, width))))


def smallest_window(layers: Sequence[str]) -> int:
    """The side of the smallest windows worth their overlap: a core as large as what lies around it."""
    return 4 * reach(layers)


def cores(length: int, size: int, grain: int) -> list[tuple[int, int]]:
    """Cut 0..length into parts of about `size`, at multiples of `grain`; none is shorter than `grain`."""
    count = max(1, min(math.ceil(length / size), length // grain))
    edges = [round(number * length / count / grain) * grain for number in range(count)]
    return list(zip(edges, [*edges[1:], length], strict=True))


def windows(height: int, width: int, side: int, layers: Sequence[str], grid: int = 1) -> np.ndarray:
    """Windows of at most about `side` and their cores, shape (N, 8): top, bottom, left, right of each.

    Cores begin at multiples of `grid` and of all pooling steps.
    """
    grain = max(grid, pooled_by(layers))
    margin = math.ceil(reach(layers) / grain) * grain
    core = max(2 * grain, side - 2 * margin)
    rows, columns = cores(height, core, grain), cores(width, core, grain)
    table = [
        (
            max(0, top - margin), min(height, bottom + margin),
            max(0, left - margin), min(width, right + margin),
            top, bottom, left, right,
        )
        for top, bottom in rows
        for left, right in columns
    ]  # fmt: skip
    return np.array(table, np.int32)


class TiledNetwork:
    """What an objective's terms see of pictures of one shape, collected window by window.

    Parameters
    ----------
    backbone, objective
        The network and the terms.
    height, width
        Of the pictures.
    side
        Of the windows, about.
    """

    def __init__(self, backbone: Vgg19, objective: Objective, height: int, width: int, side: int) -> None:
        self._backbone = backbone
        self._objective = objective
        self._layers = [layer for layer in objective.layers if layer != "image"]
        self._height, self._width = height, width
        grid = max(term.grid for term in objective.terms)
        self._table = windows(height, width, side, self._layers, grid)
        self._parts = [
            (term, layer) for term in objective.terms for layer, _ in term.layers if layer != "image"
        ]

    @property
    def count(self) -> int:
        """How many windows there are."""
        return len(self._table)

    @property
    def work(self) -> float:
        """The work of an evaluation, of that in one piece: forward, forward again, and twice that back."""
        rows, columns = self._table[:, 1] - self._table[:, 0], self._table[:, 3] - self._table[:, 2]
        return float((rows * columns).sum()) / (self._height * self._width) * 4.0 / 3.0

    def represented(self, image: Tensor, shown: Tensor) -> dict[str, dict[str, Tensor]]:
        """The same as `Objective.represented` of a whole picture's activations, seen as `shown`."""
        found: dict[str, dict[str, Tensor]] = {term.name: {} for term in self._objective.terms}
        for term in self._objective.terms:
            for layer, _ in term.layers:
                if layer == "image":
                    found[term.name][layer] = term.represent(image)
        if self._parts:
            for (term, layer), value in zip(self._parts, self._collect(shown), strict=True):
                found[term.name][layer] = value
        return found

    def _collect(self, image: Tensor) -> Sequence[Tensor]:
        @tf.custom_gradient
        def collect(image: Tensor) -> tuple[list[Tensor], Any]:
            def gradient(*upstream: Tensor) -> Tensor:
                return self._backward(image, upstream)

            return self._forward(image), gradient

        return list(collect(image))

    def _forward(self, image: Tensor) -> list[Tensor]:
        table = tf.constant(self._table)

        def add(number: Tensor, totals: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
            window = table[number]
            seen = self._backbone.activations(cut(image, window[:4]), self._layers)
            added = []
            for (term, layer), total in zip(self._parts, totals, strict=True):
                core, place, share = self._core(term, layer, seen[layer], window)
                if term.pooled:
                    added.append(total + share * term.represent(core))
                else:
                    added.append(put(total, place, term.represent(core)))
            return number + 1, added

        start = [self._zeros(term, layer, image.dtype) for term, layer in self._parts]
        _, totals = tf.while_loop(
            lambda number, _: number < self.count, add, (tf.constant(0), start), parallel_iterations=1
        )
        return list(totals)

    def _backward(self, image: Tensor, upstream: Sequence[Tensor]) -> Tensor:
        table = tf.constant(self._table)

        def add(number: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
            window = table[number]
            part = cut(image, window[:4])
            with tf.GradientTape() as tape:
                tape.watch(part)
                seen = self._backbone.activations(part, self._layers)
                value = tf.zeros((), image.dtype)
                for (term, layer), wanted in zip(self._parts, upstream, strict=True):
                    core, place, share = self._core(term, layer, seen[layer], window)
                    if term.pooled:
                        value += tf.reduce_sum(wanted * share * term.represent(core))
                    else:
                        value += tf.reduce_sum(cut(wanted, place) * term.represent(core))
            found = tape.gradient(value, part)
            return number + 1, put(total, window[:4], cut(total, window[:4]) + found)

        _, total = tf.while_loop(
            lambda number, _: number < self.count,
            add,
            (tf.constant(0), tf.zeros_like(image)),
            parallel_iterations=1,
        )
        return total

    def _core(self, term: Term, layer: str, value: Tensor, window: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return core_of(term, layer, value, window, self._height, self._width)

    def _zeros(self, term: Term, layer: str, dtype: Any) -> Tensor:
        width, step = self._backbone.width_of(layer), term.spacing(layer)
        if term.pooled:
            return tf.zeros_like(term.represent(tf.zeros((1, 1, 1, width), dtype)))
        rows, columns = _pooled(self._height, step), _pooled(self._width, step)
        return tf.zeros((1, rows, columns, width), dtype)


def core_of(
    term: Term, layer: str, value: Tensor, window: Tensor, height: Any, width: Any
) -> tuple[Tensor, Tensor, Tensor]:
    """The core of what a term sees of a window, its place in the whole map, its share of that.

    Parameters
    ----------
    value
        The layer's activations in the window, shape (1, h, w, C).
    window
        Top, bottom, left, right of the window, and of its core, in pixels.
    height, width
        Of the whole picture.
    """
    value, step = term.gridded(layer, value), term.spacing(layer)
    place = tf.stack(
        [
            window[4] // step,
            tf.where(window[5] == height, _pooled(height, step), window[5] // step),
            window[6] // step,
            tf.where(window[7] == width, _pooled(width, step), window[7] // step),
        ]
    )
    offset = tf.stack([window[0], window[0], window[2], window[2]]) // step
    positions = tf.cast((place[1] - place[0]) * (place[3] - place[2]), value.dtype)
    total = tf.cast(_pooled(height, step) * _pooled(width, step), value.dtype)
    return cut(value, place - offset), place, positions / total


def _pooled(length: Any, step: int) -> Any:
    """What is left of a side after pooling by `step`: an odd last row or column is pooled by itself."""
    return -(-length // step)


def cut(value: Tensor, place: Tensor) -> Tensor:
    """Rows and columns of `value` from top to bottom and from left to right."""
    return value[:, place[0] : place[1], place[2] : place[3], :]


def put(value: Tensor, place: Tensor, part: Tensor) -> Tensor:
    """`value` with `part` in the place of those rows and columns."""
    begin = tf.stack([0, place[0], place[2], 0])
    end = tf.stack([1, place[1], place[3], part.shape[3]])
    return tf.raw_ops.TensorStridedSliceUpdate(
        input=value, begin=begin, end=end, strides=tf.ones(4, tf.int32), value=part
    )
