"""What is inside a media file, as ffprobe or PyAV tell it, in one neutral form.

`probe` draws its conclusions from this form only, so both ways of looking lead to the same `ClipInfo`.
"""

from __future__ import annotations

import errno
import json
import math
import re
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from .color_names import COLOR_PRIMARIES, COLOR_RANGES, COLOR_SPACES, COLOR_TRANSFERS, FIELD_ORDERS
from .errors import InputError, KindError, VideoError
from .tools import FORMAT_WHITELIST, PROTOCOL_WHITELIST, Tool, file_url, run_ffprobe

FFPROBE_SECONDS = 600.0
ATTACHED_PICTURE, TIMED_THUMBNAILS = 0x400, 0x800
PYAV_OPTIONS = {"protocol_whitelist": PROTOCOL_WHITELIST, "format_whitelist": FORMAT_WHITELIST}
LAST_FRAME_SLACK = Fraction(1, 4)
"""Seconds by which a told end may differ from the packets' one; more means that something is missing."""


@dataclass
class Packets:
    """Packets of one track: how many, and the times (in ticks of the track's time base) of those shown."""

    total: int = 0
    shown: int = 0
    times: list[int] = field(default_factory=list)
    durations: set[int] = field(default_factory=set)
    end: int | None = None

    def add(self, time: int | None, duration: int, discarded: bool) -> None:
        """Count one packet; `discarded` ones are decoded but not shown (they lie outside the edit list)."""
        self.total += 1
        if discarded:
            return
        self.shown += 1
        self.durations.add(duration)
        if time is not None:
            self.times.append(time)
            self.end = max(time + duration, self.end if self.end is not None else time)

    def end_as_told(self, tags: Mapping[str, str], base: Fraction) -> None:
        """Take over the end that a Matroska tag tells: there the last packet says nothing of its length."""
        told = next((value for name, value in tags.items() if name.upper() == "DURATION"), "")
        match = re.fullmatch(r"([0-9]{1,4}):([0-9]{2}):([0-9]{2}\.[0-9]{1,9})", told)
        if match is None or self.end is None:
            return
        end = 3600 * int(match[1]) + 60 * int(match[2]) + Fraction(match[3])
        if end > max(self.times) * base and abs(end - self.end * base) <= LAST_FRAME_SLACK:
            self.end = round(end / base)


@dataclass
class Track:
    """One stream of a container, of kind "video", "audio" or another; the others have no picture fields.

    `alpha_layer`: WebM keeps transparency in a second layer, of which `pixel_format` says nothing.
    """

    index: int
    kind: str
    codec: str
    time_base: Fraction
    start_time: Fraction | None = None
    language: str | None = None
    default: bool = False
    attached: bool = False
    width: int = 0
    height: int = 0
    sample_aspect_ratio: Fraction = Fraction(1)
    rotation: float = 0.0
    pixel_format: str = "unknown"
    color_transfer: str | None = None
    color_space: str | None = None
    color_range: str | None = None
    color_primaries: str | None = None
    field_order: str = "unknown"
    alpha_layer: bool = False
    average_rate: Fraction | None = None
    real_rate: Fraction | None = None
    packets: Packets = field(default_factory=Packets)


@dataclass
class Streams:
    """A container: its format's name, declared end in seconds, tracks, any error on reading, chapters."""

    container: str
    end: Fraction | None
    tracks: list[Track]
    damaged: bool = False
    chapters: int = 0


def check_format(path: Path, name: str) -> None:
    """Refuse a container that is not on the whitelist, such as a playlist that opens other files."""
    if not set(name.split(",")) <= set(FORMAT_WHITELIST.split(",")):
        raise InputError(f"{path} is of the kind '{name}', which is not opened as a clip; convert it to MP4")


# ------------------------------------------------------------------------------------------------ ffprobe


def read_with_ffprobe(path: Path, tool: Tool) -> Streams:
    """Look into `path` with ffprobe; VideoError with ffprobe's reason when it cannot be opened."""
    common = ["-protocol_whitelist", PROTOCOL_WHITELIST, "-format_whitelist", FORMAT_WHITELIST]
    show = ["-show_format", "-show_streams", "-show_chapters", "-of", "json"]
    url = file_url(path)
    seen = run_ffprobe(tool, [*common, *show, url], timeout=FFPROBE_SECONDS)
    if not seen.ok:
        refused = any("not on whitelist" in line for line in seen.stderr)
        raise (KindError if refused else VideoError)(seen.reason)
    entries = ["-show_entries", "packet=stream_index,pts,duration,flags", "-of", "json=compact=1"]
    packets = run_ffprobe(tool, [*common, *entries, url], timeout=FFPROBE_SECONDS)
    found = json.loads(packets.stdout or b"{}").get("packets", [])
    told = seen.stdout.decode("utf-8", "replace")  # names and tags are in it as they are
    return from_ffprobe(path, json.loads(told), found, damaged=bool(packets.stderr))


def from_ffprobe(
    path: Path, document: Mapping[str, Any], packets: Iterable[Mapping[str, Any]], *, damaged: bool = False
) -> Streams:
    """Turn ffprobe's JSON into `Streams`.

    Parameters
    ----------
    document
        The object with ``format``, ``streams`` and ``chapters``.
    packets
        The objects of ``packets``: ``stream_index``, ``pts``, ``duration``, ``flags`` ("D": discarded).
    """
    container = document.get("format", {})
    name = str(container.get("format_name", "unknown"))
    check_format(path, name)
    tracks = [_track_from_ffprobe(stream) for stream in document.get("streams", [])]
    by_index = {track.index: track for track in tracks}
    for packet in packets:
        track = by_index.get(int(packet["stream_index"]))
        if track is not None:
            time = int(packet["pts"]) if "pts" in packet else None
            track.packets.add(time, int(packet.get("duration", 0)), "D" in packet.get("flags", ""))
    for stream in document.get("streams", []):
        track = by_index[int(stream["index"])]
        track.packets.end_as_told(stream.get("tags", {}), track.time_base)
    start, duration = (_fraction(container.get(key)) for key in ("start_time", "duration"))
    end = None if duration is None else (start or Fraction(0)) + duration
    return Streams(name, end, tracks, damaged, chapters=len(document.get("chapters", [])))


def _track_from_ffprobe(stream: Mapping[str, Any]) -> Track:
    disposition, tags = stream.get("disposition", {}), stream.get("tags", {})
    turns = [data["rotation"] for data in stream.get("side_data_list", []) if "rotation" in data]
    return Track(
        index=int(stream["index"]),
        kind=str(stream.get("codec_type", "unknown")),
        codec=str(stream.get("codec_name", "unknown")),
        time_base=_fraction(stream.get("time_base")) or Fraction(1),
        start_time=_fraction(stream.get("start_time")),
        language=_language(tags.get("language")),
        default=bool(disposition.get("default", 0)),
        attached=bool(disposition.get("attached_pic", 0) or disposition.get("timed_thumbnails", 0)),
        width=int(stream.get("width", 0)),
        height=int(stream.get("height", 0)),
        sample_aspect_ratio=_fraction(stream.get("sample_aspect_ratio")) or Fraction(1),
        rotation=_finite(turns[0]) if turns else 0.0,
        pixel_format=str(stream.get("pix_fmt", "unknown")),
        color_transfer=_known(stream.get("color_transfer")),
        color_space=_known(stream.get("color_space")),
        color_range=_known(stream.get("color_range")),
        color_primaries=_known(stream.get("color_primaries")),
        field_order=str(stream.get("field_order", "unknown")),
        alpha_layer=_has_alpha_layer(tags),
        average_rate=_fraction(stream.get("avg_frame_rate")) or None,
        real_rate=_fraction(stream.get("r_frame_rate")) or None,
    )


def _fraction(text: object) -> Fraction | None:
    """Read "30000/1001", "4:3" or "1.400000"; None for what is absent, "N/A" or over 0."""
    try:
        return Fraction(str(text).replace(":", "/"))
    except (ValueError, ZeroDivisionError):
        return None


def _finite(angle: float) -> float:
    return float(angle) if math.isfinite(angle) else 0.0


def _known(name: str | None) -> str | None:
    return None if name in (None, "unknown", "unspecified", "reserved") else name


def _has_alpha_layer(tags: Mapping[str, str]) -> bool:
    return any(name.lower() == "alpha_mode" and value == "1" for name, value in tags.items())


def _language(name: str | None) -> str | None:
    return None if name in (None, "", "und") else name


# ------------------------------------------------------------------------------------------------ PyAV


def read_with_pyav(path: Path) -> Streams:
    """Look into `path` with PyAV; VideoError with the library's reason when it cannot be opened."""
    import av

    url = file_url(path)
    with ExitStack() as stack:
        try:
            container = stack.enter_context(av.open(url, options=PYAV_OPTIONS, metadata_errors="replace"))
        except (av.error.FFmpegError, OSError) as error:
            refused = error.errno == errno.EINVAL  # what ffmpeg says of a kind that is not on the whitelist
            reason = getattr(error, "strerror", None) or str(error)
            raise (KindError if refused else VideoError)(reason) from error
        check_format(path, container.format.name)
        tracks = {stream.index: _track_from_pyav(stream) for stream in container.streams}
        damaged = False
        try:
            for packet in container.demux():
                if packet.size:
                    time, length = packet.pts, packet.duration or 0
                    tracks[packet.stream_index].packets.add(time, length, packet.is_discard)
                    damaged |= packet.is_corrupt
        except (av.error.FFmpegError, OSError):
            damaged = True
        for stream in container.streams:
            track = tracks[stream.index]
            track.packets.end_as_told(stream.metadata, track.time_base)
        end = None
        if container.duration is not None:
            end = Fraction(container.duration + (container.start_time or 0), av.time_base)
        chapters = len(container.chapters())
        found = Streams(container.format.name, end, list(tracks.values()), damaged, chapters)
    for track in found.tracks:
        if track.kind == "video" and not track.attached and track.packets.shown:
            track.rotation = _rotation_from_pyav(url, track.index)
    return found


def _track_from_pyav(stream: Any) -> Track:
    track = Track(
        index=stream.index,
        kind=stream.type,
        codec=stream.codec_context.codec.canonical_name if stream.codec_context is not None else "unknown",
        time_base=stream.time_base or Fraction(1),
        language=_language(stream.language),
        default=bool(int(stream.disposition) & 1),
        attached=bool(int(stream.disposition) & (ATTACHED_PICTURE | TIMED_THUMBNAILS)),
    )
    if stream.start_time is not None:
        track.start_time = stream.start_time * track.time_base
    if track.kind == "video" and stream.codec_context is not None:
        context = stream.codec_context
        track.width, track.height = context.width, context.height
        track.sample_aspect_ratio = stream.sample_aspect_ratio or Fraction(1)
        track.pixel_format = context.pix_fmt or "unknown"
        track.color_transfer = COLOR_TRANSFERS.get(int(context.color_trc))
        track.color_space = COLOR_SPACES.get(int(context.colorspace))
        track.color_range = COLOR_RANGES.get(int(context.color_range))
        track.color_primaries = COLOR_PRIMARIES.get(int(context.color_primaries))
        order = int(context.field_order)
        track.field_order = FIELD_ORDERS[order] if 0 <= order < len(FIELD_ORDERS) else "unknown"
        track.alpha_layer = _has_alpha_layer(stream.metadata)
        track.average_rate, track.real_rate = stream.average_rate or None, stream.base_rate or None
    return track


def _rotation_from_pyav(url: str, index: int) -> float:
    """Degrees from the first picture's display matrix (PyAV shows the matrix on decoded pictures only)."""
    import av

    try:
        with av.open(url, options=PYAV_OPTIONS, metadata_errors="replace") as container:
            frame = next(container.decode(container.streams[index]), None)
            return 0.0 if frame is None else _finite(frame.rotation)
    except (av.error.FFmpegError, OSError, NotImplementedError):
        return 0.0
