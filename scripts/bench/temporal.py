"""How steady the ways to treat time are: clips, a still photo, known motion, a cut, and what the flow costs.

    python scripts/bench/temporal.py MEDIA [--part clips still motion cut colors cost] [--sheet FOLDER]

MEDIA has the folders videos/, photos/ and paintings/. clips: every clip in two paintings, 48 frames at 256
px, all modes from the same first frame with the same number of evaluations a frame; warping error (see
video/metrics.py) of the frames as saved, against `off`, `previous` and the clip's own. still: 120 frames of
one photo, as it is and with a camera's noise. motion: a pan, a zoom and an object that uncovers background,
whose motion is known exactly. cut: the frame after a cut against a clip that starts there. colors: the
flicker of a clip that keeps its own colours. cost: flow, masks and warping against a frame's optimisation at
512 px on the full network's shape. Exits 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from pipeline.clip.motion import FlowTracker, MotionModel
from pipeline.clip.temporal import TemporalModel, linked
from pipeline.settings.job_settings import VideoSettings
from pipeline.styling.pictures import read_picture
from scripts import tables
from scripts.media import Media, clip_frames
from stylize.colors import grey
from stylize.config import StylizeConfig
from stylize.layers import LAYERS, block_of
from stylize.result import Result
from stylize.stylizer import Stylizer
from stylize.types import FloatImage
from stylize.weights import WIDTHS, Weights, load_weights
from video.images import from_uint8, read_image, resize_image, to_uint8, write_image
from video.metrics import ConsistencyMeter

CLIPS = (
    ("flower", "0:48", ("vangogh-starry-night", "hokusai-great-wave")),
    ("friday-speech", "0:48", ("vangogh-starry-night", "munch-scream")),
    ("bunny-two-cuts", "0:55", ("vangogh-starry-night", "monet-water-lilies")),
)
SETTINGS = VideoSettings()
CONFIG = StylizeConfig()
OFF_BAR, PREVIOUS_BAR, FLOOR_BAR, LOSS_BAR = 0.08, 0.4, 1.5, 1.01
STILL_FRAMES, PSNR_BAR, BRIGHTNESS_BAR = 120, 38.0, 0.005
COST_BAR = 0.05

Stylized = tuple[list[FloatImage], list[Result]]


def stylize_clip(
    stylizer: Stylizer,
    frames: Sequence[FloatImage],
    mode: str,
    first: Result,
    settings: VideoSettings = SETTINGS,
) -> Stylized:
    """All frames of one shot, each quantised as if saved; the first one is given."""
    settings = replace(settings, temporal=mode)
    model = TemporalModel(settings, CONFIG.iterations)
    pictures: list[FloatImage] = []
    results: list[Result] = []
    for frame in linked(((number, one, number == 0) for number, one in enumerate(frames)), settings):
        model.enter(frame)
        result = first
        if not frame.begins:
            start = model.start(frame)
            result = stylizer.stylize(
                frame.content,
                initial=frame.content if start.initial is None else start.initial,
                anchor=start.anchor,
                iterations=settings.frame_iterations,
            )
        pictures.append(saved(result.picture))
        results.append(result)
        model.remember(frame, _kept(pictures[-1]))
    return pictures, results


def _kept(picture: FloatImage) -> Callable[[], FloatImage]:
    return lambda: picture


def saved(picture: FloatImage) -> FloatImage:
    """`picture` as it comes back from the file it is saved in."""
    return from_uint8(to_uint8(picture))


def meter_of(contents: Sequence[FloatImage], pictures: Sequence[FloatImage]) -> tuple[float, float, float]:
    """Mean warping error of the pictures, of the contents, and mean motion in pixels."""
    meter = ConsistencyMeter()
    found = [meter.feed(content, picture) for content, picture in zip(contents, pictures, strict=True)]
    rows = [row for row in found if row is not None]
    means = [np.mean([getattr(row, name) for row in rows]) for name in ("error", "floor", "motion")]
    return float(means[0]), float(means[1]), float(means[2])


def loss_of(results: Sequence[Result]) -> float:
    """Mean content and style loss of all frames but the first, weighted as in the objective."""
    return float(np.mean([result.losses["content"] + result.losses["style"] for result in results[1:]]))


def clips(media: Media, size: int, sheet: Path | None) -> bool:
    """The table of the modes on real clips."""
    print()
    tables.head(
        "clip",
        "painting",
        "mode",
        "warping error e-4",
        "of off",
        "of previous",
        "of the clip's own",
        "content + style, of off",
        "evaluations a frame",
        texts=3,
    )
    good = True
    for name, part, paintings in CLIPS:
        contents = clip_frames(media.video(name), part, size)
        for painting in paintings:
            style = read_picture(media.painting(painting), size, CONFIG.minimum_side)
            stylizer = Stylizer(
                CONFIG,
                [style],
                load_weights("vgg19-slim"),
                temporal_weight=SETTINGS.anchor_weight,
            )
            first = stylizer.stylize(contents[0])
            made = {
                mode: stylize_clip(stylizer, contents, mode, first) for mode in ("off", "previous", "flow")
            }
            good &= _rows(name, painting, contents, made)
            if sheet is not None:
                write_strips(
                    sheet / f"{name}-{painting}.png", contents, {key: one[0] for key, one in made.items()}
                )
    return good


def _rows(name: str, painting: str, contents: Sequence[FloatImage], made: dict[str, Stylized]) -> bool:
    errors = {mode: meter_of(contents, pictures)[0] for mode, (pictures, _) in made.items()}
    _, floor, motion = meter_of(contents, contents)
    losses = {mode: loss_of(results) for mode, (_, results) in made.items()}
    for mode, (_, results) in made.items():
        evaluations = np.mean([result.evaluations for result in results[1:]])
        tables.row(
            name,
            painting,
            mode,
            f"{errors[mode] * 1e4:.2f}",
            f"{errors[mode] / errors['off']:.3f}",
            f"{errors[mode] / errors['previous']:.2f}",
            f"{errors[mode] / floor:.2f}",
            f"{losses[mode] / losses['off']:.3f}",
            f"{evaluations:.1f}",
        )
    tables.row(name, "", "the clip itself", f"{floor * 1e4:.2f}", "", "", "1", "", f"motion {motion:.2f} px")
    flow = errors["flow"]
    return (
        flow <= OFF_BAR * errors["off"] and flow <= PREVIOUS_BAR * errors["previous"]
        and flow <= FLOOR_BAR * floor and losses["flow"] <= LOSS_BAR * losses["off"]
    )  # fmt: skip


def still(media: Media, size: int, sheet: Path | None) -> bool:
    """One photo for 120 frames: first against last."""
    print()
    tables.head("still photo", "first against last, PSNR dB", "mean brightness, last / first")
    photo = read_picture(media.photo("chelsea-cat"), size, 64)
    style = read_picture(media.painting("vangogh-starry-night"), size, 64)
    stylizer = Stylizer(
        CONFIG,
        [style],
        load_weights("vgg19-slim"),
        temporal_weight=SETTINGS.anchor_weight,
    )
    first = stylizer.stylize(photo)
    rng = np.random.default_rng(0)
    noisy = [
        saved(np.clip(photo + rng.normal(0, 2 / 255, photo.shape), 0, 1).astype(np.float32))
        for _ in range(STILL_FRAMES)
    ]
    good = True
    for name, contents in (("as it is", [photo] * STILL_FRAMES), ("with noise of 2/255", noisy)):
        pictures, _ = stylize_clip(stylizer, contents, "flow", first)
        psnr = -10 * np.log10(max(1e-12, float(np.mean((pictures[0] - pictures[-1]) ** 2))))
        brightness = float(pictures[-1].mean() / pictures[0].mean())
        tables.row(name, f"{psnr:.1f}", f"{brightness:.4f}")
        good &= psnr >= PSNR_BAR and abs(brightness - 1) <= BRIGHTNESS_BAR
        if sheet is not None:
            strip = np.concatenate([pictures[number] for number in (0, 40, 80, STILL_FRAMES - 1)], axis=1)
            write_image(sheet / f"still {name}.png", strip, overwrite=True)
    return good


def motion(media: Media, size: int, sheet: Path | None) -> bool:
    """Clips whose motion is known: the error along the true motion, and the trail behind a moving object."""
    print()
    tables.head(
        "motion", "frames", "error along the true motion e-4, off / previous / flow", "the clip's own"
    )
    style = read_picture(media.painting("vangogh-starry-night"), size, 64)
    stylizer = Stylizer(
        CONFIG,
        [style],
        load_weights("vgg19-slim"),
        temporal_weight=SETTINGS.anchor_weight,
    )
    good = True
    for name, make in (
        ("pan, 3 px a frame", pan),
        ("zoom, 1 % a frame", zoom),
        ("object, 4 px a frame", passing),
    ):
        frames, compare = make(media, size)
        first = stylizer.stylize(frames[0])
        made = {mode: stylize_clip(stylizer, frames, mode, first)[0] for mode in ("off", "previous", "flow")}
        errors = [compare(made[mode]) for mode in made]
        tables.row(
            name,
            len(frames),
            " / ".join(f"{error * 1e4:.2f}" for error in errors),
            f"{compare(frames) * 1e4:.2f}",
        )
        good &= errors[2] <= OFF_BAR * errors[0]
        if sheet is not None:
            write_strips(sheet / f"{name}.png", frames, made)
        if make is passing:
            good &= _trail(stylizer, frames, made["flow"], first)
    return good


Compare = Callable[[Sequence[FloatImage]], float]


def pan(media: Media, size: int) -> tuple[list[FloatImage], Compare]:
    """A window that slides over a photo by 3 whole pixels a frame."""
    photo = read_picture(media.photo("coffee"), 2 * size, 64)
    height, width, count = size * 9 // 16, size, 24
    frames = [np.ascontiguousarray(photo[40 : 40 + height, 3 * t : 3 * t + width]) for t in range(count)]
    return frames, lambda made: float(
        np.mean([np.mean((now[:, :-3] - before[:, 3:]) ** 2) for before, now in pairwise(made)])
    )


def zoom(media: Media, size: int) -> tuple[list[FloatImage], Compare]:
    """A window that closes in on a photo's middle by 1 % a frame."""
    import cv2

    photo = read_picture(media.photo("coffee"), 2 * size, 64)
    height, width, count = size * 9 // 16, size, 24
    large = np.ascontiguousarray(photo[: 2 * height])
    large = resize_image(large, (2 * width, 2 * height))

    def sampled(picture: FloatImage, scale: float) -> FloatImage:
        """Pixel x shows the picture at the picture's middle + scale (x - the result's middle)."""
        tall, wide = picture.shape[:2]
        matrix = np.array(
            [[scale, 0, (wide - scale * width) / 2], [0, scale, (tall - scale * height) / 2]], np.float32
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(picture, matrix, (width, height), flags=flags)

    def compare(made: Sequence[FloatImage]) -> float:
        inner = slice(8, -8)
        return float(
            np.mean(
                [
                    np.mean((sampled(before, 1 / 1.01)[inner, inner] - now[inner, inner]) ** 2)
                    for before, now in pairwise(made)
                ]
            )
        )

    return [sampled(large, 2 / 1.01**t) for t in range(count)], compare


def passing(media: Media, size: int) -> tuple[list[FloatImage], Compare]:
    """A textured square that passes over a still photo by 4 px a frame; compared where nothing moves."""
    photo = read_picture(media.photo("coffee"), size, 64)
    height = size * 9 // 16
    background = np.ascontiguousarray(photo[:height])
    patch = read_picture(media.photo("tulips"), size // 4, 16)[: size // 4, : size // 4]
    frames = []
    for t in range(24):
        frame = background.copy()
        left = 20 + 4 * t
        frame[40 : 40 + patch.shape[0], left : left + patch.shape[1]] = patch
        frames.append(frame)

    def compare(made: Sequence[FloatImage]) -> float:
        errors = []
        for t in range(1, len(made)):
            outside = np.ones(frames[0].shape[:2], bool)
            outside[32 : 48 + patch.shape[0], 8 + 4 * t : 28 + 4 * t + patch.shape[1]] = False
            errors.append(np.mean((made[t] - made[t - 1])[outside] ** 2))
        return float(np.mean(errors))

    return frames, compare


def _trail(
    stylizer: Stylizer, frames: Sequence[FloatImage], made: Sequence[FloatImage], first: Result
) -> bool:
    """Whether the uncovered background looks like background: its content loss against a frame made alone."""
    alone = stylizer.stylize(frames[-1])
    side = frames[0].shape[1] // 4
    uncovered = (slice(40, 40 + side), slice(20, 20 + 4 * (len(frames) - 1)))
    never = (slice(40, 40 + side), slice(20 + 4 * len(frames) + side, None))

    def contrast(picture: FloatImage, where: tuple[slice, slice]) -> float:
        """How far the luminance of a region is from the photo's, at the scale of things: 8 px means."""
        import cv2

        blurred = [cv2.GaussianBlur(one, (0, 0), 4.0)[where].mean(-1) for one in (picture, frames[-1])]
        return float(np.corrcoef(blurred[0].ravel(), blurred[1].ravel())[0, 1])

    rows = [(contrast(made[-1], where), contrast(alone.picture, where)) for where in (uncovered, never)]
    print()
    tables.head("last frame", "form agrees with the photo's: flow", "made alone")
    for name, (ours, theirs) in zip(("uncovered by the object", "never covered"), rows, strict=True):
        tables.row(name, f"{ours:.3f}", f"{theirs:.3f}")
    del first
    return rows[0][0] >= rows[0][1] - 0.1


def cut(media: Media, size: int, sheet: Path | None) -> bool:
    """The frames after a cut through the command line's loop, against a clip that starts there."""
    print()
    tables.head("cut", "equal to a clip that starts there", texts=2)
    del sheet
    good = True
    for at in (55, 148):
        hashes = []
        for start in (at - 8, at):
            with run_command(media, "bunny-two-cuts", f"{start}:{at + 3}", size) as run:
                lines = (run / "journal.jsonl").read_text().splitlines()
            rows = {row["index"]: row["sha256"] for row in map(json.loads, lines)}
            hashes.append([rows[number] for number in range(at, at + 3)])
        tables.row(f"frame {at} and the two after it", hashes[0] == hashes[1])
        good &= hashes[0] == hashes[1]
    return good


def colors(media: Media, size: int, sheet: Path | None) -> bool:
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
        contents = clip_frames(media.video(name), "0:24", size)
        errors = []
        for choice in ("none", "histogram", "luminance"):
            with run_command(media, name, "0:24", size, "--preserve-color", choice) as run:
                pictures = [read_image(path) for path in sorted((run / "frames").glob("*.png"))]
            errors.append(meter_of(contents, pictures)[0])
        pairs = zip(contents, pictures, strict=True)
        off = 255 * np.mean([np.abs(chroma(one) - chroma(other)).mean() for one, other in pairs])
        own = meter_of(contents, contents)[1]
        tables.row(name, *(f"{error * 1e4:.2f}" for error in (*errors, own)), f"{off:.2f}")
        # The colours are the clip's own, and so is what they flicker; nothing may come on top.
        good &= errors[1] <= errors[0] + own and errors[2] <= errors[0] + own
        if sheet is not None:
            write_strips(sheet / f"colors-{name}.png", contents, {"luminance": pictures})
    return good


def chroma(picture: FloatImage) -> FloatImage:
    """What is left of the colours without their luma."""
    return picture - grey(picture)


@contextmanager
def run_command(media: Media, name: str, part: str, size: int, *more: str) -> Iterator[Path]:
    """`deepfusion video` on frames of a clip; gives the run folder, which is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out.mp4"
        command = [
            sys.executable, "-m", "pipeline.cli", "video", str(media.video(name)),
            "--style", str(media.painting("vangogh-starry-night")), "-o", str(output),
            "--frames", part, "--size", str(size), "--keep-run", "-q", "--backbone", "vgg19-slim", *more,
        ]  # fmt: skip
        root = Path(__file__).resolve().parents[2]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(root)})
        yield output.with_name(output.name + ".run")


@dataclass
class _Timer:
    seconds: float = 0.0

    def __call__(self, work: Callable[[], object]) -> None:
        began = time.perf_counter()
        work()
        self.seconds += time.perf_counter() - began


def _guide(model: MotionModel, tracker: FlowTracker, content: FloatImage) -> object:
    return model.guide(content, tracker.look(content))


def cost(media: Media, size: int, sheet: Path | None) -> bool:
    """Flow, masks and warping of a frame at 512 px against its iterations on the full network's shape."""
    del size, sheet
    contents = clip_frames(media.video("flower"), "0:6", 512)
    style = read_picture(media.painting("vangogh-starry-night"), 512, 64)
    stylizer = Stylizer(CONFIG, [style], _full_shape(), temporal_weight=SETTINGS.anchor_weight)
    tracker = FlowTracker(SETTINGS.long_term, SETTINGS.flow_quality)
    model = MotionModel(max(SETTINGS.long_term))
    model.remember(contents[0], lambda: contents[0])
    model.guide(contents[0], tracker.look(contents[0]))
    flow, frame = _Timer(), _Timer()
    for content in contents[1:]:
        flow(partial(_guide, model, tracker, content))
        model.remember(content, _kept(content))
    start, anchor = model.guide(contents[-1], tracker.look(contents[-1]))
    stylizer.stylize(contents[-1], initial=start, anchor=anchor, iterations=2)
    frame(
        lambda: stylizer.stylize(
            contents[-1], initial=start, anchor=anchor, iterations=SETTINGS.frame_iterations
        )
    )
    each = flow.seconds / (len(contents) - 1)
    print(
        f"\nAt 512 px: flow, masks and warping {each * 1e3:.0f} ms, a frame's "
        f"{SETTINGS.frame_iterations} iterations on the full network {frame.seconds:.1f} s: "
        f"{each / frame.seconds:.2%}"
    )
    return each <= COST_BAR * frame.seconds


def _full_shape() -> Weights:
    """Weights of the full network's shape; their values do not matter for the time."""
    rng = np.random.default_rng(0)
    layers, inputs = {}, 3
    for layer in LAYERS[:14]:
        width = WIDTHS["vgg19"][block_of(layer) - 1]
        kernel = rng.normal(0.0, np.sqrt(2.0 / (9 * inputs)), (3, 3, inputs, width)).astype(np.float32)
        layers[layer] = (kernel, np.zeros(width, np.float32))
        inputs = width
    return Weights("custom", "random", "", layers)


def write_strips(path: Path, contents: Sequence[FloatImage], made: dict[str, list[FloatImage]]) -> None:
    """Rows of frames of the content and each mode, with its change from the frame before, times 4, below."""
    numbers = [int(number) for number in np.linspace(1, len(contents) - 1, 5)]
    rows = [np.concatenate([contents[number] for number in numbers], axis=1)]
    for pictures in made.values():
        rows.append(np.concatenate([pictures[number] for number in numbers], axis=1))
        changes = [np.clip(4 * np.abs(pictures[number] - pictures[number - 1]), 0, 1) for number in numbers]
        rows.append(np.concatenate(changes, axis=1))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, np.concatenate(rows, axis=0), overwrite=True)


PARTS = {"clips": clips, "still": still, "motion": motion, "cut": cut, "colors": colors, "cost": cost}


def main(arguments: list[str] | None = None) -> int:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("media", type=Media.named)
    parser.add_argument("--part", nargs="+", choices=tuple(PARTS), default=list(PARTS))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--sheet", type=Path, help="folder for contact sheets")
    parser.add_argument("--temporal-weight", type=float, default=SETTINGS.temporal_weight)
    options = parser.parse_args(arguments)
    globals()["SETTINGS"] = replace(SETTINGS, temporal_weight=options.temporal_weight)
    results = {part: PARTS[part](options.media, options.size, options.sheet) for part in options.part}
    print("\n" + ", ".join(f"{part}: {'reached' if good else 'MISSED'}" for part, good in results.items()))
    return 0 if all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
