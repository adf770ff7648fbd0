"""Records an album's finished photos: result, journal, report, watchers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.album.journal import UnitKey, name_of, write_result
from pipeline.album.units import StyledPhoto
from pipeline.errors import PipelineError
from pipeline.progress.display import Display
from pipeline.progress.events import Ended
from pipeline.progress.report import Report


@dataclass(frozen=True)
class PhotoMade:
    """A stylized photo: its file's bytes, the weighted terms, what they took, and a line for `-v`."""

    data: bytes
    losses: dict[str, float]
    evaluations: int
    seconds: float
    text: str


class AlbumBook:
    """Takes in finished photos in the process that runs the job.

    Parameters
    ----------
    folder
        Where the results go.
    keys
        What decides each unit's look, for the journal; in the album's order.
    """

    def __init__(
        self, folder: Path, keys: Mapping[StyledPhoto, UnitKey], report: Report, display: Display
    ) -> None:
        self._folder, self._keys, self._report, self._display = folder, keys, report, display
        self._places = {unit: place for place, unit in enumerate(keys)}

    def take(self, unit: StyledPhoto, made: PhotoMade) -> None:
        """A photo is finished; one that cannot be written has failed."""
        from video.errors import VideoError

        try:
            write_result(self._folder, unit, self._keys[unit], made.data)
        except (VideoError, PipelineError) as error:
            self.fails(unit, str(error))
            return
        self._report.add(made)
        self.tell(unit, made)
        self._display.detail(made.text)

    def fails(self, unit: StyledPhoto, reason: str) -> None:
        """A photo cannot be done."""
        self._report.failed[name_of(unit, self._folder)] = reason
        self._display.error(f"failed: {reason}")

    def tell(self, unit: StyledPhoto, made: PhotoMade | None = None) -> None:
        """Tell those who look on; without `made`, an earlier run has made it."""
        ended = Ended(
            name_of(unit, self._folder), unit.output, found=made is None, source=unit.photo,
            style=unit.style.path.stem, index=self._places[unit],
        )  # fmt: skip
        if made is not None:
            ended = replace(ended, losses=made.losses, evaluations=made.evaluations, seconds=made.seconds)
        self._display.watchers.tell(ended)

    def succeeded(self, unit: StyledPhoto) -> bool:
        """Whether a unit has not failed."""
        return name_of(unit, self._folder) not in self._report.failed
