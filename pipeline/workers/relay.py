"""Shows what workers say as one job: one bar, one log, one picture for watchers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError
from pipeline.progress.display import Display, Work
from pipeline.progress.events import Begun, Iterated
from pipeline.run_folder.files import write_durably
from pipeline.workers.messages import Broke, Died, Done, Failed, Kept, Progressed, Said, Stepped, Warned
from pipeline.workers.protocol import Unit
from video.names import shown

if TYPE_CHECKING:
    from stylize.types import FloatImage


_NAMED = 3
"""Units that are named in the display; of more only the number is told."""


class Relay:
    """Takes what is said of units whatever they are.

    Those who look on follow one unit at a time, until it ends: they know of one picture only.

    Parameters
    ----------
    kind
        What the units are, for people: "shots", "photos".
    work
        Shows how much is done; its total counts all units, at their costs.
    snapshots
        Where the folders of snapshots go.
    """

    def __init__(self, kind: str, display: Display, work: Work, snapshots: Path) -> None:
        self._kind, self._display, self._work, self._snapshots = kind, display, work, snapshots
        self._busy: dict[str, tuple[Unit, float]] = {}
        self._finished = 0
        self._done = work.done
        self._followed: str | None = None
        self._shown: FloatImage | None = None

    def hear(self, unit: Unit, message: Any) -> None:
        """Show it, pass it on, or keep it."""
        match message:
            case Progressed():
                self._busy[unit.name] = (unit, message.share)
                self._show()
            case Said():
                self._display.say(f"{shown(unit.name)}: {message.text}", message.verbosity)
            case Warned():
                self._display.warn(message.text)
            case Kept():
                self._keep(message)
            case Begun() | Stepped():
                self._follow(unit, message)
            case Done() | Failed():
                self._done += unit.cost
                self._finished += 1
                self._leave(unit)
            case Broke() | Died():
                self._leave(unit)

    def _show(self) -> None:
        """One line for all workers; the speed is that of all together."""
        names = [f"{unit.name} {100 * share:.0f} %" for unit, share in self._busy.values()]
        busy = " · ".join(names) if len(names) <= _NAMED else f"{len(names)} workers"
        done = self._done + sum(unit.cost * share for unit, share in self._busy.values())
        kind = self._kind.removesuffix("s") if self._finished == 1 else self._kind
        text = f"{self._finished} {kind} done" + (f"; {busy}" if busy else "")
        self._work.advance(max(0.0, done - self._work.done), text)

    def _leave(self, unit: Unit) -> None:
        self._busy.pop(unit.name, None)
        if self._followed == unit.name:
            self._followed = None
        self._show()

    def _follow(self, unit: Unit, message: Begun | Stepped) -> None:
        watchers = self._display.watchers
        if isinstance(message, Begun):
            if self._followed in (None, unit.name):
                self._followed, self._shown = unit.name, message.content
                watchers.tell(message)
        elif self._followed == unit.name:
            from video.images import from_uint8

            if message.picture is not None:
                self._shown = from_uint8(message.picture)
            progress = replace(message.progress, picture=self._picture)
            watchers.tell(Iterated(progress, self._picture))

    def _picture(self) -> FloatImage:
        assert self._shown is not None
        return self._shown

    def _keep(self, kept: Kept) -> None:
        folder = self._snapshots / Path(kept.folder).name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, data in kept.files.items():
                write_durably(folder / Path(name).name, data)
        except OSError as error:
            raise PipelineError(f"{folder}: snapshots cannot be kept: {error.strerror}") from None
