"""The files of a job, by whatever name they have where it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pipeline.checks import inputs_of
from pipeline.config import Job, with_paths
from pipeline.settings import build_settings, flat


def relocated(job: Job, place: Callable[[Path], Path]) -> Job:
    """The job with every input where `place` says; the output stays."""
    values = with_paths(flat(job.stylize, job.settings), lambda path: str(place(path)))
    engine, settings = build_settings(job.command, values)
    styles = tuple(replace(style, path=place(style.path)) for style in job.styles)
    return replace(job, content=place(job.content), styles=styles, stylize=engine, settings=settings)


def worker_inputs(job: Job) -> tuple[Path, ...]:
    """What every worker reads of a job, but the weights, which it is given."""
    model = job.settings.hub_model
    local = [Path(model)] if not model.startswith("https://") else []
    return (*inputs_of(job), *local)
