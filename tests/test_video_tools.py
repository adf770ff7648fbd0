"""Finding and running ffmpeg."""

from __future__ import annotations

import os
import stat
import sys
import threading
import time
from pathlib import Path

import pytest

import video.tools
from video.errors import DecodeError, EncodeError, InputError, ToolError, VideoError
from video.process import PipedProcess, run_command, summarize_stderr
from video.tools import (
    FfmpegProcess,
    file_url,
    find_ffmpeg,
    find_ffprobe,
    has_encoder,
    has_filter,
    input_options,
    run_ffmpeg,
    version_suffices,
)

HINT = "install ffmpeg 5.1 or newer, or run: pip install imageio-ffmpeg"
TESTSRC = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=10"]


def fake_tool(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\nprintf '%s\\n' '{text}'\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("kind", "code", "parent"),
    [
        (VideoError, 1, Exception),
        (InputError, 2, ValueError),
        (ToolError, 2, VideoError),
        (DecodeError, 1, VideoError),
        (EncodeError, 1, VideoError),
    ],
)
def test_error_tree(kind: type[VideoError], code: int, parent: type[Exception]) -> None:
    assert kind.exit_code == code
    assert issubclass(kind, parent)
    assert issubclass(kind, VideoError)


@pytest.mark.parametrize(
    ("text", "suffices"),
    [
        ("ffmpeg version 5.1.9-0+deb12u1 Copyright", True),
        ("ffmpeg version n9.0.2-17-g2a571b6068-20260930 Copyright", True),
        ("ffmpeg version 10.0 Copyright", True),
        ("ffprobe version 7.1-essentials_build-www.gyan.dev", True),
        ("ffmpeg version 4.4.2-0ubuntu0.22.04.1", False),
        ("ffmpeg version 5.0.3", False),
        ("ffmpeg version N-112345-gabcdef\nlibavutil      58. 29.100 / 58. 29.100", True),
        ("ffmpeg version 2024-01-01-git-e1c1dc8347\nlibavutil      58. 36.101 / 58. 36.101", True),
        ("ffmpeg version N-100000-gabcdef\nlibavutil      56. 62.100 / 56. 62.100", False),
        ("ffmpeg version N-100000-gabcdef", False),
    ],
)
def test_version(text: str, suffices: bool) -> None:
    assert version_suffices(text) is suffices


def test_this_machine_has_ffmpeg() -> None:
    tool = find_ffmpeg()
    assert tool.path.exists()
    assert tool.version
    assert find_ffmpeg() is tool
    assert has_filter("scale") and has_encoder("libx264")
    assert not has_filter("no_such_filter") and not has_encoder("no_such_encoder")


def test_environment_names_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPFUSION_FFMPEG", "/nowhere/ffmpeg")
    with pytest.raises(ToolError) as caught:
        find_ffmpeg()
    assert (
        str(caught.value) == "DEEPFUSION_FFMPEG names /nowhere/ffmpeg, which is no program; mend or unset it"
    )


def test_environment_names_old_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = fake_tool(tmp_path / "ffmpeg", "ffmpeg version 4.4.2 Copyright")
    monkeypatch.setenv("DEEPFUSION_FFMPEG", str(old))
    with pytest.raises(ToolError) as caught:
        find_ffmpeg()
    assert str(caught.value) == f"{old} is ffmpeg 4.4.2, older than 5.1; {HINT}"


def test_environment_names_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = fake_tool(tmp_path / "ffmpeg", "hello")
    monkeypatch.setenv("DEEPFUSION_FFMPEG", str(other))
    with pytest.raises(ToolError, match="is no working ffmpeg"):
        find_ffmpeg()


def test_search_path_comes_before_the_bundled_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = fake_tool(tmp_path / "ffmpeg", "ffmpeg version 6.0 Copyright")
    fake_tool(tmp_path / "ffprobe", "ffprobe version 6.0 Copyright")
    monkeypatch.delenv("DEEPFUSION_FFMPEG", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_ffmpeg() == video.tools.Tool(mine, "6.0", bundled=False)
    assert find_ffprobe() == video.tools.Tool(tmp_path / "ffprobe", "6.0", bundled=False)


def test_old_one_on_the_search_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = fake_tool(tmp_path / "ffmpeg", "ffmpeg version 4.4.2 Copyright")
    fake_tool(tmp_path / "ffprobe", "ffprobe version 4.4.2 Copyright")
    monkeypatch.delenv("DEEPFUSION_FFMPEG", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_ffprobe() is None
    bundled = video.tools._bundled_ffmpeg()
    if bundled is not None:
        assert find_ffmpeg().bundled
        assert find_ffmpeg().path == bundled
    video.tools._find_ffmpeg.cache_clear()
    monkeypatch.setattr(video.tools, "_bundled_ffmpeg", lambda: None)
    with pytest.raises(ToolError) as caught:
        find_ffmpeg()
    assert str(caught.value) == f"{old} is ffmpeg 4.4.2, older than 5.1; {HINT}"
    video.tools._find_ffmpeg.cache_clear()


def test_no_ffmpeg_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEPFUSION_FFMPEG", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(video.tools, "_bundled_ffmpeg", lambda: None)
    video.tools._find_ffmpeg.cache_clear()
    with pytest.raises(ToolError) as caught:
        find_ffmpeg()
    assert str(caught.value) == f"no ffmpeg found; {HINT}"


def test_run_pipes_bytes_through() -> None:
    raw = bytes(range(256)) * 3
    form = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", "16x16"]
    done = run_ffmpeg([*form, "-i", "pipe:0", "-f", "rawvideo", "pipe:1"], stdin=raw, timeout=30)
    assert done.ok and done.stdout == raw and done.stderr == ()


def test_run_tells_why_it_failed(tmp_path: Path) -> None:
    done = run_ffmpeg(["-i", file_url(tmp_path / "none.mp4"), "-f", "null", "-"], timeout=30)
    assert not done.ok
    assert "No such file or directory" in done.reason
    assert "\n" not in done.reason and " @ 0x" not in done.reason


def test_run_stops_at_the_timeout() -> None:
    begin = time.monotonic()
    with pytest.raises(VideoError, match=r"gave no result within 0\.3 s and was stopped"):
        run_command([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.3)
    assert time.monotonic() - begin < 10


def test_playlist_with_a_clips_name_is_refused(tmp_path: Path) -> None:
    clip = tmp_path / "real.mp4"
    assert run_ffmpeg([*TESTSRC, "-frames:v", "2", file_url(clip)], timeout=30).ok
    script = tmp_path / "script.mp4"
    script.write_text("ffconcat version 1.0\nfile real.mp4\n")
    options = [part for key, value in input_options().items() for part in (f"-{key}", value)]
    output = ["-f", "null", "-"]
    assert run_ffmpeg([*options, "-i", file_url(clip), *output], timeout=30).ok
    assert run_ffmpeg(["-i", file_url(script), *output], timeout=30).ok, "it would be opened without the list"
    assert not run_ffmpeg([*options, "-i", file_url(script), *output], timeout=30).ok


@pytest.mark.parametrize(
    "name", ["-x.mp4", "a:b.mp4", "concat:x|y.mp4", "100%d.mp4", "new\nline.mp4", "ü 🎨.mp4"]
)
def test_awkward_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_ffmpeg([*TESTSRC, "-frames:v", "1", file_url(Path(name))], timeout=30).ok
    assert Path(name).stat().st_size > 0


def test_leaving_the_context_ends_the_process() -> None:
    args = [*TESTSRC, "-f", "rawvideo", "pipe:1"]
    with FfmpegProcess(args, read=True) as process:
        assert len(process.stdout.read(1000)) == 1000
        assert process.running and alive(process.pid)
        assert os.getsid(process.pid) == process.pid, "Ctrl-C in the terminal must not reach it"
    assert not any((process.running, alive(process.pid)))
    assert process.stdout.closed


def test_feeding_and_finishing(tmp_path: Path) -> None:
    path = tmp_path / "fed.mkv"
    args = [
        "-f",
        "rawvideo",
        "-pix_fmt",
        "gray",
        "-s",
        "16x16",
        "-i",
        "pipe:0",
        "-c:v",
        "ffv1",
        file_url(path),
    ]
    with FfmpegProcess(args, feed=True) as process:
        process.stdin.write(bytes(256) * 4)
        assert process.finish(timeout=30) == 0
    assert path.stat().st_size > 0
    with pytest.raises(ValueError, match="without read=True"):
        process.stdout.read()


def test_broken_feed_has_a_reason(tmp_path: Path) -> None:
    args = [
        "-f",
        "rawvideo",
        "-pix_fmt",
        "gray",
        "-s",
        "16x16",
        "-i",
        "pipe:0",
        file_url(tmp_path / "x" / "y.mkv"),
    ]
    with FfmpegProcess(args, feed=True) as process:
        with pytest.raises(BrokenPipeError):
            for _ in range(10_000):
                process.stdin.write(bytes(4096))
                process.stdin.flush()
        assert process.finish(timeout=30) != 0
        assert "No such file or directory" in process.reason


def test_flood_of_messages_does_not_block() -> None:
    code = "import sys; [print('line', i, file=sys.stderr) for i in range(50000)]; print('done')"
    with PipedProcess([sys.executable, "-c", code], read=True) as process:
        guard = threading.Timer(20, process.kill)
        guard.start()
        assert process.stdout.read() == b"done\n"
        guard.cancel()
        assert process.finish(timeout=10) == 0
        assert process.stderr_count == 50000
        assert process.stderr[-1] == "line 49999" and len(process.stderr) == 40


def test_finish_stops_what_does_not_end() -> None:
    with PipedProcess([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        with pytest.raises(VideoError, match=r"did not end within 0\.2 s and was stopped"):
            process.finish(timeout=0.2)
        assert not process.running


def test_summary_keeps_causes() -> None:
    lines = [
        "[h264 @ 0x55d] Invalid NAL unit size (1169 > 1021).",
        "[vist#0:0/h264 @ 0x55d] [dec:h264 @ 0x55e] Decoding error: Invalid data",
        "[vf#0:0 @ 0x55d] Task finished with error code: -22",
        "Conversion failed!",
    ]
    assert summarize_stderr(lines) == "Invalid NAL unit size (1169 > 1021).; Decoding error: Invalid data"
    assert summarize_stderr(["Conversion failed!"]) == "Conversion failed!"
    assert summarize_stderr([], 3) == "no message, exit status 3"
