"""Tracks of sound that cannot be carried over as they are: found out before the work, and never its loss."""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from video_clips import SIZE, convert

from video import muxing
from video.encode import FrameWriter
from video.errors import EncodeError, VideoError
from video.extras import ExtrasPlan, ExtraTrack
from video.muxing import settle
from video.probe import AudioTrack, ClipInfo, probe
from video.rehearsal import rehearse
from video.sound import COPY, SoundPlan, plan_sound, ways
from video.tools import Finished, find_ffmpeg, run_ffmpeg

PICTURES = ("-f", "lavfi", "-i", f"testsrc2=s={SIZE[0]}x{SIZE[1]}:r=10:d=1")
TONE = ("-f", "lavfi", "-i", "sine=d=1")
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
LEFT_OUT = "is left out: it can be neither copied nor decoded"


def channels(count: int, layout: str = "", rate: int = 48000) -> tuple[str, ...]:
    """An input with a tone in each of so many channels."""
    named = f":c={layout}" if layout else ""
    return "-f", "lavfi", "-i", f"aevalsrc={'|'.join(['sin(440*t)'] * count)}{named}:s={rate}:d=1"


def make(path: Path, *sounds: Sequence[str], encode: Sequence[str] = ("-c:a", "aac")) -> Path:
    """A clip of ten frames with these inputs as its tracks of sound."""
    inputs = [part for sound in sounds for part in sound]
    maps = [part for number in range(len(sounds) + 1) for part in ("-map", str(number))]
    return convert([*PICTURES, *inputs, *maps, *X264, *encode], path)


def undescribed(path: Path) -> Path:
    """Give the second track of sound a codec that nobody knows, as telephones have one beside AAC."""
    data = bytearray(path.read_bytes())
    for known, other in ((b"mp4a", b"apac"), (b"esds", b"dapa")):
        at = data.rindex(known)
        data[at : at + 4] = other
    path.write_bytes(data)
    return path


def writer_for(clip: ClipInfo, path: Path, part: tuple[int, int | None] = (0, None)) -> FrameWriter:
    return FrameWriter(path, SIZE, clip.rate, sound=clip, sound_range=part, preset="ultrafast")


def write(writer: FrameWriter, frames: int = 10) -> ClipInfo:
    with writer:
        for _ in range(frames):
            writer.write(np.full((SIZE[1], SIZE[0], 3), 0.5, np.float32))
    return probe(writer.path)


@pytest.mark.slow
@pytest.mark.parametrize("rehearsed", [True, False])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_track_of_an_unknown_kind_is_left_out(suffix: str, rehearsed: bool, tmp_path: Path) -> None:
    """Known before the first frame; and if it were not, the pictures would still not be lost."""
    clip = probe(undescribed(make(tmp_path / "phone.mp4", TONE, TONE)))
    writer = writer_for(clip, tmp_path / f"out{suffix}")
    note = f"phone.mp4: the sound track number 2 (of an unknown kind) {LEFT_OUT}"
    if rehearsed:
        rehearse(writer)
        assert writer.notes == [note]
    assert [track.codec for track in write(writer).audio] == ["aac"]
    assert writer.notes == [note]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sound", "codec", "suffix", "said"),
    [
        (channels(6, "5.1(side)"), "ac3", ".webm", ", in a layout that this can hold"),
        (channels(3, "2.1"), "flac", ".webm", ", in a layout that this can hold"),
        (channels(10, rate=96000), "pcm_s24le", ".mp4", ", in a layout that this can hold"),
        (channels(13), "pcm_s16le", ".mp4", ", only its first two channels"),
        (channels(1, rate=192000), "pcm_s24le", ".webm", ""),
        (channels(2, rate=44100), "mp3", ".webm", ""),
        (channels(2, rate=96000), "flac", ".mp4", ""),
        (channels(1, rate=8000), "pcm_mulaw", ".mp4", ""),
    ],
)
def test_layouts_and_rates_that_an_encoder_does_not_take(
    sound: Sequence[str], codec: str, suffix: str, said: str, tmp_path: Path
) -> None:
    source = make(tmp_path / ("a.mov" if "pcm" in codec else "a.mkv"), sound, encode=("-c:a", codec))
    writer = writer_for(probe(source), tmp_path / f"out{suffix}")
    rehearse(writer)
    encoder = "opus" if suffix == ".webm" else "aac"
    notes = [f"{source.name}: the sound ({codec}) was encoded again as {encoder} for {suffix}{said}"]
    assert writer.notes == notes
    assert [track.codec for track in write(writer).audio] == [encoder]
    assert writer.notes == notes


def test_a_track_without_anything_in_it(tmp_path: Path) -> None:
    clip = probe(make(tmp_path / "a.mkv", TONE, TONE, encode=("-c:a", "aac", "-bsf:a:1", "noise=drop=1")))
    assert [track.empty for track in clip.audio] == [False, True]
    writer = writer_for(clip, tmp_path / "out.mp4")
    assert writer.notes == ["a.mkv: the sound track number 2 (aac) is left out: there is nothing in it"]
    assert len(write(writer).audio) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "tracks"), [(".mp4", 1), (".mkv", 2)])
def test_a_damaged_track_costs_no_frame(suffix: str, tracks: int, tmp_path: Path) -> None:
    """Copied as it is where it can be, whatever decoders say of it in the finished clip; else left out."""
    damaged = ("-c:a", "flac", "-bsf:a:1", "noise=1")
    clip = probe(make(tmp_path / "a.mkv", TONE, TONE, encode=damaged))
    writer = writer_for(clip, tmp_path / f"out{suffix}")
    rehearse(writer)
    assert any(LEFT_OUT in note for note in writer.notes) == (tracks == 1)
    assert len(write(writer).audio) == tracks


@pytest.mark.slow
def test_sound_that_begins_late_is_rehearsed_where_it_is(tmp_path: Path) -> None:
    """Also for a part of the clip in which there is none: said before the work."""
    late = ("-itsoffset", "3", *TONE)
    inputs = (*PICTURES[:-1], f"{PICTURES[-1][:-1]}5", *late)
    clip = probe(convert([*inputs, *X264, "-c:a", "flac"], tmp_path / "a.mkv"))
    assert clip.audio[0].start_time == 3
    for part, tracks in (((0, None), 1), ((2, None), 1), ((0, 2), 0)):
        writer = writer_for(clip, tmp_path / f"out{part[0]}{part[1]}.mp4", part)
        rehearse(writer)
        assert ("a.mkv: no sound in these frames" in writer.notes) == (tracks == 0)
        assert len(write(writer, 20).audio) == tracks


# ---------------------------------------------------------------------------------------- what is tried


TRACKS = (AudioTrack(1, "aac", None, Fraction(0)), AudioTrack(2, "ac3", None, Fraction(0)))
EXTRAS = ExtrasPlan(
    (ExtraTrack(3, "subtitle", "srt"), ExtraTrack(4, "attachment", "ttf")), ("srt", "copy"), True
)


def planned(clip: Path, suffix: str = ".mkv") -> SoundPlan:
    found = tuple(next(ways(track, suffix)) for track in TRACKS)
    zero = Fraction(0)
    return SoundPlan(clip, TRACKS, found, suffix, zero, zero, zero, None, None, EXTRAS)


@pytest.mark.parametrize(
    ("works", "kept", "notes"),
    [
        (lambda plan: True, 2, []),
        (lambda plan: False, 2, []),  # not for any track's sake: it is said what ffmpeg says
        (lambda plan: COPY not in plan.ways, 2, ["(aac) was encoded again", "(ac3) was encoded again"]),
        (lambda plan: TRACKS[1] not in plan.tracks, 1, [f"number 2 (ac3) {LEFT_OUT}"]),
        (lambda plan: len(plan.extras.tracks) < 2, 2, ["not kept: 1 attachment"]),
        (lambda plan: not plan.extras.chapters, 2, ["not kept: chapters"]),
        (lambda plan: not (plan.tracks or plan.extras), 0, ["1 (aac)", "2 (ac3)", "1 subtitle track, 1 att"]),
    ],
)
def test_only_what_does_not_work_is_changed(
    works: Callable[[SoundPlan], bool], kept: int, notes: list[str], tmp_path: Path
) -> None:
    found = settle(planned(tmp_path / "a.mkv"), works)
    assert len(found.tracks) == len(found.ways) == kept
    assert len(found.notes) == len(notes)
    assert all(part in note for part, note in zip(notes, found.notes, strict=True))


def test_a_full_disk_is_no_reason_to_leave_sound_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_sound(probe(make(tmp_path / "a.mp4", TONE)), ".mp4")
    assert plan is not None
    tried = []

    def full(arguments: Sequence[str]) -> Finished:
        tried.append(arguments)
        return Finished(1, b"", ("Error writing trailer: No space left on device",))

    monkeypatch.setattr(muxing, "run_ffmpeg", full)
    files = tmp_path / "a.mp4", tmp_path / "out.mp4"
    result, done = muxing.add_sound(plan, *files, "mp4")
    assert (result.ok, done, len(tried)) == (False, plan, 1)
    monkeypatch.setattr(muxing, "run_ffmpeg", lambda arguments, timeout: full(arguments))
    assert (muxing.rehearse(plan, *files, "mp4"), len(tried)) == (plan, 2)


def test_pictures_that_cannot_be_written_are_known_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, fake = find_ffmpeg().path, tmp_path / "ffmpeg"
    failing = '*"libx264 "*) echo "x264 [error]: no" >&2; exit 1;;'
    fake.write_text(f'#!/bin/sh\ncase "$*" in {failing} *) exec "{real}" "$@";; esac\n')
    fake.chmod(stat.S_IRWXU)
    monkeypatch.setenv("DEEPFUSION_FFMPEG", str(fake))
    path = tmp_path / "out.mp4"
    with pytest.raises(EncodeError) as caught:
        rehearse(FrameWriter(path, (72, 56), Fraction(10)))
    assert str(caught.value).startswith(f"cannot write {path}: ffmpeg failed after ")
    assert str(caught.value).endswith(" frames were given: x264 [error]: no")
    assert not path.exists()


@pytest.mark.parametrize("reason", ["no folder", "full"])
def test_without_room_for_a_rehearsal_the_plan_stays(
    reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = writer_for(probe(make(tmp_path / "a.mp4", TONE)), tmp_path / "out.mp4")
    plan = writer.sound

    def refuse(*arguments: object, **options: object) -> object:
        raise OSError(28, "No space left on device") if reason == "full" else FileNotFoundError("no folder")

    monkeypatch.setattr("video.rehearsal.tempfile.TemporaryDirectory", refuse)
    rehearse(writer)
    assert writer.sound is plan
    assert writer.sound is not None and replace(writer.sound) == plan


def test_subtitles_that_take_too_long_cost_no_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They stay as planned, while what was found out of the sound holds."""
    (tmp_path / "s.srt").write_text("1\n00:00:00,100 --> 00:00:00,400\nHello\n")
    one = make(tmp_path / "one.mp4", TONE)
    both = ["-i", str(one), "-i", str(tmp_path / "s.srt"), "-map", "0", "-map", "1"]
    source = convert([*both, "-c", "copy", "-c:s", "mov_text"], tmp_path / "a.mp4")
    plan = plan_sound(replace(probe(source), audio=TRACKS), ".mp4")
    assert plan is not None and len(plan.tracks) == 2  # though the second one is no sound
    patience: list[float] = []
    ran = run_ffmpeg

    def slow(arguments: Sequence[str], *, timeout: float) -> Finished:
        patience.append(timeout)
        if timeout < 60:
            raise VideoError(f"gave no result within {timeout} s and was stopped")
        return ran(arguments, timeout=timeout)

    monkeypatch.setattr(muxing, "run_ffmpeg", slow)
    found = muxing.rehearse(plan, one, tmp_path / "out.mp4", "mp4")
    assert found.extras == plan.extras and len(plan.extras.tracks) == 1
    assert found.tracks == TRACKS[:1] and found.lost == TRACKS[1:]
    assert sorted(set(patience)) == [15, 60]
