"""Masks of a job: where each style goes, and what stays as it was. Pictures, folders of them, or clips."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError, UsageError
from pipeline.settings import JobSettings

if TYPE_CHECKING:
    from pipeline.clips import Clip
    from stylize.look import Look, Plane
    from stylize.types import FloatImage
    from video.probe import ClipInfo
    from video.sequence import FrameFolder

_SAME_SHAPE = 0.02
"""By how much the shapes of a mask and its picture may differ, width over height."""

Masks = tuple["Plane", ...]
"""One plane for each mask of a job, in the order of `mask_paths`."""


def mask_paths(settings: JobSettings) -> list[Path]:
    """The masks of the styles in order, and after them what is preserved."""
    kept = [settings.mask_preserve] if settings.mask_preserve else []
    return [Path(os.path.expanduser(one)) for one in (*settings.mask, *kept)]


def check_masks(settings: JobSettings, styles: int) -> None:
    """UsageError if there are more masks than styles, or masks for an engine that knows none."""
    if len(settings.mask) > styles:
        raise UsageError(
            f"--mask: {len(settings.mask)} masks for {styles} style{'s' if styles > 1 else ''}; "
            f"give one each, in the order of the styles"
        )
    if settings.engine == "hub" and mask_paths(settings):
        raise UsageError("--mask and --mask-preserve need --engine optimize")


def look_of(settings: JobSettings, styles: int, masks: Masks, plain: Look | None = None) -> Look:
    """What a job's settings and a picture's masks make of the styles.

    A style without a mask goes where the others do not; nothing goes where the picture is preserved.
    `plain` is the look without masks, if it is not the settings' strength.
    """
    import numpy as np

    from stylize.look import Look, regions

    plain = Look(settings.strength) if plain is None else plain
    if not masks:
        return plain
    given = list(masks[: len(settings.mask)])
    places = regions([*given, *[None] * (styles - len(given))], masks[0].shape)
    if settings.mask_preserve:
        places *= 1.0 - masks[-1][..., None]
    return replace(plain, masks=tuple(np.moveaxis(places, -1, 0)))


def preserved(look: Look) -> Plane | None:
    """How far each pixel stays as it was, shape (H, W): where no style goes; None without masks."""
    import numpy as np

    if not look.masks:
        return None
    covered = np.sum([mask for mask in look.masks if mask is not None], axis=0)
    return np.asarray(np.clip(1.0 - covered, 0.0, 1.0), np.float32)


def mask_files(settings: JobSettings, photos: Iterable[Path], root: Path) -> dict[Path, list[Path]]:
    """The masks of each photo of an album: each a picture, or in a folder the picture of the photo's name.

    Parameters
    ----------
    root
        The album's folder: a photo in a sub-folder has its mask in one of the same name.

    Raises
    ------
    UsageError
        If a folder has none for one of them.
    """
    sources = [(path, _by_name(path) if path.is_dir() else None) for path in mask_paths(settings)]
    found: dict[Path, list[Path]] = {}
    for photo in photos:
        name = photo.relative_to(root)
        found[photo] = []
        for path, named in sources:
            if named is None:
                found[photo].append(path)
            elif name.with_suffix("") in named:
                found[photo].append(named[name.with_suffix("")])
            else:
                raise UsageError(f"{path}: has no mask for {name}; give a picture {name.with_suffix('.png')}")
    return found


def _by_name(folder: Path) -> dict[Path, Path]:
    """The pictures of a folder by sub-folder and name, whatever their format."""
    from video.images import list_pictures

    pictures = reversed(list_pictures(folder))  # of several of a name the first counts
    return {path.relative_to(folder).with_suffix(""): path for path in pictures}


def masks_of_picture(files: Sequence[Path], content: FloatImage) -> Masks:
    """The masks of one picture, at its size.

    Raises
    ------
    UsageError
        If one is of another shape than the content.
    """
    from video.images import read_image

    planes = []
    for file in files:
        picture = read_image(file)
        _check_shape(file, picture.shape[1], picture.shape[0], content.shape[1], content.shape[0])
        planes.append(_plane(picture, content.shape[1], content.shape[0]))
    return tuple(planes)


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


def check_clip_masks(settings: JobSettings, clip: Clip) -> None:
    """What `masks_of_clip` would refuse at the first frame, before any work."""
    with closing(masks_of_clip(settings, clip)) as masks:
        next(masks)


def marks_of_masks(settings: JobSettings, clip: Clip) -> Generator[tuple[bytes | None, ...], None, None]:
    """A mark of each mask's frame (`video.stretch`), in step with the clip's frames, without an end.

    None for a mask that is no clip, and behind the end of one.
    """
    from video.decode import read_frames
    from video.stretch import mark_of

    with ExitStack() as stack:
        sources: list[Iterator[FloatImage]] = []
        for path in mask_paths(settings):
            frames: Iterator[FloatImage] = iter(())
            if not _is_picture(path) and not path.is_dir():
                source = _moving(path, clip)
                frames = stack.enter_context(closing(read_frames(source, size=clip.size, frames=clip.wanted)))
            sources.append(frames)
        while True:
            row = [next(source, None) for source in sources]
            yield tuple(None if frame is None else mark_of(frame) for frame in row)


def _planes_of(path: Path, clip: Clip, marks: tuple[bytes, ...], stack: ExitStack) -> Iterator[Plane]:
    """A mask's planes at the clip's size, from the first wanted frame on."""
    from video.decode import read_frames
    from video.images import read_image
    from video.stretch import read_stretch

    width, height = clip.size
    if _is_picture(path):
        picture = read_image(path)
        _check_shape(path, picture.shape[1], picture.shape[0], clip.source.width, clip.source.height)
        return repeat(_plane(picture, width, height))
    source = _moving(path, clip)
    if marks:
        frames = read_stretch(source, size=clip.size, start=clip.wanted.start, marks=marks)
    else:
        frames = read_frames(source, size=clip.size, frames=clip.wanted)
    return (_plane(frame, width, height) for frame in stack.enter_context(closing(frames)))


def _is_picture(path: Path) -> bool:
    """Whether a mask is one picture, the same for all frames."""
    from video.images import PICTURE_SUFFIXES

    return not path.is_dir() and path.suffix.lower() in PICTURE_SUFFIXES


def _moving(path: Path, clip: Clip) -> ClipInfo | FrameFolder:
    """A mask that is a clip or a folder of frames; UsageError if it cannot be one of this clip."""
    from video.probe import probe
    from video.sequence import open_folder

    source: ClipInfo | FrameFolder = open_folder(path) if path.is_dir() else probe(path)
    _check_shape(path, source.width, source.height, clip.source.width, clip.source.height)
    wanted = clip.indices
    if source.frames and wanted and source.frames <= wanted[-1]:
        raise UsageError(
            f"{path}: has {source.frames} frames, and the clip goes on to frame {wanted[-1]}; "
            f"a mask follows the clip frame by frame"
        )
    return source


def _plane(picture: FloatImage, width: int, height: int) -> Plane:
    """A mask picture's brightness at a size."""
    import numpy as np

    from stylize.colors import grey
    from video.images import resize_image

    if picture.shape[:2] != (height, width):
        picture = resize_image(picture, (width, height))
    return np.clip(grey(picture)[..., 0], 0.0, 1.0)


def _check_shape(path: Path, width: int, height: int, wide: int, high: int) -> None:
    if abs(width * high / (height * wide) - 1.0) > _SAME_SHAPE:
        raise UsageError(
            f"{path}: is {width}x{height}, of another shape than what it is a mask for ({wide}x{high} here); "
            f"make it from that picture"
        )
