"""Times and amounts as a person says them."""

from __future__ import annotations


def counted(count: int, one: str) -> str:
    """How many of something there are: `1 frame`, `3 frames`."""
    return f"{count} {one}{'' if count == 1 else 's'}"


def spoken_time(seconds: float) -> str:
    """Seconds as a person says them: `8 s`, `2 min 05 s`, `3 h 20 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def spoken_bytes(count: float) -> str:
    """Bytes in the unit that fits: `512 KB`, `3.2 GB`."""
    for unit in ("KB", "MB"):
        count /= 1000
        if count < 1000:
            return f"{count:.0f} {unit}"
    return f"{count / 1000:.1f} GB"
