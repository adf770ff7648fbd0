"""What jobs do alike at their end: the progress movie, the contact sheet, the job file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.montage.contact_sheet import Cell
from pipeline.progress.display import Display
from pipeline.progress.report import Report
from pipeline.run_folder.files import write_durably
from pipeline.settings.job import Job
from pipeline.settings.job_file import job_text
from pipeline.settings.run_options import RunOptions


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
    from pipeline.montage.movie import write_progress_movie

    write_progress_movie(folders, options.progress_movie, options.movie, overwrite=options.overwrite)
    report.also["progress movie"] = str(options.progress_movie)


def make_contact_sheet(cells: Sequence[Cell], options: RunOptions, report: Report) -> None:
    """Make the contact sheet if one was asked for."""
    target = options.contact_sheet
    if target is None or not cells:
        return
    from pipeline.montage.contact_sheet import write_contact_sheet

    paths = write_contact_sheet(cells, target, overwrite=options.overwrite)
    report.also["contact sheet"] = ", ".join(map(str, paths))


def save_settings(job: Job, options: RunOptions, report: Report) -> None:
    """Write the job file that does this run again, if one was asked for."""
    path = options.save_settings
    if path is None:
        return
    try:
        write_durably(path, job_text(job, path.parent, report.weights_sha256))
    except OSError as error:
        raise PipelineError(f"{path}: the settings cannot be written: {error.strerror}") from None
    report.also["settings"] = str(path)
