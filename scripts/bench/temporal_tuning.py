"""The part `tuning` of temporal.py: how firmly frames are held, and when they end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import numpy as np

from scripts import tables
from scripts.bench.temporal_clips import made_alone, sum_of
from scripts.bench.temporal_long import measures
from scripts.bench.temporal_shared import Asked, meter_of, spread, stylize_clip, write_strips
from scripts.media import clip_frames
from stylize.types import FloatImage


def tuning(asked: Asked) -> bool:
    """Every clip that is asked for, with each temporal weight and tolerance; from the same first frame."""
    print()
    tables.head(
        "clip",
        "painting",
        "temporal weight",
        "frame tolerance",
        "warping error e-4",
        "of the clip's own",
        "content + style, of frames alone",
        "evaluations a frame",
        "fine contrast, of frames alone",
        texts=2,
    )
    for clip in asked.clips:
        contents = clip_frames(asked.media.video(clip.name), clip.part, asked.size)[: asked.frames]
        own = meter_of(contents, contents)[1]
        numbers = spread(contents, asked.alone or 1)
        for painting in clip.paintings:
            first, alone, strips = None, {}, {}
            for weight, tolerance in product(asked.weights_of_time, asked.tolerances):
                settings = replace(asked.settings, temporal_weight=weight, frame_tolerance=tolerance)
                stylizer = replace(asked, settings=settings).stylizer(painting)
                if first is None:
                    first, alone = stylizer.stylize(contents[0]), made_alone(stylizer, contents, numbers)
                made = stylize_clip(replace(asked, settings=settings), stylizer, contents, "flow", first)
                chosen = {number: made.pictures[number] for number in numbers}
                error = meter_of(contents, made.pictures)[0]
                tables.row(
                    clip.name, painting, f"{weight:g}", f"{tolerance:g}", f"{error * 1e4:.2f}",
                    f"{error / own:.2f}",
                    f"{sum_of(stylizer, contents, chosen) / sum_of(stylizer, contents, alone):.3f}",
                    f"{made.evaluations:.1f}",
                    f"{fine_contrast(chosen) / fine_contrast(alone):.3f}",
                )  # fmt: skip
                strips[f"{weight:g} {tolerance:g}"] = made.pictures
            write_strips(asked, f"tuning {clip.name}-{painting}", contents, strips)
    return True


def fine_contrast(pictures: Mapping[int, FloatImage]) -> float:
    """The mean over some frames, as the part `long` measures it."""
    return float(np.mean([measures(picture)[2] for picture in pictures.values()]))
