"""What a weight file is, before its arrays are read: present, whole, of a sensible size and a known kind."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylize.errors import WeightsError

Array = NDArray[np.float32]
Layers = dict[str, tuple[Array, Array]]
"""Layer name -> (kernel (3, 3, in, out), bias (out,))."""
Taps = dict[str, Array]
"""Layer name -> matrix (out, out) that its activations are multiplied by where they are read."""

SIZE_LIMIT = 2 * 10**9
"""The largest file, in bytes, that is read at all; the largest known one has 575 MB."""
SUFFIXES = (".h5", ".hdf5", ".mat", ".npz")

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04", b"PK\x05\x06"  # with members, without


@dataclass(frozen=True)
class Fingerprint:
    """A file's size in bytes and its hashes, in hexadecimal."""

    size: int
    sha256: str
    md5: str


def fingerprint(path: Path) -> Fingerprint:
    """Size, SHA-256 and MD5 of a file, in one pass (MD5 only because others published theirs as MD5)."""
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                sha256.update(chunk)
                md5.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror or error})") from error
    return Fingerprint(size, sha256.hexdigest(), md5.hexdigest())


def check_file(path: Path) -> None:
    """WeightsError unless `path` is a file of a sensible size and of a kind that can be read."""
    if not os.path.exists(path):  # for a name that is too long it is False, where pathlib raises
        raise WeightsError(f"{path}: no such file{_near_miss(path)}")
    if not path.is_file():
        raise WeightsError(f"{path}: not a file; name the weight file itself ({', '.join(SUFFIXES)})")
    size = path.stat().st_size
    if size == 0:
        raise WeightsError(f"{path}: the file is empty; fetch it again")
    if size > SIZE_LIMIT:
        raise WeightsError(f"{path}: {size:,} bytes, more than the limit of {SIZE_LIMIT:,}; not a VGG file")
    try:
        with path.open("rb") as file:
            head = file.read(1024)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror or error})") from error
    _check_head(path, head)


def check_hash(path: Path, found: Fingerprint, expected: str | None) -> None:
    """WeightsError unless the SHA-256 is the `expected` one, where there is one."""
    if expected is None:
        return
    wanted = expected.strip().lower()
    if not re.fullmatch(r"[0-9a-f]{64}", wanted):
        raise WeightsError(f"{expected!r} is not a SHA-256: 64 hexadecimal digits are expected")
    if wanted != found.sha256:
        raise WeightsError(
            f"{path}: expected SHA-256 {wanted}, got {found.sha256}; fetch the file again or correct the hash"
        )


def looks_like_html(head: bytes) -> bool:
    """Whether a file's first bytes are those of a web page."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return start.startswith((b"<!doctype", b"<html", b"<head", b"<body", b"<?xml", b"<script", b"<meta"))


def _near_miss(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"; the folder {folder} does not exist either"
    try:
        names = [entry.name for entry in folder.iterdir() if entry.suffix.lower() in SUFFIXES]
    except OSError:
        return ""
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean {near[0]}?" if near else "; check the path"


def _check_head(path: Path, head: bytes) -> None:
    """Refuse what is plainly not weights, and a suffix at odds with the content."""
    suffix = path.suffix.lower()
    if looks_like_html(head):
        raise WeightsError(f"{path}: a web page was saved instead of the weights; download the file itself")
    if head.startswith(b"version https://git-lfs"):
        raise WeightsError(f"{path}: a Git LFS pointer, not the weights; run `git lfs pull` in its folder")
    if suffix not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise WeightsError(f"{path}: unknown kind of weight file {suffix or '(no suffix)'!r}; use {known}")
    found = _kind(head)
    wanted = {".npz": ".npz", ".mat": ".mat"}.get(suffix, ".h5")
    if suffix == ".mat" and (head.startswith(b"MATLAB 7.3") or found == ".h5"):
        raise WeightsError(f"{path}: a MATLAB 7.3 file; save it again in MATLAB with the option '-v7'")
    if found is None:
        raise WeightsError(f"{path}: not a {suffix} file (it begins with {head[:8]!r}); fetch it again")
    if found != wanted:
        raise WeightsError(f"{path}: the content is that of a {found} file; rename it to end in {found}")


def _kind(head: bytes) -> str | None:
    if head.startswith(_HDF5):
        return ".h5"
    if head.startswith(_ZIP):
        return ".npz"
    return ".mat" if head.startswith(b"MATLAB ") else None


@contextmanager
def parsing(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a parser raises on foreign bytes into one line; parsers raise all sorts on damage."""
    try:
        yield
    except WeightsError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise WeightsError(f"{path}: damaged or cut-off {kind} file ({reason}); fetch it again") from error


def as_float32(path: Path, where: str, array: Any) -> Array:
    """A float32 copy of any floating-point array; other types are refused."""
    values = np.asarray(array)
    if values.dtype.kind != "f":
        raise WeightsError(f"{path}: {where} holds {values.dtype}, not floating-point numbers")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, dtype=np.float32)


def pair(path: Path, layer: str, found: dict[str, Array]) -> tuple[Array, Array]:
    """Kernel and bias of a layer; both must have been found."""
    for part in ("kernel", "bias"):
        if part not in found:
            raise WeightsError(f"{path}: the {part} of {layer} is missing; the file is incomplete")
    return found["kernel"], found["bias"]
