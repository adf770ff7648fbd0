"""neural-style's objective, in TensorFlow: what others minimise it with, and what all are scored by.

5 times the mean squared error of relu4_2, 100 times that of the Gram matrices over C H W of relu1_1 to
relu5_1, and 1e-3 of the sum of absolute differences of neighbours, all in units of 0 to 255.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stylize.types import FloatImage
from stylize.weights import Weights
from video.images import ByteImage, from_uint8

CONTENT_LAYER = "block4_conv2"
STYLE_LAYERS = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1")
CONTENT_WEIGHT, STYLE_WEIGHT, TV_WEIGHT = 5.0, 100.0, 1e-3


def loss_function(weights: Weights, content: FloatImage, style: FloatImage) -> Callable[[Any], Any]:
    """The loss of images, shape (1, H, W, 3), RGB in [0, 1]."""
    import tensorflow as tf

    from stylize.backbone import Vgg19
    from stylize.losses import gram_matrix

    network = Vgg19(weights)

    def seen(images: Any) -> tuple[Any, list[Any]]:
        found = network.activations(images, (*STYLE_LAYERS, CONTENT_LAYER))
        grams = [gram_matrix(found[layer]) / network.width_of(layer) for layer in STYLE_LAYERS]
        return found[CONTENT_LAYER], grams

    content_aim, style_aims = seen(content[None])[0], seen(style[None])[1]

    def loss(images: Any) -> Any:
        content_found, style_found = seen(images)
        apart = [tf.square(gram - aim) for gram, aim in zip(style_found, style_aims, strict=True)]
        right, down = images[:, :, 1:] - images[:, :, :-1], images[:, 1:] - images[:, :-1]
        smooth = 255.0 * (tf.reduce_sum(tf.abs(right)) + tf.reduce_sum(tf.abs(down)))
        errors = tf.add_n([tf.reduce_mean(each) for each in apart])
        content_error = tf.reduce_mean(tf.square(content_found - content_aim))
        return CONTENT_WEIGHT * content_error + STYLE_WEIGHT * errors + TV_WEIGHT * smooth

    return loss


class Scorer:
    """The objective of pictures of eight bits, without anything of how they were made."""

    def __init__(self, weights: Weights, content: FloatImage, style: FloatImage) -> None:
        self._loss = loss_function(weights, content, style)

    def score(self, picture: ByteImage) -> float:
        """In thousands."""
        return float(self._loss(from_uint8(picture)[None])) / 1e3
