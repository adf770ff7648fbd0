"""What a clip has besides pictures and sound (subtitles, chapters, fonts, covers), and what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .streams import Streams

TEXT_SUBTITLES = frozenset({"subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text"})
PICTURE_SUBTITLES = frozenset({"hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle"})
MOV_KINDS = (".mp4", ".m4v", ".mov")


@dataclass(frozen=True)
class ExtraTrack:
    """A track that is neither pictures nor sound: "subtitle", "attachment", "cover" or "data"."""

    index: int
    kind: str
    codec: str


@dataclass(frozen=True)
class ExtrasPlan:
    """What is carried over, and what is not.

    Attributes
    ----------
    tracks, encoders
        Tracks to carry over, and for each of them "copy" or the encoder.
    chapters
        Whether chapters go too.
    lost
        The kinds of what is not kept, one for each track.
    notes
        What to tell of them.
    """

    tracks: tuple[ExtraTrack, ...] = ()
    encoders: tuple[str, ...] = ()
    chapters: bool = False
    lost: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.tracks) or self.chapters


def list_extras(streams: Streams) -> tuple[ExtraTrack, ...]:
    """Return the tracks that are neither pictures nor sound.

    QuickTime keeps the names of chapters in a data track, which goes with the chapters and is left out.
    """
    found = []
    hidden = 1 if streams.chapters and "mov" in streams.container else 0
    for track in streams.tracks:
        if track.kind == "data" and hidden:
            hidden -= 1
        elif track.kind not in {"video", "audio"}:
            found.append(ExtraTrack(track.index, track.kind, track.codec))
        elif track.attached:
            found.append(ExtraTrack(track.index, "cover", track.codec))
    return tuple(found)


def plan_extras(
    name: str, extras: Sequence[ExtraTrack], chapters: int, suffix: str, *, whole: bool
) -> ExtrasPlan:
    """Decide what is kept in a container named by `suffix`; `whole`: the clip is kept from start to end.

    A part of a clip keeps no subtitles and chapters: their times are those of the whole. A cover picture
    shows the clip as it was before, so it is never kept.
    """
    kept, lost = [], []
    for track in extras:
        encoder = _encoder(track, suffix)
        if encoder and (whole or track.kind == "attachment"):
            kept.append((track, encoder))
        else:
            lost.append(track.kind)
    keep_chapters = bool(chapters) and whole
    if chapters and not whole:
        lost.append("chapter")
    whole_plan = ExtrasPlan(tuple(t for t, _ in kept), tuple(e for _, e in kept), keep_chapters)
    return losing(name, whole_plan, lost)


def losing(name: str, plan: ExtrasPlan, kinds: Sequence[str]) -> ExtrasPlan:
    """Return the plan with the note that says of these kinds too that they are not kept."""
    lost = (*plan.lost, *kinds)
    return replace(plan, lost=lost, notes=(f"{name}: not kept: {_listing(lost)}",) if lost else ())


def _encoder(track: ExtraTrack, suffix: str) -> str | None:
    """What puts a track into the container: "copy", an encoder, or None where nothing does."""
    text = track.kind == "subtitle" and track.codec in TEXT_SUBTITLES
    if suffix == ".mkv":
        if track.kind == "attachment" or track.codec in PICTURE_SUBTITLES:
            return "copy"
        return ("srt" if track.codec in {"mov_text", "text"} else "copy") if text else None
    if not text:
        return None
    wanted = "mov_text" if suffix in MOV_KINDS else "webvtt"
    return "copy" if track.codec == wanted else wanted


def _listing(kinds: Sequence[str]) -> str:
    """Count things: "1 cover picture, 2 subtitle tracks"."""
    words = {"subtitle": "subtitle track", "attachment": "attachment", "cover": "cover picture"}
    parts = []
    for kind in dict.fromkeys(kinds):
        count, word = kinds.count(kind), words.get(kind, f"{kind} track")
        plural = "s" if count > 1 else ""
        parts.append("chapters" if kind == "chapter" else f"{count} {word}{plural}")
    return ", ".join(parts)
