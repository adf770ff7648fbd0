"""Jobs, presets and job files: how settings from several places become one checked job."""

from __future__ import annotations

import json
import os
import tomllib
import types
import typing
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.settings import SETTINGS, ImageSettings, build_settings, flat, known_keys
from stylize.config import StylizeConfig
from stylize.knobs import knobs_of, near_miss

_FILE_LIMIT = 1_000_000
_JOB_KEYS = ("command", "content", "style", "output", "preset", "settings")


@dataclass(frozen=True)
class StyleSource:
    """A style picture and its share."""

    path: Path
    weight: float = 1.0

    def __str__(self) -> str:
        return str(self.path) if self.weight == 1.0 else f"{self.path}:{self.weight:g}"


@dataclass(frozen=True)
class Job:
    """One job, checked as far as it can be without opening a file."""

    command: str
    content: Path
    styles: tuple[StyleSource, ...]
    output: Path
    stylize: StylizeConfig
    settings: ImageSettings


def parse_style(text: str) -> StyleSource:
    """Read `PATH` or `PATH:WEIGHT`; a file whose name ends in such a number is taken as a path."""
    path, colon, number = text.rpartition(":")
    if colon and path and not Path(text).exists():
        try:
            weight = float(number)
        except ValueError:
            return StyleSource(Path(text))
        if not 0.0 < weight < float("inf"):
            raise UsageError(f"--style {text}: the weight must be a number above 0")
        return StyleSource(Path(path), weight)
    return StyleSource(Path(text))


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
        return _checked(_read_toml(Path(name)), known_keys(), name)
    raise UsageError(f"unknown preset {name!r}: {near_miss(name, preset_names())}, or give the path of a .toml file")


def build_job(
    command: str,
    content: Path,
    styles: tuple[StyleSource, ...],
    output: Path,
    *,
    preset: str = "default",
    overrides: dict[str, Any] | None = None,
) -> Job:
    """A job from its parts: defaults, then the preset's settings, then the overrides."""
    if not styles:
        raise UsageError("no style picture: give one with --style PICTURE")
    values = {**read_preset(preset), **(overrides or {})}
    engine, settings = build_settings(command, values)
    return Job(command, content, styles, output, engine, settings)


def read_job(path: Path, *, output: Path | None = None, overrides: dict[str, Any] | None = None) -> Job:
    """The job of a job file; paths in it are relative to its folder.

    Raises
    ------
    UsageError
        If it cannot be read, a key is unknown or missing, or a value is wrong.
    """
    document = _read_toml(path)
    for key in document:
        if key not in _JOB_KEYS:
            raise UsageError(f"{path}: unknown key {key!r}: {near_miss(key, _JOB_KEYS)}")
    command = document.get("command")
    if command not in SETTINGS:
        raise UsageError(f"{path}: command: {near_miss(str(command or ''), tuple(SETTINGS))}")
    style = document.get("style", [])
    texts = {
        "content": document.get("content"),
        "output": document.get("output"),
        "preset": document.get("preset", "default"),
    }
    for key, value in texts.items():
        if not isinstance(value, str) or not value:
            raise UsageError(f"{path}: {key}: expected a text in quotes, got {value!r}")
    style = [style] if isinstance(style, str) else style
    if not isinstance(style, list) or not all(isinstance(one, str) for one in style):
        raise UsageError(f"{path}: style: expected a path or a list of paths in quotes, got {style!r}")
    settings = document.get("settings", {})
    if not isinstance(settings, dict):
        raise UsageError(f"{path}: settings: expected a table [settings], got {settings!r}")
    values = _checked(settings, known_keys(command), f"{path}: [settings]")
    base = path.parent
    sources = tuple(StyleSource(base / one.path, one.weight) for one in map(parse_style, style))
    preset = texts["preset"] if texts["preset"] in preset_names() else str(base / texts["preset"])
    for key in ("weights", "init"):
        if values.get(key) and (base / values[key]).is_file():
            values[key] = str(base / values[key])
    return build_job(
        command, base / texts["content"], sources, output or base / texts["output"],
        preset=preset, overrides={**values, **(overrides or {})},
    )  # fmt: skip


def job_text(job: Job, folder: Path, *, backbone: str | None = None) -> str:
    """A job file that does `job` again when saved in `folder`; `backbone` is what really ran."""
    values = flat(job.stylize, job.settings)
    if backbone is not None and not values["weights"]:
        values["backbone"] = backbone
    for key in ("weights", "init"):
        if values[key] and Path(values[key]).is_file():
            values[key] = _relative(Path(values[key]), folder)
    styles = [str(StyleSource(Path(_relative(one.path, folder)), one.weight)) for one in job.styles]
    lines = [
        f"command = {_toml(job.command)}",
        f"content = {_toml(_relative(job.content, folder))}",
        f"style = {_toml(styles)}",
        f"output = {_toml(_relative(job.output, folder))}",
        "",
        "[settings]",
        *(f"{key} = {_toml(value)}" for key, value in values.items()),
    ]
    return "\n".join(lines) + "\n"


def _relative(path: Path, folder: Path) -> str:
    return os.path.relpath(path.absolute(), folder.absolute())


def _toml(value: Any) -> str:
    """A value as TOML; JSON's texts, numbers, booleans and lists are TOML's."""
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(_FILE_LIMIT + 1)
        if len(data) > _FILE_LIMIT:
            raise UsageError(f"{path}: over 1 MB is not a settings file")
        return tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: is not TOML: {error}") from None


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
    kinds: dict[str, Any] = {}
    for cls in (StylizeConfig, *SETTINGS.values()):
        hints = typing.get_type_hints(cls)
        kinds.update({key: hints[key] for key in knobs_of(cls)})
    return kinds


def _converted(value: Any, kind: Any, where: str) -> Any:
    if isinstance(kind, types.GenericAlias):
        item = typing.get_args(kind)[0]
        if not isinstance(value, list):
            raise UsageError(f"{where}: expected a list, got {value!r}")
        return tuple(_converted(one, item, where) for one in value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        names = {str: "a text in quotes", int: "a whole number", float: "a number", bool: "true or false"}
        raise UsageError(f"{where}: expected {names[kind]}, got {value!r}")
    return value
