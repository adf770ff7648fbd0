"""Ctrl-C and its kin: once stops at the next good moment and keeps everything, twice stops at once.

Work can also be held at such a moment, and released.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

_LOOK = 0.2
"""Seconds after which held work looks whether a signal has come."""


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
    held: Callable[[bool], None] | None = None
    """Who holds the work, to be told when it rests and when it goes on."""
    released = threading.Event()
    """Set while the work may go on."""
    rested = 0.0
    """Seconds for which the work has been held so far."""


_State.released.set()


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
            _end_if_asked()


def check() -> None:
    """Stop here if a signal has come, rest while work is held; call it where everything so far is kept."""
    _rest()
    _end_if_asked()


def hold(told: Callable[[bool], None]) -> None:
    """From the next `check` on the work rests until `release`; may be called from any thread.

    Parameters
    ----------
    told
        Called in the thread that works: with True when it begins to rest, with False when it goes on.
    """
    _State.held = told
    _State.released.clear()


def release() -> None:
    """Work that is held goes on; may be called from any thread."""
    _State.released.set()


def rested() -> float:
    """Seconds for which work has been held since the program began."""
    return _State.rested


def _rest() -> None:
    if _State.held is None or _State.released.is_set() or _State.pending is not None:
        return
    told, began = _State.held, time.perf_counter()
    told(True)
    try:
        # Waiting in short turns: a signal's handler must not set an event that this thread may be holding.
        while not _State.released.wait(_LOOK) and _State.pending is None:
            pass
    finally:
        _State.rested += time.perf_counter() - began
    if _State.pending is None:
        told(False)


def _end_if_asked() -> None:
    number, _State.pending = _State.pending, None
    if number is not None:
        raise Stopped(number)


def _received(number: int, frame: FrameType | None) -> None:
    del frame
    if not _State.patient:
        raise Stopped(number)
    if _State.pending is not None:
        _say("deepfusion: stopped at once")
        os._exit(128 + number)
    _State.pending = number
    _say("\nstopping after this iteration; once more stops at once")


def _say(text: str) -> None:
    """Tell it, if there is somebody, and unless the signal came while something else was being told."""
    with suppress(OSError, RuntimeError, ValueError):
        print(text, file=sys.stderr, flush=True)
