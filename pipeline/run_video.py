"""A clip in, the stylized clip with its sound out; every frame starts from the stylized frame before it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.checks import check_inputs, check_outputs
from pipeline.clips import Clip, open_clip
from pipeline.config import Job
from pipeline.engine import (
    RunOptions,
    build_stylizer,
    choose_weights,
    optimise,
    result_line,
    unit_cost,
)
from pipeline.errors import UsageError
from pipeline.estimate import Plan, plan_pictures
from pipeline.finish import make_movie, record_of, save_settings
from pipeline.log import Display, Work
from pipeline.report import Report
from pipeline.rundir import Frame, RunFolder, file_hash, run_path
from pipeline.settings import VideoSettings

if TYPE_CHECKING:
    from stylize.stylizer import Stylizer
    from stylize.types import FloatImage
    from video.encode import FrameWriter


def run_video(job: Job, options: RunOptions, display: Display) -> Report | Plan:
    """Stylize the clip `job.content` into `job.output`; with `dry_run`, only plan it.

    What an interrupted run of the same job has finished is taken over from its run folder.

    Raises
    ------
    UsageError, InputError, ConfigError, WeightsError
        Before any work, for anything that is wrong with the job.
    """
    began = time.perf_counter()
    settings = job.settings
    assert isinstance(settings, VideoSettings)
    clip = _check(job, settings, options, display)
    weights = choose_weights(job, display, offline=options.offline)
    stylizer = build_stylizer(job.stylize, job.styles, max(clip.size), weights)
    if options.dry_run:
        first = next(clip.contents(display))[1]
        again = settings.frame_iterations if settings.temporal == "previous" else 0
        return plan_pictures(
            job, stylizer, [first], display, frames=len(clip.indices), later_iterations=again
        )
    report = Report("video", str(job.output), backbone=weights.name)
    run = RunFolder(run_path(job.output), record_of(job, weights), restart=options.restart)
    try:
        frames = FrameLoop(job, settings, clip, stylizer, run, options, report, display).run_all()
    except BaseException:
        run.remove_if_empty()
        raise
    display.note(f"writing {job.output}")
    _encode(_writer(job, settings, clip, options, len(frames)), frames, display)
    report.frames = len(frames)
    movie = run.snapshots / "frame"
    make_movie([movie] if movie.exists() else [], options, report, display)
    save_settings(job, options, weights.name, report)
    if options.keep_run:
        report.also["run folder"] = str(run.path)
    else:
        run.remove()
    report.seconds = time.perf_counter() - began
    report.warnings = display.warnings
    return report


def _check(job: Job, settings: VideoSettings, options: RunOptions, display: Display) -> Clip:
    """Everything that can be checked before the work; gives the clip."""
    from video.encode import VIDEO_FORMATS
    from video.tools import find_ffmpeg

    check_inputs(job)
    check_outputs(job, options, tuple(VIDEO_FORMATS))
    display.detail(f"ffmpeg {find_ffmpeg().version}, {find_ffmpeg().path}")
    clip = open_clip(job.content, settings, job.stylize.minimum_side)
    _writer(job, settings, clip, options, None)  # what it refuses is better heard now
    for note in clip.source.notes:
        display.warn(note)
    if not job.content.is_dir() and settings.fps != VideoSettings.fps:
        display.warn(f"--fps {settings.fps} is for a folder of frames; {job.content} keeps its own rate")
    return clip


@dataclass
class FrameLoop:
    """Stylizes a clip's frames in order, each from the one before, and commits them to the run folder."""

    job: Job
    settings: VideoSettings
    clip: Clip
    stylizer: Stylizer
    run: RunFolder
    options: RunOptions
    report: Report
    display: Display

    def run_all(self) -> list[Path]:
        """Stylize every frame that is not finished yet; gives the files of all frames in order."""
        from video.images import read_image

        finished = {frame.index for frame in self.run.finished()}
        width, height = self.clip.size
        alone = unit_cost(self.job.stylize, (height, width))
        later = float(self.settings.frame_iterations) if self.settings.temporal == "previous" else alone
        count = len(self.clip.indices)
        if finished:
            self.display.note(
                f"continuing: {len(finished)} of {count} frames are finished already (in {self.run.path})"
            )
        files: list[Path] = []
        previous: FloatImage | None = None
        with self.display.work(alone + later * (count - 1)) as work:
            work.begin_at((alone + later * (len(finished) - 1)) if finished else 0.0)
            for index, content in self.clip.contents(self.display):
                files.append(self.run.frame_path(index))
                if index in finished:
                    self.report.skipped += 1
                    if index + 1 not in finished:
                        previous = read_image(files[-1])
                    continue
                done = work.done
                previous = self._one(index, content, previous, work, f"frame {len(files)}/{count}  ")
                work.move_to(done + (later if len(files) > 1 else alone))
        if not files:
            raise UsageError(f"{self.job.content}: no frame could be decoded; the clip is damaged")
        return files

    def _one(
        self, index: int, content: FloatImage, previous: FloatImage | None, work: Work, label: str
    ) -> FloatImage:
        """Stylize and commit a frame; gives it as it was saved, which is what the next one starts from."""
        from video.images import read_image, write_image

        if self.settings.temporal == "off":
            previous = None
        shown = self.options.wants_snapshots and index == max(
            self.settings.movie_frame, self.clip.wanted.start
        )
        result = optimise(
            self.stylizer,
            content,
            work,
            label,
            self.run.snapshots / "frame" if shown else None,
            f"frame {index}",
            previous=previous,
            iterations=None if previous is None else self.settings.frame_iterations,
        )
        path = self.run.frame_path(index)
        write_image(path, result.picture, overwrite=True)
        self.run.commit(
            Frame(index, path.name, file_hash(path), result.losses, result.evaluations, result.seconds)
        )
        self.report.add(result)
        self.display.detail(f"{label}{result_line(result)}")
        return read_image(path)


def _encode(writer: FrameWriter, files: list[Path], display: Display) -> None:
    """Put the frames together with the source's sound."""
    from video.images import read_image

    with writer:
        for path in files:
            writer.write(read_image(path))
    for note in writer.notes:
        display.warn(note)


def _writer(
    job: Job, settings: VideoSettings, clip: Clip, options: RunOptions, frames: int | None
) -> FrameWriter:
    """The writer of the output; nothing is written before it is entered."""
    from video.encode import FrameWriter
    from video.probe import ClipInfo

    source = clip.source
    return FrameWriter(
        job.output,
        clip.size,
        source.rate,
        sound=source if isinstance(source, ClipInfo) else None,
        sound_range=clip.wanted.seconds(source.rate),
        crf=settings.crf,
        overwrite=options.overwrite,
        expected_frames=frames,
    )
