"""The part `camera` of temporal.py: what a frame costs of which little changes, and what is lost by it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.clip.temporal import TemporalModel
from pipeline.settings.job_settings import VideoSettings
from pipeline.styling.pictures import read_picture
from scripts import tables
from scripts.bench.temporal_shared import CONFIG, Asked, in_turn, loss_of, meter_of, spread, write_sheet
from stylize.types import FloatImage

if TYPE_CHECKING:
    from stylize.result import Result
    from stylize.stylizer import Stylizer

FRAMES, STEP = 8, 5
AREA = 0.05
LOOKED_AT = 3
TIME_BAR, LOSS_BAR = 0.25, 1.01
WAYS = ("all", "changed")


def camera(asked: Asked) -> bool:
    """A still photo across which a piece of another moves, with everything made anew and with `changed`."""
    contents = _contents(asked)
    stylizer = asked.stylizer("vangogh-starry-night")
    first = stylizer.stylize(contents[0])
    made = {way: _Made(replace(asked.settings, repaint=way), first, stylizer, contents) for way in WAYS}
    for _ in contents[1:]:  # in turns: another job on the machine is to slow both
        for one in made.values():
            one.take()
    losses = {way: one.loss(stylizer, contents) for way, one in made.items()}
    print()
    tables.head(
        "camera that stands", "seconds a frame", "of all", "evaluations a frame", "content + style, of all",
        "warping error e-4", "pixels of the last frame that are the first's",
    )  # fmt: skip
    for way, one in made.items():
        same = np.all(one.pictures[-1] == one.pictures[0], axis=-1).mean()
        tables.row(
            f"--repaint {way}", f"{one.seconds:.1f}", f"{one.seconds / made['all'].seconds:.3f}",
            f"{one.evaluations:.1f}", f"{losses[way] / losses['all']:.4f}",
            f"{meter_of(contents, one.pictures)[0] * 1e4:.2f}", f"{same:.1%}",
        )  # fmt: skip
    write_sheet(asked, "camera", [contents[1::2], *(one.pictures[1::2] for one in made.values())])
    errors = {way: meter_of(contents, one.pictures)[0] for way, one in made.items()}
    everything, changed = made["all"], made["changed"]
    return (
        changed.seconds <= TIME_BAR * everything.seconds
        and losses["changed"] <= LOSS_BAR * losses["all"]
        and errors["changed"] <= errors["all"]
    )


def _contents(asked: Asked) -> Sequence[FloatImage]:
    """A photo with a piece of another, of a twentieth of its area, which goes to the right."""
    room = read_picture(asked.media.photo("coffee"), asked.size, 64)
    cat = read_picture(asked.media.photo("chelsea-cat"), asked.size, 64)
    height, width, _ = room.shape
    side = round(np.sqrt(AREA * height * width))
    top, left = (height - side) // 2, width // 4
    piece = cat[(cat.shape[0] - side) // 2 :, (cat.shape[1] - side) // 2 :][:side, :side]
    frames = [room.copy() for _ in range(FRAMES)]
    for number, frame in enumerate(frames):
        frame[top : top + side, left + STEP * number : left + STEP * number + side] = piece
    return frames


class _Made:
    """Frames made one after another in one way, and what each of them but the first took."""

    def __init__(
        self, settings: VideoSettings, first: Result, stylizer: Stylizer, contents: Sequence[FloatImage]
    ) -> None:
        model = TemporalModel(settings, CONFIG)
        self._made = in_turn(model, settings, stylizer, contents, first)
        self.results = [next(self._made)]
        self.times: list[float] = []

    def take(self) -> None:
        """Make the next frame."""
        began = time.perf_counter()
        self.results.append(next(self._made))
        self.times.append(time.perf_counter() - began)

    @property
    def pictures(self) -> list[FloatImage]:
        """The frames as saved."""
        return [one.picture for one in self.results]

    @property
    def seconds(self) -> float:
        """The median over the frames; in the first of them the steps are compiled."""
        return float(np.median(self.times[1:]))

    @property
    def evaluations(self) -> float:
        """Mean evaluations a frame; those of parts see a window."""
        return float(np.mean([one.evaluations for one in self.results[1:]]))

    def loss(self, stylizer: Stylizer, contents: Sequence[FloatImage]) -> float:
        """Mean content and style loss of a few frames, found alike for all ways."""
        numbers = spread(contents, LOOKED_AT)
        return float(np.mean([loss_of(stylizer, self.pictures[at], contents[at]) for at in numbers]))
