"""What holds a frame of a clip to the frames before it: where it starts and what it must stay close to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stylize.anchor import Anchor
    from stylize.types import FloatImage

Picture = Callable[[], "FloatImage"]
"""Gives a stylized frame as it was saved; reads it only when it is wanted."""


class MotionModel:
    """Carries stylized frames along the optical flow of their contents.

    Parameters
    ----------
    distances
        How many frames back to look, rising; the nearest reliable frame counts (long-term consistency of
        Ruder, Dosovitskiy & Brox 2016, section 5.2, nearest first).
    quality
        Of the flow.
    """

    def __init__(self, distances: tuple[int, ...], quality: str) -> None:
        from video.flow import FlowEstimator

        self._distances = distances
        self._flow = FlowEstimator(quality)
        self._past: deque[tuple[FloatImage, Picture]] = deque(maxlen=max(distances))

    def begin_shot(self) -> None:
        """Forget all frames: what comes has nothing to do with them."""
        self._past.clear()

    def remember(self, content: FloatImage, picture: Picture) -> None:
        """Take in a finished frame."""
        self._past.append((content, picture))

    def last_picture(self) -> FloatImage | None:
        """The stylized frame before this one; None for the first of a shot."""
        return self._past[-1][1]() if self._past else None

    def guide(
        self, content: FloatImage, own: FloatImage | None = None
    ) -> tuple[FloatImage | None, Anchor | None]:
        """Start and anchor for the frame that follows.

        The start is the stylized past moved to where the content is now; where nothing reliable comes from
        it is the content, in the colours that the last frame's content was given. The anchor is the same
        without the content. Several squared distances c_j (x - w_j)^2 are, but for a constant, one to their
        weighted mean with the sum of their weights.

        Parameters
        ----------
        content
            The frame to be stylized.
        own
            What an earlier pass has made of it. The start is then the mean of that and the moved past
            (Ruder, Dosovitskiy & Brox 2016, section 5.3).

        Returns
        -------
        tuple
            Start and anchor; without a past, `own` (None: start like a picture) and None.
        """
        import numpy as np

        from stylize.anchor import Anchor
        from stylize.colors import transferred
        from video.flow import TOLERANT_BOUNDARY, reliability, settle, warp

        if not self._past:
            return own, None
        total = np.zeros(content.shape[:2], np.float32)
        moved = np.zeros(content.shape, np.float32)
        for distance in self._distances:
            if distance > len(self._past):
                break
            past_content, picture = self._past[-distance]
            found, found_back = self._flow.both(content, past_content)
            flow, back = settle(found, found_back, content, past_content)
            trusted = reliability(flow, back, content, past_content, edges=found, boundary=TOLERANT_BOUNDARY)
            share = np.maximum(trusted - total, 0.0)
            moved += share[..., None] * warp(picture(), flow, sharp=True)
            total += share
        weight = total[..., None]
        if own is None:
            last_content, last_picture = self._past[-1]
            start = moved + (1.0 - weight) * transferred(content, last_content, last_picture())
        else:
            start = (own + moved) / (1.0 + weight)
        reference = np.where(weight > 0.0, moved / np.maximum(weight, 1e-6), content)
        return np.clip(start, 0.0, 1.0), Anchor(np.clip(reference, 0.0, 1.0), total)
