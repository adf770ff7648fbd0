"""`--loop` on the command line: continued, reported, scored, refused; and what is no loop."""

# ruff: noqa: E501 - messages are given in full

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loops import contents_of, errors_of, folder_of, ring
from pipeline_runs import QUICK, deepfusion, done, frames_of, refused

from stylize.stylizer import Stylizer
from video.images import read_image, write_image

ROOT = Path(__file__).resolve().parent.parent

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("uncompiled")]


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A loop of four frames."""
    return folder_of(tmp_path_factory.mktemp("loop") / "short", [one[:, :64] for one in ring(18, 4)])


@pytest.fixture(scope="module")
def ending(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two frames of a place and two of another."""
    wide = ring(100, 4)[0]
    pan = [np.ascontiguousarray(wide[:, at : at + 64]) for at in (0, 4, 200, 204)]
    return folder_of(tmp_path_factory.mktemp("loop") / "ending", pan)


def video(content: Path, style: Path, output: Path, *arguments: object) -> list[object]:
    return ["video", content, "--style", style, "-o", output, *QUICK, "--frame-iterations", "2", *arguments]


def run_frames(output: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (output.parent / f"{output.name}.run/frames").iterdir()}


def test_an_interrupted_lap_continues_to_the_same_clip(
    short: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(*video(short, style, tmp_path / "whole.mp4", "--loop", "--keep-run"))
    stylize, begun = Stylizer.stylize, 0

    def sixth(self: Stylizer, *arguments: Any, **options: Any) -> Any:
        nonlocal begun
        begun += 1
        if begun == 6:
            raise KeyboardInterrupt
        return stylize(self, *arguments, **options)

    words = video(short, style, tmp_path / "out.mp4", "--loop", "--keep-run")
    with monkeypatch.context() as patch:
        patch.setattr(Stylizer, "stylize", sixth)
        assert deepfusion(*words).code == 130
    ran = done(*words, "--json")
    assert "continuing: 5 of 7 frames are finished already" in ran.err
    assert run_frames(tmp_path / "out.mp4") == run_frames(tmp_path / "whole.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert len(frames_of(tmp_path / "out.mp4")) == 4
    assert 0.0 < ran.json["loop_error"] < 1.0


def test_both_reports_say_how_it_closes(short: Path, style: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    ran = done(*video(short, style, tmp_path / "out", "--loop", "--report", page, "-o", tmp_path / "out.mkv"))
    assert "from the last frame to the first " in ran.out
    assert "from the last frame to the first" in page.read_text()
    assert page.read_text().count('"frame 0"') <= 1


def test_score_measures_how_a_loop_closes(short: Path, tmp_path: Path) -> None:
    pictures = [1.0 - frame for frame in contents_of(short)]
    pictures[-1] = np.clip(pictures[-1] + 0.2, 0.0, 1.0)
    made = folder_of(tmp_path / "made", pictures)
    plain = done("score", short, made, "--json").json
    found = done("score", short, made, "--loop", "--json").json
    expected = errors_of(contents_of(short), contents_of(made))
    assert found["loop_error"] == pytest.approx(expected[-1])
    assert found["warping_error"] == plain["warping_error"] == pytest.approx(np.mean(expected[:-1]))
    assert "loop_error" not in plain
    assert (
        "e-4 from the last frame to the first; the content itself has"
        in done("score", short, made, "--loop").out
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--cuts", "CUTS"], "--loop: the clip has 2 shots, so its end is a cut like others and nothing leads into its beginning; --cuts none takes it for one shot"),
        (["--cuts", "none"], "of the next one in the first; that is no loop, and the clip is done as one that ends"),
    ],
)  # fmt: skip
def test_what_is_no_loop_is_told_and_done_as_ever(
    more: list[str], said: str, ending: Path, style: Path, tmp_path: Path
) -> None:
    cuts = tmp_path / "cuts.txt"
    cuts.write_text("2\n")
    more = [str(cuts) if word == "CUTS" else word for word in more]
    ran = done(*video(ending, style, tmp_path / "loop.mkv", "--loop", "--keep-run", "--json", *more))
    assert ran.err.count("--loop: ") == 1 and said in ran.err
    assert ran.json["loop_error"] is None
    done(*video(ending, style, tmp_path / "plain.mkv", "--keep-run", *more))
    assert run_frames(tmp_path / "loop.mkv") == run_frames(tmp_path / "plain.mkv")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--temporal", "previous"], "--loop: the end leads into the beginning with temporal flow, not with temporal previous"),
        (["--temporal", "off"], "--loop: the end leads into the beginning with temporal flow, not with temporal off"),
        (["--engine", "hub", "--hub-model", "x"], "--loop: the end leads into the beginning with temporal flow, not with engine hub"),
        (
            ["--keyframe", "0 strength=0", "--keyframe", "3 strength=1"],
            "--loop: from the last frame to the first the look changes by 1, between others by at most 0.48; let the keyframes end as they begin",
        ),
    ],
)  # fmt: skip
def test_what_makes_no_loop_is_refused(
    arguments: list[str], said: str, short: Path, style: Path, tmp_path: Path
) -> None:
    assert refused(*video(short, style, tmp_path / "out.mkv", "--loop", *arguments)) == said


def test_a_look_may_change_around_a_loop(short: Path, style: Path, tmp_path: Path) -> None:
    frames = ["--keyframe", "0 strength=1", "--keyframe", "2 strength=0.5", "--keyframe", "4 strength=1"]
    mask = tmp_path / "mask.png"
    write_image(mask, np.tile(np.linspace(0, 1, 64, dtype=np.float32)[None, :, None], (48, 1, 3)))
    ran = done(*video(short, style, tmp_path / "out.mkv", "--loop", "--json", "--mask", mask, *frames))
    assert ran.json["loop_error"] is not None


@pytest.mark.parametrize("part", ["0:1", "1:3"])
def test_few_frames(part: str, short: Path, style: Path, tmp_path: Path) -> None:
    ran = done(*video(short, style, tmp_path / "out.mkv", "--loop", "--frames", part, "--json"))
    assert len(frames_of(tmp_path / "out.mkv")) == int(part[2]) - int(part[0])
    assert (ran.json["loop_error"] is None) == (part == "0:1")


# --- finished -----------------------------------------------------------------------------------------------

FINISH = ("--loop", "--keep-run", "--size", "32", "--finish", "64", "--finish-iterations", "2")


@pytest.fixture(scope="module")
def finished(short: Path, style: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The loop of four frames, finished at once."""
    output = tmp_path_factory.mktemp("finished") / "out.mkv"
    done(*video(short, style, output, *FINISH))
    return output


def test_a_finished_loop_closes_too(tmp_path: Path, style: Path) -> None:
    """No wider than between other frames, where without the lap it would be wider."""
    contents = ring()
    turning = folder_of(tmp_path / "turning", contents)
    found = {}
    for name, more in (("closed", ["--loop"]), ("open", [])):
        ran = done(*video(turning, style, tmp_path / f"{name}.mkv", *FINISH[1:], *more, "--json"))
        frames = tmp_path / f"{name}.mkv.run" / "frames"
        made = [sorted(frames.glob(f"{number:06}-finished*.png")) for number in range(len(contents))]
        last = [files[0] for files in made]  # -lap comes before the suffix
        found[name] = errors_of(contents, [read_image(path) for path in last])
        assert {path.stem[6:] for path in frames.iterdir()} >= {"", "-finished"}
        assert (ran.json["loop_error"] is None) == (name == "open")
    assert ran.json["frames"] == len(contents)
    assert found["closed"][-1] <= max(found["closed"][:-1])
    assert found["closed"][-1] < 0.5 * found["open"][-1]


def test_a_finished_loop_has_what_both_laps_made(finished: Path) -> None:
    made, kinds = run_frames(finished), ("", "-finished", "-finished-lap", "-pass2")
    assert made.keys() == {f"{number:06}{kind}.png" for number in range(4) for kind in kinds}
    assert made["000003-finished.png"] == made["000003-finished-lap.png"]  # where the laps meet
    assert made["000000-finished.png"] != made["000000-finished-lap.png"]


@pytest.mark.parametrize("begun", [9, 13])
def test_a_finished_loop_is_continued_to_the_same(
    begun: int, finished: Path, short: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the finishing pass, and in its lap."""
    stylize, seen = Stylizer.stylize, 0

    def stop(self: Stylizer, *arguments: Any, **options: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == begun:
            raise KeyboardInterrupt
        return stylize(self, *arguments, **options)

    words = video(short, style, tmp_path / "out.mkv", *FINISH)
    with monkeypatch.context() as patch:
        patch.setattr(Stylizer, "stylize", stop)
        assert deepfusion(*words).code == 130
    ran = done(*words)
    assert f"continuing: {begun + (begun > 7) - 1} of 14 frames are finished already" in ran.err
    assert run_frames(tmp_path / "out.mkv") == run_frames(finished)


def test_a_damaged_frame_of_the_lap_is_made_again_with_what_was_finished_from_it(
    finished: Path, short: Path, style: Path
) -> None:
    whole = run_frames(finished)
    frames = finished.parent / f"{finished.name}.run/frames"
    (frames / "000001-pass2.png").write_bytes(b"damaged")
    ran = done(*video(short, style, finished, *FINISH, "--overwrite"))
    assert "damaged" in ran.err
    assert run_frames(finished) == whole


def test_a_worker_finishes_a_loop_as_one_process_does(short: Path, style: Path, tmp_path: Path) -> None:
    """To the last bit: both in processes of their own, since steps that are not compiled round otherwise."""
    made = []
    for name, workers in (("one.mkv", ()), ("worker.mkv", ("--workers", "1"))):
        words = video(short, style, tmp_path / name, *FINISH, "--threads", "1", *workers)
        command = [sys.executable, "-m", "pipeline.cli", *map(str, words)]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
        made.append(run_frames(tmp_path / name))
    assert made[0] == made[1]


def test_what_is_no_loop_is_finished_as_a_clip_that_ends(ending: Path, style: Path, tmp_path: Path) -> None:
    words = (*FINISH[1:], "--size", "56", "--cuts", "none")
    ran = done(*video(ending, style, tmp_path / "loop.mkv", "--loop", *words, "--json"))
    assert ran.json["loop_error"] is None
    done(*video(ending, style, tmp_path / "plain.mkv", *words))
    assert run_frames(tmp_path / "loop.mkv") == run_frames(tmp_path / "plain.mkv")
