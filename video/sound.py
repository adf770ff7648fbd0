"""Carry sound, subtitles and chapters of a source over to a new clip: copied where the container can."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from .errors import InputError
from .extras import ExtrasPlan, plan_extras, without_tracks
from .probe import AudioTrack, ClipInfo
from .process import Finished
from .streams import PYAV_OPTIONS
from .tools import file_url, find_ffmpeg, has_encoder, input_options, run_ffmpeg

_EVERYWHERE = frozenset({"aac", "mp3", "ac3", "eac3", "alac"})
_PLAIN_PCM = frozenset(
    f"pcm_{kind}" for kind in ("s16le", "s16be", "s24le", "s24be", "s32le", "s32be", "f32le", "f32be", "u8")
)

COPYABLE: dict[str, frozenset[str]] = {
    ".mp4": _EVERYWHERE | {"mp2", "opus", "vorbis"},
    ".m4v": _EVERYWHERE | {"mp2", "opus", "vorbis"},
    ".mov": _EVERYWHERE | _PLAIN_PCM | {"pcm_mulaw", "pcm_alaw"},
    ".mkv": (_EVERYWHERE | _PLAIN_PCM | {"mp2", "opus", "vorbis", "flac", "dts", "truehd", "tta", "wavpack"}),
    ".webm": frozenset({"opus", "vorbis"}),
}
"""Codecs that both ffmpeg 5.1 and 9 put into a container as they are. Everything else is encoded again."""

EDIT_LIST_SUFFIXES = (".mp4", ".m4v", ".mov")
"""Containers that can hide the start of a packet, so that cut sound begins exactly with the first frame."""

MILLISECOND_SUFFIXES = (".mkv", ".webm")
"""Containers that count in milliseconds whatever the track."""

PRIMING = Fraction(1, 10)
"""Sound may begin so many seconds before the pictures as encoder delay; more means a late picture."""


@dataclass(frozen=True)
class SoundPlan:
    """What happens to the sound, and to what else the source has besides its pictures.

    Attributes
    ----------
    source
        File with the sound.
    tracks
        Tracks to carry over, in their order.
    encoders
        For each of them "copy" or the encoder.
    shift
        Seconds to add to the times of the source.
    delay
        Seconds by which the pictures begin after time 0.
    start, stop
        Times, after the shift, between which packets are kept; None where there is no limit.
    extras
        Subtitles, attachments and chapters to carry over.
    """

    source: Path
    tracks: tuple[AudioTrack, ...]
    encoders: tuple[str, ...]
    suffix: str
    shift: Fraction
    delay: Fraction
    start: Fraction | None
    stop: Fraction | None
    notes: tuple[str, ...] = ()
    extras: ExtrasPlan = field(default_factory=ExtrasPlan)


def plan_sound(
    clip: ClipInfo, suffix: str, sound_range: tuple[Fraction | int, Fraction | int | None] = (0, None)
) -> SoundPlan | None:
    """Decide how the sound of `clip` gets into a container named by `suffix`.

    None for a clip with nothing but pictures. `sound_range` is in seconds after the first frame; see
    `FrameWriter`. InputError when it is empty.
    """
    first = Fraction(sound_range[0])
    last = None if sound_range[1] is None else Fraction(sound_range[1])
    if first < 0 or (last is not None and last <= first):
        raise InputError(
            f"the sound from {float(first):g} s to {float(last or 0):g} s is empty; mend the range"
        )
    whole = first == 0 and last is None
    extras = plan_extras(clip.path.name, clip.extras, clip.chapters, suffix, whole=whole)
    if not (clip.audio or extras or extras.notes):
        return None
    lead = clip.start_time - min((track.start_time for track in clip.audio), default=clip.start_time)
    delay = lead if first == 0 and lead > PRIMING else Fraction(0)
    encoders, notes = [], []
    for track in clip.audio:
        copied = track.codec in COPYABLE[suffix]
        encoders.append("copy" if copied else _encoder(suffix))
        if not copied:
            notes.append(f"{clip.path.name}: {_encoded_note(track, encoders[-1], suffix)}")
    return SoundPlan(
        source=clip.path,
        tracks=clip.audio,
        encoders=tuple(encoders),
        suffix=suffix,
        shift=delay - clip.start_time - first,
        delay=delay,
        start=Fraction(0) if first > 0 else None,
        stop=None if last is None else delay + last - first,
        notes=(*notes, *extras.notes),
        extras=extras,
    )


def _encoder(suffix: str) -> str:
    if suffix != ".webm":
        return "aac"
    return "libopus" if has_encoder("libopus") else "libvorbis"


def _encoded_note(track: AudioTrack, encoder: str, suffix: str) -> str:
    return f"the sound ({track.codec}) was encoded again as {encoder.removeprefix('lib')} for {suffix}"


def within_range(plan: SoundPlan) -> SoundPlan:
    """Leave out the tracks that have nothing in the range: some containers drop such a track in silence."""
    if not plan.tracks or (plan.start is None and plan.stop is None):
        return plan
    import av

    silent = {track.index for track in plan.tracks}
    earliest = (plan.start or 0) - plan.shift
    latest = None if plan.stop is None else plan.stop - plan.shift
    kept_before = 2 if plan.suffix in EDIT_LIST_SUFFIXES else 0
    try:
        with av.open(file_url(plan.source), options=PYAV_OPTIONS) as source:
            for packet in source.demux([source.streams[index] for index in silent]):
                if packet.pts is None or packet.time_base is None:
                    continue
                end = (packet.pts + kept_before * (packet.duration or 0)) * packet.time_base
                if end >= earliest and (latest is None or packet.pts * packet.time_base < latest):
                    silent.discard(packet.stream.index)
                    if not silent:
                        return plan
    except (av.error.FFmpegError, OSError):  # ffmpeg itself will say what is wrong with it
        return plan
    kept = [pair for pair in zip(plan.tracks, plan.encoders, strict=True) if pair[0].index not in silent]
    tracks, encoders = (tuple(values) for values in zip(*kept, strict=True)) if kept else ((), ())
    note = f"{plan.source.name}: no sound in these frames"
    if kept:
        note = f"{plan.source.name}: {len(silent)} of {len(plan.tracks)} tracks have no sound in these frames"
    return replace(plan, tracks=tracks, encoders=encoders, notes=(note,))


def add_sound(
    plan: SoundPlan, pictures: Path, target: Path, container: str
) -> tuple[Finished, tuple[str, ...]]:
    """Join a clip without sound and the sound of `plan` into `target`, copying the pictures.

    Packets that a container refuses against expectation are encoded instead, and subtitles left out.
    Returns what ffmpeg left behind, and notes about such tracks.
    """
    done = run_ffmpeg(sound_arguments(plan, pictures, target, container))
    if not done.ok and plan.extras.tracks and "No space left" not in done.reason:
        bare = without_tracks(plan.source.name, plan.extras)
        redone, notes = add_sound(replace(plan, extras=bare), pictures, target, container)
        return (redone, (*bare.notes, *notes)) if redone.ok else (done, ())
    if done.ok or "copy" not in plan.encoders or "No space left" in done.reason:
        return done, ()
    encoder = _encoder(plan.suffix)
    again = replace(plan, encoders=(encoder,) * len(plan.tracks))
    redone = run_ffmpeg(sound_arguments(again, pictures, target, container))
    if not redone.ok:
        return done, ()
    pairs = zip(plan.tracks, plan.encoders, strict=True)
    name = plan.source.name
    return redone, tuple(f"{name}: {_encoded_note(t, encoder, plan.suffix)}" for t, e in pairs if e == "copy")


def sound_arguments(plan: SoundPlan, pictures: Path, target: Path, container: str) -> list[str]:
    """Return ffmpeg's arguments for `add_sound`.

    Times are copied as they are (``-copyts``) and shifted by us: what ffmpeg takes for the start of a file
    differs between versions and containers. No ``-shortest``: it cuts pictures in some versions.
    """
    import ffmpeg

    video = ffmpeg.input(file_url(pictures), itsoffset=_seconds(plan.delay), **input_options())
    source = ffmpeg.input(file_url(plan.source), itsoffset=_seconds(plan.shift), **input_options())
    options: dict[str, Any] = {"c:v": "copy", "format": container, "max_muxing_queue_size": 9999}
    whole = plan.start is None and plan.stop is None
    options["map_chapters"] = "1" if plan.extras.chapters else "-1"
    if container in {"mp4", "mov"}:
        options["movflags"] = "+faststart"
    for number, encoder in enumerate(plan.encoders):
        options[f"c:a:{number}"] = encoder
        if encoder != "copy":
            options[f"b:a:{number}"] = "192k"
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
