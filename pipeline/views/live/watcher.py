"""The watcher behind the live page: from the job to the page's state, from the page to the job."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from typing import TYPE_CHECKING

from pipeline.progress.display import Display
from pipeline.progress.events import Begun, Ended, Moved, Watcher
from pipeline.progress.report import Report
from pipeline.progress.signals import hold, release
from pipeline.settings.job import Job
from pipeline.views.live.pictures import Throttle, fitted, read, thumbnail
from pipeline.views.live.state import State

if TYPE_CHECKING:
    from stylize.optimize import Progress
    from stylize.types import FloatImage


_LINGER = 3.0
"""Seconds for which an ended job waits for its page to have seen the end, at the most."""


class LiveWatcher(Watcher):
    """Keeps the state of the page; pictures are refreshed as seldom as the throttle wants it.

    Finished pictures are read and made small in a thread of their own. At the end of the job call `close`.

    Parameters
    ----------
    job
        What is going to be done.
    display
        Told when the page stops the job and lets it go on.
    clock
        Seconds that never go back.
    """

    def __init__(self, job: Job, display: Display, clock: Callable[[], float] = time.perf_counter) -> None:
        self.state = State(job, clock)
        self._display = display
        self._clock = clock
        self._throttle = Throttle(clock)
        self._makers = ThreadPoolExecutor(1, "thumbnails")
        self._last: Future[None] | None = None

    def job_begins(self, job: Job, backbone: str) -> None:
        """The job as it is after its checks, with what ran."""
        self.state.job_is(job, backbone)
        if self.state.phase == "preparing":
            self.state.becomes("running")

    def picture_begins(self, begun: Begun) -> None:
        """Another picture, with curves of its own."""
        self.state.begins(begun)

    def iterated(self, progress: Progress, picture: Callable[[], FloatImage]) -> None:
        """The losses at every iteration, the picture when it is time."""
        self.state.iterated(progress)
        if self._throttle.due():
            began = self._clock()
            self.state.shows(fitted(picture()), self._throttle.cost)
            self._throttle.did(began)

    def picture_ends(self, ended: Ended) -> None:
        """A picture for the strip."""
        number = self.state.ends(ended)
        self._last = self._makers.submit(self._finish, number, ended)

    def work_moves(self, moved: Moved) -> None:
        """Percentage and time left."""
        self.state.moves(moved.share, moved.text, moved.left)

    def warned(self, text: str) -> None:
        """A note for the page."""
        self.state.warned(text)

    def job_ends(self, report: Report | None) -> None:
        """Done, with the last lines of the report, or not; `fails` says better why."""
        if report is None:
            self.state.becomes("stopped")
            return
        self._await_thumbnails()
        self.state.moves(1.0, "", "")
        self.state.becomes("done", report.summary())

    def fails(self, error: BaseException) -> None:
        """The job ended by an error, or by a signal."""
        if isinstance(error, KeyboardInterrupt):
            self.state.becomes("stopped", "The same command goes on from here.")
        else:
            self.state.becomes("failed", str(error) or type(error).__name__)

    def stop(self) -> None:
        """The page wants the job to rest after its iteration."""
        if self.state.turns(("preparing", "running"), "stopping"):
            hold(self._rests)

    def go_on(self) -> None:
        """The page wants the job to go on."""
        if self.state.turns(("stopping", "paused"), "running"):
            release()

    def close(self) -> None:
        """Wait a moment for an open page to see the end; hold nobody up any more."""
        release()
        self.state.wait_until_seen(_LINGER)
        self._makers.shutdown(wait=False, cancel_futures=True)

    def _rests(self, rests: bool) -> None:
        """Said by the thread that works, which the page has stopped or let go on."""
        if rests and self.state.turns(("stopping",), "paused"):
            self._display.note("stopped by the live page; go on there, or end the job with Ctrl-C")
        elif not rests:
            self._display.note("going on, by the live page")

    def _finish(self, number: int, ended: Ended) -> None:
        from video.errors import VideoError

        try:
            picture = read(ended.file)
            self.state.finished(number, ended.name, picture, thumbnail(picture))
        except (VideoError, OSError) as error:  # a frame of a clip that is put together already
            self._display.detail(f"live page: no small picture of {ended.name}: {error}")

    def _await_thumbnails(self) -> None:
        if self._last is not None:
            try:
                self._last.result(timeout=1.0)
            except TooLate:
                pass
