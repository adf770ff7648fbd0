"""Change over a clip: strength and shares of the styles at keyframes, in shots, and in every frame between.

Written `"00:02 strength=0.5 style=0.7,0.3 ease=linear"` on the command line, and as tables of the same keys
in job files.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError
from stylize.errors import ConfigError
from stylize.knobs import near_miss

if TYPE_CHECKING:
    from pipeline.clips import Clip
    from pipeline.config import Job
    from pipeline.settings import VideoSettings
    from stylize.look import Look

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


class Timeline:
    """The look of every frame of a clip, but for its masks.

    Parameters
    ----------
    look
        What is not named by keyframes or shots.
    keyframes, shots
        Texts as in the settings.
    clip
        Says at which frame a time is.
    counts
        For each style of the job how many pictures it stands for, which share what it is given.
    """

    def __init__(
        self, look: Look, keyframes: Sequence[str], shots: Sequence[str], clip: Clip, counts: Sequence[int]
    ) -> None:
        changes = [parse_change("keyframe", text) for text in keyframes]
        placed = sorted(((_frame_at(one.at, clip), one) for one in changes), key=lambda pair: pair[0])
        self._look = look
        self._counts = counts
        self._strengths = [(at, (one.strength,), one.ease) for at, one in placed if one.strength is not None]
        self._styles = [(at, _shares(one.style), one.ease) for at, one in placed if one.style is not None]
        self._shots = {int(one.at): one for one in (parse_change("shot", text) for text in shots)}

    @property
    def last_shot(self) -> int:
        """The highest number of a shot that is named; 0 when none is."""
        return max(self._shots, default=0)

    def at(self, index: int, shot: int) -> Look:
        """The look of frame `index`, which is in the shot of this number, counted from 1."""
        strength, blend = self._look.strength, self._look.blend
        own = self._shots.get(shot)
        if own is not None and own.strength is not None:
            strength = own.strength
        elif self._strengths:
            (strength,) = _between(self._strengths, index)
        if own is not None and own.style is not None:
            blend = self._spread(_shares(own.style))
        elif self._styles:
            blend = self._spread(_between(self._styles, index))
        return replace(self._look, strength=strength, blend=blend)

    def _spread(self, shares: Sequence[float]) -> tuple[float, ...]:
        """The share of every picture from that of every style."""
        return tuple(
            share / count for share, count in zip(shares, self._counts, strict=True) for _ in range(count)
        )


def timeline_of(job: Job, settings: VideoSettings, clip: Clip) -> Timeline:
    """The timeline of a job; a style that is a folder stands for the pictures in it."""
    from pipeline.engine import pictures_of
    from stylize.look import Look

    counts = [len(pictures_of(style)) for style in job.styles]
    return Timeline(Look(settings.strength), settings.keyframe, settings.shot, clip, counts)


def check_changes(settings: VideoSettings, styles: int, clip: Clip) -> None:
    """UsageError for shares that do not fit the styles, or a place behind the clip's end."""
    for setting in TABLES:
        for text in getattr(settings, setting):
            change = parse_change(setting, text)
            if change.style is not None and len(change.style) != styles:
                raise UsageError(
                    f"--{setting} {text!r}: {len(change.style)} shares for {styles} "
                    f"style{'s' if styles > 1 else ''}; give one each, 0 for none"
                )
            shots = _shots_of(clip)
            if setting == "shot" and shots and int(change.at) > shots:
                raise UsageError(f"--shot {text!r}: there {_are(shots)} in what is stylized")
            total = clip.source.frames
            if setting == "keyframe" and total and _frame_at(change.at, clip) > total:
                raise UsageError(f"--keyframe {text!r}: the clip ends before, with frame {total - 1}")


def _shots_of(clip: Clip) -> int:
    """How many shots there are in what is wanted of a clip; 0 if they are still to be found."""
    if isinstance(clip.cuts, str):
        return 1 if clip.cuts == "none" else 0
    return 1 + sum(cut in clip.indices and cut > clip.wanted.start for cut in clip.cuts)


def _are(shots: int) -> str:
    return "is only 1 shot" if shots == 1 else f"are only {shots} shots"


def missing_shot(number: int, shots: int) -> str:
    """What to say of a shot that turned out not to exist."""
    return f"--shot {number}: there {_are(shots)} in what was stylized"


def difference(one: Look, other: Look) -> float:
    """How far apart two looks of one clip are, in [0, 1]: by strength, or by what changes its style."""
    shares = 0.0
    if one.blend is not None and other.blend is not None:
        shares = sum(abs(a - b) for a, b in zip(one.blend, other.blend, strict=True)) / 2
    return min(1.0, max(abs(one.strength - other.strength), shares))


def _shares(style: Sequence[float]) -> tuple[float, ...]:
    return tuple(share / sum(style) for share in style)


def _frame_at(at: Fraction | int, clip: Clip) -> Fraction:
    """The place of a keyframe in frames, between two of them where its time is."""
    from video.probe import ClipInfo

    if isinstance(at, int):
        return Fraction(at)
    times = clip.source.times if isinstance(clip.source, ClipInfo) else None
    if times is None:
        return at * clip.source.rate
    before = max(0, bisect_right(times.starts, at) - 1)
    span = times.at(before + 1) - times.at(before)
    return before + (at - times.at(before)) / span


def _between(track: Sequence[tuple[Fraction, tuple[float, ...], str]], index: int) -> tuple[float, ...]:
    """The values of a track at a frame: those of the nearest keyframe outside, eased between two."""
    after = bisect_right([at for at, _, _ in track], index)
    if after == 0:
        return track[0][1]
    if after == len(track):
        return track[-1][1]
    (start, before, _), (end, then, ease) = track[after - 1 : after + 1]
    share = float((index - start) / (end - start))
    if ease == "smooth":
        share = share * share * (3.0 - 2.0 * share)
    elif ease == "hold":
        share = 0.0
    return tuple(a + share * (b - a) for a, b in zip(before, then, strict=True))
