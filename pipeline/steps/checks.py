"""Checks before the work: inputs exist, outputs can be written, tools are installed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.machine import PROGRAM
from pipeline.montage.contact_sheet import SHEET_SUFFIXES
from pipeline.progress.display import Display
from pipeline.progress.wording import spoken_bytes
from pipeline.run_folder.folder import run_path
from pipeline.settings.input_files import inputs_of
from pipeline.settings.job import Job
from pipeline.settings.job_file import job_text
from pipeline.settings.job_settings import mask_paths
from pipeline.settings.run_options import PAGE_SUFFIXES, RunOptions
from pipeline.steps.rehearsal import outputs_of, rehearse
from pipeline.styling.looks import check_masks
from stylize.config import parse_start

if TYPE_CHECKING:
    from stylize.stylizer import Stylizer

PATTERN = re.compile(r"[*?]|\[.+\]")
"""What shells make names of."""


def unused(job: Job) -> Iterator[str]:
    """What was asked for and has no effect beside the rest, a line each."""
    settings = job.settings
    hub = settings.engine == "hub" or parse_start(job.stylize.init).kind == "hub"
    if settings.hub_model != type(settings).hub_model and not hub:
        yield "--hub-model: is used with --engine hub or --init hub only"


def check_inputs(job: Job) -> None:
    """Content, styles and the start picture exist, and none of them is the output.

    Raises
    ------
    UsageError
        Naming the file, and the near miss in its folder.
    InputError
        If the start picture cannot be read.
    """
    for path in inputs_of(job):
        check_exists(path)
        if _same(path, job.output):
            raise UsageError(f"{job.output}: is an input of this job; give the output another name")
    check_masks(job.settings, 1 if job.command == "album" else len(job.styles))
    if job.command != "album":
        for style in job.styles:
            if style.path.is_dir():
                _check_style_folder(job, style.path)
    start = parse_start(job.stylize.init)
    if start.kind == "picture":
        from video.images import read_image

        read_image(Path(start.path))


def _check_style_folder(job: Job, folder: Path) -> None:
    """A folder of pictures is one style, which has one place: everywhere."""
    from video.images import list_pictures

    if not list_pictures(folder):
        raise UsageError(f"{folder}: there are no pictures in this folder")
    if mask_paths(job.settings):
        raise UsageError(f"{folder}: a folder of styles takes no masks; give one picture")


def check_exists(path: Path) -> None:
    """A file or folder is there, or a UsageError with the near miss."""
    if os.path.isfile(path) or os.path.isdir(path):
        return
    if os.path.exists(path):  # a pipe would wait for someone to write into it
        raise UsageError(f"{path}: is no plain file; name one")
    near = _near_name(path)
    hint = f"did you mean {near}?" if near else "check the name"
    if PATTERN.search(path.name):
        hint = "a pattern in quotes stays a name; name a file, or the folder"
    raise UsageError(f"{path}: there is no such file; {hint}")


def check_outputs(job: Job, options: RunOptions, suffixes: tuple[str, ...], display: Display) -> None:
    """The output and everything else asked for can be written, with the tools it takes; its drives are tried.

    Without `suffixes` the output is a folder.

    Raises
    ------
    InputError, UsageError
        For a suffix that is not supported, a missing or read-only folder, a file that exists without
        `--overwrite`, or the same name for two outputs.
    ToolError
        If a movie is asked for and there is no ffmpeg that works.
    """
    from video.animation import ANIMATION_SUFFIXES
    from video.outputs import check_target
    from video.tools import find_ffmpeg

    if suffixes:
        _check_kind(job)
        check_target(job.output, suffixes, overwrite=options.overwrite)
    if options.progress_movie is not None:
        if job.settings.engine == "hub":
            raise UsageError(
                "--progress-movie: with --engine hub there is no progress; leave one of them out"
            )
        if options.movie.layout == "grid" and job.command != "album":
            raise UsageError("--movie-layout grid: is for albums; here is one picture, for single or side")
        check_target(options.progress_movie, tuple(ANIMATION_SUFFIXES), overwrite=options.overwrite)
        if options.progress_movie.suffix.lower() != ".webp":
            find_ffmpeg()
    if options.contact_sheet is not None:
        if job.command == "image":
            raise UsageError("--contact-sheet: is for clips and albums; a picture needs none")
        check_target(options.contact_sheet, SHEET_SUFFIXES, overwrite=options.overwrite)
    if options.report is not None:
        check_target(options.report, PAGE_SUFFIXES, overwrite=options.overwrite)
    if options.save_settings is not None:
        check_target(options.save_settings, (".toml",), overwrite=options.overwrite)
        job_text(job, options.save_settings.parent)
    _check_run_folder(job.output)
    named = outputs_of(job, options)
    if len({os.path.realpath(path) for path in named}) < len(named):
        raise UsageError(f"{job.output}: is named for two outputs; give each a name of its own")
    inputs = inputs_of(job)
    for path in named[1:]:
        if any(_same(path, given) for given in inputs):
            raise UsageError(f"{path}: is an input of this job; give the output another name")
    if not suffixes:
        _check_folder(job.output)
    rehearse(named, run_path(job.output), display)


def _check_kind(job: Job) -> None:
    """The output is not what another command makes."""
    from video.encode import VIDEO_FORMATS
    from video.images import WRITABLE_SUFFIXES

    suffix, name = job.output.suffix.lower(), job.output.stem
    if job.command == "image" and suffix in VIDEO_FORMATS:
        raise UsageError(
            f"cannot write {job.output}: an image job makes a picture, such as {name}.png; clips are done by "
            f"`deepfusion video`, and a movie of how a picture comes about is --progress-movie"
        )
    if job.command == "video" and suffix in WRITABLE_SUFFIXES:
        raise UsageError(
            f"cannot write {job.output}: a video job makes a clip, such as {name}.mp4; pictures are done by "
            f"`deepfusion image`"
        )


def _check_folder(folder: Path) -> None:
    """The output folder of an album can be made or written to."""
    from video.outputs import is_writable

    parent = folder.absolute()
    while not os.path.exists(parent):
        parent = parent.parent
    if not parent.is_dir():
        raise UsageError(
            f"{folder}: {'' if parent == folder.absolute() else f'{parent} '}is a file; "
            f"an album needs a folder as its output"
        )
    if not is_writable(parent):
        raise UsageError(f"{folder}: {parent} is not writable; choose another output folder")


def _check_run_folder(output: Path) -> None:
    """The drive takes the names of what is made beside the output."""
    from video.outputs import check_length

    if (whole := os.path.realpath(output)) == os.path.dirname(whole):
        raise UsageError(f"{output}: is the root of a drive; give a folder in it")
    check_length(output, Path(os.path.abspath(output)), run_path(output))


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return False


def _near_name(path: Path) -> str | None:
    import difflib

    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except (OSError, ValueError):
        return None
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.7)
    return str(path.parent / near[0]) if near else None


def warn_of_excess(
    stylizer: Stylizer, shape: tuple[int, ...], gibibytes: float, display: Display, *, finished: bool = False,
    beside: int = 0,
) -> None:  # fmt: skip
    """Say so where a picture of this height and width takes more than allowed, however small its windows.

    Beside it the job takes as many bytes as `beside`.
    """
    height, width = shape[:2]
    alone = PROGRAM + beside
    need = alone + stylizer.evaluator.memory_of(height, width)
    limit = gibibytes * 2**30
    if 0.0 < limit < need:
        cure = f"a smaller {'--finish' if finished else '--size'} or --history takes less"
        if limit <= alone:
            what = "program and the clip's frames alone take" if beside else "program alone takes"
            cure = f"the {what} {spoken_bytes(alone)}; give more: windows only cost time"
        display.warn(
            f"{width}x{height} pixels take about {spoken_bytes(need)}, more than --memory {gibibytes:g} "
            f"allows; {cure}"
        )
