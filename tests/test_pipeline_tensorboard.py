"""Event files as TensorBoard itself reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pipeline_runs import QUICK, QUICK_CLIP, done, refused, tree
from tensorboard.backend.event_processing.event_accumulator import TENSORS, EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from video.images import read_image, write_image

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("uncompiled")]


def events(folder: Path) -> dict[str, list[tuple[int, Any]]]:
    """Step and value of everything in a run, by tag."""
    reader = EventAccumulator(str(folder), size_guidance={TENSORS: 0})
    reader.Reload()
    return {
        tag: [(event.step, make_ndarray(event.tensor_proto)) for event in reader.Tensors(tag)]
        for tag in reader.Tags()["tensors"]
    }


def plugins(folder: Path) -> dict[str, str]:
    reader = EventAccumulator(str(folder))
    reader.Reload()
    return {tag: reader.SummaryMetadata(tag).plugin_data.plugin_name for tag in reader.Tags()["tensors"]}


def test_a_picture(photo: Path, style: Path, tmp_path: Path) -> None:
    board = tmp_path / "new" / "board"
    ran = done("image", photo, "--style", style, "-o", tmp_path / "o.png", *QUICK, "--iterations", "5",
               "--json", "--tensorboard", board)  # fmt: skip
    found = events(board)
    assert [step for step, _ in found["loss/total"]] == list(range(6))
    assert found["result/loss/style"][0][1] == pytest.approx(ran.json["losses"]["style"])
    assert [step for step, _ in found["picture"]] == [0, 1, 2, 4]
    width, height, png = found["result"][0][1]
    assert (int(width), int(height), png[:4]) == (64, 48, b"\x89PNG")
    kinds = plugins(board)
    assert (kinds["loss/total"], kinds["content"]) == ("scalars", "images")


def test_a_clip(clip: Path, style: Path, tmp_path: Path) -> None:
    done(
        "video",
        clip,
        "--style",
        style,
        "-o",
        tmp_path / "o.mkv",
        *QUICK_CLIP,
        "--tensorboard",
        tmp_path / "board",
    )
    found = events(tmp_path / "board")
    steps = [step for step, _ in found["loss/total"]]
    assert steps == list(range(len(steps)))  # frame after frame
    assert [step for step, _ in found["result/loss/total"]] == list(range(6))
    assert len(found["result/warping error"]) == 5
    assert len(found["content"]) == 1


def test_every_photo_is_a_run(photo: Path, style: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a.png", "b.png"):
        write_image(photos / name, read_image(photo))
    board = tmp_path / "board"
    done("album", photos, "--style", style, "-o", tmp_path / "o", *QUICK, "--tensorboard", board)
    assert sorted(path.name for path in board.iterdir()) == ["00001 a.png", "00002 b.png"]
    one, other = events(board / "00001 a.png"), events(board / "00002 b.png")
    np.testing.assert_allclose(one["loss/total"][-1][1], other["loss/total"][-1][1])


def test_a_folder_that_cannot_be(photo: Path, style: Path, tmp_path: Path) -> None:
    (tmp_path / "board").write_text("")
    said = refused("image", photo, "--style", style, "-o", tmp_path / "o.png", *QUICK, "--tensorboard",
                   tmp_path / "board")  # fmt: skip
    assert (
        said == f"--tensorboard {tmp_path / 'board'}: the folder cannot be made: File exists; choose another"
    )
    assert tree(tmp_path) == ["board"]
