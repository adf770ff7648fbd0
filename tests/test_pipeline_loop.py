"""Clips that are loops: the end leads into the beginning, whatever interrupts the work."""

# ruff: noqa: E501 - messages are given in full

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pipeline_runs import QUICK, deepfusion, done, frames_of, refused
from tiny_encoder import random_picture, tiny_config, tiny_weights

from pipeline.clip.frame_loop import FrameLoop
from pipeline.clip.frames import FrameMade
from pipeline.clip.lap import LAP, lap_length, rounds, share_of_own
from pipeline.clip.ledger import ClipBook
from pipeline.clip.motion import FlowTracker, MotionModel
from pipeline.clip.shots import ShotTask, _ShotWorker, find_shots
from pipeline.clip.source import open_clip
from pipeline.clip.timeline import Timeline
from pipeline.progress.display import Display
from pipeline.progress.report import Report
from pipeline.run_folder.folder import Frame, RunFolder
from pipeline.settings.job_settings import VideoSettings
from stylize.look import Look
from stylize.stylizer import Stylizer
from video.images import FloatImage, read_image, write_image
from video.metrics import ConsistencyMeter

pytestmark = pytest.mark.usefixtures("uncompiled")
COUNT = 16


def ring(step: int = 4, count: int = COUNT, height: int = 48) -> list[FloatImage]:
    """A smooth texture that turns around once."""
    width = step * count
    noise = np.tile(np.random.default_rng(1).random((height, width, 3)).astype(np.float32), (1, 3, 1))
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.5)[:, width : 2 * width]
    smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    return [np.ascontiguousarray(np.roll(smooth, -step * turn, axis=1)) for turn in range(count)]


def folder_of(path: Path, frames: Sequence[FloatImage]) -> Path:
    path.mkdir()
    for number, frame in enumerate(frames):
        write_image(path / f"{number:03d}.png", frame)
    return path


@pytest.fixture(scope="module")
def turning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A loop of 16 frames."""
    return folder_of(tmp_path_factory.mktemp("loop") / "turning", ring())


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A loop of four frames."""
    return folder_of(tmp_path_factory.mktemp("loop") / "short", [one[:, :64] for one in ring(30, 4)])


@pytest.fixture(scope="module")
def ending(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pan of four frames that ends where nothing of its beginning is to be seen."""
    wide = ring(100, 4)[0]
    pan = [np.ascontiguousarray(wide[:, 30 * t : 30 * t + 64]) for t in range(4)]
    return folder_of(tmp_path_factory.mktemp("loop") / "ending", pan)


class Job:
    """A clip through the frame loop, on a tiny network."""

    def __init__(self, content: Path, run: Path, **settings: Any) -> None:
        self.settings = VideoSettings(size=64, frame_iterations=6, **settings)
        self.run = RunFolder(run, {})
        self.clip = open_clip(content, self.settings, 16)
        self.stylizer = Stylizer(
            tiny_config(iterations=12, style_weight=3.0),
            [random_picture(seed=5)],
            tiny_weights(),
            temporal_weight=1000.0,
        )
        self.timeline = Timeline(Look(), (), (), self.clip, [1])
        self.display = Display(-1)
        self.report = Report("video", "out")

    def book(self) -> ClipBook:
        return ClipBook(self.run, self.settings, self.report, self.display)

    def done(self) -> ClipBook:
        book = self.book()
        FrameLoop(
            self.settings,
            self.clip,
            self.timeline,
            self.stylizer,
            self.run,
            dict(book.frames),
            book.take,
            self.display,
        ).run()
        return book

    def pictures(self, book: ClipBook) -> list[FloatImage]:
        return [read_image(path) for path, _ in book.pictures(self.timeline)]


def errors_of(contents: Sequence[FloatImage], pictures: Sequence[FloatImage]) -> list[float]:
    """The warping errors of all pairs; that from the last frame to the first at the end."""
    meter = ConsistencyMeter()
    closed = zip([*contents, contents[0]], [*pictures, pictures[0]], strict=True)
    return [row.error for pair in closed if (row := meter.feed(*pair)) is not None]


def contents_of(folder: Path) -> list[FloatImage]:
    return [read_image(path) for path in sorted(folder.glob("*.png"))]


@pytest.fixture(scope="module")
def closed(uncompiled: None, turning: Path, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The loop done as one, in one go."""
    job = Job(turning, tmp_path_factory.mktemp("closed") / "run", loop=True)
    job.done()
    return job


def test_the_last_frame_leads_into_the_first(closed: Job, turning: Path, tmp_path: Path) -> None:
    contents, book = contents_of(turning), closed.book()
    found = errors_of(contents, closed.pictures(book))
    without = Job(turning, tmp_path / "run")
    open_ends = errors_of(contents, without.pictures(without.done()))
    assert found[-1] <= max(found[:-1])
    assert open_ends[-1] > 3 * max(open_ends[:-1])
    assert np.mean(found[:-1]) < 1.5 * np.mean(open_ends[:-1])
    assert book.loop_error() == pytest.approx(found[-1], rel=1e-4)
    assert book.warping_error() == pytest.approx(np.mean(found[:-1]), rel=1e-4)
    assert closed.display.warnings == []


def test_what_is_not_done_again_is_as_ever(closed: Job, turning: Path, tmp_path: Path) -> None:
    without = Job(turning, tmp_path / "run")
    before, after = without.pictures(without.done()), closed.pictures(closed.book())
    again = [number for number in range(COUNT) if not np.array_equal(before[number], after[number])]
    assert again == list(range(LAP))
    assert sorted(index for sweep, index in closed.book().frames if sweep == 2) == list(range(LAP + 1))


def test_a_pass_back_goes_on_into_the_end(turning: Path, tmp_path: Path) -> None:
    job = Job(turning, tmp_path / "run", loop=True, passes=2, long_term=(1, 2, 4))
    book = job.done()
    lines = (job.run.path / "journal.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    order = [*range(COUNT), *range(COUNT - 1, -1, -1), *range(COUNT - 1, COUNT - LAP - 2, -1)]
    assert [row["index"] for row in rows] == order
    found = errors_of(contents_of(turning), job.pictures(book))
    assert book.loop_error() == pytest.approx(found[-1], rel=1e-4)
    assert book.warping_error() == pytest.approx(np.mean(found[:-1]), rel=1e-4)
    assert found[-1] <= max(found[:-1])
    assert book.frames == job.book().frames  # all of it stands when it is read again


@pytest.mark.parametrize("lost", [(1, 14), (2, 0), (2, 5), (2, LAP)])
def test_damaged_frames_are_made_again_with_what_came_from_them(lost: tuple[int, int], closed: Job) -> None:
    path = closed.run.frame_path(lost[1], lost[0])
    whole = {path.name: path.read_bytes() for path in closed.run.frames.iterdir()}
    path.write_bytes(b"damaged")
    stands = set(closed.book().frames)
    kept = {(1, index) for index in range(lost[1] if lost[0] == 1 else COUNT)}
    kept |= {(2, index) for index in range(lost[1] if lost[0] == 2 else 0)}
    assert stands == kept
    errors = closed.done().loop_error()
    assert {path.name: path.read_bytes() for path in closed.run.frames.iterdir()} == whole
    assert errors == closed.book().loop_error()


@pytest.mark.parametrize("there", [0, COUNT + 3])
def test_a_worker_makes_what_one_process_does(there: int, closed: Job, tmp_path: Path) -> None:
    (shot,) = find_shots(closed.clip, closed.display)
    assert shot.whole
    lines = (closed.run.path / "journal.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines[: COUNT + LAP + 1]]
    for row in rows:
        row.pop("chain")
    finished = tuple(Frame(**row) for row in rows[:there])
    files = tuple(closed.run.frames / one.file for one in finished)
    told: list[FrameMade] = []
    worker = _ShotWorker(closed.settings, closed.clip, closed.timeline, closed.stylizer, None, closed.display)
    worker.do(ShotTask(shot, finished, files), lambda path: path, told.append)
    assert [(made.frame.sweep, made.frame.index) for made in told] == [
        (row["sweep"], row["index"]) for row in rows
    ]
    for made in told:
        if not made.found:
            assert made.data == (closed.run.frames / made.frame.file).read_bytes()
    book = closed.book()
    assert book.has_all(shot.indices, closes=True)
    del book.frames[2, LAP]
    assert not book.has_all(shot.indices, closes=True) and book.has_all(shot.indices, closes=False)


def test_a_lap_goes_in_even_steps() -> None:
    for length in (2, 5, LAP):
        first, past = 0.0, []
        for place in range(length + 1):
            first += share_of_own(place, length) * (1.0 - first)
            past.append(first)
        np.testing.assert_allclose(past, np.arange(length + 1) / length, atol=1e-12)
    assert (share_of_own(0, 1), share_of_own(1, 1)) == (0.5, 1.0)
    assert [lap_length(frames) for frames in (0, 1, 2, 5, 13, 99)] == [0, 0, 1, 4, 12, 12]
    assert rounds(VideoSettings(loop=True, passes=2), 20) == 52
    assert rounds(VideoSettings(loop=True, passes=2), 20, closes=False) == 40


def test_a_frame_of_the_lap_lies_between_the_one_before_and_its_own() -> None:
    contents = [one[:, :64] for one in ring(4, 30)[:2]]
    tracker, model = FlowTracker((1,), "medium"), MotionModel(1)
    tracker.look(contents[0])
    model.remember(contents[0], lambda: 1.0 - contents[0])
    links = tracker.look(contents[1])
    own = np.zeros_like(contents[0])
    start, anchor = model.guide(contents[1], links, own, 0.25)
    assert start is not None and anchor is not None
    inner = (slice(8, -8), slice(8, -16))
    assert np.abs(start - 0.75 * (1.0 - contents[1]))[inner].mean() < 0.03
    assert np.all(start[links[0].trusted == 0.0] == 0.0)  # what comes into view is its own
    assert np.all(anchor.weights == 1.0) and np.array_equal(anchor.picture, start)


# ----------------------------------------------------------------------------------- the command


def video(content: Path, style: Path, output: Path, *arguments: object) -> list[object]:
    return ["video", content, "--style", style, "-o", output, *QUICK, "--frame-iterations", "2", *arguments]


def run_frames(output: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (output.parent / f"{output.name}.run/frames").iterdir()}


def test_an_interrupted_lap_continues_to_the_same_clip(
    short: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(*video(short, style, tmp_path / "whole.mkv", "--loop", "--keep-run"))
    stylize, begun = Stylizer.stylize, 0

    def sixth(self: Stylizer, *arguments: Any, **options: Any) -> Any:
        nonlocal begun
        begun += 1
        if begun == 6:
            raise KeyboardInterrupt
        return stylize(self, *arguments, **options)

    words = video(short, style, tmp_path / "out.mkv", "--loop", "--keep-run")
    with monkeypatch.context() as patch:
        patch.setattr(Stylizer, "stylize", sixth)
        assert deepfusion(*words).code == 130
    ran = done(*words, "--json")
    assert "continuing: 5 of 7 frames are finished already" in ran.err
    assert run_frames(tmp_path / "out.mkv") == run_frames(tmp_path / "whole.mkv")
    assert (tmp_path / "out.mkv").read_bytes() == (tmp_path / "whole.mkv").read_bytes()
    assert len(frames_of(tmp_path / "out.mkv")) == 4
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
        ([], "of the first frame is found again in the last one, and 50% make a loop; the clip is done as one that ends"),
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


def test_replaced_settings_are_checked() -> None:
    assert replace(VideoSettings(), loop=True).loop
