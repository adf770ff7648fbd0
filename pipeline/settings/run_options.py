"""What may be asked of a run besides its settings: every option's type, default, bounds and help, once.

None of them changes a picture. The options of the command line are derived from these fields, and
`options_of` makes the same of values by name.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from stylize.errors import ConfigError
from stylize.knobs import Option, check_value, grouped, groups_of, knob, knobs_of, near_miss, options_in

LAYOUTS = ("single", "side", "grid")

PAGE_SUFFIXES = (".html", ".htm")

LOCAL = "local"
"""The address that means: start a Ray here, for this job."""

LIVE_PORT = 8686


@dataclass(frozen=True)
class MovieOptions:
    """How a progress movie looks.

    Attributes
    ----------
    seconds
        Time of the movement. In a grid everything moves at once; otherwise the pictures share it, and each
        gets at least one second.
    layout
        "single": one picture after the other. "side": each beside its content and its style. "grid": all
        pictures at once.
    captions
        Titles under the pictures, with the iteration and the pyramid's level.
    wipe
        Every picture ends with an edge that travels across and turns the original into the result.
    losses
        Draw the loss curves below the pictures.

    Raises
    ------
    UsageError
        If they do not go together.
    """

    seconds: float = knob(
        8.0,
        "Length of its movement; pauses and the wipe come on top.",
        minimum=0.5,
        maximum=600,
        unit="seconds",
    )
    layout: str = knob(
        "single",
        "The result; it beside original and style; all photos of an album at once.",
        choices=LAYOUTS,
        metavar="|".join(LAYOUTS),
    )
    captions: bool = knob(
        False, "Write title, level and iteration under its pictures, as far as there is room."
    )
    wipe: bool = knob(False, "End the progress movie with a wipe from the original to the result.")
    losses: bool = knob(False, "Draw the loss curves under the progress movie.")

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise UsageError(f"a movie's layout is one of {', '.join(LAYOUTS)}, not {self.layout!r}")
        if self.layout == "grid" and self.losses:
            raise UsageError(
                "loss curves are of one optimisation, and a grid shows many; leave one of them out"
            )

    def changed(self) -> list[str]:
        """The names of what differs from the defaults."""
        return [name for name, (one, _) in knobs_of(self).items() if getattr(self, name) != one.default]


@dataclass(frozen=True)
class WorkerOptions:
    """What was asked of workers.

    Attributes
    ----------
    workers
        How many; None: as many as there is room for.
    engine_address
        Of a Ray cluster, or "local": a Ray started here; None: processes of this machine.
    gpus_per_worker
        Graphics cards for each, or the share of one; None: one each, where there are any.

    Raises
    ------
    UsageError
        If the address is none, or nothing says that there are to be workers.
    """

    workers: int | None = knob(
        None,
        "Share shots or photos among N processes, each with a graphics card or a share of the cores.",
        minimum=1,
        maximum=4096,
        metavar="N",
        hidden=("image",),  # it refuses workers, with the reason; its help needs no word of them
    )
    engine_address: str | None = knob(
        None,
        "Workers on a Ray cluster (host:port, auto; local = a Ray started here); see docs/cluster.md.",
        metavar="ADDRESS|local",
        hidden=("image",),
    )
    gpus_per_worker: float | None = knob(
        None,
        "Graphics cards that each worker gets, or its share of one. [default: 1 where there are any]",
        minimum=0.0,
        maximum=1.0,
        metavar="X",
        hidden=("image",),
    )

    def __post_init__(self) -> None:
        address = self.engine_address
        if address is not None and address.lower() == LOCAL:
            object.__setattr__(self, "engine_address", LOCAL)
        if address == "":
            raise UsageError("--engine-address: is empty; give the address of a Ray cluster, or local")
        if address is not None and address.startswith("ray://"):
            raise UsageError(
                f"--engine-address {address}: a command outside the cluster is not served; give it on one "
                f"of the cluster's machines, with host:port or auto"
            )
        if self.workers is None and address is None:
            raise UsageError("--gpus-per-worker: is for workers; add --workers N or --engine-address ADDRESS")


@dataclass(frozen=True)
class RunOptions:
    """What was asked of a run besides its settings; `command_line` is how, for its report.

    What has `path` set is a file that the run writes.
    """

    progress_movie: Path | None = knob(
        None, "Also make a movie of the optimisation: .mp4, .gif or .webp.", metavar="PATH", path=True
    )
    movie: MovieOptions = field(default_factory=MovieOptions, metadata=grouped(MovieOptions, "movie_"))
    contact_sheet: Path | None = knob(
        None, "Also make a sheet of small pictures: .jpg, .png or .webp.", metavar="PATH", path=True
    )
    report: Path | None = knob(
        None,
        "Also make a page for a browser: before and after, losses, flicker, settings.",
        metavar="PATH.html",
        path=True,
    )
    tensorboard: Path | None = knob(None, "Also write losses and pictures for TensorBoard.", metavar="FOLDER")
    save_settings: Path | None = knob(
        None,
        "Write a job file with the content, styles, output and settings of this run, for `deepfusion run`; "
        "run options (--report, --keep-run, ...) are no part of it.",
        metavar="PATH",
        path=True,
    )
    keep_run: bool = knob(
        False,
        "Keep the run folder with frames, journal and snapshots; later runs keep it, but for --restart.",
    )
    restart: bool = knob(False, "Discard what an interrupted or kept run has left; begin afresh.")
    overwrite: bool = knob(False, "Replace an output that exists.")
    dry_run: bool = knob(
        False, "Check everything, time a few iterations, print time, memory and disk needed."
    )
    preview: int | None = knob(
        None,
        "Only show what to expect: N frames or photos, small, on OUT.preview.png.",
        minimum=1,
        maximum=60,
        metavar="N",
    )
    live: int | None = knob(
        None,
        "Show the running job on a page in the browser, which can stop it and let it go on: "
        f"http://127.0.0.1:PORT/, by default {LIVE_PORT}; 0 = any free port.",
        minimum=0,
        maximum=65535,
        metavar="[PORT]",
        bare=LIVE_PORT,
    )
    workers: WorkerOptions | None = field(default=None, metadata=grouped(WorkerOptions))
    offline: bool = knob(False, "Never fetch a hub model.")
    command_line: str = ""

    @property
    def wants_snapshots(self) -> bool:
        """Whether the optimisation has to leave pictures behind."""
        return self.progress_movie is not None or self.keep_run

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that the run is to write besides its result."""
        named = [getattr(self, name) for name, (_, details) in knobs_of(self).items() if details.path]
        return tuple(path for path in named if path is not None)


def option_names(command: str) -> tuple[str, ...]:
    """The names of all run options of a command, as `options_of` takes them: image, video, album or run."""
    del command  # each has them all; `image` refuses workers, with the reason
    return tuple(option.name for option in options_in(RunOptions))


def options_of(values: dict[str, Any], command: str) -> RunOptions:
    """The options of a run from values by name; what is not among them, or None, is as usual.

    Parameters
    ----------
    values
        By the names of `option_names`; and `command_line`, if the run came of one.
    command
        Of the job: image, video or album.

    Raises
    ------
    UsageError
        For a name or value that is wrong, and for what does not go together.
    """
    names = (*option_names(command), "command_line")
    for name in values:
        if name not in names:
            raise UsageError(f"unknown option {name!r}: {near_miss(name, names[:-1])}")
    asked = {name: value for name, value in values.items() if value is not None}
    for option in options_in(RunOptions):
        if option.name in asked:
            asked[option.name] = _checked(option, asked[option.name])
    for group, (cls, prefix) in groups_of(RunOptions).items():
        inner = {name: asked.pop(prefix + name) for name in knobs_of(cls) if prefix + name in asked}
        asked |= {group: cls(**inner)} if inner else {}
    options = RunOptions(**asked)
    if options.progress_movie is None and (changed := options.movie.changed()):
        raise UsageError(f"--movie-{changed[0]}: is for a progress movie; add --progress-movie PATH")
    if options.workers is not None and command == "image":
        raise UsageError(
            "workers share shots of a clip or photos of an album; a picture is one piece of work"
        )
    return options


def _checked(option: Option, value: Any) -> Any:
    """A value of an option, within its bounds and of its type: paths may be texts, `True` asks for a port."""
    if option.kind is Path:
        if not isinstance(value, (str, os.PathLike)):
            raise UsageError(f"{option.name}: {value!r}: expected the path of a file")
        return Path(value)
    if value is True and option.details.bare is not None:
        return option.details.bare
    try:
        check_value(option.name, value, option.kind(), option.details)
    except ConfigError as error:
        raise UsageError(str(error)) from None
    return value
