"""What of an album is done: a journal in the output folder, with what decided each result's look."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.album_names import JOURNAL, journal_lines
from pipeline.album_units import Unit
from pipeline.config import Job
from pipeline.errors import PipelineError, UsageError
from pipeline.files import append_durably, file_hash
from pipeline.finish import record_of
from pipeline.log import Display
from pipeline.settings import AlbumSettings

if TYPE_CHECKING:
    from stylize.weights import Weights


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
    for unit in units:
        if unit.photo not in photos:
            try:
                photos[unit.photo] = file_hash(unit.photo)
            except UsageError:
                photos[unit.photo] = ""
    palette = sorted(photos.values()) if has_common_palette(job) else []
    keys = {}
    for unit in units:
        record = {**records[unit.style], "content": photos[unit.photo]}
        for key in ("pair", "format", "together"):  # they decide names and order, not looks
            record.pop(key)
        if palette:
            record["palette"] = palette
        if masks[unit.photo]:
            record["masks"] = [file_hash(file) for file in masks[unit.photo]]
            record["mask"], record["mask_preserve"] = len(record["mask"]), bool(record["mask_preserve"])
        text = json.dumps(record, sort_keys=True)
        keys[unit] = hashlib.sha256(text.encode()).hexdigest() if record["content"] else ""
    return keys


def has_common_palette(job: Job) -> bool:
    """Whether the style pictures get the colours of all photos together."""
    settings = job.settings
    return (
        isinstance(settings, AlbumSettings) and settings.together and settings.preserve_color == "histogram"
    )


def finished_units(
    folder: Path, units: Sequence[Unit], keys: dict[Unit, str], display: Display, *, overwrite: bool
) -> set[Unit]:
    """Units whose result is there and came of the same settings; a result of others is in the way.

    One that was changed since is left as it is, and named: somebody may have worked on it.
    """
    known: dict[str, str] = {}
    hashes: dict[str, str] = {}
    for entry in journal_lines(folder):
        known[entry["output"]] = entry["key"]
        hashes[entry["output"]] = entry.get("sha256", "")
    existing = [unit for unit in units if os.path.exists(unit.output)]
    same = {unit for unit in existing if known.get(name_of(unit, folder)) == keys[unit]}
    for unit in same:
        if hashes[name_of(unit, folder)] not in ("", file_hash(unit.output)):
            display.warn(
                f"{unit.output}: was changed since it was made, and stays; delete it to make it again"
            )
    other = [unit for unit in existing if unit not in same]
    if other and not overwrite:
        raise UsageError(
            f"{other[0].output}: exists already and is not of this job"
            f"{f' (nor are {len(other) - 1} others)' if len(other) > 1 else ''}; "
            "give the settings and the network it was made with, --overwrite to replace it, or another folder"
        )
    return same


def name_of(unit: Unit, folder: Path) -> str:
    """A result's name in the output folder, with sub-folders."""
    return unit.output.relative_to(folder).as_posix()


def write_result(job: Job, unit: Unit, key: str, data: bytes) -> None:
    """Write a result's file and its line in the journal, with the file's hash.

    A line of a new file comes before it, too: after a crash in between the file is known to be of this job.
    A file that is replaced keeps its old line until it is.
    """
    from video.images import write_whole

    folder = job.output
    entry = {"output": name_of(unit, folder), "photo": str(unit.photo), "key": key}
    if unit.folder:
        entry.update(style=str(unit.style.path.absolute()), folder=unit.folder)
    try:
        unit.output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PipelineError(f"{unit.output.parent}: the folder cannot be made: {error.strerror}") from None
    new = not os.path.exists(unit.output)
    if new:
        append_durably(folder / JOURNAL, json.dumps(entry))
    write_whole(unit.output, data)
    append_durably(folder / JOURNAL, json.dumps({**entry, "sha256": file_hash(unit.output)}))
