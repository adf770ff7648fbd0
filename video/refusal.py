"""Why a file is not opened as a clip, in words that help."""

from __future__ import annotations

from pathlib import Path

from .errors import InputError, StillError


def check_file(path: Path) -> None:
    """Raise InputError unless `path` is a readable file that is not empty."""
    try:
        if not path.exists():
            raise InputError(f"{path}: no such file; check the name and the folder")
        if path.is_dir():
            raise InputError(f"{path} is a folder, not a clip")
        if not path.is_file():
            raise InputError(f"{path} is no regular file; copy the clip to a file first")
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check name and permissions") from error
    if empty:
        raise InputError(f"{path} is empty (0 bytes); copy or download it again")


def no_clip(path: Path, reason: str, *, known: bool) -> InputError:
    """The error of a file that could not be opened; `known`: ffmpeg knows its kind, which is not ours."""
    with path.open("rb") as file:
        head = file.read(4096)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return InputError(f"{path} is a web page (HTML), not a clip; download the clip itself")
    if text.startswith((b"#extm3u", b"ffconcat", b"v=0", b"[playlist]")) or b"<mpd" in text:
        return InputError(f"{path} is a playlist, which is not opened; give the clip itself")
    if head.startswith((b"\x89PNG", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*")) or head[8:12] == b"WEBP":
        return StillError(f"{path} is a picture, not a clip")
    if b"\0" not in head and _is_text(head):
        return InputError(f"{path} is a text file, not a clip")
    if known:
        return InputError(
            f"{path} is of a kind that is not supported; convert it to MP4 first, if it is a clip"
        )
    return InputError(
        f"{path} cannot be opened as a clip ({reason}); it is damaged or of a kind that ffmpeg does not know"
    )


def _is_text(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 3  # a letter cut in two by the end of what was read
    return True
