"""What decides the pictures of a job, hashed; its run folder opened and closed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import __version__
from pipeline.progress.display import Display
from pipeline.run_folder.files import content_hash
from pipeline.run_folder.folder import RunFolder, run_path
from pipeline.settings.job import Job
from stylize.knobs import Knob, knobs_of

if TYPE_CHECKING:
    from stylize.weights import Weights


def record_of(job: Job, weights: Weights) -> dict[str, Any]:
    """Everything that decides a job's pictures, for its run folder; of an album what all photos share."""
    values = _deciding(job)
    return {
        "version": __version__,
        "command": job.command,
        "content": "" if job.command == "album" else content_hash(job.content),  # each photo has a key
        "styles": [f"{content_hash(style.path, below=True)}:{style.weight!r}" for style in job.styles],
        "backbone": weights.name,
        "weights": weights.sha256,
        **{key: list(value) if isinstance(value, tuple) else value for key, value in values.items()},
    }


def _deciding(job: Job) -> dict[str, Any]:
    """The settings that decide a job's pictures, with what is in files in place of their paths."""
    left_out = {"nothing"} if job.content.is_dir() else {"nothing", "folder"}
    values = {}
    for config in (job.stylize, job.settings):
        for name, (_, details) in knobs_of(config).items():
            what_ran_stands_for_it = details.decides == "network" and not details.by_name
            if details.decides in left_out or what_ran_stands_for_it:
                continue
            each_its_own = details.decides == "place" and job.command == "album"  # it is in the photo's key
            as_written = details.by_name or each_its_own
            value = getattr(config, name)
            values[name] = value if as_written else _with_contents(value, details)
    return values


def _with_contents(value: Any, details: Knob) -> Any:
    """A setting's value with the hash of what is in a file in place of its path."""
    hashes = {text: content_hash(Path(os.path.expanduser(text))) for text in details.paths_in(value)}
    if isinstance(value, tuple):
        return tuple(hashes.get(one, one) for one in value)
    return hashes.get(value, value)


def open_run(
    job: Job, weights: Weights, display: Display, outputs: Sequence[Path], *, restart: bool
) -> RunFolder:
    """The job's run folder, held by this process alone, with its log begun.

    What a killed run left of writing `outputs` is removed.
    """
    from video.outputs import remove_partials

    record, album = record_of(job, weights), job.command == "album"
    run = RunFolder(run_path(job.output), record, restart=restart, any_record=album)
    display.log_to(run.log)
    display.detail(f"network {weights.name}: {weights.source}, SHA-256 {weights.sha256}")
    for output in outputs:
        remove_partials(output)
    return run
