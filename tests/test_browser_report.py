"""The page of a job in a browser, opened as a file: by keyboard, by pointer, without script, on a phone.

Needs playwright and a Chromium; checked for accessibility too where AXE_JS names the file `axe.min.js`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.views.report.content import ReportPage, Row
from pipeline.views.report.embedding import Pair, Thumb
from pipeline.views.report.page import write_report_page

sync_api = pytest.importorskip("playwright.sync_api")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def plain(red: float, green: float, height: int = 200, width: int = 300) -> np.ndarray:
    return np.broadcast_to(np.array([red, green, 0.4], np.float32), (height, width, 3)).astype(np.float32)


def page_of(command: str) -> ReportPage:
    unit = "frame" if command == "video" else "photo"
    rows = [
        Row(f"{unit} {number}", number, 1 + number // 4, number % 4 == 0,
            {"total": 1 / (number + 1), "content": 0.3, "temporal": 0.001}, 20, 0.5,
            0.01 if number % 4 else None)
        for number in range(8)
    ]  # fmt: skip
    pairs = [Pair(row.name, ("wave", "night's <b>")[row.index % 2], plain(1, 0), plain(0, 1)) for row in rows]
    return ReportPage(
        f"A {command} in the style of a wave",
        command,  # type: ignore[arg-type]
        facts=[("Result", "out"), ("Time", "3 s")],
        settings=[("size", "64", "512"), ("seed", "0", "0")],
        environment=[("Python", "3.13")],
        rows=rows if command != "image" else rows[:1],
        pairs=[pairs[number] for number in (0, 3, 5)] if command == "video" else pairs[: len(rows)],
        thumbs=[Thumb(row.name, plain(0, 1)) for row in rows] if command == "video" else (),
        curves=[(n, 2 - n // 20, {"total": 2 / n, "style": 1 / n}) for n in range(1, 60)]
        if command == "image"
        else (),
        warnings=["something to know"],
        rerun="deepfusion run job.toml",
        job_file="command = 'video'\n" * 40,
        failed=[("broken.jpg", "is no picture")] if command == "album" else (),
    )


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    found = {command: folder / f"{command}.html" for command in ("image", "video", "album")}
    for command, path in found.items():
        write_report_page(path, page_of(command))
    return found


class Opened:
    """A page that was opened, and what its console said."""

    def __init__(self, browser: Any, path: Path, **context: Any) -> None:
        self.context = browser.new_context(**{"viewport": DESK, **context})
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda asked: self._note(asked.url))
        self.page.goto(path.as_uri())

    def _note(self, address: str) -> None:
        if not address.startswith(("file:", "data:")):
            self.said.append(f"asked for {address}")

    def __enter__(self) -> Any:
        return self.page

    def __exit__(self, kind: object, *_: object) -> None:
        self.context.close()
        assert kind is not None or self.said == []


def clip_of(page: Any, slider: str) -> str:
    return page.eval_on_selector(f"{slider} .before", "one => getComputedStyle(one).clipPath")


def test_slider_moves_by_keyboard(browser: Any, pages: dict[str, Path]) -> None:
    with Opened(browser, pages["video"]) as page:
        assert page.get_by_role("slider", name="How much of frame 0 is shown before").count() == 1
        before = clip_of(page, "#pair-0")
        page.focus("#pair-0 input")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        assert clip_of(page, "#pair-0") != before
        assert page.get_attribute("#pair-0 input", "aria-valuetext") == "48 % before"
        page.keyboard.press("Home")
        assert clip_of(page, "#pair-0") == "inset(0px 100% 0px 0px)"
        page.keyboard.press("End")
        assert clip_of(page, "#pair-0") == "inset(0px 0% 0px 0px)"


def test_slider_follows_the_pointer(browser: Any, pages: dict[str, Path]) -> None:
    with Opened(browser, pages["image"]) as page:
        box = page.locator("#pair-0 .slider").bounding_box()
        page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 9)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 30)
        page.mouse.up()
        assert page.input_value("#pair-0 input") == "25"
        page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 30)
        assert page.input_value("#pair-0 input") == "25"


def test_frames_of_the_strip_open_on_the_stage(browser: Any, pages: dict[str, Path]) -> None:
    with Opened(browser, pages["video"]) as page:
        assert page.locator(".stage .pair:visible").count() == 1
        assert page.locator(".strip a").count() == 3
        page.focus(".strip a >> nth=1")
        page.keyboard.press("Enter")
        assert page.locator(".stage .pair:visible .name").inner_text() == "frame 3"
        assert page.locator(".strip a[aria-current]").count() == 1
        page.click(".strip a >> nth=2")
        assert page.locator(".stage .pair:visible .name").inner_text() == "frame 5"


def test_gallery_is_filtered_by_style(browser: Any, pages: dict[str, Path]) -> None:
    with Opened(browser, pages["album"]) as page:
        assert page.locator("#gallery .pair:visible").count() == 8
        page.focus("#filter input >> nth=0")
        page.keyboard.press("ArrowRight")
        assert page.locator("#gallery .pair:visible").count() == 4
        assert page.locator("#filter-status").inner_text() == "4 of 8 shown"
        page.keyboard.press("ArrowRight")
        assert page.locator("#gallery .pair:visible .name").all_inner_texts() == [
            f"photo {number}" for number in (1, 3, 5, 7)
        ]


def test_without_script_everything_is_there_side_by_side(browser: Any, pages: dict[str, Path]) -> None:
    with Opened(browser, pages["album"], java_script_enabled=False) as page:
        assert page.locator("#gallery .pair:visible").count() == 8
        assert page.locator("#filter").is_visible() is False
        before, after = (page.locator(f"#photo-0 .{side}").bounding_box() for side in ("before", "after"))
        assert before["x"] + before["width"] <= after["x"]
    with Opened(browser, pages["video"], java_script_enabled=False) as page:
        assert page.locator(".stage .pair:visible").count() == 3
        assert page.locator("svg:visible").count() > 4


def test_paper_shows_both_pictures_side_by_side(browser: Any, pages: dict[str, Path]) -> None:
    with Opened(browser, pages["image"]) as page:
        page.emulate_media(media="print")
        before, after = (page.locator(f"#pair-0 .{side}").bounding_box() for side in ("before", "after"))
        assert before["x"] + before["width"] <= after["x"]


@pytest.mark.parametrize("command", ["image", "video", "album"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_page_fits_its_width(
    browser: Any, pages: dict[str, Path], tmp_path: Path, command: str, size: dict[str, int]
) -> None:
    with Opened(browser, pages[command], viewport=size) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
        page.screenshot(path=tmp_path / "page.png", full_page=True)
        assert (tmp_path / "page.png").stat().st_size > 10_000


@pytest.mark.skipif("AXE_JS" not in os.environ, reason="AXE_JS names no axe.min.js")
@pytest.mark.parametrize("command", ["image", "video", "album"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_no_serious_barriers(
    browser: Any, pages: dict[str, Path], command: str, scheme: str, size: dict[str, int]
) -> None:
    axe = Path(os.environ["AXE_JS"]).read_text(encoding="utf-8")
    with Opened(browser, pages[command], viewport=size, color_scheme=scheme, bypass_csp=True) as page:
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        page.evaluate(axe)
        found = page.evaluate("axe.run()")["violations"]
    shown = [
        f"{one['impact']}: {one['id']}: {node['target']}: {node['failureSummary']}"
        for one in found
        for node in one["nodes"][:3]
    ]
    assert shown == []
