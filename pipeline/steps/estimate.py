"""Estimates time, memory and disk of a job: a few iterations are timed, the rest is arithmetic."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from pipeline.machine import PROGRAM, peak
from pipeline.progress.display import Display
from pipeline.progress.wording import counted, spoken_bytes, spoken_time
from pipeline.settings.job import Job
from pipeline.styling.factory import named_start
from pipeline.workers.forecast import Forecast
from video.names import shown

if TYPE_CHECKING:
    from stylize.optimize import Progress
    from stylize.stylizer import Stylizer
    from stylize.types import FloatImage


_TIMED_ITERATIONS = 4

_TIMED_SIDE = 512

_PNG_SHARE = 0.8
"""What a stylized picture takes as PNG, of its bytes: its texture hardly compresses."""


@dataclass
class Plan:
    """What a dry run says.

    Attributes
    ----------
    seconds
        Predicted time for the whole job.
    memory, disk
        Bytes, predicted: the largest resident memory, and what files will take at the most.
    fine_contrast
        For a clip, of each style: how much frames made alone would flicker.
    start_up
        Of the seconds, those before the work begins: loading and compiling.
    forecast
        Of units and workers, if there will be any; `seconds` and `memory` are then theirs, on one machine.
    """

    command: str
    output: str
    pictures: int
    width: int
    height: int
    backbone: str
    seconds: float
    memory: int
    disk: int
    warnings: list[str] = field(default_factory=list)
    fine_contrast: dict[str, float] = field(default_factory=dict)
    start_up: float = 0.0
    forecast: Forecast | None = None
    exit_code: int = 0

    def with_workers(self, forecast: Forecast, neighbours: int) -> Plan:
        """The plan of the same job done by workers, so many of them on one machine."""
        many = min(neighbours, forecast.units)
        return replace(self, forecast=forecast, seconds=forecast.seconds, memory=self.memory * many)

    def started(self, seconds: float) -> Plan:
        """The plan in a process that had taken so long for other work before it was asked for this one.

        Workers start up by themselves, whatever this process has done.
        """
        if self.forecast is not None:
            return self
        spent = min(seconds, self.start_up)
        return replace(self, seconds=self.seconds - spent, start_up=self.start_up - spent)

    def to_json(self) -> str:
        """One JSON object on one line."""
        values = asdict(self)
        values.pop("exit_code")
        return json.dumps({**values, "dry_run": True, "seconds": round(self.seconds, 1)})

    def summary(self) -> str:
        """The plan for a person."""
        from pipeline.steps.steadiness import verdict

        unit, more = "picture", ""
        if self.command == "video":
            unit, more = "frame", ", longer with flashes and fades"
        return "\n".join(
            (
                f"{counted(self.pictures, unit)} of {self.width}x{self.height} "
                f"on {self.backbone} into {shown(self.output)}",
                f"time    at most about {spoken_time(self.seconds)}{more}",
                f"memory  about {spoken_bytes(self.memory)}",
                f"disk    up to {spoken_bytes(self.disk)}",
                *(self.forecast.lines() if self.forecast else ()),
                *(
                    f"style   {shown(name)}: made alone, a frame in it {verdict(value)} "
                    f"(fine contrast {value:.3f})"
                    for name, value in self.fine_contrast.items()
                ),
            )
        )


def seconds_per_iteration(stylizer: Stylizer, content: FloatImage) -> tuple[list[float], float]:
    """Seconds of one iteration at each level, the finest first, and what compiling the steps took.

    Levels over `_TIMED_SIDE` are not timed: they cost as much a pixel as one of that size, and what windows
    add.
    """
    from stylize.optimize import Renewal
    from stylize.pyramid import rescale, shapes_of

    began = time.perf_counter()
    config, spent = stylizer.config, 0.0
    prices: list[float] = []
    start = named_start(stylizer, content)
    shapes = [content.shape[:2]] if start is not None else shapes_of(config, *content.shape[:2])
    for height, width in shapes:
        scale = max(_TIMED_SIDE / max(height, width), config.minimum_side / min(height, width))
        shape = (height, width) if scale >= 1.0 else (round(height * scale), round(width * scale))
        if scale >= 1.0 or not prices:
            scaled = rescale(content, *shape)
            first = scaled if start is None else rescale(start, *shape)
            stamps: list[Progress] = []
            stylizer.stylize(
                scaled, initial=first, look=stylizer.everywhere(scaled), iterations=_TIMED_ITERATIONS,
                callback=stamps.append,
            )  # fmt: skip
            renewing = _renewing(stylizer, scaled)
            price = stamps[-1].seconds - stamps[-2].seconds + renewing / Renewal.every
            pixels = shape[0] * shape[1]
            spent += stamps[-1].seconds + renewing
        prices.append(price * height * width / pixels * stylizer.evaluator.overlap(height, width))
    compiling = time.perf_counter() - began - spent
    return prices[::-1], max(0.0, compiling)


def _finishing_prices(stylizer: Stylizer, content: FloatImage) -> tuple[float, float]:
    """Seconds of an iteration at the finished size, and to find what is aimed at there.

    They are timed at no more than `_TIMED_SIDE`.
    """
    from stylize.pyramid import rescale

    height, width = content.shape[:2]
    least = max(_TIMED_SIDE / max(height, width), stylizer.config.minimum_side / min(height, width))
    scale = min(1.0, least)
    scaled = rescale(content, round(height * scale), round(width * scale))
    look = stylizer.everywhere(scaled)
    stamps: list[Progress] = []
    stylizer.stylize(scaled, initial=scaled, look=look, iterations=_TIMED_ITERATIONS, callback=stamps.append)
    began = time.perf_counter()
    stylizer.targets(scaled.copy(), look=look, start=scaled, renewal=1)
    aiming = time.perf_counter() - began
    price = (stamps[-1].seconds - stamps[-2].seconds) * stylizer.evaluator.overlap(height, width)
    return price / scale**2, aiming / scale**2


def _png_bytes(pictures: Sequence[FloatImage]) -> float:
    """What such a picture takes as PNG."""
    height, width = pictures[0].shape[:2]
    return width * height * 3 * _PNG_SHARE


def _renewing(stylizer: Stylizer, content: FloatImage) -> float:
    """Seconds of one renewal of the targets, where the statistic of style renews them."""
    if not stylizer.statistic.renewed:
        return 0.0
    began = time.perf_counter()
    stylizer.targets(content, look=stylizer.everywhere(content), picture=content.copy(), renewal=1)
    return time.perf_counter() - began


def plan_pictures(
    job: Job, stylizer: Stylizer, contents: Sequence[FloatImage], display: Display, *,
    frames: int | None = None, later_iterations: int = 0, sweeps: int = 1, again: int = 0,
    pictures: int | None = None, finish: tuple[Stylizer, Sequence[FloatImage], int] | None = None,
    beside: int = 0,
) -> Plan:  # fmt: skip
    """The plan of a job from one or more of its pictures.

    Parameters
    ----------
    contents
        Pictures that stand for the job's pictures; all cost what their mean costs.
    frames, later_iterations
        For a clip: how many frames there are, and the iterations of all but the first.
    sweeps
        For a clip: how often it is gone through.
    again
        For a clip: how many frames are done once more, because it is a loop.
    pictures
        For an album: how many results there will be.
    finish
        The stylizer of the finished size, originals at it, no more than there are `contents`, and how many
        times the iterations of the others the first one has.
    beside
        Bytes that the job takes for something else than the optimisation.
    """
    display.note("timing a few iterations ...")
    alone = later = 0.0
    start_up = time.process_time()
    for content in contents:
        if job.settings.engine == "hub":
            alone += stylizer.quick_result(content).seconds / len(contents)
            continue
        prices, compiling = seconds_per_iteration(stylizer, content)
        start_up += compiling
        alone += sum(prices) * stylizer.config.iterations / len(contents)
        later += prices[0] * (later_iterations + 1) / len(contents)
    count = frames if frames is not None else (pictures or len(contents))
    seconds = alone + later * (count * sweeps + again - 1) if later_iterations else alone * count
    seconds += start_up
    disk = _png_bytes(contents) * (count * (1.5 + 2.0 * (sweeps > 1) if frames else 1.0) + 2.0 * again)
    largest = max(stylizer.evaluator.memory_of(*content.shape[:2]) for content in contents)
    if finish is not None:
        finisher, contents, first = finish
        iterations = job.settings.finish_iterations
        each = [_finishing_prices(finisher, one) for one in contents]
        step, aiming = (sum(values) / len(each) for values in zip(*each, strict=True))
        seconds += (step * (iterations + 1) + aiming) * (count + again) + step * iterations * (first - 1)
        largest = max(largest, *(finisher.evaluator.memory_of(*one.shape[:2]) for one in contents))
        disk += _png_bytes(contents) * (count * (1.5 if frames else 1.0) + 2.0 * again)
    memory = PROGRAM + beside + largest
    height, width = contents[0].shape[:2]
    return Plan(
        job.command, str(job.output), count, width, height, stylizer.backbone.name, seconds,
        max(memory, peak()), round(disk), display.warnings, start_up=start_up,
    )  # fmt: skip
