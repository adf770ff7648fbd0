"""What runs in a process of Ray's: a worker, and copies of files that it does not see."""

from __future__ import annotations

import os
import queue
import shutil
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import __version__
from pipeline.workers.file_copies import Traits, Unpacked, sees
from pipeline.workers.messages import Unfit
from pipeline.workers.protocol import Setup, Task
from pipeline.workers.scratch import make_scratch
from pipeline.workers.server import NO_CARD, Server

AHEAD = 8
"""Words of a worker that nobody has listened to yet; with more it waits."""


@dataclass(frozen=True)
class Given:
    """What an actor is made from; `known` are the job's files, `version` the driver's."""

    setup: Setup
    known: Traits
    threads: int
    cards: float
    watched: bool
    version: str


@dataclass(frozen=True)
class Sees:
    """Whether a new actor sees the job's files where they are."""

    all_files: bool


class Actor:
    """A worker in a process of Ray's; each method streams what the worker says."""

    def __init__(self, given: Given) -> None:
        from pipeline.machine import limit_threads

        if not given.cards:
            os.environ["CUDA_VISIBLE_DEVICES"] = NO_CARD
        limit_threads(given.threads)
        self._given = given
        self._scratch = make_scratch()
        self._said: queue.Queue[Any] = queue.Queue(maxsize=AHEAD)
        self._server = Server(given.setup, self._said.put, watched=given.watched)
        self._unpacked = Unpacked()

    def begin(self) -> Iterator[Any]:
        """Tell which of the job's files can be seen from here."""
        if self._given.version != __version__:
            yield Unfit(
                f"{socket.gethostname()} has version {__version__} of Deep Fusion, and this is "
                f"{self._given.version}; install the same everywhere"
            )
        else:
            yield Sees(sees(self._given.known))

    def set_up(self, copies: Mapping[Path, Any]) -> Iterator[Any]:
        """Make the worker."""
        self._unpacked.take(copies, _fetch)
        where = f"{socket.gethostname()}, process {os.getpid()}"
        yield from self._while(lambda: self._server.begin(self._unpacked.place, where))

    def do(self, task: Task, copies: Mapping[Path, Any]) -> Iterator[Any]:
        """Do a unit."""
        self._unpacked.take(copies, _fetch)
        try:
            yield from self._while(lambda: self._server.do(task, self._unpacked.place))
        finally:
            self._unpacked.drop(copies)

    def leave(self) -> None:
        """Delete all that is temporary."""
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _while(self, work: Any) -> Iterator[Any]:
        """What is said while some work is done, in a thread of its own, translated to the job's paths."""
        end = object()

        def run() -> None:
            try:
                work()
            finally:
                self._said.put(end)

        threading.Thread(target=run, name="unit", daemon=True).start()
        while (message := self._said.get()) is not end:
            yield self._unpacked.translated(message)


def _fetch(reference: Any) -> bytes:
    import ray

    return bytes(ray.get(reference))
