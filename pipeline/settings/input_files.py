"""The files that a job reads, and a job whose files are elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.settings.job import Job
from pipeline.settings.job_settings import VideoSettings, build_settings, flat, mask_paths
from pipeline.settings.paths import with_paths
from stylize.config import parse_start

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
    model = job.settings.hub_model
    local = [Path(model)] if not model.startswith("https://") else []
    return (*inputs_of(job), *local)


def to_send(weights: Weights) -> Weights:
    """Weights as a worker is sent them: without layers, 80 MB, if they are those of its own package."""
    from stylize.weights import EMBEDDED

    return replace(weights, layers={}) if EMBEDDED.get(weights.name) == weights.sha256 else weights


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
    """Every file or folder that a job reads, but the weights."""
    start = parse_start(job.stylize.init)
    started = [Path(start.path)] if start.kind == "picture" else []
    started += mask_paths(job.settings)
    cuts = job.settings.cut_file if isinstance(job.settings, VideoSettings) else None
    return [job.content, *(style.path for style in job.styles), *started, *([cuts] if cuts else [])]
