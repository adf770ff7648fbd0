"""The quirks of picture files: formats, orientation, colour profiles, depths, transparency, damage."""

from __future__ import annotations

import io
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from . import heic
from .errors import InputError, MovingError

if TYPE_CHECKING:
    from PIL import Image
    from PIL.ImageCms import ImageCmsProfile

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000", "PPM")
"""What may be opened. Pillow knows more, some of it by starting other programs (EPS calls Ghostscript)."""

READABLE = "JPEG, PNG, WebP, HEIC, TIFF, BMP, GIF or AVIF"

_CLIPS = (b"\x1aE\xdf\xa3", b"\x00\x00\x01\xba", b"OggS", b"FLV")
"""How Matroska and WebM, MPEG, Ogg and Flash files begin."""

_PICTURE_BRANDS = (b"avif", b"avis", b"mif1", b"msf1")
"""What files built like MP4 say that hold pictures."""

Bytes = NDArray[np.uint8]

_PILLOW = threading.Lock()
"""Pillow's pixel limit and Python's warning filters belong to the whole process: one reader at a time."""


def decode_picture(path: Path, pixel_limit: int) -> tuple[Bytes, Bytes | None]:
    """Return RGB bytes (H, W, 3), upright and in sRGB, and alpha (H, W) where the file has transparency.

    Raises InputError for everything that is no complete picture of at most `pixel_limit` pixels.
    """
    try:
        with open(path, "rb") as file:
            formats = check_content(path, file.read(512))
            file.seek(0)
            with quiet_pillow():
                return _decode(path, file, formats, pixel_limit)
    except OSError as error:
        hint = "check its permissions" if isinstance(error, PermissionError) else "check the drive it is on"
        raise InputError(f"{path}: cannot be read: {error.strerror or error}; {hint}") from error
    except MemoryError as error:
        raise InputError(f"{path}: not enough memory for this picture; scale it down first") from error


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Pillow for one reader, without its warnings of damaged metadata and the like: the pixels decide."""
    _mute_log()
    with _PILLOW, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@lru_cache(maxsize=1)
def _mute_log() -> None:
    """What Pillow logs of damaged files goes to nobody who has not asked for it: Python would print it."""
    logging.getLogger("PIL").addHandler(logging.NullHandler())


def count_pages(path: Path) -> tuple[int, int]:
    """How many pictures there are in a file, and which of them (1 is the first) `decode_picture` reads.

    Pages of a TIFF, frames of an animation, or photos of a HEIC file, which names one as the main one; the
    previews that cameras hide in a photo do not count.
    """
    from PIL import Image

    try:
        with open(path, "rb") as file, quiet_pillow():
            formats = [name for name in check_content(path, file.read(512)) if name in Image.OPEN]
            file.seek(0)
            with Image.open(file, formats=formats) as image:
                pages = 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))
                return pages, image.tell() + 1
    except Exception:  # the first can be read; decoders of what follows raise nearly anything
        return 1, 1


def check_content(path: Path, head: bytes) -> list[str]:
    """Refuse what is plainly no picture, with a hint; return the formats to try."""
    if not head:
        raise InputError(f"{path} is empty (0 bytes); copy or download it again")
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head")):
        raise InputError(f"{path} is a web page (HTML), not a picture; download the picture itself")
    if text.startswith(b"<svg") or (text.startswith(b"<?xml") and b"<svg" in text):
        raise InputError(f"{path} is an SVG drawing, not a picture of pixels; export it as PNG first")
    if heic.is_heic(head):
        heic.register(path)
        return [heic.FORMAT]
    return list(FORMATS)


def _decode(path: Path, file: Any, formats: list[str], pixel_limit: int) -> tuple[Bytes, Bytes | None]:
    from PIL import Image

    limit_before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit only warns at first; ours is checked instead
    try:
        return _to_srgb(_upright(_load(path, file, formats, pixel_limit)))
    finally:
        Image.MAX_IMAGE_PIXELS = limit_before


def _load(path: Path, file: Any, formats: list[str], pixel_limit: int) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    Image.init()
    known = [name for name in formats if name in Image.OPEN]  # AVIF is a matter of how Pillow was built
    if heic.FORMAT in formats and heic.is_cut_short(file):
        raise InputError(f"{path} is cut short; copy or download it again")
    try:
        image = Image.open(file, formats=known)
        _check_pixels(path, image, pixel_limit)
        image.load()
    except (InputError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        if heic.FORMAT in formats:
            raise InputError(f"{path} is damaged or cut short; copy or download it again") from error
        if is_clip(path):
            raise MovingError(f"{path} is a clip, not a picture; use {READABLE}") from error
        kind = "a text file" if _is_text(path) else "no picture in a known format"
        raise InputError(f"{path} is {kind}; use {READABLE}") from error
    except Exception as error:  # decoders of damaged files raise nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path} is damaged or cut short ({reason}); copy or download it again") from error
    _check_pixels(path, image, pixel_limit)
    return image


def is_clip(path: Path) -> bool:
    """Whether a file begins as MP4, MOV, Matroska, WebM, AVI, MPEG, Ogg or Flash clips do."""
    with open(path, "rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp":
        return head[8:] not in _PICTURE_BRANDS
    return head[8:] == b"AVI " or head.startswith(_CLIPS)


def _is_text(path: Path) -> bool:
    with open(path, "rb") as file:
        head = file.read(512)
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        text = head[: error.start].decode("utf-8") if error.start > len(head) - 4 else "\0"
    return all(character.isprintable() or character.isspace() for character in text)


def _check_pixels(path: Path, image: Image.Image, pixel_limit: int) -> None:
    width, height = image.size
    if width * height > pixel_limit:
        raise InputError(
            f"{path}: {width}x{height} is {width * height:,} pixels, more than the limit of {pixel_limit:,}; "
            "scale it down first"
        )


def _upright(image: Image.Image) -> Image.Image:
    from PIL import ImageOps

    try:
        ImageOps.exif_transpose(image, in_place=True)  # a copy would lose the tags of a TIFF
    except Exception:  # EXIF that cannot be parsed says nothing about the orientation
        return image
    return image


# ---------------------------------------------------------------------------------------------- colours


def _to_srgb(image: Image.Image) -> tuple[Bytes, Bytes | None]:
    alpha = None
    if image.mode.startswith("I;16"):
        image, alpha = _from_16_bits(image)
    elif image.mode in {"I", "F"}:
        image = _from_numbers(image)
    elif image.has_transparency_data:
        cover = np.asarray(image.convert("RGBA").getchannel("A"))
        alpha = None if cover.min() == 255 else cover
    if image.mode in {"1", "L", "LA", "La"}:
        image = _copy_info(image, image.convert("L"))
    elif image.mode not in {"CMYK", "LAB", "RGB"}:
        image = _copy_info(image, image.convert("RGBA" if image.mode == "RGBa" else "RGB"))
    return np.asarray(_apply_profile(image).convert("RGB")), alpha


def _copy_info(source: Image.Image, converted: Image.Image) -> Image.Image:
    if "icc_profile" in source.info:
        converted.info["icc_profile"] = source.info["icc_profile"]
    return converted


def _from_16_bits(image: Image.Image) -> tuple[Image.Image, Bytes | None]:
    """Scale 16-bit (or 12-bit TIFF) grey to 8 bits; Pillow's own conversion clips nearly all to white."""
    from PIL import Image

    values = np.asarray(image).astype(np.float64)
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(258, (16,))[0]
    alpha = None
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        alpha = np.where(values == transparent, 0, 255).astype(np.uint8)
    values = np.clip(np.rint(values * (255 / (2**bits - 1))), 0, 255)
    if tags.get(262) == 0:  # white is zero
        values = 255 - values
    return _copy_info(image, Image.fromarray(values.astype(np.uint8))), alpha


def _from_numbers(image: Image.Image) -> Image.Image:
    """Scale 32-bit integers (white: 65535, or the greatest value beyond) or floats (white: 1, or beyond)."""
    from PIL import Image

    values = np.nan_to_num(np.asarray(image).astype(np.float64), posinf=0.0, neginf=0.0)
    white = max(65535.0 if image.mode == "I" else 1.0, float(values.max()))
    scaled = np.clip(np.rint(values * (255 / white)), 0, 255).astype(np.uint8)
    return _copy_info(image, Image.fromarray(scaled))


def _apply_profile(image: Image.Image) -> Image.Image:
    """Convert through the embedded colour profile; a profile that is broken or does not fit is ignored."""
    from PIL import ImageCms

    if not isinstance(data := image.info.get("icc_profile"), bytes) or not data:
        return _from_lab(image) if image.mode == "LAB" else image
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        if image.mode == "RGB" and ImageCms.getProfileDescription(profile).startswith("sRGB"):
            return image
        return _convert(image, profile)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return _from_lab(image) if image.mode == "LAB" else image


def _from_lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    return _convert(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))


def _convert(image: Image.Image, profile: ImageCmsProfile) -> Image.Image:
    from PIL import ImageCms

    srgb = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, profile, srgb, outputMode="RGB")
    return cast("Image.Image", converted)


def srgb_profile() -> bytes:
    """Return an sRGB colour profile to embed: the same bytes at any time of day."""
    from PIL import ImageCms

    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    data[24:36] = bytes((7, 226, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0))  # date of creation: 2018-01-01
    return bytes(data)
