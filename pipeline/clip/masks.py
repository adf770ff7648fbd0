"""Masks of a clip: one picture for all frames, a folder of them, or a clip."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError, UsageError
from pipeline.progress.display import Display
from pipeline.settings.common_settings import JobSettings
from pipeline.settings.job_settings import mask_paths
from pipeline.styling.looks import (
    NOTHING,
    Masks,
    check_shape,
    look_of,
    plane_of,
    read_mask,
    warn_of_black,
    warn_of_empty,
)

if TYPE_CHECKING:
    from pipeline.clip.source import Clip
    from stylize.look import Plane
    from stylize.types import FloatImage
    from video.probe import ClipInfo
    from video.sequence import FrameFolder


def masks_of_clip(settings: JobSettings, clip: Clip) -> Generator[Masks, None, None]:
    """The masks of each frame of a clip, in step with its frames; without an end for pictures.

    Raises
    ------
    UsageError
        Before the first: if a mask is of another shape, or has fewer frames than the clip.
    PipelineError
        At a frame that a mask turns out not to have.
    """
    with ExitStack() as stack:
        paths = mask_paths(settings)
        marks = clip.mask_marks or [()] * len(paths)
        sources = [_planes_of(path, clip, of, stack) for path, of in zip(paths, marks, strict=True)]
        number = clip.wanted.start
        while True:
            planes = []
            for path, source in zip(paths, sources, strict=True):
                plane = next(source, None)
                if plane is None:
                    raise PipelineError(
                        f"{path}: ends before frame {number} of the clip; give it every frame"
                    )
                planes.append(plane)
            yield tuple(planes)
            number += 1


def check_clip_masks(settings: JobSettings, clip: Clip, styles: int, display: Display) -> None:
    """What `masks_of_clip` would refuse at the first frame, before any work; says which styles go nowhere.

    That is known of pictures alone: a mask that moves may come later.
    """
    files = mask_paths(settings)
    with closing(masks_of_clip(settings, clip)) as masks:
        planes = next(masks)
    if all(map(_is_picture, files)):
        look = look_of(settings, styles, planes)
        warn_of_empty(settings, look, files, planes, clip.source.path, display)
    else:
        still = [plane if _is_picture(file) else None for file, plane in zip(files, planes, strict=True)]
        warn_of_black(settings, files, still, display)


def marks_of_masks(settings: JobSettings, clip: Clip) -> Generator[tuple[bytes | None, ...], None, None]:
    """A mark of each mask's frame (`video.excerpt`), in step with the clip's frames, without an end.

    None for a mask that is no clip, and behind the end of one.
    """
    from video.excerpt import mark_of

    with ExitStack() as stack:
        sources: list[Iterator[FloatImage]] = []
        for path in mask_paths(settings):
            frames: Iterator[FloatImage] = iter(())
            if not _is_picture(path) and not path.is_dir():
                frames = stack.enter_context(closing(_frames_of(path, clip)))
            sources.append(frames)
        while True:
            row = [next(source, None) for source in sources]
            yield tuple(None if frame is None else mark_of(frame) for frame in row)


def _planes_of(path: Path, clip: Clip, marks: tuple[bytes, ...], stack: ExitStack) -> Iterator[Plane]:
    """A mask's planes at the clip's size, from the first wanted frame on."""
    width, height = clip.size
    if _is_picture(path):
        picture = read_mask(path)
        check_shape(path, picture.shape[1::-1], clip.source.path, (clip.source.width, clip.source.height))
        return repeat(plane_of(picture, width, height))
    frames = stack.enter_context(closing(_frames_of(path, clip, marks)))
    return (plane_of(frame, width, height) for frame in frames)


def _frames_of(path: Path, clip: Clip, marks: tuple[bytes, ...] = ()) -> Generator[FloatImage, None, None]:
    """The frames of a mask that moves, in step with the clip's."""
    return clip.frames_of(_moving(path, clip), marks, background=NOTHING)


def _is_picture(path: Path) -> bool:
    """Whether a mask is one picture, the same for all frames."""
    from video.images import PICTURE_SUFFIXES

    return not path.is_dir() and path.suffix.lower() in PICTURE_SUFFIXES


def _moving(path: Path, clip: Clip) -> ClipInfo | FrameFolder:
    """A mask that is a clip or a folder of frames; UsageError if it cannot be one of this clip."""
    from video.probe import probe
    from video.sequence import open_folder

    source: ClipInfo | FrameFolder = open_folder(path) if path.is_dir() else probe(path)
    own = clip.source.width, clip.source.height
    check_shape(path, (source.width, source.height), clip.source.path, own)
    wanted = clip.indices
    if source.frames and wanted and source.frames <= wanted[-1]:
        raise UsageError(
            f"{path}: has {source.frames} frames, and the clip goes on to frame {wanted[-1]}; "
            f"a mask follows the clip frame by frame"
        )
    return source
