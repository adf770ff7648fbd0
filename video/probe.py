"""What a clip is: size as seen, exact rate, number of frames, sound, and what a user should hear about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from .errors import InputError, KindError, StillError, VideoError
from .extras import ExtraTrack, list_extras
from .heic import is_still
from .images import DEFAULT_PIXEL_LIMIT
from .interlace import SILENT_CODECS, measure_fields
from .refusal import check_file, no_clip
from .streams import Streams, Track, read_with_ffprobe, read_with_pyav
from .timing import TimeTable, tells_some_times, time_table, timing
from .tools import find_ffprobe
from .webp import is_animated_webp, read_with_pillow
from .whole import is_cut_short

HDR_TRANSFERS = ("smpte2084", "arib-std-b67")
INTERLACED_ORDERS = ("tt", "bb", "tb", "bt")
ALPHA_FORMATS = {"vp8": "yuva420p", "vp9": "yuva420p"}
ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""What decodes the second layer in which WebM keeps transparency; ffmpeg's own decoders leave it out."""

HARDLY = 4
"""A video track with so many times fewer frames than another, or so many times shorter, is not the clip."""

LATE = Fraction(1, 10)
"""Seconds by which a track's first packet may lie behind its start: encoders need some to get going."""

OBLONG = 20
"""A stored pixel that is so many times longer than wide, or wider than long, is a slip of the file."""


@dataclass(frozen=True)
class AudioTrack:
    """A track of sound: its stream index in the file, codec, language ("eng"), start in seconds.

    `empty`: there is nothing in it.
    """

    index: int
    codec: str
    language: str | None
    start_time: Fraction
    empty: bool = False


_DEINTERLACED = "is interlaced: it is deinterlaced on reading (--deinterlace off leaves it as it is)"


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
    times
        When each frame is shown, where the rate varies and the file tells.
    measured_fields
        "tff" or "bff" where a clip turned out interlaced that does not say so; "auto" where it was told so.
    decoder
        ffmpeg's decoder, where it must not be the usual one.
    extras, chapters
        Tracks that are neither pictures nor sound, and the number of chapters.
    timed
        Whether the file tells when most of its frames are shown.
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
    times: TimeTable | None = None
    measured_fields: str | None = None
    decoder: str | None = None
    extras: tuple[ExtraTrack, ...] = ()
    chapters: int = 0
    timed: bool = True

    @property
    def hdr(self) -> bool:
        """Whether the tags say PQ or HLG, so that the pictures need tone-mapping."""
        return self.color_transfer in HDR_TRANSFERS

    def moved(self, place: Callable[[Path], Path]) -> ClipInfo:
        """This clip, as it is in another place."""
        return replace(self, path=place(self.path))

    def taken_for_interlaced(self, interlaced: bool) -> ClipInfo:
        """This clip with its pictures deinterlaced, or left as they are, whatever it says of itself."""
        if interlaced:
            return replace(self, interlaced=True, measured_fields=self.measured_fields or "auto")
        notes = tuple(note for note in self.notes if not note.endswith(_DEINTERLACED))
        return replace(self, interlaced=False, measured_fields=None, notes=notes)


def probe(path: Path) -> ClipInfo:
    """Look into a clip, with ffprobe when there is one and with PyAV otherwise.

    Raises
    ------
    InputError
        `path` is missing, a folder, empty, no media file, a playlist, or has no video track.
    """
    path = Path(path)
    check_file(path)
    with path.open("rb") as file:
        head = file.read(512)
    if is_animated_webp(head):
        return describe(path, read_with_pillow(path))
    if is_still(head):
        raise StillError(f"{path} is a picture, not a clip")
    tool = find_ffprobe()
    try:
        streams = read_with_pyav(path) if tool is None else read_with_ffprobe(path, tool)
    except InputError:
        raise
    except VideoError as error:
        known = isinstance(error, KindError)
        raise no_clip(path, str(error), known=known) from error
    return describe(path, streams)


# ------------------------------------------------------------------------------------------ conclusions


def describe(path: Path, streams: Streams) -> ClipInfo:
    """Draw the conclusions from what ffprobe or PyAV told; InputError without a usable video track."""
    video = choose_video(path, streams)
    rate, variable, duration = timing(video)
    times = time_table(video) if variable else None
    ratio = video.sample_aspect_ratio if 1 / OBLONG <= video.sample_aspect_ratio <= OBLONG else Fraction(1)
    width, height = upright_size(video.width, video.height, ratio, video.rotation)
    if width * height > DEFAULT_PIXEL_LIMIT:
        raise InputError(
            f"{path}: {width}x{height} is more than the limit of {DEFAULT_PIXEL_LIMIT:,} pixels a frame; "
            "scale it down first"
        )
    shown = video.packets.times
    start = min(shown) * video.time_base if shown else video.start_time or Fraction(0)
    fields = None
    if video.field_order == "unknown" and video.codec in SILENT_CODECS and path.is_file():
        fields = measure_fields(path, video.index)
    interlaced = video.field_order in INTERLACED_ORDERS or fields is not None
    transparent = video.alpha_layer and video.codec in ALPHA_FORMATS
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
        pixel_format=ALPHA_FORMATS[video.codec] if transparent else video.pixel_format,
        color_transfer=video.color_transfer,
        color_space=video.color_space,
        color_range=video.color_range,
        color_primaries=video.color_primaries,
        interlaced=interlaced,
        video_index=video.index,
        audio=_audio(streams),
        container=streams.container,
        variable_rate=variable,
        notes=tuple(_notes(path, streams, video, rate, (variable, times is not None, interlaced))),
        times=times,
        measured_fields=fields,
        decoder=ALPHA_DECODERS[video.codec] if transparent else None,
        extras=list_extras(streams),
        chapters=streams.chapters,
        timed=tells_some_times(video),
    )


def _audio(streams: Streams) -> tuple[AudioTrack, ...]:
    return tuple(
        AudioTrack(track.index, track.codec, track.language, _start(track), not track.packets.total)
        for track in streams.tracks
        if track.kind == "audio"
    )


def choose_video(path: Path, streams: Streams) -> Track:
    """Choose the video track that is the clip; InputError where none has pictures.

    Covers and thumbnails are none. Photos in motion come with a track of a few large stills beside the clip,
    so what has hardly any frames, lasts hardly any time, or changes its picture seldom beside another track
    comes after that; then the default one is chosen, then the biggest.
    """
    videos = [track for track in streams.tracks if track.kind == "video" and not track.attached]
    usable = [track for track in videos if track.packets.shown and track.width > 0 and track.height > 0]
    if usable:
        most = max(track.packets.shown for track in usable)
        longest = max(_length(track) for track in usable)
        quickest = max(_pace(track) for track in usable)

        def rank(track: Track) -> tuple[bool, bool, bool, bool, int, int]:
            moves, lasts = HARDLY * track.packets.shown >= most, HARDLY * _length(track) >= longest
            flows = HARDLY * _pace(track) >= quickest
            return moves, lasts, flows, track.default, track.width * track.height, -track.index

        return max(usable, key=rank)
    if videos:
        raise InputError(f"{path} has a video track without any pictures; it was cut off or damaged")
    what = "only sound" if any(track.kind == "audio" for track in streams.tracks) else "no sound either"
    raise InputError(f"{path} has no video track ({what}); give a clip with pictures")


def _start(track: Track) -> Fraction:
    """When a track begins: as it says, unless its first packet comes much later (in Matroska)."""
    told = track.start_time or Fraction(0)
    first = min(track.packets.times) * track.time_base if track.packets.times else told
    return first if track.start_time is None or first - told > LATE else told


def _length(track: Track) -> Fraction:
    """Seconds from the first frame's start to the last one's end, as far as the packets tell."""
    packets = track.packets
    return Fraction(0) if packets.end is None else (packets.end - min(packets.times)) * track.time_base


def _pace(track: Track) -> Fraction:
    """Frames a second; 0 where nothing tells how long they last."""
    return track.packets.shown / length if (length := _length(track)) else Fraction(0)


def upright_size(width: int, height: int, ratio: Fraction, rotation: float) -> tuple[int, int]:
    """Size with square pixels (the width stretched, to an even number) and turned as it is shown."""
    if ratio != 1:
        width = max(2, 2 * round(width * ratio / 2))
    turned = min(abs(rotation % 180 - 90), 90) < 1
    return (height, width) if turned else (width, height)


def _notes(
    path: Path, streams: Streams, video: Track, rate: Fraction, findings: tuple[bool, bool, bool]
) -> list[str]:
    """Lines for the user; `findings`: variable rate, times known, interlaced."""
    variable, timed, interlaced = findings
    notes = []
    name = path.name
    ends = [track.packets.end * track.time_base for track in streams.tracks if track.packets.end is not None]
    missing = streams.end - max(ends) if streams.end is not None and ends else Fraction(0)
    if missing > max(Fraction(1, 4), 3 / rate) and is_cut_short(path) is not False:
        read, told = float(max(ends)), float(max(ends) + missing)
        notes.append(f"{name} is damaged or cut off: {read:.1f} of {told:.1f} s could be read")
    elif streams.damaged:
        notes.append(f"{name} is damaged: parts of it could not be read")
    if variable:
        kept = "every frame keeps its time" if timed else "the average is used for every frame"
        notes.append(f"{name} has a variable frame rate, {float(rate):.3f} a second on average: {kept}")
    if interlaced:
        notes.append(f"{name} {_DEINTERLACED}")
    if video.color_transfer in HDR_TRANSFERS:
        notes.append(f"{name} is HDR: it is converted to standard range (SDR)")
    others = [t for t in streams.tracks if t.kind == "video" and not t.attached and t.index != video.index]
    if others:
        chosen = f"number {video.index} is used, {video.packets.shown} frames of {video.width}x{video.height}"
        notes.append(f"{name} has {len(others) + 1} video tracks: {chosen}")
    return notes
