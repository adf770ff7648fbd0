"""`--loop` on the command line: continued, reported, scored, refused; and what is no loop."""

# ruff: noqa: E501 - messages are given in full

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loops import contents_of, errors_of, folder_of, ring
from pipeline_runs import QUICK, deepfusion, done, frames_of, refused

from stylize.stylizer import Stylizer
from video.images import write_image

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
