"""Snapshots of optimisations that never ran, for movies of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.montage.loss_curves import BACKGROUND
from pipeline.montage.panels import blend
from pipeline.montage.recorder import SnapshotRecorder
from stylize.optimize import Progress
from video.images import from_uint8, to_uint8

GROUND = np.asarray(BACKGROUND, np.float32) / 255


def picture(seed: int, size: tuple[int, int]) -> np.ndarray:
    """Smooth stripes: they survive scaling and 4:2:0."""
    x, y = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    waves = [0.5 + 0.4 * np.sin(4 * (seed + 1) * x + channel + 3 * seed * y) for channel in range(3)]
    return np.stack(waves, axis=-1).astype(np.float32)


def make_run(
    folder: Path,
    size: tuple[int, int] = (48, 32),
    *,
    levels: int = 1,
    iterations: int = 40,
    seed: int = 1,
    content: np.ndarray | None = None,
    styles: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """Snapshots of something that approaches its result fast at first; returns the result."""
    recorder = SnapshotRecorder(folder, title=f"picture {seed}", content=content, styles=styles)
    progress = 1.0
    for level in reversed(range(levels)):
        small = (size[0] >> level, size[1] >> level)
        for number in range(iterations + 1):
            done = number + (levels - 1 - level) * iterations
            now = blend(picture(seed, small), picture(seed + 3, small), progress)
            terms = {"content": 1.5 - progress, "style": 4 * progress + 0.5 + level}
            recorder(
                Progress(
                    iteration=done, iterations=levels * iterations, loss=sum(terms.values()), terms=terms,
                    seconds=0.1 * done, evaluations=done, picture=now.copy, level=level,
                )
            )  # fmt: skip
            progress *= 0.9 if number < iterations else 1.0
    result = from_uint8(to_uint8(picture(seed, size)))
    recorder.finish(result, {"content": 1.4, "style": 0.4, "total": 1.8})
    return result
