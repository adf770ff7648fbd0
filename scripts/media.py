"""The folder of test media that measurements and makers of pictures are given as MEDIA."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stylize.types import FloatImage


@dataclass(frozen=True)
class Media:
    """A folder with `photos`, `paintings` and `videos`, whose files are asked for without their suffix."""

    folder: Path

    @classmethod
    def named(cls, name: str) -> Media:
        """What a command line says."""
        return cls(Path(name).resolve())

    @property
    def photos(self) -> Path:
        """The folder of photos."""
        return self.folder / "photos"

    @property
    def paintings(self) -> Path:
        """The folder of paintings."""
        return self.folder / "paintings"

    @property
    def videos(self) -> Path:
        """The folder of clips."""
        return self.folder / "videos"

    def photo(self, name: str) -> Path:
        """One of the photos."""
        return _file(self.photos, name)

    def painting(self, name: str) -> Path:
        """One of the paintings."""
        return _file(self.paintings, name)

    def video(self, name: str) -> Path:
        """One of the clips."""
        return _file(self.videos, name)


def clip_frames(path: Path, part: str, size: int) -> list[FloatImage]:
    """The frames `part` of a clip, as `--frames` names them, the longer side `size`."""
    from video.decode import FrameRange, fit_size, read_frames
    from video.probe import probe

    clip = probe(path)
    fitted = fit_size(clip.width, clip.height, size, even=True)
    return list(read_frames(clip, size=fitted, frames=FrameRange.parse(part)))


def _file(folder: Path, name: str) -> Path:
    found = sorted(folder.glob(f"{name}.*"))
    if not found:
        raise SystemExit(f"{folder}: has no file {name}.*; give a folder of test media that has one")
    return found[0]
