"""How steady the ways to treat time are: clips, a still photo, known motion, a cut, and what the flow costs.

    python scripts/bench/temporal.py MEDIA [--part clips still motion cut camera colors cost cases long]
        [--sheet FOLDER] [--backbone vgg19] [--size 256] [--temporal-weight W]
        [--clips NAME,CLIP/PAINTING] [--frames N] [--modes flow] [--alone N]

MEDIA has the folders videos/, photos/ and paintings/. clips: every clip in two paintings, its first 48 frames
or its first shot of 55, all modes from the same first frame with the same iterations a frame at most; warping
error (see video/metrics.py) of the frames as saved, against `off`, `previous` and the clip's own; --clips,
--frames and --modes take less of them, and --alone also makes some frames by themselves, with 300 iterations.
still: 120 frames of one photo, as it is and with a camera's noise. motion: a pan, a zoom and an object that
uncovers background, whose motion is known exactly. cut: the frame after a cut against a clip that starts
there. camera: a piece of a twentieth of the area before what stands still, with everything made anew and with
what has changed. cases: what flow cannot follow, before and after it. long: a shot of 300 frames. colors: the
flicker of a clip that keeps its own colours. cost: flow, masks and warping against a frame's optimisation at
512 px on the full network's shape. tuning, when it is asked for: temporal --weights and --tolerances of
frames on what --clips, --frames and --alone say. Convolutions of vgg19 are in bfloat16 where the hardware has
it, also those that cost times. Exits 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from pipeline.machine import load_tensorflow
from pipeline.settings.job_settings import VideoSettings
from pipeline.styling.pictures import read_picture
from pipeline.styling.precision import is_mixed
from scripts import tables
from scripts.bench.temporal_camera import camera
from scripts.bench.temporal_cases import cases
from scripts.bench.temporal_clips import clips
from scripts.bench.temporal_cost import cost
from scripts.bench.temporal_long import long
from scripts.bench.temporal_motion import motion
from scripts.bench.temporal_shared import (
    CLIPS,
    MODES,
    Asked,
    clips_named,
    meter_of,
    run_command,
    saved,
    stylize_clip,
    write_sheet,
    write_strips,
)
from scripts.bench.temporal_tuning import tuning
from scripts.media import Media, clip_frames
from stylize.colors import grey
from stylize.types import FloatImage
from stylize.weights import WIDTHS, load_weights
from video.images import read_image

STILL_FRAMES, PSNR_BAR, BRIGHTNESS_BAR = 120, 38.0, 0.005


def still(asked: Asked) -> bool:
    """One photo for 120 frames: first against last."""
    print()
    tables.head("still photo", "first against last, PSNR dB", "mean brightness, last / first")
    photo = read_picture(asked.media.photo("chelsea-cat"), asked.size, 64)
    stylizer = asked.stylizer("vangogh-starry-night")
    first = stylizer.stylize(photo)
    rng = np.random.default_rng(0)
    noisy = [
        saved(np.clip(photo + rng.normal(0, 2 / 255, photo.shape), 0, 1).astype(np.float32))
        for _ in range(STILL_FRAMES)
    ]
    good = True
    for name, contents in (("as it is", [photo] * STILL_FRAMES), ("with noise of 2/255", noisy)):
        pictures = stylize_clip(asked, stylizer, contents, "flow", first).pictures
        psnr = -10 * np.log10(max(1e-12, float(np.mean((pictures[0] - pictures[-1]) ** 2))))
        brightness = float(pictures[-1].mean() / pictures[0].mean())
        tables.row(name, f"{psnr:.1f}", f"{brightness:.4f}")
        good &= psnr >= PSNR_BAR and abs(brightness - 1) <= BRIGHTNESS_BAR
        write_sheet(asked, f"still {name}", [[pictures[number] for number in (0, 40, 80, STILL_FRAMES - 1)]])
    return good


def cut(asked: Asked) -> bool:
    """The frames after a cut through the command line's loop, against a clip that starts there."""
    print()
    tables.head("cut", "equal to a clip that starts there", texts=2)
    good = True
    for at in (55, 148):
        hashes = []
        for start in (at - 8, at):
            with run_command(asked, "bunny-two-cuts", f"{start}:{at + 3}") as run:
                lines = (run / "journal.jsonl").read_text().splitlines()
            rows = {row["index"]: row["sha256"] for row in map(json.loads, lines)}
            hashes.append([rows[number] for number in range(at, at + 3)])
        tables.row(f"frame {at} and the two after it", hashes[0] == hashes[1])
        good &= hashes[0] == hashes[1]
    return good


def colors(asked: Asked) -> bool:
    """Keeping the clip's colours, against letting the painting's in: flicker, and how far the colours are."""
    print()
    tables.head(
        "clip",
        "warping error e-4: painting's colours",
        "its palette from the clip",
        "clip's own colours",
        "the clip itself",
        "mean chroma off by, of 255",
    )
    good = True
    for name in ("flower", "bunny-two-cuts"):
        contents = clip_frames(asked.media.video(name), "0:24", asked.size)
        errors = []
        for choice in ("none", "histogram", "luminance"):
            with run_command(asked, name, "0:24", "--preserve-color", choice) as run:
                pictures = [read_image(path) for path in sorted((run / "frames").glob("*.png"))]
            errors.append(meter_of(contents, pictures)[0])
        pairs = zip(contents, pictures, strict=True)
        off = 255 * np.mean([np.abs(chroma(one) - chroma(other)).mean() for one, other in pairs])
        own = meter_of(contents, contents)[1]
        tables.row(name, *(f"{error * 1e4:.2f}" for error in (*errors, own)), f"{off:.2f}")
        # The colours are the clip's own, and so is what they flicker; nothing may come on top.
        good &= errors[1] <= errors[0] + own and errors[2] <= errors[0] + own
        write_strips(asked, f"colors-{name}", contents, {"luminance": pictures})
    return good


def chroma(picture: FloatImage) -> FloatImage:
    """What is left of the colours without their luma."""
    return picture - grey(picture)


def at_least_two(text: str) -> int:
    """A number of frames that has a change to measure."""
    count = int(text)
    if count < 2:
        raise argparse.ArgumentTypeError(f"{count}: two frames at least, there is no change in fewer")
    return count


PARTS = {
    "clips": clips, "still": still, "motion": motion, "cut": cut, "camera": camera, "colors": colors,
    "cost": cost, "cases": cases, "long": long, "tuning": tuning,
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("media", type=Media.named)
    parser.add_argument("--part", nargs="+", choices=tuple(PARTS), default=list(PARTS)[:-1])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--sheet", type=Path, help="folder for contact sheets")
    parser.add_argument("--temporal-weight", type=float, default=VideoSettings.temporal_weight)
    parser.add_argument("--backbone", choices=tuple(WIDTHS), default="vgg19-slim")
    parser.add_argument(
        "--clips", type=clips_named, default=CLIPS, metavar="NAME,NAME",
        help="part clips: only these, by clip or CLIP/PAINTING",
    )  # fmt: skip
    parser.add_argument(
        "--frames", type=at_least_two, metavar="N", help="part clips: at most N frames of each"
    )
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES), help="part clips")
    parser.add_argument(
        "--alone", type=int, default=0, metavar="N", help="part clips: so many frames are also made alone"
    )
    parser.add_argument("--weights", type=float, nargs="+", default=[VideoSettings.temporal_weight])
    usual = VideoSettings.frame_tolerance
    parser.add_argument("--tolerances", type=float, nargs="+", default=[usual], help="part tuning")
    options = parser.parse_args(arguments)
    load_tensorflow()
    settings = VideoSettings(temporal_weight=options.temporal_weight)
    weights = load_weights(options.backbone)
    asked = Asked(
        media=options.media,
        size=options.size,
        sheet=options.sheet,
        settings=settings,
        weights=weights,
        mixed=is_mixed(settings.precision, weights),
        clips=options.clips,
        frames=options.frames,
        modes=tuple(options.modes),
        alone=options.alone,
        weights_of_time=tuple(options.weights),
        tolerances=tuple(options.tolerances),
    )
    results = {part: PARTS[part](asked) for part in options.part}
    print("\n" + ", ".join(f"{part}: {'reached' if good else 'MISSED'}" for part, good in results.items()))
    return 0 if all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
