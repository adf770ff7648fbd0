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


@dataclass(frozen=True)
class Frame:
    """A finished frame as the journal has it."""

    index: int
    file: str
    sha256: str
    losses: dict[str, float]
    evaluations: int
    seconds: float


def file_hash(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
            if restart and path.exists():
                shutil.rmtree(path)
            if (path / "job.json").exists():
                self._check_same_job(record)
            self.frames.mkdir(parents=True, exist_ok=True)
            if not (path / "job.json").exists():
                _write_durably(path / "job.json", json.dumps(record, indent=1) + "\n")
        except OSError as error:
            raise PipelineError(f"{path}: the run folder cannot be used: {error.strerror}") from None

    def frame_path(self, index: int) -> Path:
        """The file of a frame by its number in the source."""
        return self.frames / f"{index:06d}.png"

    def commit(self, frame: Frame) -> None:
        """Write the journal line of a frame whose file is complete."""
        with self._journal.open("a", encoding="utf-8") as file:
            file.write(json.dumps(frame.__dict__) + "\n")
            file.flush()
            os.fsync(file.fileno())

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
        _write_durably(self._journal, "".join(line + "\n" for line in kept))
        return found

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _is_whole(self, frame: Frame) -> bool:
        path = self.frames / frame.file
        return path.is_file() and file_hash(path) == frame.sha256

    def _check_same_job(self, record: dict[str, Any]) -> None:
        try:
            known = json.loads((self.path / "job.json").read_text(encoding="utf-8"))
        except (ValueError, UnicodeDecodeError):
            known = None
        if not isinstance(known, dict):
            raise UsageError(f"{self.path}: job.json is damaged; use --restart to begin afresh")
        differences = [
            f"{key} {known.get(key)!r} -> {record.get(key)!r}"
            for key in dict.fromkeys((*known, *record))
            if known.get(key) != record.get(key)
        ]
        if differences:
            raise UsageError(
                f"{self.path}: holds an unfinished run with other settings ({'; '.join(differences)}); "
                f"give the same settings to continue it, or --restart to discard it"
            )


def _read_line(line: str) -> Frame | None:
    try:
        return Frame(**json.loads(line))
    except (ValueError, TypeError):
        return None


def _write_durably(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
