"""Picture and sound together, whatever of a clip is lost: seen and heard, and the arithmetic behind it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from video_clips import make_clip

from scripts.torture import sync
from video.frame_times import FrameClock, shown_at
from video.probe import ClipInfo, probe
from video.timing import TimeTable


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("late key frame", ".mp4"),
        ("frames lost at the beginning", ".webm"),
        ("frames lost in the middle", ".mkv"),
        ("frames lost, a part of them", ".mov"),
        ("a hole in a transport stream", ".mp4"),
        ("variable rate, frames lost", ".webm"),
        ("fragments", ".webm"),
        ("late pictures", ".mkv"),
        ("MXF", ".mp4"),
    ],
)
def test_every_flash_has_its_click(name: str, suffix: str, tmp_path: Path) -> None:
    source = sync.SOURCES[name]
    target = tmp_path / f"out{suffix}"
    sync.carry(sync.make(source, tmp_path), target, source.frames)
    found = sync.distances(target)
    assert len(found) >= source.flashes
    assert max(map(abs, found)) <= 1 / sync.RATE


# ---------------------------------------------------------------------------------------- arithmetic


@pytest.fixture(scope="module")
def even(tmp_path_factory: pytest.TempPathFactory) -> ClipInfo:
    """Ten frames a second, twelve of them, from second 3 on."""
    clip = probe(make_clip(tmp_path_factory.mktemp("clips") / "plain.mp4"))
    return replace(clip, start_time=Fraction(3))


UNEVEN = (0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15)


@pytest.fixture
def uneven(even: ClipInfo) -> ClipInfo:
    """The same with a gap behind the fourth frame, in tenths of a second."""
    table = TimeTable(tuple(Fraction(tenth, 10) for tenth in UNEVEN), Fraction(16, 10))
    return replace(even, times=table, variable_rate=True)


def at(*tenths: float) -> list[Fraction | None]:
    """Times as ffmpeg tells them: a third of a tick beside."""
    return [3 + Fraction(tenth).limit_denominator(10) / 10 + Fraction(1, 270_000) for tenth in tenths]


def shown(clip: ClipInfo) -> tuple[float, tuple[float, ...], float]:
    """Where it begins, and the tenths of its table with the end."""
    assert clip.times is not None
    starts = tuple(round(float(10 * start), 3) for start in clip.times.starts)
    return float(clip.start_time), starts, round(float(10 * clip.times.end), 3)


def test_a_clip_that_decodes_as_it_tells_stays_as_it_is(even: ClipInfo, uneven: ClipInfo) -> None:
    assert shown_at(even, at(*range(12))) is even
    assert shown_at(even, at(*range(5))) is even  # a part, or the end is lost
    assert shown_at(uneven, at(*UNEVEN)) is uneven
    assert shown_at(even, []) is even


def test_a_clip_that_begins_late_stays_even(even: ClipInfo) -> None:
    clip = shown_at(even, at(*range(4, 12)))
    assert (clip.start_time, clip.times, clip.variable_rate) == (3 + Fraction(4, 10), None, False)


def test_frames_behind_a_hole_keep_their_times_exactly(even: ClipInfo, uneven: ClipInfo) -> None:
    assert shown(shown_at(even, at(0, 1, 2, 6, 7))) == (3.0, (0, 1, 2, 6, 7), 8)
    clip = shown_at(uneven, at(2, 3, 9, 10, 15))
    assert shown(clip) == (3.2, (0, 1, 7, 8, 13), 14)
    assert clip.times is not None and clip.times.starts[2] == Fraction(7, 10)
    assert shown(shown_at(uneven, at(1, 3))) == (3.1, (0, 2), 7)  # until the next one, which is lost


def test_times_that_a_decoder_has_guessed_or_does_not_know(even: ClipInfo) -> None:
    """After a hole it says one that comes again; few of them follow their neighbours, many mean nothing."""
    many = list(range(100))
    clip = replace(even, frames=100)
    told = at(*many[:4], 52, *many[50:90])
    assert shown(shown_at(clip, told))[1][:7] == (0, 1, 2, 3, 4, 50, 51)
    told[0] = told[20] = told[-1] = None
    assert shown(shown_at(clip, told))[1][:7] == (0, 1, 2, 3, 4, 50, 51)
    assert shown_at(even, [*at(0, 1), None, None, *at(8, 9)]) is even
    assert shown_at(replace(clip, timed=False), told) == replace(clip, timed=False)


def test_what_ffmpeg_says_is_parted_into_times_and_messages() -> None:
    clock = FrameClock()
    lines = [
        "frame:0    pts:199920  pts_time:2.221333",
        "frame-shown=1",
        "[h264 @ 0x1] frame:1    pts:NOPTS   pts_time:NOPTS",
        "[h264 @ 0x1] no frame!",
    ]
    assert [clock.hear(line) for line in lines] == ["", "", "[h264 @ 0x1]", "[h264 @ 0x1] no frame!"]
    assert clock.times == [Fraction(199920, 90000), None]
