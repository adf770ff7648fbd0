"""The run folder of a job: what it was asked, what is finished, so that it can be continued.

`OUT.run/` beside the output holds `job.json` (written once), `journal.jsonl` (a line a finished frame),
`frames/` and `snapshots/`. A frame counts as finished only when its line is in the journal and the file still
has the hash written there.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError, UsageError

SCHEMA = 1
_CONTENTS = ("frames", "contents", "snapshots", "journal.jsonl", ".job.json.tmp", ".journal.jsonl.tmp")
"""What a run folder may hold before `job.json` is there."""


@dataclass(frozen=True)
class Frame:
    """A finished frame as the journal has it: of which pass, and whether it begins a shot."""

    index: int
    file: str
    sha256: str
    losses: dict[str, float]
    evaluations: int
    seconds: float
    sweep: int = 1
    begins_shot: bool = False


def file_hash(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits; UsageError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}; check its permissions") from None


def run_path(output: Path) -> Path:
    """Where the run folder of an output lies."""
    return output.with_name(output.name + ".run")


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

    Raises
    ------
    UsageError
        If the folder belongs to a job with other settings; the message lists them.
    PipelineError
        If it cannot be made or read.
    """

    def __init__(self, path: Path, record: dict[str, Any], *, restart: bool = False) -> None:
        self.path = path
        self.frames = path / "frames"
        self.snapshots = path / "snapshots"
        self._journal = path / "journal.jsonl"
        record = json.loads(json.dumps({"schema": SCHEMA, **record}))
        try:
            self._check_ours()
            if restart and path.exists():
                shutil.rmtree(path)
            if (path / "job.json").exists():
                self._check_same_job(record)
            self.frames.mkdir(parents=True, exist_ok=True)
            if not (path / "job.json").exists():
                write_durably(path / "job.json", json.dumps(record, indent=1) + "\n")
        except OSError as error:
            raise PipelineError(f"{path}: the run folder cannot be used: {error.strerror}") from None

    def frame_path(self, index: int, sweep: int = 1) -> Path:
        """The file of a frame by its number in the source and the pass that makes it."""
        return self.frames / (f"{index:06d}.png" if sweep == 1 else f"{index:06d}-pass{sweep}.png")

    def content_path(self, index: int) -> Path:
        """Where a decoded frame is kept for later passes."""
        return self.path / "contents" / f"{index:06d}.png"

    def commit(self, frame: Frame) -> None:
        """Write the journal line of a frame whose file is complete."""
        append_durably(self._journal, json.dumps(frame.__dict__))

    def finished(self) -> list[Frame]:
        """The finished frames from the first on, up to the first that is missing, changed or half-written."""
        found: list[Frame] = []
        if not self._journal.exists():
            return found
        kept = []
        for line in self._journal.read_text(encoding="utf-8", errors="replace").splitlines():
            frame = _read_line(line)
            if frame is None or not self._is_whole(frame):
                break
            found.append(frame)
            kept.append(line)
        write_durably(self._journal, "".join(line + "\n" for line in kept))
        return found

    def remove_if_empty(self) -> None:
        """Delete the folder if no frame was finished: there is nothing to continue."""
        if not self._journal.exists():
            self.remove()

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.path, ignore_errors=True)

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
            _difference(key, known.get(key), record.get(key))
            for key in dict.fromkeys((*known, *record))
            if known.get(key) != record.get(key)
        ]
        if differences:
            raise UsageError(
                f"{self.path}: holds a run with other settings ({'; '.join(differences)}); "
                f"give its settings to continue it, or --restart to discard it"
            )


def _difference(key: str, before: Any, now: Any) -> str:
    """One difference between two records, for people: hashes tell them nothing."""
    if key in ("content", "styles", "weights"):
        return f"other {key}"
    return f"{key}: {json.dumps(before)} there, {json.dumps(now)} now"


def append_durably(path: Path, line: str) -> None:
    """Append a line to a journal and see it onto the disk; PipelineError if that fails."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise PipelineError(
            f"{path}: cannot be written: {error.strerror}; mend that and run it again"
        ) from None


def _read_line(line: str) -> Frame | None:
    try:
        frame = Frame(**json.loads(line))
    except (ValueError, TypeError):
        return None
    return frame if isinstance(frame.index, int) and frame.file == Path(str(frame.file)).name else None


def write_durably(path: Path, text: str) -> None:
    """Write a text that appears under its name only whole and on the disk; OSError if that fails."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
