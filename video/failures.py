"""What it means when ffmpeg could not write."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from .errors import EncodeError
from .outputs import DISK_FULL_HINT, FILE_LIMIT_HINT

DISK_FULL = re.compile("No space left|Disk quota exceeded|ENOSPC", re.IGNORECASE)


def out_of_room(reason: str, returncode: int) -> bool:
    """Whether ffmpeg ended because the disk is full, or the file larger than one may be."""
    return bool(DISK_FULL.search(reason)) or _too_large(reason, returncode)


def _too_large(reason: str, returncode: int) -> bool:
    return "File too large" in reason or returncode in {-signal.SIGXFSZ, 128 + signal.SIGXFSZ}


def encoding_failed(path: Path, reason: str, returncode: int, frames: int) -> EncodeError:
    """Return the error for an ffmpeg that ended early: what it said last, and whether the disk is full."""
    if _too_large(reason, returncode):
        return EncodeError(f"cannot write {path}: {FILE_LIMIT_HINT} (ffmpeg: {reason})")
    if DISK_FULL.search(reason):
        return EncodeError(f"cannot write {path}: {DISK_FULL_HINT} (ffmpeg: {reason})")
    return EncodeError(f"cannot write {path}: ffmpeg failed after {frames} frames were given: {reason}")
