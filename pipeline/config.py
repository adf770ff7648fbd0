"""Jobs, presets and job files: how settings from several places become one checked job."""

from __future__ import annotations

import os
import tomllib
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.keyframes import TABLES, table_of, text_of
from pipeline.settings import SETTINGS, JobSettings, build_settings, cut_file, flat, known_keys
from pipeline.toml_files import read_toml, toml_of
from stylize.config import StylizeConfig, parse_start
from stylize.errors import ConfigError
from stylize.knobs import knobs_of, near_miss
from video.names import is_text

_LARGEST = 2**63
_JOB_KEYS = (
    "command",
    "content",
    "style",
    "output",
    "preset",
    "settings",
    *(name for name, _ in TABLES.values()),
)


@dataclass(frozen=True)
class StyleSource:
    """A style picture and its share."""

    path: Path
    weight: float = 1.0

    def __str__(self) -> str:
        return str(self.path) if self.weight == 1.0 else f"{self.path}:{self.weight!r}"


@dataclass(frozen=True)
class Job:
    """One job, checked as far as it can be without opening a file; `notes` are for whoever wrote its file."""

    command: str
    content: Path
    styles: tuple[StyleSource, ...]
    output: Path
    stylize: StylizeConfig
    settings: JobSettings
    notes: tuple[str, ...] = field(default=(), compare=False)


def parse_style(text: str, base: Path = Path()) -> StyleSource:
    """Read `PATH` or `PATH:WEIGHT`, relative to `base`; a file whose name ends in such a number is a path."""
    path, colon, number = text.rpartition(":")
    if colon and path and not os.path.exists(base / text):
        try:
            weight = float(number)
        except ValueError:
            return StyleSource(base / text)
        if not 0.0 < weight < float("inf"):
            raise UsageError(f"--style {text}: the weight must be a number above 0")
        return StyleSource(base / path, weight)
    return StyleSource(base / text)


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
    asked = overrides or {}
    values, notes = _brought_up(read_preset(preset), asked, preset)
    values.update(asked)
    for key, value in values.items():
        if isinstance(value, int) and abs(value) > _LARGEST:
            raise UsageError(f"{key}: a number of {len(str(abs(value)))} digits is too large")
    engine, settings = build_settings(command, values)
    return Job(command, content, styles, output, engine, settings, notes)


def _brought_up(
    values: dict[str, Any], asked: dict[str, Any], where: str
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Settings of a file that an earlier version may have written as they are meant today, and notes of it.

    What is `asked` for besides goes before them.
    """
    meant, notes = dict(values), []
    if values.get("backbone") == "auto" and "backbone" not in asked:
        meant["backbone"] = "vgg19"
        notes.append('backbone = "auto" is vgg19 now, which is in the package; vgg19-slim is the quick one')
    if "style_layers" in values and "style_statistic" not in {**values, **asked}:
        meant["style_statistic"] = "gram"
        notes.append(
            'style_layers without style_statistic are taken for those of "gram", as they were before'
        )
    return meant, tuple(f"{where}: {note}" for note in notes)


def read_job(path: Path, *, output: Path | None = None, overrides: dict[str, Any] | None = None) -> Job:
    """The job of a job file; paths in it are relative to its folder.

    Raises
    ------
    UsageError
        If it cannot be read, a key is unknown or missing, or a value is wrong.
    """
    document = read_toml(path)
    for key in document:
        if key not in _JOB_KEYS:
            raise UsageError(f"{path}: unknown key {key!r}: {near_miss(key, _JOB_KEYS)}")
    command = document.get("command")
    if not isinstance(command, str) or command not in SETTINGS:
        told = "missing" if command is None else f"unknown value {command!r}"
        raise UsageError(f"{path}: command: {told}: {near_miss(str(command), tuple(SETTINGS))}")
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
    if not isinstance(style, list) or not style or not all(isinstance(one, str) and one for one in style):
        raise UsageError(f"{path}: style: expected a path or a list of paths in quotes, got {style!r}")
    settings = document.get("settings", {})
    if not isinstance(settings, dict):
        raise UsageError(f"{path}: settings: expected a table [settings], got {settings!r}")
    base = path.parent
    values = _checked(settings, known_keys(command), f"{path}: [settings]")
    values = with_paths(values, lambda inner: str(base / inner))
    values.update(_changes(path, command, document))
    values, notes = _brought_up(values, overrides or {}, str(path))
    sources = tuple(parse_style(one, base) for one in style)
    preset = texts["preset"]
    if preset not in preset_names() and preset.endswith(".toml"):
        preset = str(base / preset)
    try:
        job = build_job(
            command, base / texts["content"], sources, output or base / texts["output"],
            preset=preset, overrides={**values, **(overrides or {})},
        )  # fmt: skip
        return replace(job, notes=notes + job.notes)
    except ConfigError as error:
        raise UsageError(f"{path}: [settings]: {error}") from None


def _changes(path: Path, command: str, document: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """The settings that a job file's tables of changes come to."""
    found = {}
    for setting, (name, _) in TABLES.items():
        tables = document.get(name, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise UsageError(f"{path}: {name}: expected tables [[{name}]], got {tables!r}")
        if tables and command != "video":
            raise UsageError(f"{path}: [[{name}]]: only a clip changes; the command is {command}")
        try:
            found.update({setting: tuple(text_of(setting, table) for table in tables)} if tables else {})
        except ConfigError as error:
            raise UsageError(f"{path}: {error}") from None
    return found


def job_text(job: Job, folder: Path) -> str:
    """A job file that does `job` again when saved in `folder`."""
    values = with_paths(flat(job.stylize, job.settings), lambda path: _relative(path, folder))
    styles = [str(StyleSource(Path(_relative(one.path, folder)), one.weight)) for one in job.styles]
    lines = [
        f"command = {toml_of(job.command)}",
        f"content = {toml_of(_relative(job.content, folder))}",
        f"style = {toml_of(styles)}",
        f"output = {toml_of(_relative(job.output, folder))}",
        "",
        "[settings]",
        *(f"{key} = {toml_of(value)}" for key, value in values.items() if key not in TABLES),
    ]
    for setting, (name, _) in TABLES.items():
        for text in values.get(setting, ()):
            table = table_of(setting, text)
            lines += ["", f"[[{name}]]", *(f"{key} = {toml_of(value)}" for key, value in table.items())]
    text = "\n".join(lines) + "\n"
    for line in lines:
        if not is_text(line):
            raise UsageError(f"{line}: a name that is not UTF-8 cannot stand in a job file; rename the file")
    return text


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


def _relative(path: Path, folder: Path) -> str:
    """`path` as seen from `folder`; links among the folders are followed, because `..` follows them too."""
    return os.path.relpath(os.path.join(os.path.realpath(path.parent), path.name), os.path.realpath(folder))


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
