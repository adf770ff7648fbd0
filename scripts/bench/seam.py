"""How visible the seam is where a long shot is split between two workers and blended over an overlap.

    python scripts/bench/seam.py --media FOLDER [--frames 40]

A shot is stylized whole, and in two parts of which the second begins like a picture. The parts are laid
over one another with weights that go from one to the other over an overlap of 0, 4, 8 and 16 frames around
the middle, and `deepfusion score` measures the warping error of every frame. Printed are its mean over the
frames of the widest overlap, times that of the whole shot over the same frames, and the worst frame's. The
folder of media holds videos/ and paintings/.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from scripts.media import Media
from video.images import read_image, write_image

OVERLAPS = (0, 4, 8, 16)
PAIRS = (("flower", "vangogh-starry-night"), ("friday-speech", "hokusai-great-wave"))
SETTINGS = ("--backbone", "vgg19-slim", "--size", "256", "--cuts", "none", "--keep-run", "-q")


def main() -> None:
    """Print a table for each pair of clip and painting."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--media", type=Media.named, required=True)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--work", type=Path, help="a folder to keep the frames in")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = asked.work or Path(temporary)
        for clip, style in PAIRS:
            place = work / clip
            place.mkdir(parents=True, exist_ok=True)
            measure(asked.media.video(clip), asked.media.painting(style), asked.frames, place)


def measure(clip: Path, style: Path, count: int, work: Path) -> None:
    """The table of one clip."""
    middle, widest = count // 2, max(OVERLAPS)
    whole = stylized(clip, style, 0, count, work)
    first = stylized(clip, style, 0, middle + widest // 2, work)
    second = stylized(clip, style, middle - widest // 2, count, work)
    seam = range(middle - widest // 2 + 1, middle + widest // 2 + 1)
    base = errors(clip, joined(whole, {}, 0, 0, count, work / "whole"), count)
    usual = float(np.mean([base[frame] for frame in seam]))
    print(f"\n{clip.name} in {style.stem}, {count} frames, whole: {1e4 * usual:.3f}e-4 around the middle")
    print("overlap   mean error, times the whole shot's   worst frame, times the whole shot's worst")
    for overlap in OVERLAPS:
        frames = joined(first, second, middle - overlap / 2, overlap, count, work / f"overlap-{overlap}")
        found = errors(clip, frames, count)
        mean = float(np.mean([found[frame] for frame in seam]))
        worst = max(found[frame] for frame in seam) / max(base[frame] for frame in seam)
        print(f"{overlap:7d} {mean / usual:37.2f} {worst:43.2f}", flush=True)


def stylized(clip: Path, style: Path, start: int, stop: int, work: Path) -> dict[int, np.ndarray]:
    """The frames of a part, by number."""
    output = work / f"{start}-{stop}.mp4"
    words = [
        "video",
        clip,
        "--style",
        style,
        "-o",
        output,
        *SETTINGS,
        "--frames",
        f"{start}:{stop}",
        "--overwrite",
    ]
    subprocess.run([sys.executable, "-m", "pipeline.cli", *map(str, words)], check=True)
    folder = Path(f"{output}.run") / "frames"
    return {int(path.stem): read_image(path) for path in sorted(folder.glob("*.png"))}


def joined(
    first: dict[int, np.ndarray],
    second: dict[int, np.ndarray],
    start: float,
    overlap: int,
    count: int,
    folder: Path,
) -> Path:
    """A folder of frames that go from the first part to the second over an overlap, evenly."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        share = float(np.clip((number + 0.5 - start) / overlap, 0, 1)) if overlap else float(number >= start)
        if not second or share == 0.0:
            picture = first[number]
        elif share == 1.0:
            picture = second[number]
        else:
            picture = (1 - share) * first[number] + share * second[number]
        write_image(folder / f"{number:06d}.png", picture.astype(np.float32))
    return folder


def errors(clip: Path, frames: Path, count: int) -> dict[int, float]:
    """The warping error of every frame but the first."""
    table = frames.with_suffix(".csv")
    words = [
        "score",
        clip,
        frames,
        "--frames",
        f"0:{count}",
        "--cuts",
        "none",
        "--csv",
        table,
        "--overwrite",
        "--json",
    ]
    ran = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *map(str, words)],
        check=True,
        capture_output=True,
        text=True,
    )
    json.loads(ran.stdout)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {int(row["frame"]): float(row["warping_error"]) for row in rows if row["warping_error"]}


if __name__ == "__main__":
    main()
