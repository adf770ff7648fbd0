"""The run folder of a job: what it was asked, what is finished, so that it can be continued.

`OUT.run/` beside the output holds `job.json` (written once), `journal.jsonl` (a line a finished frame),
`frames/`, `snapshots/`, `log.txt` and the lock of the process that works on it. A frame counts as finished
only when its line is in the journal, its file still has the hash written there, and so have the frames it
came from. Where somebody has asked for the folder to be kept it holds the mark `kept`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError, UsageError
from pipeline.run_folder.differences import cure_of, difference
from pipeline.run_folder.files import file_hash, write_durably
from pipeline.run_folder.journal import Journal
from pipeline.run_folder.lock import HOLDER, LOCK, RunLock
from pipeline.settings.sweeps import FINISHING, FINISHING_LAP, ONE_PASS, Sweeps
from video.drives import remove
from video.names import beside

SCHEMA = 2

CHECKPOINT = "checkpoint"

LOG = "log.txt"

KEPT = "kept"

_CONTENTS = frozenset(
    ("frames", "contents", "snapshots", "journal.jsonl", ".job.json.tmp", KEPT, LOCK, HOLDER, LOG, CHECKPOINT)
)
"""What a run folder may hold before `job.json` is there."""


@dataclass(frozen=True)
class Frame:
    """A finished frame as the journal has it.

    Attributes
    ----------
    index, file, sha256
        Its number in the source, its file in `frames/`, and that file's hash.
    losses, evaluations, seconds
        How its optimisation ended and what it took.
    sweep
        The pass that made it.
    previous, own
        The hashes of the finished frames that it came from: the one before it in its shot and pass, and
        what the pass before made of the same frame. Empty when there is none.
    error
        The warping error between it and the one before it in its shot and pass.
    """

    index: int
    file: str
    sha256: str
    losses: dict[str, float]
    evaluations: int
    seconds: float
    sweep: int = 1
    previous: str = ""
    own: str = ""
    error: float | None = None


def run_path(output: Path) -> Path:
    """Where the run folder of an output lies."""
    return beside(output, ".run")


def is_kept(path: Path) -> bool:
    """Whether a run folder was kept because somebody asked for it."""
    return (path / KEPT).exists()


def frame_name(index: int, sweep: int) -> str:
    """The name of a frame's file by its number in the source and the pass that makes it."""
    named = {1: "", FINISHING: "-finished", FINISHING_LAP: "-finished-lap"}
    made = named.get(sweep, f"-pass{sweep}")
    return f"{index:06d}{made}.png"


def content_name(index: int) -> str:
    """Where a decoded frame lies within the folder of a run."""
    return f"contents/{index:06d}.png"


class RunFolder:
    """The run folder of one job.

    Parameters
    ----------
    path
        The folder; made when it is not there.
    record
        What decides the result: settings, input hashes, weights. A folder whose record differs is another
        job's and is refused.
    restart
        Discard whatever the folder holds.
    any_record
        Take what the folder holds of jobs with other settings, too: nothing of it goes into the result.

    Raises
    ------
    UsageError
        If the folder belongs to a job with other settings; the message lists them.
    PipelineError
        If it cannot be made or read.
    """

    def __init__(
        self, path: Path, record: dict[str, Any], *, restart: bool = False, any_record: bool = False
    ) -> None:
        self.path = path
        self.frames = path / "frames"
        self.snapshots = path / "snapshots"
        record = json.loads(json.dumps({"schema": SCHEMA, **record}))
        seed = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
        self._journal = Journal(path / "journal.jsonl", seed)
        self.damaged = 0
        try:
            self._check_ours()
            path.mkdir(parents=True, exist_ok=True)
            self._lock = RunLock(path)
            try:
                self._open(record, restart, any_record)
            except BaseException:
                self._lock.release()
                raise
        except OSError as error:
            raise PipelineError(
                f"{path}: the run folder cannot be used: {error.strerror}; "
                f"mend that, or remove it to begin afresh"
            ) from None

    def _open(self, record: dict[str, Any], restart: bool, any_record: bool) -> None:
        """Empty the folder, or see that it is this job's; then it holds `job.json` and `frames/`."""
        if restart:
            self._empty()
        begun = (self.path / "job.json").exists() and not any_record
        if begun:
            self._check_same_job(record)
        self.frames.mkdir(exist_ok=True)
        if not begun:
            write_durably(self.path / "job.json", json.dumps(record, indent=1) + "\n")
        for left in self.frames.glob(".*.part-*"):  # what a crash left of a frame being written
            remove(left)

    def frame_path(self, index: int, sweep: int = 1) -> Path:
        """The file of a frame by its number in the source and the pass that makes it."""
        return self.frames / frame_name(index, sweep)

    def content_path(self, index: int) -> Path:
        """Where a decoded frame is kept for later passes."""
        return self.path / content_name(index)

    @property
    def log(self) -> Path:
        """Where everything goes that is said while the job runs."""
        return self.path / LOG

    @property
    def checkpoint(self) -> Path:
        """Where a single picture's optimisation is kept while it runs."""
        return self.path / CHECKPOINT

    @property
    def is_kept(self) -> bool:
        """Whether the folder stays because it was asked for, now or by an earlier run."""
        return is_kept(self.path)

    def keep(self) -> None:
        """Mark the folder as one that stays; PipelineError if that fails."""
        try:
            write_durably(self.path / KEPT, "kept with --keep-run: stays until it is deleted, or --restart\n")
        except OSError as error:
            raise PipelineError(
                f"{self.path}: cannot be marked as kept: {error.strerror}; mend that and run it again"
            ) from None

    def commit(self, frame: Frame) -> None:
        """Write the journal line of a frame whose file is complete; PipelineError if that fails."""
        self._journal.append(asdict(frame))

    def finished(self, sweeps: Sweeps = ONE_PASS) -> dict[tuple[int, int], Frame]:
        """The finished frames by pass and number.

        A frame whose file is missing or changed is not finished, nor is any that came from it; frames of
        other shots are. `damaged` then says how many journal lines do not count.
        """
        latest: dict[tuple[int, int], Frame] = {}
        for entry in self._journal.read():
            frame = _frame_of(entry)
            if frame is not None:
                latest[frame.sweep, frame.index] = frame
        found: dict[tuple[int, int], Frame] = {}
        whole: set[str] = set()
        for sweep, index in sorted(latest, key=partial(_turn, sweeps)):
            frame = latest[sweep, index]
            if {frame.previous, frame.own} - {""} <= whole and self._is_whole(frame):
                found[sweep, index] = frame
                whole.add(frame.sha256)
        self.damaged = len(latest) - len(found) + self._journal.dropped
        return found

    def remove_if_empty(self) -> None:
        """Delete the folder if nothing in it can be continued or was kept, and let others in."""
        if self.is_kept or self._journal.path.exists() or self.checkpoint.exists():
            self.close()
        else:
            self.remove()

    def remove(self) -> None:
        """Delete the folder."""
        with contextlib.suppress(OSError):  # what holds the results is gone before others are let in
            self._empty()
        self.close()
        shutil.rmtree(self.path, ignore_errors=True)

    def _empty(self) -> None:
        """Remove everything but the lock; OSError if that fails."""
        for entry in self.path.iterdir():
            if entry.name not in (LOCK, HOLDER):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def close(self) -> None:
        """Let others in; the folder stays."""
        self._lock.release()

    def _is_whole(self, frame: Frame) -> bool:
        path = self.frames / frame.file
        return path.is_file() and file_hash(path) == frame.sha256

    def _check_ours(self) -> None:
        """Whatever has this name and is no run folder stays untouched."""
        if not os.path.lexists(self.path) or (self.path / "job.json").exists():
            return
        if not self.path.is_dir() or any(entry.name not in _CONTENTS for entry in self.path.iterdir()):
            raise UsageError(
                f"{self.path}: is in the way of the run folder and is none; move it or rename the output"
            )

    def _check_same_job(self, record: dict[str, Any]) -> None:
        try:
            known = json.loads((self.path / "job.json").read_text(encoding="utf-8"))
        except (ValueError, UnicodeDecodeError):
            known = None
        if not isinstance(known, dict):
            raise UsageError(f"{self.path}: job.json is damaged; use --restart to begin afresh")
        differences = [
            difference(key, known.get(key), record.get(key))
            for key in dict.fromkeys((*known, *record))
            if known.get(key) != record.get(key)
        ]
        if differences:
            raise UsageError(
                f"{self.path}: holds a run with other settings ({'; '.join(differences)}); "
                f"{cure_of(known, record)}"
            )


def _frame_of(entry: dict[str, Any]) -> Frame | None:
    """The frame of a journal entry, or None if it is none: another version may have written it."""
    try:
        frame = Frame(**entry)
    except TypeError:
        return None
    plain = isinstance(frame.file, str) and frame.file == Path(frame.file).name
    return frame if plain and isinstance(frame.index, int) and isinstance(frame.sweep, int) else None


def _turn(sweeps: Sweeps, key: tuple[int, int]) -> tuple[int, int]:
    """When it is the turn of a frame, by pass and number."""
    sweep, index = key
    return sweep, -index if sweeps.backward(sweep) else index
