"""Clips that are written: right colours, exact rate, the source's own sound, and all or nothing."""

import hashlib
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from video import encode, outputs, sound, verify
from video.animation import write_animation
from video.encode import FrameWriter
from video.errors import EncodeError, InputError, ToolError
from video.probe import ClipInfo, probe
from video.tools import find_ffmpeg, run_ffmpeg
from video.verify import verify_clip

NTSC = Fraction(30000, 1001)
SIZE = (64, 48)
CLIP_SUFFIXES = ["mp4", "mov", "m4v", "mkv", "webm"]
COLOURS = [
    (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1), (0, 0, 0), (0.5, 0.5, 0.5), (1, 1, 0),
    (0.8, 0.3, 0.1), (0.2, 0.4, 0.7),
]  # fmt: skip


def flat(colour: Sequence[float], size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.full((size[1], size[0], 3), colour, np.float32)


def greys(count: int, size: tuple[int, int] = SIZE) -> Iterator[np.ndarray]:
    return (flat([number / count] * 3, size) for number in range(count))


def write(
    path: Path, frames: int | Sequence[np.ndarray] = 5, rate: Fraction | int = 10, **options: Any
) -> Path:
    """Write a small clip quickly; `frames` is a number of grey ones or the pictures."""
    pictures = list(greys(frames)) if isinstance(frames, int) else frames
    size = (pictures[0].shape[1], pictures[0].shape[0])
    with FrameWriter(path, size, Fraction(rate), preset="ultrafast", **options) as writer:
        for picture in pictures:
            writer.write(picture)
    return path


def decode(path: Path, filters: str = "null", pixels: str = "rgb24") -> np.ndarray:
    """Bytes of every frame, (N, H, W, channels), converted as the clip's tags say."""
    args = ["-i", f"file:{path}", "-map", "0:V:0", "-fps_mode", "passthrough", "-vf", filters]
    done = run_ffmpeg([*args, "-f", "rawvideo", "-pix_fmt", pixels, "-"])
    assert done.ok, done.stderr
    width, height = (side + side % 2 for side in (probe(path).width, probe(path).height))
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3 if pixels == "rgb24" else 1)


def packets(path: Path, track: int = 0) -> list[tuple[Fraction, str]]:
    """Time in seconds and MD5 of every packet of a track of sound."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[track]
        found = [packet for packet in container.demux(stream) if packet.size]
        return [(p.pts * stream.time_base, hashlib.md5(bytes(p)).hexdigest()) for p in found]


def sums(path: Path, track: int = 0) -> list[str]:
    return [digest for _, digest in packets(path, track)]


def heard(path: Path) -> bytes:
    """Decoded sound, as a player gets it: without what edit lists and encoder delay take away."""
    done = run_ffmpeg(["-i", f"file:{path}", "-map", "0:a:0", "-f", "s16le", "-ac", "1", "-"])
    assert done.ok, done.stderr
    return done.stdout


def source(path: Path, *output: str, seconds: float = 2, before: Sequence[str] = ()) -> ClipInfo:
    """A clip with a chirp for sound, whose every moment sounds different."""
    pictures = ["-f", "lavfi", "-i", f"testsrc2=s=64x48:r=30000/1001:d={seconds}"]
    chirp = ["-f", "lavfi", "-i", f"aevalsrc='0.5*sin(2*PI*(200+300*t)*t)':s=44100:d={seconds}"]
    audio = ["-map", "0:v", "-map", "1:a"] if "-map" not in output else []
    done = run_ffmpeg([*pictures, *before, *chirp, *audio, *output, "-y", f"file:{path}"])
    assert done.ok, done.stderr
    return probe(path)


@pytest.fixture(scope="module")
def aac(tmp_path_factory: pytest.TempPathFactory) -> ClipInfo:
    """60 frames at 30000/1001 with AAC sound: its first packet is encoder delay, before time 0."""
    clip = source(tmp_path_factory.mktemp("aac") / "aac.mp4", "-preset", "ultrafast")
    assert packets(clip.path)[0][0] == Fraction(-1024, 44100)
    return clip


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---------------------------------------------------------------------------------------------- pictures


@pytest.mark.parametrize("suffix", CLIP_SUFFIXES)
def test_count_size_rate_and_colours_come_back(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a.{suffix}", [flat(colour) for colour in COLOURS], NTSC)
    clip = probe(path)
    assert (clip.width, clip.height, clip.frames, clip.rate) == (64, 48, len(COLOURS), NTSC)
    assert (clip.pixel_format, clip.sample_aspect_ratio, clip.audio) == ("yuv420p", 1, ())
    decoded = decode(path).astype(float)
    wanted = np.array(COLOURS)[:, None, None, :] * 255
    assert np.abs(decoded - wanted).max() <= 3
    assert names(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", CLIP_SUFFIXES)
def test_colours_are_bt709_and_tagged_so(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a.{suffix}", [flat((1, 0, 0))])
    luma = decode(path, "extractplanes=y", "gray")
    assert abs(luma.mean() - (16 + 219 * 0.2126)) <= 1.5  # BT.601 would be 81.5
    clip = probe(path)
    tags = clip.color_space, clip.color_primaries, clip.color_transfer, clip.color_range
    assert tags == ("bt709", "bt709", "bt709", "tv")


@pytest.mark.parametrize(
    "rate", [Fraction(24000, 1001), Fraction(25), Fraction(1), Fraction(60), Fraction(37, 3)]
)
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_rates_are_exact(tmp_path: Path, rate: Fraction, suffix: str) -> None:
    path = write(tmp_path / f"a.{suffix}", 6, rate)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        times = sorted(packet.pts * stream.time_base for packet in container.demux(stream) if packet.size)
    tick = 0 if suffix == "mp4" else Fraction(1, 1000)
    assert len(times) == 6
    assert all(abs(time - number / rate) <= tick for number, time in enumerate(times))


@pytest.mark.parametrize("size", [(65, 48), (64, 49), (65, 49), (1, 1)])
def test_odd_sides_gain_a_copy_of_the_edge(tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = size
    ramp = np.linspace(0.2, 0.8, width * height, dtype=np.float32).reshape(height, width, 1)
    path = write(tmp_path / "a.mp4", [np.repeat(ramp, 3, axis=2)], crf=1)
    even = (width + width % 2, height + height % 2)
    assert (probe(path).width, probe(path).height) == even
    padded = np.pad(ramp[..., 0], ((0, height % 2), (0, width % 2)), mode="edge") * 255
    assert np.abs(decode(path)[0].mean(axis=2) - padded).max() <= 4


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("with_sound", [False, True])
def test_the_index_comes_first_for_players_on_the_web(
    tmp_path: Path, suffix: str, with_sound: bool, aac: ClipInfo
) -> None:
    data = write(tmp_path / f"a.{suffix}", sound=aac if with_sound else None).read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize(
    "name", ["-x.mp4", "a b.mp4", "100%d %03d.mp4", "a:b.mp4", "concat:x|y.mkv", "ä'\"\n😀.mov"]
)
def test_awkward_names_and_folders(tmp_path: Path, name: str, aac: ClipInfo) -> None:
    folder = tmp_path / "50% of: it's"
    folder.mkdir()
    write(folder / name, sound=aac)
    assert names(folder) == [name]
    assert sums(folder / name) == sums(aac.path)


def test_relative_name_with_a_leading_dash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("-y.mp4"))
    assert probe(Path("-y.mp4")).frames == 5


def test_one_frame_and_many_more_than_a_pipe_holds(tmp_path: Path) -> None:
    assert probe(write(tmp_path / "one.mp4", 1)).frames == 1
    big = [flat((number / 30, 0, 0), (320, 240)) for number in range(30)]
    assert probe(write(tmp_path / "big.mp4", big)).frames == 30


def test_lower_crf_is_better(tmp_path: Path) -> None:
    noise = [np.random.default_rng(0).random((48, 64, 3), np.float32)]
    fine, rough = (write(tmp_path / f"{crf}.webm", noise, crf=crf).stat().st_size for crf in (5, 50))
    assert fine > 1.5 * rough


# ---------------------------------------------------------------------------------------------- sound


@pytest.mark.parametrize("suffix", ["mp4", "mov", "m4v", "mkv"])
def test_sound_is_the_same_packets_and_sounds_the_same(tmp_path: Path, suffix: str, aac: ClipInfo) -> None:
    path = write(tmp_path / f"a.{suffix}", 60, aac.rate, sound=aac, expected_frames=60)
    assert sums(path) == sums(aac.path)
    clip = probe(path)
    assert (clip.rate, clip.frames) == (NTSC, 60)
    if suffix == "mkv" and find_ffmpeg().version.startswith("5."):
        assert clip.start_time == Fraction(23, 1000)  # it does not write the encoder's delay into Matroska
        return
    assert heard(path) == heard(aac.path)
    assert clip.start_time == 0
    assert [track.codec for track in clip.audio] == ["aac"]
    assert abs(clip.audio[0].start_time) <= Fraction(1, 1000)
    assert names(tmp_path) == [path.name]


def test_sound_that_outlasts_the_pictures_is_not_cut(tmp_path: Path, aac: ClipInfo) -> None:
    assert sums(write(tmp_path / "a.mp4", 3, 30, sound=aac)) == sums(aac.path)


def test_silent_source_gives_no_track_of_sound(tmp_path: Path) -> None:
    silent = probe(write(tmp_path / "silent.mp4"))
    assert probe(write(tmp_path / "a.mp4", sound=silent)).audio == ()


def offset(path: Path) -> Fraction:
    """Seconds from the first picture to the first packet of sound."""
    return packets(path)[0][0] - probe(path).start_time


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(("late", "seconds"), [("sound", 0.5), ("pictures", -0.5)])
def test_offset_between_sound_and_pictures_is_kept(
    tmp_path: Path, late: str, seconds: float, suffix: str
) -> None:
    delay = ["-itsoffset", "0.5"]
    if late == "sound":
        clip = source(tmp_path / "late.mkv", "-c:a", "aac", before=delay)
    else:
        whole = source(tmp_path / "whole.mkv", "-c:a", "aac")
        inputs = [*delay, "-i", str(whole.path), "-i", str(whole.path), "-map", "0:v", "-map", "1:a"]
        assert run_ffmpeg([*inputs, "-c", "copy", str(tmp_path / "late.mkv")]).ok
        clip = probe(tmp_path / "late.mkv")
    assert abs(offset(clip.path) - Fraction(seconds)) < Fraction(1, 20)
    path = write(tmp_path / f"a.{suffix}", 60, clip.rate, sound=clip)
    assert abs(offset(path) - offset(clip.path)) <= Fraction(1, 500)
    assert sums(path) == sums(clip.path)
    assert probe(path).frames == 60


def test_a_transport_stream_that_starts_at_a_second_and_a_half(tmp_path: Path) -> None:
    clip = source(tmp_path / "a.ts", "-preset", "ultrafast", "-c:a", "mp2", "-f", "mpegts")
    assert clip.start_time > 1
    path = write(tmp_path / "a.mp4", 60, clip.rate, sound=clip)
    assert probe(path).start_time == 0
    assert abs(offset(path) - offset(clip.path)) <= Fraction(1, 1000)
    assert sums(path) == sums(clip.path)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_selected_frames_get_the_packets_of_their_time(tmp_path: Path, suffix: str, aac: ClipInfo) -> None:
    start, stop = 20 / NTSC, 41 / NTSC
    path = write(tmp_path / f"a.{suffix}", 21, NTSC, sound=aac, sound_range=(start, stop))
    packet = Fraction(1024, 44100)
    whole, cut = packets(aac.path), packets(path)
    first = sums(aac.path).index(cut[0][1])
    assert [digest for _, digest in cut] == [digest for _, digest in whole[first : first + len(cut)]]
    # Every packet stands where it stood beside the pictures, to a tick of the container.
    tick = Fraction(1, 1000) if suffix == "mkv" else Fraction(2, 44100)
    moved = [old - start - new for (old, _), (new, _) in zip(whole[first:], cut, strict=False)]
    assert max(moved) - min(moved) <= 2 * tick
    assert abs(moved[0]) <= 2 * tick
    # Nothing is missing at either end, and what is kept too much is hidden by the edit list.
    assert stop - packet <= whole[first + len(cut) - 1][0] < stop
    clip = probe(path)
    assert clip.start_time == 0
    assert clip.frames == 21
    assert 0 <= clip.audio[0].start_time <= (2 * packet if suffix == "mkv" else tick)
    if suffix != "mkv":
        assert whole[first][0] <= start - packet


def test_cut_sound_is_in_time_to_the_sample(tmp_path: Path, aac: ClipInfo) -> None:
    start = 20 / NTSC
    path = write(tmp_path / "a.mp4", 20, NTSC, sound=aac, sound_range=(start, None))
    whole = np.frombuffer(heard(aac.path), np.int16).astype(float)
    cut = np.frombuffer(heard(path), np.int16).astype(float)
    begin = round(start * 44100)
    assert abs(len(whole) - begin - len(cut)) <= 1024
    piece = cut[4000:12000]
    errors = {
        shift: np.abs(whole[begin + 4000 + shift : begin + 12000 + shift] - piece).mean()
        for shift in range(-3, 4)
    }
    best = min(errors, key=errors.__getitem__)
    assert abs(best) <= 1
    assert errors[best] < 5


def test_frames_from_the_start_to_somewhere(tmp_path: Path, aac: ClipInfo) -> None:
    path = write(tmp_path / "a.mp4", 30, NTSC, sound=aac, sound_range=(0, 30 / NTSC))
    assert sums(path) == sums(aac.path)[: len(sums(path))]
    assert 30 / NTSC - Fraction(1024, 44100) <= packets(path)[-1][0] < 30 / NTSC


def test_the_chapters_of_the_source_are_kept_only_with_its_whole_time(tmp_path: Path, aac: ClipInfo) -> None:
    text = ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=One\n"
    (tmp_path / "chapters.txt").write_text(text)
    inputs = [
        "-i",
        str(aac.path),
        "-f",
        "ffmetadata",
        "-i",
        str(tmp_path / "chapters.txt"),
        "-map_metadata",
        "1",
    ]
    assert run_ffmpeg([*inputs, "-c", "copy", str(tmp_path / "c.mkv")]).ok
    clip = probe(tmp_path / "c.mkv")
    for name, limits, count in [("all.mkv", (0, None), 1), ("part.mkv", (0, Fraction(1, 2)), 0)]:
        with av.open(str(write(tmp_path / name, sound=clip, sound_range=limits))) as container:
            assert len(container.chapters()) == count


@pytest.mark.slow
def test_every_track_keeps_its_language_title_and_order(tmp_path: Path) -> None:
    languages = [
        "-metadata:s:a:0",
        "language=deu",
        "-metadata:s:a:1",
        "language=fra",
        "-metadata:s:a:0",
        "title=Ton",
    ]
    tracks = ["-map", "0:v", "-map", "1:a", "-map", "1:a", "-c:a:0", "flac", "-c:a:1", "aac"]
    clip = source(tmp_path / "two.mkv", *tracks, *languages, "-preset", "ultrafast")
    copied = write(tmp_path / "a.mkv", sound=clip)
    assert [(t.codec, t.language) for t in probe(copied).audio] == [("flac", "deu"), ("aac", "fra")]
    assert [sums(copied, track) for track in (0, 1)] == [sums(clip.path, track) for track in (0, 1)]
    with av.open(str(copied)) as container:
        assert container.streams.audio[0].metadata["title"] == "Ton"
    with FrameWriter(tmp_path / "b.mp4", SIZE, NTSC, sound=clip, preset="ultrafast") as writer:
        writer.write(flat((0, 0, 0)))
    assert [(t.codec, t.language) for t in probe(tmp_path / "b.mp4").audio] == [
        ("aac", "deu"),
        ("aac", "fra"),
    ]
    assert sums(tmp_path / "b.mp4", 1) == sums(clip.path, 1)
    assert writer.notes == ["two.mkv: the sound (flac) was encoded again as aac for .mp4"]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm"])
def test_tracks_that_are_silent_in_the_range_are_left_out(tmp_path: Path, suffix: str) -> None:
    pictures = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=10:d=3"]
    short, long = (["-f", "lavfi", "-i", f"sine=d={seconds}"] for seconds in (0.6, 3))
    both = ["-map", "0:v", "-map", "1:a", "-map", "2:a", "-c:a", "aac", "-pix_fmt", "yuv420p"]
    two, one = tmp_path / "two.mp4", tmp_path / "one.mkv"
    for command in ([*pictures, *short, *long, *both, two], [*pictures, *short, *both[:4], *both[6:], one]):
        assert run_ffmpeg([*map(str, command)]).ok
    for number, (source, tracks, note) in enumerate(
        ((two, 1, "two.mp4: 1 of 2 tracks have no sound in these frames"),
         (one, 0, "one.mkv: no sound in these frames"))
    ):  # fmt: skip
        path = tmp_path / f"out{number}.{suffix}"
        writer = FrameWriter(path, (64, 48), Fraction(10), sound=probe(source), sound_range=(2, 3))
        with writer:
            for _ in range(10):
                writer.write(flat((0.5, 0.5, 0.5)))
        assert (probe(path).frames, len(probe(path).audio)) == (10, tracks)
        assert writer.notes[-1] == note


def test_sound_encoded_again_stays_in_time(tmp_path: Path, aac: ClipInfo) -> None:
    start = 20 / NTSC
    path = write(tmp_path / "a.webm", 20, NTSC, sound=aac, sound_range=(start, 40 / NTSC))
    clip = probe(path)
    assert [track.codec for track in clip.audio] == ["opus"]
    assert Fraction(-1, 1000) <= clip.audio[0].start_time - clip.start_time <= Fraction(1, 20)
    last = packets(path)[-1][0]
    assert 20 / NTSC - Fraction(1, 20) <= last < 20 / NTSC + Fraction(1, 100)


@pytest.mark.slow
def test_pcm_is_copied_into_mov_and_encoded_for_mp4(tmp_path: Path) -> None:
    clip = source(tmp_path / "pcm.mov", "-c:a", "pcm_s16le", "-preset", "ultrafast")
    assert heard(write(tmp_path / "a.mov", sound=clip)) == heard(clip.path)
    assert probe(write(tmp_path / "a.mp4", sound=clip)).audio[0].codec == "aac"


def test_packets_that_the_container_refuses_after_all_are_encoded(
    tmp_path: Path, aac: ClipInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sound.COPYABLE, ".webm", frozenset({"aac"}))
    with FrameWriter(tmp_path / "a.webm", SIZE, NTSC, sound=aac, preset="ultrafast") as writer:
        writer.write(flat((0, 0, 0)))
        assert writer.notes == []
    assert writer.notes == ["aac.mp4: the sound (aac) was encoded again as opus for .webm"]
    assert probe(tmp_path / "a.webm").audio[0].codec == "opus"


def test_empty_range_of_sound_is_refused(tmp_path: Path, aac: ClipInfo) -> None:
    with pytest.raises(InputError) as caught:
        FrameWriter(tmp_path / "a.mp4", SIZE, NTSC, sound=aac, sound_range=(1, 1))
    assert str(caught.value) == "the sound from 1 s to 1 s is empty; mend the range"


# ---------------------------------------------------------------------------------------------- refusing


def refusal(path: Path, **options: Any) -> str:
    arguments: dict[str, Any] = {"size": SIZE, "rate": NTSC, **options}
    with pytest.raises(InputError) as caught:
        FrameWriter(path, **arguments)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_outputs_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.avi"
    listed = "use one of .mp4, .mov, .m4v, .mkv, .webm"
    assert refusal(path) == f"cannot write {path}: the suffix .avi is not supported; {listed}"
    path = tmp_path / "no" / "a.mp4"
    assert refusal(path) == f"cannot write {path}: there is no folder {path.parent}; make it first"
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    assert refusal(path) == f"{path} exists already; give --overwrite to replace it, or choose another name"
    monkeypatch.setattr(outputs, "is_writable", lambda folder: False)  # root may write everywhere
    path = tmp_path / "b.mp4"
    assert refusal(path) == f"cannot write {path}: the folder {tmp_path} is not writable; choose another"
    assert names(tmp_path) == ["a.mp4"]


def test_values_that_make_no_sense(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    assert refusal(path, size=(0, 4)) == f"cannot write {path}: 0x4 pixels at 30000/1001 frames a second"
    assert refusal(path, rate=Fraction(0)) == f"cannot write {path}: 64x48 pixels at 0 frames a second"
    assert refusal(path, crf=52).startswith("crf 52, preset medium: use 0 to 51, and one of ultrafast, ")
    assert refusal(path, preset="best").startswith("crf 16, preset best: use 0 to 51, and one of ")


def test_the_source_is_never_replaced(tmp_path: Path, aac: ClipInfo) -> None:
    link = tmp_path / "link.mp4"
    link.symlink_to(aac.path)
    expected = f"cannot write {link}: it is the clip the sound comes from; choose another name"
    assert refusal(link, sound=aac, overwrite=True) == expected


def test_an_ffmpeg_without_the_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode, "has_encoder", lambda name: False)
    with pytest.raises(ToolError) as caught:
        FrameWriter(tmp_path / "a.mp4", SIZE, NTSC)
    expected = "this ffmpeg cannot write .mp4: it lacks libx264; set DEEPFUSION_FFMPEG to one with it"
    assert str(caught.value) == expected


# --------------------------------------------------------------------------------------- all or nothing


def failure(path: Path, frames: int | Sequence[np.ndarray] = 5, **options: Any) -> str:
    """The message of the EncodeError; nothing may be left but what was there before."""
    before = {p: p.read_bytes() for p in path.parent.iterdir()}
    with pytest.raises(EncodeError) as caught:
        write(path, frames, **options)
    assert {p: p.read_bytes() for p in path.parent.iterdir()} == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_overwriting_replaces_only_with_a_finished_clip(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    assert failure(path, 5, overwrite=True, expected_frames=6) == f"{path}: 5 frames instead of 6 were given"
    with FrameWriter(path, SIZE, NTSC, overwrite=True, preset="ultrafast") as writer:
        for picture in greys(5):
            writer.write(picture)
            assert path.read_bytes() == b"old"
    assert probe(path).frames == 5


def test_no_frames(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with pytest.raises(EncodeError) as caught, FrameWriter(path, SIZE, NTSC):
        pass
    assert str(caught.value) == f"{path}: no frames were given, so there is nothing to write"
    assert names(tmp_path) == []


def test_an_exception_inside_leaves_nothing_behind(tmp_path: Path, aac: ClipInfo) -> None:
    for error in (KeyError, KeyboardInterrupt):
        with pytest.raises(error), FrameWriter(tmp_path / "a.mp4", SIZE, NTSC, sound=aac) as writer:
            writer.write(flat((0, 0, 0)))
            assert any(name.startswith(".a.part-") for name in names(tmp_path))
            raise error
        assert names(tmp_path) == []


def test_frames_of_another_size_or_without_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    pictures = [flat((0, 0, 0)), flat((0, 0, 0), (64, 50))]
    expected = f"frame 1 of {path}: expected shape (48, 64, 3), got (50, 64, 3)"
    assert failure(path, pictures) == expected
    assert failure(path, [flat((0, np.nan, 0))]) == "a picture to be saved has values that are not finite"


def test_writing_outside_the_with_block(tmp_path: Path) -> None:
    writer = FrameWriter(tmp_path / "a.mp4", SIZE, NTSC)
    with pytest.raises(RuntimeError, match=r"^FrameWriter\.write works inside its with-block only$"):
        writer.write(flat((0, 0, 0)))


def test_ffmpeg_killed_while_frames_are_written(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with pytest.raises(EncodeError) as caught, FrameWriter(path, (320, 240), NTSC) as writer:
        for number, picture in enumerate(greys(200, (320, 240))):
            if number == 3:
                assert writer._process is not None
                os.kill(writer._process.pid, signal.SIGKILL)
            writer.write(picture)
    assert str(caught.value).startswith(f"cannot write {path}: ffmpeg failed after ")
    assert str(caught.value).endswith(" frames were given: no message, exit status -9")
    assert names(tmp_path) == []


def test_ffmpeg_stopped_gently_leaves_no_short_clip(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with pytest.raises(EncodeError) as caught, FrameWriter(path, SIZE, NTSC) as writer:
        for picture in greys(5):
            writer.write(picture)
        assert writer._process is not None
        os.kill(writer._process.pid, signal.SIGTERM)
        while writer._process.running:  # it may look at the signal only when more comes
            writer.write(next(iter(greys(1))))
    assert re.match(f"cannot write {path}: ffmpeg failed after [0-9]+ frames were given: ", str(caught.value))
    assert names(tmp_path) == []


def fake_ffmpeg(folder: Path, message: str, *, only_with: str = "") -> Path:
    """An ffmpeg that answers questions about itself, and otherwise fails with `message`."""
    real = find_ffmpeg().path
    script = folder / "ffmpeg"
    script.write_text(
        "#!/bin/sh\n"
        f'pass() {{ exec "{real}" "$@"; }}\n'
        f'case "$*" in *-version*|*-encoders*) pass "$@";; *"{only_with}"*) ;; *) pass "$@";; esac\n'
        f"printf '%s\\n' '[out#0 @ 0x55aa] {message}' >&2\nexit 1\n"
    )
    script.chmod(stat.S_IRWXU)
    return script


def test_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "out").mkdir()
    fake = fake_ffmpeg(tmp_path / "bin", "Error writing trailer: No space left on device")
    monkeypatch.setenv("DEEPFUSION_FFMPEG", str(fake))
    path = tmp_path / "out" / "a.mp4"
    assert failure(path) == (
        f"cannot write {path}: disk full; free some space and run the same command again "
        "(ffmpeg: Error writing trailer: No space left on device)"
    )


def test_failure_while_the_sound_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aac: ClipInfo
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "out").mkdir()
    fake = fake_ffmpeg(tmp_path / "bin", "Invalid argument", only_with="-copyts")
    monkeypatch.setenv("DEEPFUSION_FFMPEG", str(fake))
    path = tmp_path / "out" / "a.mp4"
    expected = "ffmpeg failed after 5 frames were given: Invalid argument"
    assert failure(path, sound=aac) == f"cannot write {path}: {expected}"


LIMITED = """
import resource, sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from video.encode import FrameWriter
from video.errors import EncodeError
noise = np.random.default_rng(0).random((240, 320, 3), np.float32)
path = Path(sys.argv[1])
try:
    with FrameWriter(path, (320, 240), Fraction(25), preset="ultrafast", crf=1) as writer:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        resource.prlimit(writer._process.pid, resource.RLIMIT_FSIZE, (100_000, 100_000))
        for number in range(60):
            writer.write(np.roll(noise, number, 0))
except EncodeError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="sets the limit of another process")
def test_a_clip_larger_than_a_file_may_be(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    root = Path(encode.__file__).parents[1]
    command = [sys.executable, "-c", LIMITED, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=60)
    assert done.stderr == ""
    expected = f"cannot write {path}: larger than a file may be here (see ulimit -f); raise the limit"
    assert done.stdout.startswith(expected)
    assert names(tmp_path) == []


# ---------------------------------------------------------------------------------------------- checking


def test_check_accepts_what_is_right_and_names_what_is_not(tmp_path: Path, aac: ClipInfo) -> None:
    path = tmp_path / "out.mp4"
    verify_clip(aac.path, path, SIZE, 60, 1)
    for size, frames, tracks in [((64, 50), 60, 1), (SIZE, 59, 1), (SIZE, 60, 0)]:
        with pytest.raises(EncodeError) as caught:
            verify_clip(aac.path, path, size, frames, tracks)
        wanted = f"{frames} frames of {size[0]}x{size[1]} with {tracks} tracks of sound"
        found = "60 frames of 64x48 with 1 tracks of sound"
        assert str(caught.value) == (
            f"cannot write {path}: it came out wrong: expected {wanted}, got {found}"
        )


def test_check_finds_damage(tmp_path: Path) -> None:
    good = write(tmp_path / "good.mkv", 30).read_bytes()
    path = tmp_path / "bad.mkv"
    path.write_bytes(good[: len(good) * 2 // 3])
    with pytest.raises(EncodeError, match=r"it came out wrong: expected 30 frames"):
        verify_clip(path, path, SIZE, 30)
    path.write_bytes(b"")
    with pytest.raises(EncodeError, match=r"what was written cannot be read again: it is empty"):
        verify_clip(path, path, SIZE, 30)
    noise = list(np.random.default_rng(0).random((4, 48, 64, 3), np.float32))
    good = write(tmp_path / "noise.mkv", noise, crf=5).read_bytes()
    middle = len(good) // 2
    path.write_bytes(
        good[:middle] + bytes(255 - byte for byte in good[middle : middle + 40]) + good[middle + 40 :]
    )
    assert len(decode(path)) == 4  # a player shows all four, one of them damaged
    with pytest.raises(
        EncodeError, match=r"expected 4 frames of 64x48 with 0 tracks of sound, got -1 frames"
    ):
        verify_clip(path, path, SIZE, 4)


def test_a_clip_that_fails_the_check_does_not_appear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "count_frames", lambda *arguments: 4)
    assert "expected 5 frames of 64x48 with 0 tracks of sound, got 4 frames" in failure(tmp_path / "a.mp4")


# ---------------------------------------------------------------------------------------------- animations


def durations(path: Path) -> list[int]:
    """Milliseconds of every frame."""
    with Image.open(path) as image:
        assert image.info["loop"] == 0
        found = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()
            found.append(image.info["duration"])
        return found


@pytest.mark.parametrize("suffix", ["gif", "webp"])
@pytest.mark.parametrize("rate", [Fraction(10), NTSC, Fraction(50)])
def test_animation_has_every_frame_and_the_right_length(tmp_path: Path, suffix: str, rate: Fraction) -> None:
    path = tmp_path / f"a.{suffix}"
    write_animation(path, greys(12), rate)
    found = durations(path)
    assert len(found) == 12
    assert abs(sum(found) - 12000 / rate) <= 10
    assert max(found) - min(found) <= (10 if suffix == "gif" else 1)
    assert names(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_animation_shows_what_it_was_given(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    write_animation(path, [flat(colour) for colour in COLOURS], Fraction(5))
    with Image.open(path) as image:
        for number, colour in enumerate(COLOURS):
            image.seek(number)
            shown = np.asarray(image.convert("RGB")).reshape(-1, 3).mean(axis=0)
            assert np.abs(shown - np.array(colour) * 255).max() <= 4


def test_gif_keeps_a_gradient_smooth(tmp_path: Path) -> None:
    ramp = np.zeros((192, 256, 3), np.float32)
    ramp[..., 0], ramp[..., 1] = np.linspace(0, 1, 256), np.linspace(0, 1, 192)[:, None]
    write_animation(tmp_path / "a.gif", [ramp, ramp[::-1].copy()], Fraction(2))
    with Image.open(tmp_path / "a.gif") as image:
        shown = np.asarray(image.convert("RGB")).astype(float) / 255
    assert np.abs(shown - ramp).mean() < 0.02
    blocks = (shown - ramp).reshape(24, 8, 32, 8, 3).mean(axis=(1, 3))
    assert np.abs(blocks).mean() < 0.005  # 0.0075 without dithering


def test_fast_gif_leaves_frames_out_and_keeps_its_length(tmp_path: Path) -> None:
    write_animation(tmp_path / "a.gif", greys(60), Fraction(60))
    assert abs(sum(durations(tmp_path / "a.gif")) - 1000) <= 20
    assert min(durations(tmp_path / "a.gif")) == 20


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_standing_still_takes_its_time(tmp_path: Path, suffix: str) -> None:
    pictures = [flat((1, 0, 0))] * 3 + [flat((0, 0, 1))] * 4
    write_animation(tmp_path / f"a.{suffix}", pictures, Fraction(10))
    assert sum(durations(tmp_path / f"a.{suffix}")) == 700


@pytest.mark.parametrize("suffix", ["gif", "webp", "mp4"])
def test_animation_of_one_frame_and_of_odd_sides(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"100% it's: ä.{suffix}"
    write_animation(path, [flat((0, 1, 0), (33, 17))], Fraction(10))
    if suffix == "mp4":
        assert probe(path).frames == 1
        return
    with Image.open(path) as image:
        assert image.size == (33, 17)


def test_animation_as_a_clip(tmp_path: Path) -> None:
    write_animation(tmp_path / "a.mp4", greys(7), NTSC)
    assert (probe(tmp_path / "a.mp4").frames, probe(tmp_path / "a.mp4").rate) == (7, NTSC)


def test_animations_that_cannot_be(tmp_path: Path) -> None:
    path = tmp_path / "a.apng"
    with pytest.raises(InputError) as caught:
        write_animation(path, greys(2), Fraction(5))
    listed = ".mp4, .mov, .m4v, .mkv, .webm, .gif, .webp"
    assert str(caught.value) == f"cannot write {path}: the suffix .apng is not supported; use one of {listed}"
    path = tmp_path / "a.gif"
    path.write_bytes(b"old")
    with pytest.raises(InputError) as caught:
        write_animation(path, greys(2), Fraction(5))
    assert str(caught.value).startswith(f"{path} exists already; give --overwrite")
    with pytest.raises(InputError) as caught:
        write_animation(path, greys(2), Fraction(0), overwrite=True)
    assert str(caught.value) == f"cannot write {path} at 0 frames a second; use a rate above 0"
    write_animation(path, greys(2), Fraction(5), overwrite=True)
    assert len(durations(path)) == 2


@pytest.mark.parametrize("suffix", ["gif", "webp", "mp4"])
def test_animation_that_fails_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    def broken() -> Iterator[np.ndarray]:
        yield flat((0, 0, 0))
        raise KeyError("broken")

    path = tmp_path / f"a.{suffix}"
    with pytest.raises(EncodeError) as caught:
        write_animation(path, [], Fraction(5))
    assert str(caught.value) == f"{path}: no frames were given, so there is nothing to write"
    with pytest.raises(EncodeError) as caught:
        write_animation(path, [flat((0, 0, 0)), flat((0, 0, 0), (8, 8))], Fraction(5))
    assert str(caught.value) == f"frame 1 of {path}: expected shape (48, 64, 3), got (8, 8, 3)"
    with pytest.raises(KeyError):
        write_animation(path, broken(), Fraction(5))
    assert names(tmp_path) == []


def test_gif_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "out").mkdir()
    fake = fake_ffmpeg(
        tmp_path / "bin", "Error muxing a packet: No space left on device", only_with="paletteuse"
    )
    monkeypatch.setenv("DEEPFUSION_FFMPEG", str(fake))
    path = tmp_path / "out" / "a.gif"
    with pytest.raises(EncodeError) as caught:
        write_animation(path, greys(3), Fraction(5))
    expected = f"cannot write {path}: disk full; free some space and run the same command again (ffmpeg: "
    assert str(caught.value).startswith(expected)
    assert names(path.parent) == []


def test_importing_loads_no_heavy_package() -> None:
    code = "import sys, video.animation; assert not {'PIL', 'cv2', 'av', 'ffmpeg'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(encode.__file__).parents[1])
