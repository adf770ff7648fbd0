"""Carry sound, subtitles and chapters of a source over to a new clip: copied where the container can."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from .errors import InputError
from .extras import ExtrasPlan, plan_extras
from .probe import AudioTrack, ClipInfo
from .streams import PYAV_OPTIONS
from .tools import file_url, has_encoder

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


LAYOUTS = "mono|stereo|3.0|quad|5.0|5.1|6.1|7.1"
"""The layouts that every encoder of ours takes; ffmpeg chooses the one next to the source's."""


FILLED = "aresample=async=1:min_hard_comp=0.03"
"""Holes in the sound become silence where it is encoded: encoders would move up what comes behind."""

EVEN_RATES = "sample_rates=48000|44100|32000"


@dataclass(frozen=True)
class Way:
    """How a track gets into the container: "copy" or an encoder, with filters, and what these do to it.

    Without a bit rate the encoder chooses one.
    """

    encoder: str
    filter: str = ""
    bit_rate: str = ""
    said: str = ""


COPY = Way("copy")


def ways(track: AudioTrack, suffix: str) -> Iterator[Way]:
    """Ways to carry a track over, the best first: as it is, encoded, with fewer channels, only two."""
    if track.codec in COPYABLE[suffix]:
        yield COPY
    encoder = "aac"
    if suffix == ".webm":
        encoder = "libopus" if has_encoder("libopus") else "libvorbis"
    yield Way(encoder, FILLED, "192k")
    for layouts, said in (
        (LAYOUTS, "in a layout that this can hold"),
        ("stereo|mono", "mixed down to two channels"),
    ):
        yield Way(encoder, f"{FILLED},aformat=channel_layouts={layouts}:{EVEN_RATES}", said=f", {said}")
    pair = f"pan=stereo|c0=c0|c1=c1,{FILLED},aformat={EVEN_RATES}"
    yield Way(encoder, pair, said=", only its first two channels")


@dataclass(frozen=True)
class SoundPlan:
    """What happens to the sound, and to what else the source has besides its pictures.

    Attributes
    ----------
    source
        File with the sound.
    tracks, ways
        Tracks to carry over, in their order, and how.
    begins
        Seconds at which the first thing in the source begins.
    shift
        Seconds to add to the times of the source.
    delay
        Seconds by which the pictures begin after time 0.
    start, stop
        Times, after the shift, between which packets are kept; None where there is no limit.
    extras
        Subtitles, attachments and chapters to carry over.
    lost
        Tracks that nothing carries over.
    sounding
        Whether each track is known to have something between `start` and `stop`.
    """

    source: Path
    tracks: tuple[AudioTrack, ...]
    ways: tuple[Way, ...]
    suffix: str
    begins: Fraction
    shift: Fraction
    delay: Fraction
    start: Fraction | None
    stop: Fraction | None
    extras: ExtrasPlan = field(default_factory=ExtrasPlan)
    lost: tuple[AudioTrack, ...] = ()
    sounding: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """One line each for what is not kept as it is."""
        notes = []
        for track, way in zip(self.tracks, self.ways, strict=True):
            if way != COPY:
                made = f"encoded again as {way.encoder.removeprefix('lib')} for {self.suffix}{way.said}"
                notes.append(f"the sound ({track.codec}) was {made}")
        for track in self.lost:
            why = "there is nothing in it" if track.empty else "it can be neither copied nor decoded"
            kind = "of an unknown kind" if track.codec in {"unknown", "none"} else track.codec
            notes.append(f"the sound track number {track.index} ({kind}) is left out: {why}")
        return (*(f"{self.source.name}: {note}" for note in notes), *self.extras.notes)

    @property
    def bare(self) -> SoundPlan:
        """The plan with nothing to carry over."""
        return replace(
            self, tracks=(), ways=(), extras=replace(self.extras, tracks=(), encoders=(), chapters=False)
        )

    def with_track(self, track: AudioTrack, way: Way) -> SoundPlan:
        """The plan with one more track, the last one."""
        return replace(self, tracks=(*self.tracks, track), ways=(*self.ways, way))


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
    tracks = tuple(track for track in clip.audio if not track.empty)
    begins = min((clip.start_time, *(track.start_time for track in tracks)))
    lead = clip.start_time - min((track.start_time for track in tracks), default=clip.start_time)
    delay = lead if first == 0 and lead > PRIMING else Fraction(0)
    return SoundPlan(
        source=clip.path,
        tracks=tracks,
        ways=tuple(next(ways(track, suffix)) for track in tracks),
        suffix=suffix,
        begins=begins,
        shift=delay - clip.start_time - first,
        delay=delay,
        start=Fraction(0) if first > 0 else None,
        stop=None if last is None else delay + last - first,
        extras=extras,
        lost=tuple(track for track in clip.audio if track.empty),
    )


def within_range(plan: SoundPlan) -> tuple[SoundPlan, tuple[str, ...]]:
    """Leave out the tracks that have nothing in the range: some containers drop such a track in silence.

    Returns what remains, and a note where anything was left out.
    """
    if plan.sounding or not plan.tracks or (plan.start is None and plan.stop is None):
        return plan, ()
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
                        return replace(plan, sounding=True), ()
    except (av.error.FFmpegError, OSError):  # ffmpeg itself will say what is wrong with it
        return plan, ()
    kept = [pair for pair in zip(plan.tracks, plan.ways, strict=True) if pair[0].index not in silent]
    note = f"{plan.source.name}: no sound in these frames"
    if kept:
        note = f"{plan.source.name}: {len(silent)} of {len(plan.tracks)} tracks have no sound in these frames"
    tracks, found = tuple(track for track, _ in kept), tuple(way for _, way in kept)
    return replace(plan, tracks=tracks, ways=found, sounding=True), (note,)
