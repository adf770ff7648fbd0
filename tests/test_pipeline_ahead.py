"""What a thread makes ahead comes in order, with its errors, and ends when it is not wanted any more."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from pipeline.background import Beside, ahead


def test_everything_comes_in_order_from_another_thread() -> None:
    threads = set()

    def numbers() -> Generator[int, None, None]:
        for number in range(20):
            threads.add(threading.current_thread())
            yield number

    assert list(ahead(numbers())) == list(range(20))
    assert threads and threading.main_thread() not in threads


def test_it_runs_ahead_but_not_far() -> None:
    made, third = [], threading.Event()

    def numbers() -> Generator[int, None, None]:
        for number in range(20):
            made.append(number)
            if number == 3:
                third.set()
            yield number

    items = ahead(numbers(), depth=2)
    assert next(items) == 0
    assert third.wait(5.0)  # nobody asked for more than the first
    items.close()
    assert made == [0, 1, 2, 3]


def test_an_error_comes_in_its_place() -> None:
    def numbers() -> Generator[int, None, None]:
        yield 1
        raise OSError("the disk is gone")

    items = ahead(numbers())
    assert next(items) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(items)


def test_closing_closes_what_it_runs_in_the_thread_that_runs_it() -> None:
    closed: list[threading.Thread] = []

    def numbers() -> Generator[int, None, None]:
        try:
            while True:
                yield 0
        finally:
            closed.append(threading.current_thread())

    before = threading.active_count()
    items = ahead(numbers())
    next(items)
    items.close()
    assert closed and closed[0] is not threading.main_thread()
    assert threading.active_count() == before


def test_one_thing_is_made_beside_by_another_thread() -> None:
    may_go_on = threading.Event()

    def make() -> threading.Thread:
        assert may_go_on.wait(5.0)
        return threading.current_thread()

    made = Beside(make)
    may_go_on.set()  # it had begun, and nobody waited for it
    assert made.result() is made.result() is not threading.main_thread()


def test_an_error_beside_comes_where_the_result_is_asked_for_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(threading, "excepthook", lambda _: pytest.fail("a traceback was printed"))
    before = threading.active_count()
    made = Beside(fail)
    for _ in range(2):
        with pytest.raises(OSError, match="the disk is gone"):
            made.result()
    assert threading.active_count() == before
