"""How much memory there is, and how much of it a job may take."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.log import Display, spoken_bytes

if TYPE_CHECKING:
    from stylize.stylizer import Stylizer

SHARE = 0.5
"""Of the machine's memory, that a job may take when nothing else is said."""

PROGRAM = 2**30
"""Bytes that go to TensorFlow and the program itself, in round numbers."""


def budget(gibibytes: float, neighbours: int = 1) -> int | None:
    """Bytes that an optimisation may take beside the program; None where nobody knows.

    The same on every run, whatever else the machine is doing: windows of another size round otherwise, and a
    continued job shall come to the same bits.

    Parameters
    ----------
    gibibytes
        What the job may take of this machine; 0: a share of its memory, but unknown with a GPU.
    neighbours
        How many processes of the job share that.
    """
    if gibibytes > 0.0:
        return max(1, int(gibibytes * 2**30 / neighbours) - PROGRAM)
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return None
    total = installed()
    return None if total is None else max(1, int(SHARE * total / neighbours) - PROGRAM)


def warn_of_excess(stylizer: Stylizer, height: int, width: int, gibibytes: float, display: Display) -> None:
    """Say so where a picture takes more than was allowed, however small its windows."""
    need = PROGRAM + stylizer.evaluator.memory_of(height, width)
    if gibibytes > 0.0 and need > gibibytes * 2**30:
        display.warn(
            f"{width}x{height} pixels take about {spoken_bytes(need)}, more than --memory {gibibytes:g} "
            f"allows; a smaller --size or --history takes less"
        )


def installed() -> int | None:
    """Bytes of memory this machine or container has; None where it is not told."""
    found = []
    if hasattr(os, "sysconf"):
        with contextlib.suppress(OSError, ValueError):
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(OSError, ValueError):  # "max" is no number
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(found) if found else None


def peak() -> int:
    """The largest resident memory of this process so far, in bytes; 0 where the system does not say."""
    if sys.platform == "win32":
        return 0
    import resource

    found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found if sys.platform == "darwin" else found * 1024
