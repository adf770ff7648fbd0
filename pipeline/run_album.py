"""A folder of photos in, a folder of stylized photos out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.album_journal import finished_units, has_common_palette, name_of, unit_keys, write_result
from pipeline.album_units import Unit, captions_of, check_folder, common_palette, plan_units
from pipeline.checks import check_inputs, check_outputs
from pipeline.config import Job, StyleSource
from pipeline.contact_sheet import Cell, Small, small
from pipeline.engine import (
    RunOptions,
    build_stylizer,
    choose_weights,
    note_pages,
    read_picture,
    unit_cost,
)
from pipeline.errors import PipelineError, UsageError
from pipeline.estimate import Plan, plan_pictures
from pipeline.finish import (
    close_run,
    make_contact_sheet,
    make_movie,
    open_run,
    save_settings,
)
from pipeline.log import Display
from pipeline.masks import look_of, mask_files, masks_of_picture
from pipeline.optimise import optimise, result_line
from pipeline.precision import settled
from pipeline.report import Report
from pipeline.settings import AlbumSettings
from pipeline.watch import Ended

if TYPE_CHECKING:
    from stylize.result import Result
    from stylize.stylizer import Stylizer
    from stylize.types import FloatImage
    from stylize.weights import Weights


def run_album(job: Job, options: RunOptions, display: Display) -> Report | Plan:
    """Stylize every photo of `job.content` into `job.output`; with `dry_run`, only plan it.

    Photos that are finished already are left as they are. A photo that cannot be read is named in the report
    and the others go on.

    Raises
    ------
    UsageError, InputError, ConfigError, WeightsError
        Before any work, for anything that is wrong with the job as a whole.
    """
    began = time.perf_counter()
    settings = job.settings
    assert isinstance(settings, AlbumSettings)
    check_inputs(job)
    check_outputs(job, options, ())
    check_folder(job.output)
    units = plan_units(job, settings)
    for style in dict.fromkeys(unit.style for unit in units):
        read_picture(
            style.path, job.settings.size, job.stylize.minimum_side, style=True
        )  # a bad one ends it here
    masks = mask_files(job.settings, (unit.photo for unit in units), job.content)
    weights = choose_weights(job, display, offline=options.offline)
    job = settled(job, weights)
    keys = unit_keys(units, job, masks, weights)
    finished = finished_units(job.output, units, keys, display, overwrite=options.overwrite)
    if options.restart:
        finished = set()
    todo = [unit for unit in units if unit not in finished]
    if options.dry_run:
        return _plan(job, todo, weights, display, offline=options.offline)
    report = Report("album", str(job.output), backbone=weights.name, frames=len(units), skipped=len(finished))
    display.watchers.job_begins(job, weights.name)
    for unit in units:
        if unit in finished:
            display.watchers.picture_ends(_ended(unit, job.output))
    run = open_run(job, weights, display, [unit.output for unit in todo], restart=True)
    try:
        snapshots = run.snapshots if options.wants_snapshots else None
        palette = common_palette(list(masks)) if todo and has_common_palette(job) else None
        movies = _do_units(
            job, todo, keys, masks, palette, weights, snapshots, report, display, offline=options.offline
        )
        report.frames = report.done + report.skipped
        make_movie(movies, options, report, display)
        there = [unit for unit in units if name_of(unit, job.output) not in report.failed]
        make_contact_sheet(_cells(there), options, report)
    except BaseException:  # what is finished lies in the output folder
        run.remove()
        raise
    close_run(run, options, report)
    save_settings(job, options, weights.name, report)
    display.note(_table(units, finished, report))
    report.seconds = time.perf_counter() - began
    report.warnings = display.warnings
    return report


def _do_units(
    job: Job, units: Sequence[Unit], keys: dict[Unit, str], masks: dict[Path, list[Path]],
    palette: FloatImage | None, weights: Weights, snapshots: Path | None, report: Report,
    display: Display, *, offline: bool,
) -> list[Path]:  # fmt: skip
    """Stylize the photos; gives the snapshot folders of those that succeeded."""
    from stylize.errors import StylizeError
    from video.errors import VideoError

    movies: list[Path] = []
    stylizer: Stylizer | None = None
    style: StyleSource | None = None
    price = unit_cost(job.stylize, (job.settings.size, job.settings.size))
    own_palette = job.settings.preserve_color == "histogram" and palette is None
    with display.work(price * len(units)) as work:
        for number, unit in enumerate(units, start=1):
            label = f"photo {number}/{len(units)} {unit.photo.name}  "
            try:
                content = read_picture(unit.photo, job.settings.size, job.stylize.minimum_side)
                note_pages(unit.photo, display)
                if stylizer is None or unit.style != style or own_palette:
                    stylizer = build_stylizer(
                        job,
                        (unit.style,),
                        job.settings.size,
                        weights,
                        display,
                        palette=content if palette is None else palette,
                        like=stylizer,
                        offline=offline,
                    )
                    style = unit.style
                folder = snapshots / f"{number:05d}" if snapshots else None
                look = look_of(job.settings, 1, masks_of_picture(masks[unit.photo], content))
                result = optimise(stylizer, content, job.settings, work, label, folder, unit.photo.name, look)
                write_result(job, unit, keys[unit], result.picture)
                report.add(result)
                display.watchers.picture_ends(_ended(unit, job.output, result))
                display.detail(f"{label}{result_line(result)}")
                movies += [folder] if folder else []
            except (VideoError, StylizeError, PipelineError) as error:
                report.failed[name_of(unit, job.output)] = str(error)
                display.error(f"failed: {error}")
            work.move_to(price * number)
    return movies


def _plan(job: Job, units: Sequence[Unit], weights: Weights, display: Display, *, offline: bool) -> Plan:
    """Plan from up to three photos that can be read."""
    from video.errors import VideoError

    if not units:
        return Plan("album", str(job.output), 0, 0, 0, weights.name, 0.0, 0, 0, display.warnings)
    contents = []
    for unit in units[:: max(1, len(units) // 3)]:
        try:
            contents.append(read_picture(unit.photo, job.settings.size, job.stylize.minimum_side))
        except (VideoError, PipelineError) as error:
            display.warn(str(error))
    if not contents:
        raise UsageError(f"{job.content}: of the photos tried none can be read ({display.warnings[-1]})")
    stylizer = build_stylizer(job, (units[0].style,), job.settings.size, weights, display, offline=offline)
    return plan_pictures(job, stylizer, contents[:3], display, pictures=len(units))


def _cells(units: Sequence[Unit]) -> list[Cell]:
    """The results for a contact sheet."""
    captions = captions_of(units)
    return [Cell((partial(_read_small, unit.output),), captions[unit]) for unit in units]


def _ended(unit: Unit, folder: Path, result: Result | None = None) -> Ended:
    """A finished unit, named as in the output folder; without a result an earlier run made it."""
    ended = Ended(
        name_of(unit, folder), unit.output, found=result is None, source=unit.photo,
        style=unit.style.path.stem,
    )  # fmt: skip
    if result is None:
        return ended
    return replace(ended, losses=result.losses, evaluations=result.evaluations, seconds=result.seconds)


def _read_small(path: Path) -> Small:
    from video.images import read_image

    return small(read_image(path))


def _table(units: Sequence[Unit], finished: set[Unit], report: Report) -> str:
    """A line a style: how many photos were done now, found finished, and failed."""
    rows = [("style", "done", "already there", "failed")]
    for style in dict.fromkeys(unit.style for unit in units):
        mine = [unit for unit in units if unit.style == style]
        there = sum(unit in finished for unit in mine)
        failed = sum(name_of(unit, Path(report.output)) in report.failed for unit in mine)
        rows.append((style.path.name, str(len(mine) - there - failed), str(there), str(failed)))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join(lines)
