"""The part `cost` of temporal.py: what optical flow costs beside the optimisation."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from pipeline.clip.motion import FlowTracker, MotionModel
from scripts.bench.temporal_shared import Asked, kept
from scripts.media import clip_frames
from stylize.layers import LAYERS, block_of
from stylize.types import FloatImage
from stylize.weights import WIDTHS, Weights

COST_BAR = 0.05


@dataclass
class _Timer:
    seconds: float = 0.0

    def __call__(self, work: Callable[[], object]) -> None:
        began = time.perf_counter()
        work()
        self.seconds += time.perf_counter() - began


def cost(asked: Asked) -> bool:
    """Flow, masks and warping of a frame at 512 px against its iterations on the full network's shape."""
    settings = asked.settings
    contents = clip_frames(asked.media.video("flower"), "0:6", 512)
    stylizer = replace(asked, weights=_full_shape()).stylizer("vangogh-starry-night", 512)
    tracker = FlowTracker(settings.long_term, settings.flow_quality)
    model = MotionModel(max(settings.long_term))

    def guide(content: FloatImage) -> object:
        return model.guide(content, tracker.look(content))

    model.remember(contents[0], kept(contents[0]))
    guide(contents[0])
    flow, frame = _Timer(), _Timer()
    for content in contents[1:]:
        flow(partial(guide, content))
        model.remember(content, kept(content))
    start, anchor = model.guide(contents[-1], tracker.look(contents[-1]))
    optimise = partial(stylizer.stylize, contents[-1], initial=start, anchor=anchor)
    optimise(iterations=2)
    frame(partial(optimise, iterations=settings.frame_iterations))
    each = flow.seconds / (len(contents) - 1)
    print(
        f"\nAt 512 px: flow, masks and warping {each * 1e3:.0f} ms, a frame's "
        f"{settings.frame_iterations} iterations on the full network {frame.seconds:.1f} s: "
        f"{each / frame.seconds:.2%}"
    )
    return each <= COST_BAR * frame.seconds


def _full_shape() -> Weights:
    """Weights of the full network's shape; their values do not matter for the time."""
    rng = np.random.default_rng(0)
    layers, inputs = {}, 3
    for layer in LAYERS[:14]:
        width = WIDTHS["vgg19"][block_of(layer) - 1]
        kernel = rng.normal(0.0, np.sqrt(2.0 / (9 * inputs)), (3, 3, inputs, width)).astype(np.float32)
        layers[layer] = (kernel, np.zeros(width, np.float32))
        inputs = width
    return Weights("custom", "random", "", layers)
