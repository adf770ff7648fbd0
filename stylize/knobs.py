"""A knob: one dataclass field that holds a setting's type, default, bounds, choices and help, once.

Command-line options and job files are both derived from these fields, and both are checked by
:func:`check_knobs`.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Callable
from typing import Any

from stylize.errors import ConfigError

_KEY = "knob"


@dataclasses.dataclass(frozen=True)
class Knob:
    """What is known of a setting besides its type and default.

    Where the default depends on other settings, `like` is a value of its kind, and `shown` says what it is.
    """

    help: str
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    choices: tuple[str, ...] = ()
    parse: Callable[[str], Any] | None = None
    metavar: str | None = None
    multiple: bool = False
    like: Any = None
    shown: str = ""


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
        value = getattr(config, name)
        like = field.default if details.like is None else details.like
        kinds = (int, float) if isinstance(like, float) else type(like)
        if not isinstance(value, kinds) or (isinstance(value, bool) and not isinstance(like, bool)):
            raise ConfigError(f"{name}: {value!r}: expected a value of the kind of {like!r}")
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
