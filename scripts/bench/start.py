"""How long the command line takes before it does anything: whole processes, median of several.

    python scripts/bench/start.py [--rounds 11] [--media MEDIA [--backbone vgg19] [--frames 48]]

Prints a Markdown table; exits 1 when `--help` takes half a second or more. With MEDIA (folders `photos`,
`paintings` and `videos`) also how long it takes to the first iteration of a picture and to the end of a
picture of one iteration, what lies between two pictures of an album, and the wall time of some frames at
256 px over the time inside the optimiser.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts import tables
from scripts.media import Media

ROOT = Path(__file__).resolve().parents[2]
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("--version",),
    ("--help",),
    ("video", "--help"),
    ("presets",),
    ("image",),
)
LIMIT = 0.5
ALBUM = ("chelsea-cat", "coffee", "tulips", "elephant", "rocket")


def seconds(arguments: tuple[str, ...]) -> float:
    """Wall time of one process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *arguments],
        env=environment,
        capture_output=True,
        check=False,
    )
    return time.perf_counter() - started


def iteration_times(arguments: tuple[str, ...]) -> list[tuple[int, float]]:
    """Which iterations are done, the start being number 0, and how long after the process's start."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = time.time()
    command = [sys.executable, "-m", "scripts.bench.iteration_times", *arguments]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    lines = [line.split() for line in ran.stdout.splitlines()]
    return [(int(number), float(moment) - started) for number, moment in lines]


def to_first_iteration(arguments: tuple[str, ...]) -> float:
    """Seconds from the process's start to the end of its first iteration."""
    return next(moment for number, moment in iteration_times(arguments) if number == 1)


def between_pictures(media: Media, folder: Path, common: tuple[str, ...]) -> float:
    """Seconds from a picture's last iteration until the next one's start is evaluated, less an iteration."""
    photos = folder / "photos"
    photos.mkdir()
    for name in ALBUM:
        photo = media.photo(name)
        shutil.copy(photo, photos / photo.name)
    options = (*common, "--levels", "1", "--iterations", "2")
    done = iteration_times(("album", str(photos), "-o", str(folder / "done"), *options))
    gaps = []
    for (_, before), (_, last), (number, begun) in zip(done, done[1:], done[2:], strict=False):
        if number == 0:
            gaps.append((begun - last) - (last - before))
    return statistics.median(gaps)


def jobs(media: Media, backbone: str, frames: int) -> None:
    """Time a picture's first iteration, and some frames."""
    style = media.painting("vangogh-starry-night")
    common = ("--style", str(style), "--size", "256", "--backbone", backbone, "--overwrite", "-q")
    with tempfile.TemporaryDirectory() as folder:
        photo, picture = str(media.photo("chelsea-cat")), str(Path(folder) / "out.png")
        short = ("image", photo, "-o", picture, *common, "--levels", "1", "--iterations", "1")
        first = statistics.median([to_first_iteration(short) for _ in range(4)][1:])
        one = statistics.median([seconds(short) for _ in range(3)])
        gap = between_pictures(media, Path(folder), common)
        clip, output = str(media.video("flower")), Path(folder) / "out.mp4"
        whole = seconds(("video", clip, "-o", str(output), *common, "--frames", f"0:{frames}", "--keep-run"))
        journal = (output.with_name("out.mp4.run") / "journal.jsonl").read_text().splitlines()
        inside = sum(json.loads(line)["seconds"] for line in journal)
    print()
    tables.head("job", "")
    tables.row("start to the end of the first iteration, median of 3 after one", f"{first:.1f} s")
    tables.row("a picture of one iteration, start to end, median of 3", f"{one:.1f} s")
    tables.row(f"between two of an album's {len(ALBUM)} photos, less an iteration, median", f"{gap:.2f} s")
    tables.row(f"{frames} frames: wall time over time in the optimiser", f"{whole / inside:.3f}")
    tables.row("the same without the picture of one iteration, above", f"{(whole - one) / inside:.3f}")


def main() -> None:
    """Time the commands in turns."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--media", type=Media.named)
    parser.add_argument("--backbone", default="vgg19")
    parser.add_argument("--frames", type=int, default=48)
    options = parser.parse_args()
    times: dict[tuple[str, ...], list[float]] = {command: [] for command in COMMANDS}
    for _ in range(options.rounds):
        for command in COMMANDS:
            times[command].append(seconds(command))
    tables.head("command", "seconds, median", "range")
    for command, found in times.items():
        tables.row(
            f"deepfusion {' '.join(command)}",
            f"{statistics.median(found):.3f}",
            f"{min(found):.3f} to {max(found):.3f}",
        )
    if options.media is not None:
        jobs(options.media, options.backbone, options.frames)
    sys.exit(statistics.median(times["--help",]) >= LIMIT)


if __name__ == "__main__":
    main()
