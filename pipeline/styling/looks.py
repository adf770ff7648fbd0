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
    from video.images import Color


_SAME_SHAPE = 0.02
"""By how much the shapes of a mask and its picture may differ, width over height."""

_LISTED = 3
"""Photos without a mask that are named."""

_DARK = 2.5 / 255.0
"""Masks that are nowhere lighter go nowhere: what is painted there changes a level or two at most."""

NOTHING: Color = (0.0, 0.0, 0.0)
"""What transparent parts of a mask show: what is transparent is not there."""

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


def is_bare(look: Look) -> bool:
    """Whether masks leave no place for any style."""
    return bool(look.masks) and all(mask is not None and mask.max() < _DARK for mask in look.masks)


def warn_of_empty(
    settings: JobSettings, look: Look, files: Sequence[Path], masks: Masks, picture: Path, display: Display
) -> None:
    """Say so where masks leave no place for any style or for one, or one of their masks covers nothing."""
    if is_bare(look):
        display.warn(
            f"{shown(picture)}: the masks leave no place for a style: it stays as it was; "
            f"{_what_white_is(settings)}"
        )
    else:
        warn_of_black(settings, files, masks, display)
        own = [mask.max() >= _DARK for mask in masks[: len(settings.mask)]]
        for number, place in enumerate(look.masks, start=1):
            has_white = own[number - 1] if number <= len(own) else True
            if has_white and place is not None and place.max() < _DARK:
                display.warn(
                    f"{shown(picture)}: style {number} goes nowhere: the other masks leave no place for it"
                )


def warn_of_black(
    settings: JobSettings, files: Sequence[Path], masks: Sequence[Plane | None], display: Display
) -> None:
    """Say which styles go nowhere because their masks, in the order of `mask_paths`, are black."""
    styled = len(settings.mask)
    for number, (file, mask) in enumerate(zip(files[:styled], masks[:styled], strict=True), start=1):
        if mask is not None and mask.max() < _DARK:
            display.warn(
                f"{shown(file)}: covers nothing: style {number} goes nowhere; white is where a style goes"
            )


def _what_white_is(settings: JobSettings) -> str:
    """What white means in the masks of a job."""
    if not settings.mask_preserve:
        return "white is where a style goes"
    if not settings.mask:
        return "white in --mask-preserve is what stays"
    return "white in --mask is where a style goes, in --mask-preserve what stays"


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
        If a folder has none for some of them.
    """
    photos = list(dict.fromkeys(photos))
    sources = [(path, _by_name(path) if path.is_dir() else None) for path in mask_paths(settings)]
    names = {photo: photo.relative_to(root) for photo in photos}
    for path, named in sources:
        if named is not None:
            missing = [name for name in names.values() if name.with_suffix("") not in named]
            _check_missing(path, missing, len(names))
    return {
        photo: [path if named is None else named[name.with_suffix("")] for path, named in sources]
        for photo, name in names.items()
    }


def _check_missing(folder: Path, missing: Sequence[Path], count: int) -> None:
    """UsageError if a folder of masks lacks those of some of `count` photos."""
    if not missing:
        return
    example = missing[0].with_suffix(".png")
    if len(missing) == 1:
        raise UsageError(f"{folder}: has no mask for {missing[0]}; give a picture {example}")
    listed = ", ".join(map(str, missing[:_LISTED])) + (", ..." if len(missing) > _LISTED else "")
    raise UsageError(
        f"{folder}: has no masks for {len(missing)} of {count} photos ({listed}); give a picture for each, "
        f"as {example} for the first"
    )


def _by_name(folder: Path) -> dict[Path, Path]:
    """The pictures of a folder by sub-folder and name, whatever their format."""
    from video.images import list_pictures

    pictures = reversed(list_pictures(folder))  # of several of a name the first counts
    return {path.relative_to(folder).with_suffix(""): path for path in pictures}


def masks_of_picture(files: Sequence[Path], content: FloatImage, source: Path) -> Masks:
    """The masks of one picture, at its size; `source` is its file.

    Raises
    ------
    UsageError
        If one is of another shape than the content.
    """
    from video.images import read_image

    planes = []
    for file in files:
        picture = read_mask(file)
        size, own = picture.shape[1::-1], content.shape[1::-1]
        if not _alike(size, own):  # the content is scaled, and small ones are rounded a little
            check_shape(file, size, source, read_image(source).shape[1::-1])
        planes.append(plane_of(picture, content.shape[1], content.shape[0]))
    return tuple(planes)


def read_mask(path: Path) -> FloatImage:
    """A mask picture as it was drawn: what is transparent is not there."""
    from video.images import read_image

    return read_image(path, background=NOTHING)


def plane_of(picture: FloatImage, width: int, height: int) -> Plane:
    """A mask picture's brightness at a size."""
    import numpy as np

    from stylize.colors import grey
    from video.images import resize_image

    if picture.shape[:2] != (height, width):
        picture = resize_image(picture, (width, height))
    return np.clip(grey(picture)[..., 0], 0.0, 1.0)


def check_shape(mask: Path, size: Sequence[int], source: Path, own: Sequence[int]) -> None:
    """UsageError if a mask's (width, height) is of another shape than what it is for."""
    if not _alike(size, own):
        raise UsageError(
            f"{mask}: is {size[0]}x{size[1]}, of another shape than {source}, which is {own[0]}x{own[1]}; "
            f"make the mask from it"
        )


def _alike(size: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two sizes are of one shape, nearly."""
    return abs(size[0] * other[1] / (size[1] * other[0]) - 1.0) <= _SAME_SHAPE
