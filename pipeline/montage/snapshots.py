"""The pictures and losses kept of an optimisation, for a movie of its progress.

A folder of snapshots holds

- `snapshot-0000.png`, `snapshot-0001.png`, ...: the pictures, in order;
- `snapshots.jsonl`: a line a picture with the fields of :class:`Snapshot`;
- `losses.jsonl`: a line for every iteration with the fields of :class:`Loss`;
- `content.png` and `style-0000.png`, `style-0001.png`, ...: what was stylized, at the result's size, and the
  style pictures, no larger.

A picture is complete before its line is written; a last line that was cut off does not count.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import UsageError

SNAPSHOTS_FILE = "snapshots.jsonl"

LOSSES_FILE = "losses.jsonl"

CONTENT_FILE = "content.png"

STYLE_FILES = "style-*.png"

FINISHING = -1

_Record = TypeVar("_Record")


@dataclass(frozen=True)
class Loss:
    """The loss after one iteration, and the weighted terms it is the sum of."""

    iteration: int
    level: int
    loss: float
    terms: dict[str, float]


@dataclass(frozen=True)
class Snapshot:
    """A picture kept during an optimisation.

    Attributes
    ----------
    file
        The picture's name in the folder.
    size
        Its width and height; those of the pyramid's coarse levels are smaller.
    iteration, level
        Finished iterations over all levels, and the pyramid's level; 0 is full size, and `FINISHING` a larger
        size at which the picture was finished.
    loss, terms
        The objective and its weighted terms.
    evaluations, seconds
        Loss-and-gradient evaluations and time since the start.
    distance
        Root mean square difference from the previous snapshot, of values in [0, 1]; 0 for the first.
    kept
        Whether this is the result, the picture of lowest loss.
    title
        What the optimised picture is called.
    folder
        Where the file lies; not in the line.
    """

    file: str
    size: tuple[int, int]
    iteration: int
    level: int
    loss: float
    terms: dict[str, float]
    evaluations: int
    seconds: float
    distance: float
    kept: bool = False
    title: str = ""
    folder: Path = Path()

    @property
    def path(self) -> Path:
        """The picture's file."""
        return self.folder / self.file


def line_of(snapshot: Snapshot) -> dict[str, Any]:
    """What is written of a snapshot."""
    line = asdict(snapshot)
    del line["folder"]
    return line


def snapshot_folders(run: Path) -> list[Path]:
    """The folders of snapshots in a run folder, in order; UsageError if there are none."""
    if not os.path.isdir(run):
        raise UsageError(f"{run}: there is no such run folder; keep one with --keep-run")
    folders = sorted(path for path in (run / "snapshots").glob("*") if path.is_dir())
    if not folders:
        raise UsageError(f"{run}: holds no snapshots; make the run with --keep-run or --progress-movie")
    return folders


def read_snapshots(folder: Path) -> list[Snapshot]:
    """The snapshots of a folder, in order.

    Raises
    ------
    UsageError
        If there are none, or a line other than a cut last one cannot be read.
    """
    folder = Path(folder)

    def build(line: dict[str, Any]) -> Snapshot:
        width, height = line.pop("size")
        file = Path(line.pop("file")).name
        return Snapshot(file=file, size=(width, height), folder=folder, **line)

    snapshots = _read_lines(folder / SNAPSHOTS_FILE, build)
    if not snapshots:
        raise UsageError(
            f"{folder}: there are no snapshots; make some by running the job with --progress-movie"
        )
    return snapshots


def read_losses(folder: Path) -> list[Loss]:
    """The losses of every iteration of a folder, in order, empty if it has none; UsageError as above."""
    return _read_lines(Path(folder) / LOSSES_FILE, lambda line: Loss(**line))


def content_path(folder: Path) -> Path:
    """The picture that was stylized; UsageError if the folder does not hold it."""
    return _kept(folder, CONTENT_FILE)[0]


def style_paths(folder: Path) -> list[Path]:
    """The style pictures, at least one; UsageError if the folder does not hold them."""
    return _kept(folder, STYLE_FILES)


def _kept(folder: Path, pattern: str) -> list[Path]:
    found = sorted(Path(folder).glob(pattern))
    if not found:
        raise UsageError(
            f"{folder}: holds no {pattern}, as snapshots of an older version; run the job again, or make "
            f"the movie in the single layout without a wipe"
        )
    return found


def _read_lines(path: Path, build: Callable[[dict[str, Any]], _Record]) -> list[_Record]:
    """What `build` makes of every line; a last one that was cut off is left out."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}; name the folder of a run") from error
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(build(json.loads(line)))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            if number < len(lines):
                raise UsageError(
                    f"{path}: line {number} is damaged; run the job again with --overwrite"
                ) from error
    return records
