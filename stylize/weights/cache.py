"""Keras' cache as the place of its float32 VGG-19: where it is, what is in it, what is known of the file."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from stylize.errors import WeightsError
from stylize.weights.files import Fingerprint, fingerprint

VGG19_FILE = "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"


@dataclass(frozen=True)
class Pin:
    """What a file must be: its size in bytes and its hashes in hexadecimal (`sha256` may be unknown)."""

    size: int
    md5: str
    sha256: str | None = None


# No trustworthy publication of this file's SHA-256 was found, so its size and the MD5 that Keras itself
# checks are pinned, and the SHA-256 of the copy first accepted is recorded beside it (NAME.sha256) and held
# to from then on. MD5 does not resist someone who made two files at once; an existing file still cannot be
# matched by another. Fill in `sha256` here once it is known, and it is required.
VGG19_PIN = Pin(size=80_134_624, md5="253f8cb515780f3b799900260a226db6")


def cache_path() -> Path:
    """Where Keras keeps its VGG-19 weights: $KERAS_HOME, or ~/.keras, then models/."""
    home = os.environ.get("KERAS_HOME")
    if home:
        return Path(home).expanduser() / "models" / VGG19_FILE
    try:
        base = Path.home()
    except RuntimeError:  # no home folder: Keras goes to the temporary folder, so do we
        base = Path(tempfile.gettempdir())
    return base / ".keras" / "models" / VGG19_FILE


def is_offline() -> bool:
    """Whether the environment variable DEEPFUSION_OFFLINE forbids to fetch anything (empty and 0 do not)."""
    return os.environ.get("DEEPFUSION_OFFLINE", "") not in ("", "0")


def accept(path: Path) -> Fingerprint:
    """Check a copy of Keras' VGG-19 file against everything known of it, and record its SHA-256.

    Raises
    ------
    WeightsError
        Saying what was expected and what was found.
    """
    found = fingerprint(path)
    recorded = _recorded_hash(path)
    for what, expected, got in (
        ("bytes", f"{VGG19_PIN.size:,}", f"{found.size:,}"),
        ("MD5", VGG19_PIN.md5, found.md5),
        ("SHA-256", VGG19_PIN.sha256 or recorded or found.sha256, found.sha256),
    ):
        if expected != got:
            raise WeightsError(
                f"{path}: not Keras' VGG-19 file: expected {what} {expected}, got {got}; delete it"
                " (and the .sha256 beside it) and run `deepfusion weights download`"
            )
    if recorded is None:
        with contextlib.suppress(OSError):  # a cache that cannot be written to serves all the same
            _record_path(path).write_text(f"{found.sha256}  {path.name}\n", "utf-8")
    return found


def cache_trouble() -> str | None:
    """Why the copy in the cache will not do, or None when it will."""
    path = cache_path()
    if not path.is_file():
        return f"Keras' VGG-19 is not at {path}"
    try:
        accept(path)
    except WeightsError as error:
        return str(error).partition(";")[0]
    return None


def forget_record(path: Path) -> None:
    """Drop the SHA-256 recorded beside `path`; the next `accept` records it anew."""
    with contextlib.suppress(OSError):
        _record_path(path).unlink(missing_ok=True)


def _record_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _recorded_hash(path: Path) -> str | None:
    """The SHA-256 in the record beside `path`, which has the form `sha256sum -c` reads."""
    try:
        words = _record_path(path).read_text("utf-8").split()
    except (OSError, ValueError):
        return None
    return words[0].lower() if words else None
