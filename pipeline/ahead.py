"""Work that runs beside other work: decoding and optical flow, while the optimiser has the last frame."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")

_PATIENCE = 0.1
"""Seconds after which a thread looks whether it is still wanted."""


def ahead(items: Generator[T, None, None], depth: int = 2) -> Generator[T, None, None]:
    """The same items in the same order, made by a thread that is up to `depth` of them ahead.

    What `items` raises is raised here, in its place. When this generator is closed, `items` is closed too, by
    the thread that runs it.
    """
    made: queue.Queue[tuple[bool, T | BaseException | None]] = queue.Queue(maxsize=depth)
    unwanted = threading.Event()

    def put(ended: bool, item: T | BaseException | None) -> None:
        while not unwanted.is_set():
            try:
                made.put((ended, item), timeout=_PATIENCE)
                return
            except queue.Full:
                continue

    def work() -> None:
        end: BaseException | None = None
        try:
            for item in items:
                put(False, item)
                if unwanted.is_set():
                    break
        except BaseException as error:
            end = error
        finally:
            items.close()
        put(True, end)

    thread = threading.Thread(target=work, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            ended, item = made.get()
            if not ended:
                yield item  # type: ignore[misc]
            elif isinstance(item, BaseException):
                raise item
            else:
                return
    finally:
        unwanted.set()
        thread.join()
