"""What the frames of a clip cost, for the time that is left and for who does what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.settings.job_settings import VideoSettings
from pipeline.styling.factory import unit_cost

if TYPE_CHECKING:
    from stylize.config import StylizeConfig


@dataclass(frozen=True)
class FrameCosts:
    """What a shot's first frame costs, and each of its others, in full-size iterations."""

    alone: float
    later: float

    @classmethod
    def of(cls, config: StylizeConfig, settings: VideoSettings, size: tuple[int, int]) -> FrameCosts:
        """The costs of frames of this (width, height)."""
        alone = unit_cost(config, size[::-1])
        return cls(alone, float(settings.frame_iterations) if settings.steady else alone)

    def together(self, count: int) -> float:
        """So many frames of a single shot; each pass over a frame counts as one."""
        return self.alone + self.later * (count - 1) if count else 0.0
