"""The job's files for workers that do not see them: sent in pieces, unpacked beside the worker.

A worker whose machine shares the job's folders reads the files where they are. Whether it does is seen from
their sizes and times.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.workers.messages import retold
from video.names import safe_relative

PIECE = 64 * 2**20
"""Bytes of a file that are in memory at once."""

_MODEL = "saved_model.pb"
"""What makes a folder a model of TensorFlow's."""

Traits = dict[Path, tuple[int, int]]
"""Of files: bytes, and when they were changed."""


@dataclass(frozen=True)
class Parcel:
    """A file or folder: for each file its path within (empty for a file itself) and its pieces."""

    files: tuple[tuple[str, tuple[Any, ...]], ...]
    is_folder: bool


class Parcels:
    """Packs files.

    Parameters
    ----------
    inputs
        Files and folders that every worker wants; they are packed once.
    put
        Takes a piece of a file away and gives what it can be fetched by.
    """

    def __init__(self, inputs: Iterable[Path], put: Callable[[bytes], Any]) -> None:
        self.inputs = tuple(inputs)
        self._put = put
        self._packed: dict[Path, Parcel] = {}

    def of(self, paths: Iterable[Path]) -> dict[Path, Parcel]:
        """Parcels of files and folders; those of the inputs are kept."""
        parcels = {}
        for path in paths:
            parcels[path] = self._packed.get(path) or self._pack(path)
            if path in self.inputs:
                self._packed[path] = parcels[path]
        return parcels

    def _pack(self, path: Path) -> Parcel:
        files = tuple(
            (str(file.relative_to(path)) if path.is_dir() else "", tuple(map(self._put, _pieces(file))))
            for file in _files_of(path)
        )
        return Parcel(files, path.is_dir())


def traits_of(paths: Iterable[Path]) -> Traits:
    """Size and time of every file, and of those in every folder."""
    return {file: _traits(file) for path in paths for file in _files_of(path)}


def sees(known: Traits) -> bool:
    """Whether all these files are here, as they are known; the worker's question."""
    try:
        return all(_traits(path) == traits for path, traits in known.items())
    except OSError:
        return False


class Unpacked:
    """Copies of files in a folder of this worker's own, under the names they have in the job."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="copies-"))
        self._places: dict[Path, Path] = {}
        self._count = 0

    def take(self, parcels: Mapping[Path, Parcel], fetch: Callable[[Any], bytes]) -> None:
        """Unpack parcels; `fetch` gives the bytes of a piece."""
        for path, parcel in parcels.items():
            self._count += 1
            place = self._folder / f"{self._count:06d}" / safe_relative(Path(path.name))
            place.parent.mkdir()
            if parcel.is_folder:
                place.mkdir()
            for name, pieces in parcel.files:
                target = place / name if name else place
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    for piece in pieces:
                        file.write(fetch(piece))
            self._places[path] = place

    def drop(self, parcels: Iterable[Path]) -> None:
        """These are not wanted any more."""
        for path in parcels:
            shutil.rmtree(self._places.pop(path).parent, ignore_errors=True)

    def place(self, path: Path) -> Path:
        """Where a file of the job is for this worker: its copy, or where it always was."""
        for known in (path, *path.parents):
            if known in self._places:
                return self._places[known] / path.relative_to(known)
        return path

    def translated(self, message: Any) -> Any:
        """What is said, with the job's own names for files."""

        def named(text: str) -> str:
            for path, place in self._places.items():
                text = text.replace(str(place), str(path))
            return text

        return retold(message, named)


def _files_of(path: Path) -> list[Path]:
    """A file, or what is read of a folder: its pictures, or all of it if it is a model."""
    from video.images import list_pictures

    if not path.is_dir():
        return [path]
    if not os.path.exists(path / _MODEL):
        return sorted(filter(os.path.isfile, list_pictures(path)))
    found = (Path(root) / name for root, _, names in os.walk(path) for name in names)
    return sorted(file for file in found if not file.name.startswith("."))


def _traits(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece
