"""Clips for tests, made on the spot: every frame has one colour, a function of its number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from video.tools import file_url, run_ffmpeg

SIZE = (64, 48)


def color_of(number: int) -> tuple[int, int, int]:
    """8-bit RGB of frame `number` (up to 20): no two frames are closer than 10."""
    return 20 + 10 * number, 235 - 10 * number, 90


def number_of(picture: np.ndarray) -> int:
    """The frame number whose colour a decoded picture has; AssertionError when it is none."""
    mean = np.mean(np.asarray(picture, np.float64), axis=(0, 1)) * 255
    number = round((float(mean[0]) - 20) / 10)
    assert np.max(np.abs(mean - color_of(number))) < 4, f"mean colour {mean} is not that of frame {number}"
    return number


def make_clip(
    path: Path,
    frames: int = 12,
    *,
    size: tuple[int, int] = SIZE,
    rate: str = "10",
    before: Sequence[str] = (),
    output: Sequence[str] = ("-pix_fmt", "yuv420p"),
) -> Path:
    """Write a clip of `frames` frames; `before` is put after its input, `output` before the name."""
    raw = b"".join(bytes(color_of(i)) * (size[0] * size[1]) for i in range(frames))
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", rate, "-i", "pipe:0"]
    return convert([*source, *before, *output], path, stdin=raw)


def convert(args: Sequence[str], path: Path, *, stdin: bytes | None = None) -> Path:
    """Run ffmpeg with `args` and the output `path`."""
    done = run_ffmpeg([*args, "-y", file_url(path)], stdin=stdin, timeout=60)
    if any("Unrecognized option 'display_" in line for line in done.stderr):
        pytest.skip("this ffmpeg cannot turn clips by their header")
    assert done.ok, done.stderr
    return path
