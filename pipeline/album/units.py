"""Which photo of an album is done in which style, and where its result goes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.album.names import JOURNAL, AlbumNames, Wanted
from pipeline.errors import UsageError
from pipeline.progress.display import Display
from pipeline.run_folder.folder import run_path
from pipeline.settings.job import Job, StyleSource
from pipeline.settings.job_settings import AlbumSettings
from video.names import shown

if TYPE_CHECKING:
    from stylize.types import FloatImage


_PALETTE_PHOTOS, _PALETTE_SIDE = 200, 48


@dataclass(frozen=True)
class StyledPhoto:
    """One photo to be done in one style; its results' folder within the output if each style has one."""

    photo: Path
    style: StyleSource
    output: Path
    folder: str = ""


def plan_units(job: Job, settings: AlbumSettings, display: Display) -> list[StyledPhoto]:
    """Which photo is done in which style, and the file it goes to; photos of one style stand together.

    Sub-folders that cannot be listed are named, and the rest goes on.

    Raises
    ------
    UsageError
        If there are no photos or no styles, or a style has a weight.
    """
    from video.images import list_pictures
    from video.picture_formats import is_clip

    if not job.content.is_dir():
        other = "one picture use `deepfusion image`"
        if is_clip(job.content):
            other = "a clip use `deepfusion video`"
        raise UsageError(f"{job.content}: is not a folder; for {other}")
    photos = _without_results(list_pictures(job.content, display.warn), job.content, job.output)
    if not photos:
        raise UsageError(f"{job.content}: there are no pictures in this folder")
    if settings.together:
        photos = _as_taken(photos)
    styles = list(_expanded(job.styles, job.output, display))
    names = AlbumNames(job.output)
    pairs: list[tuple[Path, StyleSource, str]]
    if settings.pair == "cycle":
        pairs = [(photo, styles[number % len(styles)], "") for number, photo in enumerate(photos)]
        pairs.sort(key=lambda pair: styles.index(pair[1]))
    else:
        folders = names.style_folders(styles) if len(styles) > 1 else [""]
        pairs = [
            (photo, style, name) for style, name in zip(styles, folders, strict=True) for photo in photos
        ]
    results = names.results(
        [Wanted(name, photo.relative_to(job.content), _suffix(settings, photo)) for photo, _, name in pairs]
    )
    return [
        StyledPhoto(photo, style, job.output / result, name)
        for (photo, style, name), result in zip(pairs, results, strict=True)
    ]


def _as_taken(photos: Sequence[Path]) -> list[Path]:
    """Photos in the order they were taken; those that do not say when stand behind, as they were."""
    from video.exif import taken

    times = {photo: taken(photo) for photo in photos}
    return sorted(photos, key=lambda photo: (times[photo] is None, times[photo] or datetime.min))


def captions_of(units: Sequence[StyledPhoto]) -> dict[StyledPhoto, str]:
    """What stands under a unit on a sheet: its photo, and on a second line its style if there are several."""
    several = len({unit.style for unit in units}) > 1
    return {
        unit: "\n".join(map(shown, (unit.photo.name, unit.style.path.stem)[: 1 + several])) for unit in units
    }


def common_palette(photos: Sequence[Path]) -> FloatImage:
    """The colours of photos taken together: some of them, spread over all, each as large as the others.

    Raises
    ------
    UsageError
        If none of them can be read.
    """
    import numpy as np

    from pipeline.montage.contact_sheet import evenly
    from video.errors import VideoError
    from video.images import read_image, resize_image

    small, problem = [], ""
    for number in evenly(len(photos), _PALETTE_PHOTOS):
        try:
            small.append(resize_image(read_image(photos[number]), (_PALETTE_SIDE, _PALETTE_SIDE)))
        except VideoError as error:  # named when its turn comes
            problem = str(error)
    if not small:
        raise UsageError(f"{photos[0].parent}: of the photos none can be read ({problem})")
    return np.concatenate(small)


def _without_results(pictures: Sequence[Path], folder: Path, output: Path) -> list[Path]:
    """`pictures` of `folder` without what an album, this one or another, has left somewhere in it."""

    def is_result(place: Path) -> bool:
        if place == folder:
            return False
        ours = place.resolve() in (output.resolve(), run_path(output).resolve())
        return (
            ours or os.path.exists(place / JOURNAL) or place.name.endswith(".run") or is_result(place.parent)
        )

    places = {place: is_result(place) for place in {path.parent for path in pictures}}
    return [path for path in pictures if not places[path.parent]]


def _expanded(sources: Sequence[StyleSource], output: Path, display: Display) -> Iterator[StyleSource]:
    """Every style picture; a folder stands for the pictures in it."""
    from video.images import list_pictures

    for source in sources:
        if source.weight != 1.0:
            raise UsageError(f"--style {source}: an album uses its styles one by one; leave the weight out")
        if source.path.is_dir():
            pictures = _without_results(list_pictures(source.path, display.warn), source.path, output)
            if not pictures:
                raise UsageError(f"{source.path}: there are no pictures in this folder")
            yield from (StyleSource(path) for path in pictures)
        else:
            yield source


def _suffix(settings: AlbumSettings, photo: Path) -> str:
    """What the result of a photo ends in: PNG where its own format cannot be written."""
    from video.images import WRITABLE_SUFFIXES

    suffix = photo.suffix if settings.format == "same" else f".{settings.format}"
    if photo.suffix.lower() == suffix.lower():
        suffix = photo.suffix
    return suffix if suffix.lower() in WRITABLE_SUFFIXES else ".png"
