"""What the live page shows, told by the thread that works and asked for by those of the server."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pipeline.progress.events import Begun, Ended
from pipeline.settings.job import Job, StyleSource
from pipeline.styling.pictures import pictures_of
from pipeline.views.live.curves import ThinnedCurve, plain
from pipeline.views.live.pictures import Shown, fitted, read
from stylize.knobs import default_of, knobs_of
from video.names import shown, shown_lines

if TYPE_CHECKING:
    from stylize.optimize import Progress
    from stylize.types import FloatImage


Phase = Literal["preparing", "running", "stopping", "paused", "done", "stopped", "failed"]

STRIP = 200
"""Finished pictures that the page holds."""

STYLES = 12
"""Style pictures that the page shows."""

_ENDED = ("done", "stopped", "failed")

_OPEN = 3.0
"""Seconds without a question after which the page counts as closed."""


class State:
    """The whole of what the page shows; every method may be called from any thread.

    Every change has a number of its own, `version`, by which a page knows what is new.

    Parameters
    ----------
    job
        What is going to be done.
    clock
        Seconds that never go back.
    """

    def __init__(self, job: Job, clock: Callable[[], float] = time.perf_counter) -> None:
        self.version = 1
        self.phase: Phase = "preparing"
        self._clock = clock
        self._lock = threading.RLock()
        self._json: tuple[int, str] = 0, ""
        self._job = describe(job)
        self._styles: list[Shown] = []
        self._content: Shown | None = None
        self._result: Shown | None = None
        self._begun: Begun | None = None
        self._place: dict[str, Any] = {"name": "", "width": 4, "height": 3, "iteration": 0, "iterations": 0}
        self._curve = ThinnedCurve()
        self._levels: list[tuple[int, int]] = []
        self._frames = ThinnedCurve()
        self._cuts: list[int] = []
        self._count = 0
        self._names: set[str] = set()
        self._strip: deque[dict[str, Any]] = deque(maxlen=STRIP)
        self._thumbnails: dict[int, bytes] = {}
        self._work: dict[str, Any] = {"share": 0.0, "text": "", "left": ""}
        self._warnings: list[str] = []
        self._told = ""
        self._asked = float("-inf")
        self._final_seen = threading.Event()
        self.job_is(job)

    def job_is(self, job: Job, backbone: str = "") -> None:
        """What the job is, and on which network it runs once that is known."""
        with self._change():
            self._job = {**describe(job), "network": backbone}
            self._styles = [
                Shown(self.version * 100 + number, partial(read, source.path), side=384)
                for number, source in enumerate(_style_pictures(job)[:STYLES])
            ]
            self._job["styles"] = [
                {"name": shown(source.path.name), "version": small.version}
                for source, small in zip(_style_pictures(job), self._styles, strict=False)
            ]

    def becomes(self, phase: Phase, told: str | None = None) -> None:
        """The job has come to another phase; `told` says how it ended. An ended job only ends better told."""
        with self._change():
            if self.phase not in _ENDED or phase in _ENDED:
                self.phase = phase
            self._told = self._told if told is None else told

    def turns(self, before: tuple[Phase, ...], after: Phase) -> bool:
        """Turn to the phase `after` if this is one of those `before`; whether it was."""
        with self._change():
            was = self.phase in before
            self.phase = after if was else self.phase
            return was

    def begins(self, begun: Begun) -> None:
        """Another picture is worked on; the one before stays in sight until then."""
        with self._change():
            self._begun = begun
            self._curve, self._levels = ThinnedCurve(), []

    def iterated(self, progress: Progress) -> None:
        """Its losses after an iteration."""
        with self._change():
            if not self._levels or self._levels[-1][1] != progress.level:
                self._levels.append((progress.iteration, progress.level))
            terms: dict[str, float | None] = {"total": progress.loss, **progress.terms}
            self._curve.add(progress.iteration, terms)
            self._place |= {"iteration": progress.iteration, "iterations": progress.iterations}

    def shows(self, picture: FloatImage, cost: Callable[[float], None] | None = None) -> None:
        """What the picture that is worked on has come to; making it a JPEG is told to `cost`."""
        with self._change():
            self._turn_to_begun()
            self._result = Shown(self.version, lambda: picture, cost=cost)

    def _turn_to_begun(self) -> None:
        """Show the original of the picture that is worked on, if it is another one's that is shown."""
        begun = self._begun
        if begun is not None and self._place["name"] != begun.name:
            content = fitted(begun.content)
            self._content = Shown(self.version, lambda: content)
            height, width = begun.content.shape[:2]
            self._place |= {"name": begun.name, "width": width, "height": height}

    def ends(self, ended: Ended) -> int:
        """A picture is finished; gives the number for its thumbnail."""
        with self._change():
            number, self._count = self._count, self._count + 1
            loss = ended.losses.get("total")
            seconds = None if ended.found else ended.seconds
            self._frames.add(number, {"loss": loss, "seconds": seconds, "warping error": ended.error})
            if ended.cut and number:
                self._cuts.append(number)
            name = shown(ended.name)
            for before in [one for one in self._strip if one["name"] == name]:
                self._strip.remove(before)  # a loop's first frames are done again: what is told last counts
            self._names.add(name)
            self._strip.append(
                {"id": number, "name": name, "loss": plain(loss), "seconds": plain(seconds)}
                | {"error": plain(ended.error), "cut": ended.cut, "found": ended.found, "picture": False}
            )
            self._thumbnails = {key: value for key, value in self._thumbnails.items() if key > number - STRIP}
            return number

    def finished(self, number: int, name: str, picture: FloatImage, thumbnail: bytes) -> None:
        """The finished picture itself, for the strip, and in place of its last iteration."""
        with self._change():
            for entry in self._strip:
                if entry["id"] == number:
                    entry["picture"] = True
                    self._thumbnails[number] = thumbnail
            if self._begun_name() == name:  # the next one has not begun
                self._turn_to_begun()
                self._result = Shown(self.version, lambda: picture)

    def moves(self, share: float, text: str, left: str) -> None:
        """How much is done, from 0 to 1, what is being done, and how long it will take."""
        with self._change():
            self._work = {"share": round(min(max(share, 0.0), 1.0), 4), "text": text, "left": left}

    def warned(self, text: str) -> None:
        """Something is not as expected."""
        with self._change():
            self._warnings.append(text)

    def as_json(self) -> tuple[int, str]:
        """The version and the text of it."""
        with self._lock:
            self._asked = self._clock()
            if self._json[0] != self.version:
                self._json = self.version, json.dumps(_shown_all(self._all()), separators=(",", ":"))
            return self._json

    def seen(self, version: int) -> bool:
        """A page has this version with its pictures; whether that is all there is."""
        with self._lock:
            self._asked = self._clock()
            if version == self.version and self.phase in _ENDED:
                self._final_seen.set()
            return version == self.version

    def wait_until_seen(self, seconds: float) -> None:
        """Until an open page has the last version, for so long at the most; not at all if none is open."""
        with self._lock:
            is_open = self._clock() - self._asked <= _OPEN
        if is_open:
            self._final_seen.wait(seconds)

    def picture(self, name: str, number: int) -> bytes | None:
        """A JPEG: the current "content" or "result", a "style" or a "thumbnail" by its number."""
        with self._lock:
            if name == "thumbnail":
                return self._thumbnails.get(number)
            styles = {shown.version: shown for shown in self._styles}
            shown = {"content": self._content, "result": self._result, "style": styles.get(number)}.get(name)
        return None if shown is None else shown.jpeg()

    def _all(self) -> dict[str, Any]:
        content, result = self._content, self._result
        return {
            "phase": self.phase,
            "told": self._told,
            "job": self._job,
            "work": self._work,
            "picture": {
                **self._place,
                "name": shown(self._place["name"]),
                "content": content and content.version,
                "result": result and result.version,
            },
            "curve": {**self._curve.as_json(), "levels": self._levels, "name": shown(self._begun_name())},
            "frames": {**self._frames.as_json(), "cuts": self._cuts, "count": len(self._names)},
            "strip": list(self._strip),
            "warnings": self._warnings,
        }

    def _begun_name(self) -> str:
        return "" if self._begun is None else self._begun.name

    @contextmanager
    def _change(self) -> Iterator[None]:
        """What is done meanwhile is one new version."""
        with self._lock:
            self.version += 1
            yield


def describe(job: Job) -> dict[str, Any]:
    """A job in words: what of it the page says, with the settings that are not the defaults."""
    changed = [
        {"name": name.replace("_", " "), "value": _spoken(getattr(config, name))}
        for config in (job.settings, job.stylize)
        for name in knobs_of(config)
        if name != "backbone" and getattr(config, name) != default_of(config, name)
    ]
    return {
        "command": job.command,
        "content": shown(job.content.name),
        "output": shown(job.output),
        "made": shown(job.output.name),
        "settings": changed,
    }


def _shown_all(value: Any) -> Any:
    """A value for JSON, with every text in it as it can be shown."""
    if isinstance(value, dict):
        return {key: _shown_all(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shown_all(inner) for inner in value]
    return shown_lines(value) if isinstance(value, str) else value


def _spoken(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _style_pictures(job: Job) -> list[StyleSource]:
    """The style pictures, those in folders too; a folder that cannot be listed is left out."""
    from video.errors import VideoError

    found: list[StyleSource] = []
    for style in job.styles:
        with suppress(VideoError, OSError):
            found += pictures_of(style)
    return found
