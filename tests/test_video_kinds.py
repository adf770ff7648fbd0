"""Which track of a file is the clip, which lengths are believed, and which kinds of files are opened."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from video_clips import convert, make_clip

from video.errors import InputError, KindError
from video.probe import ClipInfo, choose_video, describe, probe
from video.streams import Streams, Track, from_ffprobe, read_with_ffprobe, read_with_pyav
from video.tools import Finished, Tool, file_url, find_ffprobe
from video.whole import is_cut_short


def look(path: Path) -> ClipInfo:
    """Probe with PyAV, and with ffprobe too where there is one: both must agree."""
    found = describe(path, read_with_pyav(path))
    tool = find_ffprobe()
    if tool is not None:
        assert describe(path, read_with_ffprobe(path, tool)) == found
    return found


# ------------------------------------------------------------------------------------------ which track


def two_tracks(folder: Path, suffix: str, *marks: str) -> ClipInfo:
    """A clip of 12 frames beside 2 large stills, as photos in motion have them."""
    moving = make_clip(folder / "moving.mp4", 12)
    stills = make_clip(folder / "stills.mp4", 2, size=(320, 240), rate="0.6")
    both = ["-i", file_url(stills), "-i", file_url(moving), "-map", "0:v", "-map", "1:v", "-c", "copy"]
    return look(convert([*both, *marks], folder / f"both{suffix}"))


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".ts"])
def test_stills_beside_a_clip_are_not_it(suffix: str, tmp_path: Path) -> None:
    """Whatever is the default, and whatever is larger."""
    clip = two_tracks(tmp_path, suffix, "-disposition:v:0", "default", "-disposition:v:1", "0")
    assert (clip.video_index, clip.frames, clip.width) == (1, 12, 64)
    note = f"both{suffix} has 2 video tracks: number 1 is used, 12 frames of 64x48"
    assert note in clip.notes


def test_of_alike_tracks_the_longer_one_then_the_default_then_the_bigger() -> None:
    def track(index: int, frames: int, step: int, side: int, *, default: bool = False) -> Track:
        found = Track(index, "video", "h264", Fraction(1, 1000), default=default, width=side, height=side)
        for number in range(frames):
            found.packets.add(number * step, step, False)
        return found

    small, big = track(0, 100, 40, 64), track(1, 100, 40, 128)
    chosen, burst = track(2, 50, 80, 32, default=True), track(3, 90, 1, 512, default=True)
    cover = replace(track(4, 100, 40, 999), attached=True)
    brief, stills = track(5, 8, 100, 64), track(6, 2, 1000, 640, default=True)
    for tracks, best in (
        ([small, big], big),
        ([small, big, chosen], chosen),
        ([small, big, burst], big),
        ([burst, cover], burst),
        ([stills, brief], brief),
    ):
        assert choose_video(Path("x.mp4"), Streams("mov", None, tracks)) is best


def test_timed_thumbnails_are_pictures_that_are_attached(tmp_path: Path) -> None:
    clip = two_tracks(tmp_path, ".mkv")
    document = {"format": {"format_name": "mov"}, "streams": [
        {"index": 0, "codec_type": "video", "width": 9, "height": 9, "disposition": {"timed_thumbnails": 1}},
        {"index": 1, "codec_type": "video", "width": 8, "height": 8},
    ]}  # fmt: skip
    packets = [{"stream_index": index % 2, "pts": index, "duration": 1} for index in range(8)]
    found = from_ffprobe(clip.path, document, packets)
    assert choose_video(clip.path, found).index == 1


# ------------------------------------------------------------------------------------------ lengths


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("a.mp4", []),
        ("fragments.mp4", ["-movflags", "frag_keyframe+empty_moov"]),
        ("a.mkv", []),
        ("live.mkv", ["-live", "1"]),
        ("a.avi", []),
        ("a.wmv", []),
        ("a.ts", []),
    ],
)
def test_a_length_in_a_header_alone_is_no_damage(name: str, output: list[str], tmp_path: Path) -> None:
    """Where the file is all there it is passed over; where the file's own structure ends early it is not."""
    path = make_clip(tmp_path / name, 20, output=["-pix_fmt", "yuv420p", *output])
    streams = replace(read_with_pyav(path), end=Fraction(143165))
    knows = name != "a.ts"
    assert is_cut_short(path) is (False if knows else None)
    assert bool(describe(path, streams).notes) is not knows
    path.write_bytes(path.read_bytes()[:-40])
    if knows and name != "live.mkv":
        assert is_cut_short(path) is True
        (note,) = describe(path, streams).notes
        assert note.startswith(f"{name} is damaged or cut off: ") and note.endswith(
            " of 143165.0 s could be read"
        )


def test_a_file_that_is_none_or_gone(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\x1a\x45\xdf\xa3")
    assert is_cut_short(tmp_path / "a") is False
    assert is_cut_short(tmp_path / "gone") is None


# ------------------------------------------------------------------------------------------ kinds


@pytest.mark.parametrize(
    ("name", "encode"),
    [
        ("a.mxf", ["-c:v", "mpeg2video"]),
        ("a.dv", ["-c:v", "dvvideo", "-vf", "scale=720:576", "-pix_fmt", "yuv420p"]),
    ],
)
def test_self_contained_kinds_of_cameras_are_read(name: str, encode: list[str], tmp_path: Path) -> None:
    clip = look(make_clip(tmp_path / name, 12, rate="25", output=encode))
    assert (clip.frames, clip.rate) == (12, 25)


@pytest.mark.parametrize("name", ["a.nut", "a.swf", "a.wtv"])
def test_a_kind_that_is_known_but_not_opened(name: str, tmp_path: Path) -> None:
    path = make_clip(tmp_path / name, 3)
    with pytest.raises(InputError) as caught:
        probe(path)
    expected = f"{path} is of a kind that is not supported; convert it to MP4 first, if it is a clip"
    assert str(caught.value) == expected


def test_ffprobe_too_tells_a_refused_kind_from_a_damaged_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"line": "[nut @ 0x1] Format not on whitelist 'mov'"}
    monkeypatch.setattr(
        "video.streams.run_ffprobe",
        lambda *rest, **options: Finished(1, b"", (said["line"], "Invalid argument")),
    )
    tool = Tool(tmp_path / "ffprobe", "9.0", bundled=False)
    with pytest.raises(KindError):
        read_with_ffprobe(tmp_path / "a.nut", tool)
    said["line"] = "moov atom not found"
    with pytest.raises(Exception, match="moov atom not found") as caught:
        read_with_ffprobe(tmp_path / "a.mp4", tool)
    assert not isinstance(caught.value, KindError)


# ------------------------------------------------------------------------------------------ delays


@pytest.mark.parametrize("suffix", [".webp", ".gif"])
@pytest.mark.parametrize(
    ("delays", "tenths"), [([0, 0, 0, 0], (0, 1, 2, 3, 4)), ([0, 300, 0, 200], (0, 1, 4, 5, 7))]
)
def test_pictures_without_a_delay_are_shown_for_a_tenth_of_a_second(
    suffix: str, delays: list[int], tenths: tuple[int, ...], tmp_path: Path
) -> None:
    pictures = [Image.fromarray(np.full((32, 48, 3), 60 * i, np.uint8)) for i in range(4)]
    path = tmp_path / f"a{suffix}"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=delays)
    clip = probe(path)
    assert clip.duration == Fraction(tenths[-1], 10)
    if clip.times is None:
        assert clip.rate == 10
    else:
        assert [round(10 * time) for time in (*clip.times.starts, clip.times.end)] == list(tenths)
