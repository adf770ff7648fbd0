"""A knob: one dataclass field that holds all that is known of a setting, once.

Its type, default, bounds, choices and help; whether it names files; and what it decides. Command-line
options, job files, run records, what a resume compares, the files that are checked and sent to workers: all
are derived from these fields, and values are checked by :func:`check_knobs`.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

from stylize.errors import ConfigError

_KEY, _GROUP = "knob", "group"

_KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "True or False"}

Decides = Literal["picture", "place", "folder", "network", "name", "nothing"]


@dataclasses.dataclass(frozen=True)
class Knob:
    """What is known of a setting besides its type and default.

    Attributes
    ----------
    help
        A sentence or more for who reads the help page.
    minimum, maximum, above
        Bounds of a number; `above` is excluded.
    choices
        The values that a text may have.
    metavar
        What stands for the value on the help page.
    multiple
        Whether the option may be repeated.
    like, shown
        Where the default depends on other settings: a value of its kind, and what the default is in words.
    path
        Whether a value names a file or folder: True where every value that is not empty does, otherwise a
        function that tells of a value.
    decides
        What depends on the setting, which is what a resume has to compare:

        - ``picture``: what the result looks like.
        - ``place``: where a style goes; of an album each photo has its own part of the files named.
        - ``folder``: the result of a folder of frames, and nothing of a clip.
        - ``network``: what the optimisation runs on. A record holds what ran in place of what was asked for.
          Files of a network are checked by who loads it.
        - ``name``: what results are called and in which order they come, not their looks.
        - ``nothing``: no frame, but for rounding.
    by_name
        Of a path: a resume compares how it is written; otherwise it compares what is in the file. Of a
        network: it is known by nothing else, so that its name is recorded and its files are sent to workers.
    bare
        The value of an option that is given without one.
    unit
        Of a number: of what.
    hidden
        The commands whose help pages do not show the option.
    """

    help: str
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    choices: tuple[str, ...] = ()
    metavar: str | None = None
    multiple: bool = False
    like: Any = None
    shown: str = ""
    path: bool | Callable[[str], bool] = False
    decides: Decides = "picture"
    by_name: bool = False
    bare: Any = None
    unit: str = ""
    hidden: tuple[str, ...] = ()

    def paths_in(self, value: Any) -> tuple[str, ...]:
        """The files and folders that a value of this setting names, as they are written."""
        texts = value if isinstance(value, tuple) else (value,) if value else ()
        if callable(self.path):
            return tuple(filter(self.path, texts))
        return texts if self.path else ()


def knob(default: Any, help: str, **details: Any) -> Any:
    """A dataclass field for a setting; `details` are the fields of :class:`Knob`."""
    return dataclasses.field(default=default, metadata={_KEY: Knob(help, **details)})


def suited(like: Any, shown: str, help: str, **details: Any) -> Any:
    """A setting like `like` whose default depends on others: None until the class has put one there."""
    return knob(None, help, like=like, shown=shown, **details)


def knobs_of(config: type[Any] | Any) -> dict[str, tuple[dataclasses.Field[Any], Knob]]:
    """Every setting of a config class (or instance) by name, in order."""
    return {
        field.name: (field, field.metadata[_KEY])
        for field in dataclasses.fields(config)
        if _KEY in field.metadata
    }


def details_of(*configs: type[Any] | Any) -> dict[str, Knob]:
    """What is known of every setting of some config classes (or instances), by name."""
    return {name: details for config in configs for name, (_, details) in knobs_of(config).items()}


def kinds_of(config: type[Any] | Any) -> dict[str, Any]:
    """The type of every setting of a config class (or instance); of one that may be None, the other type."""
    hints = typing.get_type_hints(config if isinstance(config, type) else type(config))
    kinds = {}
    for name in knobs_of(config):
        kind = hints[name]
        if isinstance(kind, types.UnionType):
            (kind,) = (one for one in typing.get_args(kind) if one is not type(None))
        kinds[name] = kind
    return kinds


class Option(NamedTuple):
    """A knob with the name by which it is asked for, its type and its default."""

    name: str
    kind: Any
    default: Any
    details: Knob


def grouped(cls: type[Any], prefix: str = "") -> dict[str, Any]:
    """Metadata of a field that holds a class of knobs, asked for by names that begin with `prefix`."""
    return {_GROUP: (cls, prefix)}


def groups_of(config: type[Any]) -> dict[str, tuple[type[Any], str]]:
    """The classes of knobs in a config class by the names of their fields, each with its prefix."""
    return {one.name: one.metadata[_GROUP] for one in dataclasses.fields(config) if _GROUP in one.metadata}


def options_in(config: type[Any], prefix: str = "") -> Iterator[Option]:
    """Every knob of a config class and of the groups in it, in order."""
    known, groups, kinds = knobs_of(config), groups_of(config), kinds_of(config)
    for field in dataclasses.fields(config):
        if field.name in known:
            yield Option(prefix + field.name, kinds[field.name], field.default, known[field.name][1])
        elif field.name in groups:
            inner, own_prefix = groups[field.name]
            yield from options_in(inner, prefix + own_prefix)


def default_of(config: Any, name: str) -> Any:
    """The default of a setting, as the others stand in `config`."""
    field, details = knobs_of(config)[name]
    return field.default if details.like is None else config.suited_to_it[name]


def near_miss(value: str, known: tuple[str, ...], other: str = "") -> str:
    """`did you mean X?` where one of `known` is near, otherwise the list of them; then the `other` way."""
    near = difflib.get_close_matches(value, known, n=1)
    if near:
        return f"did you mean {near[0]}?" + (f" Or {other}" if other else "")
    return f"choose from {', '.join(known)}" + (f", or {other}" if other else "")


def check_knobs(config: Any) -> None:
    """Check every setting of `config` against its bounds and choices.

    Raises
    ------
    ConfigError
        Naming the setting, its value, what is allowed, and the near miss.
    """
    for name, (field, details) in knobs_of(config).items():
        like = field.default if details.like is None else details.like
        check_value(name, getattr(config, name), like, details)


def check_value(name: str, value: Any, like: Any, details: Knob) -> None:
    """Check the value of one setting, which is to be of the kind of `like`; ConfigError if it is wrong."""
    kinds = (int, float) if isinstance(like, float) else type(like)
    if not isinstance(value, kinds) or (isinstance(value, bool) and not isinstance(like, bool)):
        raise ConfigError(f"{name}: expected {_KINDS.get(type(like), 'a list')}, got {value!r}")
    if details.choices and value not in details.choices:
        raise ConfigError(f"{name}: unknown value {value!r}: {near_miss(str(value), details.choices)}")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        _check_bounds(name, value, details)


def _check_bounds(name: str, value: float, details: Knob) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{name}: {value} is not a finite number")
    shown = f"{value:g}" if abs(value) < 1e300 else "a number this large"
    if details.above is not None and value <= details.above:
        raise ConfigError(f"{name}: {shown} must be greater than {details.above:g}")
    if details.minimum is not None and value < details.minimum:
        raise ConfigError(f"{name}: {shown} is under the minimum of {details.minimum:g}")
    if details.maximum is not None and value > details.maximum:
        raise ConfigError(f"{name}: {shown} is over the maximum of {details.maximum:g}")
