"""Job files: a job read from TOML, and written as TOML."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.settings.job import Job, StyleSource, _brought_up, build_job, parse_style
from pipeline.settings.job_settings import SETTINGS, flat, known_keys
from pipeline.settings.keyframes import TABLES, table_of, text_of
from pipeline.settings.paths import with_paths
from pipeline.settings.presets import _checked, preset_names
from pipeline.settings.toml_files import read_toml, toml_of
from stylize.errors import ConfigError
from stylize.knobs import near_miss
from video.names import is_text

_JOB_KEYS = (
    "command",
    "content",
    "style",
    "output",
    "preset",
    "settings",
    *(name for name, _ in TABLES.values()),
)


def read_job(
    path: str | os.PathLike[str], *, output: Path | None = None, overrides: dict[str, Any] | None = None
) -> Job:
    """The job of a job file; paths in it are relative to its folder.

    Raises
    ------
    UsageError
        If it cannot be read, a key is unknown or missing, or a value is wrong.
    """
    path = Path(path)
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


def job_text(job: Job, folder: Path, weights_sha256: str = "") -> str:
    """A job file that does `job` again when saved in `folder`, on the network that it ran on."""
    values = with_paths(flat(job.stylize, job.settings), lambda path: _relative(path, folder))
    if job.settings.weights and weights_sha256:
        values["weights_sha256"] = weights_sha256
    if job.stylize.style_statistic != "nearest":
        del values["style_coherence"]  # given to another statistic it is refused
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


def _relative(path: Path, folder: Path) -> str:
    """`path` as seen from `folder`; links among the folders are followed, because `..` follows them too."""
    return os.path.relpath(os.path.join(os.path.realpath(path.parent), path.name), os.path.realpath(folder))
