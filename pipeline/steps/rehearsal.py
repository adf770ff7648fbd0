"""Before the first iteration: whether the drives of a job's outputs take what it will do there at its end."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pipeline.progress.display import Display
from pipeline.run_folder.lock import can_lock
from pipeline.settings.job import Job
from pipeline.settings.run_options import RunOptions
from video.drives import limits_of


def outputs_of(job: Job, options: RunOptions) -> list[Path]:
    """Every file that a job will leave, the first of them its result, or the folder of an album."""
    return [job.output, *options.files]


def rehearse(outputs: Iterable[Path], run: Path | None, display: Display) -> None:
    """Write, flush, rename and delete a file on every drive that gets one, and lock it at the run folder.

    What a drive cannot do is a note with what is done instead.

    Raises
    ------
    InputError, EncodeError
        If nothing can be written: the drive is read-only, full or broken.
    """
    from video.outputs import partial_name, unwritable

    drives: dict[int, tuple[Path, Path, Path | None, bool]] = {}
    for path in (*outputs, *([] if run is None else [run])):
        folder = _folder_for(path)
        try:
            drive = folder.stat().st_dev
            first, folder, replaced, locked = drives.get(drive, (path, folder, None, False))
            replaced = path if path.is_file() else replaced
        except OSError as error:
            raise unwritable(path, error) from None
        drives[drive] = first, folder, replaced, locked or path == run
    for first, folder, replaced, locked in drives.values():
        try:
            names = (folder / partial_name(first), folder / partial_name(first))
            limits = limits_of(*names, replaced, can_lock if locked else None)
        except OSError as error:
            raise unwritable(first, error) from None
        if limits:
            display.warn(f"{folder}: this drive cannot {'; it cannot '.join(limits)}")


def _folder_for(path: Path) -> Path:
    """The folder that a file or a folder goes into: itself if it is one, else the nearest above it."""
    place = Path(os.path.realpath(path))
    while not place.is_dir() and place != place.parent:
        place = place.parent
    return place
