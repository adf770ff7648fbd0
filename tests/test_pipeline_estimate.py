"""The arithmetic of a dry run."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.machine import PROGRAM, peak
from pipeline.progress.display import Display
from pipeline.settings.job import Job, StyleSource, build_job
from pipeline.steps.estimate import Plan, plan_pictures, seconds_per_iteration
from pipeline.styling.factory import unit_cost
from stylize.config import StylizeConfig


class Clockwork:
    """Stands for a Stylizer whose iteration takes a second for 256x512 pixels; more in windows."""

    def __init__(self, config: StylizeConfig, overlap: float = 1.0) -> None:
        self.config = config
        self.backbone = SimpleNamespace(name="clockwork")
        self.evaluator = SimpleNamespace(
            memory_of=lambda height, width: 1000 * height * width,
            overlap=lambda height, width: overlap if max(height, width) > 512 else 1.0,
        )
        self.shapes: list[tuple[int, int]] = []
        self.statistic = SimpleNamespace(renewed=False)

    def everywhere(self, content: Any) -> str:
        return f"everywhere in {content.shape}"

    def stylize(self, content: Any, *, initial: Any, look: str, iterations: int, callback: Any) -> None:
        assert initial.shape == content.shape
        assert look == f"everywhere in {content.shape}"
        self.shapes.append(content.shape[:2])
        price = content.shape[0] * content.shape[1] / CONTENT[..., 0].size
        for step in range(iterations + 1):
            callback(SimpleNamespace(seconds=100.0 + step * price))  # 100: the compilation


def job_of(command: str = "image", **overrides: object) -> Job:
    return build_job(command, Path("a"), (StyleSource(Path("b")),), Path("c"), overrides=overrides)


CONTENT = np.zeros((256, 512, 3), np.float32)


def test_iterations_are_timed_level_by_level() -> None:
    clockwork: Any = Clockwork(StylizeConfig())
    prices, compiling = seconds_per_iteration(clockwork, CONTENT)
    assert prices == [1.0, 0.25]
    assert compiling == 0.0
    assert clockwork.shapes == [(128, 256), (256, 512)]


def test_renewals_are_shared_among_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    clockwork: Any = Clockwork(StylizeConfig(levels=1))
    clockwork.statistic.renewed = True
    now = 0.0

    def targets(content: Any, **about: Any) -> None:
        nonlocal now
        now += 10.0

    clockwork.targets = targets
    monkeypatch.setattr("pipeline.steps.estimate.time.perf_counter", lambda: now)
    prices, compiling = seconds_per_iteration(clockwork, CONTENT)
    assert prices == [1.0 + 10.0 / 10]
    assert compiling == 0.0


def test_a_large_level_is_not_timed_but_counted_by_its_pixels_and_windows() -> None:
    clockwork: Any = Clockwork(StylizeConfig(levels=2), overlap=1.5)
    prices, _ = seconds_per_iteration(clockwork, np.zeros((512, 1024, 3), np.float32))
    assert prices == [6.0, 1.0]
    assert clockwork.shapes == [(256, 512)]
    clockwork = Clockwork(StylizeConfig(init="noise", levels=1), overlap=1.5)
    prices, _ = seconds_per_iteration(clockwork, np.zeros((512, 1024, 3), np.float32))
    assert prices == [6.0]
    assert clockwork.shapes == [(256, 512)]


@pytest.mark.parametrize(
    ("arguments", "pictures", "seconds"),
    [
        ({}, 1, 12.5),
        ({"pictures": 4}, 4, 50.0),
        ({"frames": 5}, 5, 62.5),
        ({"frames": 5, "later_iterations": 2}, 5, 12.5 + 4 * 3),
        ({"frames": 5, "later_iterations": 2, "sweeps": 2, "again": 4}, 5, 12.5 + 13 * 3),
    ],
)
def test_time_is_counted_up(
    arguments: dict[str, Any], pictures: int, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.process_time", lambda: 7.0)  # what the start has taken
    job = job_of(iterations=10)
    stylizer: Any = Clockwork(job.stylize)
    plan = plan_pictures(
        job, stylizer, [CONTENT, CONTENT][: 1 + ("pictures" in arguments)], Display(-1), **arguments
    )
    assert (plan.pictures, plan.seconds) == (pictures, 7.0 + seconds)
    assert (plan.width, plan.height, plan.backbone, plan.command) == (512, 256, "clockwork", "image")
    assert plan.disk >= pictures * 512 * 256
    assert plan.memory >= PROGRAM + 1000 * 512 * 256
    beside = plan_pictures(job, stylizer, [CONTENT], Display(-1), beside=2**40).memory
    assert beside == PROGRAM + 1000 * 512 * 256 + 2**40


def test_a_plan_in_words_and_as_json() -> None:
    plan = Plan("video", "out.mp4", 48, 64, 48, "vgg19", 3723.456, 2_500_000_000, 1_000_000)
    assert plan.summary().splitlines() == [
        "48 frames of 64x48 on vgg19 into out.mp4",
        "time    at most about 1 h 02 min, longer with flashes and fades",
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


def test_a_plan_in_a_process_that_is_warm() -> None:
    """What the process did for other jobs is no start-up of this one."""
    plan = Plan("image", "o.png", 1, 64, 48, "vgg19", 20.0, 1, 1, start_up=12.0)
    assert (plan.started(0.0), plan.started(9.0).seconds, plan.started(9.0).start_up) == (plan, 11.0, 3.0)
    assert (plan.started(99.0).seconds, plan.started(99.0).start_up) == (8.0, 0.0)
