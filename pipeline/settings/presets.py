"""Presets by name or file, and the check of every key and value in them."""

from __future__ import annotations

import tomllib
import types
import typing
from importlib import resources
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.settings.job_settings import SETTINGS, known_keys
from pipeline.settings.paths import with_paths
from pipeline.settings.toml_files import read_toml
from stylize.config import StylizeConfig
from stylize.knobs import kinds_of, near_miss

_LARGEST = 2**63


def preset_names() -> tuple[str, ...]:
    """The presets that come with the program."""
    found = (entry.name for entry in resources.files("configs").iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml")))


def preset_text(name: str) -> str:
    """The text of a preset that comes with the program."""
    return resources.files("configs").joinpath(f"{name}.toml").read_text(encoding="utf-8")


def read_preset(name: str) -> dict[str, Any]:
    """The settings of a preset by name, or of a `.toml` file by path.

    Raises
    ------
    UsageError
        If there is no such preset (with the near miss) or file, or a key or value is wrong.
    """
    if name in preset_names():
        return _checked(tomllib.loads(preset_text(name)), known_keys(), f"preset {name}")
    if name.endswith(".toml"):
        document = read_toml(Path(name))
        if "command" in document or "content" in document:
            raise UsageError(f"{name}: is a job file, not a preset; give it to `deepfusion run`")
        values = _checked(document, known_keys(), name)
        return with_paths(values, lambda path: str(Path(name).parent / path))
    raise UsageError(
        f"unknown preset {name!r}: {near_miss(name, preset_names(), 'give the path of a .toml file')}"
    )


def _checked(values: dict[str, Any], keys: tuple[str, ...], where: str) -> dict[str, Any]:
    """`values` with every key known and every value of its setting's type."""
    checked = {}
    kinds = setting_types()
    for key, value in values.items():
        if key not in keys:
            raise UsageError(f"{where}: unknown key {key!r}: {near_miss(key, keys)}")
        checked[key] = _converted(value, kinds[key], f"{where}: {key}")
    return checked


def setting_types() -> dict[str, Any]:
    """The type of every setting of every command."""
    return {key: kind for cls in (StylizeConfig, *SETTINGS.values()) for key, kind in kinds_of(cls).items()}


def _converted(value: Any, kind: Any, where: str) -> Any:
    if isinstance(kind, types.GenericAlias):
        item = typing.get_args(kind)[0]
        if item is str and isinstance(value, str):
            value = [value]
        if not isinstance(value, list):
            raise UsageError(f"{where}: expected a list, got {value!r}")
        return tuple(_converted(one, item, where) for one in value)
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise UsageError(f"{where}: a number of {len(str(abs(value)))} digits is too large")
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        names = {str: "a text in quotes", int: "a whole number", float: "a number", bool: "true or false"}
        raise UsageError(f"{where}: expected {names[kind]}, got {value!r}")
    return value
