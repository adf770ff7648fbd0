"""What a clip is: size as seen, exact rate, number of frames, sound, and what a user should hear about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from .errors import InputError, VideoError
from .streams import Packets, Streams, Track, read_with_ffprobe, read_with_pyav
from .tools import find_ffprobe

HDR_TRANSFERS = ("smpte2084", "arib-std-b67")
INTERLACED_ORDERS = ("tt", "bb", "tb", "bt")
COMMON_RATES = tuple(
    Fraction(rate)
    for rate in (
        "24000/1001",
        "24",
        "25",
        "30000/1001",
        "30",
        "48",
        "50",
        "60000/1001",
        "60",
        "120",
        "15",
        "12",
        "10",
    )
)
FALLBACK_RATE = Fraction(25)
JITTER = Fraction(1, 4)
"""How far, in frames, a time may lie from an even grid before the rate counts as variable."""


@dataclass(frozen=True)
class AudioTrack:
    """A track of sound: its stream index in the file, codec, language ("eng") and start in seconds."""

    index: int
    codec: str
    language: str | None
    start_time: Fraction


@dataclass(frozen=True)
class ClipInfo:
    """A clip, as decoding yields it.

    Attributes
    ----------
    width, height
        Pixels of the upright picture with square pixels.
    rate
        Frames a second; the average when `variable_rate`.
    frames
        Packets that are shown: nearly always the decoded number, which is the truth.
    duration
        Seconds from the first picture's start to the last one's end; None when the file tells no times.
    start_time
        Seconds at which the first picture is shown, on the same clock as ``AudioTrack.start_time``.
    rotation
        Degrees anticlockwise by which the stored pictures are turned for showing: 0, 90, 180, 270 (or another
        angle).
    sample_aspect_ratio
        Width over height of a stored pixel, before the rotation.
    video_index
        Index of the video stream in the file.
    notes
        One line each for what a user should hear.
    """

    path: Path
    width: int
    height: int
    rate: Fraction
    frames: int
    duration: Fraction | None
    start_time: Fraction
    rotation: int
    sample_aspect_ratio: Fraction
    pixel_format: str
    color_transfer: str | None
    color_space: str | None
    color_range: str | None
    color_primaries: str | None
    interlaced: bool
    video_index: int
    audio: tuple[AudioTrack, ...]
    container: str
    variable_rate: bool
    notes: tuple[str, ...]

    @property
    def hdr(self) -> bool:
        """Whether the tags say PQ or HLG, so that the pictures need tone-mapping."""
        return self.color_transfer in HDR_TRANSFERS


def probe(path: Path) -> ClipInfo:
    """Look into a clip, with ffprobe when there is one and with PyAV otherwise.

    Raises
    ------
    InputError
        `path` is missing, a folder, empty, no media file, a playlist, or has no video track.
    """
    path = Path(path)
    check_file(path)
    tool = find_ffprobe()
    try:
        streams = read_with_pyav(path) if tool is None else read_with_ffprobe(path, tool)
    except InputError:
        raise
    except VideoError as error:
        raise InputError(_why_not_a_clip(path, str(error))) from error
    return describe(path, streams)


def check_file(path: Path) -> None:
    """Raise InputError unless `path` is a readable file that is not empty."""
    try:
        if not path.exists():
            raise InputError(f"{path}: no such file; check the name and the folder")
        if path.is_dir():
            raise InputError(f"{path} is a folder, not a clip")
        if not path.is_file():
            raise InputError(f"{path} is no regular file; copy the clip to a file first")
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check name and permissions") from error
    if empty:
        raise InputError(f"{path} is empty (0 bytes); copy or download it again")


def _why_not_a_clip(path: Path, reason: str) -> str:
    with path.open("rb") as file:
        head = file.read(4096)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return f"{path} is a web page (HTML), not a clip; download the clip itself"
    if text.startswith((b"#extm3u", b"ffconcat", b"v=0", b"[playlist]")) or b"<mpd" in text:
        return f"{path} is a playlist, which is not opened; give the clip itself"
    if head.startswith((b"\x89PNG", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*")) or head[8:12] == b"WEBP":
        return f"{path} is a picture, not a clip"
    if b"\0" not in head and _is_text(head):
        return f"{path} is a text file, not a clip"
    return (
        f"{path} cannot be opened as a clip ({reason}); it is damaged or of a kind that ffmpeg does not know"
    )


def _is_text(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 3  # a letter cut in two by the end of what was read
    return True


# ------------------------------------------------------------------------------------------ conclusions


def describe(path: Path, streams: Streams) -> ClipInfo:
    """Draw the conclusions from what ffprobe or PyAV told; InputError without a usable video track."""
    video = choose_video(path, streams)
    rate, variable, duration = timing(video)
    ratio = video.sample_aspect_ratio if video.sample_aspect_ratio > 0 else Fraction(1)
    width, height = upright_size(video.width, video.height, ratio, video.rotation)
    base = video.time_base
    times = video.packets.times
    start = min(times) * base if times else video.start_time or Fraction(0)
    audio = tuple(
        AudioTrack(track.index, track.codec, track.language, track.start_time or Fraction(0))
        for track in streams.tracks
        if track.kind == "audio"
    )
    interlaced = video.field_order in INTERLACED_ORDERS
    return ClipInfo(
        path=path,
        width=width,
        height=height,
        rate=rate,
        frames=video.packets.shown,
        duration=duration,
        start_time=start,
        rotation=round(video.rotation) % 360,
        sample_aspect_ratio=ratio,
        pixel_format=video.pixel_format,
        color_transfer=video.color_transfer,
        color_space=video.color_space,
        color_range=video.color_range,
        color_primaries=video.color_primaries,
        interlaced=interlaced,
        video_index=video.index,
        audio=audio,
        container=streams.container,
        variable_rate=variable,
        notes=tuple(_notes(path, streams, video, rate, variable)),
    )


def choose_video(path: Path, streams: Streams) -> Track:
    """Choose the video track: not a cover picture, with packets; the default one first, then the biggest."""
    videos = [track for track in streams.tracks if track.kind == "video" and not track.attached]
    usable = [track for track in videos if track.packets.shown and track.width > 0 and track.height > 0]
    if usable:
        return max(usable, key=lambda track: (track.default, track.width * track.height, -track.index))
    if videos:
        raise InputError(f"{path} has a video track without any pictures; it was cut off or damaged")
    what = "only sound" if any(track.kind == "audio" for track in streams.tracks) else "no sound either"
    raise InputError(f"{path} has no video track ({what}); give a clip with pictures")


def upright_size(width: int, height: int, ratio: Fraction, rotation: float) -> tuple[int, int]:
    """Size with square pixels (the width stretched, to an even number) and turned as it is shown."""
    if ratio != 1:
        width = max(2, 2 * round(width * ratio / 2))
    turned = min(abs(rotation % 180 - 90), 90) < 1
    return (height, width) if turned else (width, height)


def timing(video: Track) -> tuple[Fraction, bool, Fraction | None]:
    """Rate, whether it varies, and duration in seconds, from the times of the packets.

    The rate is the average or the real rate that the file tells, or a common one, whichever first fits every
    time; exactly (to a tick of the clock) rather than roughly. Otherwise it is frames over duration.
    """
    packets, base = video.packets, video.time_base
    told = [rate for rate in (video.average_rate, video.real_rate) if rate is not None and rate <= 1000]
    if len(packets.times) < max(1, packets.shown):
        length = _only_duration(packets, base)
        rate = 1 / length if length else (told or [FALLBACK_RATE])[-1]
        return rate, False, packets.shown / rate
    times = sorted(packets.times)
    assert packets.end is not None
    span = (packets.end - times[0]) * base
    if len(times) == 1:
        rate = told[0] if told else 1 / span if span > 0 else FALLBACK_RATE
        return rate, False, span if span > 0 else 1 / rate
    for tolerance in (Fraction(0), JITTER):
        for rate in (*told, *COMMON_RATES):
            if _fits(times, base, rate, tolerance + base * rate):
                return rate, False, len(times) / rate
    average = _average_rate(times, base, span)
    even = _fits(times, base, average, JITTER)
    return average, not even, span


def _only_duration(packets: Packets, base: Fraction) -> Fraction | None:
    """Length of every packet in seconds, when they are all equally long."""
    lengths = packets.durations
    return next(iter(lengths)) * base or None if len(lengths) == 1 else None


def _average_rate(times: Sequence[int], base: Fraction, span: Fraction) -> Fraction:
    gaps = (times[-1] - times[0]) * base
    if gaps <= 0:
        return FALLBACK_RATE
    usual = gaps / (len(times) - 1)  # stands in for the last picture's length where the file tells none
    return (len(times) / (span if span > gaps else gaps + usual)).limit_denominator(100_000)


def _fits(times: Sequence[int], base: Fraction, rate: Fraction, tolerance: Fraction) -> bool:
    """Whether time i lies within `tolerance` frames of i / rate after the first, for every i."""
    step = base * rate
    numerator, denominator = step.numerator, step.denominator
    limit = tolerance * denominator
    most = limit.numerator // limit.denominator
    first = times[0]
    return all(abs((time - first) * numerator - i * denominator) <= most for i, time in enumerate(times))


def _notes(path: Path, streams: Streams, video: Track, rate: Fraction, variable: bool) -> list[str]:
    notes = []
    name = path.name
    ends = [track.packets.end * track.time_base for track in streams.tracks if track.packets.end is not None]
    if streams.end is not None and ends and streams.end - max(ends) > max(Fraction(1, 4), 3 / rate):
        read, told = float(max(ends)), float(streams.end)
        notes.append(f"{name} is damaged or cut off: {read:.1f} of {told:.1f} s could be read")
    elif streams.damaged:
        notes.append(f"{name} is damaged: parts of it could not be read")
    if variable:
        notes.append(f"{name} has a variable frame rate; its average, {float(rate):.3f} a second, is used")
    if video.field_order in INTERLACED_ORDERS:
        notes.append(f"{name} is interlaced: it is deinterlaced on reading")
    if video.color_transfer in HDR_TRANSFERS:
        notes.append(f"{name} is HDR: it is converted to standard range (SDR)")
    others = [t for t in streams.tracks if t.kind == "video" and not t.attached and t.index != video.index]
    if others:
        notes.append(f"{name} has {len(others) + 1} video tracks: number {video.index} is used")
    return notes
