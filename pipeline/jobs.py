"""Which function does which job."""

from __future__ import annotations

from contextlib import ExitStack

from pipeline.config import Job
from pipeline.engine import RunOptions
from pipeline.estimate import Plan
from pipeline.log import Display
from pipeline.report import Report
from pipeline.threads import limit_threads
from pipeline.watch import JobEnded


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
            from pipeline.live.server import watching

            stack.enter_context(watching(job, options.live, display))
        if options.tensorboard is not None:
            from pipeline.event_files import TensorBoardWatcher

            display.watchers.each.append(TensorBoardWatcher(options.tensorboard))
        collector = None
        if options.report is not None:
            from pipeline.report_collector import ReportCollector

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
