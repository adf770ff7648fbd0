"""Where on a picture the grid lies whose positions are matched; it is laid elsewhere at every renewal.

Pooling and matching see a picture at positions some pixels apart. Optimised under one lay of them, a picture
fits that one: moved by two pixels, its style loss is a fifth higher, and what fits so well is mesh and specks
of colour (docs/decisions.md). So picture, content and paintings are moved under the grid from time to time,
all alike: what is matched stays so. This is the jitter of Mordvintsev, Olah & Tyka (2015), in steps that
are spread evenly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from stylize.types import Tensor

Phase = tuple[int, int]
"""How many pixels a picture is moved up and to the left under the grid."""

PHASE = "phase"
"""Where targets hold the phase that they were made in."""

STANDARD: Phase = (0, 0)

PHASES: tuple[Phase, ...] = (STANDARD, (2, 1), (0, 2), (2, 3), (1, 1), (3, 0), (1, 3), (3, 2))
"""In turns; a position of the matched grid is four pixels wide, and any two that follow are well apart."""

_MOST = max(max(phase) for phase in PHASES)


def phase_of(turn: int) -> Phase:
    """The phase that is next after so many."""
    return PHASES[turn % len(PHASES)]


def laid(images: Tensor, phase: Phase | Tensor) -> Tensor:
    """Images (N, H, W, C) as the grid lies on them: moved by `phase`, mirrored where they end."""
    if isinstance(phase, tuple) and phase == STANDARD:
        return images
    wider = tf.pad(images, [[0, 0], [0, _MOST], [0, _MOST], [0, 0]], "SYMMETRIC")
    moved = tf.slice(wider, tf.concat([[0], phase, [0]], axis=0), tf.shape(images))
    return tf.ensure_shape(moved, images.shape)


def laid_for(targets: Mapping[str, Any], images: Tensor) -> Tensor:
    """Images as the grid lay on those that targets were made for."""
    return laid(images, targets[PHASE]) if PHASE in targets else images
