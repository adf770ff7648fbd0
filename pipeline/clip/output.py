"""The clip that a job writes: what will go into it is found out before the work, and done at its end."""

from __future__ import annotations

from collections.abc import Container, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clip.source import Clip
from pipeline.montage.contact_sheet import Cell, small
from pipeline.progress.display import Display
from pipeline.progress.events import Written
from video.names import shown

if TYPE_CHECKING:
    from stylize.look import Look
    from video.encode import FrameWriter


class ClipOutput:
    """The output of a clip's job, with what goes along of the clip besides its pictures.

    Nothing is written before `write`; what would be refused then is refused at once.

    Raises
    ------
    InputError, ToolError
        If there can be no such file.
    """

    def __init__(self, path: Path, clip: Clip, *, crf: int, overwrite: bool) -> None:
        self._path, self._clip, self._crf, self._overwrite = path, clip, crf, overwrite
        self._planned = self._writer(clip)

    def rehearse(self, display: Display) -> None:
        """Find out on a moment of it what of the clip goes along, and say what does not."""
        _rehearse(self._planned, display)

    def write(
        self, frames: Sequence[tuple[Path, Look]], marked: Container[int], display: Display
    ) -> list[Cell]:
        """Put the frames together with the source's sound, each laid over its content as its look says.

        Gives those whose place is in `marked`, for a contact sheet.
        """
        display.note(f"writing {shown(self._path)}")
        as_shown = self._clip.as_shown()
        writer = self._writer(as_shown, len(frames))
        if as_shown.source == self._clip.source:
            writer.carry(self._planned.sound)
        else:  # the sound goes along with other times than those it was rehearsed with
            _rehearse(writer, display)
        return _encode(writer, frames, self._clip, display, marked)

    def _writer(self, clip: Clip, frames: int | None = None) -> FrameWriter:
        """What writes the clip with its frames at the times of its source; nothing before it is entered."""
        from video.encode import FrameWriter
        from video.probe import ClipInfo

        source = clip.source
        return FrameWriter(
            self._path,
            clip.size,
            source.rate,
            sound=source if isinstance(source, ClipInfo) else None,
            sound_range=clip.wanted.seconds(source.rate),
            crf=self._crf,
            overwrite=self._overwrite,
            expected_frames=frames,
        )


def _rehearse(writer: FrameWriter, display: Display) -> None:
    from video.rehearsal import rehearse

    rehearse(writer)
    for note in writer.notes:
        display.warn(note)


def _encode(
    writer: FrameWriter, frames: Sequence[tuple[Path, Look]], clip: Clip, display: Display,
    marked: Container[int],
) -> list[Cell]:  # fmt: skip
    from video.images import read_image

    cells = []
    watchers = display.watchers
    faint = any(look.strength < 1.0 for _, look in frames)
    decodes = faint or any(one.wants_originals for one in watchers.each)
    with writer, closing(clip.contents(display)) as contents:
        for number, (path, look) in enumerate(frames):
            picture = read_image(path)
            content = next(contents)[1] if decodes else None
            picture = picture if content is None else look.over(content, picture)
            writer.write(picture)
            name = f"frame {clip.wanted.start + number}"
            watchers.tell(Written(number, len(frames), name, picture, content))
            if number in marked:
                cells.append(Cell((small(picture),), name))
    for note in writer.notes:
        display.warn(note)
    return cells
