"""A clip in, the stylized clip with its sound out; every frame starts from the stylized frame before it."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clip.costs import FIRST, FrameCosts, memory_of_frames
from pipeline.clip.finishing import Finish, finish_of
from pipeline.clip.frame_loop import FrameLoop
from pipeline.clip.lap import check_loop, lap_length, several_shots
from pipeline.clip.ledger import ClipBook
from pipeline.clip.masks import check_clip_masks
from pipeline.clip.output import ClipOutput
from pipeline.clip.shots import ClipSetup, do_shots, find_shots
from pipeline.clip.source import Clip, finished_like, open_clip
from pipeline.clip.timeline import Timeline, missing_shot, timeline_of
from pipeline.errors import UsageError
from pipeline.montage.contact_sheet import evenly
from pipeline.progress.display import Display
from pipeline.progress.report import Report
from pipeline.settings.job import Job
from pipeline.settings.job_settings import VideoSettings
from pipeline.settings.run_options import RunOptions
from pipeline.steps.begin import begun, run_of
from pipeline.steps.checks import check_inputs, check_outputs, warn_of_excess
from pipeline.steps.estimate import Plan, plan_pictures
from pipeline.steps.finish import make_contact_sheet, make_movie, save_settings
from pipeline.steps.outlook import Outlook
from pipeline.steps.rehearsal import outputs_of
from pipeline.steps.steadiness import expected, warn_of_flicker
from pipeline.styling.factory import build_stylizer, on_network
from pipeline.styling.pictures import note_styles, pictures_of
from pipeline.workers.forecast import forecast
from pipeline.workers.staff import Staff, staffed

if TYPE_CHECKING:
    from stylize.look import Look
    from stylize.stylizer import Stylizer
    from stylize.types import FloatImage


SHEET_FRAMES = 24
"""Frames on a contact sheet, evenly spread."""


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
    clip, timeline, output = _check(job, settings, options, display)
    with staffed(settings.threads, options.workers, plans=options.dry_run) as staff:
        job, weights = on_network(job, display)
        first = partial(_first_frame, clip, display, nearly=options.dry_run)
        palette = first() if settings.preserve_color == "histogram" else None
        make = partial(
            build_stylizer, job, job.styles, max(clip.size), weights, display,
            palette=palette, offline=options.offline, beside=memory_of_frames(settings, clip),
        )  # fmt: skip
        finish = finish_of(job, clip, weights, display, palette)
        if options.dry_run:
            return _plan(job, settings, clip, make(), first(), finish, staff, display)
        report = begun(job, weights, display)
        with run_of(job, weights, options, outputs_of(job, options), report, display) as run:
            book = ClipBook(run, settings, report, display)
            book.say_what_is_there(clip)
            shown = max(settings.movie_frame, clip.wanted.start) if options.wants_snapshots else None
            if staff is None:
                there = dict(book.frames)
                display.outlook = Outlook(job, display)
                stylizer = make()
                _warn_of_excess(settings, stylizer, clip, finish, settings.memory, display)
                FrameLoop(
                    settings, clip, timeline, stylizer, run, there, book.take, display, shown, finish=finish
                ).run()
            else:
                setup = ClipSetup(
                    job, clip, timeline, weights, palette, shown, run.path, staff.neighbours, options.offline
                )
                do_shots(staff, setup, book, run, display)
            frames = _pictures(timeline, job.content, book, display)
            if settings.loop and book.shots > 1:
                display.warn(several_shots(book.shots))
            marked = evenly(len(frames), SHEET_FRAMES if options.contact_sheet else 0)
            make_contact_sheet(output.write(frames, marked, display), options, report)
            report.frames = len(frames)
            book.sum_up()
            movie = run.snapshots / "frame"
            make_movie([movie] if movie.exists() else [], options, report, display)
            save_settings(job, options, report)
    report.warping_error, report.loop_error = book.warping_error(), book.loop_error()
    return report.ended(time.perf_counter() - began, display.warnings)


def _pictures(timeline: Timeline, clip: Path, book: ClipBook, display: Display) -> list[tuple[Path, Look]]:
    """The files and looks of all frames; says so if a shot is named that is not there."""
    if not book.shots:
        raise UsageError(f"{clip}: no frame could be decoded; the clip is damaged")
    if timeline.last_shot > book.shots:
        display.warn(missing_shot(timeline.last_shot, book.shots))
    return book.pictures(timeline)


def _plan(
    job: Job, settings: VideoSettings, clip: Clip, stylizer: Stylizer, first: FloatImage,
    finish: Finish | None, staff: Staff | None, display: Display,
) -> Plan:  # fmt: skip
    """Plan from the first frame; with workers also from the shots, for which the clip is gone through."""
    share = settings.memory / (staff.neighbours if staff else 1)
    _warn_of_excess(settings, stylizer, clip, finish, share, display)
    finished = None
    if finish is not None:
        large = _first_frame(replace(clip, size=finish.size), display, nearly=True)
        finished = finish.stylizer(stylizer), [large], FIRST if settings.follows_flow else 1
    plan = plan_pictures(
        job, stylizer, [first], display,
        frames=len(clip.indices), later_iterations=settings.frame_iterations if settings.steady else 0,
        sweeps=settings.passes, again=lap_length(len(clip.indices)) if settings.loop else 0, finish=finished,
        beside=memory_of_frames(settings, clip),
    )  # fmt: skip
    plan.fine_contrast = expected(job.styles, settings.style_scale)
    if staff is not None:
        display.note("looking for shots ...")
        prices = FrameCosts.of(job.stylize, settings, clip.size)
        shots = find_shots(clip, display)
        costs = [prices.of_clip(settings, len(shot.marks), closes=shot.whole) for shot in shots]
        whole = prices.of_clip(settings, len(clip.indices))
        times = [(plan.seconds - plan.start_up) * cost / whole for cost in costs]
        plan = plan.with_workers(forecast(staff, times, "shots", plan.start_up), staff.neighbours)
    return plan


def _warn_of_excess(
    settings: VideoSettings, stylizer: Stylizer, clip: Clip, finish: Finish | None, gibibytes: float,
    display: Display,
) -> None:  # fmt: skip
    """Say so where the largest frames take more memory than allowed."""
    size = finish.size if finish else clip.size
    beside = memory_of_frames(settings, clip)
    warn_of_excess(stylizer, size[::-1], gibibytes, display, finished=finish is not None, beside=beside)


def _first_frame(clip: Clip, display: Display, *, nearly: bool = False) -> FloatImage:
    """The first wanted frame; `nearly`: or one beside it, if the clip need not be decoded up to there."""
    from video.sample_frames import sample_frames

    if nearly:
        for _, content in sample_frames(clip.source, [clip.wanted.start], clip.size):
            return content
    with closing(clip.contents(display)) as contents:
        for _, content in contents:
            return content
    raise UsageError(f"{clip.source.path}: no frame could be decoded; the clip is damaged")


def _check(
    job: Job, settings: VideoSettings, options: RunOptions, display: Display
) -> tuple[Clip, Timeline, ClipOutput]:
    """Everything that can be checked before the work; gives the clip, its looks and its rehearsed output."""
    from video.encode import VIDEO_FORMATS
    from video.tools import find_ffmpeg

    check_inputs(job)
    check_outputs(job, options, tuple(VIDEO_FORMATS), display)
    note_styles(job.styles, display)
    display.detail(f"ffmpeg {find_ffmpeg().version}, {find_ffmpeg().path}")
    clip = open_clip(job.content, settings, job.stylize.minimum_side)
    output = ClipOutput(
        job.output, finished_like(clip, settings), crf=settings.crf, overwrite=options.overwrite
    )
    for note in clip.source.notes:
        display.warn(note)
    output.rehearse(display)
    check_clip_masks(settings, clip, sum(len(pictures_of(style)) for style in job.styles), display)
    timeline = timeline_of(job.styles, settings, clip)
    check_loop(settings, timeline, clip)
    if len(clip.indices) > 1 and settings.anchor_weight == 0.0:
        warn_of_flicker(job.styles, settings.style_scale, display)
    if settings.engine == "hub" and len(clip.indices) > 1:
        display.warn(
            "--engine hub makes every frame by itself, so the clip will flicker; the default does not"
        )
    if settings.long_term != VideoSettings.long_term and settings.temporal != "flow":
        display.warn("--long-term works with --temporal flow only")
    if not job.content.is_dir() and settings.fps != VideoSettings.fps:
        display.warn(f"--fps {settings.fps} is for a folder of frames; {job.content} keeps its own rate")
    return clip, timeline, output
