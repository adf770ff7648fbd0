"""A folder of numbered pictures as a clip."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from .errors import InputError, UnnumberedError
from .images import is_picture_name, may_be_file, natural_key

DEFAULT_RATE = Fraction(25)
TURNED_ORIENTATIONS = (5, 6, 7, 8)
"""EXIF orientations that swap width and height."""


@dataclass(frozen=True)
class FrameFolder:
    """Numbered pictures of one size, in order; `read_frames` reads it as it reads a `ClipInfo`.

    Attributes
    ----------
    path
        The folder.
    width, height
        Pixels of every picture, upright.
    rate
        Frames a second, as the caller says.
    files
        The pictures, in the order of their numbers.
    notes
        One line each for what a user should hear.
    """

    path: Path
    width: int
    height: int
    rate: Fraction
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.files)

    def moved(self, place: Callable[[Path], Path]) -> FrameFolder:
        """These pictures, as they are in another place."""
        return replace(self, path=place(self.path), files=tuple(map(place, self.files)))

    @property
    def duration(self) -> Fraction:
        """Seconds from the start of the first frame to the end of the last."""
        return self.frames / self.rate


def open_folder(path: Path, rate: Fraction = DEFAULT_RATE, *, allow_gaps: bool = False) -> FrameFolder:
    """Look through a folder of numbered pictures (``frame_0001.png``, ...).

    Only the pictures' headers are read. Hidden files, other files and sub-folders are left out.

    Parameters
    ----------
    rate
        Frames a second.
    allow_gaps
        Take pictures with missing numbers in between as they follow each other.

    Raises
    ------
    InputError
        No folder, no pictures, a picture without a number or with one that is used twice, a missing
        number, a picture that cannot be read, or pictures of two sizes.
    """
    path = Path(path)
    if not path.is_dir():
        raise InputError(f"{path} is no folder; give a folder of numbered pictures")
    if rate <= 0:
        raise InputError(f"frame rate {rate} is not positive; give one such as 25 or 30000/1001")
    numbered: dict[int, Path] = {}
    try:
        files_there = sorted(path.iterdir(), key=natural_key)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its permissions") from error
    for file in files_there:
        if file.name.startswith(".") or not is_picture_name(file) or not may_be_file(file):
            continue
        number = frame_number(file)
        if number in numbered:
            raise InputError(
                f"{path}: {numbered[number].name} and {file.name} are both number {number}; keep one of them"
            )
        numbered[number] = file
    if not numbered:
        raise InputError(f"{path} holds no pictures; name them like frame_0001.png")
    files = tuple(numbered[number] for number in sorted(numbered))
    gap = describe_gap(numbered)
    if gap and not allow_gaps:
        raise InputError(
            f"{path}: {gap}; add what is missing, or give --allow-gaps to take them as they follow each other"
        )
    width, height = _one_size(files)
    return FrameFolder(path, width, height, Fraction(rate), files, (f"{path.name}: {gap}",) if gap else ())


def frame_number(file: Path) -> int:
    """Return the last number in a file's name without its suffix; InputError when there is none."""
    digits = re.findall(r"[0-9]+", file.stem)
    if not digits:
        raise UnnumberedError(f"{file} has no frame number; name it like frame_0001.png or move it away")
    return int(digits[-1])


def describe_gap(numbers: Iterable[int]) -> str:
    """Say which numbers are missing between the first and the last; empty when none is."""
    ordered = sorted(numbers)
    gaps = [(a + 1, b - 1) for a, b in pairwise(ordered) if b - a > 1]
    if not gaps:
        return ""
    spans = [str(a) if a == b else f"{a}-{b}" for a, b in gaps]
    count = sum(b - a + 1 for a, b in gaps)
    listed = ", ".join(spans[:8]) + (", ..." if len(spans) > 8 else "")
    first = f"frame {gaps[0][0]} is missing"
    return first if count == 1 else f"{first} ({count} in all: {listed})"


def _one_size(files: Sequence[Path]) -> tuple[int, int]:
    first = picture_size(files[0])
    for file in files[1:]:
        size = picture_size(file)
        if size != first:
            raise InputError(
                f"{files[0]} is {first[0]}x{first[1]} but {file.name} is {size[0]}x{size[1]}; "
                "make all frames one size"
            )
    return first


def picture_size(file: Path) -> tuple[int, int]:
    """Return the upright (width, height) from a picture's header; InputError when it cannot be read."""
    from PIL import Image

    from .picture_formats import check_content, quiet_pillow

    try:
        with open(file, "rb") as stream, quiet_pillow():
            formats = check_content(file, stream.read(512))
            stream.seek(0)
            picture = Image.open(stream, formats=formats)
            width, height = picture.size
            turned = picture.getexif().get(0x0112) in TURNED_ORIENTATIONS
    except InputError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{file} cannot be read as a picture; replace it or move it away") from error
    return (height, width) if turned else (width, height)
