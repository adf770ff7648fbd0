"""What workers gain: throughput of two against one, what handing out a unit costs, how far it goes on paper.

    python scripts/bench/workers.py --media FOLDER [--part throughput|overhead|plan] [--rounds N]

`throughput` stylizes an album of 12 photos and a clip of 12 shots in one process, and by one and two workers
of one thread each, as processes and on a Ray of this machine, and compares every file byte by byte. With
several rounds the workers take turns, and medians count.
`overhead` transport out 1,000 units that do nothing. `plan` takes the seconds that the clip's shots took and
simulates 10,000 of them on 1 to 256 workers. The folder of media holds videos/, photos/ and paintings/.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pipeline.progress.display import Display
from pipeline.workers.dispatcher import Dispatcher
from pipeline.workers.forecast import enough_workers, span
from pipeline.workers.processes import Processes, Share
from pipeline.workers.protocol import Places, Tell, Unit
from pipeline.workers.ray_workers import RayActors, connect, leave
from scripts.media import Media

KINDS = {
    "one process": (),
    "1 Ray worker": ("--workers", "1", "--engine-address", "local"),
    "2 Ray workers": ("--workers", "2", "--engine-address", "local"),
    "1 process worker": ("--workers", "1"),
    "2 process workers": ("--workers", "2"),
}
SETTINGS = ("--size", "256")
COMMON = ("--backbone", "vgg19-slim", "--threads", "1", "-v")
SHOT_COUNT, FRAMES, APART = 12, 10, 35
UNITS, NOTHINGS = 10_000, 1_000
WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--media", type=Media.named, required=True)
    parser.add_argument("--part", choices=("throughput", "overhead", "plan"))
    parser.add_argument("--only", choices=("Ray", "process"), help="leave out the other kind of workers")
    parser.add_argument("--job", choices=("album", "video"), help="of the throughput only that of one job")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--work", type=Path, help="a folder to keep the runs in")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = asked.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        if asked.part in (None, "throughput"):
            throughput(asked.media, work, asked.only or "", asked.rounds, asked.job)
        overheads = overhead() if asked.part in (None, "overhead", "plan") else {}
        if asked.part in (None, "plan"):
            plan(work, overheads["Ray"])


# ------------------------------------------------------------------------------------------- throughput


def throughput(media: Media, work: Path, only: str, rounds: int, job: str | None) -> None:
    """The tables of album and clip."""
    style = media.painting("vangogh-starry-night")
    photos = make_album(media.photos, work / "photos")
    clip = make_clip(media.videos, work / "clip.mp4")
    jobs = {
        "album of 12 photos": ("album", photos, ""),
        f"clip of {SHOT_COUNT} shots": ("video", clip, ".mp4"),
    }
    for name, (command, content, suffix) in jobs.items():
        if job not in (None, command):
            continue
        print(f"\n{name}: deepfusion {command} {' '.join((*SETTINGS, *COMMON))}")
        print("kind               whole job   working   times one worker: whole  working      bytes")
        outputs: dict[str, Path] = {}
        kinds = {kind: words for kind, words in KINDS.items() if kind == "one process" or only in kind}
        timed: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
        shared = [(kind, options) for kind, options in kinds.items() if options]
        for kind, options in [*kinds.items(), *(shared * (rounds - 1))]:
            outputs[kind] = output = work / f"{command}-{kind.replace(' ', '-')}{suffix}"
            arguments = (
                command,
                content,
                "--style",
                style,
                "-o",
                output,
                *SETTINGS,
                *COMMON,
                "--keep-run",
                "--overwrite",
                "--restart",
                *options,
            )
            began = time.perf_counter()
            ran = subprocess.run(
                [sys.executable, "-m", "pipeline.cli", *map(str, arguments)],
                capture_output=True,
                text=True,
                check=False,
            )
            if ran.returncode:
                sys.exit(ran.stderr)
            timed[kind].append((time.perf_counter() - began, working_seconds(Path(f"{output}.run"))))
            print(f"  {kind}: {timed[kind][-1][0]:.1f} s", file=sys.stderr, flush=True)
        measured = {
            kind: tuple(map(statistics.median, zip(*those, strict=True))) for kind, those in timed.items()
        }
        for kind, (whole, working) in measured.items():
            base = measured[f"1 {only or 'Ray'} worker"]
            same = "same" if alike(outputs["one process"], outputs[kind]) else "DIFFERENT"
            ratios = f"{base[0] / whole:5.2f}  {base[1] / working:7.2f}"
            print(f"{kind:18s} {whole:7.1f} s {working:8.1f} s {'':18s} {ratios}   {same}")
        if command == "video":
            seconds = shot_seconds(Path(f"{outputs['one process']}.run"))
            (work / "seconds.json").write_text(json.dumps(seconds))


def make_album(photos: Path, folder: Path) -> Path:
    """Twelve photos: each as it is and mirrored."""
    from video.images import list_pictures, read_image, write_image

    folder.mkdir(exist_ok=True)
    for photo in list_pictures(photos)[:6]:
        picture = read_image(photo)
        write_image(folder / f"{photo.stem}.png", picture)
        write_image(folder / f"{photo.stem}-mirrored.png", picture[:, ::-1])
    return folder


def make_clip(videos: Path, target: Path) -> Path:
    """Shots out of the clips there are, in turn."""
    from video.decode import FrameRange, read_frames
    from video.encode import FrameWriter
    from video.probe import probe

    size = (640, 360)
    sources = [probe(path) for path in sorted(videos.glob("*.mp4"))]
    with FrameWriter(target, size, sources[0].rate, sound=None, overwrite=True) as writer:
        for number in range(SHOT_COUNT):
            source = sources[number % len(sources)]
            start = APART * (number // len(sources))
            for frame in read_frames(source, size=size, frames=FrameRange(start, start + FRAMES)):
                writer.write(frame)
    return target


def working_seconds(run: Path) -> float:
    """From the first worker's being ready, or the first word of all, to the last picture."""
    stamped = []
    for line in (run / "log.txt").read_text(encoding="utf-8").splitlines():
        found = re.match(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (.*)", line)
        if found:
            stamped.append((datetime.fromisoformat(found[1]), found[2]))
    ready = [when for when, text in stamped if re.match(r"worker \d+ is ready", text)] or [stamped[0][0]]
    last = [when for when, text in stamped if "evaluations" in text]
    return max(1.0, (last[-1] - ready[0]).total_seconds())


def alike(one: Path, other: Path) -> bool:
    """Whether two results are the same, byte by byte: of albums the photos, of clips the frames too."""
    if one.is_dir():
        names = sorted(path.name for path in one.glob("*.png"))
        match, _, _ = filecmp.cmpfiles(one, other, names, shallow=False)
        return len(match) == len(names) == 12
    ours, theirs = Path(f"{one}.run/frames"), Path(f"{other}.run/frames")
    names = sorted(path.name for path in ours.iterdir())
    match, _, _ = filecmp.cmpfiles(ours, theirs, names, shallow=False)
    return filecmp.cmp(one, other, shallow=False) and len(match) == len(names)


def shot_seconds(run: Path) -> list[float]:
    """What each shot took: the sum over its frames."""
    lines = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
    frames = sorted((line for line in lines if "index" in line), key=lambda line: line["index"])
    found: list[float] = []
    for frame in frames:
        if not frame["previous"]:
            found.append(0.0)
        found[-1] += frame["seconds"]
    return found


# --------------------------------------------------------------------------------------------- overhead


@dataclass(frozen=True)
class Nothing:
    """A task that takes no time, or so many seconds; as a setup it makes a worker that does nothing else."""

    seconds: float = 0.0

    files: tuple[Path, ...] = ()
    inputs: tuple[Path, ...] = ()
    probe_files: tuple[Path, ...] = ()

    def begin(self, places: Places, display: Display) -> Nothing:
        del places, display
        return self

    def do(self, task: Nothing, places: Places, tell: Tell) -> None:
        del places, tell
        time.sleep(task.seconds)


def overhead() -> dict[str, float]:
    """Seconds that a unit costs which does nothing, one worker and two."""
    found = {}
    connect("local")
    try:
        for kind in ("processes", "Ray"):
            for count in (1, 2):
                setup = Nothing()
                transport = (
                    Processes(setup, [Share(1)] * count, watched=False)
                    if kind == "processes"
                    else RayActors(setup, count, threads=1, cards=0.0, watched=False)
                )
                dispatcher = Dispatcher(transport, Display(-1))
                slow = [Unit(f"slow {number}", 1.0, partial(Nothing, 5.0)) for number in range(count)]
                dispatcher.run(slow, lambda unit, message: None)  # for which all workers are started
                began = time.perf_counter()
                dispatcher.run(
                    [Unit(f"unit {number}", 1.0, Nothing) for number in range(NOTHINGS)],
                    lambda unit, message: None,
                )
                each = (time.perf_counter() - began) / NOTHINGS
                dispatcher.close()
                print(
                    f"{NOTHINGS} units that do nothing, {kind}, {count} workers: {1000 * each:.2f} ms a unit"
                )
                found[kind] = each
    finally:
        leave()
    return found


# ------------------------------------------------------------------------------------------------- plan


def plan(work: Path, each: float) -> None:
    """Efficiency of many workers on 10,000 shots that take what the measured ones took."""
    measured = json.loads((work / "seconds.json").read_text())
    chance = random.Random(1)
    mean = statistics.mean(measured)
    kinds = {
        "measured shots, drawn again": [chance.choice(measured) for _ in range(UNITS)],
        "lengths as in films (lognormal, sigma 0.9)": [
            mean * chance.lognormvariate(-0.405, 0.9) for _ in range(UNITS)
        ],
    }
    for name, times in kinds.items():
        whole = sum(times)
        print(f"\n{UNITS} units, {name}: {whole / 3600:.1f} h, mean {mean:.1f} s, longest {max(times):.0f} s")
        print(
            f"more than {enough_workers(times)} workers cannot help; {1000 * each:.2f} ms to hand out a unit"
        )
        print("workers      hours   efficiency   ten times faster workers")
        for count in WORKERS:
            slow, fast = span(times, count, each), span([time / 10 for time in times], count, each)
            print(
                f"{count:7d} {slow / 3600:10.3f} {whole / count / slow:10.3f} "
                f"{whole / 10 / count / fast:15.3f}"
            )


if __name__ == "__main__":
    main()
