"""The files of a job, by whatever name they have where it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pipeline.checks import inputs_of
from pipeline.config import Job, each_path, paths_in
from pipeline.settings import flat
from stylize.knobs import knobs_of


def relocated(job: Job, place: Callable[[Path], Path]) -> Job:
    """The job with every input where `place` says; the output stays."""
    values = flat(job.stylize, job.settings)
    moved = {key: each_path(values[key], lambda path: str(place(path))) for key in paths_in(values)}
    engine = {key: value for key, value in moved.items() if key in knobs_of(type(job.stylize))}
    others = {key: value for key, value in moved.items() if key not in engine}
    return replace(
        job,
        content=place(job.content),
        styles=tuple(replace(style, path=place(style.path)) for style in job.styles),
        stylize=replace(job.stylize, **engine),
        settings=replace(job.settings, **others),
    )


def worker_inputs(job: Job) -> tuple[Path, ...]:
    """What every worker reads of a job, but the weights, which it is given."""
    model = job.settings.hub_model
    local = [Path(model)] if not model.startswith("https://") else []
    return (*inputs_of(job), *local)
