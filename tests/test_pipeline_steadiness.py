"""How much a style lets frames flicker, said before the job."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from pipeline_runs import QUICK_CLIP, deepfusion, done, refused

from video.images import FloatImage, write_image
from video.metrics import LIVELY, STEADY, fine_contrast


def stripes(period: int, contrast: float = 1.0) -> FloatImage:
    wave = 0.5 + 0.5 * contrast * np.sin(2 * np.pi * np.arange(160) / period)
    return np.broadcast_to(wave[None, :, None], (120, 160, 3)).astype(np.float32)


def test_fine_contrast_is_the_deviation_of_fine_structures() -> None:
    assert fine_contrast(stripes(8)) == pytest.approx(np.sqrt(1 / 8), rel=0.02)
    assert fine_contrast(stripes(8, 0.5)) == pytest.approx(fine_contrast(stripes(8)) / 2, rel=0.01)
    assert fine_contrast(stripes(160)) < 0.05  # coarse forms do not count
    assert fine_contrast(np.full((9, 9, 3), 0.3, np.float32)) == pytest.approx(0.0, abs=1e-6)


def test_the_pictures_own_size_does_not_count_but_that_of_the_strokes_does() -> None:
    large = cv2.resize(stripes(16), (1600, 1200), interpolation=cv2.INTER_CUBIC)
    assert fine_contrast(large) == pytest.approx(fine_contrast(stripes(16)), rel=0.02)
    assert fine_contrast(stripes(20), 0.5) > fine_contrast(stripes(20))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    styles = tmp_path / "styles"
    styles.mkdir()
    write_image(styles / "wild.png", stripes(8))
    write_image(styles / "calm.png", stripes(8, 0.1))
    assert fine_contrast(stripes(8)) > LIVELY > STEADY > fine_contrast(stripes(8, 0.1))
    return styles


def test_the_doctor_ranks_styles(folder: Path, pictures: Path) -> None:
    lines = done("doctor", "--style", folder, "--style", pictures / "red.png").out.splitlines()
    assert [line.split(".png")[0].rsplit("/", 1)[-1] for line in lines[1:4:2]] == ["calm", "wild"]
    assert lines[1].endswith("steadier than most")
    assert lines[3].endswith("0.353  flickers more than most")
    assert "no such file" in refused("doctor", "--style", folder / "mild.png")
    empty = folder.parent / "empty"
    empty.mkdir()
    assert "there are no pictures in this folder" in refused("doctor", "--style", empty)


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_a_job_says_so_where_nothing_holds_the_frames(folder: Path, clip: Path, tmp_path: Path) -> None:
    common = ("video", clip, "-o", tmp_path / "out.mkv", *QUICK_CLIP, "--frames", "0:2", "--overwrite")
    wild, calm = ("--style", folder / "wild.png"), ("--style", folder / "calm.png")
    warned = "wild.png: a style of fine contrast 0.353 flickers more than most (over 0.12)"
    assert warned in done(*common, *wild, "--temporal", "off").err
    for arguments in (wild, (*calm, "--temporal", "off")):
        assert "flickers" not in deepfusion(*common, *arguments).err
    plan = done(*common, *wild, "--dry-run")
    assert (
        "style   wild.png: made alone, a frame in it flickers more than most (fine contrast 0.353)"
        in plan.out
    )
    assert done(*common, *wild, "--dry-run", "--json").json["fine_contrast"] == pytest.approx(
        {"wild.png": 0.354}, abs=1e-3
    )
