"""Processes that compute in turns: what they measure is not disturbed by one another's threads.

TensorFlow's and PyTorch's pools of threads wait by spinning, so each side has a process of its own, which
computes only between being told so and answering. `work(line, *arguments)` is what it runs; it begins with
an answer, once it has compiled what it needs.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any, Protocol

import numpy as np

from pipeline.machine import limit_threads
from video.images import ByteImage, to_uint8

_REST = 0.1
"""Seconds between two turns, in which the threads of the last one fall asleep."""


@dataclass(frozen=True)
class _Failure:
    text: str


class Side:
    """A process that does `work` when it is asked.

    Parameters
    ----------
    name
        For what is said of it.
    threads
        That it computes with.
    work, arguments
        A function of a module, called with the line and the arguments in the new process.
    """

    def __init__(self, name: str, threads: int, work: Callable[..., None], *arguments: Any) -> None:
        self.name = name
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, threads, work, *arguments), daemon=True, name=name
        )
        self._process.start()
        theirs.close()

    def answer(self) -> Any:
        """What it says next."""
        try:
            said = self._line.recv()
        except EOFError:
            said = _Failure("it ended without a word; is there enough memory?")
        if isinstance(said, _Failure):
            raise SystemExit(f"{self.name}: {said.text}")
        return said

    def ask(self, question: Any) -> Any:
        """Its turn: it computes until it answers."""
        time.sleep(_REST)
        self._line.send(question)
        return self.answer()

    def end(self) -> None:
        """It is needed no more."""
        self._process.terminate()
        self._process.join()


def _serve(line: Connection, threads: int, work: Callable[..., None], *arguments: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asks decides when it is over
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}  # all on the processor
    limit_threads(threads)
    try:
        work(line, *arguments)
    except EOFError:
        return
    except Exception as error:
        line.send(_Failure(f"{type(error).__name__}: {error}"))


class EnoughError(Exception):
    """The evaluations that there are have been used."""


class Watcher(Protocol):
    """Told of a loop's evaluations; `begin` once everything is compiled."""

    def begin(self) -> None:
        """The first evaluation that counts is next."""

    def seen(self, evaluations: int, loss: float, picture: Callable[[], np.ndarray]) -> None:
        """After `evaluations` of them: the loss found, and what gives the picture it is of."""


@dataclass(frozen=True)
class Kept:
    """The best picture of an optimisation after so many evaluations, which took so many seconds."""

    evaluations: int
    seconds: float
    loss: float
    picture: ByteImage


class Pace:
    """Lets a loop that knows nothing of turns take them, and keeps what it has come to.

    The loop calls `seen` after every evaluation, or every few. Pictures are the best so far by the loop's own
    loss. The clock stands still between turns and while a picture is kept.

    Parameters
    ----------
    line
        To the process that says whose turn it is. At the end of a turn it is given the :class:`Kept` of the
        turn and whether the loop is over.
    every
        Evaluations between two pictures that are kept.
    turn
        Evaluations a turn.
    limit
        Evaluations after which `seen` raises EnoughError.
    """

    def __init__(self, line: Any, *, every: int, turn: int, limit: int) -> None:
        self._line, self._every, self._turn, self._limit = line, every, turn, limit
        self._kept: list[Kept] = []
        self._last: Kept | None = None
        self._due, self._end = every, turn
        self._seconds = 0.0
        self._began = 0.0

    def begin(self) -> None:
        """Say that everything is compiled, and wait for the first turn."""
        self._line.send("ready")
        self._wait()

    def seen(self, evaluations: int, loss: float, picture: Callable[[], np.ndarray]) -> None:
        """After `evaluations` of them: the loss found, and what gives the picture it is of, RGB in [0, 1]."""
        self._seconds += time.perf_counter() - self._began
        last = self._last
        if last is not None and evaluations > self._due:  # passed over, by a step of several evaluations
            self._kept.append(last)
        if last is None or loss < last.loss:
            self._last = Kept(evaluations, self._seconds, loss, to_uint8(picture()))
        else:
            self._last = replace(last, evaluations=evaluations, seconds=self._seconds)
        if evaluations == self._due or evaluations >= self._limit:
            self._kept.append(self._last)
        if evaluations >= self._due:
            self._due = (evaluations // self._every + 1) * self._every
        if evaluations >= self._limit:
            raise EnoughError
        if evaluations >= self._end:
            self._end = evaluations + self._turn
            self._tell(over=False)
            self._wait()
        self._began = time.perf_counter()

    def over(self) -> None:
        """The loop has ended."""
        if self._last is not None:
            self._kept.append(self._last)
        self._tell(over=True)

    def _tell(self, *, over: bool) -> None:
        self._line.send((self._kept, over))
        self._kept = []

    def _wait(self) -> None:
        self._line.recv()
        self._began = time.perf_counter()
