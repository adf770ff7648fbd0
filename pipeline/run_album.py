"""A folder of photos in, a folder of stylized photos out."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.checks import check_inputs, check_outputs
from pipeline.config import Job, StyleSource
from pipeline.engine import (
    RunOptions,
    build_stylizer,
    choose_weights,
    follow,
    read_picture,
    start_picture,
    unit_cost,
)
from pipeline.errors import PipelineError, UsageError
from pipeline.estimate import Plan, plan_pictures
from pipeline.finish import make_movie, record_of, save_settings
from pipeline.log import Display, Work
from pipeline.report import Report
from pipeline.rundir import RunFolder, file_hash, run_path
from pipeline.settings import AlbumSettings
from pipeline.snapshots import SnapshotRecorder

if TYPE_CHECKING:
    from stylize.stylizer import Stylizer
    from stylize.weights import Weights

JOURNAL = "deepfusion-album.jsonl"
"""In the output folder: a line a finished photo, with what decided its look."""


@dataclass(frozen=True)
class Unit:
    """One photo to be done in one style."""

    photo: Path
    style: StyleSource
    output: Path


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
    units = plan_units(job, settings)
    check_folder(job.output)
    weights = choose_weights(job, display, offline=options.offline)
    keys = {unit: unit_key(unit, job, weights) for unit in units}
    finished = _finished(job.output, units, keys, overwrite=options.overwrite)
    todo = [unit for unit in units if unit not in finished]
    if options.dry_run:
        return _plan(job, todo, weights, display)
    report = Report("album", str(job.output), backbone=weights.name, frames=len(units), skipped=len(finished))
    run = RunFolder(run_path(job.output), record_of(job, weights), restart=True) if options.wants_snapshots else None
    movies = _do_units(job, todo, keys, weights, run, report, display)
    report.frames = report.done + report.skipped
    if run is not None:
        make_movie(movies, options, report)
        if options.keep_run:
            report.also["run folder"] = str(run.path)
        else:
            run.remove()
    save_settings(job, options, weights.name, report)
    display.note(_table(units, finished, report))
    report.seconds = time.perf_counter() - began
    report.warnings = display.warnings
    return report


def plan_units(job: Job, settings: AlbumSettings) -> list[Unit]:
    """Which photo is done in which style, and the file it goes to; photos of one style stand together.

    Raises
    ------
    UsageError
        If there are no photos or no styles, or a style has a weight.
    """
    from video.images import list_pictures

    if not job.content.is_dir():
        raise UsageError(f"{job.content}: is not a folder; for one picture use `deepfusion image`")
    inside = job.output.resolve()
    photos = [path for path in list_pictures(job.content) if not path.resolve().is_relative_to(inside)]
    if not photos:
        raise UsageError(f"{job.content}: there are no pictures in this folder")
    styles = list(_expanded(job.styles))
    pairs: list[tuple[Path, StyleSource, str | None]]
    if settings.pair == "cycle":
        pairs = [(photo, styles[number % len(styles)], None) for number, photo in enumerate(photos)]
        pairs.sort(key=lambda pair: styles.index(pair[1]))
    else:
        names = _folder_names(styles)
        pairs = [(photo, style, name) for style, name in zip(styles, names, strict=True) for photo in photos]
    taken: set[Path] = set()
    return [
        Unit(photo, style, _output_path(job, photo, name, taken))  # one line a photo
        for photo, style, name in pairs
    ]


def _expanded(sources: Sequence[StyleSource]) -> Iterator[StyleSource]:
    """Every style picture; a folder stands for the pictures in it."""
    from video.images import list_pictures

    for source in sources:
        if source.weight != 1.0:
            raise UsageError(f"--style {source}: an album uses its styles one by one; leave the weight out")
        if source.path.is_dir():
            pictures = list_pictures(source.path)
            if not pictures:
                raise UsageError(f"{source.path}: there are no pictures in this folder")
            yield from (StyleSource(path) for path in pictures)
        else:
            yield source


def _folder_names(styles: Sequence[StyleSource]) -> list[str | None]:
    """A folder name for each style: its stem, made different where two are alike; none for a single style."""
    if len(styles) == 1:
        return [None]
    names: list[str | None] = []
    for style in styles:
        name, number = style.path.stem, 2
        while name in names:
            name, number = f"{style.path.stem}-{number}", number + 1
        names.append(name)
    return names


def _output_path(job: Job, photo: Path, folder: str | None, taken: set[Path]) -> Path:
    """Sub-folder and name of the photo in the output folder; PNG where its own format cannot be written."""
    from video.images import WRITABLE_SUFFIXES

    base = job.output / folder if folder else job.output
    path = base / photo.relative_to(job.content)
    if path.suffix.lower() not in WRITABLE_SUFFIXES:
        path = path.with_suffix(".png")
        if path in taken or photo.with_suffix(".png").exists():
            path = path.with_name(f"{photo.name}.png")
    taken.add(path)
    return path


def check_folder(folder: Path) -> None:
    """The output folder can be made or written to.

    Raises
    ------
    UsageError
        Otherwise.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; an album needs a folder as its output")
    parent = folder
    while not parent.exists():
        parent = parent.parent
    if not os.access(parent, os.W_OK | os.X_OK):
        raise UsageError(f"{folder}: {parent} is not writable; choose another output folder")


def unit_key(unit: Unit, job: Job, weights: Weights) -> str:
    """A hash of everything that decides the look of one result; empty when a file cannot be read."""
    record = record_of(replace(job, content=unit.style.path, styles=(unit.style,)), weights)
    try:
        record["content"] = file_hash(unit.photo)
    except OSError:
        return ""
    record.pop("pair", None)
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _finished(folder: Path, units: Sequence[Unit], keys: dict[Unit, str], *, overwrite: bool) -> set[Unit]:
    """Units whose result is there and came of the same settings; a result of others is in the way."""
    known: dict[str, str] = {}
    if (folder / JOURNAL).is_file():
        for line in (folder / JOURNAL).read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entry = json.loads(line)
                known[entry["output"]] = entry["key"]
            except (ValueError, TypeError, KeyError):
                continue
    existing = [unit for unit in units if unit.output.exists()]
    same = {unit for unit in existing if known.get(_name(unit, folder)) == keys[unit]}
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
    job: Job, units: Sequence[Unit], keys: dict[Unit, str], weights: Weights, run: RunFolder | None,
    report: Report, display: Display,
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
                if stylizer is None or unit.style != style:
                    stylizer = build_stylizer(job.stylize, (unit.style,), job.settings.size, weights)
                    style = unit.style
                folder = run.snapshots / f"{number:05d}" if run else None
                _do_unit(job, unit, stylizer, folder, work, label, report)
                _remember(job.output, unit, keys[unit])
                movies += [folder] if folder else []
            except (VideoError, StylizeError, PipelineError) as error:
                report.failed[str(unit.photo)] = str(error)
                display.note(f"failed: {error}")
            work.move_to(price * number)
    return movies


def _do_unit(
    job: Job, unit: Unit, stylizer: Stylizer, folder: Path | None, work: Work, label: str, report: Report
) -> None:
    """Stylize one photo."""
    from video.images import write_image

    content = read_picture(unit.photo, job.settings.size, job.stylize.minimum_side)
    show = follow(work, label)
    recorder = SnapshotRecorder(folder, title=unit.photo.name) if folder else None

    def callback(progress: Any) -> None:
        show(progress)
        if recorder is not None:
            recorder(progress)

    result = stylizer.stylize(content, initial=start_picture(job.stylize, content.shape), callback=callback)
    if recorder is not None:
        recorder.finish(result.picture, result.losses)
    unit.output.parent.mkdir(parents=True, exist_ok=True)
    write_image(unit.output, result.picture, overwrite=True)
    report.add(result)


def _remember(folder: Path, unit: Unit, key: str) -> None:
    with (folder / JOURNAL).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"output": _name(unit, folder), "photo": str(unit.photo), "key": key}) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _plan(job: Job, units: Sequence[Unit], weights: Weights, display: Display) -> Plan:
    """Plan from up to three photos that can be read."""
    from video.errors import VideoError

    contents = []
    for unit in units[:: max(1, len(units) // 3)]:
        try:
            contents.append(read_picture(unit.photo, job.settings.size, job.stylize.minimum_side))
        except (VideoError, PipelineError) as error:
            display.warn(str(error))
    if not contents:
        raise UsageError(f"{job.content}: nothing is left to do, or no photo can be read")
    stylizer = build_stylizer(job.stylize, (units[0].style,), job.settings.size, weights)
    return plan_pictures(job, stylizer, contents[:3], display, pictures=len(units))


def _table(units: Sequence[Unit], finished: set[Unit], report: Report) -> str:
    """A line a style: how many photos were done now, found finished, and failed; then the failures."""
    rows = [("style", "done", "already there", "failed")]
    for style in dict.fromkeys(unit.style for unit in units):
        mine = [unit for unit in units if unit.style == style]
        there = sum(unit in finished for unit in mine)
        failed = sum(unit not in finished and str(unit.photo) in report.failed for unit in mine)
        rows.append((style.path.name, str(len(mine) - there - failed), str(there), str(failed)))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [f"failed: {reason}" for reason in report.failed.values()]
    return "\n".join(lines)
