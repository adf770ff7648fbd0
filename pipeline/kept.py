"""Decoded frames and their masks, kept in the run folder for later passes over a clip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clip_book import FrameStore
from pipeline.masks import Masks

if TYPE_CHECKING:
    from stylize.types import FloatImage


class KeptContents:
    """What the first pass has decoded; in whole bytes, from which all passes of a clip work.

    Parameters
    ----------
    store
        Where it is kept.
    masks
        How many each frame has.
    """

    def __init__(self, store: FrameStore, masks: int) -> None:
        self._store = store
        self._masks = masks

    def keep(self, index: int, content: FloatImage, masks: Masks) -> None:
        """Keep a frame and its masks; what is there already is of the same clip."""
        import numpy as np

        from video.images import write_image
        from video.outputs import unwritable

        path = self._store.content_path(index)
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise unwritable(path, error) from None
        planes = ((_mask_path(path, number), np.dstack([plane] * 3)) for number, plane in enumerate(masks))
        for file, picture in ((path, content), *planes):
            if not file.exists():
                write_image(file, picture)

    def content(self, index: int) -> FloatImage:
        """A frame that was kept."""
        from video.images import read_image

        return read_image(self._store.content_path(index))

    def masks(self, index: int) -> Masks:
        """Its masks."""
        from video.images import read_image

        path = self._store.content_path(index)
        return tuple(read_image(_mask_path(path, number))[..., 0] for number in range(self._masks))


def _mask_path(content: Path, number: int) -> Path:
    return content.with_name(f"{content.stem}-mask{number}.png")
