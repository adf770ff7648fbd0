"""The part `cases` of temporal.py: motion and light that optical flow cannot follow.

Each case is made of a shared clip or photo; `at` is the frame right after what is hard. That frame, as the
clip has it, is held against the same frame made alone: content and style by what the frame alone reaches, and
the warping error of the whole clip by its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from pipeline.clip.temporal import stylize_frames
from pipeline.styling.pictures import read_picture
from scripts import tables
from scripts.bench.temporal_shared import Asked, loss_of, meter_of, write_sheet
from scripts.media import clip_frames
from stylize.types import FloatImage

FRAMES = 10
LOSS_BAR = 1.03


@dataclass(frozen=True)
class Case:
    """A clip with something hard in it.

    Attributes
    ----------
    frames
        Made from what is asked for.
    at
        The frame to look at.
    painting
        What it is stylized after.
    """

    name: str
    frames: Callable[[Asked], list[FloatImage]]
    at: int
    painting: str


def cases(asked: Asked) -> bool:
    """A table and a sheet of each case."""
    print()
    tables.head(
        "case", "painting", "frame", "content + style, of the frame alone", "evaluations a frame",
        "warping error e-4", "of the clip's own", "shots", texts=2,
    )  # fmt: skip
    good = True
    for case in CASES:
        frames = case.frames(asked)
        stylizer = asked.stylizer(case.painting)
        made = list(stylize_frames(stylizer, frames))
        pictures = [one.picture for one in made]
        alone = stylizer.stylize(frames[case.at])
        content = frames[case.at]
        share = loss_of(stylizer, pictures[case.at], content) / loss_of(stylizer, alone.picture, content)
        error, own, _ = meter_of(frames, pictures)
        later = [one.result.evaluations for one in made[1:]]
        tables.row(
            case.name, case.painting, case.at, f"{share:.3f}", f"{np.mean(later):.1f}", f"{error * 1e4:.2f}",
            f"{error / max(own, 1e-12):.2f}", sum(one.begins for one in made),
        )  # fmt: skip
        shown = [case.at - 2, case.at - 1, case.at, case.at + 1]
        rows = [[frames[number] for number in shown], [pictures[number] for number in shown]]
        rows[0].append(frames[case.at])
        rows[1].append(alone.picture)
        write_sheet(asked, f"case {case.name}", rows)
        good &= share <= LOSS_BAR
    return good


def _photo(asked: Asked, name: str, larger: float = 1.0) -> FloatImage:
    return read_picture(asked.media.photo(name), round(asked.size * larger), 64)


def _window(photo: FloatImage, size: int, left: float, top: float) -> FloatImage:
    """A window of a photo at a place between pixels, as wide as the clip."""
    height, width = size * 9 // 16 // 2 * 2, size // 2 * 2
    matrix = np.array([[1.0, 0.0, left], [0.0, 1.0, top]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(photo, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT)
    return np.clip(moved, 0.0, 1.0)


def _fast_pan(asked: Asked) -> list[FloatImage]:
    """A pan of a tenth of the width a frame, each frame blurred over half of that."""
    photo, step = _photo(asked, "flower-2268x1512", 2.0), asked.size / 10

    def seen(time: float) -> FloatImage:
        return _window(photo, asked.size, step * time, 40)

    return [
        np.mean([seen(t + part / 16) for part in range(8)], axis=0, dtype=np.float32) for t in range(FRAMES)
    ]


def _flash(asked: Asked) -> list[FloatImage]:
    """Two frames of a photographer's flash over a speaker."""
    frames = clip_frames(asked.media.video("friday-speech"), f"0:{FRAMES}", asked.size)
    light = {4: 0.85, 5: 0.5}
    return [one + np.float32(light.get(t, 0.0)) * (1 - one) for t, one in enumerate(frames)]


def _cross_fade(asked: Asked, length: int = 7) -> list[FloatImage]:
    """One clip turns into another over so many frames, the first of them the fourth."""
    count = length + 7
    one = clip_frames(asked.media.video("flower"), f"0:{count}", asked.size)
    other = clip_frames(asked.media.video("bunny-two-cuts"), f"0:{count}", asked.size)
    shares = np.clip((np.arange(count) - 3) / length, 0, 1).astype(np.float32)
    return [a + share * (b[: a.shape[0]] - a) for a, b, share in zip(one, other, shares, strict=True)]


def _shake(asked: Asked) -> list[FloatImage]:
    """A camera held by hand that is pushed: jumps of several pixels to and fro."""
    photo, rng = _photo(asked, "elephant", 1.3), np.random.default_rng(3)
    places = 15 + rng.normal(0.0, 5.0, (FRAMES, 2))
    return [_window(photo, asked.size, *place) for place in places]


def _grain(asked: Asked) -> list[FloatImage]:
    """An old film: grain of 12/255, as fine as a pixel and a half."""
    frames = clip_frames(asked.media.video("bunny-two-cuts"), f"0:{FRAMES}", asked.size)
    rng = np.random.default_rng(4)
    grained = []
    for frame in frames:
        grain = cv2.GaussianBlur(rng.normal(0.0, 1.0, frame.shape[:2]).astype(np.float32), (0, 0), 0.7)
        grained.append(np.clip(frame + (12.0 / 255.0 / grain.std() * grain)[..., None], 0.0, 1.0))
    return grained


def _on_twos(asked: Asked) -> list[FloatImage]:
    """An animation whose drawings stay for two frames."""
    frames = clip_frames(asked.media.video("bunny-two-cuts"), f"0:{2 * FRAMES}", asked.size)
    return [frames[number // 2 * 4] for number in range(FRAMES)]


def _water(asked: Asked) -> list[FloatImage]:
    """A photo seen through the surface of moving water."""
    photo = _window(_photo(asked, "tulips", 1.2), asked.size, 4, 4)
    rows, columns = np.mgrid[: photo.shape[0], : photo.shape[1]].astype(np.float32)
    return [
        cv2.remap(
            photo,
            columns + 3 * np.sin(rows / 7 + 1.3 * t) + 2 * np.sin(columns / 11 - 0.9 * t),
            rows + 3 * np.sin(columns / 9 + 1.1 * t),
            cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT,
        )
        for t in range(FRAMES)
    ]  # fmt: skip


CASES: Sequence[Case] = (
    Case("fast pan", _fast_pan, 6, "vangogh-starry-night"),
    Case("flash", _flash, 6, "munch-scream"),
    Case("cross-fade", _cross_fade, 11, "monet-water-lilies"),
    Case("slow cross-fade", partial(_cross_fade, length=16), 20, "monet-water-lilies"),
    Case("shake", _shake, 6, "bruegel-harvesters"),
    Case("grain", _grain, 6, "turner-shipwreck-minotaur"),
    Case("on twos", _on_twos, 6, "hokusai-great-wave"),
    Case("water", _water, 6, "vangogh-starry-night"),
)
