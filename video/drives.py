"""What a drive may refuse though it takes files: flushing, renaming, modes; and what is done instead.

Network shares and file systems in user space lack one or the other. Whoever writes goes on with the next
best; `limits_of` tries a folder beforehand and says what that will be.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})
"""How a drive says that it has no such operation; any other error says that the operation failed."""

_NO_RENAMING = UNSUPPORTED | {errno.EPERM, errno.EXDEV}

_PROBE = b"Deep Fusion tries what this drive can do; this file may be deleted.\n" * 60
"""About a block of most drives: a full one has no room for it."""


def sync(descriptor: int) -> None:
    """Flush a file to the disk as far as its drive can; OSError if what was written is not safe there."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise


def sync_folder(folder: Path) -> None:
    """Flush a folder's names to the disk where that can be done."""
    with contextlib.suppress(OSError):
        _flush_folder(folder)


def move(source: Path, target: Path) -> None:
    """Give a finished file its name, in place of a file that has it; OSError if that fails.

    Where the drive cannot rename the file is copied: then its name is there before all of it.
    """
    try:
        os.replace(source, target)
    except OSError as error:
        if error.errno not in _NO_RENAMING:
            raise
        _copy(source, target)
        remove(source)


def remove(path: Path) -> None:
    """Delete a file that nobody needs any more, where the drive lets it go."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def keep_mode(replaced: Path, file: Path) -> None:
    """Give a file the mode of the one it replaces, where the drive has modes and lets them be changed."""
    with contextlib.suppress(OSError):
        shutil.copymode(replaced, file)


def limits_of(
    first: Path,
    second: Path,
    replaced: Path | None = None,
    can_lock: Callable[[int], bool] | None = None,
) -> list[str]:
    """What the drive of a folder cannot do of what a job does there: a clause each, for people.

    Parameters
    ----------
    first, second
        Names in the folder that nobody uses: a file is written, flushed, renamed and deleted there to see.
    replaced
        A file that an output will replace; then its mode is tried, too.
    can_lock
        Whether an open file can be locked, by its descriptor; asked where locks are wanted.

    Raises
    ------
    OSError
        If nothing can be written there: a drive that is read-only, full or broken.
    """
    limits = []
    try:
        with open(first, "xb") as file:
            file.write(_PROBE)
            file.flush()
            try:
                os.fsync(file.fileno())
            except OSError as error:
                if error.errno not in UNSUPPORTED:
                    raise
                limits.append("flush files, so a power cut may cost more than what was in work")
            if can_lock is not None and not can_lock(file.fileno()):
                limits.append("lock files, so a file of ours keeps a second job out instead")
        if replaced is not None and not _takes_mode(replaced, first):
            limits.append(f"change modes, so {replaced.name} will have that of a new file")
        if not _renames(first, second):
            limits.append("rename files, so a crash may leave a part of one under its name")
    finally:
        gone = [_is_gone(path) for path in (first, second)]
    if not all(gone):
        limits.append(f"delete files, so {first.name} and others stay")
    return limits


def _takes_mode(replaced: Path, file: Path) -> bool:
    try:
        shutil.copymode(replaced, file)
    except OSError:
        return False
    return True


def _renames(first: Path, second: Path) -> bool:
    """Whether a file can take the place of another; OSError if the drive fails otherwise."""
    second.touch()
    try:
        os.replace(first, second)
    except OSError as error:
        if error.errno not in _NO_RENAMING:
            raise
        return False
    return True


def _is_gone(path: Path) -> bool:
    """Delete a file; whether it is not there now."""
    remove(path)
    return not os.path.lexists(path)


def _copy(source: Path, target: Path) -> None:
    try:
        with open(source, "rb") as whole, open(target, "wb") as file:
            shutil.copyfileobj(whole, file, 2**20)
            file.flush()
            sync(file.fileno())
    except OSError:
        remove(target)  # a part of it is no output
        raise


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
