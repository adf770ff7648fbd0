"""The files that a job reads, and a job whose files are elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.settings.job import Job
from pipeline.settings.job_settings import build_settings, files_named, flat
from pipeline.settings.paths import with_paths

if TYPE_CHECKING:
    from stylize.weights import Weights


def relocated(job: Job, place: Callable[[Path], Path]) -> Job:
    """The job with every input where `place` says; the output stays."""
    values = with_paths(flat(job.stylize, job.settings), lambda path: str(place(path)))
    engine, settings = build_settings(job.command, values)
    styles = tuple(replace(style, path=place(style.path)) for style in job.styles)
    return replace(job, content=place(job.content), styles=styles, stylize=engine, settings=settings)


def worker_inputs(job: Job) -> tuple[Path, ...]:
    """What every worker reads of a job, but the weights, which it is given."""
    models = files_named(
        job.stylize, job.settings, by=lambda knob: knob.decides == "network" and knob.by_name
    )
    return (*inputs_of(job), *models)


def to_send(weights: Weights) -> Weights:
    """Weights as a worker is sent them: without arrays, 80 MB, if they are those of its own package."""
    from stylize.weights import EMBEDDED

    bare = replace(weights, layers={}, taps={})
    return bare if EMBEDDED.get(weights.name) == weights.sha256 else weights


def as_sent(weights: Weights) -> Weights:
    """The weights that were sent, whole again.

    Raises
    ------
    WeightsError
        If the file in this machine's package is damaged, or another.
    """
    from stylize.errors import WeightsError
    from stylize.weights import load_weights

    if weights.layers:
        return weights
    own = load_weights(weights.name)
    if own.sha256 != weights.sha256:
        raise WeightsError(
            f"{own.source}: has SHA-256 {own.sha256}, and the job runs on {weights.sha256}; install the same "
            f"Deep Fusion everywhere"
        )
    return own


def inputs_of(job: Job) -> list[Path]:
    """Every file or folder that a job reads, but those of its network."""
    named = files_named(job.stylize, job.settings, by=lambda knob: knob.decides != "network")
    return [job.content, *(style.path for style in job.styles), *named]
