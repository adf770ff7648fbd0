"""Names of VGG-19's convolutional layers: Keras' names are ours, the papers' names are understood.

Pure Python: the command line checks layer names without loading TensorFlow.
"""

from __future__ import annotations

import difflib
import re

from stylize.errors import ConfigError

CONVOLUTIONS_PER_BLOCK = (2, 2, 4, 4, 4)
"""How many 3x3 convolutions each of VGG-19's five blocks has (Simonyan & Zisserman 2015, configuration E)."""

LAYERS: tuple[str, ...] = tuple(
    f"block{block}_conv{index}"
    for block, count in enumerate(CONVOLUTIONS_PER_BLOCK, start=1)
    for index in range(1, count + 1)
)
"""The sixteen convolutional layers in order, each meaning its output after ReLU."""

_PAPER_NAME = re.compile(r"^(?:relu|conv)_?([1-5])_([1-4])$")


def layer_name(name: str) -> str:
    """The Keras name of a layer given by any of its names.

    Parameters
    ----------
    name
        ``block4_conv2``, or one of the papers' names for it: ``relu4_2``, ``conv4_2``.

    Returns
    -------
    str
        The Keras name.

    Raises
    ------
    ConfigError
        If VGG-19 has no such layer; the message names the nearest one.
    """
    text = name.strip().lower()
    paper = _PAPER_NAME.match(text)
    if paper:
        text = f"block{paper[1]}_conv{paper[2]}"
    if text in LAYERS:
        return text
    same_block = [layer for layer in LAYERS if layer.startswith(text[: len("block1")])]
    near = difflib.get_close_matches(text, same_block or LAYERS, n=1)
    hint = f"did you mean {near[0]}?" if near else "layers are named block1_conv1 to block5_conv4"
    raise ConfigError(f"unknown layer {name!r}: {hint}")


def block_of(layer: str) -> int:
    """The block (1 to 5) a Keras layer name belongs to."""
    return int(layer[len("block")])


def minimum_side(layers: tuple[str, ...]) -> int:
    """The shortest side in pixels that leaves a map of at least 2x2 at the deepest of `layers`.

    A 2x2 pooling stands before each block but the first, so block b sees a side of side / 2^(b-1).
    """
    deepest = max((block_of(layer) for layer in layers), default=1)
    return int(2**deepest)
