"""Kill real jobs at random and at chosen moments, take their disk away, and see that nothing is lost.

    python scripts/torture/resume.py [--kills 100] [--seed 0] [--part kills points faults disks state]

kills: SIGKILL at random moments of a small video job (two shots) and a small album, again and again until
each is finished, then from the start, for so many kills each. points: the process dies between a file's
writing and its renaming, between renaming and journal, in the middle of a journal line, around the output's
renaming. faults: fsync fails; a file may not grow while frames are written and
while the clip is encoded. disks: the same on a small file system that is full (root, or unshare -rm).
state: frames damaged, swapped, missing; the journal cut, with garbage; another setting; two processes.

Always: the finished result equals that of a run that nothing happened to, bit for bit; the output's name
appears only with the whole output; a kill costs at most the frame or photo in work; nothing is left over.
Exits 1 when anything was not so. Not for Windows.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts import tables
from scripts.torture.jobs import (
    FRAMES,
    Failed,
    Job,
    at_replace,
    die,
    finish,
    load_everything,
    make_jobs,
    require,
    run,
    start,
    wait,
)

# --- kills at random ----------------------------------------------------------------------------------------


def random_kills(job: Job, kills: int, rng: random.Random) -> str:
    """Kill the job at random moments until it is finished, then begin anew, `kills` times in all."""
    job.discard()
    began = time.monotonic()
    finish(job)
    span = time.monotonic() - began
    job.discard()
    done = completed = longest = 0
    while done < kills:
        before = job.finished()
        process = start(job.command, job.log)
        time.sleep(rng.uniform(0.0, 1.1 * span))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)
        status = wait(process)
        if status == -signal.SIGKILL:
            done += 1
        else:
            require(status == 0, f"ended with {status}: {job.log.read_text()}")
        found = job.results()
        if job.kind == "video":
            require(found in ({}, job.wanted), "the output was visible before it was whole")
            if not found:
                written = len(list((job.run / "frames").glob("[0-9]*.png"))) if job.run.exists() else 0
                require(job.finished() >= before, "a kill cost frames that were finished")
                require(written - job.finished() <= 1, "more than one frame is not in the journal")
                longest = max(longest, written - job.finished())
        else:
            require(found.items() <= job.wanted.items(), "a photo was visible before it was whole")
            require(len(found) >= before, "a kill cost photos that were finished")
        if found == job.wanted:
            if job.kind == "album":
                finish(job)
            completed += 1
            job.discard()
    if job.results() != job.wanted:
        finish(job)
    return f"{done} kills, {completed + 1} times to the end, at most {longest} frame not in the journal"


# --- at chosen points ---------------------------------------------------------------------------------------


def in_journal(count: int) -> Callable[[], None]:
    """Die when half of the `count`-th journal line is written."""

    def prepare() -> None:
        from pipeline.run_folder import files, journal

        seen = 0
        append = files.append_durably

        def torn(path: Path, line: str) -> None:
            nonlocal seen
            seen += 1
            if seen == count:
                with path.open("a") as file:
                    file.write(line[: len(line) // 2])
                die()
            append(path, line)

        vars(journal)["append_durably"] = torn

    return prepare


def points(jobs: list[Job]) -> dict[str, str]:
    """Die at each point, look, and finish."""
    video, album = jobs
    table = {
        "video: before a frame is renamed": (video, at_replace("000003.png", 1, before=True), 3),
        "video: after it, before the journal": (video, at_replace("000003.png", 1, before=False), 3),
        "video: in the middle of a journal line": (video, in_journal(5), 4),
        "video: before the output is renamed": (video, at_replace("out.mp4", 1, before=True), FRAMES),
        "video: after the output is renamed": (video, at_replace("out.mp4", 1, before=False), FRAMES),
        "album: before a photo is renamed": (album, at_replace("2.png", 1, before=True), 2),
        "album: after a photo is renamed": (album, at_replace("2.png", 1, before=False), 3),
    }
    said = {}
    for name, (job, prepare, kept) in table.items():
        job.discard()
        code, _ = run(job, prepare)
        require(code == -signal.SIGKILL, f"{name}: was not reached")
        require(job.finished() == kept, f"{name}: {job.finished()} finished, not {kept}")
        if "output is renamed" in name and "after" in name:
            require(job.results() == job.wanted, f"{name}: the output is not whole")
            job.output.unlink()
        else:
            require(job.kind == "album" or not job.output.exists(), f"{name}: the output is visible")
        finish(job)
        said[name] = f"{kept} kept, the rest made, equal"
    return said


# --- faults and damaged state -------------------------------------------------------------------------------


def limited(size: int) -> Callable[[], None]:
    """No file may become larger than this."""

    def prepare() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return prepare


def failing_fsync(count: int) -> Callable[[], None]:
    """From the `count`-th time on the disk does not take what was written."""

    def prepare() -> None:
        fsync, seen = os.fsync, 0

        def failing(descriptor: int) -> None:
            nonlocal seen
            seen += 1
            if seen >= count:
                raise OSError(5, "Input/output error")
            fsync(descriptor)

        os.fsync = failing  # type: ignore[assignment]

    return prepare


def faults(jobs: list[Job]) -> dict[str, str]:
    """The disk fails; one line says so, and the same command finishes later."""
    video, album = jobs
    video.discard()
    finish(video)
    whole = video.output.stat().st_size
    require(whole > 12_000, f"a clip of {whole} bytes is too small to be cut")
    video.discard()
    table = {
        "video: fsync fails at a frame": (video, failing_fsync(8)),
        "album: fsync fails at a photo": (album, failing_fsync(5)),
        "video: a file may not grow, at a frame": (video, limited(2_000)),
        "video: a file may not grow, while encoding": (video, limited(whole * 3 // 4)),
        "album: a file may not grow, at a photo": (album, limited(2_000)),
    }
    said = {}
    for name, (job, prepare) in table.items():
        job.discard()
        code, text = run(job, prepare)
        last = [line for line in text.splitlines() if line.strip()][-1]
        require(code == 1, f"{name}: ended with {code}: {text}")
        require(job.kind == "album" or not job.output.exists(), f"{name}: the output is visible")
        hidden = [path.name for path in job.output.parent.glob(".*")]
        require(not hidden, f"{name}: left over: {hidden}")
        kept = job.finished()
        finish(job)
        said[name] = f"{kept} kept, then equal; said: {last[-110:]}"
    return said


def disks(jobs: list[Job]) -> dict[str, str]:
    """A small file system that runs full; with more room the same command finishes."""
    video, album = jobs
    said = {}
    for name, job, size in (
        ("video: file system full while frames are written", video, FRAMES * 4 + 40),
        ("video: file system full while encoding", video, 0),
        ("album: file system full at a photo", album, 40),
    ):
        job.discard()
        place = job.output.parent
        if not mount(place, 64 << 10):
            return {"a full file system": "not tried: mounting needs root; run this under unshare -rm"}
        try:
            if not size:  # as much as there is when the clip is encoded, less half the clip
                run(job, at_replace("out.mp4", 1, before=True))
                partial = next(place.glob(".out.part-*"))
                size = sum(-(-path.stat().st_size // 4096) * 4 for path in place.rglob("*") if path.is_file())
                size -= partial.stat().st_size // 2048
                job.discard()
                partial.unlink()
            require(mount(place, size, "remount,"), f"{name}: the file system cannot be made smaller")
            code, text = run(job)
            last = [line for line in text.splitlines() if line.strip()][-1]
            require(code == 1 and "disk full" in text, f"{name}: ended with {code}: {text}")
            require(job.kind == "album" or not job.output.exists(), f"{name}: the output is visible")
            require(not list(place.rglob(".*.part-*")), f"{name}: left over")
            kept = job.finished()
            require(mount(place, 64 << 10, "remount,"), f"{name}: the file system cannot be made larger")
            finish(job)
            said[name] = f"{size} KiB: {kept} kept, then equal; said: {last[-110:]}"
        finally:
            subprocess.run(["umount", place], check=True)
    return said


def mount(place: Path, size: int, how: str = "") -> bool:
    """Put a file system of so many KiB in memory at a folder, or change the size of the one there."""
    command = ["mount", "-t", "tmpfs", "-o", f"{how}size={size}k", "none", str(place)]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0


def state(jobs: list[Job]) -> dict[str, str]:
    """A run folder that was tampered with: what depends on the damage is made again, nothing else."""
    video = jobs[0]
    frames = video.run / "frames"
    journal = video.run / "journal.jsonl"

    def flip(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    def swap(one: Path, other: Path) -> None:
        kept = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(kept)

    half = FRAMES // 2
    table: dict[str, tuple[Callable[[], object], int]] = {
        "a frame of the first shot changed": (lambda: flip(frames / "000002.png"), 2 + half),
        "a frame of the second shot missing": (lambda: (frames / "000009.png").unlink(), 9),
        "two frames swapped": (lambda: swap(frames / "000003.png", frames / "000005.png"), 3 + half),
        "the journal cut in a line": (lambda: journal.write_bytes(journal.read_bytes()[:-30]), FRAMES - 1),
        "garbage behind the journal": (
            lambda: journal.write_bytes(journal.read_bytes() + bytes(range(256))),
            FRAMES,
        ),
        "a journal line changed": (
            lambda: journal.write_bytes(journal.read_bytes().replace(b'"index":4', b'"index":5', 1)),
            4,
        ),
    }
    said = {}
    for name, (damage, kept) in table.items():
        video.discard()
        code, _ = run(video, at_replace("out.mp4", 1, before=True))
        require(code == -signal.SIGKILL, f"{name}: was not reached")
        damage()
        text = finish(video)
        require(f"continuing: {kept} of {FRAMES} frames" in text, f"{name}: not {kept} kept: {text}")
        said[name] = f"{kept} of {FRAMES} kept, then equal"
    video.discard()
    run(video, at_replace("000003.png", 1, before=True))
    changed = Job("video", [*video.command, "--style-weight", "7"], video.output)
    code, text = run(changed)
    require(code == 2 and "style_weight" in text, f"another setting: {code} {text}")
    said["another setting"] = "refused, the difference named"
    first = start(video.command, video.log.with_name("first.txt"))
    while not (video.run / "lock.json").exists():
        time.sleep(0.01)
    os.kill(first, signal.SIGSTOP)
    code, text = run(video)
    os.kill(first, signal.SIGCONT)
    require(code == 2 and f"in use by process {first}" in text, f"two processes: {code} {text}")
    require(wait(first) == 0 and video.results() == video.wanted, "two processes: the first one failed")
    said["two processes"] = "the second refused, the first finished, equal"
    video.discard()
    return said


def main() -> int:
    """Run the parts; exit 1 when something was not as promised."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100, help="of the video and of the album, each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="folder to work in; a temporary one by default")
    names = ("kills", "points", "faults", "disks", "state")
    parser.add_argument("--part", nargs="+", choices=names, default=list(names))
    options = parser.parse_args()
    sys.stdout = io.TextIOWrapper(sys.stdout.buffer, line_buffering=True)
    load_everything()
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        try:
            jobs = make_jobs(Path(folder))
            tables.head("what was done", "what came of it", texts=2)
            for part in options.part:
                if part == "kills":
                    for job in jobs:
                        rng = random.Random(f"{options.seed} {job.kind}")
                        tables.row(f"{job.kind}: SIGKILL at random", random_kills(job, options.kills, rng))
                else:
                    for name, text in {"points": points, "faults": faults, "disks": disks, "state": state}[
                        part
                    ](jobs).items():
                        tables.row(name, text)
        except Failed as error:
            print(f"FAILED: {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
