"""The panels of a progress movie: an optimisation's snapshots at every moment, at an even pace."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Protocol

import numpy as np

from pipeline.montage.captions import Caption
from pipeline.montage.layouts import Area, Captioned, Size, fitted_size, grid_layout
from pipeline.montage.snapshots import FINISHING, Loss, Snapshot, content_path, read_losses, style_paths
from video.images import FloatImage, read_image, resize_image

TEMPER = 0.7
"""Power of the distance between snapshots that their time grows with: 1 moves evenly, 0 shows each alike."""

LEAST_SHARE = 0.1
"""Time every change gets besides, as a part of the mean: the last touches are small."""

EDGE = np.float32(0.95)
"""The grey of the edge that travels over the picture in a wipe."""


class Panel(Protocol):
    """A picture with its caption, at every moment of a movie."""

    def grown(self, moment: float) -> Captioned:
        """While the result comes to be: 0 is the beginning, 1 the end."""

    def wiped(self, part: float) -> Captioned:
        """While the original turns into the result: 0 is the one, 1 the other."""


class Still:
    """A panel that stays as it is."""

    def __init__(self, picture: FloatImage, title: str) -> None:
        self._shown = picture, Caption(title)

    def grown(self, moment: float) -> Captioned:
        """Always the same."""
        return self._shown

    def wiped(self, part: float) -> Captioned:
        """Always the same."""
        return self._shown


class Growth:
    """The panel in which the snapshots of one folder turn into its result.

    Parameters
    ----------
    snapshots
        Of one folder, in order; at least one.
    room
        The width and height into which the pictures are fitted.
    """

    def __init__(self, snapshots: Sequence[Snapshot], room: Size) -> None:
        self._times = pace([snapshot.distance for snapshot in snapshots[1:]])
        self._folder, self.title = snapshots[0].folder, snapshots[0].title
        self._size = size = fitted_size(snapshots[-1].size, room)
        self.losses = read_losses(self._folder) or [
            Loss(one.iteration, one.level, one.loss, one.terms) for one in snapshots
        ]
        self._places = places_of(snapshots, self.losses)
        self._levels = len({loss.level for loss in self.losses}) > 1

        @lru_cache(maxsize=2)
        def picture(number: int) -> FloatImage:
            return resize_image(read_image(snapshots[number].path), size)

        self._picture = picture

    def grown(self, moment: float) -> Captioned:
        """The blend of the snapshots around a moment: 0 is the first one, 1 the last, exactly."""
        number, part = locate(self._times, moment)
        picture = self._picture(number)
        if part > 0.0:
            picture = blend(picture, self._picture(number + 1), part)
        loss = self.losses[int(self.place(moment))]
        return picture, self._caption(self._counters(loss.level, loss.iteration))

    def wiped(self, part: float) -> Captioned:
        """The original, and from the left the result; 0 is the one, 1 the other, exactly."""
        result, caption = self.grown(1.0)
        if part <= 0.0:
            caption = self._caption(("original",) * len(caption.counters))
        return wipe(self._original, result, part), caption

    def place(self, moment: float) -> float:
        """How many of the losses have passed, counted from 0; fractions lie between two."""
        number, part = locate(self._times, moment)
        place = float(self._places[number])
        return place + part * (self._places[number + 1] - place) if part > 0.0 else place

    @cached_property
    def _original(self) -> FloatImage:
        return resize_image(read_image(content_path(self._folder)), self._size)

    def _caption(self, counters: tuple[str, ...]) -> Caption:
        levels = sorted({loss.level for loss in self.losses}, reverse=True)
        last = self.losses[-1].iteration
        widest = max((self._counters(level, last) for level in levels), key=lambda forms: len(forms[0]))
        return Caption(self.title, counters, widest)

    def _counters(self, level: int, iteration: int) -> tuple[str, ...]:
        """Forms of decreasing length; the first one says the level, where there are several."""
        short = f"iteration {iteration}"
        named = "finishing" if level == FINISHING else f"level {level}"
        return f"{named}, {short}" if self._levels else short, short, str(iteration)


def originals(snapshots: Sequence[Snapshot], rooms: tuple[Size, Size]) -> list[Panel]:
    """Panels with the content and the styles of a folder, fitted into these sizes.

    Several styles share their room.
    """
    folder = snapshots[0].folder
    content = read_image(content_path(folder))
    styles = [read_image(path) for path in style_paths(folder)]
    shown = styles[0]
    if len(styles) > 1:
        layout = grid_layout([_size_of(style) for style in styles], Area(rooms[1], True), captions=False)
        shown = layout.draw([
            (_fitted(style, box.size), Caption(""))
            for style, box in zip(styles, layout.boxes, strict=True)
        ])  # fmt: skip
    name = "style" if len(styles) == 1 else f"{len(styles)} styles"
    return [Still(_fitted(content, rooms[0]), "original"), Still(_fitted(shown, rooms[1]), name)]


def _size_of(picture: FloatImage) -> Size:
    return picture.shape[1], picture.shape[0]


def _fitted(picture: FloatImage, room: Size) -> FloatImage:
    return resize_image(picture, fitted_size(_size_of(picture), room))


def wipe(original: FloatImage, result: FloatImage, part: float) -> FloatImage:
    """`result` from the left up to the share `part` of the width, then a bright edge and `original`."""
    width = result.shape[1]
    edge = round(min(max(part, 0.0), 1.0) * width)
    picture = original.copy()
    picture[:, :edge] = result[:, :edge]
    if 0 < edge < width:
        picture[:, edge : edge + max(1, round(width / 250))] = EDGE
    return picture


def pace(distances: Sequence[float]) -> list[float]:
    """When each snapshot is shown, from 0 to 1, for a pace that looks even.

    Parameters
    ----------
    distances
        Between each snapshot and the next, one less than there are snapshots. A larger distance takes longer,
        but less than in proportion; equal pictures take no time.
    """
    mean = sum(distances) / max(len(distances), 1)
    if mean == 0.0:
        return [number / max(len(distances), 1) for number in range(len(distances) + 1)]
    costs = [(distance / mean) ** TEMPER + LEAST_SHARE if distance > 0.0 else 0.0 for distance in distances]
    whole = sum(costs)
    return [0.0, *(min(cost / whole, 1.0) for cost in accumulate(costs[:-1])), 1.0]


def locate(times: Sequence[float], moment: float) -> tuple[int, float]:
    """The last snapshot shown at a moment and how far the next one has come, from 0 to less than 1."""
    number = bisect.bisect_right(times, moment) - 1
    if number >= len(times) - 1:
        return len(times) - 1, 0.0
    return number, (moment - times[number]) / (times[number + 1] - times[number])


def places_of(snapshots: Sequence[Snapshot], losses: Sequence[Loss]) -> list[int]:
    """The index of every snapshot's iteration in `losses`, never decreasing; the result has the last one."""
    known = {(loss.level, loss.iteration): index for index, loss in enumerate(losses)}
    found = [known.get((snapshot.level, snapshot.iteration), 0) for snapshot in snapshots]
    if snapshots[-1].kept:
        found[-1] = len(losses) - 1
    return list(accumulate(found, max))


def blend(first: FloatImage, second: FloatImage, part: float) -> FloatImage:
    """`first` with the share `part` of `second`."""
    weight = np.float32(part)
    return first + weight * (second - first)
