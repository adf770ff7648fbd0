"""What a clip changes on its way, as text: keyframes and shots, read and written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from stylize.errors import ConfigError
from stylize.knobs import near_miss

if TYPE_CHECKING:
    pass


EASES = ("smooth", "linear", "hold")
"""How a value comes to a keyframe from the one before: slowly at both ends, evenly, or at once."""

TABLES = {"keyframe": ("keyframes", "at"), "shot": ("shots", "number")}
"""By setting: the name of its tables in a job file, and of the key that says where."""

_KEYS = {"keyframe": ("strength", "style", "ease"), "shot": ("strength", "style")}

_TIME = re.compile(r"(?:(?:([0-9]{1,3}):)?([0-9]{1,4}):)?([0-9]{1,6}(?:\.[0-9]{1,9})?)(s?)")


@dataclass(frozen=True)
class Change:
    """A strength, shares of the styles, or both, from somewhere in a clip on.

    Attributes
    ----------
    at
        A time in seconds (Fraction), or a number: of a frame, counted from 0, or of a shot, counted from 1.
    strength
        In [0, 1]; None: not named here.
    style
        A share for each style, at least one above 0; None: not named here.
    ease
        One of `EASES`.
    """

    at: Fraction | int
    strength: float | None = None
    style: tuple[float, ...] | None = None
    ease: str = "smooth"


def parse_change(setting: str, text: str) -> Change:
    """A keyframe or a shot (`setting`) from its text.

    Raises
    ------
    ConfigError
        Naming the part that is wrong and what it should be.
    """
    words = text.split()
    values: dict[str, str] = {}
    for word in words[1:]:
        key, equals, value = word.partition("=")
        if key not in _KEYS[setting]:
            raise _wrong(setting, text, f"unknown word {word!r}: {near_miss(key, _KEYS[setting])}")
        if not equals or not value or key in values:
            raise _wrong(setting, text, f"write {key}=VALUE, once")
        values[key] = value
    if not words:
        raise _wrong(setting, text, "is empty")
    strength = _number(setting, text, values["strength"]) if "strength" in values else None
    if strength is not None and not 0.0 <= strength <= 1.0:
        raise _wrong(setting, text, f"strength {strength:g} must be between 0 and 1")
    style = None
    if "style" in values:
        style = tuple(_number(setting, text, one) for one in values["style"].split(","))
        if min(style) < 0.0 or not sum(style) > 0.0:
            raise _wrong(setting, text, "shares of styles must not be under 0, nor all 0")
    if strength is None and style is None:
        raise _wrong(setting, text, "changes nothing; give strength=S or style=A,B")
    ease = values.get("ease", EASES[0])
    if ease not in EASES:
        raise _wrong(setting, text, f"unknown ease {ease!r}: {near_miss(ease, EASES)}")
    return Change(_place(setting, text, words[0]), strength, style, ease)


def _place(setting: str, text: str, word: str) -> Fraction | int:
    if re.fullmatch("[0-9]{1,9}", word):
        if setting == "shot" and int(word) == 0:
            raise _wrong(setting, text, "shots are counted from 1")
        return int(word)
    found = _TIME.fullmatch(word)
    if setting == "shot":
        raise _wrong(setting, text, f"{word!r} is not the number of a shot; they are counted from 1")
    if found is None or not (found[2] or found[4]):
        raise _wrong(
            setting, text, f"{word!r} is no place; write a time like 00:02 or 2.5s, or the number of a frame"
        )
    hours, minutes, seconds = (Fraction(part or 0) for part in found.groups()[:3])
    return hours * 3600 + minutes * 60 + seconds


def _number(setting: str, text: str, word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise _wrong(setting, text, f"{word!r} is not a number")
    return value


def _wrong(setting: str, text: str, why: str) -> ConfigError:
    return ConfigError(f"{setting}: {text!r}: {why}")


def text_of(setting: str, table: Mapping[str, Any]) -> str:
    """The text of a job file's table; ConfigError for a key or value that is wrong."""
    name, place = TABLES[setting]
    for key in table:
        if key not in (place, *_KEYS[setting]):
            raise ConfigError(f"[[{name}]]: unknown key {key!r}: {near_miss(key, (place, *_KEYS[setting]))}")
    if place not in table:
        raise ConfigError(f"[[{name}]]: {place}: missing; it says where")
    words = [str(table[place])]
    for key in _KEYS[setting]:
        if key in table:
            values = table[key] if isinstance(table[key], list) else [table[key]]
            words.append(f"{key}={','.join(map(_written, values))}")
    text = " ".join(words)
    parse_change(setting, text)
    return text


def _written(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def table_of(setting: str, text: str) -> dict[str, Any]:
    """What a job file's table holds for a text."""
    change = parse_change(setting, text)
    place = text.split()[0]
    table: dict[str, Any] = {TABLES[setting][1]: int(place) if isinstance(change.at, int) else place}
    if change.strength is not None:
        table["strength"] = change.strength
    if change.style is not None:
        table["style"] = list(change.style)
    if setting == "keyframe" and change.ease != EASES[0]:
        table["ease"] = change.ease
    return table
