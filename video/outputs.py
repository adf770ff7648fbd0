"""Files that appear under their name only when they are complete: checked target, temporary name, rename."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

from .drives import keep_mode, move, remove, sync, sync_folder
from .errors import EncodeError, InputError
from .names import longest_name, size_of, temporary_stem

DISK_FULL_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT})
DISK_FULL_HINT = "disk full; free some space and run the same command again"
FILE_LIMIT_HINT = (
    "larger than a file may be here (see ulimit -f); raise the limit and run the same command again"
)


def check_target(path: Path, suffixes: Collection[str], *, overwrite: bool) -> Path:
    """Return where an output really goes (symbolic links followed), or say why it cannot go there.

    Raises
    ------
    InputError
        For a suffix that is not in `suffixes`, a folder that is missing or read-only, an existing file
        without `overwrite`, or an existing thing that is no plain file.
    """
    if path.suffix.lower() not in suffixes:
        given = f"the suffix {path.suffix}" if path.suffix else "a name without a suffix"
        raise InputError(f"cannot write {path}: {given} is not supported; use one of {', '.join(suffixes)}")
    try:
        target = Path(os.path.realpath(path))
        if os.path.islink(target):
            raise InputError(f"cannot write {path}: it is a link that leads to itself; choose another name")
        check_length(path, target)
        if target.is_dir():
            raise InputError(f"cannot write {path}: it is a folder; give the name of a file")
        if target.exists():
            _check_existing(path, target, overwrite)
        if not target.parent.is_dir():
            raise InputError(f"cannot write {path}: there is no folder {target.parent}; make it first")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose another name") from error
    if not is_writable(target.parent):
        raise InputError(f"cannot write {path}: the folder {target.parent} is not writable; choose another")
    return target


def check_length(path: Path, *needed: Path) -> None:
    """See that the drive takes names as long as those of the files `needed` for the output `path`.

    Raises
    ------
    InputError
        Otherwise, with how long a name may be there.
    """
    for file in needed:
        if not has_room(file):
            over = size_of(file.name) - longest_name(file.parent)
            cure = f"give one that is {over} bytes shorter" if over > 0 else "choose a folder less deep"
            what = f"for {file.name[-12:]!r}, which is made beside it" if file.name != path.name else "here"
            raise InputError(f"cannot write {path}: the name is too long {what}; {cure}")


def has_room(path: Path) -> bool:
    """Whether the drive takes names as long as this path and those in it."""
    try:
        os.lstat(path)
    except OSError as error:
        return error.errno != errno.ENAMETOOLONG
    return True


def is_writable(folder: Path) -> bool:
    """Whether a file can be made in `folder`: tried, because permissions do not tell of read-only disks.

    A full disk counts as writable; it has a message of its own.
    """
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError as error:
        return error.errno in DISK_FULL_ERRORS


def _check_existing(path: Path, target: Path, overwrite: bool) -> None:
    if not target.is_file():
        raise InputError(f"cannot write {path}: it exists and is no plain file; choose another name")
    if not overwrite:
        raise InputError(f"{path} exists already; give --overwrite to replace it, or choose another name")


@contextlib.contextmanager
def partial_file(target: Path, tag: str = "") -> Iterator[Path]:
    """Yield an empty file beside `target` to write to; it is removed on leaving unless it was renamed.

    Its name is ``.NAME.part-XXXX.SUFFIX`` with `tag` before the suffix, so that listings hide it and
    tools that decide by suffix still work.
    """
    partial = target.with_name(partial_name(target, tag))
    try:
        with open(partial, "xb"):
            pass
    except OSError as error:
        raise unwritable(target, error) from error
    try:
        yield partial
    finally:
        remove(partial)


def partial_name(target: Path, tag: str = "") -> str:
    """A name for what becomes `target`, or for trying that; `remove_partials` knows it."""
    return f"{temporary_stem(target.stem)}.part-{secrets.token_hex(4)}{tag}{target.suffix}"


def remove_partials(target: Path) -> None:
    """Remove what a killed process left of writing `target`; nobody else may be writing it now."""
    pattern = re.compile(
        re.escape(f"{temporary_stem(target.stem)}.part-") + r"[0-9a-f]{8}.*" + re.escape(target.suffix)
    )
    with contextlib.suppress(OSError):  # a folder that is not there, or cannot be listed
        for entry in target.parent.iterdir():
            if pattern.fullmatch(entry.name):
                remove(entry)


def publish(partial: Path, target: Path) -> None:
    """Flush `partial` to the disk and give it the name `target`, keeping the mode of a replaced file.

    What the drive cannot do of this is done without (`video.drives`).
    """
    try:
        if target.exists():
            keep_mode(target, partial)
        descriptor = os.open(partial, os.O_RDWR)
        try:
            sync(descriptor)
        finally:
            os.close(descriptor)
        move(partial, target)
        sync_folder(target.parent)
    except OSError as error:
        raise unwritable(target, error) from error


def unwritable(target: Path, error: OSError) -> EncodeError | InputError:
    """Return the error to raise when the system refused to write `target`."""
    if error.errno == errno.EFBIG:
        return EncodeError(f"cannot write {target}: {FILE_LIMIT_HINT}")
    if error.errno in DISK_FULL_ERRORS:
        return EncodeError(f"cannot write {target}: {DISK_FULL_HINT}")
    if error.errno == errno.ENOENT:
        return EncodeError(
            f"cannot write {target}: its folder is gone; make it and run the same command again"
        )
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return InputError(
            f"cannot write {target}: the folder {target.parent} is not writable; choose another"
        )
    return EncodeError(f"cannot write {target}: {error.strerror or error}")
