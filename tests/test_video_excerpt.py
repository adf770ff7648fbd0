"""A stretch of a clip is what decoding from the start gives, in formats that seek well and others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from video_clips import convert

from video import excerpt
from video.decode import FrameRange, read_frames
from video.excerpt import mark_of, read_excerpt
from video.probe import ClipInfo, probe

SIZE = (64, 48)
SOURCE = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=8", "-pix_fmt", "yuv420p"]
STILL = [
    *("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=4"),
    *("-filter_complex", "[0]tpad=stop_mode=clone:stop_duration=2,reverse,setpts=PTS-STARTPTS"),
    *("-pix_fmt", "yuv420p"),
]
FORMATS = {
    "long-gop.mp4": [*SOURCE, "-c:v", "libx264", "-g", "250", "-bf", "3"],
    "open-gop.ts": [*SOURCE, "-c:v", "mpeg2video", "-g", "15", "-bf", "2"],
    "intra.avi": [*SOURCE, "-c:v", "mjpeg", "-q:v", "2"],
    "late.mkv": [*SOURCE, "-c:v", "libx264", "-output_ts_offset", "7.5"],
    "raw.h264": [*SOURCE, "-c:v", "libx264"],  # no times at all
    "still-start.mp4": [*STILL, "-c:v", "libx264"],
}


@pytest.fixture(params=FORMATS, scope="module")
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ClipInfo:
    return probe(convert(FORMATS[request.param], tmp_path_factory.mktemp("stretch") / request.param))


@pytest.mark.parametrize("start", [0, 3, 101, 120, 138])
def test_a_stretch_is_what_decoding_from_the_start_gives(clip: ClipInfo, start: int) -> None:
    frames = FrameRange(start, start + 11)
    wanted = list(read_frames(clip, size=SIZE, frames=frames, on_warning=lambda line: None))
    marks = [mark_of(frame) for frame in wanted]
    found = list(read_excerpt(clip, size=SIZE, start=start, marks=marks))
    assert len(found) == 11
    assert all(np.array_equal(one, other) for one, other in zip(wanted, found, strict=True))


def test_seeking_saves_the_decoding_of_what_comes_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clip = probe(convert(FORMATS["long-gop.mp4"], tmp_path / "clip.mp4"))
    wanted = list(read_frames(clip, size=SIZE, frames=FrameRange(150, 160)))
    marks = [mark_of(frame) for frame in wanted]

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the clip was decoded from its start")

    monkeypatch.setattr(excerpt, "read_frames", never)
    found = list(read_excerpt(clip, size=SIZE, start=150, marks=marks))
    assert all(np.array_equal(one, other) for one, other in zip(wanted, found, strict=True))


def test_frames_that_are_decoded_otherwise_here_are_taken_by_their_number(tmp_path: Path) -> None:
    clip = probe(convert(FORMATS["long-gop.mp4"], tmp_path / "clip.mp4"))
    wanted = list(read_frames(clip, size=SIZE, frames=FrameRange(150, 155)))
    found = list(read_excerpt(clip, size=SIZE, start=150, marks=[b"another decoder"] * 5))
    assert all(np.array_equal(one, other) for one, other in zip(wanted, found, strict=True))


def test_a_stretch_that_is_closed_early_leaves_no_decoder(tmp_path: Path) -> None:
    clip = probe(convert(FORMATS["long-gop.mp4"], tmp_path / "clip.mp4"))
    marks = [mark_of(frame) for frame in read_frames(clip, size=SIZE, frames=FrameRange(120, 130))]
    frames = read_excerpt(clip, size=SIZE, start=120, marks=marks)
    first = next(frames)
    assert mark_of(first) == marks[0]
    frames.close()
    assert next(frames, None) is None
