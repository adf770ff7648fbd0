"""A loop is done past its end into its beginning: on a tiny network, whatever interrupts the work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loops import contents_of, errors_of, folder_of, ring
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
from video.images import FloatImage, read_image

pytestmark = pytest.mark.slow
COUNT = 16


@pytest.fixture(scope="module")
def turning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A loop of 16 frames."""
    return folder_of(tmp_path_factory.mktemp("loop") / "turning", ring())


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


@pytest.fixture(scope="module")
def closed(turning: Path, tmp_path_factory: pytest.TempPathFactory) -> Job:
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
    assert found[-1] <= 3.0 * max(found[:-1])  # its seam is wider: docs/decisions.md
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
    worker = _ShotWorker(
        closed.settings, closed.clip, closed.timeline, closed.stylizer, None, None, closed.display
    )
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


@pytest.mark.parametrize("more", [{"loop": True}, {"passes": 2}])
def test_held_frames_are_held_in_every_pass(more: dict[str, Any], tmp_path: Path) -> None:
    drawn = [frame for frame in ring(count=5) for _ in range(2)]
    job = Job(folder_of(tmp_path / "twos", drawn), tmp_path / "run", **more)
    made = job.pictures(job.done())
    pairs = range(0, len(made), 2)
    assert all(np.array_equal(made[number], made[number + 1]) for number in pairs)
    assert not any(np.array_equal(made[number - 1], made[number]) for number in pairs[1:])
    still = Job(folder_of(tmp_path / "still", drawn[:2] * 4), tmp_path / "still.run", **more)
    made = still.pictures(still.done())
    assert all(np.array_equal(one, made[0]) for one in made)


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
