"""The process's standard streams as they may be: closed, full, or with nobody at the other end.

Standard error tells of the work and is no part of it: what it does not take is lost. Standard output has the
result: what it does not take is an error, in one line.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import Any, TextIO

from pipeline.errors import PipelineError

_PATIENCE = 1.0
"""Seconds to wait for a reader who keeps a stream that does not block full."""


class OutputError(PipelineError):
    """Standard output does not take what is written to it."""


class ReaderGoneError(OutputError):
    """Who read standard output has seen enough, as `head` has: nothing is wrong with it."""


class _Forgiving(io.FileIO):
    """A stream that takes everything, and loses what cannot be written."""

    def write(self, data: Any, /) -> int:
        """Write, or wait for a moment and then do without."""
        try:
            written = super().write(data)
            if written is None:
                select.select([], [self.fileno()], [], _PATIENCE)
                written = super().write(data)
        except (OSError, ValueError):
            written = None
        return memoryview(data).nbytes if written is None else written


class _Strict(io.FileIO):
    """A stream whose first failure is an `OutputError`; nothing after that is another."""

    lost = False

    def write(self, data: Any, /) -> int:
        """Write, or say that it cannot be done."""
        if self.lost:
            return memoryview(data).nbytes
        try:
            return super().write(data)  # None, which the buffer understands, where it would have to wait
        except OSError as error:
            self.lost = True
            kind = ReaderGoneError if error.errno == errno.EPIPE else OutputError
            raise kind(f"standard output cannot be written: {error.strerror}") from None


class _Closed(_Strict):
    """A stream that was closed before the program began; /dev/null stands in its place."""

    def write(self, data: Any, /) -> int:
        """Say that it cannot be done."""
        if not self.lost:
            self.lost = True
            raise OutputError(f"standard output cannot be written: {os.strerror(errno.EBADF)}")
        return memoryview(data).nbytes


def secure() -> None:
    """Make the standard streams such that work can go on whatever they are; safe to call again.

    A descriptor that is closed becomes /dev/null: the next file that is opened would take its number, and
    what is meant for people would be written into it. Streams that somebody has put others in place of stay.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free
    if sys.stderr is sys.__stderr__:
        sys.stderr = _text(_Forgiving(2, "w", closefd=False), sys.stderr, "backslashreplace", lines=True)
    if sys.stdout is sys.__stdout__:
        kind = _Strict if sys.stdout is not None else _Closed
        raw = kind(1, "w", closefd=False)
        sys.stdout = _text(raw, sys.stdout, "strict", lines=raw.isatty())


def _text(raw: io.FileIO, before: TextIO | None, errors: str, *, lines: bool) -> TextIO:
    """A text stream in the encoding of the one before, if there was one."""
    encoding, errors = (before.encoding, before.errors or errors) if before is not None else ("utf-8", errors)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors, line_buffering=lines)
