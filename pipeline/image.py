"""One picture in, one stylized picture out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.progress.display import Display, Work
from pipeline.progress.events import Ended
from pipeline.progress.report import Report
from pipeline.run_folder.files import file_hash
from pipeline.run_folder.folder import Frame, RunFolder
from pipeline.settings.job import Job
from pipeline.settings.run_options import RunOptions
from pipeline.steps.begin import begun, run_of
from pipeline.steps.checks import check_inputs, check_outputs, warn_of_excess
from pipeline.steps.estimate import Plan, plan_pictures
from pipeline.steps.finish import make_movie, save_settings
from pipeline.steps.outlook import Outlook
from pipeline.steps.rehearsal import outputs_of
from pipeline.styling.factory import build_stylizer, finish_cost, finishing_stylizer, on_network, unit_cost
from pipeline.styling.finishing import Large, finished, large_of, together
from pipeline.styling.looks import Masks, look_of, mask_files, masks_of_picture, warn_of_empty
from pipeline.styling.one_picture import optimise, result_line
from pipeline.styling.pictures import exif_for, note_pages, note_styles, read_picture
from video.drives import remove
from video.names import shown

if TYPE_CHECKING:
    from stylize.look import Look
    from stylize.result import Result
    from stylize.stylizer import Stylizer
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
    content, files, masks, large = _checked(job, options, display)
    job, weights = on_network(job, display)
    stylizer = build_stylizer(
        job, job.styles, max(content.shape[:2]), weights, display, palette=content, offline=options.offline
    )
    look = look_of(job.settings, len(stylizer.styles), masks)
    warn_of_empty(job.settings, look, files, masks, job.content, display)
    warn_of_excess(stylizer, content.shape, job.settings.memory, display)
    finish = None
    if large is not None:
        finish = finishing_stylizer(job, job.styles, large.longer, weights, display, content, stylizer), large
        warn_of_excess(finish[0], large.content.shape, job.settings.memory, display, finished=True)
    if options.dry_run:
        sizes = None if finish is None else (finish[0], [finish[1].content], 1)
        return plan_pictures(job, stylizer, [content], display, finish=sizes)
    report = begun(job, weights, display)
    report.frames = 1
    with run_of(job, weights, options, outputs_of(job, options), report, display) as run:
        snapshots = run.snapshots / "picture" if options.wants_snapshots else None
        if run.checkpoint.exists() or run.finished():
            display.note(f"continuing where an earlier run stopped (in {shown(run.path)})")
        display.outlook = Outlook(job, display)
        price = unit_cost(job.stylize, content.shape) + (finish_cost(job.settings) if finish else 0.0)
        with display.work(price) as work:
            if finish is None:
                result = _optimised(stylizer, content, look, job, run, snapshots, work)
            else:
                small = _small(stylizer, content, look, job, run, snapshots, work)
                result = _finished(small, *finish, job, run, snapshots, work)
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


def _optimised(
    stylizer: Stylizer, content: FloatImage, look: Look, job: Job, run: RunFolder, snapshots: Path | None,
    work: Work, *, laid_over: bool = True,
) -> Result:  # fmt: skip
    return optimise(
        stylizer, content, job.settings, work, "", snapshots, job.content.name, look,
        checkpoint=run.checkpoint, laid_over=laid_over,
    )  # fmt: skip


def _small(
    stylizer: Stylizer, content: FloatImage, look: Look, job: Job, run: RunFolder, snapshots: Path | None,
    work: Work,
) -> Frame:  # fmt: skip
    """The picture at `--size`, kept in the run folder from which it is finished."""
    from video.images import write_image

    made = run.finished().get((1, 0))
    if made is None:
        result = _optimised(stylizer, content, look, job, run, snapshots, work, laid_over=False)
        path = run.frame_path(0)
        write_image(path, result.picture, overwrite=True)
        made = Frame(0, path.name, file_hash(path), result.losses, result.evaluations, result.seconds)
        run.commit(made)
        remove(run.checkpoint)
    work.move_to(unit_cost(job.stylize, content.shape))
    return made


def _finished(
    small: Frame, stylizer: Stylizer, large: Large, job: Job, run: RunFolder, snapshots: Path | None,
    work: Work,
) -> Result:  # fmt: skip
    """The picture at the finished size, with what the small one took."""
    from video.images import read_image

    result = finished(
        read_image(run.frame_path(0)), large, stylizer, job.settings, work, "", snapshots, job.content.name,
        checkpoint=run.checkpoint,
    )  # fmt: skip
    return together(result, small.evaluations, small.seconds)


def _checked(
    job: Job, options: RunOptions, display: Display
) -> tuple[FloatImage, list[Path], Masks, Large | None]:
    """Everything that can be checked before the work.

    Gives the content, its masks' files and its masks, and what it is finished from.
    """
    from video.errors import MovingError
    from video.images import WRITABLE_SUFFIXES

    check_inputs(job)
    if job.content.is_dir():
        raise UsageError(
            f"{job.content}: is a folder, not a picture; for all pictures in it use `deepfusion album`"
        )
    check_outputs(job, options, tuple(WRITABLE_SUFFIXES), display)
    try:
        content = read_picture(job.content, job.settings.size, job.stylize.minimum_side)
    except MovingError:
        raise UsageError(
            f"{job.content}: is a clip, not a picture; for clips use `deepfusion video`"
        ) from None
    note_pages(job.content, display)
    note_styles(job.styles, display)
    files = mask_files(job.settings, [job.content], job.content.parent)[job.content]
    large = large_of(job.content, files, content, job.settings, strict=True)
    return content, files, masks_of_picture(files, content, job.content), large
