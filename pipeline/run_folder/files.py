"""Files that survive a crash: hashed, written whole or not at all, or appended to line by line."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from pathlib import Path

from pipeline.errors import PipelineError, UsageError
from video.drives import move, remove, sync
from video.names import temporary_stem


def file_hash(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits; UsageError if it cannot be read or is no plain file."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would wait for someone to write into it
            raise UsageError(f"{path}: is no plain file; name one")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}; check its permissions") from None


def content_hash(path: Path, *, below: bool = False) -> str:
    """The SHA-256 of a file, or of the names and bytes of the pictures in a folder; only these are read.

    Parameters
    ----------
    below
        Those in its sub-folders, too.

    Raises
    ------
    UsageError
        If one of them cannot be read.
    """
    from video.images import list_pictures

    if not path.is_dir():
        return file_hash(path)
    digest = hashlib.sha256()
    for file in sorted(list_pictures(path, below=below)):
        digest.update(os.fsencode(file.relative_to(path)) + f"\0{file_hash(file)}\n".encode())
    return digest.hexdigest()


def write_durably(path: Path, data: str | bytes) -> None:
    """Write a file that appears under its name only whole and on the disk; OSError if that fails."""
    temporary = path.with_name(f"{temporary_stem(path.name)}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            sync(file.fileno())
        move(temporary, path)
    except OSError:
        remove(temporary)
        raise


def append_durably(path: Path, line: str) -> None:
    """Append a line and see it onto the disk, on a line of its own whatever a crash left before it.

    Raises
    ------
    PipelineError
        If that fails; the file is then as long as before, as far as the disk lets it be.
    """
    try:
        with path.open("ab+") as file:
            end = file.seek(0, os.SEEK_END)
            torn = end > 0 and (file.seek(end - 1), file.read(1))[1] != b"\n"
            try:
                file.write((b"\n" if torn else b"") + line.encode() + b"\n")
                file.flush()
                sync(file.fileno())
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(file.fileno(), end)
                raise
    except OSError as error:
        raise PipelineError(
            f"{path}: cannot be written: {error.strerror or error}; mend that and run it again"
        ) from None
