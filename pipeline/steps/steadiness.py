"""Warns before the job of styles that make clips flicker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.progress.display import Display
from pipeline.settings.job import StyleSource
from pipeline.steps.checks import check_exists
from video.names import shown


def fine_contrasts(paths: Sequence[Path], scale: float = 1.0) -> dict[Path, float]:
    """The fine contrast of style pictures, and of those in folders, the steadiest first.

    What cannot be read in a folder is left out.

    Raises
    ------
    UsageError, InputError
        For what is not there or is no picture.
    """
    from video.errors import VideoError
    from video.images import list_pictures, read_image
    from video.metrics import fine_contrast

    found = {}
    for path in paths:
        check_exists(path)
        pictures = list_pictures(path) if path.is_dir() else [path]
        if not pictures:
            raise UsageError(f"{path}: there are no pictures in this folder")
        for picture in pictures:
            with suppress(VideoError) if path.is_dir() else nullcontext():
                found[picture] = fine_contrast(read_image(picture), scale)
    return dict(sorted(found.items(), key=lambda entry: entry[1]))


def verdict(value: float) -> str:
    """A fine contrast in words."""
    from video.metrics import LIVELY, STEADY

    if value > LIVELY:
        return "flickers more than most"
    return "steadier than most" if value < STEADY else "as steady as most"


def ranking(paths: Sequence[Path]) -> Iterator[str]:
    """A line a style for `deepfusion doctor --style`."""
    found = fine_contrasts(paths)
    width = max(len(shown(path)) for path in found)
    yield f"{'style'.ljust(width)}  fine contrast"
    for path, value in found.items():
        yield f"{shown(path).ljust(width)}  {value:.3f}  {verdict(value)}"
    yield "of frames made alone; with --temporal flow, the default, they are held to each other"


def expected(styles: Sequence[StyleSource], scale: float) -> dict[str, float]:
    """The fine contrast of each style of a job, by its file's name, at the job's size of strokes."""
    found = fine_contrasts([style.path for style in styles], scale)
    return {path.name: value for path, value in found.items()}


def warn_of_flicker(styles: Sequence[StyleSource], scale: float, display: Display) -> None:
    """Say which styles flicker more than most, where nothing holds the frames."""
    from video.metrics import LIVELY

    for name, value in expected(styles, scale).items():
        if value > LIVELY:
            display.warn(
                f"{name}: a style of fine contrast {value:.3f} {verdict(value)} (over {LIVELY:g}); "
                f"--temporal flow, the default, holds frames to each other"
            )
