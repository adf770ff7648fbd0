"""One process at a time on a run folder."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from filelock import FileLock

LOCK = "lock"
HOLDER = "lock.json"
"""Who holds the lock: written for people, the lock itself is the system's and ends with the process."""


class RunLock:
    """The lock of a folder, held from the beginning until `release` or the end of the process.

    Raises
    ------
    UsageError
        If another process holds it; the message names its number and host.
    OSError
        If there can be no lock in this folder.
    """

    def __init__(self, folder: Path) -> None:
        from filelock import FileLock, Timeout

        self._holder = folder / HOLDER
        self._lock: FileLock = FileLock(folder / LOCK)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UsageError(
                f"{folder}: is in use by {_named(self._holder)}; wait for it or stop it"
            ) from None
        self._holder.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}) + "\n")

    def release(self) -> None:
        """Let others in; safe to call again."""
        if self._lock.is_locked:
            with contextlib.suppress(OSError):
                self._holder.unlink(missing_ok=True)
            self._lock.release()


def _named(holder: Path) -> str:
    try:
        known = json.loads(holder.read_text(encoding="utf-8"))
        return f"process {int(known['pid'])} on {str(known['host'])[:80]!r}"
    except (OSError, ValueError, TypeError, KeyError):
        return "another process"
