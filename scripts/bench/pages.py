"""What the pages cost: the live page of the job's time, a report in bytes.

    python scripts/bench/pages.py MEDIA [--part live report]

live: a picture of 512 px and 16 frames of a clip at 256 px, default settings on vgg19-slim, while a headless
Chromium looks at the page. Counted are the watcher's methods, in the thread that works, and the processor
time of all answers to the page; the browser itself is not. Wanted: at most 2 % of the job's time.
report: pages of white noise, the worst there is for JPEG: a clip of 300 frames of 1280x720 with a slider and
a small picture wherever there may be one (wanted: under 15 MB), and an album of 300 photos.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from pipeline.cli.main import main as deepfusion
from pipeline.views.live.server import LivePage
from pipeline.views.live.watcher import LiveWatcher
from pipeline.views.report.content import ReportPage, Row
from pipeline.views.report.embedding import Pair, Thumb, chosen_frames, chosen_pairs
from pipeline.views.report.page import write_report_page
from scripts import tables
from scripts.media import Media

PORT = 8698
TOLD = ("job_begins", "picture_begins", "iterated", "picture_ends", "frame_written", "work_moves", "warned")


class Meter:
    """Seconds spent in functions, by a clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.seconds = 0.0
        self._clock = clock

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time counted."""

        @wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            began = self._clock()
            try:
                return function(*arguments, **named)
            finally:
                self.seconds += self._clock() - began

        return timed


def visit(ended: threading.Event) -> None:
    """Look at the live page until the job has ended."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as driver:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        while not ended.is_set() and not page.url.startswith("http"):
            with contextlib.suppress(Error):
                page.goto(f"http://127.0.0.1:{PORT}/")
            page.wait_for_timeout(500)
        while not ended.is_set():
            page.wait_for_timeout(500)
        browser.close()


def live(media: Media) -> bool:
    """The share of a job's time that its page takes."""
    tables.head("job", "job, s", "told, s", "answers, s", "share (wanted: at most 0.02)")
    told, answers = Meter(time.perf_counter), Meter(time.thread_time)
    for name in TOLD:
        setattr(LiveWatcher, name, told.around(getattr(LiveWatcher, name)))
    LivePage.__call__ = answers.around(LivePage.__call__)  # type: ignore[method-assign]
    style = media.painting("vangogh-starry-night")
    photo, clip = media.photo("chelsea-cat"), media.video("flower")
    jobs = {
        "image, 512 px": ("image", photo, "--size", 512, "-o", "o.png"),
        "clip, 256 px, 16 frames": ("video", clip, "--frames", "0:16", "--size", 256, "-o", "o.mp4"),
    }
    good = True
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name, arguments in jobs.items():
            told.seconds = answers.seconds = 0.0
            ended = threading.Event()
            visitor = threading.Thread(target=visit, args=(ended,))
            visitor.start()
            command = [*arguments, "--style", style, "--backbone", "vgg19-slim", "--live", PORT]
            began = time.perf_counter()
            with contextlib.suppress(SystemExit), contextlib.redirect_stderr(io.StringIO()):
                deepfusion([str(part) for part in command])
            took = time.perf_counter() - began
            ended.set()
            visitor.join()
            share = (told.seconds + answers.seconds) / took
            good = good and share <= 0.02 and answers.seconds > 0.0
            tables.row(name, f"{took:.1f}", f"{told.seconds:.3f}", f"{answers.seconds:.3f}", f"{share:.4f}")
    return good


def noise(height: int, width: int, seed: int) -> np.ndarray:
    """A picture that hardly compresses."""
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def report(media: Media) -> bool:
    """The sizes of the largest pages."""
    del media
    tables.head("page", "MB")
    rows = [
        Row(f"frame {place}", place, 1 + place // 100, place % 100 == 0,
            {"total": 1.0, "content": 0.5, "style": 0.4, "tv": 0.1}, 20, 1.5, 1e-4)
        for place in range(300)
    ]  # fmt: skip
    picture = partial(noise, 720, 1280)
    thumbs = [Thumb(f"frame {place}", partial(picture, place)) for place in chosen_frames(300)]
    pairs = [
        Pair(f"frame {place}", "", partial(picture, place), partial(picture, place + 300))
        for place in chosen_pairs(300, "video")
    ]
    photos = [
        Pair(f"{place}.jpg", "a", partial(noise, 480, 640, place), partial(noise, 480, 640, place + 300))
        for place in range(300)
    ]
    clip = ReportPage("clip.mp4", "video", rows=rows, pairs=pairs, thumbs=thumbs)
    sizes = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, page in {
            "clip of 300 frames (wanted: under 15)": clip,
            "album of 300 photos": ReportPage("album", "album", rows=rows, pairs=photos),
        }.items():
            write_report_page(Path(folder) / "page.html", page, overwrite=True)
            sizes[name] = (Path(folder) / "page.html").stat().st_size / 1e6
            tables.row(name, f"{sizes[name]:.1f}")
    return next(iter(sizes.values())) < 15.0


PARTS = {"live": live, "report": report}


def main() -> None:
    """Run the parts; exit 1 if one is over what is wanted."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("media", type=Media.named)
    parser.add_argument("--part", nargs="+", choices=tuple(PARTS), default=list(PARTS))
    options = parser.parse_args()
    held = [PARTS[part](options.media.resolve()) for part in options.part]
    sys.exit(not all(held))


if __name__ == "__main__":
    main()
