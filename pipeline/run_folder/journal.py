"""The run folder's journal: append-only, one JSON object a line, each line chained to all before it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.run_folder.files import append_durably
from video.drives import sync

_CHAIN = "chain"

_TOO_LONG = 1_000_000


class Journal:
    """A file of entries that can be trusted up to the first line that was cut, changed, or put elsewhere.

    After `read`, `dropped` says how many complete lines could not be.

    Every line carries ``chain``, the SHA-256 of the line before it's chain and the entry itself; the first
    one continues `seed`, so that a journal belongs to one job and no other.

    Parameters
    ----------
    path
        The file; it need not be there.
    seed
        What the chain begins with: a hash of the job.
    """

    def __init__(self, path: Path, seed: str) -> None:
        self.path = path
        self._seed = seed
        self._chain: str | None = None
        self.dropped = 0

    def read(self) -> list[dict[str, Any]]:
        """The entries up to the first line that is none; what follows is cut off the file.

        Raises
        ------
        PipelineError
            If the file cannot be read or cut.
        """
        entries: list[dict[str, Any]] = []
        self._chain, good = self._seed, 0
        try:
            data = self.path.read_bytes() if self.path.exists() else b""
            for line in data.splitlines(keepends=True):
                entry = _parsed(line)
                told = None if entry is None else entry.pop(_CHAIN, None)
                if entry is None or told != _link(self._chain, entry):
                    break
                self._chain, good = told, good + len(line)
                entries.append(entry)
            self.dropped = data.count(b"\n", good)
            if good < len(data):
                with self.path.open("rb+") as file:
                    file.truncate(good)
                    sync(file.fileno())
        except OSError as error:
            raise PipelineError(
                f"{self.path}: cannot be read: {error.strerror}; mend that and run it again"
            ) from None
        return entries

    def append(self, entry: dict[str, Any]) -> None:
        """Add an entry and see it onto the disk; PipelineError if that fails."""
        if self._chain is None:
            self.read()
        assert self._chain is not None
        chain = _link(self._chain, entry)
        append_durably(self.path, _text({**entry, _CHAIN: chain}))
        self._chain = chain


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The object on a complete line, or None."""
    if not line.endswith(b"\n") or len(line) > _TOO_LONG:
        return None
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _link(chain: str, entry: dict[str, Any]) -> str:
    return hashlib.sha256(f"{chain}\n{_text(entry)}".encode("utf-8", "surrogatepass")).hexdigest()


def _text(entry: dict[str, Any]) -> str:
    return json.dumps(entry, sort_keys=True, separators=(",", ":"))
