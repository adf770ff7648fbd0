"""How a clip is finished: iterations of frames after the first against the loss, the flicker and the price.

    python scripts/bench/finish_clip.py MEDIA [--clips CLIP/PAINTING,...] [--size 256] [--finish 768]
        [--frames 12] [--iterations 6 4 3 2] [--sheet FOLDER] [--backbone vgg19|vgg19-slim]

The frames of a clip are optimised at `--size` once, by default settings, and finished with each number of
iterations from the same first finished frame. Content and style are measured at the finished size, with the
painting at that size: of the last frame, over the first's; even is 1. "enlarged" is what finishing starts
from. The warping error is that of the frames as saved.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from pipeline.clip.finishing import FinishingModel
from pipeline.machine import load_tensorflow
from pipeline.settings.job_settings import VideoSettings
from pipeline.styling.precision import is_mixed
from scripts import tables
from scripts.bench.temporal_long import measures
from scripts.bench.temporal_shared import (
    CONFIG,
    Asked,
    clips_named,
    in_turn,
    kept,
    loss_of,
    meter_of,
    saved,
    stylize_clip,
    write_strips,
)
from scripts.media import Media, clip_frames
from stylize.result import Result
from stylize.stylizer import Stylizer
from stylize.types import FloatImage
from stylize.weights import WIDTHS, load_weights
from video.enlarge import enlarge


def finish(
    settings: VideoSettings, stylizer: Stylizer, contents: Sequence[FloatImage], small: Sequence[FloatImage],
    first: Result | None,
) -> list[Result]:  # fmt: skip
    """The frames of one shot, finished one from the other, `first` as it is."""
    model = FinishingModel(settings, CONFIG, lambda index: kept(small[index]))
    return list(in_turn(model, settings, stylizer, contents, first))


def rows(asked: Asked, finished: int, counts: Sequence[int]) -> None:
    """Every clip that is asked for."""
    tables.head(
        "clip", "painting", "iterations", "warping error e-4", "of the clip's own",
        "content + style, first", "last over first", "fine contrast, last over first",
        "evaluations a frame", "seconds a frame", texts=2,
    )  # fmt: skip
    for clip in asked.clips:
        path = asked.media.video(clip.name)
        little = clip_frames(path, clip.part, asked.size)[: asked.frames]
        contents = clip_frames(path, clip.part, finished)[: asked.frames]
        own = meter_of(contents, contents)[1]
        for painting in clip.paintings:
            stylizer = asked.stylizer(painting)
            small = stylize_clip(asked, stylizer, little, "flow", stylizer.stylize(little[0])).pictures
            large = asked.stylizer(painting, finished)
            plain = [saved(enlarge(*both)) for both in zip(small, contents, strict=True)]
            first, ways = finish(asked.settings, large, contents[:1], small[:1], None)[0], {"enlarged": plain}
            _row(large, contents, plain, (clip.name, painting, "enlarged"), own, "", "")
            for count in counts:
                settings = replace(asked.settings, finish_iterations=count)
                began = time.perf_counter()
                made = finish(settings, large, contents, small, first)
                took = (time.perf_counter() - began) / (len(made) - 1)
                evaluations = np.mean([one.evaluations for one in made[1:]])
                pictures = [one.picture for one in made]
                names = clip.name, painting, str(count)
                _row(large, contents, pictures, names, own, f"{evaluations:.1f}", f"{took:.1f}")
                ways[str(count)] = pictures
            write_strips(asked, f"finish {clip.name}-{painting}", contents, ways)


def _row(
    stylizer: Stylizer, contents: Sequence[FloatImage], pictures: Sequence[FloatImage],
    names: tuple[str, str, str], own: float, evaluations: str, seconds: str,
) -> None:  # fmt: skip
    error = meter_of(contents, pictures)[0]
    ends = [loss_of(stylizer, pictures[end], contents[end]) for end in (0, -1)]
    fine = [measures(pictures[end])[2] for end in (0, -1)]
    tables.row(
        *names, f"{error * 1e4:.2f}", f"{error / own:.2f}", f"{ends[0]:.3f}", f"{ends[1] / ends[0]:.3f}",
        f"{fine[1] / fine[0]:.3f}", evaluations, seconds,
    )  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("media")
    parser.add_argument("--clips", type=clips_named, default="flower/vangogh-starry-night")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--finish", type=int, default=768)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--iterations", type=int, nargs="+", default=[6, 4, 3, 2])
    parser.add_argument("--sheet", type=Path, help="folder for contact sheets")
    parser.add_argument("--backbone", default="vgg19", choices=tuple(WIDTHS))
    asked = parser.parse_args()
    load_tensorflow()
    weights = load_weights(asked.backbone)
    mixed = is_mixed("auto", weights)
    media, settings = Media.named(asked.media), VideoSettings(size=asked.size, finish=asked.finish)
    rows(
        Asked(media, asked.size, asked.sheet, settings, weights, mixed, asked.clips, asked.frames),
        asked.finish,
        asked.iterations,
    )


if __name__ == "__main__":
    main()
