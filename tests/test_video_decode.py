"""Frames out of clips: numbers, colours, sizes, ranges, damage."""

from __future__ import annotations

import gc
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from video_clips import SIZE, color_of, convert, make_clip, number_of

import video.decode
from video.decode import FrameRange, fit_size, read_frames
from video.errors import DecodeError, InputError, ToolError
from video.filters import filter_text, has_alpha, is_yuv
from video.probe import ClipInfo, probe
from video.process import PipedProcess
from video.tools import FfmpegProcess, file_url, has_filter

TAGS = "color_primaries=bt709:color_trc=bt709:colorspace=bt709"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def clip(folder: Path) -> ClipInfo:
    return probe(make_clip(folder / "plain.mp4"))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[FfmpegProcess]:
    """Every ffmpeg that decoding starts in the test."""
    processes: list[FfmpegProcess] = []

    class Recorded(FfmpegProcess):
        def __init__(self, args: list[str], **options: Any) -> None:
            super().__init__(args, **options)
            processes.append(self)

    monkeypatch.setattr(video.decode, "FfmpegProcess", Recorded)
    return processes


def read(clip: ClipInfo, **options: object) -> list[np.ndarray]:
    return list(read_frames(clip, **options))  # type: ignore[arg-type]


def test_every_frame_comes_once_and_in_order(clip: ClipInfo, started: list[FfmpegProcess]) -> None:
    pictures = read(clip)
    assert [number_of(picture) for picture in pictures] == list(range(12))
    for picture in pictures:
        assert picture.dtype == np.float32 and picture.shape == (SIZE[1], SIZE[0], 3)
        assert picture.min() >= 0 and picture.max() <= 1
    assert len({id(picture) for picture in pictures}) == 12, "no frame shares another one's memory"
    assert [process.running for process in started] == [False]


@pytest.mark.parametrize("name", ["a:b -x.mp4", "100%d 'q'.mkv", "ü 🎨,[x];=.mp4"])
def test_awkward_names(name: str, folder: Path) -> None:
    assert len(read(probe(make_clip(folder / name, 2)))) == 2


@pytest.mark.parametrize(
    ("frames", "numbers"),
    [
        (FrameRange(), range(12)),
        (FrameRange(0, 1), range(1)),
        (FrameRange(5, 8), range(5, 8)),
        (FrameRange(11), range(11, 12)),
        (FrameRange(9, 100), range(9, 12)),
    ],
)
def test_ranges(frames: FrameRange, numbers: range, clip: ClipInfo, started: list[FfmpegProcess]) -> None:
    heard: list[str] = []
    found = [number_of(picture) for picture in read(clip, frames=frames, on_warning=heard.append)]
    assert found == list(numbers) == list(frames.indices(12))
    assert heard == []
    assert not started[0].running


def test_range_behind_the_end(clip: ClipInfo) -> None:
    with pytest.raises(InputError) as caught:
        read(clip, frames=FrameRange(12))
    assert str(caught.value) == f"frames '12:' starts behind the end of {clip.path}, which has 12 frames"


@pytest.mark.parametrize(
    ("text", "start", "stop"),
    [("0:48", 0, 48), ("10:", 10, None), (":20", 0, 20), (" 3 : 5 ", 3, 5), (":", 0, None)],
)
def test_parse(text: str, start: int, stop: int | None) -> None:
    assert FrameRange.parse(text) == FrameRange(start, stop)


@pytest.mark.parametrize("text", ["", "5", "a:b", "1:2:3", "-3:4", "1.5:2", "1;2", "٣:٤"])
def test_parse_nonsense(text: str) -> None:
    with pytest.raises(InputError) as caught:
        FrameRange.parse(text)
    assert str(caught.value) == f"frames '{text}' is no range; write START:STOP, for example 0:48"


@pytest.mark.parametrize("text", ["5:5", "8:3", ":0"])
def test_parse_empty_range(text: str) -> None:
    with pytest.raises(InputError, match="selects nothing; write START:STOP, for example 0:48"):
        FrameRange.parse(text)


def test_range_in_seconds() -> None:
    assert FrameRange(10, 40).seconds(Fraction(30000, 1001)) == (Fraction(1001, 3000), Fraction(1001, 750))
    assert FrameRange(0, None).seconds(Fraction(25)) == (0, None)
    assert list(FrameRange(5, 7).indices(3)) == []


# ------------------------------------------------------------------------------------------ closing


def test_closing_early_leaves_no_process(clip: ClipInfo, started: list[FfmpegProcess]) -> None:
    endless = replace(clip, width=512, height=512)  # more than fits into the pipe, so that ffmpeg must wait
    reader = read_frames(endless)
    next(reader)
    assert started[0].running
    reader.close()
    assert not any(process.running for process in started)
    with pytest.raises(ProcessLookupError):
        os.kill(started[0].pid, 0)


def test_dropping_the_reader_or_failing_leaves_no_process(
    clip: ClipInfo, started: list[FfmpegProcess]
) -> None:
    def consume() -> None:
        for _picture in read_frames(replace(clip, width=512, height=512)):
            raise KeyError("a bug in the caller")

    with pytest.raises(KeyError):
        consume()
    gc.collect()
    assert [process.running for process in started] == [False]


def test_nothing_runs_before_the_first_frame_is_asked_for(
    clip: ClipInfo, started: list[FfmpegProcess]
) -> None:
    read_frames(clip).close()
    assert started == []


def test_hung_decoder_is_stopped(clip: ClipInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    def sleeper(args: list[str], **options: Any) -> PipedProcess:
        return PipedProcess([sys.executable, "-c", "import time; time.sleep(60)"], **options)

    monkeypatch.setattr(video.decode, "FfmpegProcess", sleeper)
    monkeypatch.setattr(video.decode, "STALL_SECONDS", 0.3)
    with pytest.raises(DecodeError) as caught:
        read(clip)
    assert str(caught.value) == f"{clip.path}: ffmpeg gave no frame for 0.3 s and was stopped"


def test_a_killed_decoder_is_no_short_clip(clip: ClipInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    size = SIZE[0] * SIZE[1] * 3
    code = f"import os, sys; os.write(1, bytes({2 * size})); os.kill(os.getpid(), 9)"

    def killed(args: list[str], **options: Any) -> PipedProcess:
        return PipedProcess([sys.executable, "-c", code], **options)

    monkeypatch.setattr(video.decode, "FfmpegProcess", killed)
    frames = read_frames(clip)
    assert len([next(frames), next(frames)]) == 2
    with pytest.raises(
        DecodeError, match="ffmpeg was ended by signal 9 after 2 of about 12 frames; give the same"
    ):
        next(frames)


def test_what_is_told_to_be_interlaced_is_deinterlaced_and_what_is_not_is_left(clip: ClipInfo) -> None:
    told, left = clip.taken_for_interlaced(True), clip.taken_for_interlaced(False)
    assert filter_text(told, SIZE).startswith("bwdif=mode=send_frame:parity=auto,")
    assert "bwdif" not in filter_text(left, SIZE)
    assert len(read(told)) == len(read(left)) == 12


# ------------------------------------------------------------------------------------------ geometry


@pytest.mark.parametrize("size", [(32, 24), (17, 11), (100, 75), (1, 1)])
def test_scaling(size: tuple[int, int], clip: ClipInfo) -> None:
    pictures = read(clip, size=size, frames=FrameRange(2, 4))
    assert [picture.shape for picture in pictures] == [(size[1], size[0], 3)] * 2
    assert [number_of(picture) for picture in pictures] == [2, 3]


@pytest.mark.parametrize("size", [(0, 10), (10, -1)])
def test_sizes_below_one(size: tuple[int, int], clip: ClipInfo) -> None:
    with pytest.raises(InputError) as caught:
        read_frames(clip, size=size)
    assert str(caught.value) == f"size {size[0]}x{size[1]} for {clip.path}: sizes must be at least 1"


def test_shrinking_averages_areas(folder: Path) -> None:
    """Stripes one pixel wide become even grey: no pixel is skipped."""
    stripes = np.zeros((48, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x48", "-i", "pipe:0"]
    args = [*source, "-c:v", "ffv1", "-pix_fmt", "bgr0"]
    found = probe(convert(args, folder / "stripes.mkv", stdin=stripes.tobytes()))
    [picture] = read(found, size=(16, 12))
    assert np.max(np.abs(picture - 0.5)) < 0.01


def test_rotated_clip_is_upright(folder: Path) -> None:
    """A bright left half that is to be turned 90 degrees anticlockwise is shown at the bottom."""
    half = np.zeros((48, 64, 3), np.uint8)
    half[:, :32] = 255
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x48", "-i", "pipe:0"]
    flat = convert([*source, "-pix_fmt", "yuv420p"], folder / "half.mp4", stdin=half.tobytes())
    turned = convert(["-display_rotation", "90", "-i", file_url(flat), "-c", "copy"], folder / "turned.mp4")
    [picture] = read(probe(turned))
    assert picture.shape == (64, 48, 3)
    assert picture[:28].mean() < 0.05 and picture[36:].mean() > 0.95


def test_pixels_become_square(folder: Path) -> None:
    found = probe(make_clip(folder / "sar.mp4", 3, before=["-vf", "setsar=2/1"]))
    assert [picture.shape for picture in read(found)] == [(48, 128, 3)] * 3


@pytest.mark.parametrize(
    ("width", "height", "longer", "even", "expected"),
    [
        (1920, 1080, 256, False, (256, 144)),
        (1080, 1920, 256, False, (144, 256)),
        (640, 480, 1000, False, (640, 480)),
        (65, 49, None, False, (65, 49)),
        (65, 49, None, True, (64, 48)),
        (67, 51, None, True, (66, 50)),
        (1920, 1081, 250, True, (250, 140)),
        (5000, 3, 100, False, (100, 1)),
        (5000, 3, 100, True, (100, 2)),
        (1, 1, None, True, (2, 2)),
    ],
)
def test_fit_size(width: int, height: int, longer: int | None, even: bool, expected: tuple[int, int]) -> None:
    assert fit_size(width, height, longer, even=even) == expected


def test_fit_size_refuses_zero() -> None:
    with pytest.raises(InputError) as caught:
        fit_size(64, 48, 0)
    assert str(caught.value) == "size 0 for a picture of 64x48: sizes must be at least 1"


# ------------------------------------------------------------------------------------------ colour


@pytest.mark.parametrize(
    ("size", "matrix", "tagged"),
    [((64, 48), "bt601", False), ((1280, 720), "bt709", False), ((64, 48), "bt709", True)],
)
def test_matrix(size: tuple[int, int], matrix: str, tagged: bool, folder: Path) -> None:
    """Without a tag small clips are BT.601 and HD clips BT.709; a tag decides."""
    tags = TAGS if tagged else "color_primaries=unknown:color_trc=unknown:colorspace=unknown"
    filters = f"scale=out_color_matrix={matrix}:out_range=tv,format=yuv444p,setparams={tags}"
    path = folder / f"matrix-{size[1]}-{tagged}.mkv"
    found = probe(make_clip(path, 1, size=size, before=["-vf", filters], output=["-c:v", "ffv1"]))
    assert found.color_space == ("bt709" if tagged else None)
    [picture] = read(found, size=(8, 6))
    assert np.max(np.abs(picture.mean(axis=(0, 1)) * 255 - color_of(0))) < 2


def test_full_range(folder: Path) -> None:
    filters = "scale=out_color_matrix=bt601:out_range=pc,format=yuvj420p"
    found = probe(make_clip(folder / "full.mp4", 3, before=["-vf", filters], output=["-c:v", "mjpeg"]))
    assert found.color_range == "pc"
    assert [number_of(picture) for picture in read(found)] == [0, 1, 2]


def test_rgb_clips_are_exact(folder: Path) -> None:
    found = probe(make_clip(folder / "rgb.mkv", 3, output=["-c:v", "ffv1", "-pix_fmt", "bgr0"]))
    for number, picture in enumerate(read(found)):
        expected = np.array(color_of(number), np.float32) / np.float32(255)
        np.testing.assert_allclose(picture, np.broadcast_to(expected, picture.shape), atol=1e-7)


def test_transparency_lies_over_white(folder: Path) -> None:
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[:, :8] = (255, 0, 0, 128)
    source = ["-f", "rawvideo", "-pix_fmt", "rgba", "-s", "16x16", "-i", "pipe:0"]
    args = [*source, "-c:v", "ffv1", "-pix_fmt", "bgra"]
    [picture] = read(probe(convert(args, folder / "alpha.mkv", stdin=pixels.tobytes())))
    np.testing.assert_allclose(picture[4, 4], [1, 127 / 255, 127 / 255], atol=1e-6)
    np.testing.assert_allclose(picture[4, 12], [1, 1, 1], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "yuv", "alpha"),
    [
        ("yuv420p", True, False),
        ("yuvj422p", True, False),
        ("yuva444p10le", True, True),
        ("nv12", True, False),
        ("p010le", True, False),
        ("rgb24", False, False),
        ("gbrp10le", False, False),
        ("gbrap", False, True),
        ("bgra", False, True),
        ("pal8", False, True),
        ("gray", False, False),
        ("ya8", False, True),
        ("unknown", True, False),
    ],
)
def test_pixel_formats(name: str, yuv: bool, alpha: bool) -> None:
    assert (is_yuv(name), has_alpha(name)) == (yuv, alpha)


def hdr_clip(path: Path) -> ClipInfo:
    """A grey of 100 nits, which is 0.508 of full scale in PQ."""
    flat = bytes([130]) * (64 * 48)
    source = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", "64x48", "-i", "pipe:0"]
    tags = "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=tv"
    args = [*source, "-vf", f"scale=out_range=tv,format=yuv420p,{tags}", "-c:v", "ffv1"]
    return probe(convert(args, path, stdin=flat))


def test_hdr_is_tone_mapped(folder: Path) -> None:
    found = hdr_clip(folder / "hdr.mkv")
    assert found.hdr
    if not has_filter("zscale"):
        pytest.skip("this ffmpeg has no zscale")
    [picture] = read(found)
    [plain] = read(replace(found, color_transfer="bt709"))
    assert abs(plain.mean() - 130 / 255) < 0.02
    assert picture.mean() > plain.mean() + 0.1, "100 nits are bright in standard range"
    assert np.ptp(picture.mean(axis=(0, 1))) < 0.02, "grey stays grey"


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_without_further_tags(transfer: str, clip: ClipInfo) -> None:
    if not has_filter("zscale"):
        pytest.skip("this ffmpeg has no zscale")
    assert len(read(replace(clip, color_transfer=transfer))) == 12


def test_hdr_needs_zscale(clip: ClipInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video.decode, "has_filter", lambda name: name != "zscale")
    with pytest.raises(ToolError) as caught:
        read_frames(replace(clip, color_transfer="arib-std-b67"))
    assert str(caught.value) == (
        f"{clip.path} is HDR (arib-std-b67) and this ffmpeg has no zscale filter to convert it; "
        "install a full build, or run: pip install imageio-ffmpeg"
    )


def test_interlaced_clip_has_no_combs(folder: Path) -> None:
    """Two fields of different grey, woven: deinterlaced lines are alike, and no frame is added or lost."""
    woven = np.zeros((6, 48, 64, 3), np.uint8)
    woven[:, 0::2] = np.arange(60, 240, 30, dtype=np.uint8).reshape(6, 1, 1, 1)
    woven[:, 1::2] = np.arange(75, 255, 30, dtype=np.uint8).reshape(6, 1, 1, 1)
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x48", "-r", "25", "-i", "pipe:0"]
    args = [
        *source,
        "-vf",
        "setfield=tff,scale=interl=1",
        "-flags",
        "+ildct+ilme",
        "-x264opts",
        "tff=1",
        "-crf",
        "4",
    ]
    found = probe(convert([*args, "-pix_fmt", "yuv420p"], folder / "fields.mp4", stdin=woven.tobytes()))
    assert found.interlaced

    def combs(pictures: list[np.ndarray]) -> float:
        return float(np.mean([np.abs(np.diff(picture[8:-8, :, 0], axis=0)).mean() for picture in pictures]))

    clean, raw = read(found), read(replace(found, interlaced=False))
    assert len(clean) == len(raw) == 6
    assert combs(raw) > 0.04
    assert combs(clean) < combs(raw) / 3


# ------------------------------------------------------------------------------------------ times and tracks


def test_variable_rate_repeats_and_drops_nothing(folder: Path) -> None:
    before = ["-vf", "select='not(between(n,4,9))'", "-fps_mode", "passthrough"]
    found = probe(make_clip(folder / "vfr.mkv", before=before))
    assert [number_of(picture) for picture in read(found)] == [0, 1, 2, 3, 10, 11]


def test_frames_before_the_edit_list_are_left_out(folder: Path) -> None:
    whole = make_clip(folder / "whole.mp4", 16, output=["-pix_fmt", "yuv420p", "-g", "16", "-bf", "2"])
    found = probe(convert(["-ss", "0.55", "-i", file_url(whole), "-c", "copy"], folder / "edit.mp4"))
    assert [number_of(picture) for picture in read(found)] == list(range(6, 16))
    assert found.frames == 10


def test_second_video_track(clip: ClipInfo, folder: Path) -> None:
    small = make_clip(folder / "small.mp4", 3, size=(32, 32))
    args = ["-i", file_url(clip.path), "-i", file_url(small), "-map", "0:v", "-map", "1:v", "-c", "copy"]
    found = probe(
        convert([*args, "-disposition:v:0", "0", "-disposition:v:1", "default"], folder / "two.mkv")
    )
    assert [picture.shape for picture in read(found)] == [(32, 32, 3)] * 3


@pytest.mark.parametrize("suffix", ["ts", "avi", "webm", "gif", "h264", "mpg", "flv", "mov"])
def test_count_equals_probe(suffix: str, folder: Path) -> None:
    options = {
        "gif": ["-pix_fmt", "rgb8"],
        "webm": ["-c:v", "libvpx", "-pix_fmt", "yuv420p"],
        "mpg": ["-r", "25", "-pix_fmt", "yuv420p"],
    }
    path = make_clip(
        folder / f"count.{suffix}", 9, rate="25", output=options.get(suffix, ["-pix_fmt", "yuv420p"])
    )
    found = probe(path)
    assert found.frames == len(read(found)) == 9


# ------------------------------------------------------------------------------------------ damage


@pytest.fixture(scope="module")
def uncut(folder: Path) -> Path:
    return make_clip(folder / "uncut.mkv", 20, output=["-c:v", "ffv1", "-g", "1"])


def test_truncated_clip_yields_what_there_is(uncut: Path, folder: Path) -> None:
    cut = folder / "cut.mkv"
    cut.write_bytes(uncut.read_bytes()[: uncut.stat().st_size // 2])
    found = probe(cut)
    heard: list[str] = []
    numbers = [number_of(picture) for picture in read(found, on_warning=heard.append)]
    assert numbers == list(range(len(numbers))) and 5 <= len(numbers) < 12
    assert len(heard) == 1 and heard[0].startswith(f"{cut} is damaged: {len(numbers)} ")
    assert "\n" not in heard[0]


def test_missing_frames_are_told(clip: ClipInfo) -> None:
    heard: list[str] = []
    assert len(read(replace(clip, frames=90), on_warning=heard.append)) == 12
    assert heard == [f"{clip.path} is damaged: 12 of about 90 frames could be read"]
    heard.clear()
    read(replace(clip, frames=90), frames=FrameRange(0, 12), on_warning=heard.append)
    assert heard == []
    read(replace(clip, frames=90), frames=FrameRange(5, 20), on_warning=heard.append)
    assert heard == [f"{clip.path} is damaged: 12 of its first 20 frames could be read"]


@pytest.mark.parametrize(
    ("wanted", "told"),
    [(FrameRange(0, 3), "every frame that was asked for could be read all the same; ffmpeg says: "),
     (FrameRange(0, 12), "12 frames could be read; ffmpeg says: "),
     (FrameRange(), "12 frames could be read; ffmpeg says: ")],
)  # fmt: skip
def test_damage_is_told_of_what_was_asked_for(
    wanted: FrameRange, told: str, clip: ClipInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies behind the frames that were asked for was not tried, so nothing is said of it."""
    count = property(lambda _: 1, lambda _, value: None)  # what ffmpeg complains of depends on its version
    monkeypatch.setattr(FfmpegProcess, "stderr_count", count, raising=False)
    heard: list[str] = []
    read(clip, frames=wanted, on_warning=heard.append)
    assert len(heard) == 1 and heard[0].startswith(f"{clip.path} is damaged: {told}")


def test_damage_is_a_warning_by_default(clip: ClipInfo) -> None:
    with pytest.warns(UserWarning, match="is damaged: 12 of about 90 frames could be read"):
        read(replace(clip, frames=90))


def flipped(whole: bytes, seed: int) -> bytes:
    random = np.random.default_rng(seed)
    data = bytearray(whole)
    for place in random.integers(len(data) // 3, len(data), 60):
        data[place] ^= 1 << int(random.integers(8))
    return bytes(data)


def hole(whole: bytes) -> bytes:
    third = len(whole) // 3
    return whole[:third] + bytes(third) + whole[2 * third :]


@pytest.mark.parametrize("kind", ["flips", "hole"])
def test_damaged_bytes_never_hang_or_pass_in_silence(kind: str, folder: Path) -> None:
    good = make_clip(
        folder / "good.ts",
        20,
        before=["-vf", "noise=alls=40:allf=t"],
        output=["-c:v", "libx264", "-g", "5", "-pix_fmt", "yuv420p"],
    ).read_bytes()
    path = folder / f"{kind}.ts"
    path.write_bytes(flipped(good, 1) if kind == "flips" else hole(good))
    heard: list[str] = []
    pictures = read(probe(path), on_warning=heard.append)
    assert 1 <= len(pictures) <= 20
    assert len(heard) == 1 and heard[0].startswith(f"{path} is damaged: ")


def test_playlist_put_in_the_clips_place_is_not_followed(clip: ClipInfo, folder: Path) -> None:
    script = folder / "script.mp4"
    script.write_text(f"ffconcat version 1.0\nfile {clip.path.name}\n")
    with pytest.raises(InputError, match="no frame could be decoded"):
        read(replace(clip, path=script))


def test_no_frame_at_all(clip: ClipInfo, folder: Path) -> None:
    gone = folder / "gone.mp4"
    gone.write_bytes(b"nothing")
    with pytest.raises(InputError) as caught:
        read(replace(clip, path=gone))
    message = str(caught.value)
    assert message.startswith(f"{gone}: no frame could be decoded (")
    assert message.endswith("); the file is damaged") and "\n" not in message
    assert caught.value.exit_code == 2


def test_good_clips_are_silent(clip: ClipInfo) -> None:
    def frames() -> Iterator[np.ndarray]:
        yield from read_frames(clip)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sum(1 for _ in frames()) == 12
