"""One picture in, one stylized picture out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.progress.display import Display
from pipeline.progress.events import Ended
from pipeline.progress.report import Report
from pipeline.settings.job import Job
from pipeline.settings.run_options import RunOptions
from pipeline.steps.begin import begun, run_of
from pipeline.steps.checks import check_inputs, check_outputs, warn_of_excess
from pipeline.steps.estimate import Plan, plan_pictures
from pipeline.steps.finish import make_movie, save_settings
from pipeline.steps.outlook import Outlook
from pipeline.steps.rehearsal import outputs_of
from pipeline.styling.factory import build_stylizer, on_network, unit_cost
from pipeline.styling.looks import Masks, look_of, mask_files, masks_of_picture, warn_of_empty
from pipeline.styling.one_picture import optimise, result_line
from pipeline.styling.pictures import exif_for, note_pages, note_styles, read_picture
from video.drives import remove
from video.names import shown

if TYPE_CHECKING:
    from stylize.types import FloatImage


def run_image(job: Job, options: RunOptions, display: Display) -> Report | Plan:
    """Stylize `job.content` into `job.output`; with `dry_run`, only plan it.

    Raises
    ------
    UsageError, InputError, ConfigError, WeightsError
        Before any work, for anything that is wrong with the job.
    """
    from video.images import write_image

    began = time.perf_counter()
    content, files, masks = _checked(job, options, display)
    job, weights = on_network(job, display)
    stylizer = build_stylizer(
        job, job.styles, max(content.shape[:2]), weights, display, palette=content, offline=options.offline
    )
    look = look_of(job.settings, len(stylizer.styles), masks)
    warn_of_empty(job.settings, look, files, masks, job.content, display)
    warn_of_excess(stylizer, content.shape[0], content.shape[1], job.settings.memory, display)
    if options.dry_run:
        return plan_pictures(job, stylizer, [content], display)
    report = begun(job, weights, display)
    report.frames = 1
    with run_of(job, weights, options, outputs_of(job, options), report, display) as run:
        snapshots = run.snapshots / "picture" if options.wants_snapshots else None
        if run.checkpoint.exists():
            display.note(f"continuing where an earlier run stopped (in {shown(run.path)})")
        display.outlook = Outlook(job, display)
        with display.work(unit_cost(job.stylize, content.shape)) as work:
            result = optimise(
                stylizer, content, job.settings, work, "", snapshots, job.content.name, look,
                checkpoint=run.checkpoint,
            )  # fmt: skip
        write_image(job.output, result.picture, exif=exif_for(job.content, job.settings))
        report.add(result)
        cost = result.losses, result.evaluations, result.seconds
        display.watchers.tell(Ended(job.content.name, job.output, *cost, source=job.content))
        display.detail(result_line(result))
        if snapshots is not None:
            make_movie([snapshots], options, report, display)
        remove(run.checkpoint)
    save_settings(job, options, report)
    return report.ended(time.perf_counter() - began, display.warnings)


def _checked(job: Job, options: RunOptions, display: Display) -> tuple[FloatImage, list[Path], Masks]:
    """Everything that can be checked before the work; gives the content, its masks' files and its masks."""
    from video.images import WRITABLE_SUFFIXES

    check_inputs(job)
    if job.content.is_dir():
        raise UsageError(
            f"{job.content}: is a folder, not a picture; for all pictures in it use `deepfusion album`"
        )
    check_outputs(job, options, tuple(WRITABLE_SUFFIXES), display)
    content = read_picture(job.content, job.settings.size, job.stylize.minimum_side)
    note_pages(job.content, display)
    note_styles(job.styles, display)
    files = mask_files(job.settings, [job.content], job.content.parent)[job.content]
    return content, files, masks_of_picture(files, content, job.content)
