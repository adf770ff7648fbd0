"""Clips and photos of many kinds through `deepfusion video` and `deepfusion album`.

    python scripts/torture/media.py [--keep FOLDER] [--only NAME,NAME]

The files are made on the spot (samples.py). Every clip is done by a command of its own, all photos as
one album. A row each: what it is, how it ended, and what was said of it. A clip must end with exit status 0
and frames, or, where it holds nothing, be refused with 2 in one line; a photo must be done, or named. Nothing
may end in a traceback. Exits 1 when anything was not so. Every command is `deepfusion` itself in a forked
process, so that TensorFlow is imported once. Not for Windows.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from scripts import tables
from scripts.torture.jobs import QUICK, load_everything, start, wait
from scripts.torture.samples import CLIPS, PHOTOS, Sample
from video.decode import read_frames
from video.images import write_image
from video.probe import probe

LINE = 400
"""Letters of a refusal: more is no line."""


class Outcome(NamedTuple):
    """How a file fared: its end, the lines that were said of it, and what was wrong about it, if anything."""

    end: str
    said: Sequence[str]
    wrong: str


def deepfusion(command: Sequence[str], log: Path) -> tuple[int, list[str]]:
    """Run a command to its end; gives exit status and the lines that it said."""
    code = wait(start(list(command), log))
    return code, log.read_text(errors="replace").splitlines()


def trouble(code: int, said: Sequence[str]) -> str:
    """What no command may do, or nothing."""
    if any("Traceback" in line for line in said):
        return "a traceback"
    if code not in (0, 1, 2):
        return f"exit status {code}"
    return "more than a line" if code == 2 and max(map(len, said), default=0) > LINE else ""


def check_clip(sample: Sample, folder: Path) -> Outcome:
    """How a clip fares by itself."""
    clip, output = folder / "clips" / sample.name, folder / "results" / f"{sample.name}.mp4"
    sample.make(clip)
    command = ["video", str(clip), "--style", str(folder / "style.png"), "-o", str(output), *QUICK]
    code, said = deepfusion([*command, "--frame-iterations", "2", "--overwrite"], folder / "log.txt")
    wrong = trouble(code, said)
    if not sample.good:
        return Outcome(f"refused ({code})", said[-1:], wrong or ("" if code == 2 else "was not refused"))
    if code != 0:
        return Outcome(f"ended with {code}", said[-1:], wrong or "was not done")
    frames = sum(1 for _ in read_frames(probe(output)))
    return Outcome(f"{frames} frames", [line for line in said if line.startswith("note: ")], wrong)


def check_album(folder: Path, samples: Sequence[Sample]) -> list[Outcome]:
    """How the photos of an album fare, each."""
    for sample in samples:
        sample.make(folder / "photos" / sample.name)
    output = folder / "album"
    command = ["album", str(folder / "photos"), "--style", str(folder / "style.png"), "-o", str(output)]
    code, said = deepfusion([*command, *QUICK, "--overwrite"], folder / "log.txt")
    wrong = trouble(code, said)
    made = {path.name for path in output.iterdir()} if output.is_dir() else set()
    outcomes = []
    for sample in samples:
        done = any(name.startswith(Path(sample.name).stem + ".") for name in made)
        told = [line for line in said if f"/{sample.name}" in line]
        as_it_should = done if sample.good else bool(told) and not done
        end = "done" if done else "named" if told else "passed over"
        outcomes.append(Outcome(end, told[-1:], wrong or ("" if as_it_should else "not as it should be")))
    return outcomes


def main() -> int:
    """Make everything, run everything, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="work in this folder and leave it")
    parser.add_argument("--only", default="", metavar="NAME,NAME")
    options = parser.parse_args()
    only = [name for name in options.only.split(",") if name]
    clips, photos = ([one for one in group if not only or one.name in only] for group in (CLIPS, PHOTOS))
    failures = 0
    load_everything()

    def show(sample: Sample, outcome: Outcome) -> bool:
        words = "; ".join(outcome.said).replace(f"{folder}/", "").replace("|", "/")
        end = f"**{outcome.wrong}**: {outcome.end}" if outcome.wrong else outcome.end
        tables.row(sample.name, sample.what, end, words)
        return bool(outcome.wrong)

    with tempfile.TemporaryDirectory() as made:
        folder = options.keep or Path(made)
        for name in ("clips", "results", "photos"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        write_image(folder / "style.png", np.random.default_rng(0).random((64, 64, 3)).astype(np.float32))
        tables.head("file", "what it is", "end", "what was said", texts=4)
        failures = sum(show(clip, check_clip(clip, folder)) for clip in clips)
        if photos:
            failures += sum(map(show, photos, check_album(folder, photos)))
    print(f"\n{len(clips)} clips, {len(photos)} photos; {failures} not as they should be")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
