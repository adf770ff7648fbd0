"""What a camera wrote into a photo beside its pixels (EXIF): kept for the result, asked for the time."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from .picture_formats import check_content, quiet_pillow

if TYPE_CHECKING:
    from PIL import Image

_ORIENTATION, _DATE_TIME, _DETAILS, _INTEROPERABILITY = 0x0112, 0x0132, 0x8769, 0xA005
_TAKEN, _TAKEN_FRACTION, _WIDTH, _HEIGHT = 0x9003, 0x9291, 0xA002, 0xA003
_OF_THE_FILE = (
    *(0x0100, 0x0101, 0x0102, 0x0103, 0x0106, 0x0111, 0x0115, 0x0116, 0x0117, 0x011C, 0x013D, 0x0142, 0x0143),
    *(0x0144, 0x0145, 0x014A, 0x0152, 0x0153, 0x015B, 0x0201, 0x0202, 0x02BC, 0x8773, 0x83BB, 0x8649),
)
"""How a TIFF lays out its pixels, colour profile and packets of other programs: true of that file only."""

LARGEST = 60_000
"""Bytes: a JPEG has room for 65,533 in one segment. What is longer is full of the maker's own notes."""


def read_exif(path: Path) -> bytes:
    """The EXIF block of a picture, for a result that is upright and of another size; empty if there is none.

    Orientation, layout and size of the file are left out, as is a thumbnail, which would show the original.
    A damaged block counts as none: it says nothing of the pixels.
    """
    found = _read(path)
    if found is None:
        return b""
    for tag in (_ORIENTATION, *_OF_THE_FILE):
        found.pop(tag, None)
    details = found.get_ifd(_DETAILS)
    for tag in (_WIDTH, _HEIGHT, _INTEROPERABILITY):
        details.pop(tag, None)
    if not len(found) and not details:
        return b""
    try:
        block = found.tobytes()
        if len(block) > LARGEST:
            details.pop(0x927C, None)  # the maker's notes
            block = found.tobytes()
    except Exception:  # damaged values raise nearly anything
        return b""
    return block if len(block) <= LARGEST else b""


def taken(path: Path) -> datetime | None:
    """When a photo was taken, by the camera's clock; None when it does not say."""
    found = _read(path)
    if found is None:
        return None
    details = found.get_ifd(_DETAILS)
    text = str(details.get(_TAKEN) or found.get(_DATE_TIME) or "").strip("\0 ")
    fraction = "".join(re.findall("[0-9]", str(details.get(_TAKEN_FRACTION) or "")))[:6]
    try:
        time = datetime.strptime(text, "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None
    return time.replace(microsecond=int(fraction.ljust(6, "0")) if fraction else 0)


def _read(path: Path) -> Image.Exif | None:
    from PIL import Image

    try:
        with open(path, "rb") as file, quiet_pillow():
            Image.init()
            formats = [name for name in check_content(path, file.read(512)) if name in Image.OPEN]
            file.seek(0)
            with Image.open(file, formats=formats) as image:
                found = image.getexif()
                found.get_ifd(_DETAILS)
                return found
    except Exception:  # what is damaged is not there
        return None
