"""A picture finished at a larger size, beside plain enlargement and beside all of it optimised at that size.

    python scripts/bench/finish.py MEDIA CACHE [--photo flower-2268x1512] [--painting vangogh-starry-night]
        [--size 256] [--finish 768] [--iterations 3 6 12] [--whole] [--backbone vgg19|vgg19-slim]

Every way is a run of the command line in a process of its own, from the photo's file to the result's: its
time, its processor's time (what counts beside other work) and its peak memory. "enlarged" is the picture of
`--size` by Lanczos; "with the original's edges" is what finishing starts from. `--whole` adds the picture
optimised at the finished size from the start, by default settings. Content and style are measured at the
finished size with the painting at that size. Pictures are kept in CACHE and not made again. Exits 1 if
finishing has not a lower loss than what it starts from.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cv2
import numpy as np

from pipeline.machine import budget, load_tensorflow
from pipeline.settings.job_settings import ImageSettings
from pipeline.styling.pictures import read_picture, read_style
from pipeline.styling.precision import is_mixed
from scripts import tables
from scripts.media import Media
from stylize.config import StylizeConfig
from stylize.stylizer import Stylizer
from stylize.types import FloatImage
from stylize.weights import load_weights
from video.enlarge import enlarge
from video.images import read_image, write_image


def made(output: Path, asked: argparse.Namespace, *arguments: object) -> dict[str, float]:
    """Run `deepfusion image` into `output`, unless that was done; gives what it took."""
    notes = output.with_suffix(".json")
    if notes.exists():
        return dict(json.loads(notes.read_text()))
    media = Media.named(asked.media)
    files = media.photo(asked.photo), "--style", media.painting(asked.painting), "-o", output
    command = [sys.executable, "-m", "pipeline", "image", *files, "--backbone", asked.backbone, *arguments]
    began = time.perf_counter()
    child = os.spawnv(os.P_NOWAIT, sys.executable, [*map(str, command), "-q", "--overwrite", "--restart"])
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"{' '.join(map(str, command))}: ended with {status}")
    took = {
        "seconds": time.perf_counter() - began,
        "processor": used.ru_utime + used.ru_stime,
        "memory": used.ru_maxrss * 1024 / 1e9,
    }
    notes.write_text(json.dumps(took))
    return took


def ways(asked: argparse.Namespace, content: FloatImage) -> list[tuple[str, Path, dict[str, float]]]:
    """Every way by name: its picture, and what it took."""
    folder = (
        Path(asked.cache) / f"{asked.photo}-{asked.painting}-{asked.size}-{asked.finish}-{asked.backbone}"
    )
    folder.mkdir(parents=True, exist_ok=True)
    small = folder / "small.png"
    took = made(small, asked, "--size", asked.size)
    picture, size = read_image(small), content.shape[1::-1]
    plain = cv2.resize(picture, size, interpolation=cv2.INTER_LANCZOS4)
    write_image(folder / "enlarged.png", np.clip(plain, 0.0, 1.0), overwrite=True)
    write_image(folder / "edges.png", enlarge(picture, content), overwrite=True)
    found = [
        ("enlarged", folder / "enlarged.png", took),
        ("with the original's edges", folder / "edges.png", took),
    ]
    for count in asked.iterations:
        path = folder / f"finished-{count}.png"
        more = "--size", asked.size, "--finish", asked.finish, "--finish-iterations", count
        found.append((f"finished, {count} iterations", path, made(path, asked, *more)))
    if asked.whole:
        path = folder / "whole.png"
        found.append((f"all of it at {asked.finish}", path, made(path, asked, "--size", asked.finish)))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("media")
    parser.add_argument("cache")
    parser.add_argument("--photo", default="flower-2268x1512")
    parser.add_argument("--painting", default="vangogh-starry-night")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--finish", type=int, default=768)
    parser.add_argument("--iterations", type=int, nargs="+", default=[3, 6, 12])
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--backbone", default="vgg19", choices=("vgg19", "vgg19-slim"))
    asked = parser.parse_args()
    media, config, settings = Media.named(asked.media), StylizeConfig(), ImageSettings()
    content = read_picture(media.photo(asked.photo), asked.finish, config.minimum_side)
    found = ways(asked, content)
    load_tensorflow()
    painting = media.painting(asked.painting)
    style = read_style(painting, asked.finish, 1.0, config.minimum_side, settings.style_crop)
    weights = load_weights(asked.backbone)
    stylizer = Stylizer(config, [style], weights, memory=budget(0.0, 1), mixed=is_mixed("auto", weights))
    names = "seconds", "processor, s", "peak, GB", "content", "style", "both"
    tables.head(f"{asked.photo} as {asked.painting}, {asked.size} to {asked.finish}", *names)
    sums = []
    for name, path, took in found:
        losses = stylizer.losses(read_image(path), content)
        sums.append(losses["content"] + losses["style"])
        spent = f"{took['seconds']:.0f}", f"{took['processor']:.0f}", f"{took['memory']:.2f}"
        tables.row(name, *spent, *(f"{one:.3f}" for one in (losses["content"], losses["style"], sums[-1])))
    if min(sums[2:]) >= sums[1]:
        raise SystemExit("finishing lowers nothing")


if __name__ == "__main__":
    main()
