"""TOML: files of settings read within bounds, values written."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError

_FILE_LIMIT = 1_000_000


def read_toml(path: Path) -> dict[str, Any]:
    """What a file of settings holds; UsageError if it is none, or too large."""
    text = read_text(path)
    try:
        document = tomllib.loads(text)
        holds_nul = _holds_nul(document)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: is not TOML: {error}") from None
    if holds_nul:
        raise UsageError(f"{path}: a text in it holds a NUL (\\u0000), which no name of a file can; mend it")
    return document


def _holds_nul(value: Any) -> bool:
    """Whether a text in a value holds the character that no name of a file can, and nothing else needs."""
    if isinstance(value, dict):
        return any(map(_holds_nul, value.values()))
    return (
        any(map(_holds_nul, value)) if isinstance(value, list) else isinstance(value, str) and "\0" in value
    )


def read_text(path: Path) -> str:
    """The text of a file of settings; UsageError if it is none, or too large.

    A byte order mark, which some editors write, is no part of it.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise UsageError(f"{path}: is no plain file; name a file of settings")
    try:
        with path.open("rb") as file:
            data = file.read(_FILE_LIMIT + 1)
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file; check the name") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > _FILE_LIMIT:
        raise UsageError(f"{path}: over 1 MB is not a settings file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not TOML: {error}; save it as UTF-8") from None


def toml_of(value: Any) -> str:
    """A value as TOML; JSON's texts, numbers, booleans and lists are TOML's but for one character."""
    text = json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
    return text.replace("\x7f", "\\u007f")
