"""How much memory there is, and how much of it a job may take."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

SHARE = 0.6
"""Of what is free, that an optimisation may take when nothing else is said."""


def budget(gibibytes: float) -> int | None:
    """Bytes that an optimisation may take beyond what this process has already; None where nobody knows.

    Parameters
    ----------
    gibibytes
        What the process may take in all; 0: a share of what is free. With a GPU nothing is known then.
    """
    if gibibytes > 0.0:
        return max(1, int(gibibytes * 2**30) - resident())
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return None
    free = available()
    return None if free is None else int(SHARE * free)


def available() -> int | None:
    """Bytes that can be had without swapping, within a container's limit; None where it is not told."""
    found = []
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found.append(int(line.split()[1]) * 1024)
    with contextlib.suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        limit = (group / "memory.max").read_text().strip()
        if limit != "max":
            used = int((group / "memory.current").read_text())
            files = [
                line for line in (group / "memory.stat").read_text().splitlines() if line.startswith("file ")
            ]
            found.append(int(limit) - used + sum(int(line.split()[1]) for line in files))
    if not found and hasattr(os, "sysconf"):
        with contextlib.suppress(OSError, ValueError):
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    return max(0, min(found)) if found else None


def resident() -> int:
    """Bytes of memory this process has now; 0 where the system does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def peak() -> int:
    """The largest resident memory of this process so far, in bytes; 0 where the system does not say."""
    if sys.platform == "win32":
        return 0
    import resource

    found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found if sys.platform == "darwin" else found * 1024
