"""What is said at a job's beginning of how long it will take: with a clock of the tests' own."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pipeline_runs import QUICK, done

from pipeline.progress.display import Display, Work
from pipeline.settings.job import Job, StyleSource, build_job
from pipeline.steps import outlook
from pipeline.steps.outlook import Outlook, roughly, slim_share
from pipeline.styling.one_picture import follow
from stylize.config import StylizeConfig
from stylize.optimize import Progress
from stylize.types import FloatImage

DEFAULT = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1")


@pytest.fixture(autouse=True)
def plain_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Iterations cost their pixels and nothing else; there is no graphics card."""
    monkeypatch.setattr(outlook, "_FIXED", {})
    monkeypatch.setattr(outlook, "has_card", lambda: False)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time of day for `Work`; it goes on when it is told to."""
    made = SimpleNamespace(now=100.0)
    monkeypatch.setattr("time.perf_counter", lambda: made.now)
    return made


def job_of(command: str = "image", **overrides: Any) -> Job:
    return build_job(command, Path("a"), (StyleSource(Path("b")),), Path("c"), overrides=overrides)


def stylizer_of(
    name: str = "vgg19", *, mixed: bool = False, layers: tuple[str, ...] = DEFAULT, levels: int = 1,
    overlap: float = 1.0,
) -> Any:  # fmt: skip
    return SimpleNamespace(
        config=StylizeConfig(levels=levels),
        backbone=SimpleNamespace(name=name, mixed=mixed),
        objective=SimpleNamespace(layers=("image", *layers)),
        evaluator=SimpleNamespace(overlap=lambda height, width: overlap),
    )


def no_picture() -> FloatImage:
    raise AssertionError("nobody is to look at the picture")


def said(
    clock: SimpleNamespace, stylizer: Any, *, job: Job | None = None, total: float = 300.0,
    seconds: float = 2.0, level: int = 0, iterations: int = 6, shape: tuple[int, ...] = (384, 512, 3),
    verbosity: int = 0, done: float = 0.0,
) -> list[str]:  # fmt: skip
    """The lines of a job whose iterations at this level take so many seconds, after a long compilation."""
    stream = io.StringIO()
    display = Display(verbosity, stream)
    display.outlook = Outlook(job or job_of(), display)
    with display.work(total) as work:
        work.begin_at(done)
        assert work.outlook is not None
        work.outlook.sees(stylizer, shape)
        clock.now += 50.0
        for number in range(iterations + 1):
            follow(work, "")(Progress(number, 100, 1.0, {}, 0.0, number, no_picture, level))
            clock.now += seconds
    return [line for line in stream.getvalue().splitlines() if "%" not in line]


def test_a_long_picture_is_told_once_with_what_takes_less(clock: SimpleNamespace) -> None:
    assert said(clock, stylizer_of(), total=423.0, iterations=20) == [
        "about 14 min on this processor (2.0 s an iteration); "
        "--backbone vgg19-slim would take about 2 min, --size 384 about 8 min"
    ]
    assert said(clock, stylizer_of(mixed=True), total=423.0) == [
        "about 14 min on this processor (2.0 s an iteration); "
        "--backbone vgg19-slim would take about 3 min, --size 384 about 8 min"
    ]


def test_it_is_told_after_three_iterations_and_not_before(clock: SimpleNamespace) -> None:
    assert said(clock, stylizer_of(), iterations=2) == []
    assert len(said(clock, stylizer_of(), iterations=3)) == 1
    assert said(clock, stylizer_of(), seconds=0.3, total=2000.0, iterations=3) == []  # 0.6 s: too short
    assert len(said(clock, stylizer_of(), seconds=0.3, total=2000.0, iterations=5)) == 1


def test_a_quick_job_and_a_quiet_one_say_nothing(clock: SimpleNamespace) -> None:
    assert said(clock, stylizer_of(), total=60.0) == []
    assert said(clock, stylizer_of(), verbosity=-1) == []
    for command in ("video", "album"):
        assert said(clock, stylizer_of(), job=job_of(command), total=300.0) == []
        assert len(said(clock, stylizer_of(), job=job_of(command), total=320.0)) == 1


def test_what_an_earlier_run_did_does_not_count(clock: SimpleNamespace) -> None:
    video = job_of("video")
    assert said(clock, stylizer_of(), job=video, total=900.0, done=700.0) == []
    (line,) = said(clock, stylizer_of(), job=video, total=900.0, done=400.0)
    assert line.startswith("about 17 min ")


def test_a_small_level_stands_for_the_large_one(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By pixels; what an iteration costs besides them is paid at every level and not sixteen times."""
    coarse = stylizer_of(levels=3)
    (line,) = said(clock, coarse, level=2, seconds=0.5, total=423.0)
    assert "(8.0 s an iteration)" in line
    pixels = 384 * 512
    monkeypatch.setattr(outlook, "_FIXED", {"vgg19": pixels / 16.0})  # half of the small level's time
    (line,) = said(clock, coarse, level=2, seconds=0.5, total=423.0)
    assert "(4.2 s an iteration)" in line


def test_windows_cost_what_they_share(clock: SimpleNamespace) -> None:
    (line,) = said(clock, stylizer_of(overlap=1.5), seconds=10.0)
    assert line.startswith("about 74 min on this processor (15 s an iteration)")


@pytest.mark.parametrize(
    ("stylizer", "overrides"),
    [
        (stylizer_of("vgg19-slim"), {}),
        (stylizer_of("custom"), {}),
        (stylizer_of(layers=("block5_conv4",)), {}),  # the slim network ends before it
        (stylizer_of(), {"weights": "mine.npz"}),  # --backbone would change nothing
    ],
)
def test_the_slim_network_is_named_only_where_it_would_help(
    stylizer: Any, overrides: dict[str, Any], clock: SimpleNamespace
) -> None:
    (line,) = said(clock, stylizer, job=job_of(**overrides))
    assert line == ("about 10 min on this processor (2.0 s an iteration); --size 384 would take about 6 min")


def test_a_graphics_card_is_another_matter_and_small_pictures_stay(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ratio of the networks was measured on processors."""
    monkeypatch.setattr(outlook, "has_card", lambda: True)
    (line,) = said(clock, stylizer_of(), seconds=1.1, shape=(200, 200, 3))
    assert line == "about 5 min on this graphics card (1.1 s an iteration)"


def test_the_share_of_the_slim_network_is_that_of_its_arithmetic() -> None:
    """By hand, in block1_conv1 alone: a quarter of the channels, so a quarter of the multiplications."""
    assert slim_share(stylizer_of(layers=("block1_conv1",))) == pytest.approx(1.75 / 4)
    two = (27 * 16 + 9 * 16 * 16) / (27 * 64 + 9 * 64 * 64)
    assert slim_share(stylizer_of(layers=("block1_conv2",), mixed=True)) == pytest.approx(3.5 * two)
    share = slim_share(stylizer_of())
    assert share is not None
    assert 1 / 9.5 < share < 1 / 8.5


@pytest.mark.parametrize(
    ("seconds", "text"), [(3, "10 s"), (44, "40 s"), (126, "2 min"), (5399, "90 min"), (12600, "3.5 h")]
)
def test_times_to_come_are_said_roughly(seconds: float, text: str) -> None:
    assert roughly(seconds) == text


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("command", ["image", "album", "video"])
def test_every_job_says_it_and_a_quiet_one_does_not(
    command: str, photo: Path, style: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlook, "LONG_PICTURE", 0.0)
    monkeypatch.setattr(outlook, "LONG_JOB", 0.0)
    monkeypatch.setattr(Work, "pace", 0.5)
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "photos" / name).write_bytes(photo.read_bytes())
    content = {"image": photo, "album": tmp_path / "photos", "video": clip}[command]
    suffix = {"image": ".png", "album": "", "video": ".mp4"}[command]
    more = ("--iterations", "4") + (
        ("--frames", "0:2", "--frame-iterations", "4") if command == "video" else ()
    )
    run = (command, content, "--style", style, *QUICK, *more)
    said = done(*run, "-o", tmp_path / f"out{suffix}").err
    assert len([line for line in said.splitlines() if "about" in line and "%" not in line]) == 1
    assert "about" not in done(*run, "-o", tmp_path / f"quiet{suffix}", "-q").err


def test_the_line_stands_above_the_bar_of_a_terminal(clock: SimpleNamespace) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    display = Display(0, stream)
    with display.work(10.0) as work:
        work.advance(1.0, "on the way")
        display.note("[this] is a line, however long it may be " + "x" * 200)
    assert "[this] is a line, however long it may be " + "x" * 200 + "\n" in stream.getvalue()
    display.note("after")
    assert stream.getvalue().endswith("after\n")
