"""What is said, and how."""

# ruff: noqa: E501 - messages are given in full

from __future__ import annotations

import io
import json
import re
from types import SimpleNamespace

import pytest

from pipeline.progress.display import Display
from pipeline.progress.report import Report
from pipeline.progress.wording import spoken_bytes, spoken_time
from pipeline.styling.one_picture import result_line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.7, "1 h 00 min"),
        (12000, "3 h 20 min"),
    ],
)
def test_spoken_time(seconds: float, text: str) -> None:
    assert spoken_time(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 KB"), (512_000, "512 KB"), (20_000_000, "20 MB"), (3_200_000_000, "3.2 GB")]
)
def test_spoken_bytes(count: float, text: str) -> None:
    assert spoken_bytes(count) == text


@pytest.mark.parametrize(
    ("verbosity", "said"),
    [(-1, "broken\n"), (0, "hello\nnote: careful\nbroken\n"), (1, "hello\ndetail\nnote: careful\nbroken\n")],
)
def test_as_much_is_said_as_was_asked_for(verbosity: int, said: str) -> None:
    stream = io.StringIO()
    display = Display(verbosity, stream)
    display.note("hello")
    display.detail("detail")
    display.warn("careful")
    display.warn("careful")
    display.error("broken")
    assert stream.getvalue() == said
    assert display.warnings == ["careful"]


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    stream = io.StringIO()
    with Display(0, stream).work(100) as work:
        for step in range(1, 41):
            now[0] = float(step)
            work.advance(1, f"step {step}")
    assert stream.getvalue().splitlines() == [
        "10 %  step 10  1 it/s  about 1 min 30 s left",
        "20 %  step 20  1 it/s  about 1 min 20 s left",
        "30 %  step 30  1 it/s  about 1 min 10 s left",
        "40 %  step 40  1 it/s  about 1 min 00 s left",
    ]


def test_what_an_earlier_run_did_does_not_count_for_the_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    with Display(-1).work(100) as work:
        work.begin_at(80)
        assert work.left == ""
        for _ in range(5):
            now[0] += 0.5
            work.advance(1, "")
        assert work.left == "about 8 s left"  # 2 in a second, 15 of 20 to go
        work.move_to(20)
        assert work.left == "about 0 s left"


def test_the_compilation_does_not_count_for_the_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    with Display(-1).work(101) as work:
        now[0] = 60.0
        work.advance(1, "the first iteration, compiled on the way")
        now[0] = 62.0
        work.advance(20, "")
        assert work.left == "about 8 s left"


def test_the_speed_is_that_of_the_last_half_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    with Display(-1).work(1000) as work:
        for step in range(200):
            now[0] += 1.0 if step < 100 else 0.5
            work.advance(1, "")
        assert work.left == "about 6 min 40 s left"


@pytest.mark.parametrize("kind", ["xterm", "dumb"])
def test_a_bar_on_a_terminal(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or lines, where none can be drawn."""
    monkeypatch.setenv("TERM", kind)
    monkeypatch.setattr("pipeline.progress.display._PLAIN_INTERVAL", 0.0)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with Display(0, stream).work(2) as work:
        work.advance(1, "half")
    assert "half" in stream.getvalue()
    assert ("\x1b[" in stream.getvalue()) is (kind == "xterm")


@pytest.mark.parametrize("plain", [True, False])
def test_colours_can_be_left_out(plain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if plain:
        monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    with Display(0, stream).work(10) as work:
        work.advance(5, "step 5")
    assert bool(re.search(r"\x1b\[[0-9;]+m", stream.getvalue())) is not plain


def test_a_report_in_words_and_as_json() -> None:
    report = Report("album", "out", "vgg19-slim", frames=3, seconds=61.23456, evaluations=7, skipped=1)
    report.failed["a.png"] = "broken"
    report.also["settings"] = "a.toml"
    assert report.summary() == (
        "out  (3 pictures, 1 failed, 1 already there, 1 min 01 s, 7 evaluations, vgg19-slim)\na.toml  (settings)"
    )
    assert report.exit_code == 1
    assert json.loads(report.to_json())["seconds"] == 61.235


@pytest.mark.parametrize(("count", "told"), [(1, "1 evaluation,"), (2, "2 evaluations,")])
def test_one_evaluation_is_no_plural(count: int, told: str) -> None:
    report = Report("image", "out.png", "vgg19-slim", frames=1, evaluations=count)
    assert f" {told} vgg19-slim" in report.summary()
    result = SimpleNamespace(losses={}, evaluations=count, seconds=1.0, reason="settled")
    assert f" {told[:-1]}  1.0 s" in result_line(result)


def test_losses_of_a_report_are_means() -> None:
    class Result:
        evaluations = 3

        def __init__(self, style: float) -> None:
            self.losses = {"style": style}

    report = Report("video", "out.mp4")
    for style in (1.0, 2.0, 6.0):
        report.add(Result(style))
    assert (report.losses, report.evaluations, report.done, report.exit_code) == ({"style": 3.0}, 9, 3, 0)


def test_a_download_is_told_of_now_and_then() -> None:
    stream = io.StringIO()
    show = Display(0, stream).download("weights")
    for received in range(0, 21_000_000, 1_000_000):
        show(received, 20_000_000)
    assert stream.getvalue().splitlines() == [
        "downloading weights: 8 MB of 20 MB",
        "downloading weights: 16 MB of 20 MB",
    ]
