"""HEIC, the photos that telephones take: told from other files, held to their length, handed to Pillow.

pillow-heif decodes them (libheif, libde265); it comes to Pillow when the first such file does.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from .errors import InputError

FORMAT = "HEIF"
"""Pillow's name of the format."""

_PICTURES = frozenset({b"heic", b"heix", b"heim", b"heis"})
_SEQUENCES = frozenset({b"hevc", b"hevx", b"hevm", b"hevs"})
_BOXES = frozenset({b"ftyp", b"meta", b"mdat", b"moov", b"free", b"skip", b"uuid"})


def is_heic(head: bytes) -> bool:
    """Whether a file that begins with `head` holds HEVC pictures, single or in sequence."""
    brands = _brands(head)
    return bool(brands & (_PICTURES | _SEQUENCES)) and b"avif" not in brands


def is_still(head: bytes) -> bool:
    """Whether it holds single pictures and no sequence: no clip, though ffmpeg makes one of a single tile."""
    return is_heic(head) and not _brands(head) & (_SEQUENCES | {b"msf1"})


def _brands(head: bytes) -> set[bytes]:
    if head[4:8] != b"ftyp":
        return set()
    size = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[start : start + 4] for start in range(8, size, 4)}


def register(path: Path) -> None:
    """Let Pillow open HEIC; InputError, which names `path`, where pillow-heif is not installed.

    Previews, depth and other pictures that accompany a photo are not even looked at.
    """
    try:
        from pillow_heif import register_heif_opener
    except ImportError as error:
        raise InputError(
            f"{path}: HEIC needs pillow-heif, which is missing; run: pip install pillow-heif"
        ) from error
    register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)


def is_cut_short(file: BinaryIO) -> bool:
    """Whether one of the boxes that make up the file says that it ends behind the file.

    Must be asked: libheif fills tiles that are missing with green and reports nothing.
    """
    length = file.seek(0, 2)
    place = 0
    while place + 8 <= length:
        file.seek(place)
        head = file.read(16)
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size < 8 or head[4:8] not in _BOXES:
            return False  # the rest of the file is one box, or what a camera hung behind the last
        place += size
    return place > length
