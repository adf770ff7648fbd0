"""Jobs shared among real workers: the same bytes as one process makes, whatever is killed on the way."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from pipeline_runs import deepfusion, done, refused, tree

from pipeline.clip.frames import FrameMade
from pipeline.clip.ledger import ClipBook
from pipeline.clip.masks import marks_of_masks, masks_of_clip
from pipeline.clip.shots import find_shots
from pipeline.clip.source import open_clip
from pipeline.errors import PipelineError
from pipeline.progress.display import Display
from pipeline.progress.events import Ended, Watcher
from pipeline.progress.report import Report
from pipeline.run_folder.files import file_hash
from pipeline.run_folder.folder import Frame, RunFolder
from pipeline.settings.input_files import relocated, worker_inputs
from pipeline.settings.job import build_job, parse_style
from pipeline.settings.job_settings import VideoSettings
from video import decode, excerpt
from video.decode import FrameRange
from video.encode import FrameWriter
from video.excerpt import mark_of
from video.images import write_image
from video.probe import probe
from video.scenes import with_shot_starts

ROOT = Path(__file__).parent.parent
JOB = ("--backbone", "vgg19-slim", "--size", "64", "--levels", "1", "--threads", "1", "--content-layers",
       "relu2_1", "--style-layers", "relu1_1,relu2_1", "--tolerance", "0")  # fmt: skip
CLIP = (*JOB, "--iterations", "8", "--frame-iterations", "4", "--keep-run")
SHOTS, FRAMES = 3, 6


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    """Jobs limit the threads of their process; the tests' own goes on as it was."""
    before, count = dict(os.environ), cv2.getNumThreads()
    yield
    os.environ.clear()
    os.environ.update(before)
    cv2.setNumThreads(count)


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of three shots of six frames."""
    chance = np.random.default_rng(3)
    path = tmp_path_factory.mktemp("shots") / "clip.mp4"
    with FrameWriter(path, (64, 48), Fraction(25)) as writer:
        for number in range(SHOTS):
            coarse = chance.random((6, 12, 3)).astype(np.float32) * (0.4 + 0.3 * number)
            ground = np.kron(np.clip(coarse, 0, 1), np.ones((8, 8, 1), np.float32))
            for step in range(FRAMES):
                writer.write(ground[:, 2 * step : 2 * step + 64])
    return path


@pytest.fixture(scope="module")
def photos(photo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(4):
        shutil.copy(photo, folder / f"{number}.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


@pytest.fixture(scope="module")
def alone(shots: Path, photos: Path, style: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process of one thread makes of them."""
    folder = tmp_path_factory.mktemp("alone")
    for name, command, content, settings, code in (
        ("out.mp4", "video", shots, (*CLIP, "--progress-movie", folder / "movie.gif"), 0),
        ("out", "album", photos, (*JOB, "--iterations", "8"), 1),
    ):
        words = [command, content, "--style", style, "-o", folder / name, *settings]
        ran = subprocess.run(
            [sys.executable, "-m", "pipeline.cli", *map(str, words)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ran.returncode == code, ran.stderr
    return folder


def files(folder: Path) -> dict[str, bytes]:
    """Pictures and movies by name, without logs and journals."""
    wanted = [name for name in tree(folder) if name.endswith((".png", ".mp4", ".gif"))]
    return {name: (folder / name).read_bytes() for name in wanted if "movie" not in name}


@pytest.mark.slow
def test_processes_make_of_a_clip_what_one_does(
    shots: Path, style: Path, alone: Path, tmp_path: Path
) -> None:
    ran = done("video", shots, "--style", style, "-o", tmp_path / "out.mp4", *CLIP, "--workers", "2", "-v",
               "--progress-movie", tmp_path / "movie.gif")  # fmt: skip
    assert "up to 2 workers of 1 thread each" in ran.err
    ours, theirs = files(alone / "out.mp4.run"), files(tmp_path / "out.mp4.run")
    assert ours == theirs
    assert (tmp_path / "out.mp4").read_bytes() == (alone / "out.mp4").read_bytes()
    assert len([name for name in theirs if name.startswith("frames")]) == SHOTS * FRAMES
    assert (tmp_path / "movie.gif").stat().st_size > 0
    (line,) = re.findall(r"18 frames, .*warping error ([0-9.]+e-4)", ran.out)
    assert float(line.removesuffix("e-4")) > 0.0


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")
def test_ray_goes_on_when_a_worker_is_killed_and_leaves_nothing(
    photos: Path, style: Path, alone: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    words = ["album", photos, "--style", style, "-o", output, *JOB, "--iterations", "8", "-v"]
    words += ["--workers", "1", "--engine-address", "local"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", *map(str, words)],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    log = tmp_path / "out.run" / "log.txt"
    os.kill(ready(log, process)[0], signal.SIGKILL)
    out, said = process.communicate(timeout=120)
    assert process.returncode == 1, said  # the broken photo
    assert "another worker goes on with it" in said
    assert "failed: " in said and "broken.png is no picture" in said and "Traceback" not in said
    assert files(output) == files(alone / "out")
    assert out.startswith(f"{output}  (4 pictures, 1 failed, ") and out.count("\n") == 1
    assert left_in(tmp_path) == []


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")
def test_a_killed_job_takes_its_workers_along_and_is_continued_in_one_process(
    shots: Path, style: Path, alone: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.mp4"
    words = ["video", shots, "--style", style, "-o", output, *CLIP]
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", *map(str, words), "--workers", "1"], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    run = tmp_path / "out.mp4.run"
    (worker,) = ready(run / "log.txt", process)
    while not (run / "journal.jsonl").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate()
    for _ in range(200):
        if not Path(f"/proc/{worker}").exists():
            break
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}").exists()
    before = {path.name: path.stat().st_mtime_ns for path in (run / "frames").glob("0*.png")}
    ran = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *map(str, words)], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert re.search(r"continuing: \d+ of 18 frames are finished already", ran.stderr)
    journal = (run / "journal.jsonl").read_text()
    kept = [name for name, when in before.items() if (run / "frames" / name).stat().st_mtime_ns == when]
    assert len(kept) >= len(before) - 1  # but for one that was not in the journal yet
    assert journal.count('"file"') == SHOTS * FRAMES
    assert output.read_bytes() == (alone / "out.mp4").read_bytes()


def ready(log: Path, process: subprocess.Popen[str]) -> list[int]:
    """The processes of workers that say they are ready, when there are some."""
    for _ in range(1200):
        found = re.findall(r"is ready: .*process (\d+)", log.read_text()) if log.exists() else []
        if found:
            return [int(number) for number in found]
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    raise AssertionError("no worker was ready in time")


def left_in(folder: Path) -> list[str]:
    """The command lines of processes whose folder this is, when they have had time to end."""
    for _ in range(100):
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if Path(os.readlink(process / "cwd")) == folder:
                    found.append((process / "cmdline").read_text(errors="replace"))
            except OSError:
                continue
        if not found:
            break
        time.sleep(0.1)
    return found


# ----------------------------------------------------------------------------------------------- plans


@pytest.fixture
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with room for all units."""
    monkeypatch.setattr("pipeline.workers.staff.cores", lambda: 8)


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled", "eight_cores")
def test_a_plan_counts_shots_and_says_when_more_workers_cannot_help(
    shots: Path, style: Path, tmp_path: Path
) -> None:
    words = (
        "video",
        shots,
        "--style",
        style,
        "-o",
        tmp_path / "out.mp4",
        *JOB,
        "--workers",
        "2",
        "--dry-run",
    )
    ran = done(*words)
    assert re.search(r"^units   3 shots, the longest about ", ran.out, re.M)
    assert re.search(r"^workers 2: about .*\(1: ", ran.out, re.M)
    assert "more than 3 cannot help: there are only 3 shots" in ran.out
    plan = done(*words, "--json").json
    assert plan["forecast"]["units"] == 3 and plan["forecast"]["workers"] == 2
    assert plan["seconds"] == pytest.approx(plan["forecast"]["seconds"], abs=0.06)
    assert not (tmp_path / "out.mp4.run").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled", "eight_cores")
def test_a_plan_of_an_album(photos: Path, style: Path, tmp_path: Path) -> None:
    words = ("album", photos, "--style", style, "-o", tmp_path / "out", *JOB, "--workers", "2", "--dry-run")
    assert "more than 5 cannot help: there are only 5 photos" in done(*words).out


@pytest.mark.slow
def test_what_cannot_be_shared_is_refused(photo: Path, style: Path, clip: Path, tmp_path: Path) -> None:
    image = ("image", photo, "--style", style, "-o", tmp_path / "out.png")
    assert refused(*image, "--workers", "2").startswith("workers share shots of a clip or photos of an album")
    assert "--workers" in done("video", "--help").out and "--workers" not in done("image", "--help").out
    video = ("video", clip, "--style", style, "-o", tmp_path / "out.mp4")
    assert refused(*video, "--gpus-per-worker", "1") == (
        "--gpus-per-worker: is for workers; add --workers N or --engine-address ADDRESS"
    )
    assert "this is not the address of a Ray cluster that can be joined ([" in refused(
        *video, "--engine-address", "127.0.0.1:1"
    )
    assert "a command outside the cluster is not served" in refused(
        *video, "--engine-address", "ray://head:10001"
    )
    assert deepfusion(*video, "--workers", "0").code == 2
    assert tree(tmp_path) == []


# ----------------------------------------------------------------------------------- the parts of it


def test_shots_are_those_that_one_process_finds(shots: Path) -> None:
    clip = open_clip(shots, VideoSettings(size=64), 16)
    found = list(find_shots(clip, Display(-1)))
    assert [(shot.number, shot.start, len(shot.marks)) for shot in found] == [
        (1, 0, 6),
        (2, 6, 6),
        (3, 12, 6),
    ]
    frames = list(with_shot_starts(clip.contents(Display(-1)), clip.cuts))
    assert [index for index, _, begins in frames if begins] == [shot.start for shot in found]
    assert [mark_of(frame) for _, frame, _ in frames] == [mark for shot in found for mark in shot.marks]


def test_a_shot_finds_its_place_in_masks_that_are_clips(
    shots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bar that moves is one mask, a picture the other; no worker decodes the clip from its start."""
    bars = np.zeros((SHOTS * FRAMES, 48, 64, 3), np.float32)
    for number, bar in enumerate(bars):
        bar[:, 3 * number : 3 * number + 8] = 1.0
    with FrameWriter(tmp_path / "bar.mp4", (64, 48), Fraction(25)) as writer:
        for bar in bars:
            writer.write(bar)
    write_image(tmp_path / "half.png", bars[0])
    settings = VideoSettings(
        size=64, mask=(str(tmp_path / "bar.mp4"),), mask_preserve=str(tmp_path / "half.png")
    )
    clip = open_clip(shots, settings, 16)
    with closing(marks_of_masks(settings, clip)) as marks:
        found = list(find_shots(clip, Display(-1), marks))
    with closing(masks_of_clip(settings, clip)) as masks:
        whole = list(islice(masks, SHOTS * FRAMES))

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the mask was decoded from its start")

    for module in (decode, excerpt):
        monkeypatch.setattr(module, "read_frames", never)
    monkeypatch.setattr(excerpt, "NEAR", -1)
    for shot in found:
        part = replace(clip, wanted=FrameRange(shot.start, shot.indices.stop), mask_marks=shot.mask_marks)
        with closing(masks_of_clip(settings, part)) as masks:
            planes = list(islice(masks, FRAMES))
        np.testing.assert_array_equal(planes, whole[shot.start : shot.indices.stop])


def test_a_mask_that_ends_too_early_is_no_end_of_the_search_for_shots(shots: Path, tmp_path: Path) -> None:
    with FrameWriter(tmp_path / "short.mp4", (64, 48), Fraction(25)) as writer:
        for _ in range(SHOTS * FRAMES - 2):
            writer.write(np.ones((48, 64, 3), np.float32))
    short = VideoSettings(size=64, mask=(str(tmp_path / "short.mp4"),))
    clip = replace(open_clip(shots, short, 16), source=replace(probe(shots), frames=0))  # nobody counted
    with closing(marks_of_masks(short, clip)) as marks:
        found = list(find_shots(clip, Display(-1), marks))
    assert [len(shot.marks) for shot in found] == [FRAMES] * SHOTS
    assert [len(shot.mask_marks[0]) for shot in found] == [FRAMES, FRAMES, FRAMES - 2]
    last = found[-1]
    part = replace(clip, wanted=FrameRange(last.start, last.indices.stop), mask_marks=last.mask_marks)
    with closing(masks_of_clip(short, part)) as masks, pytest.raises(PipelineError, match="before frame 16"):
        list(islice(masks, FRAMES))


def test_a_worker_process_at_its_end_is_not_disturbed() -> None:
    """It is sent SIGTERM when its pipe is closed already, and may be deleting its temporary folder."""
    code = (
        "import os, signal; from multiprocessing import Pipe; from pipeline.workers.processes import _serve\n"
        "ours, theirs = Pipe(); ours.close(); _serve(theirs, 0)\n"
        "os.kill(os.getpid(), signal.SIGTERM); print('undisturbed')"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "undisturbed\n", "")


@pytest.mark.slow
def test_a_script_that_its_workers_would_run_again_is_told_so(
    shots: Path, style: Path, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"import pipeline\n"
        f"pipeline.stylize_clip({str(shots)!r}, {str(style)!r}, {str(tmp_path / 'out.mp4')!r}, size=64, "
        f"iterations=1, backbone='vgg19-slim', workers=2)\n"
    )
    place = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, script], env=place, capture_output=True, text=True, check=False)
    said = 'in a script, what starts a job belongs under `if __name__ == "__main__":`'
    errors = [line for line in ran.stderr.splitlines() if line.startswith("pipeline.errors")]
    assert ran.returncode == 1
    assert errors[-1].endswith(f"no worker could be started: it cannot import {script}; {said}")
    assert len(errors) <= 3 and all(line.endswith(said) for line in errors)  # each worker once, and the job


def test_a_frame_counts_once_whoever_tells_of_it(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "out.mp4.run", {"command": "video"})
    for index in (0, 1):
        write_image(run.frame_path(index), np.zeros((4, 4, 3), np.float32))
    kept = Frame(0, "000000.png", file_hash(run.frame_path(0)), {}, 5, 1.0)
    run.commit(kept)
    report, display = Report("video", "out.mp4"), Display(-1)
    told: list[Ended] = []
    display.watchers.each.append(Listener(told))
    book = ClipBook(run, VideoSettings(), report, display)
    now = Frame(1, "000001.png", "", {"total": 2.0}, 7, 1.0, error=0.5)
    data = run.frame_path(1).read_bytes()
    book.take(FrameMade(kept, begins=True, found=True))
    book.take(FrameMade(now, begins=False, data=data))
    book.take(FrameMade(kept, begins=True, found=True))  # by another worker, that goes on with the shot
    book.take(FrameMade(now, begins=False, found=True))
    book.sum_up()
    assert (report.done, report.skipped, report.evaluations) == (1, 1, 7)
    assert [(ended.name, ended.found) for ended in told] == [("frame 0", True), ("frame 1", False)]
    assert book.has_all(range(2), closes=True) and not book.has_all(range(3), closes=True)
    assert book.shots == 1
    assert book.warping_error() == 0.5
    run.close()


@dataclass
class Listener(Watcher):
    """Remembers what has ended."""

    ended: list[Ended]

    def picture_ends(self, ended: Ended) -> None:
        self.ended.append(ended)


def test_a_job_is_moved_with_all_its_files(tmp_path: Path) -> None:
    job = build_job(
        "video", Path("clip.mp4"), (parse_style("a.jpg:0.5"), parse_style("b.jpg")), Path("out.mp4"),
        overrides={"mask": ("m.png",), "mask_preserve": "p.png", "cuts": "cuts.txt", "init": "start.png"},
    )  # fmt: skip
    moved = relocated(job, lambda path: tmp_path / path)
    assert all(path.parent == tmp_path for path in worker_inputs(moved))
    assert len(worker_inputs(moved)) == len(worker_inputs(job)) == 7
    assert [style.weight for style in moved.styles] == [0.5, 1.0]
    assert moved.output == job.output
    assert relocated(moved, lambda path: path) == moved
