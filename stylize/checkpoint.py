"""How far an optimisation is, kept in a file, so that it can go on later to the same picture, bit for bit."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stylize.types import FloatImage

_ABOUT, _START, _AIMED = "about", "_start", "_aimed"
_DIGEST = 64
_BLOCK = 2**20

_LAYOUT = 2
"""Raised when what minimisers keep changes its meaning: a file of before is then no state."""


@dataclass(frozen=True)
class Totals:
    """What the levels of the pyramid before this one took, and the limit of all levels together."""

    iterations: int
    finished: int = 0
    evaluations: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Standing:
    """Where the optimisation of one level stands.

    Attributes
    ----------
    iteration, retries, failures, seconds
        As counted by :func:`stylize.optimize.minimize`.
    terms, best_terms, first_terms
        The weighted terms of the current, the best and the first picture.
    variables
        The minimiser's state by name: arrays, or what `np.asarray` makes them of.
    start
        The picture that the level began with.
    aimed
        The picture that the targets were made for, where they are renewed.
    recent
        The last losses, for the rule that ends a settled optimisation.
    renewals, renewed_at
        How often the targets have been renewed, and after which iteration the last time.
    """

    iteration: int
    retries: int
    failures: int
    seconds: float
    terms: dict[str, float]
    best_terms: dict[str, float]
    first_terms: dict[str, float]
    variables: Mapping[str, Any] = field(repr=False)
    start: FloatImage = field(repr=False)
    aimed: FloatImage = field(repr=False)
    recent: tuple[float, ...] = ()
    renewals: int = 0
    renewed_at: int = 0


@dataclass
class Checkpoint:
    """The file that one optimisation's state is kept in, and when it is worth keeping.

    Parameters
    ----------
    path
        Of the file: an .npz without pickled objects, and behind it its SHA-256 in hexadecimal digits. It is
        written array by array: keeping a large picture's state takes no second copy of it.
    interval
        Seconds between two savings, at least; and at least twenty times what the last saving took.
    on_failure
        Told when the disk does not take it; the optimisation goes on. Without it `save` raises.
    sync
        What flushes a file, by its descriptor; the default asks it of every drive.
    """

    path: Path
    interval: float = 60.0
    on_failure: Callable[[OSError], None] | None = None
    sync: Callable[[int], None] = os.fsync
    _saved: float = field(default_factory=time.perf_counter, init=False)
    _cost: float = field(default=0.0, init=False)

    def due(self) -> bool:
        """Whether it is time to save again."""
        return time.perf_counter() - self._saved >= max(self.interval, 20.0 * self._cost)

    def save(self, level: int, done: Totals, standing: Standing) -> None:
        """Write the state, completely or not at all; a failure is told, or OSError if nobody is to be."""
        began = time.perf_counter()
        try:
            self._write(level, done, standing)
        except OSError as error:
            if self.on_failure is None:
                raise
            self.on_failure(error)
        self._saved = time.perf_counter()
        self._cost = self._saved - began

    def _write(self, level: int, done: Totals, standing: Standing) -> None:
        about = {**vars(standing), "layout": _LAYOUT, "level": level, "done": asdict(done)}
        arrays: dict[str, Any] = about.pop("variables") | {
            _START: about.pop("start"),
            _AIMED: about.pop("aimed"),
        }
        arrays[_ABOUT] = np.frombuffer(json.dumps(about).encode(), np.uint8)
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        try:
            with temporary.open("w+b") as file:
                with zipfile.ZipFile(file, "w") as archive:
                    for name, array in arrays.items():
                        with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                            np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
                file.seek(0)
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                file.seek(0, os.SEEK_END)
                file.write(digest.encode())
                file.flush()
                self.sync(file.fileno())
            os.replace(temporary, self.path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise

    def load(self) -> tuple[int, Totals, Standing] | None:
        """Level, what came before it, and where it stands.

        None if there is no file, or it is damaged or of another version's layout.
        """
        try:
            if not self._is_whole():
                return None
        except OSError:
            return None
        with np.load(self.path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about = json.loads(arrays.pop(_ABOUT).tobytes())
        if about.pop("layout", None) != _LAYOUT:
            return None
        level, done = int(about.pop("level")), Totals(**about.pop("done"))
        start, aimed = arrays.pop(_START), arrays.pop(_AIMED)
        return level, done, Standing(**about, variables=arrays, start=start, aimed=aimed)

    def _is_whole(self) -> bool:
        """Whether the digest at the file's end is that of what stands before it."""
        left = self.path.stat().st_size - _DIGEST
        found = hashlib.sha256()
        with self.path.open("rb") as file:
            while left > 0 and (block := file.read(min(left, _BLOCK))):
                found.update(block)
                left -= len(block)
            return left == 0 and file.read() == found.hexdigest().encode()
