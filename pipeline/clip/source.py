"""What a video job works on: a clip or a folder of frames, and what of it is wanted."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.progress.display import Display
from pipeline.settings.job_settings import VideoSettings
from pipeline.styling.finishing import too_small

if TYPE_CHECKING:
    from stylize.types import FloatImage
    from video.decode import FrameRange
    from video.frame_times import FrameTimes
    from video.images import Color
    from video.probe import ClipInfo
    from video.sequence import FrameFolder


FAR = 1500
"""Frames that are read in a few seconds: more before the first that is wanted are said."""


@dataclass(frozen=True)
class Clip:
    """A clip or folder of frames, what of it is wanted, at which (width, height), and where shots begin.

    `cuts` is "auto", "none", or the numbers of the frames that begin a shot. `marks`, if there are any, are
    those of the wanted frames (`video.excerpt`), which are then read without decoding all that comes before;
    `mask_marks` are those of its masks in their order, empty for masks that are no clips.
    """

    source: ClipInfo | FrameFolder
    wanted: FrameRange
    size: tuple[int, int]
    cuts: str | frozenset[int] = "auto"
    marks: tuple[bytes, ...] = ()
    mask_marks: tuple[tuple[bytes, ...], ...] = ()
    seen: list[Fraction | None] = field(default_factory=list, compare=False, repr=False)

    @property
    def indices(self) -> range:
        """The frames' numbers in the source, as far as its count can be believed."""
        return self.wanted.indices(self.source.frames)

    def label(self, index: int) -> str:
        """What a frame is called, for people: by its place among those that are wanted."""
        place = self.indices.index(index) if index in self.indices else index
        return f"frame {place + 1}/{len(self.indices)}"

    def as_shown(self) -> Clip:
        """The clip as its frames turned out to be shown: some of what a damaged one tells is not there."""
        from video.frame_times import shown_at
        from video.probe import ClipInfo

        if not isinstance(self.source, ClipInfo):
            return self
        return replace(self, source=shown_at(self.source, self.seen))

    def contents(self, display: Display) -> Generator[tuple[int, FloatImage], None, None]:
        """Each wanted frame with its number in the source, decoded as a stream.

        Close it when it is not read to its end: a decoder that is left to the interpreter's own end takes
        the program down with it.
        """
        start = self.wanted.start
        if start > FAR and not self.marks:
            display.note(f"reading {self.source.path} up to frame {start}, the first that is wanted ...")
        frames = self.frames_of(self.source, self.marks, on_warning=display.warn, on_times=self._take)
        with closing(frames):
            yield from enumerate(frames, start=start)

    def frames_of(
        self,
        source: ClipInfo | FrameFolder,
        marks: Sequence[bytes] = (),
        on_warning: Callable[[str], None] | None = None,
        on_times: Callable[[FrameTimes], None] | None = None,
        background: Color | None = None,
    ) -> Generator[FloatImage, None, None]:
        """The wanted frames at the clip's size, of itself or of a mask, which follows it frame by frame.

        Those with `marks` are sought, and nobody is told of them: all was said when the marks were made.
        Transparent parts show `background`, white if it is not given.
        """
        from video.decode import read_frames
        from video.excerpt import read_excerpt
        from video.images import WHITE

        background = background or WHITE
        if marks:
            return read_excerpt(
                source, size=self.size, start=self.wanted.start, marks=marks, background=background
            )
        return read_frames(
            source, size=self.size, frames=self.wanted, on_warning=on_warning, on_times=on_times,
            background=background,
        )  # fmt: skip

    def _take(self, times: Sequence[Fraction | None]) -> None:
        self.seen[:] = times


def open_clip(path: Path, settings: VideoSettings, minimum_side: int) -> Clip:
    """Probe a clip, or look through a folder of frames, and work out what is wanted of it.

    Raises
    ------
    InputError, UsageError
        If it is no clip, the range holds no frame, or the frames are too small.
    """
    from video.decode import FrameRange, read_frames
    from video.errors import StillError, UnnumberedError
    from video.probe import probe
    from video.scenes import read_cuts
    from video.sequence import open_folder

    rate = parse_rate(settings.fps)
    source: ClipInfo | FrameFolder
    if path.is_dir():
        try:
            source = open_folder(path, rate, allow_gaps=settings.allow_gaps)
        except UnnumberedError as error:
            raise UsageError(f"{error}; photos are done by `deepfusion album`") from error
    else:
        try:
            source = probe(path)
        except StillError as error:
            raise UsageError(f"{error}; for one picture use `deepfusion image`") from error
        if settings.deinterlace != "auto":
            source = source.taken_for_interlaced(settings.deinterlace == "on")
    wanted = FrameRange.parse(settings.frames or ":")
    _check_range(path, settings, wanted, source.frames)
    size = frame_size(path, source, settings.size, minimum_side)
    # Starts nothing, but refuses what cannot be decoded here.
    read_frames(source, size=size, frames=wanted).close()
    cuts: str | frozenset[int] = settings.cuts
    if settings.cut_file is not None:
        cuts = read_cuts(settings.cut_file, wanted.indices(source.frames))
    return Clip(source, wanted, size, cuts)


def finished_like(clip: Clip, settings: VideoSettings) -> Clip:
    """The clip at the size that its frames are finished at; itself where they are not.

    Raises
    ------
    UsageError
        If the clip has fewer pixels.
    """
    source, path = clip.source, clip.source.path
    if not settings.finish:
        return clip
    if settings.finish > max(source.width, source.height):
        raise too_small(path, source.width, source.height, settings.finish)
    return replace(clip, size=frame_size(path, source, settings.finish, 1))


def frame_size(path: Path, source: ClipInfo | FrameFolder, longer: int, minimum_side: int) -> tuple[int, int]:
    """Width and height of a clip's frames with this longer side; UsageError if they are too small."""
    from video.decode import fit_size

    size = fit_size(source.width, source.height, longer, even=True)
    if min(size) < minimum_side:
        raise UsageError(
            f"{path}: {size[0]}x{size[1]} pixels is too small for the network, which needs {minimum_side} "
            f"on the shorter side; give a larger --size or a larger clip"
        )
    return size


def _check_range(path: Path, settings: VideoSettings, wanted: FrameRange, total: int) -> None:
    """The wanted frames exist, and the frame for the progress movie is one of them."""
    indices = wanted.indices(total)
    if total and not indices:
        raise UsageError(f"--frames {settings.frames}: {path} has only {total} frames, numbered from 0")
    if settings.movie_frame and settings.movie_frame not in indices:
        raise UsageError(
            f"--movie-frame {settings.movie_frame}: is not among the frames to be stylized, which are "
            f"{wanted.start} to {indices[-1]}"
        )


def parse_rate(text: str) -> Fraction:
    """A frame rate as a fraction: `25`, `23.976` (read as 24000/1001), `30000/1001`."""
    try:
        rate = Fraction(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{0,9}|/[0-9]{1,9})?", text) else None
    except ZeroDivisionError:
        rate = None
    if rate is None:
        raise UsageError(f"--fps {text}: expected a rate like 25, 23.976 or 30000/1001")
    if not 0 < rate <= 1000:
        raise UsageError(f"--fps {text}: must be above 0 and at most 1000")
    for whole in (24, 30, 48, 60, 120):
        if abs(rate - Fraction(whole * 1000, 1001)) < Fraction(1, 200):
            return Fraction(whole * 1000, 1001)
    return rate
