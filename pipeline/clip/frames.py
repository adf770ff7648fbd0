"""Decoded and finished frames: where they are kept for later passes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pipeline.run_folder.folder import Frame
from pipeline.styling.looks import Masks

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
    finished
        They are at the finished size, and lie beside the small ones.
    """

    def __init__(self, store: FrameStore, masks: int, *, finished: bool = False) -> None:
        self._store = store
        self._masks = masks
        self._size = "-finished" if finished else ""

    def keep(self, index: int, content: FloatImage, masks: Masks) -> None:
        """Keep a frame and its masks; what is there already is of the same clip."""
        import numpy as np

        from video.images import write_image
        from video.outputs import unwritable

        path = self._path(index)
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

        return read_image(self._path(index))

    def masks(self, index: int) -> Masks:
        """Its masks."""
        from video.images import read_image

        path = self._path(index)
        return tuple(read_image(_mask_path(path, number))[..., 0] for number in range(self._masks))

    def _path(self, index: int) -> Path:
        path = self._store.content_path(index)
        return path.with_name(f"{path.stem}{self._size}{path.suffix}")


def _mask_path(content: Path, number: int) -> Path:
    return content.with_name(f"{content.stem}-mask{number}.png")


class FrameStore(Protocol):
    """Where the frames of a clip are, or of a part of it: the job's run folder, or a worker's own."""

    @property
    def snapshots(self) -> Path:
        """Where snapshots go."""

    def frame_path(self, index: int, sweep: int = 1) -> Path:
        """The file of a stylized frame."""

    def content_path(self, index: int) -> Path:
        """Where a decoded frame is kept for later passes."""


def read_frame(path: Path) -> FloatImage:
    """A frame as it was saved, which is what the next ones start from."""
    from video.images import read_image

    return read_image(path)


@dataclass(frozen=True)
class FrameMade:
    """A finished frame.

    Attributes
    ----------
    frame
        As the journal has it.
    begins
        Whether a shot begins with it.
    found
        An earlier run made it.
    text
        How its optimisation went, for `-v`.
    data
        Its file, if that is not in the run folder yet.
    """

    frame: Frame
    begins: bool
    found: bool = False
    text: str = ""
    data: bytes | None = None
