"""Masks of pictures, and the look they make: where each style goes, and what stays as it was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.progress.display import Display
from pipeline.settings.common_settings import JobSettings
from pipeline.settings.job_settings import mask_paths
from video.names import shown

if TYPE_CHECKING:
    from stylize.look import Look, Plane
    from stylize.types import FloatImage


_SAME_SHAPE = 0.02
"""By how much the shapes of a mask and its picture may differ, width over height."""

_DARK = 1.0 / 255.0
"""Of masks that go nowhere, in 8 bits."""

Masks = tuple["Plane", ...]
"""One plane for each mask of a job, in the order of `mask_paths`."""


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


def warn_if_bare(look: Look, picture: Path, display: Display) -> None:
    """Say so where masks leave no place for any style."""
    if look.masks and all(mask is not None and mask.max() < _DARK for mask in look.masks):
        display.warn(
            f"{shown(picture)}: the masks leave no place for a style: it stays as it was; white is where a "
            f"style goes"
        )


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
        check_shape(file, picture.shape[1], picture.shape[0], content.shape[1], content.shape[0])
        planes.append(plane_of(picture, content.shape[1], content.shape[0]))
    return tuple(planes)


def plane_of(picture: FloatImage, width: int, height: int) -> Plane:
    """A mask picture's brightness at a size."""
    import numpy as np

    from stylize.colors import grey
    from video.images import resize_image

    if picture.shape[:2] != (height, width):
        picture = resize_image(picture, (width, height))
    return np.clip(grey(picture)[..., 0], 0.0, 1.0)


def check_shape(path: Path, width: int, height: int, wide: int, high: int) -> None:
    """UsageError if a mask of `width` x `height` is of another shape than the `wide` x `high` it is for."""
    if abs(width * high / (height * wide) - 1.0) > _SAME_SHAPE:
        raise UsageError(
            f"{path}: is {width}x{height}, of another shape than what it is a mask for ({wide}x{high} here); "
            f"make it from that picture"
        )
