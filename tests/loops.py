"""Clips that are loops, and how well one closes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from video.images import FloatImage, read_image, write_image
from video.metrics import ConsistencyMeter


def ring(step: int = 4, count: int = 16, height: int = 48) -> list[FloatImage]:
    """A smooth texture that turns around once."""
    width = step * count
    noise = np.tile(np.random.default_rng(1).random((height, width, 3)).astype(np.float32), (1, 3, 1))
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.5)[:, width : 2 * width]
    smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    return [np.ascontiguousarray(np.roll(smooth, -step * turn, axis=1)) for turn in range(count)]


def folder_of(path: Path, frames: Sequence[FloatImage]) -> Path:
    path.mkdir()
    for number, frame in enumerate(frames):
        write_image(path / f"{number:03d}.png", frame)
    return path


def errors_of(contents: Sequence[FloatImage], pictures: Sequence[FloatImage]) -> list[float]:
    """The warping errors of all pairs; that from the last frame to the first at the end."""
    meter = ConsistencyMeter()
    closed = zip([*contents, contents[0]], [*pictures, pictures[0]], strict=True)
    return [row.error for pair in closed if (row := meter.feed(*pair)) is not None]


def contents_of(folder: Path) -> list[FloatImage]:
    return [read_image(path) for path in sorted(folder.glob("*.png"))]
