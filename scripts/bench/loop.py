"""How well loops close: the warping error from the last frame to the first, with `--loop` and without.

    python scripts/bench/loop.py MEDIA [--size 192] [--backbone vgg19] [--iterations 40] [--sheet FOLDER]

MEDIA has the folders videos/, photos/ and paintings/. Two loops, made on the spot: the first 12 frames of
flower.mp4 there and back, and a pan once around a photo and its mirror image, in which all strokes leave the
frame and new ones come. Each goes through `deepfusion video` twice. Printed are the warping errors (see
video/metrics.py) of the frames as saved: from the last to the first, mean and worst of all other pairs. Exits
1 where with `--loop` the first of them is above the last.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from scripts import tables
from scripts.media import Media, clip_frames
from stylize.types import FloatImage
from video.decode import fit_size
from video.images import read_image, resize_image, write_image
from video.metrics import ConsistencyMeter

STYLE = "vangogh-starry-night"
BOOMERANG = 12
PAN_STEPS = 24


@dataclass(frozen=True)
class Made:
    """The frames of one run as saved, and what they took."""

    pictures: list[FloatImage]
    evaluations: int
    seconds: float


def boomerang(media: Media, size: int) -> list[FloatImage]:
    """Frames of a clip forward and back, each end once."""
    there = clip_frames(media.video("flower"), f"0:{BOOMERANG}", size)
    return there + there[-2:0:-1]


def around(media: Media, size: int) -> list[FloatImage]:
    """A pan over a photo and its mirror image, until it is where it began."""
    photo = read_image(media.photo("chelsea-cat"))
    small = resize_image(photo, fit_size(photo.shape[1], photo.shape[0], size, even=True))
    ring = np.concatenate([small, small[:, ::-1]], axis=1)
    step = ring.shape[1] / PAN_STEPS
    turned = [np.roll(ring, -round(step * number), axis=1) for number in range(PAN_STEPS)]
    return [np.ascontiguousarray(one[:, : small.shape[1]]) for one in turned]


LOOPS = {"there and back": boomerang, "once around": around}


def stylized(
    frames: Path, media: Media, asked: argparse.Namespace, output: Path, more: Sequence[str]
) -> Made:
    """A folder of frames through the command."""
    words = [
        "video", frames, "--style", media.painting(STYLE), "-o", output, "--size", asked.size,
        "--backbone", asked.backbone, "--iterations", asked.iterations, "--keep-run", "--json", "-q", *more,
    ]  # fmt: skip
    ran = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *map(str, words)], check=True, capture_output=True, text=True
    )
    report = json.loads(ran.stdout)
    latest: dict[int, tuple[int, str]] = {}
    run = output.with_name(f"{output.name}.run")
    for line in (run / "journal.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        latest[row["index"]] = max(latest.get(row["index"], (0, "")), (row["sweep"], row["file"]))
    pictures = [read_image(run / "frames" / file) for _, (_, file) in sorted(latest.items())]
    return Made(pictures, report["evaluations"], report["seconds"])


def errors(contents: Sequence[FloatImage], pictures: Sequence[FloatImage]) -> list[float]:
    """The warping errors of all pairs, that from the last frame to the first at the end."""
    meter = ConsistencyMeter()
    closed = zip([*contents, contents[0]], [*pictures, pictures[0]], strict=True)
    return [row.error for pair in closed if (row := meter.feed(*pair)) is not None]


def measure(name: str, media: Media, asked: argparse.Namespace) -> bool:
    """The rows of one loop; whether it closes."""
    contents = LOOPS[name](media, asked.size)
    rows, found = [], {}
    with tempfile.TemporaryDirectory() as temporary:
        frames = Path(temporary) / "frames"
        frames.mkdir()
        for number, content in enumerate(contents):
            write_image(frames / f"{number:03d}.png", content)
        contents = [read_image(frames / f"{number:03d}.png") for number in range(len(contents))]
        for way in ("", "--loop"):
            made = stylized(frames, media, asked, Path(temporary) / f"out{way}.mkv", [way] * bool(way))
            found[way] = errors(contents, made.pictures)
            *inner, last = found[way]
            figures = [f"{1e4 * one:.2f}" for one in (last, float(np.mean(inner)), max(inner))]
            tables.row(name, way or "without", *figures, made.evaluations, f"{made.seconds:.0f}")
            rows.append([made.pictures[number] for number in (-2, -1, 0, 1, 2)])
        own = errors(contents, contents)
        figures = [f"{1e4 * one:.2f}" for one in (own[-1], float(np.mean(own[:-1])), max(own[:-1]))]
        tables.row(name, "the clip itself", *figures, "", "")
    if asked.sheet is not None:
        asked.sheet.mkdir(parents=True, exist_ok=True)
        sheet = np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)
        write_image(asked.sheet / f"{name.replace(' ', '-')}.png", sheet, overwrite=True)
    *inner, last = found["--loop"]
    return last <= max(inner)


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("media", type=Media.named)
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--backbone", default="vgg19")
    parser.add_argument("--iterations", type=int, default=40)
    parser.add_argument("--loops", nargs="+", choices=tuple(LOOPS), default=list(LOOPS))
    parser.add_argument("--sheet", type=Path, help="folder for sheets: the last two and first three frames")
    asked = parser.parse_args(arguments)
    tables.head(
        "loop", "way", "last to first, warping error e-4", "mean of the others", "worst of the others",
        "evaluations", "seconds", texts=2,
    )  # fmt: skip
    return 0 if all([measure(name, asked.media, asked) for name in asked.loops]) else 1


if __name__ == "__main__":
    sys.exit(main())
