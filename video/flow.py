"""Dense optical flow between frames, pictures moved along it, and where it can be trusted.

A flow is float32, shape (H, W, 2), in pixels, the last axis (dx, dy). The flow *from* frame a *to* frame b
says for each pixel of a where it is found in b: ``b[y + dy, x + dx]`` shows what ``a[y, x]`` shows. `warp`
is backward: with the flow from a to b it brings a picture of b's time to a's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .images import FloatImage

Flow = NDArray[np.float32]
"""Shape (H, W, 2), pixels, (dx, dy)."""

Mask = NDArray[np.float32]
"""Shape (H, W), 0 to 1."""

WORKING_SIDE = 768
"""Flow is computed with the longer side at most this long: beyond it, frames gain little and cost much."""

DISOCCLUSION = (0.01, 0.5)
"""Share of the squared motions, and squared pixels, that there and back may differ by (Ruder et al. 2016)."""

MOTION_BOUNDARY = (0.01, 0.002)
"""Share of the squared motion, and offset, that the flow's squared gradient may reach (Ruder et al. 2016)."""

TOLERANT_BOUNDARY = (0.01, 0.1)
"""The same with room for the unrest that grain gives any flow: jumps under 0.3 pixels are no boundary.

With the published offset, a tenth of an old film's pixels would start anew in every frame, and flicker.
"""

FLAT_ALLOWANCE = 4.0
"""Squared pixels allowed on top where nothing shows which way it moves (after Ruder et al. 2018)."""

STANDSTILL = 1.3
"""Factor by which the frames' squared difference must fall along a flow for the flow to be believed."""

NOISE_LIMIT = 5e-4
"""Mean squared difference up to which frames may be alike but for noise: that of 4/255 in each of them."""

STANDSTILL_WINDOW = 9
"""Side in pixels of the window over which the differences are compared."""

SOFTNESS = 0.8
"""Standard deviation in pixels by which the reliability is smoothed (Ruder et al. 2016)."""


@dataclass(frozen=True)
class _Quality:
    """Settings of OpenCV's DIS flow (Kroeger et al. 2016)."""

    preset: int
    finest_scale: int
    patch_stride: int
    descent_steps: int
    refinement_steps: int


QUALITIES: Mapping[str, _Quality] = MappingProxyType(
    {
        "fast": _Quality(cv2.DISOPTICAL_FLOW_PRESET_FAST, 2, 4, 12, 5),
        "medium": _Quality(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM, 1, 3, 25, 10),
        "fine": _Quality(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM, 1, 2, 25, 40),
    }
)
"""How much work goes into a flow; each takes two to three times as long as the one before.

None goes down to single pixels (scale 0): there the flow follows film grain, and everything warped by it
trembles.
"""


class FlowEstimator:
    """Optical flow by Dense Inverse Search.

    Parameters
    ----------
    quality
        One of `QUALITIES`.

    Raises
    ------
    InputError
        For an unknown quality.
    """

    def __init__(self, quality: str = "medium") -> None:
        if quality not in QUALITIES:
            raise InputError(f"unknown flow quality {quality!r}; choose from {', '.join(QUALITIES)}")
        chosen = QUALITIES[quality]
        self._search = cv2.DISOpticalFlow.create(chosen.preset)
        self._search.setFinestScale(chosen.finest_scale)
        self._search.setPatchStride(chosen.patch_stride)
        self._search.setGradientDescentIterations(chosen.descent_steps)
        self._search.setVariationalRefinementIterations(chosen.refinement_steps)

    def flow(self, start: FloatImage, end: FloatImage) -> Flow:
        """The flow from frame `start` to frame `end`, both of shape (H, W, 3)."""
        height, width = start.shape[:2]
        scale = min(1.0, WORKING_SIDE / max(height, width))
        size = (max(16, round(width * scale)), max(16, round(height * scale)))
        found = self._search.calc(_luminance(start, size), _luminance(end, size), None)
        if size != (width, height):
            factor = np.array([width / size[0], height / size[1]], np.float32)
            found = cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR) * factor
        return np.asarray(found, np.float32)

    def both(self, start: FloatImage, end: FloatImage) -> tuple[Flow, Flow]:
        """The flows from `start` to `end` and from `end` to `start`."""
        return self.flow(start, end), self.flow(end, start)


def settle(flow: Flow, back: Flow, start: FloatImage, end: FloatImage) -> tuple[Flow, Flow]:
    """Flows from `start` to `end` and back without the tremor of what stands still.

    A camera's noise moves any flow by a fraction of a pixel, and what is warped by it again and again
    drifts and blurs. Where the two frames agree but for noise, and about as well as along the flow, the
    flow is 0: no motion can be seen there.
    """
    unmoved = _local_error(start, end)
    moved, moved_back = _local_error(start, warp(end, flow)), _local_error(warp(start, back), end)
    differs = unmoved > NOISE_LIMIT
    return (
        flow * (differs | (unmoved > STANDSTILL * moved))[..., None],
        back * (differs | (unmoved > STANDSTILL * moved_back))[..., None],
    )


def warp(picture: NDArray[np.float32], flow: Flow, *, sharp: bool = False) -> NDArray[np.float32]:
    """`picture` moved backward along `flow`: what it shows at ``(x + dx, y + dy)`` comes to ``(x, y)``.

    Parameters
    ----------
    picture
        Shape (H, W) or (H, W, C): a picture of the time that `flow` leads to.
    flow
        From the time wanted to the picture's time.
    sharp
        Interpolate by cubic convolution, for pictures that are moved again and again and would blur; the
        result is kept inside [0, 1]. Otherwise linearly.

    Returns
    -------
    NDArray
        Of the picture's shape, at the time that `flow` leads from. Beyond the border the border's pixels
        are repeated; `reliability` is 0 there.
    """
    grid_x, grid_y = _grid(flow)
    moved = cv2.remap(
        picture,
        grid_x + flow[..., 0],
        grid_y + flow[..., 1],
        cv2.INTER_CUBIC if sharp else cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.clip(moved, 0.0, 1.0) if sharp else np.asarray(moved)


def carried(values: NDArray[np.uint8], flow: Flow) -> NDArray[np.uint8]:
    """`values`, shape (H, W), moved like a picture by `warp`, but whole: each from the nearest pixel."""
    grid_x, grid_y = _grid(flow)
    moved = cv2.remap(
        values,
        grid_x + flow[..., 0],
        grid_y + flow[..., 1],
        cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(moved)


def reliability(
    flow: Flow,
    back: Flow,
    frame: FloatImage | None = None,
    target: FloatImage | None = None,
    *,
    edges: Flow | None = None,
    boundary: tuple[float, float] = MOTION_BOUNDARY,
    soft: bool = True,
) -> Mask:
    """How far `flow` can be trusted, pixel by pixel: 1 it can, 0 not at all.

    A pixel is unreliable when its target lies outside the frame; when it is disoccluded, which is when
    following `flow` there and `back` again does not lead home; and at the boundary of a motion. The
    inequalities are those of Ruder, Dosovitskiy & Brox 2016, section 4 (after Sundaram et al. 2010). In flat
    regions there and back differ without harm, as nothing shows there which way it moves: the second
    inequality leaves them more room (the texture rule of Ruder et al. 2018).

    Both inequalities are guesses at where a flow carries the wrong thing. Where the frames are known and
    agree along the flow but for noise, it carries the right one or its like: nothing there is unreliable.
    Without this rule every jump of the flow in a bare wall is a line that starts anew, and stays to be seen.

    Parameters
    ----------
    flow, back
        From one frame to another, and from that one back.
    frame
        The picture that `flow` leads from, for the texture rule; without it no region counts as flat.
    target
        The picture that `flow` leads to, to see whether the two agree; only with `frame`.
    edges
        The flow whose jumps are motion boundaries, if it is not `flow`: where `settle` begins to set it to
        0, it jumps without one.
    boundary
        What the flow's squared gradient may reach, as `MOTION_BOUNDARY`.
    soft
        Smooth the transitions, as weights, and count a target up to a pixel outside by the share of it that
        is inside; otherwise each pixel is 0 or 1, and half a pixel outside is inside.

    Returns
    -------
    Mask
        Shape (H, W).
    """
    height, width = flow.shape[:2]
    grid_x, grid_y = _grid(flow)
    target_x, target_y = grid_x + flow[..., 0], grid_y + flow[..., 1]
    beyond = np.maximum(
        abs(target_x - (width - 1) / 2) - (width - 1) / 2, abs(target_y - (height - 1) / 2) - (height - 1) / 2
    )
    inside = 1.0 - np.clip(beyond, 0.0, 1.0)
    home = warp(back, flow)
    gap = np.sum((flow + home) ** 2, axis=-1)
    motion = np.sum(flow**2, axis=-1)
    share, offset = DISOCCLUSION
    allowed = share * (motion + np.sum(home**2, axis=-1)) + offset
    if frame is not None:
        allowed += FLAT_ALLOWANCE * _flatness(frame)
    share, offset = boundary
    edges = flow if edges is None else edges
    gradient = sum(np.gradient(edges[..., axis], axis=side) ** 2 for axis in (0, 1) for side in (0, 1))
    good = (gap < allowed) & (gradient <= share * np.sum(edges**2, axis=-1) + offset)
    if frame is not None and target is not None:
        good |= _local_error(frame, warp(target, flow)) <= NOISE_LIMIT
    if not soft:
        return (good & (inside > 0.5)).astype(np.float32)
    mask = good.astype(np.float32)
    # Smoothed from the inside only: a pixel that cannot be trusted gets no weight from its neighbours.
    return np.minimum(mask, cv2.GaussianBlur(mask, (0, 0), SOFTNESS)) * inside


def leaves_border(flow: Flow, margin: int) -> NDArray[np.bool_]:
    """Where `flow` brings what was within `margin` pixels of a picture's border to farther inside.

    Shape (H, W). A network sees zeros beyond the border, and what it makes there shows it. Motion of less
    than a pixel does not count: it renews the border's pixels little by little anyway.
    """
    height, width = flow.shape[:2]
    grid_x, grid_y = _grid(flow)

    def near(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.bool_]:
        return np.minimum(np.minimum(x, width - 1 - x), np.minimum(y, height - 1 - y)) < margin

    moves = np.sum(flow**2, axis=-1) >= 1.0
    return moves & near(grid_x + flow[..., 0], grid_y + flow[..., 1]) & ~near(grid_x, grid_y)


def _local_error(one: FloatImage, other: FloatImage) -> Mask:
    """Squared difference, averaged over a window around each pixel."""
    squared = np.mean((one - other) ** 2, axis=-1)
    return np.asarray(cv2.blur(squared, (STANDSTILL_WINDOW, STANDSTILL_WINDOW)), np.float32)


def _flatness(frame: FloatImage) -> Mask:
    """1 where nothing shows which way a pixel moves, falling to 0 at half the mean texture.

    Texture is the smaller eigenvalue of the structure tensor: edges show their motion in one direction only.
    """
    luminance = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    texture = cv2.cornerMinEigenVal(luminance, blockSize=3, ksize=3)
    half = 0.5 * float(texture.mean())
    if half <= 0.0:
        return np.ones_like(texture)
    return np.maximum(0.0, 1.0 - texture / half).astype(np.float32)


def _luminance(picture: FloatImage, size: tuple[int, int]) -> NDArray[np.uint8]:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    if size != (picture.shape[1], picture.shape[0]):
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return np.asarray(np.rint(np.clip(grey, 0, 1) * 255), np.uint8)


def _grid(flow: Flow) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    height, width = flow.shape[:2]
    grid_x, grid_y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return grid_x, grid_y
