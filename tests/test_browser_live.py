"""The live page as a person meets it: in a browser, with a job that runs.

Pictures of it go to the folder in the environment variable SHOTS; the page is examined by axe-core where
AXE_JS names its file.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from live_job import FakeClip, a_job, quiet

from pipeline.progress.signals import release
from pipeline.views.live.server import LivePage, serving
from pipeline.views.live.watcher import LiveWatcher

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome", "chrome")
        if (found := shutil.which(name))
    ),
    "",
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium here"),
]
DEMO = Path(__file__).parent.parent / "pipeline" / "demo"
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


@dataclass
class Running:
    """A job at work and its page."""

    clip: FakeClip
    watcher: LiveWatcher
    thread: threading.Thread
    address: str
    said: Callable[[], str]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    content = tmp_path / "tulips.jpg"
    shutil.copy(DEMO / "tulips.jpg", content)
    job = a_job(content, DEMO / "great-wave.jpg", size=384, iterations=30)
    display, said = quiet()
    watcher = LiveWatcher(job, display)
    clip = FakeClip(watcher, job, tmp_path, frames=9, pause=0.03)
    thread = threading.Thread(target=clip.run)
    with serving(LivePage(watcher), 0) as port:
        thread.start()
        yield Running(clip, watcher, thread, f"http://127.0.0.1:{port}/", said.getvalue)
        clip.over = True
        release()
        thread.join()
        watcher.close()


def opened(browser: Any, address: str, size: str = "desktop", scheme: str = "light") -> Any:
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(address)
    page.wait_for_selector("#result:visible")
    return page


def shot(page: Any, name: str) -> None:
    folder = os.environ.get("SHOTS")
    if folder:
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def settles(page: Any, expression: str) -> None:
    """Until an expression is true on the page; its policy forbids the driver's own way, which is eval."""
    end = time.monotonic() + 20.0
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(50)


def findings(page: Any) -> list[str]:
    """What axe-core finds serious or critical; nothing where it is not here."""
    source = os.environ.get("AXE_JS")
    if not source:
        return []
    page.evaluate(Path(source).read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical")
    ]


def test_the_page_stops_the_job_and_lets_it_go_on(browser: Any, running: Running) -> None:
    page = opened(browser, running.address)
    button = page.get_by_role("button", name="Stop")
    button.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Continue").wait_for()
    settles(page, "document.body.dataset.phase === 'paused'")
    before = running.clip.iterations
    time.sleep(0.5)
    assert running.clip.iterations == before
    assert "stopped by the live page" in running.said()
    assert page.title().startswith("❚❚ ")
    shot(page, "paused")
    page.get_by_role("button", name="Continue").click()
    until(lambda: running.clip.iterations > before)
    page.get_by_role("button", name="Stop").wait_for()
    assert "going on, by the live page" in running.said()
    assert page.errors == []
    page.close()


def test_the_slider_shows_the_original(browser: Any, running: Running) -> None:
    page = opened(browser, running.address)
    slider = page.get_by_role("slider", name="How much of the original is shown")
    box = page.locator("#compare").bounding_box()
    assert box["width"] / box["height"] == pytest.approx(4 / 3, rel=0.35)
    page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"])
    assert int(slider.input_value()) == pytest.approx(25, abs=1)
    slider.press("ArrowRight")
    assert "26%" in page.locator("#result").evaluate("image => getComputedStyle(image).clipPath")
    assert page.locator("#content").evaluate("image => image.naturalWidth") > 0
    assert page.errors == []
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_it_fits_and_everybody_can_use_it(browser: Any, running: Running, size: str, scheme: str) -> None:
    page = opened(browser, running.address, size, scheme)
    settles(page, "document.querySelectorAll('#strip img[src]').length >= 6")
    page.locator("#slider").fill("38")
    page.wait_for_timeout(300)
    shot(page, f"{size}-{scheme}")
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    assert findings(page) == []
    assert page.title().split(" · ")[1] == "tulips.jpg"
    assert page.locator("#losses path").count() == 5
    assert page.locator("#frames svg").count() == 3
    assert page.errors == []
    page.close()


def test_the_end_is_seen_before_the_program_goes(browser: Any, tmp_path: Path) -> None:
    content = tmp_path / "cat.jpg"
    shutil.copy(DEMO / "cat.jpg", content)
    job = a_job(content, DEMO / "scream.jpg")
    watcher = LiveWatcher(job, quiet()[0])
    clip = FakeClip(watcher, job, tmp_path, frames=2, pause=0.02, length=12)
    with serving(LivePage(watcher), 0) as port:
        thread = threading.Thread(target=clip.run)
        thread.start()
        page = opened(browser, f"http://127.0.0.1:{port}/")
        thread.join()
        closing = threading.Thread(target=watcher.close)
        began = time.monotonic()
        closing.start()
        settles(page, "document.body.dataset.phase === 'done'")
        closing.join()
        assert time.monotonic() - began < 3.0
    page.wait_for_timeout(2500)
    assert page.locator("#notice").inner_text().startswith(str(job.output))
    assert page.title().startswith("✓ 100 % · cat.jpg")
    assert page.locator("#strip img[src]").count() == 2
    assert page.locator("#result").evaluate("image => image.naturalWidth") > 0
    shot(page, "done")
    page.close()


def test_a_program_that_is_gone_leaves_its_last_picture(browser: Any, tmp_path: Path) -> None:
    content = tmp_path / "cat.jpg"
    shutil.copy(DEMO / "cat.jpg", content)
    job = a_job(content, DEMO / "scream.jpg")
    watcher = LiveWatcher(job, quiet()[0])
    clip = FakeClip(watcher, job, tmp_path, frames=1, pause=0.05)
    thread = threading.Thread(target=clip.run)
    with serving(LivePage(watcher), 0) as port:
        thread.start()
        page = opened(browser, f"http://127.0.0.1:{port}/")
    page.get_by_text("The program does not answer").first.wait_for()
    assert page.get_by_role("button", name="Stop").is_disabled()
    assert page.locator("#result").evaluate("image => image.naturalWidth") > 0
    shot(page, "gone")
    thread.join()
    watcher.close()
    page.close()
