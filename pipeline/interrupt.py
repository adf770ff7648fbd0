"""Ctrl-C and its kin: once stops at the next good moment and keeps everything, twice stops at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopped(KeyboardInterrupt):
    """The user, or the system, asked the program to end.

    Attributes
    ----------
    exit_code
        128 and the signal's number, as shells have it: 130 for Ctrl-C, 143 for SIGTERM.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


class _State:
    patient = False
    """Whether work is going on that wants to end an iteration first."""
    pending: int | None = None
    """The signal that came meanwhile."""


def listen() -> None:
    """Turn the signals that ask a program to end into `Stopped`; only the main thread can."""
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
                signal.signal(number, _received)


@contextmanager
def patiently() -> Iterator[None]:
    """Until the block ends, the first signal only makes the next `check` stop; a second one ends at once."""
    before, _State.patient = _State.patient, True
    try:
        yield
    finally:
        _State.patient = before
        if not before:
            check()


def check() -> None:
    """Stop here if a signal has come; call it where everything done so far is kept."""
    number, _State.pending = _State.pending, None
    if number is not None:
        raise Stopped(number)


def _received(number: int, frame: FrameType | None) -> None:
    del frame
    if not _State.patient:
        raise Stopped(number)
    if _State.pending is not None:
        print("deepfusion: stopped at once", file=sys.stderr, flush=True)
        os._exit(128 + number)
    _State.pending = number
    print("\nstopping after this iteration; once more stops at once", file=sys.stderr, flush=True)
