"""Workers that are processes of this machine, each with a graphics card or a share of the cores."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from pipeline.machine import THREAD_VARIABLES
from pipeline.progress.signals import SIGNALS
from pipeline.workers.messages import Died, Unfit
from pipeline.workers.protocol import Setup, Task, as_named
from pipeline.workers.server import NO_CARD, Server

UNGUARDED = 'in a script, what starts a job belongs under `if __name__ == "__main__":`'
"""What a script does wrong whose workers do its jobs again as they import it."""

_FAREWELL = 3.0
"""Seconds that a process has to end by itself."""


@dataclass(frozen=True)
class Share:
    """What a worker may use of its machine: threads, and the graphics card by its name for CUDA."""

    threads: int
    card: str = NO_CARD


@dataclass
class _Child:
    process: BaseProcess
    pipe: Connection
    has_begun: bool = False

    def end(self) -> None:
        """Wait for its end; it is killed if that does not come."""
        self.process.join(_FAREWELL)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


@dataclass(frozen=True)
class _Hello:
    """Said by a child that listens: what it is made from may be large, and is not sent before."""


class Processes:
    """Workers that are child processes, told and heard through pipes.

    Parameters
    ----------
    setup
        What each of them is made from.
    shares
        What each of them may use; there are as many workers as shares.
    watched
        Whether anybody looks on.
    """

    def __init__(self, setup: Setup, shares: list[Share], *, watched: bool) -> None:
        self._setup, self._shares, self._watched = setup, shares, watched
        self._context = get_context("spawn")  # TensorFlow does not survive a fork
        self.count = len(shares)
        self._children: dict[int, _Child] = {}

    def start(self, number: int) -> None:
        """Start a process."""
        ours, theirs = self._context.Pipe()
        arguments = (theirs, self._shares[number].threads)
        process = self._context.Process(
            target=_serve, args=arguments, daemon=True, name=f"worker {number + 1}"
        )
        with _environment(self._shares[number]):
            process.start()
        theirs.close()
        self._children[number] = _Child(process, ours)

    def give(self, number: int, task: Task) -> None:
        """Have a worker do a unit; that it is dead comes to light when it is listened to."""
        with suppress(OSError):
            self._children[number].pipe.send(task)

    def listen(self, seconds: float) -> list[tuple[int, Any]]:
        """One message of each worker that has something to say."""
        pipes = {child.pipe: number for number, child in self._children.items()}
        heard: list[tuple[int, Any]] = []
        for pipe in connection.wait(list(pipes), timeout=seconds):
            number = pipes[pipe]  # type: ignore[index]
            try:
                message = self._children[number].pipe.recv()
                if isinstance(message, _Hello):
                    self._children[number].has_begun = True
                    self._children[number].pipe.send((self._setup, self._watched))
                else:
                    heard.append((number, message))
            except (EOFError, OSError):
                heard.append((number, self._ended(number)))
        return heard

    def close(self) -> None:
        """End all processes; those that do not want to are killed."""
        for child in self._children.values():
            child.pipe.close()
            child.process.terminate()
        for child in self._children.values():
            child.end()
        self._children = {}

    def _ended(self, number: int) -> Died | Unfit:
        """What became of a worker whose pipe has ended."""
        child = self._children.pop(number)
        child.pipe.close()
        child.end()
        code = child.process.exitcode or 0
        if code == 1 and not child.has_begun:  # by an error: it imports the program's main file first
            return Unfit(f"it cannot import {_main_file()}; {UNGUARDED}", exit_code=2)
        what = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        hint = "; perhaps there was not enough memory" if code == -getattr(signal, "SIGKILL", 9) else ""
        return Died(f"its worker {what}{hint}")


def _main_file() -> str:
    """The program's main file, for people."""
    return str(getattr(sys.modules["__main__"], "__file__", None) or "the program's main file")


@contextmanager
def _environment(share: Share) -> Iterator[None]:
    """What a child must find when it begins to import: NumPy and TensorFlow look only once."""
    wanted = {name: str(share.threads) for name in THREAD_VARIABLES if share.threads}
    wanted["CUDA_VISIBLE_DEVICES"] = share.card
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _serve(pipe: Connection, threads: int) -> None:
    """The child's work, until nobody wants it any more."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C reaches all of a terminal; the parent decides
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    from pipeline.machine import limit_threads
    from pipeline.workers.scratch import make_scratch

    limit_threads(threads)
    make_scratch()
    try:
        with suppress(EOFError, OSError):  # the parent is gone
            pipe.send(_Hello())
            setup, watched = pipe.recv()
            server = Server(setup, pipe.send, watched=watched)
            server.begin(as_named, f"process {os.getpid()}")
            while True:
                server.do(pipe.recv(), as_named)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends, and deletes what is temporary undisturbed
