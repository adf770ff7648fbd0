"""What figures were measured with."""

from __future__ import annotations

import platform
from pathlib import Path


def processor_name() -> str:
    """The processor's model, as the system calls it."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(encoding="utf-8").splitlines() if cpu.is_file() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return model or platform.processor()
