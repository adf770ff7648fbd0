"""What the slim network's activations are multiplied by where they are read: they then measure as VGG-19's.

A linear map M predicts the teacher's activations b from those of the slim network, a: b = M a. Lengths of
differences and Gram matrices, which are all that the losses see, then follow from a alone: |M d| = |R d| and
M G M^T has the norm of R G R^T for every R with R^T R = M^T M. R is as small as the slim layer is wide; of
all that there are the symmetric one is taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .measure import Moments, rows_of
from .teachers import Lesson, lesson_targets

SAMPLES = 1024
"""Places of a layer that are taken from a batch, spread evenly."""


def fit_taps(
    slim: Any, teacher: Any, lessons: Iterable[Lesson], batches: Iterable[Any]
) -> dict[str, NDArray[np.float32]]:
    """The tap of each layer, shape (k, k), to multiply activations (..., k) by from the right.

    Parameters
    ----------
    slim, teacher
        As :class:`stylize.backbone.Vgg19`; of `slim` the activations without taps.
    batches
        Pictures in [0, 1], shape (N, H, W, 3).
    """
    lessons = tuple(lessons)
    moments = {lesson.layer: Moments() for lesson in lessons}
    for images in batches:
        found = lesson_targets(slim, lessons, images)
        wanted = lesson_targets(teacher, lessons, images)
        for layer, one in moments.items():
            features, targets = rows_of(found[layer]), rows_of(wanted[layer])
            stride = max(1, len(features) // SAMPLES)
            one.add(features[::stride], targets[::stride])
    return {layer: tap_of(one.homogeneous_map()) for layer, one in moments.items()}


def tap_of(linear: NDArray[np.float64]) -> NDArray[np.float32]:
    """The symmetric root R of M M^T for a map M (k, C), with the length of a mean over its k channels.

    Losses are often means over channels; so R is less by the root of k / C, and its k channels have the mean
    square of the C that they stand for.
    """
    width, wanted = linear.shape
    values, vectors = np.linalg.eigh(linear @ linear.T * (width / wanted))
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return np.asarray(root, np.float32)
