"""A clip in, the stylized clip with its sound out; every frame starts from the stylized frame before it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.checks import check_inputs, check_outputs
from pipeline.config import Job
from pipeline.engine import (
    RunOptions,
    both,
    build_stylizer,
    choose_weights,
    follow,
    start_picture,
    unit_cost,
)
from pipeline.errors import PipelineError, UsageError
from pipeline.estimate import Plan, plan_pictures
from pipeline.finish import make_movie, record_of, save_settings
from pipeline.log import Display
from pipeline.report import Report
from pipeline.rundir import Frame, RunFolder, file_hash, run_path
from pipeline.settings import VideoSettings
from pipeline.snapshots import SnapshotRecorder

if TYPE_CHECKING:
    from stylize.stylizer import Stylizer
    from stylize.types import FloatImage
    from video.decode import FrameRange
    from video.encode import FrameWriter
    from video.probe import ClipInfo
    from video.sequence import FrameFolder


@dataclass(frozen=True)
class Clip:
    """A clip or folder of frames, and what of it is wanted."""

    source: ClipInfo | FrameFolder
    wanted: FrameRange
    size: tuple[int, int]

    @property
    def indices(self) -> range:
        """The frames' numbers in the source, as far as its count can be believed."""
        return self.wanted.indices(self.source.frames)


def run_video(job: Job, options: RunOptions, display: Display) -> Report | Plan:
    """Stylize the clip `job.content` into `job.output`; with `dry_run`, only plan it.

    What an interrupted run of the same job has finished is taken over from its run folder.

    Raises
    ------
    UsageError, InputError, ConfigError, WeightsError
        Before any work, for anything that is wrong with the job.
    """
    from video.encode import VIDEO_FORMATS
    from video.tools import find_ffmpeg

    began = time.perf_counter()
    settings = job.settings
    assert isinstance(settings, VideoSettings)
    check_inputs(job)
    check_outputs(job, options, tuple(VIDEO_FORMATS))
    find_ffmpeg()
    clip = open_clip(job.content, settings, job.stylize.minimum_side)
    _writer(job, settings, clip, options, None)  # what it refuses is better heard now
    for note in clip.source.notes:
        display.warn(note)
    if not job.content.is_dir() and settings.fps != VideoSettings.fps:
        display.warn(f"--fps {settings.fps} is for a folder of frames; {job.content} keeps its own rate")
    weights = choose_weights(job, display, offline=options.offline)
    stylizer = build_stylizer(job.stylize, job.styles, max(clip.size), weights)
    if options.dry_run:
        first = next(_contents(clip, display))[1]
        count = len(clip.indices)
        again = settings.frame_iterations if settings.temporal == "previous" else 0
        return plan_pictures(job, stylizer, [first], display, frames=count, later_iterations=again)
    report = Report("video", str(job.output), backbone=weights.name)
    run = RunFolder(run_path(job.output), record_of(job, weights), restart=options.restart)
    frames = _stylize_frames(job, settings, clip, stylizer, run, options, report, display)
    display.note(f"writing {job.output}")
    _encode(job, settings, clip, run, frames, options, display)
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


def open_clip(path: Path, settings: VideoSettings, minimum_side: int) -> Clip:
    """Probe a clip, or look through a folder of frames, and work out what is wanted of it.

    Raises
    ------
    InputError, UsageError
        If it is no clip, the range holds no frame, or the frames are too small.
    """
    from video.decode import FrameRange, fit_size, read_frames
    from video.probe import probe
    from video.sequence import open_folder

    rate = parse_rate(settings.fps)
    source = open_folder(path, rate) if path.is_dir() else probe(path)
    wanted = FrameRange.parse(settings.frames or ":")
    if source.frames and not wanted.indices(source.frames):
        raise UsageError(
            f"--frames {settings.frames}: {path} has only {source.frames} frames, numbered from 0"
        )
    if settings.movie_frame and settings.movie_frame not in wanted.indices(source.frames):
        raise UsageError(
            f"--movie-frame {settings.movie_frame}: is not among the frames to be stylized, which are "
            f"{wanted.start} to {wanted.indices(source.frames)[-1]}"
        )
    size = fit_size(source.width, source.height, settings.size, even=True)
    read_frames(
        source, size=size, frames=wanted
    ).close()  # starts nothing; refuses what cannot be decoded here
    if min(size) < minimum_side:
        raise UsageError(
            f"{path}: {size[0]}x{size[1]} pixels is too small for the network, which needs {minimum_side} "
            f"on the shorter side; give a larger --size or a larger clip"
        )
    return Clip(source, wanted, size)


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


def _contents(clip: Clip, display: Display) -> Iterator[tuple[int, FloatImage]]:
    """Each wanted frame with its number in the source, decoded as a stream."""
    from video.decode import read_frames

    frames = read_frames(clip.source, size=clip.size, frames=clip.wanted, on_warning=display.warn)
    try:
        yield from enumerate(frames, start=clip.wanted.start)
    finally:
        frames.close()


def _stylize_frames(
    job: Job, settings: VideoSettings, clip: Clip, stylizer: Stylizer, run: RunFolder,
    options: RunOptions, report: Report, display: Display,
) -> list[Path]:  # fmt: skip
    """Stylize every frame that is not finished yet; gives the files of all frames in order."""
    from video.images import read_image, write_image

    finished = {frame.index: frame for frame in run.finished()}
    shape = (clip.size[1], clip.size[0])
    alone = unit_cost(job.stylize, shape)
    later = float(settings.frame_iterations) if settings.temporal == "previous" else alone
    count = len(clip.indices)
    files: list[Path] = []
    previous: FloatImage | None = None
    if finished:
        display.note(f"continuing: {len(finished)} of {count} frames are finished already (in {run.path})")
    with display.work(alone + later * (count - 1)) as work:
        work.begin_at((alone + later * (len(finished) - 1)) if finished else 0.0)
        for position, (index, content) in enumerate(_contents(clip, display), start=1):
            path = run.frame_path(index)
            files.append(path)
            if index in finished:
                report.skipped += 1
                previous = None if index + 1 in finished else read_image(path)
                continue
            initial = previous if settings.temporal == "previous" else None
            recorder = None
            if options.wants_snapshots and index == max(settings.movie_frame, clip.wanted.start):
                recorder = SnapshotRecorder(run.snapshots / "frame", title=f"frame {index}")
            show = follow(work, f"frame {position}/{count}  ")
            done = work.done
            result = stylizer.stylize(
                content,
                initial=start_picture(job.stylize, content.shape) if initial is None else initial,
                iterations=None if initial is None else settings.frame_iterations,
                callback=both(show, recorder),
            )
            if recorder is not None:
                recorder.finish(result.picture, result.losses)
            write_image(path, result.picture, overwrite=True)
            _commit(run, index, path, result)
            previous = read_image(path)
            report.add(result)
            work.move_to(done + (alone if initial is None else later))
    if not files:
        raise PipelineError(f"{job.content}: no frame could be decoded")
    return files


def _commit(run: RunFolder, index: int, path: Path, result: Any) -> None:
    run.commit(Frame(index, path.name, file_hash(path), result.losses, result.evaluations, result.seconds))


def _encode(
    job: Job, settings: VideoSettings, clip: Clip, run: RunFolder, files: list[Path], options: RunOptions,
    display: Display,
) -> None:  # fmt: skip
    """Put the frames together with the source's sound."""
    from video.images import read_image

    writer = _writer(job, settings, clip, options, len(files))
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
        job.output, clip.size, source.rate, sound=source if isinstance(source, ClipInfo) else None,
        sound_range=clip.wanted.seconds(source.rate), crf=settings.crf, overwrite=options.overwrite,
        expected_frames=frames,
    )  # fmt: skip
