"""What holds a frame of a clip to the frames before it: where it starts and what it must stay close to.

The part that looks at contents only, `FlowTracker`, can run ahead of the part that needs the stylized frames.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stylize.anchor import Anchor
    from stylize.types import FloatImage
    from video.flow import Flow, Mask


Picture = Callable[[], "FloatImage"]
"""Gives a stylized frame as it was saved; reads it only when it is wanted."""

SETTLING = 4
"""Frames in which the hold on what has come into view rises to the full; its strokes form meanwhile."""

LOOSENING = 60.0
"""How fast the hold on the frame before is given up for a look that changes (docs/decisions.md)."""

RELEASE = 0.03, 0.06
"""How far a place's colours may come from those its strokes were made for; and beyond, by how much until the
hold is e times less."""

FORMS = 0.6, 0.7
"""How alike the forms of a place are to those that its strokes were formed from: let go at the one, held from
the other on."""

RENEWAL = 0.005
"""How far what is held comes to count, each frame, as formed from what it shows: moved for long, it blurs."""

PLACE = 3.0
"""Standard deviation in pixels of the blur under which colours are compared: of a place, not of its grain."""

BORDER = 3
"""Pixels along the border that a network paints differently; what moves in from there starts anew."""


@dataclass(frozen=True)
class _Past:
    """A finished frame.

    Attributes
    ----------
    ages
        For how many frames each of its pixels has been in view, up to `SETTLING`, shape (H, W).
    source
        The content that each pixel's strokes were made for, shape (H, W, 3).
    formed
        The luma of the content that they were formed from, when most of it was new, shape (H, W).
    """

    content: FloatImage
    read: Picture
    ages: NDArray[np.uint8]
    source: FloatImage
    formed: Mask

    @cached_property
    def picture(self) -> FloatImage:
        """The stylized frame, read when it is first wanted."""
        return self.read()


@dataclass(frozen=True)
class _Followed:
    """What of a frame comes from the past: each link's share, shape (H, W), their sum; see `_Past`."""

    shares: list[Mask]
    total: Mask
    ages: NDArray[np.uint8]
    source: FloatImage
    formed: Mask


@dataclass(frozen=True)
class Link:
    """How a frame's content comes from the frame `distance` before it.

    Attributes
    ----------
    flow
        Shape (H, W, 2), from the frame to the earlier one.
    trusted
        Shape (H, W), in [0, 1].
    found
        The flows to the earlier frame and back, as they were found: what the warping error is measured with.
    """

    distance: int
    flow: Flow
    trusted: Mask
    found: tuple[Flow, Flow]


def loosened(anchor: Anchor, change: float) -> Anchor:
    """An anchor for a frame whose look differs by so much, in [0, 1], from that of the frame before.

    Held as firmly as others, frames would not follow a change of strength or style. A change from one look
    to another loosens by the same factor in all, over however many frames it goes.
    """
    import numpy as np

    return replace(anchor, weights=anchor.weights * np.float32(math.exp(-LOOSENING * change)))


class FlowTracker:
    """Links each frame's content to those before it; needs no stylized frame, so it can run ahead.

    Parameters
    ----------
    distances
        How many frames back to look, rising.
    quality
        Of the flow.
    """

    def __init__(self, distances: tuple[int, ...], quality: str) -> None:
        from video.flow import FlowEstimator

        self._distances = distances
        self._flow = FlowEstimator(quality)
        self._past: deque[FloatImage] = deque(maxlen=max(distances))

    def begin_shot(self) -> None:
        """Forget all frames: what comes has nothing to do with them."""
        self._past.clear()

    def look(self, content: FloatImage) -> tuple[Link, ...]:
        """The links of the frame that follows."""
        distances = [one for one in self._distances if one <= len(self._past)]
        links = tuple(self._link(content, distance) for distance in distances)
        self._past.append(content)
        return links

    def _link(self, content: FloatImage, distance: int) -> Link:
        import numpy as np

        from video.flow import TOLERANT_BOUNDARY, leaves_border, reliability, settle

        past = self._past[-distance]
        found, found_back = self._flow.both(content, past)
        flow, back = settle(found, found_back, content, past)
        trusted = reliability(flow, back, content, past, edges=found, boundary=TOLERANT_BOUNDARY)
        trusted = np.where(leaves_border(flow, BORDER), np.float32(0.0), trusted)
        return Link(distance, flow, trusted, (found, found_back))


class MotionModel:
    """Carries stylized frames along the links of their contents.

    Parameters
    ----------
    reach
        How many frames back the links go; the nearest reliable frame counts (long-term consistency of
        Ruder, Dosovitskiy & Brox 2016, section 5.2, nearest first).
    """

    def __init__(self, reach: int) -> None:
        self._past: deque[_Past] = deque(maxlen=reach)
        self._followed: _Followed | None = None

    def begin_shot(self) -> None:
        """Forget all frames: what comes has nothing to do with them."""
        self._past.clear()
        self._followed = None

    def remember(self, content: FloatImage, picture: Picture) -> None:
        """Take in a finished frame: the one that was last followed or guided, or one that was not."""
        import numpy as np

        from video.forms import luma

        followed, self._followed = self._followed, None
        if followed is None:
            ages = np.full(content.shape[:2], SETTLING, np.uint8)
            self._past.append(_Past(content, picture, ages, content, luma(content)))
        else:
            self._past.append(_Past(content, picture, followed.ages, followed.source, followed.formed))

    def last(self) -> tuple[FloatImage, FloatImage]:
        """Content and stylized picture of the last frame; there must be one."""
        return self._past[-1].content, self._past[-1].picture

    def last_picture(self) -> FloatImage | None:
        """The stylized frame before this one; None for the first of a shot."""
        return self._past[-1].picture if self._past else None

    @property
    def new_share(self) -> float:
        """How much of the frame that was last followed or guided does not come from the past, in [0, 1]."""
        return 0.0 if self._followed is None else 1.0 - float(self._followed.total.mean())

    def follow(self, content: FloatImage, links: tuple[Link, ...]) -> None:
        """Take in the frame that follows and is finished already, for what the next ones have from it."""
        if self._past and links:
            self._followed = self._follow(content, links)

    def guide(
        self,
        content: FloatImage,
        links: tuple[Link, ...],
        own: FloatImage | None = None,
        share: float | None = None,
    ) -> tuple[FloatImage | None, Anchor | None]:
        """Start and anchor for the frame that follows.

        The start is the stylized past moved to where the content is now; where nothing reliable comes from
        it is the content, in the colours that the last frame's content was given. The anchor is the same
        without the content; its hold on what has come into view rises over `SETTLING` frames. Several squared
        distances c_j (x - w_j)^2 are, but for a constant, one to their weighted mean with the sum of their
        weights.

        A place whose colours have come far from those that its strokes were made for, or whose forms from
        those they were formed from, is let go: what was there before a flash or a cross-fade would stay.

        Parameters
        ----------
        content
            The frame to be stylized.
        links
            Of its content to the frames before, the nearest first.
        own
            What an earlier pass has made of it. The start is then the mean of that and the moved past
            (Ruder, Dosovitskiy & Brox 2016, section 5.3).
        share
            Of that in the start and the anchor, instead of the mean; all of it where nothing reliable comes.

        Returns
        -------
        tuple
            Start and anchor; without a past, `own` (None: start like a picture) and None.
        """
        import numpy as np

        from stylize.anchor import Anchor
        from stylize.colors import transferred
        from video.flow import warp

        if not self._past:
            return own, None
        found = self._follow(content, links)
        moved = np.zeros(content.shape, np.float32)
        for link, part in zip(links, found.shares, strict=True):
            moved += part[..., None] * warp(self._past[-link.distance].picture, link.flow, sharp=True)
        weight = found.total[..., None]
        if own is None:
            last = self._past[-1]
            start = moved + (1.0 - weight) * transferred(content, last.content, last.picture)
            held: Mask = np.asarray(found.total * (found.ages / np.float32(SETTLING)), np.float32)
            self._followed = found
        elif share is not None:  # both have their strokes everywhere: it is held to a picture between them
            between: FloatImage = (own + (1.0 - share) * (moved - weight * own)).clip(0.0, 1.0)
            return between, Anchor(between, np.ones_like(found.total))
        else:  # all of it has its strokes from the pass before
            start, held = (own + moved) / (1.0 + weight), found.total
        reference = np.where(weight > 0.0, moved / np.maximum(weight, 1e-6), content)
        return np.clip(start, 0.0, 1.0), Anchor(np.clip(reference, 0.0, 1.0), held)

    def _follow(self, content: FloatImage, links: tuple[Link, ...]) -> _Followed:
        """How much of each pixel comes from the past along the links."""
        import numpy as np

        from video.flow import carried, warp
        from video.forms import alike, luma
        from video.stillness import blurred_apart

        (free, scale), (let_go, held), shown = RELEASE, FORMS, luma(content)
        total: Mask = np.zeros(content.shape[:2], np.float32)
        ages = np.zeros(content.shape[:2], np.uint8)
        source, formed = np.zeros(content.shape, np.float32), shown
        shares = []
        for link in links:
            past = self._past[-link.distance]
            made_for = warp(past.source, link.flow)
            apart = blurred_apart(content - made_for, PLACE)
            kept = np.exp(-np.square(np.maximum(apart - free, 0.0) / scale))
            formed_from = warp(past.formed, link.flow, sharp=True)
            kept *= np.clip((alike(shown, formed_from) - let_go) / (held - let_go), 0.0, 1.0)
            share = np.maximum(link.trusted * kept - total, 0.0)
            source += share[..., None] * made_for
            total += share
            ages = np.where(share > 0.5, np.minimum(carried(past.ages, link.flow) + 1, SETTLING), ages)
            formed = np.where(share > 0.5, formed_from + RENEWAL * (shown - formed_from), formed)
            shares.append(share)
        return _Followed(shares, total, ages, source + (1.0 - total[..., None]) * content, formed)
