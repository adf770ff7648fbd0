"""What the frames of a clip cost, for its progress and for who shares the work out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.clip.lap import finishes, rounds
from pipeline.clip.source import finished_like
from pipeline.settings.job_settings import VideoSettings
from pipeline.settings.sweeps import is_finishing
from pipeline.styling.factory import finish_cost, unit_cost

if TYPE_CHECKING:
    from pipeline.clip.source import Clip
    from stylize.config import StylizeConfig


FIRST = 3
"""To be finished, a shot's first frame gets so many times the iterations: all others go on from it."""


_AHEAD = 4
"""Frames with their links that are there at once: two wait, one is being made, one is in hand."""
_FRAME, _LINK = 16, 28
"""Bytes a pixel: of a frame with what changes in it; of a link, which has a flow, its trust, two as found."""
_BESIDES = 330
"""Bytes a pixel that the optical flow and the frames before take meanwhile, as measured at 1920x1080."""


def memory_of_frames(settings: VideoSettings, clip: Clip) -> int:
    """About how many bytes go to the frames of a clip at their largest, beside their optimisation."""
    links = len(settings.long_term) if settings.follows_flow else 1
    width, height = finished_like(clip, settings).size
    return width * height * (_AHEAD * (_FRAME + _LINK * links) + _BESIDES)


@dataclass(frozen=True)
class FrameCosts:
    """What a shot's first frame costs and each of its others, and to finish them, in full-size iterations."""

    alone: float
    later: float
    finish_alone: float = 0.0
    finish: float = 0.0

    @classmethod
    def of(cls, config: StylizeConfig, settings: VideoSettings, size: tuple[int, int]) -> FrameCosts:
        """The costs of frames of this (width, height)."""
        alone = unit_cost(config, size[::-1])
        later = float(settings.frame_iterations) if settings.steady else alone
        first = FIRST if settings.follows_flow else 1
        return cls(alone, later, finish_cost(settings, first), finish_cost(settings))

    @property
    def cut(self) -> float:
        """What the frames of one shot cost more if they are two."""
        return self.alone - self.later + self.finish_alone - self.finish

    def of_frame(self, sweep: int, *, alone: bool) -> float:
        """A frame in a pass."""
        if is_finishing(sweep):
            return self.finish_alone if alone else self.finish
        return self.alone if alone else self.later

    def together(self, count: int) -> float:
        """So many frames of a single shot; each pass over a frame counts as one."""
        return self.alone + self.later * (count - 1) if count else 0.0

    def of_clip(self, settings: VideoSettings, frames: int, *, closes: bool = True) -> float:
        """So many frames of a single shot, in all passes; one that is not all of its clip never `closes`."""
        again = finishes(settings, frames, closes=closes)
        return self.together(rounds(settings, frames, closes=closes)) + self.finished(again)

    def of_lap(self, settings: VideoSettings, frames: int) -> float:
        """What such a clip costs more if it is a loop."""
        return self.of_clip(settings, frames) - self.of_clip(settings, frames, closes=False)

    def finished(self, count: int) -> float:
        """To finish so many frames of a single shot."""
        return self.finish_alone + self.finish * (count - 1) if count else 0.0
