"""Kill a worker, then the job itself, in the middle of work that workers share: nothing is lost.

    python scripts/torture/workers.py [--rounds 20] [--seed 0] [--kind ray processes]

A round starts a small clip of several shots, or a small album, with two workers; kills one of them (SIGKILL)
at a random moment after it is ready; kills the job at a random moment after that, unless it has ended; sees
that no worker is left behind; and gives the same command again: with workers, or in one process.

Always: what an earlier run had finished is there, and is not made again; the result equals that of a run in
one process that nothing happened to, byte for byte; no worker is left after 20 s, and nothing at all two
minutes after the last round. Exits 1 when anything was not so. For Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from pipeline.run_folder.files import file_hash
from scripts.torture.jobs import Job
from video.encode import FrameWriter
from video.images import write_image

SETTINGS = (
    "--backbone",
    "vgg19-slim",
    "--size",
    "96",
    "--threads",
    "1",
    "--tolerance",
    "0",
    "-v",
)
CLIP = ("--iterations", "30", "--frame-iterations", "20")
ALBUM = ("--iterations", "100")
WORKERS = {
    "ray": ("--workers", "2", "--engine-address", "local"),
    "processes": ("--workers", "2"),
    "one process": (),
}
RAY_AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent", "/dashboard/agent", "/runtime_env/agent")
"""Two processes of a Ray started for a job; they see only after a while that its end was a sudden one."""

SHOTS, FRAMES, PHOTOS = 5, 8, 10
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
PATIENCE = 180.0


@dataclass
class Shared(Job):
    """A job whose work is shared among workers.

    It is a process of its own from the beginning, not a fork of this one: its workers are made from it.
    """

    base: Path = Path()

    @classmethod
    def of(cls, kind: str, place: Path, base: Path, workers: tuple[str, ...]) -> Shared:
        """The job of a kind, in a folder, with options that say who works."""
        if kind == "video":
            output, words = place / "out.mp4", [base / "clip.mp4", *CLIP, "--keep-run"]
            words += ["--overwrite"] if output.exists() else []
        else:
            output, words = place / "out", [base / "photos", *ALBUM]
        words += ["--style", base / "style.png", "-o", output, *SETTINGS, *workers]
        command = [sys.executable, "-m", "pipeline.cli", kind, *map(str, words)]
        return cls(kind, command, output, base=base)

    @property
    def files(self) -> Path:
        """Where its frames or photos are."""
        return self.run / "frames" if self.kind == "video" else self.output

    def everything(self) -> dict[str, str]:
        """Hashes of all that it has made: of a clip the frames too."""
        frames = self.files.iterdir() if self.kind == "video" else ()
        return self.results() | {path.name: file_hash(path) for path in frames}

    def begin(self) -> subprocess.Popen[str]:
        """Start it."""
        self.output.parent.mkdir(exist_ok=True)
        return subprocess.Popen(
            self.command, cwd=self.base, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    def finish(self) -> dict[str, str]:
        """Run it to its end; gives all that it has made."""
        process = self.begin()
        _, said = process.communicate(timeout=PATIENCE)
        if process.returncode:
            sys.exit(f"the job did not end well:\n{said}")
        return self.everything()

    def ready(self) -> list[int]:
        """The processes of its workers that have said to be ready."""
        log = self.run / "log.txt"
        text = log.read_text(encoding="utf-8") if log.exists() else ""
        return [int(number) for number in re.findall(r"is ready: .*process (\d+)", text)]

    def written(self) -> dict[str, float]:
        """What the journal says is finished, with the time its file was written."""
        video = self.kind == "video"
        path = self.run / "journal.jsonl" if video else self.output / "deepfusion-album.jsonl"
        found: dict[str, float] = {}
        for line in path.read_text().splitlines() if path.exists() else []:
            try:
                entry = json.loads(line)
            except ValueError:  # cut by the kill
                continue
            file = entry.get("file") or (entry.get("sha256") and entry["output"])
            if file:
                found[file] = (self.files / file).stat().st_mtime
        return found


def main() -> None:
    """Do the rounds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", nargs="+", choices=("ray", "processes"), default=["ray"])
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder).resolve()
        make_inputs(base, np.random.default_rng(asked.seed))
        whole = {kind: Shared.of(kind, base / "whole", base, ()).finish() for kind in ("video", "album")}
        for number in range(asked.rounds):
            name, kind = ("video", "album")[number % 2], asked.kind[number // 2 % len(asked.kind)]
            again = chance.choice((kind, kind, "one process"))
            problems, story = torture(base, name, kind, again, chance, whole[name])
            wrong += bool(problems)
            print(f"{number + 1:3d} {name:5s} {kind}: {story}: {'; '.join(problems) or 'equal'}", flush=True)
        began = time.monotonic()
        left = processes_left(base, 120.0, beside=())
        print(f"left at the end: {left or 'nothing'} (after {time.monotonic() - began:.0f} s)")
    sys.exit(1 if wrong or left else 0)


def torture(
    base: Path, name: str, kind: str, again: str, chance: random.Random, whole: dict[str, str]
) -> tuple[list[str], str]:
    """One round; what was wrong with it, and what happened."""
    place = base / "round"
    shutil.rmtree(place, ignore_errors=True)
    problems = []
    job = Shared.of(name, place, base, WORKERS[kind])
    process = job.begin()
    worker = wait_for_worker(job, process)
    wait_for_results(job, process, chance.randint(0, 4))
    time.sleep(chance.uniform(0.0, 1.0))
    os.kill(worker, signal.SIGKILL)
    killed_at = len(job.written())
    wait_for_results(job, process, killed_at + chance.randint(0, 4))
    time.sleep(chance.uniform(0.0, 1.0))
    ended = process.poll() is not None
    process.kill()
    process.wait()
    there = job.written()
    left = processes_left(base)
    if left:
        problems.append(f"left behind: {left}")
    continued = Shared.of(name, place, base, WORKERS[again])
    result, later = continued.finish(), continued.written()
    lost = [file for file, when in there.items() if later.get(file) != when]
    if lost:
        problems.append(f"made again: {lost}")
    if result != whole:
        problems.append("other bytes")
    left = processes_left(base)
    if left:
        problems.append(f"left behind: {left}")
    end = "had ended" if ended else f"killed with {len(there)}"
    story = f"worker killed with {killed_at} done, job {end}, then {again}"
    return problems, story


def wait_for_worker(job: Shared, process: subprocess.Popen[str]) -> int:
    """The process of a worker that is ready."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if ready := job.ready():
            return ready[-1]
        if process.poll() is not None:
            sys.exit(f"the job ended before a worker was ready:\n{process.communicate()[1]}")
        time.sleep(0.05)
    sys.exit("no worker was ready in time")


def wait_for_results(job: Shared, process: subprocess.Popen[str], wanted: int) -> None:
    """Until so much is finished, or the job has ended."""
    until = time.monotonic() + PATIENCE
    while len(job.written()) < wanted and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)


def processes_left(base: Path, seconds: float = 20.0, *, beside: tuple[str, ...] = RAY_AGENTS) -> list[str]:
    """Processes of the jobs that are still there after a while: those whose folder is `base`."""
    until = time.monotonic() + seconds
    while True:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if Path(os.readlink(process / "cwd")) == base:
                    words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found += [] if any(one in words for one in beside) else [words[-80:].strip()]
            except OSError:
                continue
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.2)


def make_inputs(base: Path, chance: np.random.Generator) -> None:
    """A clip of several shots of moving noise, photos, and a style."""

    def noise(height: int, width: int) -> np.ndarray:
        small = chance.random((height // 8 + 1, width // 8 + 1, 3)).astype(np.float32)
        return np.kron(small, np.ones((8, 8, 1), np.float32))[:height, :width]

    with FrameWriter(base / "clip.mp4", (96, 64), Fraction(25), sound=None, overwrite=True) as writer:
        for _ in range(SHOTS):
            ground = noise(64, 160)
            for step in range(FRAMES):
                writer.write(ground[:, 2 * step : 2 * step + 96])
    (base / "photos").mkdir()
    for number in range(PHOTOS):
        write_image(base / "photos" / f"{number}.png", noise(72, 96))
    write_image(base / "style.png", noise(96, 96))


if __name__ == "__main__":
    main()
