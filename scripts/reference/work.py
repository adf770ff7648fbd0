"""How much an evaluation computes."""

from __future__ import annotations

from stylize.config import StylizeConfig
from stylize.layers import LAYERS, block_of
from stylize.weights import Weights


def multiply_adds(weights: Weights, config: StylizeConfig, size: int) -> int:
    """Of one loss and gradient of a square picture.

    Those of the convolutions and of the Gram products, forward and for the gradient with respect to the
    activations, and nothing else: the same count for all. A Gram product's gradient counts as one product.
    """
    deepest = max(config.layers, key=LAYERS.index)
    total = 0
    for layer in LAYERS[: LAYERS.index(deepest) + 1]:
        _, _, inputs, outputs = weights.layers[layer][0].shape
        positions = (size >> (block_of(layer) - 1)) ** 2
        total += 2 * positions * 9 * inputs * outputs
        if layer in config.style_layers:
            total += 2 * positions * outputs**2
    return total
