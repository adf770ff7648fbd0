"""Which function does which job."""

from __future__ import annotations

from contextlib import ExitStack

from pipeline.machine import limit_threads
from pipeline.progress.display import Display
from pipeline.progress.events import JobEnded
from pipeline.progress.report import Report
from pipeline.settings.job import Job
from pipeline.settings.run_options import RunOptions
from pipeline.steps.estimate import Plan


def run_job(job: Job, options: RunOptions, display: Display) -> Report | Plan:
    """Do a job, or plan it when a dry run was asked for, or show what to expect of it.

    Those who look on, and the page of the finished job, are for a job that is done.
    """
    limit_threads(job.settings.threads)
    if options.dry_run and any((options.live is not None, options.report, options.tensorboard)):
        display.note("a dry run only plans: no live page, no report, nothing for TensorBoard")
    if options.preview and options.workers is not None:
        display.note("a preview is made in this process, without workers")
    if options.dry_run or options.preview:
        return _do_job(job, options, display)
    with ExitStack() as stack:
        if options.live is not None:
            from pipeline.views.live.server import watching

            stack.enter_context(watching(job, options.live, display))
        if options.tensorboard is not None:
            from pipeline.views.tensorboard import TensorBoardWatcher

            display.watchers.each.append(TensorBoardWatcher(options.tensorboard))
        collector = None
        if options.report is not None:
            from pipeline.views.report.collector import ReportCollector

            collector = ReportCollector(options, options.report)
            display.watchers.each.append(collector)
        outcome = None
        try:
            outcome = _do_job(job, options, display)
            if collector is not None and isinstance(outcome, Report):
                collector.write(outcome)
        finally:
            display.watchers.tell(JobEnded(outcome if isinstance(outcome, Report) else None))
        return outcome


def _do_job(job: Job, options: RunOptions, display: Display) -> Report | Plan:
    """Do the job by what does its kind."""
    if options.preview:
        from pipeline.preview.preview import run_preview

        return run_preview(job, options, display)
    if job.command == "video":
        from pipeline.clip.run import run_video

        return run_video(job, options, display)
    if job.command == "album":
        from pipeline.album.run import run_album

        return run_album(job, options, display)
    from pipeline.image import run_image

    return run_image(job, options, display)
