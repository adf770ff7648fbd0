"""What the parts of temporal.py share: what is asked for, a clip stylized in a mode, meters, runs, sheets."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.clip.links import linked
from pipeline.clip.temporal import TemporalModel
from pipeline.settings.job_settings import VideoSettings
from pipeline.styling.pictures import read_style
from scripts.media import Media
from stylize.config import StylizeConfig
from stylize.phase import PHASES
from stylize.result import Result
from stylize.types import FloatImage
from stylize.weights import Weights
from video.images import from_uint8, to_uint8, write_image
from video.metrics import ConsistencyMeter

if TYPE_CHECKING:
    from stylize.stylizer import Stylizer

CONFIG = StylizeConfig()
MODES = ("off", "previous", "flow")
OFF_BAR = 0.08
"""How much of the error of `off` may be left in `flow`."""


@dataclass(frozen=True)
class Clip:
    """Frames of a clip of the test media, and the paintings it is stylized in."""

    name: str
    part: str
    paintings: tuple[str, ...]


CLIPS = (
    Clip("flower", "0:48", ("vangogh-starry-night", "hokusai-great-wave")),
    Clip("friday-speech", "0:48", ("vangogh-starry-night", "munch-scream")),
    Clip("bunny-two-cuts", "0:55", ("vangogh-starry-night", "monet-water-lilies")),
)


def clips_named(text: str) -> tuple[Clip, ...]:
    """Those of CLIPS that are named, separated by commas: a clip, or a clip in one painting."""
    names = set(text.split(","))
    known = [f"{clip.name}{end}" for clip in CLIPS for end in ("", *(f"/{one}" for one in clip.paintings))]
    if unknown := names.difference(known):
        raise argparse.ArgumentTypeError(
            f"{', '.join(map(repr, sorted(unknown)))}: not among {', '.join(known)}"
        )
    found = []
    for clip in CLIPS:
        wanted = [one for one in clip.paintings if names & {clip.name, f"{clip.name}/{one}"}]
        if wanted:
            found.append(replace(clip, paintings=tuple(wanted)))
    return tuple(found)


@dataclass(frozen=True)
class Asked:
    """What the command line asks for.

    Attributes
    ----------
    media
        The folder of test media.
    size
        Of the longer side of pictures and frames, in pixels.
    sheet
        The folder for contact sheets, if there shall be any.
    settings
        Of the clips.
    weights, mixed
        The network, and whether its convolutions run in bfloat16.
    clips, frames, modes, alone
        For the parts `clips` and `tuning`: which, how many frames of each at most (None for all), in which
        modes, and how many frames are also made alone.
    weights_of_time, tolerances
        For the part `tuning`: the temporal weights and frame tolerances to try.
    """

    media: Media
    size: int
    sheet: Path | None
    settings: VideoSettings
    weights: Weights
    mixed: bool
    clips: tuple[Clip, ...]
    frames: int | None
    modes: tuple[str, ...] = MODES
    alone: int = 0
    weights_of_time: tuple[float, ...] = (VideoSettings.temporal_weight,)
    tolerances: tuple[float, ...] = (VideoSettings.frame_tolerance,)

    def stylizer(self, painting: str, size: int | None = None) -> Stylizer:
        """For clips in a painting, which is read as the command reads it, for contents of `size` pixels."""
        from stylize.stylizer import Stylizer

        settings = self.settings
        style = read_style(
            self.media.painting(painting),
            size or self.size,
            settings.style_scale,
            CONFIG.minimum_side,
            settings.style_crop,
        )
        return Stylizer(
            CONFIG, [style], self.weights, temporal_weight=settings.anchor_weight, mixed=self.mixed
        )


@dataclass(frozen=True)
class Stylized:
    """The frames of one shot as saved, and how each came about."""

    pictures: list[FloatImage]
    results: list[Result]

    @property
    def loss(self) -> float:
        """Mean content and style loss of all frames but the first, weighted as in the objective."""
        return float(np.mean([content_and_style(one.losses) for one in self.results[1:]]))

    @property
    def evaluations(self) -> float:
        """Mean evaluations of all frames but the first."""
        return float(np.mean([one.evaluations for one in self.results[1:]]))


def content_and_style(losses: Mapping[str, float]) -> float:
    """What is compared between ways to treat time, whose other terms differ."""
    return losses["content"] + losses["style"]


def loss_of(stylizer: Stylizer, picture: FloatImage, content: FloatImage) -> float:
    """Content and style of a picture with targets of its own; the mean of all phases, so that motion counts
    for nothing."""
    return float(
        np.mean(
            [
                content_and_style(stylizer.losses(picture, content, renewal=renewal))
                for renewal in range(len(PHASES))
            ]
        )
    )


def stylize_modes(
    asked: Asked, stylizer: Stylizer, frames: Sequence[FloatImage], modes: Sequence[str] = MODES
) -> dict[str, Stylized]:
    """All frames of one shot in some modes, from the same first frame."""
    first = stylizer.stylize(frames[0])
    return {mode: stylize_clip(asked, stylizer, frames, mode, first) for mode in modes}


def stylize_clip(
    asked: Asked, stylizer: Stylizer, frames: Sequence[FloatImage], mode: str, first: Result
) -> Stylized:
    """All frames of one shot; the first one is given."""
    settings = replace(asked.settings, temporal=mode)
    made = list(in_turn(TemporalModel(settings, stylizer.config), settings, stylizer, frames, first))
    return Stylized([one.picture for one in made], made)


def in_turn(
    model: TemporalModel,
    settings: VideoSettings,
    stylizer: Stylizer,
    contents: Sequence[FloatImage],
    first: Result | None = None,
) -> Iterator[Result]:
    """The frames of one shot, each made when it is asked for, as the frame loop makes and saves them.

    Parameters
    ----------
    model, settings
        How each follows from those before it.
    stylizer
        Of all of them.
    contents
        Their originals.
    first
        How the first one came about; None to make it.
    """
    for frame in linked(((number, one, number == 0) for number, one in enumerate(contents)), settings):
        model.enter(frame)
        start = model.start(frame)
        result = first if frame.begins else None
        if result is None:
            result = stylizer.stylize(frame.content, **vars(start))
        made = replace(result, picture=saved(result.picture))
        yield made
        model.remember(frame, kept(made.picture))


def kept(picture: FloatImage) -> Callable[[], FloatImage]:
    """What reads a frame that is in memory."""
    return lambda: picture


def saved(picture: FloatImage) -> FloatImage:
    """`picture` as it comes back from the file it is saved in."""
    return from_uint8(to_uint8(picture))


def meter_of(contents: Sequence[FloatImage], pictures: Sequence[FloatImage]) -> tuple[float, float, float]:
    """Mean warping error of the pictures, of the contents, and mean motion in pixels."""
    meter = ConsistencyMeter()
    found = [meter.feed(content, picture) for content, picture in zip(contents, pictures, strict=True)]
    rows = [row for row in found if row is not None]
    means = [np.mean([getattr(row, name) for row in rows]) for name in ("error", "floor", "motion")]
    return float(means[0]), float(means[1]), float(means[2])


@contextmanager
def run_command(asked: Asked, name: str, part: str, *more: str) -> Iterator[Path]:
    """`deepfusion video` on frames of a clip; gives the run folder, which is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out.mp4"
        command = [
            sys.executable, "-m", "pipeline.cli", "video", str(asked.media.video(name)),
            "--style", str(asked.media.painting("vangogh-starry-night")), "-o", str(output),
            "--frames", part, "--size", str(asked.size), "--keep-run", "-q",
            "--backbone", asked.weights.name, "--temporal-weight", str(asked.settings.temporal_weight), *more,
        ]  # fmt: skip
        root = Path(__file__).resolve().parents[2]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(root)})
        yield output.with_name(output.name + ".run")


def write_sheet(asked: Asked, name: str, rows: Sequence[Sequence[FloatImage]]) -> None:
    """Rows of pictures as one file in the folder for sheets; nothing where none was asked for."""
    if asked.sheet is None:
        return
    asked.sheet.mkdir(parents=True, exist_ok=True)
    whole = np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)
    file = f"{name.replace('/', ' of ')}.png"  # a row's name may have a slash
    write_image(asked.sheet / file, whole, overwrite=True)


def spread(frames: Sequence[FloatImage], count: int) -> list[int]:
    """Numbers of so many frames, evenly from the second to the last."""
    return [int(number) for number in np.linspace(1, len(frames) - 1, count)]


def write_strips(
    asked: Asked, name: str, contents: Sequence[FloatImage], made: Mapping[str, Sequence[FloatImage]]
) -> None:
    """Rows of frames of the content and each mode, with its change from the frame before, times 4, below."""
    numbers = spread(contents, 5)
    rows = [[contents[number] for number in numbers]]
    for pictures in made.values():
        rows.append([pictures[number] for number in numbers])
        rows.append([np.clip(4 * np.abs(pictures[one] - pictures[one - 1]), 0, 1) for one in numbers])
    write_sheet(asked, name, rows)
