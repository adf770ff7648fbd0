"""One process at a time on a run folder."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError
from video.drives import UNSUPPORTED

if TYPE_CHECKING:
    from filelock import FileLock


LOCK = "lock"

HOLDER = "lock.json"
"""Who holds the lock: for people where the system locks, and ends the lock with the process. Where a drive
has no locks this file is the lock: only one process can make it."""

NO_LOCKS = UNSUPPORTED | {errno.ENOLCK}
"""How a drive says that it cannot lock."""


class RunLock:
    """The lock of a folder, held from the beginning until `release` or the end of the process.

    On a drive without locks it is held until `release`, or until a process of the same machine finds that
    its holder is no more.

    Attributes
    ----------
    is_systems
        Whether the drive has locks.

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
        # The soft lock of filelock outlives a killed process on the very drives that it is for.
        self._lock: FileLock = FileLock(folder / LOCK, fallback_to_soft=False)
        self.is_systems = True
        self._held = True
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UsageError(
                f"{folder}: is in use by {_named(self._holder)}; wait for it or stop it"
            ) from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            self.is_systems = False
            _hold(folder, self._holder)
            return
        with contextlib.suppress(OSError):  # only people read it
            self._holder.write_text(_about_us())

    def release(self) -> None:
        """Let others in; safe to call again."""
        if self._held:
            self._held = False
            with contextlib.suppress(OSError):
                self._holder.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                self._lock.release()


def can_lock(descriptor: int) -> bool:
    """Whether the drive of an open file has locks."""
    try:
        import fcntl
    except ImportError:  # Windows, where every drive has
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in NO_LOCKS
    return True


def _hold(folder: Path, holder: Path) -> None:
    """Make the file that only one can make; one that was left by a dead process is put aside first."""
    for _ in range(3):
        try:
            with open(holder, "x", encoding="utf-8") as file:
                file.write(_about_us())
            return
        except FileExistsError:
            known = _read(holder)
            if not _is_gone(known):
                break
            _put_aside(holder, known)
        except OSError:
            with contextlib.suppress(OSError):
                holder.unlink()
            raise
    raise UsageError(
        f"{folder}: is in use by {_named(holder)}; wait for it or stop it. This drive has no locks that end "
        f"with their process: if it is no more, delete {holder}"
    )


def _put_aside(holder: Path, known: dict[str, Any]) -> None:
    """Remove the file of a dead holder; another one that took its place meanwhile is given it back."""
    aside = holder.with_name(f"{holder.name}.{secrets.token_hex(4)}")
    with contextlib.suppress(OSError):
        os.rename(holder, aside)
        if _read(aside) != known and not holder.exists():
            os.rename(aside, holder)
        else:
            aside.unlink()


def _about_us() -> str:
    pid = os.getpid()
    return json.dumps({"pid": pid, **_where(), "since": _since(pid)}) + "\n"


def _where() -> dict[str, str]:
    """The machine, and which of its process numbers are meant: a container has its own."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return {"host": socket.gethostname(), "space": space}


def _is_gone(known: dict[str, Any]) -> bool:
    """Whether a holder is certainly no more: of this machine, and not the process that runs there now."""
    pid = known.get("pid")
    if not isinstance(pid, int) or pid < 1 or not _where().items() <= known.items():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # it is somebody else's
        return False
    return bool(known.get("since", "") != _since(pid))


def _since(pid: int) -> str:
    """When a process began, in the system's words; empty where it does not say."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return ""
    return f"{boot.strip()} {stat.rpartition(')')[2].split()[19]}"


def _read(holder: Path) -> dict[str, Any]:
    try:
        known = json.loads(holder.read_text(encoding="utf-8", errors="replace")[:10_000])
    except (OSError, ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}


def _named(holder: Path) -> str:
    known = _read(holder)
    try:
        return f"process {int(known['pid'])} on {str(known['host'])[:80]!r}"
    except (ValueError, TypeError, KeyError):
        return "another process"
