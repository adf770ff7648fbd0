"""Where an optimisation starts: the content, noise, the style, or a mixture."""

from __future__ import annotations

import numpy as np

from stylize.backbone import IMAGENET_MEAN
from stylize.config import StylizeConfig, parse_start
from stylize.errors import ConfigError
from stylize.pyramid import rescale
from stylize.types import FloatImage


def start_picture(config: StylizeConfig, content: FloatImage, style: FloatImage) -> FloatImage:
    """The configured start for a content; the same for the same seed and shape.

    Noise is the same wherever pictures of one longer side, upright or not, both have a pixel.

    Parameters
    ----------
    content
        Shape (H, W, 3), in [0, 1].
    style
        The (first) style picture, of any shape.

    Returns
    -------
    FloatImage
        Of the content's shape.

    Raises
    ------
    ConfigError
        If the start is a picture file or a model's: files are read by whoever calls.
    """
    start = parse_start(config.init)
    if start.kind == "content":
        return content
    if start.kind == "style":
        return covering(style, *content.shape[:2])
    if start.is_ready:
        raise ConfigError(f"init: {config.init!r}: read or make that picture and pass it as `initial`")
    height, width, _ = content.shape
    unit = np.random.default_rng(config.seed).uniform(-1.0, 1.0, (height, max(height, width), 3))[:, :width]
    noise = np.asarray(IMAGENET_MEAN) / 255.0 + config.noise_amplitude * unit
    if start.kind == "noise":
        mixed = noise
    elif start.kind == "mix":
        mixed = start.amount * noise + (1.0 - start.amount) * content
    else:
        mixed = content + start.amount * unit
    return np.clip(mixed, 0.0, 1.0).astype(np.float32)


def covering(picture: FloatImage, height: int, width: int) -> FloatImage:
    """`picture` scaled to cover height x width, cut to it in the middle."""
    factor = max(height / picture.shape[0], width / picture.shape[1])
    tall, wide = (max(height, round(picture.shape[0] * factor)), max(width, round(picture.shape[1] * factor)))
    top, left = (tall - height) // 2, (wide - width) // 2
    return rescale(picture, tall, wide)[top : top + height, left : left + width]
