"""One picture in, one stylized picture out."""

from __future__ import annotations

import time

from pipeline.checks import check_inputs, check_outputs
from pipeline.config import Job
from pipeline.engine import (
    RunOptions,
    build_stylizer,
    choose_weights,
    follow,
    read_picture,
    start_picture,
    unit_cost,
)
from pipeline.estimate import Plan, plan_pictures
from pipeline.finish import make_movie, record_of, save_settings
from pipeline.log import Display
from pipeline.report import Report
from pipeline.rundir import RunFolder, run_path
from pipeline.snapshots import SnapshotRecorder


def run_image(job: Job, options: RunOptions, display: Display) -> Report | Plan:
    """Stylize `job.content` into `job.output`; with `dry_run`, only plan it.

    Raises
    ------
    UsageError, InputError, ConfigError, WeightsError
        Before any work, for anything that is wrong with the job.
    """
    from video.images import WRITABLE_SUFFIXES, write_image

    began = time.perf_counter()
    check_inputs(job)
    check_outputs(job, options, tuple(WRITABLE_SUFFIXES))
    content = read_picture(job.content, job.settings.size, job.stylize.minimum_side)
    weights = choose_weights(job, display, offline=options.offline)
    stylizer = build_stylizer(job.stylize, job.styles, max(content.shape[:2]), weights)
    if options.dry_run:
        return plan_pictures(job, stylizer, [content], display)
    report = Report("image", str(job.output), backbone=weights.name, frames=1)
    run: RunFolder | None = None
    if options.wants_snapshots:
        run = RunFolder(run_path(job.output), record_of(job, weights), restart=True)
    with display.work(unit_cost(job.stylize, content.shape)) as work:
        show = follow(work, "")
        recorder = SnapshotRecorder(run.snapshots / "picture", title=job.content.name) if run else None
        result = stylizer.stylize(
            content,
            initial=start_picture(job.stylize, content.shape),
            callback=lambda progress: (show(progress), recorder(progress) if recorder else None)[0],
        )
    if recorder is not None:
        recorder.finish(result.picture, result.losses)
    write_image(job.output, result.picture, overwrite=True)
    report.add(result)
    if run is not None:
        make_movie([run.snapshots / "picture"], options, report)
        if options.keep_run:
            report.also["run folder"] = str(run.path)
        else:
            run.remove()
    save_settings(job, options, weights.name, report)
    report.seconds = time.perf_counter() - began
    report.warnings = display.warnings
    return report
