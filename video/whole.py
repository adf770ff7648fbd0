"""Whether a file is shorter than its own structure says: a length in a header alone can be a slip."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

EBML = b"\x1a\x45\xdf\xa3"
SEGMENT = b"\x18\x53\x80\x67"
ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"sidx", b"moof", b"pnot")
MOST_PARTS = 1_000_000
"""Boxes or chunks that are walked through at most."""


def is_cut_short(path: Path) -> bool | None:
    """Whether the last part of a clip ends behind the end of its file; None for kinds that do not tell.

    MP4 and its kin, Matroska, AVI and ASF do.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(16)
            if head[4:8] in BOXES:
                return _boxes_end(file, size) > size
            if head[:4] == EBML:
                end = _segment_end(file)
                return end is not None and end > size
            if head[:4] == b"RIFF":
                return _chunks_end(file, size) > size
            return _asf_is_cut(file, size)
    except OSError:
        return None


def _boxes_end(file: BinaryIO, size: int) -> int:
    """Where the last top-level box of an MP4 ends."""
    at = 0
    for _ in range(MOST_PARTS):
        file.seek(at)
        head = file.read(16)
        if at >= size or len(head) < 8:
            break
        length = int.from_bytes(head[:4])
        if length == 1 and len(head) == 16:
            length = int.from_bytes(head[8:])
        if length == 0:  # to the end of the file
            return size
        if length < 8:
            break
        at += length
    return at


def _chunks_end(file: BinaryIO, size: int) -> int:
    """Where the last RIFF list of an AVI ends; long ones have several."""
    at = 0
    for _ in range(MOST_PARTS):
        file.seek(at)
        head = file.read(8)
        if at >= size or head[:4] != b"RIFF":
            break
        length = int.from_bytes(head[4:], "little")
        if length in {0, 0xFFFFFFFF}:  # still being written when it ended
            return size
        at += 8 + length + length % 2
    return at if at - size != 1 else size


def _segment_end(file: BinaryIO) -> int | None:
    """Where a Matroska's segment ends; None where its length is left open."""
    file.seek(4)
    length = _ebml_number(file)
    if length is None:
        return None
    file.seek(length, os.SEEK_CUR)
    if file.read(4) != SEGMENT:
        return None
    length = _ebml_number(file)
    return None if length is None else file.tell() + length


def _ebml_number(file: BinaryIO) -> int | None:
    """A length of EBML, whose first byte tells how many there are; all ones: unknown."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & (0x7F >> more)]) + file.read(more))
    return None if value == (1 << (7 * (more + 1))) - 1 else value


def _asf_is_cut(file: BinaryIO, size: int) -> bool | None:
    """Whether an ASF is shorter than its properties say, where it is one."""
    file.seek(0)
    head = file.read(1 << 16)
    at = head.find(ASF_PROPERTIES)
    if at < 0 or len(head) < at + 48:
        return None
    return int.from_bytes(head[at + 40 : at + 48], "little") > size
