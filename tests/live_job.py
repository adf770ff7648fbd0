"""A job that does nothing but tell its watcher what a job would tell, and rest where a job would rest."""

from __future__ import annotations

import io
import math
import time
from pathlib import Path

import numpy as np

from pipeline.progress.display import Display, Work
from pipeline.progress.events import Begun, Ended
from pipeline.progress.report import Report
from pipeline.progress.signals import check
from pipeline.settings.job import Job, StyleSource, build_job
from pipeline.styling.pictures import read_picture
from pipeline.views.live.watcher import LiveWatcher
from stylize.optimize import Progress
from stylize.types import FloatImage
from video.images import write_image


def a_job(content: Path, style: Path, command: str = "video", **settings: object) -> Job:
    """A checked job; its output is never made."""
    output = content.with_name("out.png" if command == "image" else "out.mp4")
    return build_job(command, content, (StyleSource(style),), output, overrides=settings)


def a_progress(iteration: int, picture: FloatImage, level: int = 0, **terms: float) -> Progress:
    """Where an optimisation stands after some iterations."""
    terms = terms or {"content": 0.2, "style": 1.0 / (iteration + 1)}
    return Progress(
        iteration, 100, sum(terms.values()), terms, 0.1 * iteration, iteration, lambda: picture, level
    )


def quiet() -> tuple[Display, io.StringIO]:
    """A display, and what it says."""
    said = io.StringIO()
    return Display(stream=said), said


class FakeClip:
    """A clip of a few frames that is stylized by tinting it; `run` does it in the thread that calls it.

    Attributes
    ----------
    iterations
        Iterations begun so far, of all frames.
    over
        Set to end it early.
    """

    def __init__(
        self, watcher: LiveWatcher, job: Job, folder: Path, frames: int, pause: float, length: int = 30
    ) -> None:
        self._watcher = watcher
        self._job = job
        self._folder = folder
        self._frames = frames
        self._length = length
        self._pause = pause
        self.iterations = 0
        self.over = False

    def run(self) -> None:
        """Do it all."""
        content = read_picture(self._job.content, 512, 16)
        style = read_picture(self._job.styles[0].path, 512, 16)
        tint = style.mean(axis=(0, 1)) * np.ones_like(content)
        work = Work(self._frames * self._length)
        self._watcher.job_begins(self._job, "vgg19-slim")
        self._watcher.warned("the full network is not here and cannot be fetched: vgg19-slim is used")
        for frame in range(self._frames):
            self._one(frame, np.roll(content, 4 * frame, axis=1), tint, work)
            if self.over:
                return
        self._watcher.job_ends(
            Report("video", str(self._job.output), "vgg19-slim", self._frames, 12.5, self.iterations)
        )

    def _one(self, frame: int, content: FloatImage, tint: FloatImage, work: Work) -> None:
        name = f"frame {frame}"
        self._watcher.picture_begins(Begun(name, content))
        terms: dict[str, float] = {}
        picture = content
        for iteration in range(self._length):
            check()
            if self.over:
                return
            self.iterations += 1
            share = 0.75 * (1.0 - math.exp(-iteration / 8.0))
            picture = np.clip(content + share * (tint - content) * (1.6 - content), 0, 1).astype(np.float32)
            terms = {
                "content": 0.02 + 0.2 * share,
                "style": 3.0 * math.exp(-iteration / 6.0) + 0.12 + 0.02 * math.sin(frame),
                "temporal": 0.0 if frame == 0 else 0.3 * math.exp(-iteration / 4.0) + 0.01,
                "tv": 0.004,
            }
            level = 1 if iteration < self._length // 3 else 0
            self._watcher.iterated(a_progress(iteration, picture, level, **terms), picture.copy)
            work.advance(1.0, f"frame {frame + 1}/{self._frames}  iteration {iteration}/{self._length}")
            self._watcher.work_moves(work.standing)
            time.sleep(self._pause)
        file = self._folder / f"{frame:06d}.png"
        write_image(file, picture)
        error = None if frame in (0, 4) else 0.011 + 0.004 * math.sin(2.0 * frame)
        losses = {**terms, "total": sum(terms.values())}
        seconds = 2.1 + 0.6 * math.cos(1.7 * frame)
        self._watcher.picture_ends(Ended(name, file, losses, 30, seconds, error, frame in (0, 4)))
