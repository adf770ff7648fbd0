"""How far an optimisation is, kept in a file, so that it can go on later to the same picture, bit for bit."""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ABOUT = "about"
_DIGEST = 64


@dataclass(frozen=True)
class Done:
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
        The minimiser's state by name.
    recent
        The last losses, for the rule that ends a settled optimisation.
    """

    iteration: int
    retries: int
    failures: int
    seconds: float
    terms: dict[str, float]
    best_terms: dict[str, float]
    first_terms: dict[str, float]
    variables: dict[str, NDArray[Any]] = field(repr=False)
    recent: tuple[float, ...] = ()


@dataclass
class Checkpoint:
    """The file that one optimisation's state is kept in, and when it is worth keeping.

    Parameters
    ----------
    path
        Of the file: the SHA-256 of what follows, as hexadecimal digits, and an .npz without pickled objects.
    interval
        Seconds between two savings, at least; and at least twenty times what the last saving took.
    """

    path: Path
    interval: float = 60.0
    _saved: float = field(default_factory=time.perf_counter, init=False)
    _cost: float = field(default=0.0, init=False)

    def due(self) -> bool:
        """Whether it is time to save again."""
        return time.perf_counter() - self._saved >= max(self.interval, 20.0 * self._cost)

    def save(self, level: int, done: Done, standing: Standing) -> None:
        """Write the state, completely or not at all; OSError if the disk does not take it."""
        began = time.perf_counter()
        about = {**vars(standing), "level": level, "done": asdict(done)}
        variables = about.pop("variables")
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {_ABOUT: np.frombuffer(json.dumps(about).encode(), np.uint8), **variables}
        np.savez(buffer, **arrays)
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        try:
            with temporary.open("wb") as file:
                file.write(hashlib.sha256(buffer.getbuffer()).hexdigest().encode())
                file.write(buffer.getbuffer())
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        self._saved = time.perf_counter()
        self._cost = self._saved - began

    def load(self) -> tuple[int, Done, Standing] | None:
        """Level, what came before it, and where it stands; None if there is no file or it is damaged."""
        try:
            data = memoryview(self.path.read_bytes())
        except OSError:
            return None
        digest, data = bytes(data[:_DIGEST]), data[_DIGEST:]
        if digest != hashlib.sha256(data).hexdigest().encode():
            return None
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about = json.loads(arrays.pop(_ABOUT).tobytes())
        level, done = int(about.pop("level")), Done(**about.pop("done"))
        return level, done, Standing(**about, variables=arrays)
