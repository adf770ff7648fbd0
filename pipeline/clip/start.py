"""Where the optimisation of a frame starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stylize.anchor import Anchor
    from stylize.types import FloatImage
    from video.flow import Mask


@dataclass(frozen=True)
class Start:
    """Where the optimisation of a frame starts: what `Stylizer.stylize` is told by these names.

    Attributes
    ----------
    initial
        The picture it starts from; None: like a single picture.
    anchor
        What it stays close to, and how closely at each pixel; None: to nothing.
    iterations, tolerance
        The most it takes, and when it has settled; None: like a single picture.
    changing
        How far each pixel may differ from `initial`, shape (H, W), in [0, 1]; None: all may.
    turn
        Which phase (`stylize.phase`) it is optimised in: frames with a past take turns.
    afresh
        Most of it is new: from `initial` it is made like a single picture, from coarse to fine.
    """

    initial: FloatImage | None = None
    anchor: Anchor | None = None
    iterations: int | None = None
    tolerance: float | None = None
    changing: Mask | None = None
    turn: int = 0
    afresh: bool = False
