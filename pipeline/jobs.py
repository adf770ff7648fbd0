"""Which function does which job."""

from __future__ import annotations

from pipeline.config import Job
from pipeline.engine import RunOptions
from pipeline.estimate import Plan
from pipeline.log import Display
from pipeline.report import Report


def run_job(job: Job, options: RunOptions, display: Display) -> Report | Plan:
    """Do a job, or plan it when a dry run was asked for, or show what to expect of it.

    Where a live page was asked for it shows the job; a plan needs none.
    """
    if options.live is None or options.dry_run:
        return _do_job(job, options, display)
    from pipeline.live.server import watching

    with watching(job, options.live, display) as watcher:
        outcome = _do_job(job, options, display)
        watcher.job_ends(outcome if isinstance(outcome, Report) else None)
        return outcome


def _do_job(job: Job, options: RunOptions, display: Display) -> Report | Plan:
    """Do the job by what does its kind."""
    if options.preview:
        from pipeline.preview import run_preview

        return run_preview(job, options, display)
    if job.command == "video":
        from pipeline.run_video import run_video

        return run_video(job, options, display)
    if job.command == "album":
        from pipeline.run_album import run_album

        return run_album(job, options, display)
    from pipeline.run_image import run_image

    return run_image(job, options, display)
