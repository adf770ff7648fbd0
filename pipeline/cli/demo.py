"""`deepfusion demo`: a real clip with sound, two photos and a progress movie, from the package's media."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from importlib import resources
from pathlib import Path
from typing import Any

from pipeline.api import run_job
from pipeline.errors import UsageError
from pipeline.progress.display import Display
from pipeline.progress.wording import spoken_time
from pipeline.settings.job import StyleSource, build_job
from pipeline.settings.run_options import RunOptions
from pipeline.styling.precision import suits_full_network
from video.names import shown

_JOBS: tuple[tuple[str, str, str, str, dict[str, Any]], ...] = (
    ("image", "cat.jpg", "great-wave.jpg", "cat-great-wave.png", {"size": 320}),
    ("image", "tulips.jpg", "starry-night.jpg", "tulips-starry-night.png", {"size": 320}),
    (
        "video",
        "meadow.mp4",
        "water-lilies.jpg",
        "meadow-water-lilies.mp4",
        {"size": 256, "frame_iterations": 20},
    ),
)

_MOVIE_OF = "tulips-starry-night.png"


def _backbone(command: str) -> str:
    """The full network; for the clip's many frames the slim one where the full one would take too long."""
    return "vgg19" if command != "video" or suits_full_network() else "vgg19-slim"


def run_demo(folder: Path, display: Display) -> Iterator[str]:
    """Fill `folder`; gives the lines to print.

    Raises
    ------
    UsageError
        If the folder cannot be made.
    """
    began = time.perf_counter()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be made: {error.strerror}; choose another with -o") from None
    media = resources.files("pipeline").joinpath("demo")
    with ExitStack() as stack:
        for command, content, style, output, settings in _JOBS:
            display.note(f"{output}: {content} in the manner of {style}")
            job = build_job(
                command,
                stack.enter_context(resources.as_file(media.joinpath(content))),
                (StyleSource(stack.enter_context(resources.as_file(media.joinpath(style)))),),
                folder / output,
                overrides={"backbone": _backbone(command), **settings},
            )
            movie = folder / f"{Path(output).stem}-progress.mp4" if output == _MOVIE_OF else None
            report = run_job(job, RunOptions(overwrite=True, restart=True, progress_movie=movie), display)
            yield report.summary()
    yield f"All of it is in {shown(folder.absolute())}, made in {spoken_time(time.perf_counter() - began)}."
