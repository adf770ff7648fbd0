"""Which function does which job."""

from __future__ import annotations

from pipeline.config import Job
from pipeline.engine import RunOptions
from pipeline.estimate import Plan
from pipeline.log import Display
from pipeline.report import Report


def run_job(job: Job, options: RunOptions, display: Display) -> Report | Plan:
    """Do a job, or plan it when a dry run was asked for, or show what to expect of it."""
    report: Report | None = None
    if options.tensorboard is not None:
        from pipeline.tensorboard import TensorBoardWatcher

        display.watchers.each.append(TensorBoardWatcher(options.tensorboard))
    collector = None
    if options.report is not None:
        from pipeline.report_collector import ReportCollector

        collector = ReportCollector(options)
        display.watchers.each.append(collector)
    try:
        outcome = _run(job, options, display)
        report = outcome if isinstance(outcome, Report) else None
        if collector is not None and options.report is not None and report is not None:
            collector.write(options.report, report)
        return outcome
    finally:
        display.watchers.job_ends(report)


def _run(job: Job, options: RunOptions, display: Display) -> Report | Plan:
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
