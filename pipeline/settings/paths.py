"""Which settings are paths."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.settings.job_settings import cut_file
from stylize.config import parse_start


def _paths_in(values: dict[str, Any]) -> list[str]:
    """The keys of `values` that hold the path of a file, or several."""
    keys = [key for key in ("weights", "mask", "mask_preserve") if values.get(key)]
    keys += ["cuts"] if cut_file(values.get("cuts", "auto")) is not None else []
    keys += ["hub_model"] if not values.get("hub_model", "https://").startswith("https://") else []
    return [*keys, "init"] if parse_start(values.get("init", "content")).kind == "picture" else keys


def with_paths(values: dict[str, Any], change: Callable[[Path], str]) -> dict[str, Any]:
    """`values` with every path in them changed."""
    return {**values, **{key: _each(values[key], change) for key in _paths_in(values)}}


def _each(value: Any, change: Callable[[Path], str]) -> Any:
    """A path, or each of several, changed."""
    if isinstance(value, tuple):
        return tuple(_each(one, change) for one in value)
    return change(Path(os.path.expanduser(value)))
