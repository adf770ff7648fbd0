"""Make the guide's screenshots of the live page, of a clip's report and of an album's gallery anew.

    python scripts/make_docs.py screenshots MEDIA

Runs a clip of 16 frames and an album at 256 px and looks at their pages with a
headless Chromium (playwright, of the `dev` extra, and a Chromium on the path) at 1280 and 390 pixels.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from scripts.media import Media

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "images" / "pages"
PORT = 8699
WIDTHS = {"desktop": (1280, 800), "phone": (390, 780)}
SETTINGS = ("--size", "256", "-q")
LONGEST = 2000
"""Pixels of a picture's height, at the most."""

HALFWAY = 0.45
"""Share of the clip that is done when the live page is looked at."""


def deepfusion(*arguments: object) -> list[str]:
    """The command line, as this interpreter runs it."""
    return [sys.executable, "-m", "pipeline.cli", *map(str, arguments)]


def shoot(browser: Any, url: str, name: str, *, whole: bool = False) -> None:
    """A picture of a page at each width: the first screen, or all of it."""
    for kind, (width, height) in WIDTHS.items():
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(url)
        page.wait_for_timeout(1500)
        with Image.open(BytesIO(page.screenshot(full_page=whole))) as image:
            shown = image.crop((0, 0, width, min(image.height, LONGEST)))
            shown.convert("RGB").save(FOLDER / f"{name}-{kind}.jpg", quality=85)
        page.close()


def wait_for(browser: Any, url: str) -> None:
    """Until the live page says that the job is halfway."""
    page = browser.new_page()
    for _ in range(600):
        try:
            page.goto(url)
            done = page.title().split("%")[0].split()[-1]
            if done.isdigit() and int(done) >= 100 * HALFWAY:
                break
        except Exception:  # the server is not there yet
            pass
        time.sleep(0.5)
    page.close()


def main(arguments: list[str]) -> None:
    """Run both jobs and take the pictures."""
    parser = argparse.ArgumentParser(prog="make_docs.py screenshots", description=__doc__.splitlines()[0])
    parser.add_argument("media", type=Media.named)
    media = parser.parse_args(arguments).media
    FOLDER.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    paintings = media.paintings
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        folder = Path(name)
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        clip = deepfusion(
            "video", media.video("flower"), "--style", paintings / "hokusai-great-wave.jpg",
            "--frames", "0:16", "-o", "flower.mp4", *SETTINGS, "--live", PORT, "--report", "clip.html",
        )  # fmt: skip
        with subprocess.Popen(clip, cwd=folder, env=environment) as job:
            wait_for(browser, f"http://127.0.0.1:{PORT}/")
            shoot(browser, f"http://127.0.0.1:{PORT}/", "live", whole=True)
            job.wait()
        album = deepfusion(
            "album", media.photos, "--style", paintings / "vangogh-starry-night.jpg", "--style",
            paintings / "munch-scream.jpg", "-o", "album", "--pair", "cycle", *SETTINGS,
            "--report", "album.html",
        )  # fmt: skip
        subprocess.run(album, cwd=folder, env=environment, check=True)
        for page in ("clip", "album"):
            shoot(browser, (folder / f"{page}.html").as_uri(), page, whole=page == "album")
        browser.close()
