"""Some pictures of a job that stand for all of them, at a small size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clip.masks import check_clip_masks, masks_of_clip
from pipeline.errors import PipelineError
from pipeline.montage.contact_sheet import evenly
from pipeline.progress.display import Display
from pipeline.progress.report import Report
from pipeline.settings.job import Job, StyleSource
from pipeline.settings.job_settings import AlbumSettings, VideoSettings
from pipeline.styling.looks import look_of, mask_files, masks_of_picture, warn_of_empty
from pipeline.styling.pictures import read_picture
from video.names import shown

if TYPE_CHECKING:
    from pipeline.clip.source import Clip
    from stylize.look import Look
    from stylize.types import FloatImage


AREA = 256 * 171
"""Pixels of a sample's picture: 256 on the longer side at 3:2."""


@dataclass(frozen=True)
class Sample:
    """One picture of a job.

    Attributes
    ----------
    content
        At the sample's size.
    longer
        The longer side of the full-size result.
    look
        For the content.
    styles, palette
        As for `build_stylizer`.
    """

    content: FloatImage
    longer: int
    look: Look
    styles: tuple[StyleSource, ...]
    palette: FloatImage | None
    caption: str


def sample_side(width: int, height: int, size: int) -> int:
    """The longer side of the sample of a picture whose result would have at most `size`."""
    longer, shorter = max(width, height), min(width, height)
    return max(16, min(size, longer, round(math.sqrt(AREA * longer / shorter))))


def samples_of(job: Job, count: int, report: Report, display: Display) -> Iterator[Sample]:
    """At most `count` pictures that stand for a job's: its picture, or frames or photos spread over all.

    A photo that cannot be read is named, in the report too, and left out.
    """
    if job.command == "video":
        return _frames(job, count, display)
    if job.command == "album":
        return _photos(job, count, report, display)
    return iter([_photo(job, job.content, job.styles, None, job.content.parent, display)])


def _photo(
    job: Job, path: Path, styles: tuple[StyleSource, ...], palette: FloatImage | None, root: Path,
    display: Display,
) -> Sample:  # fmt: skip
    from video.images import read_image

    own_palette = palette is None and job.settings.preserve_color == "histogram"
    height, width = read_image(path).shape[:2]
    side = sample_side(width, height, job.settings.size)
    content = read_picture(path, side, job.stylize.minimum_side)
    files = mask_files(job.settings, [path], root)[path]
    masks = masks_of_picture(files, content, path)
    look = look_of(job.settings, len(styles), masks)
    warn_of_empty(job.settings, look, files, masks, path, display)
    return Sample(
        content, min(job.settings.size, max(height, width)), look, styles,
        content if own_palette else palette, shown(path.name),
    )  # fmt: skip


def _photos(job: Job, count: int, report: Report, display: Display) -> Iterator[Sample]:
    """Photos of an album, spread over all of it and over its styles; those of one style stand together."""
    from pipeline.album.journal import has_common_palette
    from pipeline.album.units import captions_of, common_palette, plan_units
    from stylize.errors import StylizeError
    from video.errors import VideoError

    assert isinstance(job.settings, AlbumSettings)
    units = plan_units(job, job.settings, display)
    photos = list(dict.fromkeys(unit.photo for unit in units))
    palette = common_palette(photos) if has_common_palette(job) else None
    captions = captions_of(units)
    for number in evenly(len(units), count):
        unit = units[number]
        try:
            one = _photo(job, unit.photo, (unit.style,), palette, job.content, display)
        except (VideoError, StylizeError, PipelineError) as error:
            report.failed[unit.photo.relative_to(job.content).as_posix()] = str(error)
            display.error(f"failed: {error}")
            continue
        yield replace(one, caption=captions[unit])


def _frames(job: Job, count: int, display: Display) -> Iterator[Sample]:
    """Frames spread over a clip, each like a picture of its own, with the look of its place."""
    from pipeline.clip.source import frame_size, open_clip
    from pipeline.clip.timeline import timeline_of
    from pipeline.styling.pictures import pictures_of
    from video.decode import FrameRange
    from video.sample_frames import sample_frames

    settings = job.settings
    assert isinstance(settings, VideoSettings)
    clip = open_clip(job.content, settings, job.stylize.minimum_side)
    timeline = timeline_of(job.styles, settings, clip)
    longer = max(clip.size)
    side = sample_side(*clip.size, settings.size)
    clip = replace(clip, size=frame_size(job.content, clip.source, side, job.stylize.minimum_side))
    styles = sum(len(pictures_of(style)) for style in job.styles)
    check_clip_masks(settings, clip, styles, display)
    chosen = [clip.indices[place] for place in evenly(len(clip.indices), count)] or [clip.wanted.start]
    palette: FloatImage | None = None
    starts = _shot_starts(clip, chosen[-1], display) if settings.shot else []

    def shot_of(index: int) -> int:
        return sum(start <= index for start in starts)

    for index, content in sample_frames(clip.source, chosen, clip.size):
        if palette is None and settings.preserve_color == "histogram":
            palette = content
        with closing(masks_of_clip(settings, replace(clip, wanted=FrameRange(index, index + 1)))) as masks:
            look = look_of(settings, styles, next(masks), timeline.at(index, shot_of(index)))
        yield Sample(content, longer, look, job.styles, palette, f"frame {index}")


def _shot_starts(clip: Clip, last: int, display: Display) -> list[int]:
    """The frames up to `last` that begin a shot. To find them the clip is decoded up to there."""
    from video.scenes import with_shot_starts

    starts = []
    with closing(clip.contents(display)) as frames:
        for index, _, begins in with_shot_starts(frames, clip.cuts):
            if index > last:
                break
            starts += [index] * begins
    return starts
