"""Let every system call fail, one after another, that a job makes on its outputs, and see what comes of it.

    python scripts/torture/drive.py [--jobs image video album] [--places 4] [--parts python ffmpeg]

python: a job is run once to learn which calls it makes on its outputs and its run folder: open for writing,
write, close, fsync, rename, chmod, lock, mkdir, unlink, rmdir, ftruncate. Then it is run again and again,
each time with one of these calls failing once with one error: EPERM, EINVAL, ENOSYS, ENOLCK, EOPNOTSUPP,
ENOSPC, EIO. Of calls of one kind on files of one kind the first, the second, the middle and the last are
tried. Modes are changed where a picture is replaced. The calls are met in Python, where the program makes
them. ffmpeg: the calls that ffmpeg makes on the clip fail in the same way, by strace where there is one. Jobs
are real but for the network: a picture becomes its content with its colours exchanged, which takes no time
and touches no drive.

Always: the job ends well, or in one line without a traceback; no finished frame or photo is lost; the
output's name appears only with the whole output; the same command again comes to the bytes of an undisturbed
run.
Exits 1 when anything was not so. Linux.
"""

from __future__ import annotations

import argparse
import builtins
import errno
import fcntl
import hashlib
import io
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from scripts import tables
from scripts.torture.jobs import Failed, Job, at_replace, finish, load_everything, make_jobs, require, run
from stylize.checkpoint import Standing, Totals
from stylize.result import Result
from video.tools import find_ffmpeg

ERRORS = ("EPERM", "EINVAL", "ENOSYS", "ENOLCK", "EOPNOTSUPP", "ENOSPC", "EIO")
REPLACED = b"what was there before"
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
KINDS = {
    r"\.0\d+\.part-.*|0\d+\.png": "a frame",
    r"\.\d\.part-.*|\d\.png": "a photo",
    r"\.out\.part-.*|out\.(mp4|png)": "the output",
    r"\.job\.json\.tmp|job\.json": "job.json",
    r"\.checkpoint\.tmp|checkpoint": "the checkpoint",
    r"deepfusion-album\.jsonl": "the album's journal",
    r"journal\.jsonl|log\.txt|lock|lock\.json": "{}",
    r"frames|out\.(mp4|png)\.run|out\.run|out|snapshots": "a folder",
}
"""What a file is, by its name."""


class Exchange:
    """Stands in for the stylizer: no network, the same calls on the drive."""

    def __init__(self, config: Any, styles: Any, *_: object, **__: object) -> None:
        self.config, self.styles = config, styles
        self.backbone = SimpleNamespace(name="vgg19-slim", mixed=False)
        self.evaluator = SimpleNamespace(memory_of=lambda *_: 0, overlap=lambda *_: 1.0)

    def restyled(self, styles: Any, *_: object) -> Exchange:
        """The same for other styles."""
        return Exchange(self.config, styles)

    def stylize(
        self, content: Any, *, initial: Any = None, callback: Any = None, checkpoint: Any = None, **_: object
    ) -> Result:
        """A picture with its colours exchanged, half of what it starts from; its state is kept twice."""
        picture = np.ascontiguousarray(content[..., ::-1])
        picture = picture if initial is None else (picture + initial) / 2
        for number in range(2):
            if checkpoint is not None:
                checkpoint.load()
                state = {"x": picture}
                standing = Standing(number, 0, 0, 0.0, {}, {}, {}, state, picture, picture)
                checkpoint.save(0, Totals(2), standing)
            callback(SimpleNamespace(iteration=number, iterations=2, level=0, loss=1.0, picture=None))
        return Result(picture, {"total": 1.0}, {"total": 1.0}, 2, 2, 0.0, "iterations")


def kind_of(path: str) -> str:
    """What kind of file a call is on."""
    name = os.path.basename(path)
    for pattern, kind in KINDS.items():
        if re.fullmatch(pattern, name):
            return kind.format(name)
    return "a folder" if os.path.isdir(path) else "another file"


class Seam:
    """Stands between a process and its drive, for what lies below one folder.

    Parameters
    ----------
    root
        The folder.
    met
        Told of every call and kind of file; may raise OSError.
    """

    def __init__(self, root: Path, met: Callable[[str, str, str], None]) -> None:
        self.root, self.met = str(root), met

    def strike(self, call: str, path: Any, folder: int | None = None) -> None:
        """A call is about to be made on a path, or on the file of a descriptor."""
        if isinstance(path, int):
            path = os.readlink(f"/proc/self/fd/{path}").removesuffix(" (deleted)")
        elif folder is not None:
            path = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), os.fspath(path))
        path = os.path.abspath(os.fsdecode(path))
        if path.startswith(self.root):
            self.met(call, kind_of(path), path)

    def put_in(self) -> None:
        """From now on this process's calls go through here."""
        self._files()
        for module, name, call, place in (
            (os, "fsync", "fsync", 0), (os, "ftruncate", "ftruncate", 0), (os, "replace", "rename", 1),
            (os, "rename", "rename", 1), (os, "chmod", "chmod", 0), (os, "fchmod", "chmod", 0),
            (os, "mkdir", "mkdir", 0), (os, "unlink", "unlink", 0), (os, "remove", "unlink", 0),
            (os, "rmdir", "rmdir", 0), (os, "utime", "utime", 0), (os, "link", "link", 1),
            (os, "sendfile", "sendfile", 0), (fcntl, "flock", "lock", 0), (fcntl, "lockf", "lock", 0),
        ):  # fmt: skip
            setattr(module, name, self._between(getattr(module, name), call, place))

    def _between(self, original: Any, call: str, place: int) -> Any:
        def hooked(*arguments: Any, **options: Any) -> Any:
            if not (call == "lock" and arguments[1] & fcntl.LOCK_UN):
                self.strike(call, arguments[place], options.get("dir_fd"))
            return original(*arguments, **options)

        return hooked

    def _files(self) -> None:
        """Opening, writing and closing."""
        seam, plain_open, plain_os_open = self, io.open, os.open

        class File(io.FileIO):
            def write(self, data: Any, /) -> int:
                seam.strike("write", self.name)
                return super().write(data)

            def truncate(self, size: int | None = None, /) -> int:
                seam.strike("ftruncate", self.name)
                return super().truncate(size)

            def close(self) -> None:
                open_still = not self.closed
                super().close()
                if open_still:
                    seam.strike("close", self.name)

        def hooked(file: Any, mode: str = "r", *more: Any, **options: Any) -> Any:
            if isinstance(file, int) or "opener" in options or not set(mode) & set("wax+"):
                return plain_open(file, mode, *more, **options)
            if not os.path.abspath(os.fsdecode(file)).startswith(seam.root):
                return plain_open(file, mode, *more, **options)
            seam.strike("open", file)
            raw = File(os.fsdecode(file), mode.replace("b", "").replace("t", ""))
            whole = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
            return whole if "b" in mode else io.TextIOWrapper(whole, options.get("encoding") or "utf-8")

        def hooked_os(path: Any, flags: int, *more: Any, **options: Any) -> int:
            if flags & WRITING:
                seam.strike("open", path, options.get("dir_fd"))
            return plain_os_open(path, flags, *more, **options)

        builtins.open = io.open = hooked
        os.open = hooked_os


def recording(root: Path, log: Path) -> Callable[[], None]:
    """Before a run: write down every call that is met."""

    def prepare() -> None:
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        Seam(root, lambda call, kind, path: void(os.write(file, f"{call}\t{kind}\n".encode()))).put_in()

    return prepare


def failing(root: Path, wanted: tuple[str, str], count: int, code: int, hit: Path) -> Callable[[], None]:
    """Before a run: the `count`-th call of a kind on files of a kind fails once."""

    def prepare() -> None:
        seen = 0
        mark = os.open(hit, os.O_WRONLY | os.O_CREAT)

        def met(call: str, kind: str, path: str) -> None:
            nonlocal seen
            seen += (call, kind) == wanted
            if seen == count and (call, kind) == wanted:
                os.write(mark, b"x")
                raise OSError(code, os.strerror(code), path)

        Seam(root, met).put_in()

    return prepare


def wipe(job: Job) -> None:
    """Nothing is left where the job works, or the file that it replaces."""
    for path in job.output.parent.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if "--overwrite" in job.command:
        job.output.write_bytes(REPLACED)


def made(job: Job) -> dict[str, str]:
    """What the job has made that can be seen."""
    old = hashlib.sha256(REPLACED).hexdigest()
    return {name: found for name, found in job.results().items() if found != old}


def void(_: object) -> None:
    """Nothing."""


def chosen(total: int, places: int) -> list[int]:
    """The first, the second, the last and the middle of so many, as far as they are asked for."""
    return sorted({number for number in (1, total, 2, (total + 1) // 2)[:places] if 1 <= number <= total})


# --- one run ------------------------------------------------------------------------------------------------


def outcome(job: Job, code: int, said: str, call: str) -> str:
    """What became of a disturbed run; the same command again must come to the undisturbed result."""
    found, kept = made(job), job.finished()
    require(found.items() <= job.wanted.items(), "something was visible before it was whole")
    if code == 0:
        require(found == job.wanted, f"ended well without its result: {said}")
        left = [name for name in job.leftovers() if call not in ("unlink", "rmdir")]
        require(not left, f"left over: {left}")
        return "went on"
    lines = [line for line in said.splitlines() if line.startswith("deepfusion: ")]
    if job.kind == "album" and not lines:
        require("failed: " in said, f"ended with {code} and no reason: {said}")
    else:
        require(len(lines) == 1 and code in (1, 2), f"ended with {code}: {said}")
    require(job.kind == "album" or not found, f"failed with its result there: {said}")
    again = finish(job)
    if job.kind == "video" and kept:
        told = re.search(r"continuing: (\d+) of", again)
        require(told is not None and int(told[1]) >= kept, f"{kept} frames were finished: {again}")
    return "a photo named, the rest done" if job.kind == "album" and not lines else "one line, then continued"


def through(job: Job, places: int, found: Counter[tuple[str, str, str]], only: str = "") -> int:
    """Let each call of a job, or only those of one name, fail with each error; gives the number of runs."""
    root, log = job.output.parent, job.log.with_name("calls.txt")
    hit = log.with_name("hit")
    wipe(job)
    log.unlink(missing_ok=True)
    code, said = run(job, recording(root, log))
    require(code == 0 and job.results() == job.wanted, f"the recorded run ended with {code}: {said}")
    calls = Counter(tuple(line.split("\t")) for line in log.read_text().splitlines())
    runs = 0
    for (call, kind), total in sorted(calls.items()):
        if only not in ("", call):
            continue
        for number in chosen(total, places):
            for name in ERRORS:
                wipe(job)
                hit.unlink(missing_ok=True)
                place = f"{job.kind}: {call} {number} of {total} of {kind} fails with {name}"
                try:
                    prepare = failing(root, (call, kind), number, getattr(errno, name), hit)
                    code, said = run(job, prepare)
                    require(hit.stat().st_size > 0, "was not reached")
                    found[call, name, outcome(job, code, said, call)] += 1
                except Failed as error:
                    print(f"FAILED: {place}: {error}")
                    found[call, name, "NOT AS PROMISED"] += 1
                runs += 1
    print(f"{job.kind}{f', {only}' if only else ''}: {len(calls)} kinds of calls, {runs} runs")
    return runs


# --- the calls of ffmpeg ------------------------------------------------------------------------------------

WRAPPER = """#!/bin/sh
for word; do case "$word" in *.part-*) made="${{word#file:}}";; esac; done
[ "$made" ] || exec {ffmpeg} "$@"
exec {strace} -f -qq -A -o {trace} -P "$made" -e trace={call} \\
    -e inject={call}:error={error}:when={when} {ffmpeg} "$@"
"""


def encoder_fails(job: Job, found: Counter[tuple[str, str, str]]) -> int:
    """Let the calls of ffmpeg on the clip fail; gives how many runs that were."""
    strace = shutil.which("strace")
    if strace is None:
        print("ffmpeg's calls: not tried, there is no strace")
        return 0
    wipe(job)
    code, _ = run(job, at_replace(job.output.name, 1, before=True))
    require(code == -signal.SIGKILL, "the encoding was not reached")
    for path in job.output.parent.glob(".out.part-*"):
        path.unlink()
    kept = job.log.with_name("kept")
    shutil.copytree(job.run, kept)
    wrapper, trace, runs = kept.with_name("ffmpeg"), kept.with_name("trace.txt"), 0
    for call in ("openat", "write", "close"):  # of a seek that fails ffmpeg takes no notice
        for when in ("1", "2", "1+"):
            for name in ERRORS:
                text = WRAPPER.format(
                    strace=strace, trace=trace, call=call, error=name, when=when, ffmpeg=find_ffmpeg().path
                )
                wrapper.write_text(text)
                wrapper.chmod(0o755)
                trace.unlink(missing_ok=True)
                wipe(job)
                shutil.copytree(kept, job.run)
                try:
                    code, said = run(job, lambda: os.environ.update(DEEPFUSION_FFMPEG=str(wrapper)))
                    end = outcome(job, code, said, call)
                    if trace.exists() and "INJECTED" in trace.read_text():  # or there are fewer such calls
                        found[f"ffmpeg: {call}", name, end] += 1
                        runs += 1
                except Failed as error:
                    print(f"FAILED: ffmpeg's {call} {when} fails with {name}: {error}")
                    found[f"ffmpeg: {call}", name, "NOT AS PROMISED"] += 1
                    runs += 1
    return runs


# --- the table ----------------------------------------------------------------------------------------------


def print_table(found: Counter[tuple[str, str, str]]) -> None:
    """A line a call and its errors; errors of one call with the same outcomes stand together."""
    tables.head("call that failed once", "with", "places", "what came of it", texts=4)
    for call in sorted({key[0] for key in found}):
        alike: dict[tuple[tuple[str, int], ...], list[str]] = {}
        for name in ERRORS:
            outcomes = tuple(sorted((end, n) for (c, e, end), n in found.items() if (c, e) == (call, name)))
            alike.setdefault(outcomes, []).append(name)
        for outcomes, names in alike.items():
            if outcomes:
                ends = "; ".join(f"{end}: {count}" for end, count in outcomes)
                tables.row(call, ", ".join(names), sum(n for _, n in outcomes), ends)


def main() -> int:
    """Run the parts; exit 1 when something was not as promised."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds, parts = ("image", "video", "album"), ("python", "ffmpeg")
    parser.add_argument("--jobs", nargs="+", choices=kinds, default=list(kinds))
    parser.add_argument("--parts", nargs="+", choices=parts, default=list(parts))
    parser.add_argument("--places", type=int, default=4, help="of calls of one kind, at most (1 to 4)")
    parser.add_argument("--work", type=Path, help="folder to work in; a temporary one by default")
    options = parser.parse_args()
    sys.stdout = io.TextIOWrapper(sys.stdout.buffer, line_buffering=True)
    load_everything()
    import stylize.stylizer

    stylize.stylizer.Stylizer = Exchange  # type: ignore[assignment, misc]
    found: Counter[tuple[str, str, str]] = Counter()
    began, runs = time.monotonic(), 0
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        try:
            jobs = {job.kind: job for job in make_jobs(Path(folder).resolve(), kinds, 4, 2)}
            for kind in options.jobs if "python" in options.parts else []:
                runs += through(jobs[kind], options.places, found)
            if "image" in options.jobs and "python" in options.parts:
                image = jobs["image"]
                again = Job("image", [*image.command, "--overwrite"], image.output, image.wanted)
                runs += sum(through(again, options.places, found, call) for call in ("chmod", "rename"))
            if "ffmpeg" in options.parts:
                runs += encoder_fails(jobs["video"], found)
        except Failed as error:
            print(f"FAILED: {error}")
            return 1
    print_table(found)
    print(f"{runs} runs, each with one error, in {time.monotonic() - began:.0f} s")
    return int(any(end == "NOT AS PROMISED" for _, _, end in found))


if __name__ == "__main__":
    sys.exit(main())
