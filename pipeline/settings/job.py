"""A job: how settings from several places become one, checked as far as no file need be opened."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.settings.common_settings import JobSettings
from pipeline.settings.job_settings import build_settings
from pipeline.settings.presets import _LARGEST, preset_names, read_preset
from stylize.config import StylizeConfig, not_coherent
from stylize.errors import ConfigError


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
    if not text.strip():
        raise UsageError("--style: is empty; give it a picture")
    path, colon, number = text.rpartition(":")
    if colon and path and not os.path.exists(base / text):
        try:
            weight = float(number)
        except ValueError:
            if os.path.isfile(base / path):
                raise UsageError(
                    f"--style {text}: {number!r} is no weight; write a number above 0, like {path}:0.7"
                ) from None
            return StyleSource(base / text)
        if not 0.0 < weight < float("inf"):
            raise UsageError(f"--style {text}: the weight must be a number above 0")
        return StyleSource(base / path, weight)
    return StyleSource(base / text)


def build_job(
    command: str,
    content: Path,
    styles: tuple[StyleSource, ...],
    output: Path,
    *,
    preset: str = "default",
    overrides: dict[str, Any] | None = None,
) -> Job:
    """A job from its parts: defaults, then the preset's settings, then the overrides.

    Raises
    ------
    ConfigError
        For a setting that is wrong, or has nothing to do beside the others.
    UsageError
        If it is a preset file that says so; and for what else is wrong.
    """
    if not styles:
        raise UsageError("no style picture: give one with --style PICTURE")
    asked = overrides or {}
    values, notes = _brought_up(read_preset(preset), asked, preset)
    values.update(asked)
    for key, value in values.items():
        if isinstance(value, int) and abs(value) > _LARGEST:
            raise UsageError(f"{key}: a number of {len(str(abs(value)))} digits is too large")
    try:
        engine, settings = build_settings(command, values)
    except ConfigError as error:
        name = str(error).partition(":")[0]
        if name in asked or name not in values or preset in preset_names():
            raise
        raise UsageError(f"{preset}: {error}") from None
    if "style_coherence" in asked and engine.style_statistic != "nearest":
        raise not_coherent(engine)  # whatever its value: it would do nothing
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
    if asked.get("style_statistic", "nearest") != "nearest":
        meant.pop("style_coherence", None)  # the file's is for the file's statistic
    return meant, tuple(f"{where}: {note}" for note in notes)
