"""Join the pictures of a clip with the sound of its source: one call of ffmpeg, first tried on a moment."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from .errors import VideoError
from .extras import ExtrasPlan, losing
from .failures import out_of_room
from .process import Finished
from .sound import EDIT_LIST_SUFFIXES, MILLISECOND_SUFFIXES, SoundPlan, ways
from .streams import PYAV_OPTIONS
from .tools import file_url, find_ffmpeg, input_options, run_ffmpeg

REHEARSED = Fraction(1)
"""Seconds that a rehearsal lasts behind the moment at which the last track begins."""

SOUND_PATIENCE, EXTRAS_PATIENCE = 60.0, 15.0
"""Seconds after which a rehearsal is given up; what it would have found out is then found out at the end."""


def settle(plan: SoundPlan, works: Callable[[SoundPlan], bool]) -> SoundPlan:
    """Return what of a plan works: each track in the first way that does, or left out.

    Where not even a plan without any tracks works, the fault is elsewhere, and the plan stays as it is.
    """
    if works(plan) or not works(plan.bare):
        return plan
    kept = plan.bare
    for track, planned in zip(plan.tracks, plan.ways, strict=True):
        found = list(ways(track, plan.suffix))
        for way in found[found.index(planned) :]:
            if works(kept.with_track(track, way)):
                kept = kept.with_track(track, way)
                break
        else:
            kept = replace(kept, lost=(*kept.lost, track))
    return _settle_extras(plan, kept, works)


def _settle_extras(plan: SoundPlan, kept: SoundPlan, works: Callable[[SoundPlan], bool]) -> SoundPlan:
    lost = []

    def keep(kind: str, **more: Any) -> None:
        nonlocal kept
        richer = replace(kept, extras=replace(kept.extras, **more))
        if works(richer):
            kept = richer
        else:
            lost.append(kind)

    for track, encoder in zip(plan.extras.tracks, plan.extras.encoders, strict=True):
        have: ExtrasPlan = kept.extras
        keep(track.kind, tracks=(*have.tracks, track), encoders=(*have.encoders, encoder))
    if plan.extras.chapters:
        keep("chapter", chapters=True)
    return replace(kept, extras=losing(plan.source.name, kept.extras, lost)) if lost else kept


def rehearse(plan: SoundPlan, pictures: Path, target: Path, container: str) -> SoundPlan:
    """Return what of a plan will work, by joining a moment of the source with `pictures` into `target`.

    What cannot be found out in time stays as it is. Subtitles come second: where they are few, ffmpeg reads
    on for the next one to the end of the file.
    """
    begins = plan.begins
    moment = max((track.start_time for track in plan.tracks), default=begins) - begins + REHEARSED
    ranged = plan.start is not None or plan.stop is not None

    def works(tried: SoundPlan, patience: float = SOUND_PATIENCE) -> bool:
        if ranged:  # the part that is wanted may lie hours behind
            tried = replace(tried, shift=-begins, start=Fraction(0), stop=moment)
        arguments = mux_arguments(tried, pictures, target, container, moment)
        done = run_ffmpeg(arguments, timeout=patience)
        if not done.ok and out_of_room(done.reason, done.returncode):
            raise VideoError(
                done.reason
            )  # of the folder for temporary files, which says nothing of the track
        return is_complete(tried, done, target)

    extras = plan.extras
    heard = replace(plan, extras=replace(extras, tracks=(), encoders=()))
    with contextlib.suppress(VideoError):
        heard = settle(heard, works)
    whole = replace(heard, extras=replace(heard.extras, tracks=extras.tracks, encoders=extras.encoders))
    if extras.tracks:
        with contextlib.suppress(VideoError):
            return settle(whole, functools.partial(works, patience=EXTRAS_PATIENCE))
    return whole


def is_complete(plan: SoundPlan, done: Finished, target: Path) -> bool:
    """Whether ffmpeg has written all tracks of sound that it should: some containers drop one in silence."""
    import av

    if not done.ok:
        return False
    try:
        with av.open(file_url(target), options=PYAV_OPTIONS) as made:
            return len(made.streams.audio) == len(plan.tracks)
    except (av.error.FFmpegError, OSError):
        return False


def add_sound(plan: SoundPlan, pictures: Path, target: Path, container: str) -> tuple[Finished, SoundPlan]:
    """Join a clip without sound and the sound of `plan` into `target`, copying the pictures.

    What does not work against expectation is done in another way or left out: the pictures are not lost for
    it. Returns what ffmpeg left behind, and the plan that was carried out.
    """
    last: list[Finished] = []

    def works(tried: SoundPlan) -> bool:
        if last and not last[-1].ok and out_of_room(last[-1].reason, last[-1].returncode):
            return False
        last.append(run_ffmpeg(mux_arguments(tried, pictures, target, container)))
        return is_complete(tried, last[-1], target)

    settled = settle(plan, works)
    if settled is plan:  # it worked, or nothing does
        return last[0], plan
    if not works(settled):  # what was written last was another attempt
        return last[-1], plan
    return last[-1], settled


def mux_arguments(
    plan: SoundPlan, pictures: Path, target: Path, container: str, seconds: Fraction | None = None
) -> list[str]:
    """Return ffmpeg's arguments for `add_sound`; `seconds`: only so much of the source is read.

    Times are copied as they are (``-copyts``) and shifted by us: what ffmpeg takes for the start of a file
    differs between versions and containers. No ``-shortest``: it cuts pictures in some versions.
    """
    import ffmpeg

    video = ffmpeg.input(file_url(pictures), itsoffset=_seconds(plan.delay), **input_options())
    limit = {} if seconds is None else {"t": _seconds(seconds)}
    source = ffmpeg.input(
        file_url(plan.source), itsoffset=_seconds(plan.shift), max_error_rate=1, **limit, **input_options()
    )
    options: dict[str, Any] = {"c:v": "copy", "format": container, "max_muxing_queue_size": 9999}
    whole = plan.start is None and plan.stop is None
    options["map_chapters"] = "1" if plan.extras.chapters else "-1"
    if container in {"mp4", "mov"}:
        options["movflags"] = "+faststart"
    for number, way in enumerate(plan.ways):
        options[f"c:a:{number}"] = way.encoder
        options |= {f"filter:a:{number}": way.filter} if way.filter else {}
        options |= {f"b:a:{number}": way.bit_rate} if way.bit_rate else {}
        if not whole:
            options[f"bsf:a:{number}"] = f"noise=drop='{_outside(plan)}'"
    for number, encoder in enumerate(plan.extras.encoders, start=1 + len(plan.tracks)):
        options[f"c:{number}"] = encoder
    indices = [track.index for track in plan.tracks] + [track.index for track in plan.extras.tracks]
    streams = [source[str(index)] for index in indices]
    output = ffmpeg.output(video["v:0"], *streams, file_url(target), **options)
    return list(ffmpeg.get_args(output.global_args("-copyts"), overwrite_output=True))


def _outside(plan: SoundPlan) -> str:
    """Return an expression that is true for packets outside the range.

    Where the container can hide the start of what it plays, the packet in which the range begins and the
    one before it, which decoders need to get going, are kept.
    """
    tick = packet_tick(str(find_ffmpeg().path)) if plan.suffix in MILLISECOND_SUFFIXES else "tb"
    terms = []
    if plan.start is not None:
        kept_before = "2*d" if plan.suffix in EDIT_LIST_SUFFIXES else "0"
        terms.append(f"lt((pts+{kept_before})*{tick},{_seconds(plan.start)})")
    if plan.stop is not None:
        terms.append(f"gte(pts*{tick},{_seconds(plan.stop)})")
    return "+".join(terms)


@functools.cache
def packet_tick(program: str) -> str:
    """What packets on their way into Matroska count in: "tb", or milliseconds whatever tb says (ffmpeg 5.1).

    `program` is the ffmpeg in use. Measured on a second of silence, of which the second half is dropped.
    """
    import ffmpeg

    source = ffmpeg.input("pipe:0", format="s16le", ar=8000, protocol_whitelist="pipe")
    options = {"c": "copy", "format": "matroska", "bsf:a": "noise=drop='gte(pts*tb,0.5)'"}
    silence = bytes(16_000)
    output = ffmpeg.output(source["a:0"], "pipe:1", **options)
    done = run_ffmpeg(ffmpeg.get_args(output), stdin=silence)
    return "tb" if not done.ok or len(done.stdout) < 0.75 * len(silence) else "0.001"


def _seconds(time: Fraction) -> str:
    return f"{float(time):.6f}"
