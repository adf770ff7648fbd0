"""The part `motion` of temporal.py: clips whose motion is known exactly, as they are made of photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pipeline.styling.pictures import read_picture
from scripts import tables
from scripts.bench.temporal_shared import OFF_BAR, Asked, stylize_modes, write_strips
from scripts.media import Media
from stylize.types import FloatImage
from video.images import resize_image

if TYPE_CHECKING:
    from stylize.stylizer import Stylizer

Compare = Callable[[Sequence[FloatImage]], float]
COUNT = 24
"""Frames of a clip."""
PAN, ZOOM, STEP = 3, 1.01, 4
"""Pixels a frame that the window slides and that the object moves, and how much the window closes in."""
TOP, LEFT = 40, 20
"""Where the object is in the first frame."""
FORM_BAR = 0.1
"""How much less than a frame made alone the uncovered background may agree with the photo."""


def motion(asked: Asked) -> bool:
    """Clips whose motion is known: the error along the true motion, and the trail behind a moving object."""
    print()
    tables.head(
        "motion", "frames", "error along the true motion e-4, off / previous / flow", "the clip's own"
    )
    stylizer = asked.stylizer("vangogh-starry-night")
    good = True
    for name, make in (
        (f"pan, {PAN} px a frame", pan),
        ("zoom, 1 % a frame", zoom),
        (f"object, {STEP} px a frame", passing),
    ):
        frames, compare = make(asked.media, asked.size)
        made = {mode: one.pictures for mode, one in stylize_modes(asked, stylizer, frames).items()}
        errors = {mode: compare(pictures) for mode, pictures in made.items()}
        tables.row(
            name,
            len(frames),
            " / ".join(f"{error * 1e4:.2f}" for error in errors.values()),
            f"{compare(frames) * 1e4:.2f}",
        )
        good &= errors["flow"] <= OFF_BAR * errors["off"]
        write_strips(asked, name, frames, made)
        if make is passing:
            good &= trail(stylizer, frames[-1], made["flow"][-1])
    return good


def pan(media: Media, size: int) -> tuple[list[FloatImage], Compare]:
    """A window that slides over a photo by 3 whole pixels a frame."""
    photo = read_picture(media.photo("coffee"), 2 * size, 64)
    height, width = size * 9 // 16, size
    frames = [np.ascontiguousarray(photo[40 : 40 + height, PAN * t : PAN * t + width]) for t in range(COUNT)]

    def compare(made: Sequence[FloatImage]) -> float:
        apart = [np.mean((now[:, :-PAN] - before[:, PAN:]) ** 2) for before, now in pairwise(made)]
        return float(np.mean(apart))

    return frames, compare


def zoom(media: Media, size: int) -> tuple[list[FloatImage], Compare]:
    """A window that closes in on a photo's middle by 1 % a frame."""
    photo = read_picture(media.photo("coffee"), 2 * size, 64)
    height, width = size * 9 // 16, size
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
        apart = [
            np.mean((sampled(before, 1 / ZOOM)[inner, inner] - now[inner, inner]) ** 2)
            for before, now in pairwise(made)
        ]
        return float(np.mean(apart))

    return [sampled(large, 2 / ZOOM**t) for t in range(COUNT)], compare


def passing(media: Media, size: int) -> tuple[list[FloatImage], Compare]:
    """A textured square that passes over a still photo by 4 px a frame; compared where nothing moves."""
    photo = read_picture(media.photo("coffee"), size, 64)
    background = np.ascontiguousarray(photo[: size * 9 // 16])
    patch = read_picture(media.photo("tulips"), size // 4, 16)[: size // 4, : size // 4]
    tall, wide = patch.shape[:2]
    frames = []
    for t in range(COUNT):
        frame = background.copy()
        left = LEFT + STEP * t
        frame[TOP : TOP + tall, left : left + wide] = patch
        frames.append(frame)

    def compare(made: Sequence[FloatImage]) -> float:
        errors = []
        for t in range(1, len(made)):
            outside = np.ones(background.shape[:2], bool)
            left = LEFT + STEP * t
            outside[TOP - 8 : TOP + 8 + tall, left - 12 : left + 8 + wide] = False
            errors.append(np.mean((made[t] - made[t - 1])[outside] ** 2))
        return float(np.mean(errors))

    return frames, compare


def trail(stylizer: Stylizer, content: FloatImage, made: FloatImage) -> bool:
    """Whether what the object has uncovered by the last frame shows the photo as a frame made alone does."""
    alone = stylizer.stylize(content).picture
    side = content.shape[1] // 4
    uncovered = (slice(TOP, TOP + side), slice(LEFT, LEFT + STEP * (COUNT - 1)))
    never = (slice(TOP, TOP + side), slice(LEFT + STEP * COUNT + side, None))

    def agreement(picture: FloatImage, where: tuple[slice, slice]) -> float:
        """Correlation of a region's brightness with the photo's, at the scale of things: 8 px means."""
        blurred = [cv2.GaussianBlur(one, (0, 0), 4.0)[where].mean(-1) for one in (picture, content)]
        return float(np.corrcoef(blurred[0].ravel(), blurred[1].ravel())[0, 1])

    rows = [(agreement(made, where), agreement(alone, where)) for where in (uncovered, never)]
    print()
    tables.head("last frame", "form agrees with the photo's: flow", "made alone")
    for name, (ours, theirs) in zip(("uncovered by the object", "never covered"), rows, strict=True):
        tables.row(name, f"{ours:.3f}", f"{theirs:.3f}")
    return rows[0][0] >= rows[0][1] - FORM_BAR
