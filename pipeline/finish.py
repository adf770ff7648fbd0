"""What jobs do alike around their work: describe themselves, make the progress movie, save their settings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import __version__
from pipeline.config import Job, job_text
from pipeline.contact_sheet import Cell
from pipeline.engine import RunOptions
from pipeline.errors import PipelineError
from pipeline.files import content_hash, write_durably
from pipeline.log import Display
from pipeline.report import Report
from pipeline.rundir import RunFolder, run_path
from pipeline.settings import ImageSettings, JobSettings, VideoSettings, flat

if TYPE_CHECKING:
    from stylize.weights import Weights


def record_of(job: Job, weights: Weights) -> dict[str, Any]:
    """Everything that decides a job's pictures, for its run folder; of an album what all photos share."""
    values = flat(job.stylize, job.settings)
    for key in ("weights", "weights_sha256", "backbone", "memory", "threads", "crf", "movie_frame"):
        values.pop(key, None)  # what ran stands below; the last four change no frame, but for rounding
    if not job.content.is_dir():
        values.pop("fps", None)
    if isinstance(job.settings, VideoSettings) and job.settings.cut_file is not None:
        values["cuts"] = content_hash(job.settings.cut_file)
    if job.command != "album":  # each photo's own masks are in its key
        values["mask"] = [content_hash(Path(os.path.expanduser(one))) for one in values["mask"]]
        if values["mask_preserve"]:
            values["mask_preserve"] = content_hash(Path(os.path.expanduser(values["mask_preserve"])))
    values["slim_means"] = None
    if weights.name == "vgg19-slim" and job.stylize.normalization != "relative":
        from stylize.backbone import FULL_MEANS  # the other losses are in units that these decide

        values["slim_means"] = FULL_MEANS
    return {
        "version": __version__,
        "command": job.command,
        "content": "" if job.command == "album" else content_hash(job.content),  # each photo has a key
        "styles": [f"{content_hash(style.path, below=True)}:{style.weight!r}" for style in job.styles],
        "backbone": weights.name,
        "weights": weights.sha256,
        **{key: list(value) if isinstance(value, tuple) else value for key, value in values.items()},
    }


def open_run(
    job: Job, weights: Weights, display: Display, outputs: Sequence[Path], *, restart: bool
) -> RunFolder:
    """The job's run folder, held by this process alone, with its log begun.

    What a killed run left of writing `outputs` is removed.
    """
    from video.outputs import remove_partials

    run = RunFolder(run_path(job.output), record_of(job, weights), restart=restart)
    display.log_to(run.log)
    display.detail(f"network {weights.name}: {weights.source}, SHA-256 {weights.sha256}")
    for output in outputs:
        remove_partials(output)
    return run


def close_run(run: RunFolder, options: RunOptions, report: Report) -> None:
    """Remove the folder of a finished run, or leave it to others when it was asked for."""
    if options.keep_run:
        report.also["run folder"] = str(run.path)
        run.close()
    else:
        run.remove()


def exif_for(photo: Path, settings: JobSettings) -> bytes:
    """What goes into a result beside its pixels, as the settings want it."""
    from video.exif import read_exif

    keeps = isinstance(settings, ImageSettings) and settings.metadata == "keep"
    return read_exif(photo) if keeps else b""


def make_movie(folders: Sequence[Path], options: RunOptions, report: Report, display: Display) -> None:
    """Make the progress movie if one was asked for."""
    if options.progress_movie is None:
        return
    if not folders and report.failed and not report.done:
        display.warn(f"{options.progress_movie} was not made: nothing succeeded that it could show")
        return
    if not folders:
        display.warn(
            f"{options.progress_movie} was not made: what it shows was finished by an earlier run that kept "
            f"no snapshots; --restart does it again"
        )
        return
    from pipeline.movie import write_progress_movie

    write_progress_movie(folders, options.progress_movie, options.movie, overwrite=options.overwrite)
    report.also["progress movie"] = str(options.progress_movie)


def make_contact_sheet(cells: Sequence[Cell], options: RunOptions, report: Report) -> None:
    """Make the contact sheet if one was asked for."""
    target = options.contact_sheet
    if target is None or not cells:
        return
    from pipeline.contact_sheet import write_contact_sheet

    paths = write_contact_sheet(cells, target, overwrite=options.overwrite)
    report.also["contact sheet"] = ", ".join(map(str, paths))


def save_settings(job: Job, options: RunOptions, report: Report) -> None:
    """Write the job file that does this run again, if one was asked for."""
    path = options.save_settings
    if path is None:
        return
    try:
        write_durably(path, job_text(job, path.parent))
    except OSError as error:
        raise PipelineError(f"{path}: the settings cannot be written: {error.strerror}") from None
    report.also["settings"] = str(path)
