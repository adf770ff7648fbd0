"""`deepfusion score` on clips whose steadiness is known, and what it refuses."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from pipeline_runs import done, refused
from video_clips import convert

from video.images import FloatImage, write_image

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("uncompiled")]
COUNT = 4


def texture(seed: int) -> FloatImage:
    noise = np.random.default_rng(seed).random((80, 140, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
    return (smooth - smooth.min()) / (smooth.max() - smooth.min())


def folder_of(path: Path, frames: list[FloatImage]) -> Path:
    for number, frame in enumerate(frames):
        write_image(path / f"{number:03d}.png", frame)
    return path


def windows(scene: FloatImage, count: int = COUNT, step: int = 4) -> list[FloatImage]:
    return [np.ascontiguousarray(scene[:, step * t : step * t + 96]) for t in range(count)]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A pan; a picture that moves along, one that stays behind, one that is another in every frame."""
    folder = tmp_path_factory.mktemp("clips")
    frames = {
        "content": windows(texture(1)),
        "along": windows(texture(2)),
        "behind": windows(texture(2), step=0),
        "restless": [texture(seed)[:, :96].copy() for seed in range(10, 10 + COUNT)],
        "short": windows(texture(2), COUNT - 1),
        "tall": [frame[:, :60].copy() for frame in windows(texture(2))],
        "one": windows(texture(1), 1),
    }
    for name, pictures in frames.items():
        (folder / name).mkdir()
        folder_of(folder / name, pictures)
    return {name: folder / name for name in frames}


def scores(clips: dict[str, Path], name: str, *arguments: object) -> dict[str, object]:
    return json.loads(done("score", clips["content"], clips[name], "--json", *arguments).out)


def test_what_moves_along_is_steady_and_what_does_not_is_not(clips: dict[str, Path]) -> None:
    errors = [scores(clips, name)["warping_error"] for name in ("along", "behind", "restless")]
    assert errors[0] < 0.05 * errors[1]  # type: ignore[operator]
    assert errors[1] < errors[2]  # type: ignore[operator]


def test_a_clip_against_itself_has_its_own_error_and_no_content_loss(clips: dict[str, Path]) -> None:
    found = scores(clips, "content")
    assert found["warping_error"] == found["content_warping_error"]
    assert found["content_loss"] == pytest.approx(0.0, abs=1e-9)
    assert found["frames"] == COUNT
    assert "style_loss" in found
    assert found["style_loss"] is None


def test_the_style_loss_knows_its_style(clips: dict[str, Path], tmp_path: Path) -> None:
    stripes = np.zeros((80, 96, 3), np.float32)
    stripes[::4, :, 0] = stripes[1::4, :, 0] = 1.0
    write_image(tmp_path / "style.png", stripes[:, :90])
    (tmp_path / "striped").mkdir()
    striped = folder_of(tmp_path / "striped", [stripes] * COUNT)
    near = scores({**clips, "striped": striped}, "striped", "--style", tmp_path / "style.png")["style_loss"]
    far = scores(clips, "content", "--style", tmp_path / "style.png")["style_loss"]
    assert near < far  # type: ignore[operator]


def test_the_table_has_a_line_a_frame(clips: dict[str, Path], tmp_path: Path) -> None:
    ran = done("score", clips["content"], clips["behind"], "--csv", tmp_path / "rows.csv", "--cuts", "none")
    with (tmp_path / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == ["0", "1", "2", "3"]
    assert rows[0]["warping_error"] == ""
    mean = np.mean([float(row["warping_error"]) for row in rows[1:]])
    assert f"warping error  {mean * 1e4:.2f}e-4 over 3 pairs" in ran.out
    assert "frame by frame in" in ran.out


def test_the_table_never_takes_the_place_of_something_else(clips: dict[str, Path], tmp_path: Path) -> None:
    frame = sorted(clips["content"].iterdir())[0]
    old = tmp_path / "old.csv"
    old.write_text("mine")
    before = frame.read_bytes()
    for target, said in (
        (frame, "cannot write .*: the suffix .png is not supported; use one of .csv"),
        (clips["content"] / "rows.csv", "is an input, or lies in one"),
        (old, "exists already; give --overwrite"),
        (tmp_path / "no" / "rows.csv", "there is no folder"),
        (tmp_path, "cannot write"),
        (Path("/dev/null"), "cannot write"),
        (Path("."), "cannot write"),
    ):
        assert re.search(said, refused("score", clips["content"], clips["content"], "--csv", target))
    assert (frame.read_bytes(), old.read_text()) == (before, "mine")
    done("score", clips["content"], clips["content"], "--csv", old, "--overwrite")
    assert old.read_text().startswith("frame,")


def test_nothing_is_compared_across_a_cut(clips: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "cuts.txt").write_text("2\n")
    rows = tmp_path / "rows.csv"
    done("score", clips["content"], clips["behind"], "--csv", rows, "--cuts", tmp_path / "cuts.txt")
    with rows.open() as file:
        assert [row["warping_error"] == "" for row in csv.DictReader(file)] == [True, False, True, False]


def test_a_single_frame_has_nothing_to_flicker(clips: dict[str, Path]) -> None:
    ran = done("score", clips["one"], clips["one"])
    assert "nothing can flicker" in ran.out


def test_a_part_of_the_content_can_be_named(clips: dict[str, Path]) -> None:
    found = scores(clips, "short", "--frames", "0:3")
    assert found["frames"] == 3


def test_a_smaller_output_is_compared_at_its_own_size(clips: dict[str, Path], tmp_path: Path) -> None:
    half = [
        cv2.resize(frame, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA) for frame in windows(texture(2))
    ]
    (tmp_path / "half").mkdir()
    found = json.loads(done("score", clips["content"], folder_of(tmp_path / "half", half), "--json").out)
    assert found["warping_error"] < 1e-3


def test_clips_and_folders_mix(clips: dict[str, Path], tmp_path: Path) -> None:
    movie = convert(
        ["-framerate", "25", "-i", str(clips["along"] / "%03d.png"), "-crf", "10"], tmp_path / "a.mp4"
    )
    assert json.loads(done("score", clips["content"], movie, "--json").out)["frames"] == COUNT


def test_what_cannot_be_compared_is_said(clips: dict[str, Path], tmp_path: Path) -> None:
    said = refused("score", clips["content"], clips["short"])
    assert "has 3 frames" in said
    assert "--frames 0:3" in said
    assert "not the same picture at two sizes" in refused("score", clips["content"], clips["tall"])
    assert "no such file" in refused("score", clips["content"], tmp_path / "no.mp4")
    (tmp_path / "cuts.txt").write_text("3\n1\n")
    said = refused("score", clips["content"], clips["along"], "--cuts", tmp_path / "cuts.txt")
    assert "line 2: 1 comes after 3" in said
