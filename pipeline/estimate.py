"""What a job will take: a few iterations are timed, the rest is arithmetic."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.config import Job
from pipeline.engine import start_picture
from pipeline.log import Display, spoken_bytes, spoken_time
from pipeline.memory import peak

if TYPE_CHECKING:
    from stylize.stylizer import Stylizer
    from stylize.types import FloatImage

_TIMED_ITERATIONS = 4
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
        Bytes: the largest resident memory so far, and what files will take at the most.
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
    exit_code: int = 0

    def to_json(self) -> str:
        """One JSON object on one line."""
        values = asdict(self)
        values.pop("exit_code")
        return json.dumps({**values, "dry_run": True, "seconds": round(self.seconds, 1)})

    def summary(self) -> str:
        """The plan for a person."""
        unit = "frame" if self.command == "video" else "picture"
        return "\n".join(
            (
                f"{self.pictures} {unit}{'s' if self.pictures != 1 else ''} of {self.width}x{self.height} "
                f"on {self.backbone} into {self.output}",
                f"time    at most about {spoken_time(self.seconds)}",
                f"memory  about {spoken_bytes(self.memory)}",
                f"disk    up to {spoken_bytes(self.disk)}",
            )
        )


def seconds_per_iteration(stylizer: Stylizer, content: FloatImage) -> tuple[list[float], float]:
    """Seconds of one iteration at each level, the finest first, and what compiling the steps took."""
    began = time.perf_counter()
    stamps: dict[int, list[float]] = {}

    def note(progress: Any) -> None:
        stamps.setdefault(progress.level, []).append(progress.seconds)

    start = start_picture(stylizer, content)
    stylizer.stylize(content, initial=start, iterations=_TIMED_ITERATIONS, callback=note)
    last = {level: times[-1] - times[-2] for level, times in stamps.items()}
    compiling = time.perf_counter() - began - _TIMED_ITERATIONS * sum(last.values())
    return [last[level] for level in sorted(last)], max(0.0, compiling)


def plan_pictures(
    job: Job, stylizer: Stylizer, contents: Sequence[FloatImage], display: Display, *,
    frames: int | None = None, later_iterations: int = 0, sweeps: int = 1,
    pictures: int | None = None,
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
    pictures
        For an album: how many results there will be.
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
    seconds = alone + later * (count * sweeps - 1) if later_iterations else alone * count
    seconds += start_up
    height, width = contents[0].shape[:2]
    each = width * height * 3 * _PNG_SHARE
    return Plan(
        job.command, str(job.output), count, width, height, stylizer.backbone.name, seconds,
        peak(), round(count * each * (1.5 + 2.0 * (sweeps > 1) if frames else 1.0)), display.warnings,
    )  # fmt: skip
