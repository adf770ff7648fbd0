"""Pictures from and to files, through Pillow; what a picture is in memory; sizes.

A picture is float32 RGB in [0, 1], shape (H, W, 3), upright, in the sRGB colour space.
"""

from __future__ import annotations

import io
import os
import re
import stat
import unicodedata
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import EncodeError, InputError
from .outputs import check_target, partial_file, publish, unwritable

FloatImage = NDArray[np.float32]
"""A picture: float32, RGB, in [0, 1], shape (H, W, 3)."""

ByteImage = NDArray[np.uint8]
"""A quantised picture: uint8, RGB, shape (H, W, 3)."""

Color = tuple[float, float, float]
"""RGB in [0, 1]."""

WHITE: Color = (1.0, 1.0, 1.0)

PICTURE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".tif", ".tiff", ".bmp", ".gif"),
    *(".avif", ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm", ".heic", ".heif", ".hif"),
)
"""Names that count as pictures when a folder is listed. What a file holds is decided by its content."""

WRITABLE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")

DEFAULT_PIXEL_LIMIT = 100_000_000
"""Pixels above which a picture is refused: a small file can unpack to more memory than there is."""


def to_uint8(picture: NDArray[Any]) -> ByteImage:
    """Quantise floats in [0, 1] to bytes: ``x * 255`` rounded half to even, clipped. Any shape.

    Raises EncodeError for values that are not finite.
    """
    scaled = np.asarray(picture, dtype=np.float32) * np.float32(255)
    if scaled.size and not (np.isfinite(scaled.min()) and np.isfinite(scaled.max())):
        raise EncodeError("a picture to be saved has values that are not finite")
    quantised: ByteImage = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return quantised


def from_uint8(array: NDArray[Any]) -> FloatImage:
    """Return ``array / 255`` as float32; `to_uint8` gives back exactly the same bytes."""
    return np.ascontiguousarray(array, dtype=np.float32) / np.float32(255)


def opaque(array: NDArray[Any], background: Color = WHITE) -> FloatImage:
    """The float picture of RGB or RGBA bytes, shape (H, W, 3 or 4); transparent parts show `background`."""
    values = from_uint8(array)
    if values.shape[2] == 3:
        return values
    color, alpha = values[..., :3], values[..., 3:]
    return color * alpha + np.asarray(background, np.float32) * (1 - alpha)


def read_image(
    path: str | os.PathLike[str], *, pixel_limit: int = DEFAULT_PIXEL_LIMIT, background: Color = WHITE
) -> FloatImage:
    """Read a picture file: upright, in sRGB, without transparency; of several the first, or the main one.

    The content decides the format, not the name. Colour profiles are converted to sRGB, CMYK and 16-bit
    grey become RGB, and transparent parts show `background`.

    Raises
    ------
    InputError
        The file is missing, empty, a folder, no picture, damaged, or has more pixels than `pixel_limit`.
    """
    from .picture_formats import decode_picture

    path = Path(path)
    if not os.path.exists(path):
        raise InputError(f"{path}: there is no such picture; check the name")
    if os.path.isdir(path):
        raise InputError(f"{path} is a folder, not a picture; name a file in it")
    if not os.path.isfile(path):
        raise InputError(f"{path} is no plain file; name a picture file")
    rgb, alpha = decode_picture(path, pixel_limit)
    picture = from_uint8(rgb)
    if alpha is not None:
        cover = from_uint8(alpha)[..., np.newaxis]
        picture = picture * cover + np.asarray(background, np.float32) * (1 - cover)
        picture = np.clip(picture, 0, 1, dtype=np.float32)
    return picture


def write_image(
    path: str | os.PathLike[str], picture: FloatImage, *, quality: int = 95, overwrite: bool = True,
    exif: bytes = b"",
) -> None:  # fmt: skip
    """Write a picture as 8-bit sRGB, completely or not at all.

    Parameters
    ----------
    path
        Ends in ``.png``, ``.jpg``, ``.jpeg``, ``.webp``, ``.tif`` or ``.tiff``.
    picture, quality, exif
        As for :func:`encode_image`.
    overwrite
        Whether an existing file may be replaced.

    Raises
    ------
    InputError
        `path` cannot be an output.
    EncodeError
        The picture cannot be written: disk full, too large for the format, values that are not finite.
    """
    path = Path(path)
    check_target(path, WRITABLE_SUFFIXES, overwrite=overwrite)
    write_whole(path, encode_image(path, picture, quality=quality, exif=exif), overwrite=overwrite)


def encode_image(path: Path, picture: FloatImage, *, quality: int = 95, exif: bytes = b"") -> bytes:
    """What a picture file will hold: 8-bit sRGB, in the format that the name `path` ends in.

    Parameters
    ----------
    picture
        Shape (H, W, 3), values in [0, 1]; what lies outside is clipped.
    quality
        1 to 100, for JPEG and WebP. PNG and TIFF lose nothing but the rounding to 8 bits.
    exif
        A block to go with it (:func:`video.exif.read_exif`); a TIFF that has one is not compressed.

    Raises
    ------
    EncodeError
        Too large for the format, or values that are not finite.
    """
    from PIL import Image

    if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise EncodeError(f"cannot write {path}: expected a picture of shape (H, W, 3), got {picture.shape}")
    if picture.dtype.kind != "f":
        raise EncodeError(f"cannot write {path}: expected floats in [0, 1], got {picture.dtype}")
    image = Image.fromarray(to_uint8(picture))
    buffer = io.BytesIO()
    options = _save_options(path.suffix.lower(), quality)
    try:
        try:
            # What compresses TIFF, libtiff, cannot write the directories of such a block.
            image.save(buffer, **(options | {"exif": exif, "compression": None} if exif else options))
        except Exception:  # a damaged block raises nearly anything; the pixels decide
            if not exif:
                raise
            buffer = io.BytesIO()
            image.save(buffer, **options)
    except (OSError, ValueError) as error:
        raise EncodeError(f"cannot write {path}: {error}") from error
    return buffer.getvalue()


def write_whole(path: Path, data: bytes, *, overwrite: bool = True) -> None:
    """Write an encoded picture, completely or not at all; errors as in :func:`write_image`."""
    target = check_target(path, WRITABLE_SUFFIXES, overwrite=overwrite)
    with partial_file(target) as partial:
        try:
            partial.write_bytes(data)
        except OSError as error:
            raise unwritable(path, error) from error
        publish(partial, target)


def _save_options(suffix: str, quality: int) -> dict[str, Any]:
    from .picture_formats import srgb_profile

    if suffix == ".png":
        from PIL.PngImagePlugin import PngInfo

        chunks = PngInfo()
        chunks.add(b"sRGB", b"\0")  # perceptual intent
        return {"format": "PNG", "pnginfo": chunks}
    if suffix == ".webp":
        return {"format": "WEBP", "quality": quality, "method": 4, "icc_profile": srgb_profile()}
    if suffix in {".tif", ".tiff"}:
        return {"format": "TIFF", "compression": "tiff_adobe_deflate", "icc_profile": srgb_profile()}
    return {"format": "JPEG", "quality": quality, "subsampling": 0, "icc_profile": srgb_profile()}


def resize_image(picture: FloatImage, size: tuple[int, int]) -> FloatImage:
    """Scale to `size` (width, height): area averages when shrinking, cubic when enlarging, in [0, 1]."""
    import cv2

    width, height = size
    if min(size) < 1:
        raise InputError(f"cannot scale a picture to {width}x{height}; both sides need at least 1 pixel")
    scaled = np.ascontiguousarray(picture, dtype=np.float32)
    smaller = (min(width, scaled.shape[1]), min(height, scaled.shape[0]))
    if smaller != scaled.shape[1::-1]:
        scaled = cv2.resize(scaled, smaller, interpolation=cv2.INTER_AREA)
    if (width, height) != smaller:
        scaled = cv2.resize(scaled, (width, height), interpolation=cv2.INTER_CUBIC)
    result: FloatImage = np.clip(scaled, 0, 1, dtype=np.float32)
    return result


def list_pictures(
    folder: Path, on_warning: Callable[[str], None] | None = None, *, below: bool = True
) -> list[Path]:
    """Return the pictures of `folder` by suffix, in natural order (2 before 10), hidden names left out.

    Links to folders are followed once; each real folder is visited one time, so loops end. Nothing is
    opened. What cannot even be looked at is listed, so that whoever reads it says so; pipes, sockets and
    devices are not.

    Parameters
    ----------
    on_warning
        Told in one line of every sub-folder that cannot be listed.
    below
        Sub-folders, too.

    Raises
    ------
    InputError
        `folder` is no folder, or cannot be listed.
    """
    folder = Path(folder)
    if not folder.is_dir():
        problem = "is a file, not a folder" if folder.exists() else "there is no such folder"
        raise InputError(f"{folder}: {problem}; name a folder of pictures")

    def pass_over(error: OSError) -> None:
        line = f"{error.filename}: cannot be read: {error.strerror}"
        if str(error.filename) == str(folder):
            raise InputError(f"{line}; check its permissions") from error
        if on_warning is not None:
            on_warning(f"{line}; passed over")

    found: list[Path] = []
    visited: set[tuple[int, int]] = set()
    for place, folders, files in os.walk(folder, followlinks=True, onerror=pass_over):
        try:
            status = os.stat(place)
        except OSError as error:  # it has gone meanwhile
            pass_over(error)
            status = None
        if status is None or (status.st_dev, status.st_ino) in visited:
            folders.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if below and not name.startswith("."))
        paths = (Path(place, name) for name in files if not name.startswith("."))
        found.extend(path for path in paths if is_picture_name(path) and may_be_file(path))
    return sorted(found, key=lambda path: natural_key(path.relative_to(folder)))


def is_picture_name(path: Path) -> bool:
    """Whether a file counts as a picture by its name."""
    return path.suffix.lower() in PICTURE_SUFFIXES


def may_be_file(path: Path) -> bool:
    """Whether there is a plain file, or something that cannot be looked at, as a link that leads nowhere."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return True


def natural_key(path: Path) -> tuple[Any, ...]:
    """Sort key: numbers by value, letters without case, folder by folder; the plain name breaks ties."""
    parts = []
    for part in path.parts:
        pieces = re.split(r"([0-9]+)", unicodedata.normalize("NFC", part).casefold())
        # Every second piece is of the digits 0 to 9; there are others, which are no numbers to `int`.
        parts.append(tuple(map(_piece_key, pieces, count())))
    return tuple(parts), str(path)


def _piece_key(piece: str, place: int) -> tuple[int, int, str]:
    """Numbers before letters; the value of a number of any length lies in its length and its digits."""
    digits = piece.lstrip("0")
    return (0, len(digits), digits) if place % 2 else (1, 0, piece)
