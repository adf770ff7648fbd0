"""The arithmetic of a dry run."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline import estimate
from pipeline.config import Job, StyleSource, build_job
from pipeline.engine import unit_cost
from pipeline.estimate import Plan, plan_pictures, seconds_per_iteration
from pipeline.log import Display
from pipeline.memory import peak
from stylize.config import StylizeConfig


class Clockwork:
    """Stands for a Stylizer whose iteration takes one second at full size and a quarter a level down."""

    def __init__(self, config: StylizeConfig, levels: int = 2) -> None:
        self.config, self.levels = config, levels
        self.backbone = SimpleNamespace(name="clockwork")
        self.initial: object = "none"

    def stylize(self, content: Any, *, initial: Any, iterations: int, callback: Any) -> None:
        self.initial = initial
        now = 100.0  # the compilation
        for level in reversed(range(self.levels)):
            for step in range(iterations + 1):
                callback(SimpleNamespace(level=level, seconds=now + step * 4.0**-level))
            now += iterations


def job_of(command: str = "image", **overrides: object) -> Job:
    return build_job(command, Path("a"), (StyleSource(Path("b")),), Path("c"), overrides=overrides)


CONTENT = np.zeros((100, 200, 3), np.float32)


def test_iterations_are_timed_level_by_level() -> None:
    clockwork: Any = Clockwork(StylizeConfig())
    assert seconds_per_iteration(clockwork, CONTENT) == ([1.0, 0.25], 0.0)


@pytest.mark.parametrize(
    ("arguments", "pictures", "seconds"),
    [
        ({}, 1, 12.5),
        ({"pictures": 4}, 4, 50.0),
        ({"frames": 5}, 5, 62.5),
        ({"frames": 5, "later_iterations": 2}, 5, 12.5 + 4 * 3),
    ],
)
def test_time_is_counted_up(
    arguments: dict[str, Any], pictures: int, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate.time, "process_time", lambda: 7.0)  # what the start has taken
    job = job_of(iterations=10)
    stylizer: Any = Clockwork(job.stylize)
    plan = plan_pictures(
        job, stylizer, [CONTENT, CONTENT][: 1 + ("pictures" in arguments)], Display(-1), **arguments
    )
    assert (plan.pictures, plan.seconds) == (pictures, 7.0 + seconds)
    assert (plan.width, plan.height, plan.backbone, plan.command) == (200, 100, "clockwork", "image")
    assert plan.disk >= pictures * 200 * 100


def test_a_plan_in_words_and_as_json() -> None:
    plan = Plan("video", "out.mp4", 48, 64, 48, "vgg19", 3723.456, 2_500_000_000, 1_000_000)
    assert plan.summary().splitlines() == [
        "48 frames of 64x48 on vgg19 into out.mp4",
        "time    at most about 1 h 02 min",
        "memory  about 2.5 GB",
        "disk    up to 1 MB",
    ]
    values = json.loads(plan.to_json())
    assert (values["dry_run"], values["seconds"], "exit_code" in values) == (True, 3723.5, False)


def test_a_level_down_costs_a_quarter() -> None:
    assert unit_cost(StylizeConfig(iterations=100, levels=2), (512, 512, 3)) == 125.0
    assert unit_cost(StylizeConfig(iterations=100, levels=1), (512, 512, 3)) == 100.0


def test_memory_is_told() -> None:
    assert peak() > 10_000_000
