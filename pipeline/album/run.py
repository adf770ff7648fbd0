"""A folder of photos in, a folder of stylized photos out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.album.journal import finished_units, has_common_palette, name_of, unit_keys
from pipeline.album.ledger import AlbumBook, PhotoMade
from pipeline.album.photos import AlbumSetup, PhotoTask, PhotoWorker, price_of
from pipeline.album.units import StyledPhoto, captions_of, common_palette, plan_units
from pipeline.errors import PipelineError, UsageError
from pipeline.montage.contact_sheet import Cell, Small, small
from pipeline.progress.display import Display
from pipeline.progress.report import Report
from pipeline.run_folder.folder import run_path
from pipeline.settings.job import Job
from pipeline.settings.job_settings import AlbumSettings
from pipeline.settings.run_options import RunOptions
from pipeline.steps.begin import begun, keeps_earlier, run_of
from pipeline.steps.checks import check_inputs, check_outputs
from pipeline.steps.estimate import Plan, plan_pictures
from pipeline.steps.finish import make_contact_sheet, make_movie, save_settings
from pipeline.steps.outlook import Outlook
from pipeline.steps.rehearsal import outputs_of
from pipeline.styling.factory import build_stylizer, finishing_stylizer, on_network
from pipeline.styling.finishing import large_of
from pipeline.styling.looks import mask_files
from pipeline.styling.pictures import note_styles, read_picture
from pipeline.workers.driver import do_by_workers
from pipeline.workers.forecast import forecast
from pipeline.workers.messages import Done, Failed
from pipeline.workers.protocol import InProcess, Unit, as_named
from pipeline.workers.staff import Staff, staffed
from video.names import shown

if TYPE_CHECKING:
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
    from video.outputs import has_room

    began = time.perf_counter()
    settings = job.settings
    assert isinstance(settings, AlbumSettings)
    units = _checked(job, settings, options, display)
    masks = mask_files(job.settings, (unit.photo for unit in units), job.content)
    with staffed(settings.threads, options.workers, plans=options.dry_run) as staff:
        job, weights = on_network(job, display)
        keys = unit_keys(units, job, masks, weights)
        finished = finished_units(job.output, units, keys, display, overwrite=options.overwrite)
        if options.restart:
            finished = set()
        homeless = [unit for unit in units if not has_room(unit.output)]
        todo = [unit for unit in units if unit not in finished and unit not in homeless]
        if options.dry_run:
            return _plan(job, todo, staff, weights, display, offline=options.offline)
        report = begun(job, weights, display)
        report.frames, report.skipped = len(units), len(finished)
        book = AlbumBook(job.output, keys, report, display)
        _settle(units, finished, homeless, book)
        tried = [*outputs_of(job, options), job.output / job.output.name]  # the rehearsal, in either place
        tried += (unit.output for unit in todo)
        kept = _snapshots_kept(job, options)
        tasks = [
            PhotoTask(unit, tuple(masks[unit.photo]), number, len(todo), options.wants_snapshots, kept)
            for number, unit in enumerate(todo, start=1)
        ]
        with run_of(job, weights, options, tried, report, display) as run:
            if tasks:
                palette = common_palette(list(masks)) if has_common_palette(job) else None
                styles = tuple(dict.fromkeys(unit.style for unit in todo))
                neighbours = staff.neighbours if staff else 1
                photo = todo[0].photo
                setup = AlbumSetup(job, styles, photo, weights, palette, neighbours, options.offline)
                _do(setup, tasks, staff, run.snapshots, book, display)
            report.frames = report.done + report.skipped
            _show(units, tasks, book, run.snapshots, options, report, display)
    save_settings(job, options, report)
    display.note(_table(units, finished, report))
    return report.ended(time.perf_counter() - began, display.warnings)


def _checked(job: Job, settings: AlbumSettings, options: RunOptions, display: Display) -> list[StyledPhoto]:
    """Everything that can be checked before the work; gives what is to be done."""
    check_inputs(job)
    check_outputs(job, options, (), display)
    note_styles(job.styles, display)
    units = plan_units(job, settings, display)
    for style in dict.fromkeys(unit.style for unit in units):  # a bad one ends it here
        read_picture(style.path, settings.size, job.stylize.minimum_side, style=True)
    return units


def _snapshots_kept(job: Job, options: RunOptions) -> int:
    """The number of the last folder of snapshots that an earlier run left and that stays; 0 without."""
    if not keeps_earlier(job, options):
        return 0
    found = (path.name for path in (run_path(job.output) / "snapshots").glob("*"))
    return max((int(name) for name in found if name.isdecimal()), default=0)


def _show(
    units: Sequence[StyledPhoto], tasks: Sequence[PhotoTask], book: AlbumBook, snapshots: Path,
    options: RunOptions, report: Report, display: Display,
) -> None:  # fmt: skip
    """The progress movie and the contact sheet, if they were asked for."""
    movies = [snapshots / task.snapshots for task in tasks if book.succeeded(task.unit)]
    make_movie(movies if options.wants_snapshots else [], options, report, display)
    make_contact_sheet(_cells([unit for unit in units if book.succeeded(unit)]), options, report)


def _settle(
    units: Sequence[StyledPhoto], finished: set[StyledPhoto], homeless: Sequence[StyledPhoto], book: AlbumBook
) -> None:
    """Tell of what is there already, and of what can have no place."""
    for unit in units:
        if unit in finished:
            book.tell(unit)
    for unit in homeless:
        book.fails(unit, f"{unit.photo}: the path of its result is too long here; use shorter folders")


def _do(
    setup: AlbumSetup, tasks: Sequence[PhotoTask], staff: Staff | None, snapshots: Path, book: AlbumBook,
    display: Display,
) -> None:  # fmt: skip
    """Stylize the photos, here or by workers."""
    price = price_of(setup.job)
    total = price * len(tasks)
    known = {name_of(task.unit, setup.job.output): task for task in tasks}

    def take(unit: Unit, message: Any) -> None:
        if isinstance(message, PhotoMade):
            book.take(known[unit.name].unit, message)
        elif isinstance(message, Failed):
            book.fails(known[unit.name].unit, message.reason)

    if staff is not None:
        away = [Unit(name, price, task.absolute) for name, task in known.items()]
        do_by_workers(staff, setup.absolute(), "photos", lambda _: away, total, take, snapshots, display)
        return
    display.outlook = Outlook(setup.job, display)
    with display.work(total) as work:

        def hear(unit: Unit, message: Any) -> None:
            take(unit, message)
            if isinstance(message, (Done, Failed)):
                work.move_to(price * known[unit.name].number)

        here = [Unit(name, price, lambda task=task: task) for name, task in known.items()]  # type: ignore[misc]
        InProcess(PhotoWorker(setup, as_named, display, work, snapshots)).run(here, hear)


def _plan(
    job: Job,
    units: Sequence[StyledPhoto],
    staff: Staff | None,
    weights: Weights,
    display: Display,
    *,
    offline: bool,
) -> Plan:
    """Plan from up to three photos that can be read."""
    from video.errors import VideoError

    if not units:
        return Plan("album", str(job.output), 0, 0, 0, weights.name, 0.0, 0, 0, display.warnings)
    contents, larger = [], []
    for unit in units[:: max(1, len(units) // 3)]:
        try:
            contents.append(read_picture(unit.photo, job.settings.size, job.stylize.minimum_side))
            large = large_of(unit.photo, (), contents[-1], job.settings, strict=False)
            larger += [] if large is None else [large.content]
        except (VideoError, PipelineError) as error:
            display.warn(str(error))
    if not contents:
        raise UsageError(f"{job.content}: of the photos tried none can be read ({display.warnings[-1]})")
    stylizer = build_stylizer(job, (units[0].style,), job.settings.size, weights, display, offline=offline)
    finish = None
    if larger:
        styles, palette = (units[0].style,), contents[0]
        finisher = finishing_stylizer(job, styles, job.settings.finish, weights, display, palette, stylizer)
        finish = finisher, larger[:3], 1
    plan = plan_pictures(job, stylizer, contents[:3], display, pictures=len(units), finish=finish)
    if staff is not None:
        times = [(plan.seconds - plan.start_up) / len(units)] * len(units)
        plan = plan.with_workers(forecast(staff, times, "photos", plan.start_up), staff.neighbours)
    return plan


def _cells(units: Sequence[StyledPhoto]) -> list[Cell]:
    """The results for a contact sheet."""
    captions = captions_of(units)
    return [Cell((partial(_read_small, unit.output),), captions[unit]) for unit in units]


def _read_small(path: Path) -> Small:
    from video.images import read_image

    return small(read_image(path))


def _table(units: Sequence[StyledPhoto], finished: set[StyledPhoto], report: Report) -> str:
    """A line a style: how many photos were done now, found finished, and failed."""
    rows = [("style", "done", "already there", "failed")]
    for style in dict.fromkeys(unit.style for unit in units):
        mine = [unit for unit in units if unit.style == style]
        there = sum(unit in finished for unit in mine)
        failed = sum(name_of(unit, Path(report.output)) in report.failed for unit in mine)
        rows.append((shown(style.path.name), str(len(mine) - there - failed), str(there), str(failed)))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join(lines)
