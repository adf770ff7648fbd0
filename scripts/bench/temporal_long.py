"""The part `long` of temporal.py: what becomes of a shot of 300 frames.

A clip goes forward and backward until it has as many; so the frames to look at have nearly the same content,
and what differs between them is drift. Each is held against the same frame made alone: brightness, contrast,
fine contrast (the band above an eighth of a cycle a pixel) and loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.clip.temporal import stylize_frames
from scripts import tables
from scripts.bench.temporal_shared import Asked, loss_of, meter_of, write_sheet
from scripts.media import clip_frames
from stylize.colors import grey
from stylize.types import FloatImage

FRAMES = 300
SEEN = (9, 99, 299)
FINE = 0.125
DRIFT = 0.05
"""How far brightness, contrast and fine contrast of the last frame may be from the tenth's, as a share."""


def long(asked: Asked) -> bool:
    """A table of frames 10, 100 and 300 beside those made alone."""
    part = clip_frames(asked.media.video("flower"), "0:60", asked.size)
    there_and_back = [*part, *part[-2:0:-1]]
    frames = [there_and_back[number % len(there_and_back)] for number in range(FRAMES)]
    stylizer = asked.stylizer("vangogh-starry-night")
    pictures = [one.picture for one in stylize_frames(stylizer, frames, cuts="none")]
    print()
    tables.head(
        "frame", "brightness", "contrast", "fine contrast", "content + style", "of the frame alone",
        "its fine contrast",
    )  # fmt: skip
    rows, shown = [], []
    for number in SEEN:
        alone = stylizer.stylize(frames[number])
        least = loss_of(stylizer, alone.picture, frames[number])
        loss = loss_of(stylizer, pictures[number], frames[number])
        rows.append(measures(pictures[number]))
        shown.append((pictures[number], alone.picture))
        tables.row(
            number + 1, *(f"{value:.4f}" for value in rows[-1]), f"{loss:.3f}",
            f"{loss / least:.3f}", f"{measures(alone.picture)[2]:.4f}",
        )  # fmt: skip
    error, floor, _ = meter_of(frames, pictures)
    print(f"\nwarping error {error * 1e4:.2f}e-4, of the clip's own {error / floor:.2f}")
    write_sheet(asked, "long", [*zip(*shown, strict=True)])
    return bool(np.all(np.abs(np.array(rows[-1]) / rows[0] - 1.0) <= DRIFT))


def measures(picture: FloatImage) -> Sequence[float]:
    """Mean, standard deviation, and that of the fine structures alone, of the luma."""
    luma = grey(picture)[..., 0]
    spectrum = np.fft.fft2(luma - luma.mean())
    rows, columns = (np.fft.fftfreq(side) for side in luma.shape)
    fine = np.hypot(rows[:, None], columns[None]) >= FINE
    return (
        float(luma.mean()),
        float(luma.std()),
        float(np.sqrt(np.sum(np.abs(spectrum[fine]) ** 2)) / luma.size),
    )
