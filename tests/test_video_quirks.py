"""Clips and photos as they are in the world: each quirk made on the spot, read, and written again.

Every picture has a red, a green, a blue and a white quarter, so that any turn or flip shows.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from video_clips import convert

from scripts.torture.hostile import hostile_files
from video.animation import write_animation
from video.decode import FrameRange, read_frames
from video.encode import FrameWriter
from video.errors import EncodeError, InputError, VideoError
from video.extras import ExtraTrack, plan_extras
from video.frame_times import shown_at
from video.images import from_uint8, read_image, to_uint8, write_image
from video.interlace import measure_fields
from video.picture_formats import srgb_profile
from video.probe import ClipInfo, probe
from video.rehearsal import rehearse
from video.retime import retime
from video.sequence import open_folder
from video.streams import PYAV_OPTIONS
from video.timing import TimeTable
from video.tools import FORMAT_WHITELIST, PROTOCOL_WHITELIST, file_url

WIDTH, HEIGHT, RATE = 48, 32, 10
COLOURS = {"R": (255, 0, 0), "G": (0, 255, 0), "B": (0, 0, 255), "W": (255, 255, 255), "K": (0, 0, 0)}
UPRIGHT = "RGBW"
X264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
TONE = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=1")


def quarters(size: tuple[int, int] = (WIDTH, HEIGHT), letters: str = UPRIGHT) -> np.ndarray:
    """A picture as bytes: top left, top right, bottom left, bottom right."""
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    halves = (
        (slice(0, height // 2), slice(height // 2, None)),
        (slice(0, width // 2), slice(width // 2, None)),
    )
    for place, letter in enumerate(letters):
        picture[halves[0][place // 2], halves[1][place % 2]] = COLOURS[letter]
    return picture


def corners(picture: np.ndarray) -> str:
    """The letters of a picture's quarters, by the nearest colour in the middle of each."""
    height, width = picture.shape[:2]
    spots = [(height // 4, width // 4), (height // 4, 3 * width // 4)]
    spots += [(3 * height // 4, x) for _, x in spots]
    found = ""
    for y, x in spots:
        distance = {letter: np.abs(picture[y, x] * 255 - colour).sum() for letter, colour in COLOURS.items()}
        found += min(distance, key=lambda letter: distance[letter])
    return found


@dataclass(frozen=True)
class Quirk:
    """How to make a clip with a quirk, and what a user expects of it.

    Raw pictures go into ffmpeg with `inputs` (further inputs) and `encode` into a file; with `again`
    (options before and after the input) that file is copied once more.
    """

    suffix: str = ".mp4"
    inputs: Sequence[str] = ()
    encode: Sequence[str] = X264
    again: tuple[Sequence[str], Sequence[str]] | None = None
    given: int = 10
    stored: tuple[int, int] = (WIDTH, HEIGHT)
    frames: int = 10
    size: tuple[int, int] = (WIDTH, HEIGHT)
    corners: str = UPRIGHT
    seconds: float = 1.0
    note: str = ""
    output: str = ".mp4"
    written_note: str = ""
    tracks: Sequence[str | None] = ()
    sound_begins: float = 0.0
    warning: str = ""
    damage: Callable[[bytes], bytes] | None = None


def turned(*options: str, size: tuple[int, int] = (WIDTH, HEIGHT), corners: str) -> Quirk:
    """A clip whose pictures a tag turns or flips for showing."""
    return Quirk(again=(options, ("-c", "copy")), size=size, corners=corners)


SWAPPED = (HEIGHT, WIDTH)
GAP = ("-vf", "select='not(between(n,4,7))'", "-fps_mode", "passthrough")
UNEVEN = ("-vf", "settb=1/1000,setpts='N*100+mod(N*37,90)'", "-fps_mode", "passthrough")
HDR = "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc"
CLEAR = "format=argb,geq=r=0:g=0:b=0:a=0"
COMBED = "scroll=h=0.11,tinterlace=interleave_top"
UNREADABLE = "it can be neither copied nor decoded"
VARIABLE = "has a variable frame rate, {} a second on average: every frame keeps its time"


def cut_off(whole: bytes) -> bytes:
    """Without its last third."""
    return whole[: len(whole) * 2 // 3]


def flipped(whole: bytes) -> bytes:
    """With some bits of the pictures turned over; head and tail stay as they are."""
    data = bytearray(whole)
    places = np.random.default_rng(1).integers(len(data) // 3, len(data) * 2 // 3, 8)
    for place in places:
        data[place] ^= 0x55
    return bytes(data)


def lying(whole: bytes) -> bytes:
    """With a header that tells of a length of 20 hours."""
    at = whole.index(b"\x44\x89\x88") + 3  # Matroska's element Duration, 8 bytes: milliseconds
    return whole[:at] + struct.pack(">d", 72e6) + whole[at + 8 :]


QUIRKS = {
    "plain": Quirk(),
    "turned left": turned("-display_rotation", "90", size=SWAPPED, corners="GWRB"),
    "turned right": turned("-display_rotation", "270", size=SWAPPED, corners="BRWG"),
    "upside down": turned("-display_rotation", "180", corners="WBGR"),
    "mirrored": turned("-display_hflip", corners="GRWB"),
    "flipped": turned("-display_vflip", corners="BWRG"),
    "turned and mirrored": turned("-display_rotation", "90", "-display_hflip", size=SWAPPED, corners="WGBR"),
    "variable rate, a gap": Quirk(".mkv", encode=(*GAP, *X264), frames=6, note=VARIABLE.format("6.000")),
    "variable rate, to Matroska": Quirk(
        encode=(*UNEVEN, "-enc_time_base", "1/90000", *X264, "-bf", "0"), seconds=0.963, output=".mkv",
        note="every frame keeps its time",
    ),
    "variable rate, to WebM": Quirk(
        ".mkv", encode=(*UNEVEN, "-enc_time_base", "1/1000", *X264), seconds=0.963, output=".webm",
        note="every frame keeps its time",
    ),
    "variable rate with sound": Quirk(
        ".mkv", inputs=TONE, encode=(*GAP, *X264, "-c:a", "aac"), frames=6, tracks=[None],
        note=VARIABLE.format("6.000"),
    ),
    "oblong pixels": Quirk(encode=("-vf", "setsar=4/3", *X264), size=(64, HEIGHT)),
    "oblong pixels, turned": Quirk(
        encode=("-vf", "setsar=4/3", *X264), again=(("-display_rotation", "90"), ("-c", "copy")),
        size=(HEIGHT, 64), corners="GWRB",
    ),
    "pixels of nonsense": Quirk(".mkv", encode=("-vf", "setsar=1/4000", "-c:v", "ffv1")),
    "interlaced": Quirk(
        encode=("-vf", "tinterlace=interleave_top", *X264, "-flags", "+ildct+ilme", "-x264opts", "tff=1"),
        frames=5, note="is interlaced: it is deinterlaced on reading",
    ),
    "interlaced, not told": Quirk(
        ".avi", encode=("-vf", COMBED, "-c:v", "mpeg4", "-q:v", "2"), given=48, frames=24, seconds=4.8,
        note="is interlaced: it is deinterlaced on reading", corners="",
    ),
    "moving, nothing told, not interlaced": Quirk(
        ".avi", encode=("-vf", "scroll=h=0.11", "-c:v", "mpeg4", "-q:v", "2"), given=24, frames=24,
        seconds=2.4, corners="",
    ),
    "odd sides": Quirk(encode=("-c:v", "libx264", "-pix_fmt", "yuv444p"), stored=(49, 33), size=(49, 33)),
    "one pixel": Quirk(".mkv", encode=("-c:v", "ffv1", "-pix_fmt", "bgr0"), stored=(1, 1), size=(1, 1),
                       corners="WWWW"),
    "10 bits": Quirk(".mkv", encode=("-c:v", "ffv1", "-pix_fmt", "yuv420p10le")),
    "HDR": Quirk(
        ".mkv", encode=("-vf", f"format=yuv420p10le,{HDR}", "-c:v", "ffv1"), corners="",
        note="is HDR: it is converted to standard range",
    ),
    "full range": Quirk(".avi", encode=("-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-q:v", "1")),
    "4:4:4": Quirk(encode=("-c:v", "libx264", "-pix_fmt", "yuv444p")),
    "RGB": Quirk(encode=("-c:v", "libx264rgb", "-qp", "0")),
    "alpha": Quirk(".mov", encode=("-vf", CLEAR, "-c:v", "qtrle"), corners="WWWW"),
    "alpha of VP9": Quirk(
        ".webm", encode=("-vf", CLEAR, "-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p"),
        corners="WWWW", output=".webm",
    ),
    "alpha of VP8": Quirk(
        ".webm", corners="WWWW",
        encode=("-vf", CLEAR, "-c:v", "libvpx", "-auto-alt-ref", "0",
                "-pix_fmt", "yuva420p"),
    ),
    "sound": Quirk(inputs=TONE, encode=(*X264, "-c:a", "aac"), tracks=[None]),
    "late sound": Quirk(inputs=("-itsoffset", "0.4", *TONE), encode=(*X264, "-c:a", "aac"), tracks=[None],
                        sound_begins=0.4),
    "early sound": Quirk(
        ".mkv", inputs=TONE, encode=("-vf", "setpts=PTS+0.4/TB", *X264, "-c:a", "aac", "-fps_mode",
                                     "passthrough"),
        tracks=[None], sound_begins=-0.4,
    ),
    "three tracks of sound": Quirk(
        ".mkv", inputs=TONE, output=".mkv", tracks=["deu", "fra", None],
        encode=(*X264, "-map", "0:v", *("-map", "1:a") * 3, "-c:a:0", "flac", "-c:a:1", "aac", "-c:a:2",
                "pcm_s16le", "-metadata:s:a:0", "language=deu", "-metadata:s:a:1", "language=fra"),
    ),
    "a start of 1.4 seconds": Quirk(".ts", inputs=TONE, encode=(*X264, "-c:a", "aac"), tracks=[None]),
    "an edit list": Quirk(
        encode=(*X264, "-g", "30", "-bf", "2"), given=14, frames=10,
        again=(("-ss", "0.35"), ("-c", "copy")),
    ),
    "fragments": Quirk(encode=(*X264, "-movflags", "frag_keyframe+empty_moov")),
    "a length of 20 hours": Quirk(".mkv", damage=lying),
    "cut off": Quirk(
        ".ts", encode=(*X264, "-g", "1", "-qp", "0"), damage=cut_off, frames=6, seconds=0.7, corners="",
    ),
    "flipped bits": Quirk(".mkv", encode=("-c:v", "mjpeg", "-q:v", "1"), damage=flipped, frames=0, corners="",
                          warning="is damaged"),
    "one frame": Quirk(given=1, frames=1, seconds=0.1),
    "two frames": Quirk(given=2, frames=2, seconds=0.2),
    "GIF": Quirk(".gif", encode=()),
    "APNG": Quirk(".png", encode=("-f", "apng", "-plays", "0")),
    "hidden reference frames": Quirk(
        ".webm", encode=("-c:v", "libvpx", "-auto-alt-ref", "1", "-lag-in-frames", "8", "-b:v", "200k"),
    ),
    "elementary stream": Quirk(".h264", given=10),
}  # fmt: skip


def make(quirk: Quirk, folder: Path) -> Path:
    """Make the clip."""
    width, height = quirk.stored
    raw = quarters(quirk.stored).tobytes() * quirk.given
    size = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(RATE), "-i", "pipe:0"]
    path = convert([*size, *quirk.inputs, *quirk.encode], folder / f"clip{quirk.suffix}", stdin=raw)
    if quirk.again:
        before, after = quirk.again
        path = convert([*before, "-i", file_url(path), *after], folder / f"again{quirk.suffix}")
    if quirk.damage:
        path.write_bytes(quirk.damage(path.read_bytes()))
    return path


def read(clip: ClipInfo, quirk: Quirk) -> list[np.ndarray]:
    """Every frame, and the warning that is expected (or none); they are shown when the packets tell."""
    said: list[str] = []
    seen: list[Fraction | None] = []
    frames = list(read_frames(clip, on_warning=said.append, on_times=seen.extend))
    assert bool(quirk.warning) == bool(said), said
    assert quirk.warning in " ".join(said)
    assert len(seen) == len(frames)
    assert quirk.warning or shown_at(clip, seen) is clip
    return frames


def write(clip: ClipInfo, frames: Sequence[np.ndarray], path: Path, part: str = ":") -> FrameWriter:
    """Put frames together again with what else `clip` has."""
    size = frames[0].shape[1], frames[0].shape[0]
    limits = FrameRange.parse(part).seconds(clip.rate)
    with FrameWriter(path, size, clip.rate, sound=clip, sound_range=limits, preset="ultrafast") as writer:
        for frame in frames:
            writer.write(frame)
    return writer


def even(side: int) -> int:
    return side + side % 2


def span(path: Path, kind: str) -> tuple[float, float]:
    """When the first packet of the first track of a kind begins and the last one ends, in seconds."""
    with av.open(str(path)) as container:
        packets = [
            p for p in container.demux(**{kind: 0}) if p.size and p.pts is not None and not p.is_discard
        ]
        ends = [(p.pts + (p.duration or 0)) * p.time_base for p in packets]
        return float(min(p.pts * p.time_base for p in packets)), float(max(ends))


@pytest.mark.parametrize("name", QUIRKS)
def test_quirk(name: str, tmp_path: Path) -> None:
    quirk = QUIRKS[name]
    clip = probe(make(quirk, tmp_path))
    assert (clip.width, clip.height) == quirk.size
    assert clip.duration is not None
    assert abs(float(clip.duration) - quirk.seconds) <= 1 / clip.rate
    assert quirk.note in " ".join(clip.notes) if quirk.note else not clip.notes, clip.notes

    frames = read(clip, quirk)
    assert len(frames) == quirk.frames or (quirk.frames == 0 and frames)
    assert {frame.shape for frame in frames} == {(quirk.size[1], quirk.size[0], 3)}
    if quirk.corners:
        assert {corners(frame) for frame in frames} == {quirk.corners}

    path = tmp_path / f"out{quirk.output}"
    writer = write(clip, frames, path)
    assert writer.notes == ([quirk.written_note] if quirk.written_note else [])
    result = probe(path)
    assert (result.width, result.height) == (even(quirk.size[0]), even(quirk.size[1]))
    assert result.rotation == 0 and result.sample_aspect_ratio == 1 and not result.interlaced
    assert result.frames == len(frames)
    assert result.duration is not None
    assert abs(result.duration - len(frames) / clip.rate) <= 1 / clip.rate
    if quirk.corners:
        assert {corners(frame) for frame in read_frames(result)} == {quirk.corners}
    check_sound(quirk, clip, result)
    check_times(clip, result)


def check_sound(quirk: Quirk, clip: ClipInfo, result: ClipInfo) -> None:
    """The tracks and their languages, and their offset to the pictures at both ends."""
    assert [track.language for track in clip.audio] == list(quirk.tracks)
    assert [track.language for track in result.audio] == list(quirk.tracks)
    if not quirk.tracks:
        return
    offsets = []
    for path in (clip.path, result.path):
        pictures, sound = span(path, "video"), span(path, "audio")
        offsets.append((sound[0] - pictures[0], sound[1] - pictures[1]))
    assert offsets[0][0] == pytest.approx(quirk.sound_begins, abs=0.05)
    assert offsets[1] == pytest.approx(offsets[0], abs=0.03)


def check_times(clip: ClipInfo, result: ClipInfo) -> None:
    """Where the rate varies: every frame's time, and the end, within a millisecond."""
    assert result.variable_rate == clip.variable_rate
    if clip.times:
        assert result.times is not None
        there, here = (np.array([*table.starts, table.end], float) for table in (clip.times, result.times))
        assert np.abs(there - here).max() <= 0.001


# ---------------------------------------------------------------------------------------- more than a row


AWKWARD = (
    *(
        "a b.mp4",
        "it's.mp4",
        '"q".mp4',
        "100%.mp4",
        "%05d.mp4",
        "-x.mp4",
        "a:b.mp4",
        "http:__x.mp4",
        "🎬 é.mp4",
    ),
    *("concat:a|b.mp4", "[0:v].mp4", "a\nb.mp4", "back\\slash.mp4", "pipe:0.mp4"),
)


@pytest.mark.parametrize("name", AWKWARD)
def test_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read and written under the bare name, in a folder that has it too."""
    clip = make(replace(QUIRKS["sound"], given=3), tmp_path)
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.chdir(folder)
    source = clip.rename(folder / name)
    found = probe(source.relative_to(folder))
    write(found, list(read_frames(found)), Path(f"out {name}"))
    assert (probe(Path(f"out {name}")).frames, len(found.audio)) == (3, 1)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".mov"])
def test_subtitles_chapters_cover_and_attachments(suffix: str, tmp_path: Path) -> None:
    """Kept where the container can hold them; the rest is named."""
    (tmp_path / "s.srt").write_text("1\n00:00:00,100 --> 00:00:00,400\nHello\n")
    (tmp_path / "c.txt").write_text(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=400\ntitle=One\n")
    (tmp_path / "font.ttf").write_text("not much of a font")
    Image.fromarray(quarters()).save(tmp_path / "cover.png")
    inputs = [part for name in ("s.srt", "c.txt") for part in ("-i", str(tmp_path / name))]
    maps = ["-map", "0", "-map", "1", "-map_chapters", "2"]
    attached = ["-attach", str(tmp_path / "font.ttf"), "-metadata:s:t:0", "mimetype=font/ttf"]
    attached += ["-attach", str(tmp_path / "cover.png"), "-metadata:s:t:1", "mimetype=image/png"]
    base = make(QUIRKS["plain"], tmp_path)
    rich = convert(["-i", str(base), *inputs, *maps, "-c", "copy", *attached], tmp_path / "rich.mkv")
    clip = probe(rich)
    frames = list(read_frames(clip))

    writer = write(clip, frames, tmp_path / f"whole{suffix}")
    whole = probe(writer.path)
    kept = ["subtitle", "attachment"] if suffix == ".mkv" else ["subtitle"]
    assert [extra.kind for extra in whole.extras] == kept
    assert whole.chapters == 1
    lost = "1 cover picture" if suffix == ".mkv" else "1 attachment, 1 cover picture"
    assert writer.notes == [f"rich.mkv: not kept: {lost}"]
    with av.open(str(writer.path)) as container:
        shown = [p for p in container.demux(subtitles=0) if p.size and b"Hello" in bytes(p)]
        assert [float(p.pts * p.time_base) for p in shown] == [pytest.approx(0.1, abs=0.001)]

    writer = write(clip, frames[2:5], tmp_path / f"part{suffix}", part="2:5")
    part = probe(writer.path)
    assert [extra.kind for extra in part.extras] == kept[1:] and part.chapters == 0
    assert "1 subtitle track" in writer.notes[0] and "chapters" in writer.notes[0]


def test_a_part_of_a_clip_with_a_variable_rate(tmp_path: Path) -> None:
    """Frames 3 to 4 lie on both sides of the gap; the sound begins with the first of them."""
    clip = probe(make(QUIRKS["variable rate with sound"], tmp_path))
    frames = list(read_frames(clip, frames=FrameRange(3, 5)))
    path = write(clip, frames, tmp_path / "part.mkv", part="3:5").path
    with av.open(str(path)) as container:
        times = [float(p.pts * p.time_base) for p in container.demux(video=0) if p.size]
    assert np.diff(times) == pytest.approx([0.5], abs=0.001)
    sound, pictures = span(path, "audio"), span(path, "video")
    assert sound[0] - pictures[0] == pytest.approx(0, abs=0.05)
    assert sound[1] - pictures[1] == pytest.approx(0, abs=0.05)


def test_animated_webp_with_uneven_delays(tmp_path: Path) -> None:
    """Also with alpha: what is transparent shows white."""
    pictures = []
    for i in range(4):
        alpha = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
        alpha[: HEIGHT // 2, : WIDTH // 2] = 0
        pixels = np.concatenate([np.roll(quarters(), 6 * i, 1), alpha], axis=2)
        pictures.append(Image.fromarray(pixels))
    path = tmp_path / "a.webp"
    times = [100, 300, 100, 200]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=times, lossless=True)
    clip = probe(path)
    assert (clip.width, clip.height, clip.frames, clip.duration) == (WIDTH, HEIGHT, 4, Fraction(7, 10))
    assert clip.times is not None
    assert clip.times.starts == tuple(Fraction(t, 10) for t in (0, 1, 4, 5))
    frames = list(read_frames(clip))
    assert corners(frames[0]) == "WGBW"
    assert [frame.shape for frame in read_frames(clip, size=(24, 16), frames=FrameRange(1, 3))] == [
        (16, 24, 3)
    ] * 2
    check_times(clip, probe(write(clip, frames, tmp_path / "out.mp4").path))
    with pytest.raises(InputError, match="starts behind the end"):
        list(read_frames(clip, frames=FrameRange(4)))


def test_damaged_webp(tmp_path: Path) -> None:
    """What can be read is read, with a warning; nothing at all is an error of one line."""
    noise = np.random.default_rng(0).integers(0, 255, (6, HEIGHT, WIDTH, 3), np.uint8)
    pictures = [Image.fromarray(picture) for picture in noise]
    path = tmp_path / "a.webp"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100, lossless=True)
    whole = path.read_bytes()
    third = [at for at in range(len(whole)) if whole[at : at + 4] == b"ANMF"][2]
    path.write_bytes(whole[: third + 60] + bytes(400) + whole[third + 460 :])
    clip = probe(path)
    assert clip.frames == 2 and clip.notes == ("a.webp is damaged: parts of it could not be read",)
    with pytest.warns(UserWarning, match=r"a.webp is damaged: 2 frames could be read"):
        assert len(list(read_frames(clip))) == 2
    for length in (len(whole) // 2, 60, 30):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError) as caught:
            probe(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_still_webp_is_no_clip(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    Image.fromarray(quarters()).save(path)
    with pytest.raises(InputError, match="is a picture, not a clip"):
        probe(path)


@pytest.mark.parametrize("suffix", [".gif", ".png"])
def test_animations_with_uneven_delays(suffix: str, tmp_path: Path) -> None:
    pictures = [Image.fromarray(np.roll(quarters(), 6 * i, 1)) for i in range(4)]
    path = tmp_path / f"a{suffix}"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[100, 300, 100, 200])
    clip = probe(path)
    assert clip.times is not None
    assert [float(t) for t in clip.times.starts] == pytest.approx([0, 0.1, 0.4, 0.5], abs=0.001)
    frames = list(read_frames(clip))
    assert len(frames) == 4
    check_times(clip, probe(write(clip, frames, tmp_path / "out.mp4").path))


def test_a_folder_with_gaps(tmp_path: Path) -> None:
    """Refused with the name of what is missing, unless gaps are allowed."""
    for number in (1, 2, 4, 10):
        Image.fromarray(quarters()).save(tmp_path / f"100% frame_{number}.png")
    with pytest.raises(InputError, match=r"frame 3 is missing \(6 in all: 3, 5-9\)"):
        open_folder(tmp_path)
    folder = open_folder(tmp_path, Fraction(RATE), allow_gaps=True)
    assert [corners(frame) for frame in read_frames(folder)] == [UPRIGHT] * 4


@pytest.mark.slow
def test_every_cut_and_flip_ends_in_pictures_or_one_line(tmp_path: Path) -> None:
    """Never a traceback, never a hang: an error of our own, or frames of the right size."""
    whole = make(QUIRKS["sound"], tmp_path).read_bytes()
    generator = np.random.default_rng(0)
    path = tmp_path / "bad.mp4"
    for trial in range(16):
        data = bytearray(whole[: len(whole) * (trial + 1) // 16] if trial % 2 else whole)
        for place in generator.integers(0, len(data), 6 if trial % 2 == 0 else 0):
            data[place] ^= int(generator.integers(1, 256))
        path.write_bytes(data)
        try:
            clip = probe(path)
            shapes = {frame.shape for frame in read_frames(clip, on_warning=lambda line: None)}
        except VideoError as error:
            assert "\n" not in str(error)
        else:
            assert shapes == {(clip.height, clip.width, 3)}


# ---------------------------------------------------------------------------------------- files that attack


@pytest.mark.slow
def test_files_that_point_elsewhere_are_refused(tmp_path: Path) -> None:
    """Playlists, scripts, sessions, manifests and aliases as clips, drawings as pictures; also late."""
    clip = probe(make(QUIRKS["sound"], tmp_path))
    frame = next(read_frames(clip))
    files = hostile_files(tmp_path, 9)
    assert len(files) >= 10
    for path in files:
        with pytest.raises(InputError) as caught:
            read_image(path) if path.suffix in {".png", ".jpg"} else probe(path)
        assert path.name in str(caught.value) and "\n" not in str(caught.value)
        swapped = replace(clip, path=path)
        with pytest.raises(InputError):
            list(read_frames(swapped))
        out = tmp_path / "out.mp4"
        try:
            notes = write(swapped, [frame], out).notes
        except EncodeError:
            assert not out.exists()
        else:  # an alias can be opened, but what it points to is not
            assert notes == [f"{path.name}: the sound track number 1 (aac) is left out: {UNREADABLE}"]
            assert not probe(out).audio
            out.unlink()


@pytest.mark.slow
def test_every_input_is_held_to_files_of_known_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each input of each command that reading and writing need has both lists and ``file:``."""
    path = make(QUIRKS["variable rate with sound"], tmp_path)
    commands: list[list[str]] = []
    opened: list[tuple[object, ...]] = []
    popen: Any = subprocess.Popen
    open_container = av.open

    def record(command: list[str], *rest: object, **options: Any) -> object:
        assert isinstance(command, list) and not options.get("shell")
        commands.append(command)
        return popen(command, *rest, **options)

    def record_open(file: str, mode: str = "r", **options: Any) -> object:
        opened.append((file[:5], mode, mode == "w" or options.get("options")))
        return open_container(file, mode, **options)

    monkeypatch.setattr(subprocess, "Popen", record)
    monkeypatch.setattr(av, "open", record_open)
    clip = replace(probe(path), interlaced=True)
    frames = list(read_frames(clip))
    rehearse(FrameWriter(tmp_path / "out.webm", (WIDTH, HEIGHT), clip.rate, sound=clip))
    write(clip, frames, tmp_path / "out.mkv")
    write_animation(tmp_path / "out.gif", frames, Fraction(10))
    measure_fields(path, 0)

    lists = {"-protocol_whitelist": PROTOCOL_WHITELIST, "-format_whitelist": FORMAT_WHITELIST}
    inputs = 0
    for command in commands:
        begin = 1
        for at in (i for i, part in enumerate(command) if part == "-i"):
            options = dict(zip(command[begin:at], command[begin + 1 : at], strict=False))
            if command[at + 1] == "pipe:0":
                assert (options["-f"], options["-protocol_whitelist"]) == ("rawvideo", "pipe")
            else:
                assert command[at + 1].startswith("file:")
                assert {name: options.get(name) for name in lists} == lists
            inputs, begin = inputs + 1, at + 2
    assert inputs >= 9
    assert {(file, mode) for file, mode, _ in opened} == {("file:", "r"), ("file:", "w")}
    assert all(found is True or found == PYAV_OPTIONS for _, _, found in opened)


# ---------------------------------------------------------------------------------------- photos


@dataclass(frozen=True)
class Photo:
    """How to make a picture file, and what is seen of it."""

    save: Callable[[Image.Image, Path], None]
    name: str = "photo.png"
    size: tuple[int, int] = (WIDTH, HEIGHT)
    corners: str = UPRIGHT


def saved(mode: str = "RGB", **options: Any) -> Callable[[Image.Image, Path], None]:
    """A way to save a picture in a mode of Pillow, with options for saving."""
    return lambda image, path: image.convert(mode).save(path, **options)


def with_orientation(tag: int) -> Callable[[Image.Image, Path], None]:
    exif = Image.Exif()
    exif[0x0112] = tag
    return saved(exif=exif, quality=100)


def grey_in_16_bits(image: Image.Image, path: Path) -> None:
    """Green and white as white, red and blue as black."""
    white = np.asarray(image)[..., 1] == 255
    Image.fromarray(np.where(white, 65535, 0).astype(np.uint16)).save(path)


def palette_with_alpha(image: Image.Image, path: Path) -> None:
    """Red is transparent, so white is seen."""
    indexed = image.quantize(4)
    red = int(np.asarray(indexed)[0, 0])
    indexed.save(path, transparency=red)


def pages(image: Image.Image, path: Path) -> None:
    others = [Image.new("RGB", (7, 5)), Image.new("L", (3, 9))]
    image.save(path, save_all=True, append_images=others)


def resized(width: int, height: int, **options: Any) -> Callable[[Image.Image, Path], None]:
    return lambda image, path: image.resize((width, height), Image.Resampling.NEAREST).save(path, **options)


SEEN_AS = {1: "RGBW", 2: "GRWB", 3: "WBGR", 4: "BWRG", 5: "RBGW", 6: "BRWG", 7: "WGBR", 8: "GWRB"}
"""What is seen of the quarters for each EXIF orientation; others say nothing."""

PHOTOS = {
    **{
        f"orientation {tag}": Photo(
            with_orientation(tag),
            "photo.jpg",
            SWAPPED if tag in (5, 6, 7, 8) else (WIDTH, HEIGHT),
            SEEN_AS.get(tag, UPRIGHT),
        )
        for tag in (0, *SEEN_AS, 9, 65535)
    },
    "CMYK": Photo(saved("CMYK"), "photo.tif"),
    "CMYK JPEG": Photo(saved("CMYK", quality=100), "photo.jpg"),
    "a profile": Photo(saved(icc_profile=srgb_profile())),
    "a broken profile": Photo(saved(icc_profile=b"nonsense")),
    "16-bit grey": Photo(grey_in_16_bits, corners="KWKW"),
    "palette": Photo(saved("P")),
    "palette with alpha": Photo(palette_with_alpha, corners="WGBW"),
    "alpha": Photo(saved("RGBA")),
    "pages": Photo(pages, "photo.tif"),
    "frames": Photo(pages, "photo.gif"),
    "one pixel": Photo(resized(1, 1), size=(1, 1), corners="WWWW"),
    "25 to 1": Photo(resized(400, 16), size=(400, 16)),
    "1 to 25": Photo(resized(16, 400), size=(16, 400)),
    "named otherwise": Photo(saved(format="PNG"), "photo.jpg"),
    "without a suffix": Photo(saved(format="PNG"), "photo"),
    "upper case": Photo(saved(format="JPEG", quality=100), "PHOTO.JPG"),
    "an awkward name": Photo(saved(), "-100% 'é' [1]: 🎨 %d.png"),
}


@pytest.mark.parametrize("name", PHOTOS)
def test_photo(name: str, tmp_path: Path) -> None:
    """Read upright and in full, and the same again after writing."""
    photo = PHOTOS[name]
    path = tmp_path / photo.name
    photo.save(Image.fromarray(quarters()), path)
    picture = read_image(path)
    assert (picture.shape[1], picture.shape[0]) == photo.size
    assert corners(picture) == photo.corners
    write_image(tmp_path / "out.png", picture)
    assert np.array_equal(read_image(tmp_path / "out.png"), from_uint8(to_uint8(picture)))


HEIC = (24).to_bytes(4, "big") + b"ftypheic" + bytes(4) + b"mif1heic"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (HEIC, "is damaged or cut short; copy or download it again"),
        (b"", "is empty"),
        (b"<html></html>", "is a web page"),
        (b"%!PS-Adobe-3.0\n", "is a text file"),
        (bytes(range(256)), "is no picture in a known format"),
    ],
    ids=["HEIC", "empty", "web page", "PostScript", "noise"],
)
def test_no_photos(content: bytes, told: str, tmp_path: Path) -> None:
    """One line with the file's name, for a photo and for a frame of a folder."""
    path = tmp_path / "frame_1.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_image(path)
    assert told in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(InputError) as caught:
        open_folder(tmp_path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_bomb_and_a_cut_photo(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(path)
    assert path.stat().st_size < 100_000
    with pytest.raises(InputError, match="400,000,000 pixels, more than the limit of 100,000,000"):
        read_image(path)
    for suffix in (".png", ".jpg", ".webp", ".tif", ".gif"):
        path = tmp_path / f"cut{suffix}"
        noise = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
        Image.fromarray(noise).save(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(InputError, match="is damaged or cut short"):
            read_image(path)


# ---------------------------------------------------------------------------------------- what can go wrong


def test_times_that_do_not_fit_the_frames(tmp_path: Path) -> None:
    path = make(QUIRKS["plain"], tmp_path)
    times = TimeTable(tuple(Fraction(i, 10) for i in range(3)), Fraction(3, 10))
    with pytest.raises(EncodeError, match=r"^cannot write out.mp4: 10 frames for 3 times$"):
        retime(path, tmp_path / "part.mp4", Path("out.mp4"), "mp4", times)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_while_the_times_are_set(tmp_path: Path) -> None:
    path = make(QUIRKS["plain"], tmp_path)
    times = TimeTable(tuple(Fraction(i, 10) for i in range(10)), Fraction(1))
    with pytest.raises(EncodeError, match=r"^cannot write out.mkv: disk full; free some space"):
        retime(path, Path("/dev/full"), Path("out.mkv"), "matroska", times)


def test_a_failure_while_the_times_are_set_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = probe(make(QUIRKS["variable rate with sound"], tmp_path))
    frames = list(read_frames(clip))
    monkeypatch.setattr(TimeTable, "part", lambda *_: TimeTable((Fraction(0),), Fraction(1)))
    with pytest.raises(EncodeError, match=r"out.mp4: 6 frames for 1 times"):
        write(clip, frames, tmp_path / "out.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mkv"]


def test_subtitles_that_are_refused_after_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clip and its sound are written all the same, and the loss is told."""
    (tmp_path / "s.srt").write_text("1\n00:00:00,100 --> 00:00:00,400\nHello\n")
    base = make(QUIRKS["sound"], tmp_path)
    both = ["-i", str(base), "-i", str(tmp_path / "s.srt"), "-c", "copy", "-c:s", "srt"]
    clip = probe(convert(both, tmp_path / "s.mkv"))
    monkeypatch.setattr("video.extras._encoder", lambda track, suffix: "copy")
    writer = write(clip, list(read_frames(clip)), tmp_path / "out.mp4")
    assert writer.notes == ["s.mkv: not kept: 1 subtitle track"]
    assert len(probe(writer.path).audio) == 1


@pytest.mark.parametrize(
    ("suffix", "codec", "encoder"),
    [
        *((".mkv", codec, "copy") for codec in ("subrip", "ass", "hdmv_pgs_subtitle", "dvd_subtitle")),
        *((".mp4", codec, "mov_text") for codec in ("subrip", "ass", "webvtt")),
        (".mkv", "mov_text", "srt"),
        (".mov", "mov_text", "copy"),
        (".webm", "subrip", "webvtt"),
        *((suffix, "hdmv_pgs_subtitle", None) for suffix in (".mp4", ".mov", ".webm")),
        (".mkv", "eia_608", None),
    ],
)
def test_what_becomes_of_subtitles(suffix: str, codec: str, encoder: str | None) -> None:
    plan = plan_extras("a.mkv", [ExtraTrack(3, "subtitle", codec)], 0, suffix, whole=True)
    assert plan.encoders == (() if encoder is None else (encoder,))
    assert plan.notes == (("a.mkv: not kept: 1 subtitle track",) if encoder is None else ())
