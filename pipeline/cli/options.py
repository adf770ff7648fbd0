"""Command-line options derived from the settings' knobs, and the few that every job shares."""

from __future__ import annotations

import math
import typing
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import Any

import click

from pipeline.errors import UsageError
from pipeline.settings.job_settings import SETTINGS
from pipeline.settings.run_options import LAYOUTS, LOCAL, MovieOptions, WorkerOptions
from stylize.config import StylizeConfig
from stylize.knobs import Knob, knobs_of, near_miss

Command = Callable[..., Any]

LIVE_PORT = 8686


class NearMissChoice(click.Choice):  # type: ignore[type-arg]
    """A choice whose error names the near miss."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value not in self.choices:
            self.fail(f"unknown value {value!r}: {near_miss(str(value), tuple(self.choices))}", param, ctx)
        return value


class Length(click.FloatRange):
    """Seconds between two bounds; NaN is no number here."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number of seconds", param, ctx)
        return number


class Count(click.IntRange):
    """A whole number of things."""

    name = "whole number"


class Port(click.ParamType[Any]):
    """A port of this machine, 0 for any free one."""

    name = "port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if not str(value).isdecimal() or int(value) > 65535:
            self.fail(
                f"{value!r} is no port from 0 to 65535; without a number put --live last or before an option",
                param,
                ctx,
            )
        return int(value)


class CommaList(click.ParamType[Any]):
    """Values separated by commas."""

    def __init__(self, item: type) -> None:
        self.item = item
        self.name = "A,B,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(self.item(part.strip()) for part in value.split(",") if part.strip())
        except ValueError:
            self.fail(f"{value!r} is not a list of numbers separated by commas", param, ctx)


def _all_of(options: Sequence[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    """A decorator that adds options, in the order in which a help page shows them."""

    def decorate(function: Command) -> Command:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def setting_options(command: str) -> Callable[[Command], Command]:
    """One option for every setting of a command, in order; the value is None when it is not given."""
    return _all_of(
        [
            _option(name, typing.get_type_hints(cls)[name], field.default, details)
            for cls in (StylizeConfig, SETTINGS[command])
            for name, (field, details) in knobs_of(cls).items()
        ]
    )


def _option(name: str, kind: Any, default: Any, details: Knob) -> Callable[[Command], Command]:
    flag = "--" + name.replace("_", "-")
    text = details.help
    if details.like is not None:
        text += f"  [default: {details.shown}]"
    elif default not in ("", ()):
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
        text += f"  [default: {str(shown).lower() if isinstance(default, bool) else shown}]"
    if kind is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=text)
    metavar = details.metavar
    value: Any = kind
    if details.choices:
        value = NearMissChoice(details.choices)
        metavar = "|".join(details.choices)
    elif details.multiple:
        return click.option(flag, name, multiple=True, help=text, metavar=metavar)
    elif typing.get_origin(kind) is tuple:
        value = CommaList(typing.get_args(kind)[0])
    return click.option(flag, name, type=value, default=None, help=text, metavar=metavar)


def run_options(command: str) -> Callable[[Command], Command]:
    """The options of a job that are not settings: they don't change the picture."""
    path = click.Path(path_type=Path)
    alone = command == "image"  # refuses workers, with the reason; its help needs no word of them
    options = (
        click.option("--progress-movie", type=path, metavar="PATH",
                     help="Also make a movie of the optimisation: .mp4, .gif or .webp."),
        movie_options("movie-"),
        click.option("--contact-sheet", type=path, metavar="PATH",
                     help="Also make a sheet of small pictures: .jpg, .png or .webp."),
        click.option("--report", type=path, metavar="PATH.html",
                     help="Also make a page for a browser: before and after, losses, flicker, settings."),
        click.option("--tensorboard", type=path, metavar="FOLDER",
                     help="Also write losses and pictures for TensorBoard."),
        click.option("--save-settings", type=path, metavar="PATH",
                     help="Write a job file that does this run again with `deepfusion run`."),
        click.option("--keep-run", is_flag=True,
                     help="Keep the run folder with frames, journal and snapshots."),
        click.option("--restart", is_flag=True,
                     help="Discard what an interrupted run has left; begin afresh."),
        click.option("--overwrite", is_flag=True, help="Replace an output that exists."),
        click.option("--dry-run", is_flag=True,
                     help="Check everything, time a few iterations, print time, memory and disk needed."),
        click.option("--preview", type=Count(1, 60), metavar="N",
                     help="Only show what to expect: N frames or photos, small, on OUT.preview.png."),
        click.option("--live", type=Port(), is_flag=False, flag_value=LIVE_PORT, metavar="[PORT]",
                     help="Show the running job on a page in the browser, which can stop it and let it "
                     f"go on: http://127.0.0.1:PORT/, by default {LIVE_PORT}; 0 = any free port."),
        click.option("--workers", hidden=alone, type=Count(1, 4096), metavar="N",
                     help="Share shots or photos among N processes, each with a graphics card or a share "
                     "of the cores."),
        click.option("--engine-address", hidden=alone, metavar="ADDRESS|local",
                     help="Workers on a Ray cluster (host:port, auto; local = a Ray started here); "
                     "see docs/cluster.md."),
        click.option("--gpus-per-worker", hidden=alone, type=click.FloatRange(0.0, 1.0), metavar="X",
                     help="Graphics cards that each worker gets, or its share of one. "
                     "[default: 1 where there are any]"),
        click.option("--offline", is_flag=True, help="Never fetch a hub model."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output."),
        click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors."),
        click.option("-v", "--verbose", is_flag=True, help="Say more."),
    )  # fmt: skip
    return _all_of(options)


def movie_options(prefix: str = "") -> Callable[[Command], Command]:
    """The options of a progress movie, under names that begin with `prefix`."""
    plain = MovieOptions()
    options = (
        click.option(f"--{prefix}seconds", type=Length(0.5, 600), default=plain.seconds, show_default=True,
                     help="Length of its movement; pauses and the wipe come on top."),
        click.option(f"--{prefix}layout", type=NearMissChoice(LAYOUTS), default=plain.layout,
                     metavar="|".join(LAYOUTS), show_default=True,
                     help="The result; it beside original and style; all photos of an album at once."),
        click.option(f"--{prefix}captions", is_flag=True,
                     help="Write title, level and iteration under its pictures, as far as there is room."),
        click.option(f"--{prefix}wipe", is_flag=True,
                     help="End the progress movie with a wipe from the original to the result."),
        click.option(f"--{prefix}losses", is_flag=True,
                     help="Draw the loss curves under the progress movie."),
    )  # fmt: skip
    return _all_of(options)


def movie_asked(values: dict[str, Any]) -> MovieOptions:
    """Takes what was asked of a job's progress movie out of `values`; UsageError if there is to be none."""
    names = [name for name in values if name.startswith("movie_")]
    asked = MovieOptions(**{name.removeprefix("movie_"): values.pop(name) for name in names})
    if values["progress_movie"] is None and asked.changed():
        raise UsageError(f"--movie-{asked.changed()[0]}: is for a progress movie; add --progress-movie PATH")
    return asked


def workers_asked(values: dict[str, Any], command: str) -> WorkerOptions | None:
    """Takes what was asked of workers out of `values`; UsageError if there is nothing to share among them."""
    count, address, cards = (values.pop(name) for name in ("workers", "engine_address", "gpus_per_worker"))
    asked = WorkerOptions(count, LOCAL if (address or "").lower() == LOCAL else address, cards)
    if asked == WorkerOptions():
        return None
    if asked.address == "":
        raise UsageError("--engine-address: is empty; give the address of a Ray cluster, or local")
    if asked.address is not None and asked.address.startswith("ray://"):
        raise UsageError(
            f"--engine-address {asked.address}: a command outside the cluster is not served; give it on one "
            f"of the cluster's machines, with host:port or auto"
        )
    if asked.count is None and asked.address is None:
        raise UsageError("--gpus-per-worker: is for workers; add --workers N or --engine-address ADDRESS")
    if command == "image":
        raise UsageError(
            "workers share shots of a clip or photos of an album; a picture is one piece of work"
        )
    return asked


def given(values: dict[str, Any], command: str) -> dict[str, Any]:
    """Takes the settings that were given on the command line out of `values`."""
    overrides = {}
    for cls in (StylizeConfig, SETTINGS[command]):
        for name, (_, details) in knobs_of(cls).items():
            value = values.pop(name, None)
            if details.multiple and value == ():
                continue
            if value == "" or value == () or (details.multiple and "" in value):
                raise UsageError(f"--{name.replace('_', '-')}: is empty; give it a value or leave it out")
            if value is not None:
                overrides[name] = value
    return overrides


def as_option(text: str, given: Container[str]) -> str:
    """What is wrong with a setting (`name: why`), with the option's name if that is how it was given."""
    name, colon, why = text.partition(":")
    return f"--{name.replace('_', '-')}:{why}" if colon and name in given else text


def require(value: Any, flag: str, purpose: str) -> Any:
    """`value`, or a UsageError that names the missing option and what it is for."""
    if not value:
        raise UsageError(f"missing {flag}: {purpose}")
    return value
