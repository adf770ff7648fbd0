"""The journal in an album's output folder: which results are done, and what decided their look."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.album.names import JOURNAL, journal_lines
from pipeline.album.units import StyledPhoto
from pipeline.errors import PipelineError, UsageError
from pipeline.progress.display import Display
from pipeline.progress.wording import counted
from pipeline.run_folder.differences import difference
from pipeline.run_folder.files import append_durably, file_hash
from pipeline.run_folder.record import record_of
from pipeline.settings.job import Job
from pipeline.settings.job_settings import AlbumSettings
from stylize.config import StylizeConfig
from stylize.knobs import details_of

if TYPE_CHECKING:
    from stylize.weights import Weights


@dataclass(frozen=True)
class UnitKey:
    """A hash of everything that decides a unit's look, and that of its photo; empty: it cannot be read.

    `settings` are those of the first that are not the defaults, for people.
    """

    look: str
    photo: str
    settings: dict[str, Any]


def unit_keys(
    units: Sequence[StyledPhoto], job: Job, masks: dict[Path, list[Path]], weights: Weights
) -> dict[StyledPhoto, UnitKey]:
    """The key of each unit; of a folder of masks only the photo's own count."""
    styles = dict.fromkeys(unit.style for unit in units)
    records = {
        style: record_of(replace(job, content=style.path, styles=(style,)), weights) for style in styles
    }
    photos = {photo: _hash_of(photo) for photo in dict.fromkeys(unit.photo for unit in units)}
    palette = sorted(photos.values()) if has_common_palette(job) else []
    knobs = details_of(job.stylize, job.settings)
    keys: dict[StyledPhoto, UnitKey] = {}
    for unit in units:
        record = {**records[unit.style], "content": photos[unit.photo]}
        for key, details in knobs.items():
            if details.decides == "name":
                record.pop(key)
        if palette:
            record["palette"] = palette
        if masks[unit.photo]:
            record["masks"] = [_hash_of(file) for file in masks[unit.photo]]
            record |= {
                key: len(record[key]) if details.multiple else bool(record[key])
                for key, details in knobs.items()
                if details.decides == "place"
            }
        text = json.dumps(record, sort_keys=True)
        known = record["content"] and "" not in record.get("masks", [])
        look = hashlib.sha256(text.encode()).hexdigest() if known else ""
        keys[unit] = UnitKey(look, photos[unit.photo], _chosen(record))
    return keys


def _chosen(record: dict[str, Any]) -> dict[str, Any]:
    """What is the choice of who asked for it: settings that are not the defaults, network and version."""
    usual = _defaults()
    return {
        key: value
        for key, value in record.items()
        if key not in ("command", "content", "styles", "palette", "masks") and value != usual.get(key)
    }


def _defaults() -> dict[str, Any]:
    """Of all settings, as a record has them."""
    usual = vars(StylizeConfig()) | vars(AlbumSettings())
    return {key: list(value) if isinstance(value, tuple) else value for key, value in usual.items()}


def _hash_of(file: Path) -> str:
    """A file's hash; empty when it cannot be read, which whoever works on it says."""
    try:
        return file_hash(file)
    except UsageError:
        return ""


def has_common_palette(job: Job) -> bool:
    """Whether the style pictures get the colours of all photos together."""
    settings = job.settings
    return (
        isinstance(settings, AlbumSettings) and settings.together and settings.preserve_color == "histogram"
    )


def finished_units(
    folder: Path,
    units: Sequence[StyledPhoto],
    keys: dict[StyledPhoto, UnitKey],
    display: Display,
    *,
    overwrite: bool,
) -> set[StyledPhoto]:
    """Units whose result is there and came of the same settings; a result of others is in the way.

    One that was changed since is left as it is, and named: somebody may have worked on it. The result of a
    photo that was changed since, or cannot be read any more, stays, too.
    """
    entries = {entry["output"]: entry for entry in journal_lines(folder)}  # the last one of each counts
    existing = [unit for unit in units if os.path.exists(unit.output)]
    same, other = set(), []
    for unit in existing:
        entry, key = entries.get(name_of(unit, folder)), keys[unit]
        if entry is None:
            other.append(unit)
        elif key.look == entry["key"]:
            same.update([unit] if _is_done(unit, entry, display) else [])
        elif key.look and not overwrite and entry.get("photo_sha256", key.photo) != key.photo:
            display.warn(
                f"{unit.photo}: has changed since {unit.output} was made, which stays; "
                "--overwrite makes it again"
            )
            same.add(unit)
        elif key.look:
            other.append(unit)
    if other and not overwrite:
        more = counted(len(other) - 1, "other")
        verb = "is" if len(other) == 2 else "are"
        raise UsageError(
            f"{other[0].output}: exists already and is not of this job"
            f"{f', nor {verb} {more}' if len(other) > 1 else ''}"
            f"{_told_apart(entries.get(name_of(other[0], folder)), keys[other[0]])}; "
            "give the settings and the network it was made with, --overwrite to replace it, or another folder"
        )
    return same


def _told_apart(entry: dict[str, Any] | None, key: UnitKey) -> str:
    """What a result was made with that the job has not; empty where its line does not say."""
    settings = (entry or {}).get("settings")
    if not isinstance(settings, dict):
        return ""
    there, now = _defaults() | settings, _defaults() | key.settings
    apart = [
        difference(one, there.get(one), now.get(one))
        for one in dict.fromkeys((*settings, *key.settings))
        if there.get(one) != now.get(one)
    ]
    return f" ({'; '.join(apart) or 'another painting, mask or palette'})"


def _is_done(unit: StyledPhoto, entry: dict[str, Any], display: Display) -> bool:
    """Whether a result of the same settings is whole: one that was being written may be a part of it."""
    found = _hash_of(unit.output)
    if "sha256" not in entry:
        return entry.get("will_be", found) == found
    if entry["sha256"] != found:
        display.warn(f"{unit.output}: was changed since it was made, and stays; delete it to make it again")
    return True


def name_of(unit: StyledPhoto, folder: Path) -> str:
    """A result's name in the output folder, with sub-folders."""
    return unit.output.relative_to(folder).as_posix()


def write_result(folder: Path, unit: StyledPhoto, key: UnitKey, data: bytes) -> None:
    """Write a result's file and its line in the journal, with the file's hash.

    A line of a new file comes before it, too, with what its hash will be: after a crash in between one knows
    that the file is of this job, and whether it is whole. A file that is replaced keeps its line until then.
    """
    from video.images import write_whole

    entry: dict[str, Any] = {"output": name_of(unit, folder), "photo": str(unit.photo), "key": key.look}
    entry |= {"photo_sha256": key.photo, "settings": key.settings}
    if unit.folder:
        entry.update(style=str(unit.style.path.absolute()), folder=unit.folder)
    try:
        unit.output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PipelineError(
            f"{unit.output.parent}: the folder cannot be made: {error.strerror}; move what is in its way"
        ) from None
    new = not os.path.exists(unit.output)
    if new:
        will_be = hashlib.sha256(data).hexdigest()
        append_durably(folder / JOURNAL, json.dumps({**entry, "will_be": will_be}))
    write_whole(unit.output, data)
    append_durably(folder / JOURNAL, json.dumps({**entry, "sha256": file_hash(unit.output)}))
