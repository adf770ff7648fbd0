"""What an evaluation costs within a minimisation's steps; for card.py and style_statistics.py beside this."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylize.minimizers import Minimizer
    from stylize.stylizer import Stylizer
    from stylize.types import FloatImage

_WARM_UP = 3


def begun(stylizer: Stylizer, content: FloatImage, targets: Any) -> Minimizer:
    """A minimisation from the content that is a few steps on: everything is compiled."""
    import tensorflow as tf

    minimizer = stylizer.evaluator.minimizer(*content.shape[:2])
    minimizer.start(tf.constant(content[None]), targets)
    for _ in range(_WARM_UP):
        minimizer.step(targets)
    return minimizer


def seconds_an_evaluation(minimizer: Minimizer, targets: Any, steps: int) -> float:
    """Over some steps, each waited for, as a stylization takes them."""
    began, before = time.perf_counter(), int(minimizer.evaluations)
    for _ in range(steps):
        minimizer.step(targets)[0].numpy()
    return (time.perf_counter() - began) / (int(minimizer.evaluations) - before)
