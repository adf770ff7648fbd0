"""Jobs that are run to be disturbed: forked commands, what they come to, and where they die.

Every job is `deepfusion` itself in a process of its own, forked, so that TensorFlow is imported once: by
`load_everything`, before the first. Not for Windows.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.run_folder.files import file_hash
from video.encode import FrameWriter
from video.images import resize_image, write_image

FRAMES, PHOTOS, SIDE = 14, 6, 64
QUICK = (
    "--backbone", "vgg19-slim", "--size", str(SIDE), "--levels", "1", "--iterations", "4",
    "--content-layers", "relu2_1", "--style-layers", "relu1_1,relu2_1",
)  # fmt: skip


@dataclass
class Job:
    """A command, where its output goes, and what the output must be in the end."""

    kind: str
    command: list[str]
    output: Path
    wanted: dict[str, str] = field(default_factory=dict)

    @property
    def run(self) -> Path:
        """The run folder."""
        return self.output.with_name(self.output.name + ".run")

    @property
    def log(self) -> Path:
        """What the job said last; it lies outside the folder that must be left clean."""
        return self.output.parent.parent / "log.txt"

    def results(self) -> dict[str, str]:
        """Hashes of everything that is visible at the output, by name."""
        if self.output.is_file():
            return {self.output.name: file_hash(self.output)}
        files = sorted(self.output.rglob("[0-9]*.png")) if self.output.is_dir() else []
        return {path.relative_to(self.output).as_posix(): file_hash(path) for path in files}

    def finished(self) -> int:
        """How many frames or photos are safe."""
        if self.kind == "album":
            return len(self.results())
        journal = self.run / "journal.jsonl"
        return journal.read_bytes().count(b"\n") if journal.exists() else 0

    def discard(self) -> None:
        """Remove output and run folder."""
        for path in (self.output, self.run):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def leftovers(self) -> list[str]:
        """What lies about beside the output that should not."""
        allowed = {self.output.name}
        beside = [path.name for path in self.output.parent.iterdir() if path.name not in allowed]
        inside = [path.name for path in self.output.rglob(".*.part-*")] if self.output.is_dir() else []
        return beside + inside


class Failed(Exception):  # noqa: N818
    """Something was not as promised."""


def require(good: bool, text: str) -> None:
    """Raise `Failed` with a text unless something is so."""
    if not good:
        raise Failed(text)


def load_everything() -> None:
    """Import what the jobs use, once, for all the processes that are forked after it."""
    import scenedetect.detectors  # noqa: F401
    import tensorflow  # noqa: F401

    import pipeline.clip.frame_loop  # noqa: F401
    import stylize.stylizer  # noqa: F401


def start(command: list[str], log: Path, prepare: Callable[[], None] | None = None) -> int:
    """Run a command in a forked process of its own session; gives its number."""
    process = os.fork()
    if process:
        return process
    os.setsid()
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    code = 99
    try:
        if prepare is not None:
            prepare()
        from pipeline.cli.main import main as deepfusion

        deepfusion(command)
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def wait(process: int, limit: float = 300.0) -> int:
    """The exit status of a process, negative for the signal that ended it."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    raise Failed(f"the process hung for {limit:g} s")


def run(job: Job, prepare: Callable[[], None] | None = None) -> tuple[int, str]:
    """Run a job to its end; gives exit status and what it said."""
    code = wait(start(job.command, job.log, prepare))
    said = job.log.read_text(errors="replace")
    require("Traceback" not in said, f"a traceback:\n{said}")
    return code, said


def finish(job: Job) -> str:
    """Run a job that must succeed now and come to the wanted result."""
    code, said = run(job)
    require(code == 0, f"ended with {code}: {said}")
    require(job.results() == job.wanted, "the result differs from that of an undisturbed run")
    require(not job.leftovers(), f"left over: {job.leftovers()}")
    return said


# --- the jobs -----------------------------------------------------------------------------------------------


def make_jobs(
    folder: Path, kinds: tuple[str, ...] = ("video", "album"), frames: int = FRAMES, photos: int = PHOTOS
) -> list[Job]:
    """A clip of two shots, an album, a picture, with what an undisturbed run makes of them."""
    rng = np.random.default_rng(0)

    def scene(seed: int) -> Any:
        cells = np.random.default_rng(seed).random((12, 16, 3)).astype(np.float32)
        return resize_image(cells, (SIDE + frames, 48))

    shots = [scene(1), scene(7)]
    with FrameWriter(folder / "clip.mp4", (SIDE, 48), Fraction(12)) as writer:
        for number in range(frames):
            shot = shots[number >= frames // 2]
            writer.write(np.ascontiguousarray(shot[:, number : number + SIDE]))
    (folder / "photos").mkdir()
    for number in range(photos):
        write_image(folder / "photos" / f"{number}.png", scene(20 + number)[:, :SIDE])
    write_image(folder / "style.png", np.kron(rng.random((12, 12, 3)), np.ones((6, 6, 1))).astype(np.float32))
    style = ["--style", str(folder / "style.png")]
    jobs = []
    for kind, content, name, more in (
        ("video", "clip.mp4", "out.mp4", ("--frame-iterations", "3", "--crf", "2")),
        ("album", "photos", "out", ()),
        ("image", "photos/0.png", "out.png", ()),
    ):
        if kind not in kinds:
            continue
        output = folder / kind / name
        output.parent.mkdir()
        command = [kind, str(folder / content), *style, "-o", str(output), *QUICK, *more]
        job = Job(kind, command, output)
        code, said = run(job)
        require(code == 0, f"the undisturbed {kind} ended with {code}: {said}")
        job.wanted = job.results()
        job.discard()
        jobs.append(job)
    return jobs


# --- where they die -----------------------------------------------------------------------------------------


def die() -> None:
    """End this process as SIGKILL does."""
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(10)


def at_replace(name: str, count: int, *, before: bool) -> Callable[[], None]:
    """Die before or after the `count`-th renaming of a file called `name`."""

    def prepare() -> None:
        replace, seen = os.replace, 0

        def replaced(source: Any, target: Any) -> None:
            nonlocal seen
            hit = Path(target).name == name
            seen += hit
            if hit and seen == count and before:
                die()
            replace(source, target)
            if hit and seen == count:
                die()

        os.replace = replaced  # type: ignore[assignment]

    return prepare
