"""The jobs for scripts and notebooks: what the commands do, as functions."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from typing import Any, Literal, overload

from pipeline.errors import UsageError
from pipeline.machine import limit_threads
from pipeline.progress.display import Display
from pipeline.progress.events import JobEnded, Moved, Watcher
from pipeline.progress.notebook import NotebookDisplay, in_notebook
from pipeline.progress.report import Report
from pipeline.settings.job import Job, build_job, parse_style
from pipeline.settings.keywords import name_of_file, plain, settings_in
from pipeline.settings.run_options import RunOptions, options_of
from pipeline.steps.checks import unused
from pipeline.steps.estimate import Plan

FileName = str | PathLike[str]

OnProgress = Callable[[Moved], None]

_SILENT = -2


@overload
def stylize_image(
    picture: FileName, styles: FileName | Sequence[FileName], output: FileName, *,
    on_progress: OnProgress | None = None, dry_run: Literal[False] = False, **options: Any,
) -> Report: ...  # fmt: skip


@overload
def stylize_image(
    picture: FileName, styles: FileName | Sequence[FileName], output: FileName, *,
    on_progress: OnProgress | None = None, dry_run: Literal[True], **options: Any,
) -> Plan: ...  # fmt: skip


def stylize_image(
    picture: FileName, styles: FileName | Sequence[FileName], output: FileName, *,
    on_progress: OnProgress | None = None, dry_run: bool = False, **options: Any,
) -> Report | Plan:  # fmt: skip
    """Stylize one picture, as `deepfusion image` does.

    It says nothing, but for a progress bar in a notebook; warnings are in the report.

    Parameters
    ----------
    picture
        The original's file.
    styles
        A style picture, or several: "PATH" or "PATH:WEIGHT".
    output
        Where the result goes; its ending is its format.
    on_progress
        Called as the work goes on, in place of the bar, in the thread that works. What it raises ends the
        job, which can be continued like any that was interrupted.
    dry_run
        Check everything, time a few iterations, and give the `Plan` in place of doing it.
    **options
        Those of the command by name, with underscores: `size=512`, `preset="fine"`, `overwrite=True`. None
        is an option that is not given.

    Returns
    -------
    Report
        Losses, evaluations, seconds, warnings. A notebook shows the picture.

    Raises
    ------
    PipelineError, StylizeError, VideoError
        With the line that the command would say. `UsageError` for an option that does not exist.

    Examples
    --------
    >>> import pipeline
    >>> report = pipeline.stylize_image("photo.jpg", "painting.jpg", "out.png", size=384)  # doctest: +SKIP
    """
    return _stylize("image", picture, styles, output, on_progress, {**options, "dry_run": dry_run})


@overload
def stylize_clip(
    clip: FileName, styles: FileName | Sequence[FileName], output: FileName, *,
    on_progress: OnProgress | None = None, dry_run: Literal[False] = False, **options: Any,
) -> Report: ...  # fmt: skip


@overload
def stylize_clip(
    clip: FileName, styles: FileName | Sequence[FileName], output: FileName, *,
    on_progress: OnProgress | None = None, dry_run: Literal[True], **options: Any,
) -> Plan: ...  # fmt: skip


def stylize_clip(
    clip: FileName, styles: FileName | Sequence[FileName], output: FileName, *,
    on_progress: OnProgress | None = None, dry_run: bool = False, **options: Any,
) -> Report | Plan:  # fmt: skip
    """Stylize a clip, or a folder of numbered frames, as `deepfusion video` does; see `stylize_image`.

    An interrupted clip goes on where it was when the same is called again.

    Examples
    --------
    >>> import pipeline
    >>> report = pipeline.stylize_clip(
    ...     "in.mp4", ["a.jpg:0.7", "b.jpg:0.3"], "out.mp4", size=512, strength=0.8
    ... )  # doctest: +SKIP
    >>> report.warping_error  # doctest: +SKIP
    """
    return _stylize("video", clip, styles, output, on_progress, {**options, "dry_run": dry_run})


@overload
def stylize_album(
    folder: FileName, styles: FileName | Sequence[FileName], output: FileName, *,
    on_progress: OnProgress | None = None, dry_run: Literal[False] = False, **options: Any,
) -> Report: ...  # fmt: skip


@overload
def stylize_album(
    folder: FileName, styles: FileName | Sequence[FileName], output: FileName, *,
    on_progress: OnProgress | None = None, dry_run: Literal[True], **options: Any,
) -> Plan: ...  # fmt: skip


def stylize_album(
    folder: FileName, styles: FileName | Sequence[FileName], output: FileName, *,
    on_progress: OnProgress | None = None, dry_run: bool = False, **options: Any,
) -> Report | Plan:  # fmt: skip
    """Stylize every photo of a folder, as `deepfusion album` does; see `stylize_image`.

    A style may be a folder of pictures, too. Finished photos are not done again. A photo that fails does not
    end the job: `report.failed` says why, by its name in the output.

    Examples
    --------
    >>> import pipeline
    >>> report = pipeline.stylize_album("photos", "paintings", "out", pair="cycle")  # doctest: +SKIP
    """
    return _stylize("album", folder, styles, output, on_progress, {**options, "dry_run": dry_run})


def run_job(job: Job, options: RunOptions | None = None, display: Display | None = None) -> Report | Plan:
    """Do a job, or plan it when a dry run was asked for, or show what to expect of it.

    Those who look on, and the page of the finished job, are for a job that is done.

    Parameters
    ----------
    job
        For instance what `read_job` finds in a job file.
    display
        What is said while it runs; if None nothing, but for a bar in a notebook.
    """
    if _is_being_imported_anew():
        from pipeline.workers.processes import UNGUARDED

        raise UsageError(f"a worker imports the script that started it: {UNGUARDED}")
    options = RunOptions() if options is None else options
    display = _display_for(None) if display is None else display
    for note in (*job.notes, *unused(job)):
        display.warn(note)
    limit_threads(job.settings.threads)
    if options.dry_run and any((options.live is not None, options.tensorboard, *options.files)):
        display.note("a dry run only plans: nothing is written, and there is no live page")
    if options.preview and options.workers is not None:
        display.note("a preview is made in this process, without workers")
    if not options.dry_run and not options.preview:
        return _do_watched(job, options, display)
    spent = time.process_time() if "tensorflow" in sys.modules else 0.0  # a second job starts up no more
    outcome = _do_job(job, options, display)
    return outcome.started(spent) if isinstance(outcome, Plan) else outcome


def _is_being_imported_anew() -> bool:
    """Whether this is a new process that imports its parent's main file and has not begun its own work."""
    processes = sys.modules.get("multiprocessing.process")
    return processes is not None and getattr(processes.current_process(), "_inheriting", False)


def _do_watched(job: Job, options: RunOptions, display: Display) -> Report | Plan:
    """Do the job before those who look on, and write the page of the finished job."""
    with ExitStack() as stack:
        if options.live is not None:
            from pipeline.views.live.server import watching

            stack.enter_context(watching(job, options.live, display))
        if options.tensorboard is not None:
            from pipeline.views.tensorboard import TensorBoardWatcher

            display.watchers.each.append(TensorBoardWatcher(options.tensorboard))
        collector = None
        if options.report is not None:
            from pipeline.views.report.collector import ReportCollector

            collector = ReportCollector(options, options.report)
            display.watchers.each.append(collector)
        outcome = None
        try:
            outcome = _do_job(job, options, display)
            if collector is not None and isinstance(outcome, Report):
                collector.write(outcome)
        finally:
            display.watchers.tell(JobEnded(outcome if isinstance(outcome, Report) else None))
        return outcome


def _do_job(job: Job, options: RunOptions, display: Display) -> Report | Plan:
    """Do the job by what does its kind."""
    if options.preview:
        from pipeline.preview.preview import run_preview

        return run_preview(job, options, display)
    if job.command == "video":
        from pipeline.clip.run import run_video

        return run_video(job, options, display)
    if job.command == "album":
        from pipeline.album.run import run_album

        return run_album(job, options, display)
    from pipeline.image import run_image

    return run_image(job, options, display)


class _Follower(Watcher):
    """Passes on how far the work is."""

    def __init__(self, tell: OnProgress) -> None:
        self._tell = tell

    def work_moves(self, moved: Moved) -> None:
        self._tell(moved)


def _display_for(on_progress: OnProgress | None) -> Display:
    """What shows a job that is not run from the command line."""
    if on_progress is None and in_notebook():
        return NotebookDisplay()
    display = Display(_SILENT)
    if on_progress is not None:
        display.watchers.each.append(_Follower(on_progress))
    return display


def _stylize(
    command: str,
    content: FileName,
    styles: FileName | Sequence[FileName],
    output: FileName,
    on_progress: OnProgress | None,
    options: dict[str, Any],
) -> Report | Plan:
    """Do the job that a call asks for."""
    if on_progress is not None and not callable(on_progress):
        raise UsageError(f"on_progress: expected a function, got {on_progress!r}")
    given = {name: plain(value) for name, value in options.items() if value is not None}
    preset = given.pop("preset", "default")
    overrides = settings_in(given, command)
    several = [styles] if isinstance(styles, (str, PathLike)) or not isinstance(styles, Sequence) else styles
    job = build_job(
        command,
        Path(name_of_file(content, "the original")),
        tuple(parse_style(name_of_file(style, "a style")) for style in several),
        Path(name_of_file(output, "the output")),
        preset=name_of_file(preset, "preset"),
        overrides=overrides,
    )
    display = _display_for(on_progress)
    threads = job.settings.threads
    if threads and "tensorflow" in sys.modules and os.environ.get("TF_NUM_INTRAOP_THREADS") != str(threads):
        display.warn(f"threads: TensorFlow runs in this process already, and not with {threads} threads")
    return run_job(job, options_of(given, command), display)
