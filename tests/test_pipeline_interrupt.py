"""Signals: once at the next iteration with everything kept, twice at once; real ones, to a real process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from shlex import quote

import numpy as np
import pytest
from pipeline_runs import DEPTH, done, pixels

ROOT = Path(__file__).parent.parent
JOB = ("--backbone", "vgg19-slim", "--size", "96", "--levels", "1", *DEPTH)

pytestmark = pytest.mark.slow


def started(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pipeline.cli", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        # The tests may themselves run in the background of a shell, which ignores Ctrl-C there.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Until a file is there; the process must still be at work."""
    for _ in range(1200):
        if path.exists():
            return
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    raise AssertionError(f"{path} never appeared")


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise there")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_picture_is_continued_to_the_same_result(
    number: signal.Signals, code: int, photo: Path, style: Path, tmp_path: Path
) -> None:
    def command(output: Path) -> list[object]:
        return ["image", photo, "--style", style, "-o", output, *JOB, "--iterations", "300", "--keep-run"]

    output = tmp_path / "out.png"
    process = started(*command(output))
    wait_for(tmp_path / "out.png.run" / "snapshots" / "picture" / "snapshot-0003.png", process)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == code
    assert "stopping after this iteration; once more stops at once" in said
    assert f"stopped; to continue: deepfusion image {quote(str(photo))}" in said
    assert "Traceback" not in said
    assert not output.exists()
    assert (tmp_path / "out.png.run" / "checkpoint").exists()
    ran = done(*command(output))
    assert f"continuing where an earlier run stopped (in {output}.run)" in ran.err
    if number is signal.SIGINT:
        done(*command(tmp_path / "whole.png"))
        assert np.array_equal(pixels(output), pixels(tmp_path / "whole.png"))


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_clip_is_stopped_while_it_is_decoded(
    number: signal.Signals, clip: Path, style: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.mp4"
    arguments = ("--iterations", "3", "--frame-iterations", "40")
    process = started("video", clip, "--style", style, "-o", output, *JOB, *arguments)
    wait_for(tmp_path / "out.mp4.run" / "frames" / "000001.png", process)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + number
    assert "to continue: deepfusion video" in said
    assert "Fatal" not in said
    assert "Traceback" not in said


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise there")
def test_a_second_signal_ends_it_at_once_and_leaves_no_ffmpeg(
    clip: Path, style: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.mp4"
    arguments = ("--iterations", "3", "--frame-iterations", "100000")
    process = started("video", clip, "--style", style, "-o", output, *JOB, *arguments)
    wait_for(tmp_path / "out.mp4.run" / "frames" / "000000.png", process)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 143
    assert "Traceback" not in said
    assert not output.exists()
    left = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in left.splitlines() if "ffmpeg" in line and clip.as_posix() in line]
