"""Command-line options derived from the settings' knobs, and the few that every job shares."""

from __future__ import annotations

import math
import re
import typing
from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from pipeline.cli.slips import FilePath
from pipeline.errors import UsageError
from pipeline.settings.job_settings import SETTINGS, known_keys
from pipeline.settings.run_options import MovieOptions, RunOptions
from stylize.config import StylizeConfig
from stylize.knobs import Knob, Option, knobs_of, near_miss, options_in

Command = Callable[..., Any]

_OTHERS = re.compile(rf"(?<=\s)(?:{'|'.join(key for key in known_keys() if '_' in key)})(?=[\s;,]|$)")

_BEYOND_USE = 1e6
"""Bounds from here on are there against numbers that overflow, and no help page needs them."""


class NearMissChoice(click.Choice):  # type: ignore[type-arg]
    """A choice whose error names the near miss."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value not in self.choices:
            self.fail(f"unknown value {value!r}: {near_miss(str(value), tuple(self.choices))}", param, ctx)
        return value


class Amount(click.FloatRange):
    """A number between two bounds, of a unit; NaN is no number here."""

    def __init__(self, minimum: float | None, maximum: float | None, unit: str = "") -> None:
        super().__init__(minimum, maximum)
        self._told = f"number of {unit}" if unit else "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a {self._told}", param, ctx)
        return number


class Count(click.IntRange):
    """A whole number of things."""

    name = "whole number"


class OptionalNumber(click.ParamType[Any]):
    """A whole number that may be left out; what follows the option then must not look like its value."""

    def __init__(self, details: Knob) -> None:
        self.name = (details.metavar or "[number]").strip("[]").lower()
        self._least, self._most = int(details.minimum or 0), int(details.maximum or 0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if not str(value).isdecimal() or not self._least <= int(value) <= self._most:
            flag = "the option" if param is None else param.opts[0]
            self.fail(
                f"{value!r} is no {self.name} from {self._least} to {self._most}; "
                f"without a number put {flag} last or before an option",
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
        [_setting_option(option) for cls in (StylizeConfig, SETTINGS[command]) for option in options_in(cls)]
    )


def _setting_option(option: Option) -> Callable[[Command], Command]:
    """What presets and job files set, too: a flag has its opposite, and only what is given counts."""
    name, kind, _, details = option
    flag = _flag(name)
    text = details.help
    shown = [f"default: {told}"] if (told := _default_of(option)) else []
    if told := _range_of(details):
        shown.append(told)
    if shown:
        text += f"  [{'; '.join(shown)}]"
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


def _default_of(option: Option) -> str:
    """The default of a setting as its help says it; empty where it is nothing."""
    if option.details.like is not None:
        return option.details.shown
    if isinstance(option.default, tuple):
        return ",".join(map(str, option.default))
    return str(option.default).lower() if isinstance(option.default, bool) else str(option.default)


def _range_of(details: Knob) -> str:
    """The bounds of a number as click writes them; those that only keep out what overflows are not told."""
    least = details.minimum if details.above is None else details.above
    if least is None:
        return ""
    sign = "<=" if details.above is None else "<"
    if details.maximum is None or details.maximum >= _BEYOND_USE:
        return f"x{sign.replace('<', '>')}{least:g}"
    return f"{least:g}{sign}x<={details.maximum:g}"


def run_options(command: str) -> Callable[[Command], Command]:
    """The options of a job that are not settings, and those that are about the command line only."""
    return _all_of(
        (
            *(
                _run_option(option, hidden=command in option.details.hidden)
                for option in options_in(RunOptions)
            ),
            click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output."),
            click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors."),
            click.option("-v", "--verbose", is_flag=True, help="Say more."),
        )
    )


def movie_options() -> Callable[[Command], Command]:
    """The options of a progress movie alone."""
    return _all_of([_run_option(option) for option in options_in(MovieOptions)])


def shared_options(settings: type[Any], **helps: str) -> Callable[[Command], Command]:
    """Settings of a job as options of another command, with what they mean there."""
    known = {option.name: option for option in options_in(settings)}
    return _all_of(
        [
            _run_option(known[name]._replace(details=replace(known[name].details, help=text)))
            for name, text in helps.items()
        ]
    )


def _run_option(option: Option, *, hidden: bool = False) -> Callable[[Command], Command]:
    """What no preset and no job file sets: a flag needs no opposite, and a default is the command's own."""
    name, kind, default, details = option
    flag = "--" + name.replace("_", "-")
    if kind is bool:
        return click.option(flag, name, is_flag=True, help=details.help, hidden=hidden)
    return click.option(
        flag,
        name,
        type=_bounded(kind, details),
        default=default,
        show_default=default not in (None, ""),
        metavar=details.metavar,
        help=details.help,
        hidden=hidden,
        **({} if details.bare is None else {"is_flag": False, "flag_value": details.bare}),
    )


def _bounded(kind: Any, details: Knob) -> Any:
    """The type of an option's value that refuses what is out of bounds."""
    if details.bare is not None:
        return OptionalNumber(details)
    if details.choices:
        return NearMissChoice(details.choices)
    if kind is Path:
        return FilePath(path_type=Path)
    least, most = details.minimum, details.maximum
    if kind is int:
        return Count(None if least is None else int(least), None if most is None else int(most))
    return Amount(least, most, details.unit) if kind is float else kind


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
    """What is wrong with a setting (`name: why`), with the option's name if that is how it was given.

    Others that are named are to be given as options; those of one word are left, which may be just words.
    """
    name, colon, why = text.partition(":")
    why = _OTHERS.sub(_flag, why)
    return f"{_flag(name)}:{why}" if colon and name in given else name + colon + why


def _flag(name: str | re.Match[str]) -> str:
    """The option of a setting."""
    return "--" + (name if isinstance(name, str) else name[0]).replace("_", "-")


def require(value: Any, flag: str, purpose: str) -> Any:
    """`value`, or a UsageError that names the missing option and what it is for."""
    if not value:
        raise UsageError(f"missing {flag}: {purpose}")
    return value
