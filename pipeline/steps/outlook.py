"""Says from a job's first iterations how long it will take, and what would take less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.machine import has_card
from pipeline.progress.display import Display, Work
from pipeline.settings.job import Job
from pipeline.styling.factory import levels_of
from stylize.layers import LAYERS, block_of

if TYPE_CHECKING:
    from stylize.stylizer import Stylizer


LONG_PICTURE = 120.0

LONG_JOB = 600.0
"""Seconds from which on a picture, and a clip or an album, takes long enough to say so beforehand."""

_TIMED = 3

_SLIM_LAST = "block5_conv2"

_SMALLER = 0.75

_SMALLEST = 192

# Measured with whole iterations of the default objective, two shared cores of an AMD EPYC with bfloat16,
# TensorFlow 2.21, 64 to 500 px, the three in turn (docs/decisions.md, 2026-11-26):
_FIXED = {"vgg19": 3000.0, "vgg19-slim": 6000.0}
"""What an iteration costs besides its pixels, in pixels: small levels are the dearer for it."""

_SPEED = {False: 1.75, True: 3.5}
"""How many times as much arithmetic a second the full network does as the slim one in float32 (wide
convolutions fill a processor better), by whether the full one runs in bfloat16: with 15.7 times as much of it
in the default layers the slim one takes a ninth and 4.5th of the time."""


@dataclass
class Outlook:
    """Says, once, how long a job will take, if that is long.

    The first iterations are those of the smallest level. A full-size one is predicted from them by its pixels
    and what its windows add; what the slim network would take, by the arithmetic of both (`_SPEED`).
    """

    job: Job
    display: Display
    _stylizer: Stylizer | None = None
    _shape: tuple[int, ...] = (0, 0)
    _said: bool = False

    def sees(self, stylizer: Stylizer, shape: tuple[int, ...]) -> None:
        """The optimisation of a picture of this shape begins; the first one is taken for all."""
        if self._stylizer is None:
            self._stylizer, self._shape = stylizer, shape

    def moved(self, work: Work) -> None:
        """Some iteration is done."""
        if self._said or self._stylizer is None or work.timed < _TIMED or work.pace <= 0.0:
            return
        self._said = True
        each = self._seconds_each(work.pace, self._stylizer)
        seconds = (work.total - work.done) * each
        if seconds >= (LONG_PICTURE if self.job.command == "image" else LONG_JOB):
            self.display.note(self._line(seconds, each, self._stylizer))

    def _seconds_each(self, pace: float, stylizer: Stylizer) -> float:
        """Seconds of a full-size iteration, from the pace on the smallest level as if pixels were all."""
        height, width = self._shape[:2]
        fixed = _FIXED.get(stylizer.backbone.name, 0.0)
        smallest = 4.0 ** (levels_of(stylizer.config, self._shape) - 1)
        alike = (height * width + fixed) / (height * width + fixed * smallest)
        return alike * stylizer.evaluator.overlap(height, width) / pace

    def _line(self, seconds: float, each: float, stylizer: Stylizer) -> str:
        card = has_card()
        where = "graphics card" if card else "processor"
        ways = []
        share = None if card or self.job.settings.weights else slim_share(stylizer)
        if share is not None:
            ways.append(("--backbone vgg19-slim", share))
        longer = max(self._shape[:2])
        size = round(_SMALLER * longer / 64) * 64
        if size >= _SMALLEST:
            ways.append((f"--size {size}", (size / longer) ** 2))
        told = [f"{what} about {roughly(seconds * part)}" for what, part in ways]
        told[:1] = [one.replace(" about ", " would take about ", 1) for one in told[:1]]
        price = f"{each:.{0 if each >= 10 else 1 if each >= 1 else 2}f} s an iteration"
        line = f"about {roughly(seconds)} on this {where} ({price})"
        return "; ".join((line, ", ".join(told))) if told else line


def slim_share(stylizer: Stylizer) -> float | None:
    """What the slim network would take of the time, in this job's layers; None if it cannot do it."""
    from stylize.weights import WIDTHS

    layers = [layer for layer in stylizer.objective.layers if layer != "image"]
    deepest = max((LAYERS.index(layer) for layer in layers), default=0)
    if stylizer.backbone.name != "vgg19" or deepest > LAYERS.index(_SLIM_LAST):
        return None
    full, slim = (_arithmetic(WIDTHS[name], deepest) for name in ("vgg19", "vgg19-slim"))
    return slim / full * _SPEED[stylizer.backbone.mixed]


def _arithmetic(widths: tuple[int, ...], deepest: int) -> float:
    """Multiplications a pixel of a network of these widths, down to a layer."""
    total, inputs = 0.0, 3
    for layer in LAYERS[: deepest + 1]:
        width = widths[block_of(layer) - 1]
        total += 9.0 * inputs * width / 4.0 ** (block_of(layer) - 1)
        inputs = width
    return total


def roughly(seconds: float) -> str:
    """Seconds as a person says them of what is to come: `40 s`, `14 min`, `3.5 h`."""
    if seconds < 90:
        return f"{max(10, round(seconds, -1)):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
