"""Options given as keywords of a call: made what a command line would have given."""

from __future__ import annotations

import os
from numbers import Integral, Real
from os import PathLike
from typing import Any

from pipeline.errors import UsageError
from pipeline.settings.job_settings import SETTINGS
from pipeline.settings.run_options import option_names
from stylize.config import StylizeConfig
from stylize.knobs import knobs_of, near_miss


def name_of_file(value: Any, what: str) -> str:
    """A file's name as text; UsageError for what is none."""
    name = os.fspath(value) if isinstance(value, (str, PathLike)) else None
    if not isinstance(name, str) or "\0" in name:
        raise UsageError(f"{what}: expected a path, got {value!r}")
    return name


def settings_in(given: dict[str, Any], command: str) -> dict[str, Any]:
    """Takes the settings of a command out of what was given; UsageError for what is no option of it."""
    knobs = {**knobs_of(StylizeConfig), **knobs_of(SETTINGS[command])}
    known = ("preset", *knobs, *option_names(command))
    for name in given:
        if name not in known:
            raise UsageError(f"{name}: there is no such option of {command}: {near_miss(name, known)}")
    overrides = {name: given.pop(name) for name in knobs if name in given}
    for name, value in overrides.items():
        field, details = knobs[name]
        if details.multiple and isinstance(value, str):
            overrides[name] = (value,)
        elif isinstance(field.default, str) and type(value) in (int, float):
            overrides[name] = str(value)  # a rate is a text that may be a fraction
    return overrides


def plain(value: Any) -> Any:
    """An option's value in Python's own types: a path becomes a text, a list a tuple, NumPy's 3 a 3."""
    if isinstance(value, PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple)):
        return tuple(plain(one) for one in value)
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else value
