"""What the processor can do."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_FILE = Path("/proc/cpuinfo")


@cache
def flags() -> frozenset[str]:
    """Its instruction sets, as Linux names them; empty elsewhere."""
    try:
        lines = _FILE.read_text(errors="replace").splitlines()
    except OSError:
        return frozenset()
    found = next((line for line in lines if line.startswith("flags")), "")
    return frozenset(found.partition(":")[2].split())
