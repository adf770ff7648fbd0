"""Pictures for the page: made small at once, into JPEG when somebody looks, and at what price."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stylize.types import FloatImage


SIDE = 768
"""Pixels of the longer side of a picture on the page."""

STRIP_HEIGHT = 96
"""Pixels of the height of a finished picture in the strip."""


class Throttle:
    """Says when a picture may be refreshed: at most once in `pause` seconds, and for `share` of the time.

    Parameters
    ----------
    clock
        Seconds that never go back.
    pause
        Seconds from one refresh to the next, at the least.
    share
        Part of the time that refreshes may take, in (0, 1].
    """

    def __init__(
        self, clock: Callable[[], float] = time.perf_counter, *, pause: float = 1.0, share: float = 0.01
    ) -> None:
        self._clock = clock
        self._pause = pause
        self._share = share
        self._next = 0.0

    def due(self) -> bool:
        """Whether it is time."""
        return self._clock() >= self._next

    def did(self, began: float) -> None:
        """A refresh was made that began at `began`: the next one is put off by what it has cost."""
        now = self._clock()
        self._next = now + max(self._pause, (now - began) / self._share)

    def cost(self, seconds: float) -> None:
        """The last refresh has cost as much again, in another thread."""
        self._next += seconds / self._share


class Shown:
    """A picture that becomes a JPEG when it is first asked for.

    Parameters
    ----------
    version
        A number no other picture of the page has.
    read
        Gives the picture, shape (H, W, 3).
    side
        Pixels of the JPEG's longer side, at the most.
    cost
        Told how many seconds it took.
    """

    def __init__(
        self,
        version: int,
        read: Callable[[], FloatImage],
        *,
        side: int = SIDE,
        cost: Callable[[float], None] | None = None,
    ) -> None:
        self.version = version
        self._read = read
        self._side = side
        self._cost = cost
        self._lock = threading.Lock()
        self._jpeg: bytes | None = None

    def jpeg(self) -> bytes:
        """The file."""
        with self._lock:
            if self._jpeg is None:
                began = time.perf_counter()
                self._jpeg = jpeg_of(self._read(), self._side)
                if self._cost is not None:
                    self._cost(time.perf_counter() - began)
            return self._jpeg


def jpeg_of(picture: FloatImage, longer: int) -> bytes:
    """A picture as a JPEG whose longer side has at most `longer` pixels."""
    from pipeline.montage.contact_sheet import small

    file = io.BytesIO()
    small(picture, longer).save(file, "JPEG", quality=85)
    return file.getvalue()


def fitted(picture: FloatImage, longer: int = SIDE) -> FloatImage:
    """A picture no larger than it is shown; itself where it is not larger."""
    from video.decode import fit_size
    from video.images import resize_image

    height, width = picture.shape[:2]
    size = fit_size(width, height, longer)
    return picture if size == (width, height) else resize_image(picture, size)


def thumbnail(picture: FloatImage) -> bytes:
    """A finished picture as a JPEG of the strip's height."""
    height, width = picture.shape[:2]
    return jpeg_of(picture, max(1, round(STRIP_HEIGHT * max(height, width) / height)))


def read(path: Path) -> FloatImage:
    """A picture file, no larger than it is shown."""
    from video.images import read_image

    return fitted(read_image(path))
