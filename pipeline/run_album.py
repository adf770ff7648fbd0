"""A folder of photos in, a folder of stylized photos out."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.album_units import JOURNAL, Unit, check_folder, plan_units
from pipeline.checks import check_inputs, check_outputs
from pipeline.config import Job, StyleSource
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
from pipeline.files import append_durably, file_hash
from pipeline.finish import close_run, make_movie, open_run, record_of, save_settings
from pipeline.log import Display
from pipeline.masks import look_of, mask_files, masks_of_picture
from pipeline.optimise import optimise, result_line
from pipeline.precision import settled
from pipeline.report import Report
from pipeline.settings import AlbumSettings

if TYPE_CHECKING:
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
    finished = _finished(job.output, units, keys, display, overwrite=options.overwrite)
    if options.restart:
        finished = set()
    todo = [unit for unit in units if unit not in finished]
    if options.dry_run:
        return _plan(job, todo, weights, display, offline=options.offline)
    report = Report("album", str(job.output), backbone=weights.name, frames=len(units), skipped=len(finished))
    run = open_run(job, weights, display, [unit.output for unit in todo], restart=True)
    try:
        snapshots = run.snapshots if options.wants_snapshots else None
        movies = _do_units(
            job, todo, keys, masks, weights, snapshots, report, display, offline=options.offline
        )
        report.frames = report.done + report.skipped
        make_movie(movies, options, report, display)
    except BaseException:  # what is finished lies in the output folder
        run.remove()
        raise
    close_run(run, options, report)
    save_settings(job, options, weights.name, report)
    display.note(_table(units, finished, report))
    report.seconds = time.perf_counter() - began
    report.warnings = display.warnings
    return report


def unit_keys(
    units: Sequence[Unit], job: Job, masks: dict[Path, list[Path]], weights: Weights
) -> dict[Unit, str]:
    """For each unit a hash of everything that decides its look; empty when its photo cannot be read.

    Of a folder of masks only the photo's own count.
    """
    styles = dict.fromkeys(unit.style for unit in units)
    records = {
        style: record_of(replace(job, content=style.path, styles=(style,)), weights) for style in styles
    }
    photos: dict[Path, str] = {}
    keys = {}
    for unit in units:
        if unit.photo not in photos:
            try:
                photos[unit.photo] = file_hash(unit.photo)
            except UsageError:
                photos[unit.photo] = ""
        record = {**records[unit.style], "content": photos[unit.photo]}
        for key in ("pair", "format"):  # they decide names, not looks
            record.pop(key)
        if masks[unit.photo]:
            record["masks"] = [file_hash(file) for file in masks[unit.photo]]
            record["mask"], record["mask_preserve"] = len(record["mask"]), bool(record["mask_preserve"])
        text = json.dumps(record, sort_keys=True)
        keys[unit] = hashlib.sha256(text.encode()).hexdigest() if record["content"] else ""
    return keys


def _finished(
    folder: Path, units: Sequence[Unit], keys: dict[Unit, str], display: Display, *, overwrite: bool
) -> set[Unit]:
    """Units whose result is there and came of the same settings; a result of others is in the way.

    One that was changed since is left as it is, and named: somebody may have worked on it.
    """
    known: dict[str, str] = {}
    hashes: dict[str, str] = {}
    if (folder / JOURNAL).is_file():
        for line in (folder / JOURNAL).read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entry = json.loads(line)
                known[entry["output"]] = entry["key"]
                hashes[entry["output"]] = entry.get("sha256", "")
            except (ValueError, TypeError, KeyError):
                continue
    existing = [unit for unit in units if unit.output.exists()]
    same = {unit for unit in existing if known.get(_name(unit, folder)) == keys[unit]}
    for unit in same:
        if hashes[_name(unit, folder)] not in ("", file_hash(unit.output)):
            display.warn(
                f"{unit.output}: was changed since it was made, and stays; delete it to make it again"
            )
    other = [unit for unit in existing if unit not in same]
    if other and not overwrite:
        raise UsageError(
            f"{other[0].output}: exists already and is not of this job"
            f"{f' (nor are {len(other) - 1} others)' if len(other) > 1 else ''}; "
            f"give --overwrite to replace it, or choose another output folder"
        )
    return same


def _name(unit: Unit, folder: Path) -> str:
    return unit.output.relative_to(folder).as_posix()


def _do_units(
    job: Job, units: Sequence[Unit], keys: dict[Unit, str], masks: dict[Path, list[Path]],
    weights: Weights, snapshots: Path | None, report: Report, display: Display, *, offline: bool,
) -> list[Path]:  # fmt: skip
    """Stylize the photos; gives the snapshot folders of those that succeeded."""
    from stylize.errors import StylizeError
    from video.errors import VideoError

    movies: list[Path] = []
    stylizer: Stylizer | None = None
    style: StyleSource | None = None
    price = unit_cost(job.stylize, (job.settings.size, job.settings.size))
    with display.work(price * len(units)) as work:
        for number, unit in enumerate(units, start=1):
            label = f"photo {number}/{len(units)} {unit.photo.name}  "
            try:
                content = read_picture(unit.photo, job.settings.size, job.stylize.minimum_side)
                note_pages(unit.photo, display)
                if stylizer is None or unit.style != style or job.settings.preserve_color == "histogram":
                    stylizer = build_stylizer(
                        job,
                        (unit.style,),
                        job.settings.size,
                        weights,
                        display,
                        palette=content,
                        offline=offline,
                    )
                    style = unit.style
                folder = snapshots / f"{number:05d}" if snapshots else None
                look = look_of(job.settings, 1, masks_of_picture(masks[unit.photo], content))
                result = optimise(stylizer, content, job.settings, work, label, folder, unit.photo.name, look)
                _write(job.output, unit, keys[unit], result.picture)
                report.add(result)
                display.detail(f"{label}{result_line(result)}")
                movies += [folder] if folder else []
            except (VideoError, StylizeError, PipelineError) as error:
                report.failed[_name(unit, job.output)] = str(error)
                display.error(f"failed: {error}")
            work.move_to(price * number)
    return movies


def _write(folder: Path, unit: Unit, key: str, picture: FloatImage) -> None:
    """Write a result and its line in the journal, with the file's hash.

    A line of a new file comes before it, too: after a crash in between the file is known to be of this job.
    A file that is replaced keeps its old line until it is.
    """
    from video.images import write_image

    entry = {"output": _name(unit, folder), "photo": str(unit.photo), "key": key}
    try:
        unit.output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PipelineError(f"{unit.output.parent}: the folder cannot be made: {error.strerror}") from None
    new = not unit.output.exists()
    if new:
        append_durably(folder / JOURNAL, json.dumps(entry))
    write_image(unit.output, picture, overwrite=True)
    append_durably(folder / JOURNAL, json.dumps({**entry, "sha256": file_hash(unit.output)}))


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


def _table(units: Sequence[Unit], finished: set[Unit], report: Report) -> str:
    """A line a style: how many photos were done now, found finished, and failed."""
    rows = [("style", "done", "already there", "failed")]
    for style in dict.fromkeys(unit.style for unit in units):
        mine = [unit for unit in units if unit.style == style]
        there = sum(unit in finished for unit in mine)
        failed = sum(_name(unit, Path(report.output)) in report.failed for unit in mine)
        rows.append((style.path.name, str(len(mine) - there - failed), str(there), str(failed)))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join(lines)
