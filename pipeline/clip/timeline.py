"""A clip's look from frame to frame: keyframes eased in time, shots with looks of their own."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.settings.keyframes import TABLES, parse_change

if TYPE_CHECKING:
    from pipeline.clip.source import Clip
    from pipeline.settings.job import StyleSource
    from pipeline.settings.job_settings import VideoSettings
    from stylize.look import Look


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


def timeline_of(styles: Sequence[StyleSource], settings: VideoSettings, clip: Clip) -> Timeline:
    """The timeline of a job; a style that is a folder stands for the pictures in it.

    Raises
    ------
    UsageError
        For shares that do not fit the styles, or a place behind the clip's end.
    """
    from pipeline.styling.pictures import pictures_of
    from stylize.look import Look

    _check_changes(settings, len(styles), clip)
    counts = [len(pictures_of(style)) for style in styles]
    return Timeline(Look(settings.strength), settings.keyframe, settings.shot, clip, counts)


def _check_changes(settings: VideoSettings, styles: int, clip: Clip) -> None:
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


def look_change(one: Look, other: Look) -> float:
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
