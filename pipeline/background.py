"""Work that runs beside other work: decoding and optical flow, while the optimiser has the last frame."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

T = TypeVar("T")

_PATIENCE = 0.1
"""Seconds after which a thread looks whether it is still wanted."""


class Ahead(Generic[T]):
    """The items of a generator, made by a thread that is up to `depth` of them ahead; 0: as far as it gets.

    What the generator raises is raised here, in its place. `close` closes it too, in the thread that runs it.
    """

    def __init__(self, items: Generator[T, None, None], depth: int = 2) -> None:
        self._items = items
        self._made: queue.Queue[tuple[bool, T | BaseException | None]] = queue.Queue(maxsize=depth)
        self._unwanted = threading.Event()
        self._thread = threading.Thread(target=self._work, name="ahead", daemon=True)
        self._thread.start()

    def take(self, *, wait: bool = True) -> T:
        """The next item.

        Raises
        ------
        StopIteration
            After the last one.
        queue.Empty
            If it is not to be waited for and there is none yet.
        """
        ended, item = self._made.get(block=wait)
        if not ended:
            return item  # type: ignore[return-value]
        self._made.put((True, None))  # to be told the same when asked again
        if isinstance(item, BaseException):
            raise item
        raise StopIteration

    def close(self) -> None:
        """Nothing more is wanted; returns when the thread has ended."""
        self._unwanted.set()
        self._thread.join()

    def _put(self, ended: bool, item: T | BaseException | None) -> None:
        while not self._unwanted.is_set():
            try:
                self._made.put((ended, item), timeout=_PATIENCE)
                return
            except queue.Full:
                continue

    def _work(self) -> None:
        end: BaseException | None = None
        try:
            for item in self._items:
                self._put(False, item)
                if self._unwanted.is_set():
                    break
        except BaseException as error:
            end = error
        finally:
            self._items.close()
        self._put(True, end)


class Beside(Generic[T]):
    """What a function gives, made by a thread from now on.

    What the function raises is raised where the result is asked for; where nobody asks, because something
    else has ended the work, it is of no interest. The program ends after the thread: it is for moments' work.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._result: T
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="beside")
        self._thread.start()

    def result(self) -> T:
        """It, as soon as it is there."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result

    def _work(self) -> None:
        try:
            self._result = self._make()
        except BaseException as error:
            self._error = error


def ahead(items: Generator[T, None, None], depth: int = 2) -> Generator[T, None, None]:
    """The same items in the same order, made up to `depth` ahead (:class:`Ahead`)."""
    made = Ahead(items, depth)
    try:
        while True:
            try:
                item = made.take()
            except StopIteration:
                return
            yield item
    finally:
        made.close()
