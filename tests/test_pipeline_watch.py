"""Those who look on are told everything once, and the warping error is the one that `score` finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pipeline_runs import QUICK_CLIP, done

from pipeline.api import run_job
from pipeline.progress.display import Display
from pipeline.progress.events import Begun, Ended, Moved, Watcher
from pipeline.progress.report import Report
from pipeline.settings.job import StyleSource, build_job
from pipeline.settings.run_options import RunOptions
from video.decode import read_frames
from video.images import read_image, write_image
from video.metrics import ConsistencyMeter
from video.probe import probe

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("uncompiled")]

SETTINGS: dict[str, Any] = {
    "backbone": "vgg19-slim", "size": 64, "iterations": 3, "levels": 1, "content_layers": ("relu2_1",),
    "style_layers": ("relu1_1", "relu2_1"),
}  # fmt: skip


class Notebook(Watcher):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def of(self, kind: str) -> list[Any]:
        return [what for name, what in self.told if name == kind]

    def job_begins(self, job: Any, backbone: str) -> None:
        self.told.append(("begins", (job.command, backbone)))

    def picture_begins(self, begun: Begun) -> None:
        self.told.append(("picture", begun))

    def iterated(self, progress: Any, picture: Any) -> None:
        self.told.append(("iteration", (progress.iteration, picture().shape)))

    def picture_ends(self, ended: Ended) -> None:
        assert ended.file.exists()
        self.told.append(("end", ended))

    def work_moves(self, moved: Moved) -> None:
        self.told.append(("work", moved.share))

    def warned(self, text: str) -> None:
        self.told.append(("warning", text))

    def job_ends(self, report: Any) -> None:
        self.told.append(("over", report))


def run(command: str, content: Path, style: Path, output: Path, **settings: Any) -> Notebook:
    job = build_job(command, content, (StyleSource(style),), output, overrides={**SETTINGS, **settings})
    display, notebook = Display(-1), Notebook()
    display.watchers.each.append(notebook)
    run_job(job, RunOptions(keep_run=True, overwrite=True), display)
    return notebook


@pytest.mark.parametrize("settings", [{}, {"temporal": "off"}, {"passes": 3}, {"passes": 2}])
def test_the_warping_error_is_what_score_finds(
    settings: dict[str, Any], clip: Path, style: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.mkv"
    told = run("video", clip, style, out, frame_iterations=3, **settings)
    passes = settings.get("passes", 1)
    last = "" if passes == 1 else f"-pass{passes}"
    pictures = [read_image(tmp_path / f"out.mkv.run/frames/{index:06d}{last}.png") for index in range(6)]
    meter = ConsistencyMeter()
    pairs = zip(read_frames(probe(clip)), pictures, strict=True)
    expected = [found.error for pair in pairs if (found := meter.feed(*pair)) is not None]
    ends = sorted(told.of("end"), key=lambda end: end.name)
    told_errors = [end.error for end in ends if end.error is not None]
    assert told_errors == pytest.approx(expected, rel=1e-4)
    assert told.of("over")[0].warping_error == pytest.approx(np.mean(expected), rel=1e-4)
    assert "warping error " in told.of("over")[0].summary()


def test_a_clip_is_told_frame_by_frame(clip: Path, style: Path, tmp_path: Path) -> None:
    told = run("video", clip, style, tmp_path / "out.mkv", frame_iterations=3)
    assert told.told[0] == ("begins", ("video", "vgg19-slim"))
    assert [begun.name for begun in told.of("picture")] == [f"frame {number}" for number in range(6)]
    assert told.of("picture")[0].content.shape == (48, 64, 3)
    assert {shape for _, shape in told.of("iteration")} == {(48, 64, 3)}
    assert [end.cut for end in told.of("end")] == [True] + [False] * 5
    assert all("total" in end.losses and not end.found for end in told.of("end"))
    assert told.of("work") == sorted(told.of("work"))
    assert isinstance(told.told[-1][1], Report)
    again = run("video", clip, style, tmp_path / "out.mkv", frame_iterations=3)
    assert [end.found for end in again.of("end")] == [True] * 6
    assert again.of("over")[0].warping_error == pytest.approx(told.of("over")[0].warping_error)
    assert not again.of("picture")


def test_an_album_and_a_picture_are_told(photo: Path, style: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a.png", "b.png"):
        write_image(photos / name, read_image(photo))
    told = run("album", photos, style, tmp_path / "out")
    assert [(end.name, end.found) for end in told.of("end")] == [("a.png", False), ("b.png", False)]
    write_image(photos / "c.png", read_image(photo))
    again = run("album", photos, style, tmp_path / "out")
    assert [(end.name, end.found) for end in again.of("end")] == [
        ("a.png", True), ("b.png", True), ("c.png", False),
    ]  # fmt: skip
    told = run("image", photo, style, tmp_path / "one.png")
    assert [end.name for end in told.of("end")] == ["photo.png"]
    assert told.of("over")[0].warping_error is None


def test_an_error_ends_a_job_without_a_report(photo: Path, style: Path, tmp_path: Path) -> None:
    display, notebook = Display(-1), Notebook()
    display.watchers.each.append(notebook)
    job = build_job("image", photo, (StyleSource(style),), tmp_path / "no" / "o.png", overrides=SETTINGS)
    with pytest.raises(Exception, match="there is no folder"):
        run_job(job, RunOptions(), display)
    assert notebook.told == [("over", None)]


def test_the_last_line_has_the_error(clip: Path, style: Path, tmp_path: Path) -> None:
    ran = done("video", clip, "--style", style, "-o", tmp_path / "o.mkv", *QUICK_CLIP, "--json")
    assert 0.0 < ran.json["warping_error"] < 1.0
