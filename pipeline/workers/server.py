"""Runs in a worker: sets it up once, does one unit after another, and passes on what is said."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError
from pipeline.progress.display import Display, Work
from pipeline.progress.events import Begun, Watcher
from pipeline.workers.messages import Broke, Done, Failed, Progressed, Ready, Said, Stepped, Unfit, Warned
from pipeline.workers.protocol import Places, Setup, Task, Tell, Worker

if TYPE_CHECKING:
    from stylize.optimize import Progress
    from stylize.types import FloatImage


NO_CARD = "-1"
"""What hides all graphics cards from CUDA."""

_TELL_EVERY = 0.5
"""Seconds between two words of how far a unit is."""

_SHOW_EVERY = 2.0
"""Seconds between two pictures for those who look on."""


class Server:
    """A worker with those it talks to.

    Parameters
    ----------
    setup
        What it is made from.
    tell
        Takes what it has to say, from any of its threads but one at a time.
    watched
        Whether anybody looks on, who wants every iteration.
    """

    def __init__(self, setup: Setup, tell: Tell, *, watched: bool) -> None:
        self._setup = setup
        self._lock = threading.Lock()
        self._out = tell
        self._display = RelayedDisplay(self._tell, watched=watched)
        self._worker: Worker | None = None

    def begin(self, places: Places, where: str) -> None:
        """Set the worker up, and say whether it is ready."""
        from stylize.errors import StylizeError
        from video.errors import VideoError

        try:
            self._worker = self._setup.begin(places, self._display)
        except (PipelineError, StylizeError, VideoError) as error:
            self._tell(Unfit(str(error), error.exit_code))
        else:
            self._tell(Ready(where))

    def do(self, task: Task, places: Places) -> None:
        """Do a unit, and say how it ended."""
        from stylize.errors import StylizeError
        from video.errors import VideoError

        assert self._worker is not None
        end: Any = Done()
        try:
            self._worker.do(task, places, self._tell)
        except (PipelineError, StylizeError, VideoError) as error:
            end = Failed(str(error))
        except (BrokenPipeError, EOFError):  # nobody is there to be told
            raise
        except Exception:
            end = Broke(traceback.format_exc())
        self._tell(end)

    def _tell(self, message: Any) -> None:
        with self._lock:
            self._out(message)


class RelayedDisplay(Display):
    """A worker's display: what it is told is said where the job runs."""

    def __init__(self, tell: Tell, *, watched: bool) -> None:
        super().__init__(verbosity=1)
        self._tell = tell
        if watched:
            self.watchers.each.append(_Relay(tell))

    def say(self, text: str, verbosity: int) -> None:
        """Said where the job runs."""
        self._tell(Said(text, verbosity))

    def warn(self, text: str) -> None:
        """Said once by each worker, and once where the job runs."""
        if text not in self.warnings:
            self.warnings.append(text)
            self._tell(Warned(text))

    @contextmanager
    def _work(self, total: float) -> Iterator[Work]:
        yield _RelayedWork(total, self._tell)


class _RelayedWork(Work):
    """Says now and then how much of a unit is done."""

    def __init__(self, total: float, tell: Tell) -> None:
        super().__init__(total)
        self._tell = tell
        self._told = 0.0

    def show(self) -> None:
        if time.monotonic() - self._told >= _TELL_EVERY:
            self._told = time.monotonic()
            self._tell(Progressed(self.done / self.total))


class _Relay(Watcher):
    """Passes on the iterations of a picture."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._shown = float("-inf")

    def picture_begins(self, begun: Begun) -> None:
        self._shown = float("-inf")
        self._tell(begun)

    def iterated(self, progress: Progress, picture: Callable[[], FloatImage]) -> None:
        from video.images import to_uint8

        shown = None
        if time.monotonic() - self._shown >= _SHOW_EVERY:
            shown, self._shown = to_uint8(picture()), time.monotonic()
        self._tell(Stepped(replace(progress, picture=_no_picture), shown))


def _no_picture() -> FloatImage:
    raise PipelineError("a picture was asked for that its worker has not sent")
