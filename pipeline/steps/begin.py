"""What jobs do alike when their work begins: those who look on are told, the run folder is held."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.progress.display import Display
from pipeline.progress.events import JobBegun
from pipeline.progress.report import Report
from pipeline.run_folder.folder import RunFolder, is_kept, run_path
from pipeline.run_folder.record import open_run
from pipeline.settings.job import Job
from pipeline.settings.run_options import RunOptions

if TYPE_CHECKING:
    from stylize.weights import Weights


def begun(job: Job, weights: Weights, display: Display) -> Report:
    """The report of a job whose checks are done; those who look on are told of it."""
    display.watchers.tell(JobBegun(job, weights.name))
    return Report(job.command, str(job.output)).ran_on(weights)


def keeps_earlier(job: Job, options: RunOptions) -> bool:
    """Whether what an earlier run left was kept, and stays: an album's beside what this one makes."""
    return not options.restart and is_kept(run_path(job.output))


@contextmanager
def run_of(
    job: Job, weights: Weights, options: RunOptions, outputs: Sequence[Path], report: Report, display: Display
) -> Iterator[RunFolder]:
    """The job's run folder for as long as the work takes; what a killed run left of `outputs` is removed.

    It stays, for the same command to continue, where the work ends before its end, but for that of an album:
    what is finished of one lies in its output. And it stays where it was asked for, also by an earlier run:
    only --restart discards it then.
    """
    album = job.command == "album"
    afresh = options.restart or (album and not keeps_earlier(job, options))
    run = open_run(job, weights, display, outputs, restart=afresh)
    try:
        yield run
    except BaseException:
        run.remove() if album and not run.is_kept else run.remove_if_empty()
        raise
    if options.keep_run:
        run.keep()
    if run.is_kept:
        report.also["run folder"] = str(run.path)
        run.close()
    else:
        run.remove()
