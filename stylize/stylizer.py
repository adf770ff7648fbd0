"""The style transfer: a configuration and style pictures in, stylized pictures out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from stylize.anchor import Anchor, check_anchor
from stylize.backbone import Vgg19
from stylize.checkpoint import Checkpoint, Standing, Totals
from stylize.config import StylizeConfig
from stylize.errors import ConfigError
from stylize.evaluator import Evaluator
from stylize.look import PLAIN, Look, check_look
from stylize.objective import Objective, build_objective, build_statistic
from stylize.optimize import Minimum, Progress, Renewal, minimize
from stylize.partial import PartialOptimizer, check_changing
from stylize.pyramid import LevelKeeper, after, rescale, shapes_of, shifted
from stylize.result import Result, losses_of, result_of
from stylize.starts import start_picture
from stylize.targets import Targets
from stylize.types import FloatImage, check_like, check_picture
from stylize.weights import Weights

_RENEWALS = 2
"""A level of the pyramid settles only after its targets have been renewed so often. A warm start's strokes
are there already; and held to an anchor they shall stay where they are: its targets are not renewed."""


class Stylizer:
    """Styles pictures of any number and size after the same style pictures.

    Parameters
    ----------
    config
        Every setting.
    styles
        Style pictures, shape (H, W, 3) in [0, 1], at the scale their strokes shall have. With several, their
        Gram matrices are blended.
    weights
        The network's weights.
    style_blend
        A share for each style picture, at least 0 and not all 0; equal when not given.
    temporal_weight
        Of the squared distance to an anchor; with 0 there is no such term and no anchor may be given.
    guided
        Every picture comes with a mask for each style (:class:`stylize.look.Look`).
    quick
        Makes a first picture of a content in one pass, for `quick_picture` and `quick_result`.
    memory
        Bytes that an optimisation may take. What does not fit is evaluated in windows
        (:mod:`stylize.tiling`).
    mixed
        Convolve in bfloat16 (:class:`stylize.backbone.Vgg19`).
    on_warning
        Is told, once, when the memory was not enough and smaller windows are used.

    Raises
    ------
    ConfigError, ShapeError
        If there is no style, or it is too small; if the blend does not fit the styles, or the weights end
        before a layer.
    """

    def __init__(
        self,
        config: StylizeConfig,
        styles: Sequence[FloatImage],
        weights: Weights,
        *,
        style_blend: Sequence[float] | None = None,
        temporal_weight: float = 0.0,
        guided: bool = False,
        quick: Callable[[FloatImage], FloatImage] | None = None,
        memory: int | None = None,
        mixed: bool = False,
        on_warning: Callable[[str], None] | None = None,
    ) -> None:
        self.config = config
        self._warn = on_warning
        self._quick = quick
        self.styles = _checked(styles, config)
        backbone = Vgg19(weights, pooling=config.pooling, mixed=mixed)
        self.backbone = backbone.rescaled(self.styles) if config.rescale_activations else backbone
        self.temporal_weight = temporal_weight
        self.objective: Objective = build_objective(config, temporal_weight, guided=guided)
        self.backbone.check(self.objective.layers)
        self.evaluator = Evaluator(config, self.backbone, self.objective, memory)
        self._partial = PartialOptimizer(self.evaluator)
        self.guided = guided
        self.statistic = build_statistic(config)
        self.targets = self._aims(style_blend)

    def restyled(self, styles: Sequence[FloatImage], style_blend: Sequence[float] | None = None) -> Stylizer:
        """The same after other style pictures; it shares what is compiled.

        Raises
        ------
        ConfigError, ShapeError
            Like the constructor; and if the network was rescaled to the styles it had.
        """
        if self.config.rescale_activations:
            raise ConfigError("a network rescaled to its style pictures cannot take others")
        other = copy(self)
        other.styles = _checked(styles, self.config)
        other.targets = other._aims(style_blend)
        return other

    def _aims(self, style_blend: Sequence[float] | None) -> Targets:
        """What the terms aim at."""
        return Targets(
            self.evaluator, self.config, self.statistic, self.styles, style_blend, guided=self.guided
        )

    def stylize(
        self,
        content: FloatImage,
        *,
        initial: FloatImage | None = None,
        anchor: Anchor | None = None,
        look: Look = PLAIN,
        iterations: int | None = None,
        tolerance: float | None = None,
        callback: Callable[[Progress], None] | None = None,
        checkpoint: Checkpoint | None = None,
        changing: NDArray[np.float32] | None = None,
        turn: int = 0,
        afresh: bool = False,
    ) -> Result:
        """Stylize one picture.

        Parameters
        ----------
        content
            Shape (H, W, 3), in [0, 1].
        initial
            The picture to start from, of the content's shape; it is optimised at full size only. When None,
            the configured start is taken through all levels of the pyramid.
        anchor
            What the result shall stay close to; goes with `initial` only.
        look
            How strongly, in which shares and where the styles are used.
        iterations
            At most this many iterations a level; the configured number when None.
        tolerance
            When a level has settled; as configured when None.
        callback
            Called with the progress at each level's start and after every iteration.
        checkpoint
            Keep the state there from time to time, and when the callback ends the work by an exception; go
            on from what it holds. It must be of the same pictures and settings.
        changing
            Goes with `initial`: how far each pixel may differ from it, shape (H, W), in [0, 1]. Only windows
            around those are evaluated where that is less work (:mod:`stylize.partial`), and nothing else
            changes; otherwise everything is, and may.
        turn
            Of a frame among those that follow one another: each begins in another phase (`stylize.phase`).
        afresh
            Take `initial` through all levels of the pyramid all the same, but for what is held.

        Raises
        ------
        ShapeError
            If a picture is not one, is too small, or differs in shape from the content.
        NonFiniteError
            If the loss has no finite value.
        OutOfMemoryError
            If the memory is not enough, however small the windows.
        """
        content = check_picture(content, "content", minimum_side=self.config.minimum_side)
        if initial is not None:
            initial = check_like(initial, "initial", content)
        check_anchor(anchor, content, initial, held="temporal" in self.objective.names)
        check_look(look, content, len(self.styles), guided=self.guided)
        check_changing(changing, initial, content)
        iterations = self.config.iterations if iterations is None else iterations
        tolerance = self.config.tolerance if tolerance is None else tolerance
        height, width, _ = content.shape
        if changing is not None and initial is not None:
            aims = partial(self.targets, content, 0, anchor, look, initial, turn=turn)
            phase = self.targets.phase(turn)
            result = self._partial.optimise(initial, changing, aims, phase, iterations, tolerance, callback)
            if result is not None:
                return result
        coarse = initial is None or afresh
        shapes = shapes_of(self.config, height, width) if coarse else [(height, width)]
        patience = _RENEWALS if coarse else 0 if anchor is None else None
        return self._coarse_to_fine(
            content, initial, anchor, look, shapes, iterations, tolerance, patience, callback, checkpoint,
            turn,
        )  # fmt: skip

    def _coarse_to_fine(
        self, content: FloatImage, picture: FloatImage | None, anchor: Anchor | None, look: Look,
        shapes: Sequence[tuple[int, int]], iterations: int, tolerance: float, patience: int | None,
        callback: Callable[[Progress], None] | None, checkpoint: Checkpoint | None, turn: int,
    ) -> Result:  # fmt: skip
        """Optimise at each shape in turn; every level starts from the one before it, and what is held at full
        size from what it is held to."""
        levels = list(zip(reversed(range(len(shapes))), shapes, strict=True))
        done, standing = Totals(iterations=iterations * len(shapes)), None
        if checkpoint is not None and (kept := checkpoint.load()) is not None:
            reached, done, standing = kept
            levels = [one for one in levels if one[0] <= reached]
        for level, (height, width) in levels:
            scaled = rescale(content, height, width)
            start = self.start_picture(scaled) if picture is None else rescale(picture, height, width)
            held = anchor if level == 0 else None
            start = start if held is None or len(shapes) == 1 else held.over(start)
            start = start if standing is None else standing.start
            keeper = None if checkpoint is None else LevelKeeper(checkpoint, level, done)
            told = shifted(callback, level, done)
            targets = partial(self.targets, scaled, level, held, look, start, turn=turn)
            minimum = self._minimum(targets, start, iterations, tolerance, told, standing, keeper, patience)
            picture, standing = minimum.picture, None
            done = after(done, minimum)
        return result_of(minimum, done)

    def _minimum(
        self, targets: Callable[..., Any], start: FloatImage, iterations: int, tolerance: float,
        callback: Callable[[Progress], None] | None, standing: Standing | None, keeper: LevelKeeper | None,
        patience: int | None,
    ) -> Minimum:  # fmt: skip
        """Optimise at one level; without enough memory begin it again in smaller and smaller windows.

        With `patience` targets are renewed, at least so often before the level settles; without, the picture
        is held, and near.
        """
        height, width, _ = start.shape
        renewal = None
        if self.statistic.renewed and patience is not None:
            renewal = Renewal(lambda seen, count: targets(picture=seen, renewal=count), patience)
        while True:
            aimed, count = (start, 0) if standing is None else (standing.aimed, standing.renewals)
            try:
                return minimize(
                    self.evaluator.minimizer(height, width), start, targets(picture=aimed, renewal=count),
                    self.objective.names, iterations, callback,
                    tolerance=tolerance, near=patience is None, standing=standing, keeper=keeper,
                    renewal=renewal,
                )  # fmt: skip
            except tf.errors.ResourceExhaustedError:
                side = self.evaluator.shrink(height, width)
                if self._warn is not None:
                    self._warn(f"the memory is not enough at once: working in windows of {side} pixels")
                    self._warn = None

    def everywhere(self, content: FloatImage) -> Look:
        """A look that fits a content, for when the pictures' own looks are not at hand."""
        if not self.guided:
            return PLAIN
        share = np.full(content.shape[:2], 1.0 / len(self.styles), np.float32)
        return Look(masks=(share,) * len(self.styles))

    def quick_picture(self, content: FloatImage) -> FloatImage:
        """What the one-pass model makes of a content; ConfigError without one."""
        if self._quick is None:
            raise ConfigError("init: hub: no model was given")
        return self._quick(check_picture(content, "content", minimum_side=self.config.minimum_side))

    def quick_result(self, content: FloatImage) -> Result:
        """The same as a result without any optimisation, with its losses measured."""
        began = time.perf_counter()
        picture = self.quick_picture(content)
        losses = self.losses(picture, content)
        return Result(picture, losses, losses, 0, 0, time.perf_counter() - began, "one pass")

    def losses(
        self, picture: FloatImage, content: FloatImage, look: Look = PLAIN, *, renewal: int = 0
    ) -> dict[str, float]:
        """The weighted terms and "total" of `picture` as a stylization of `content`, after these renewals."""
        content = check_picture(content, "content", minimum_side=self.config.minimum_side)
        picture = check_like(picture, "picture", content)
        targets = self.targets(content, look=look, picture=picture, renewal=renewal)
        return losses_of(self.objective.names, self.evaluator.terms(tf.constant(picture[None]), targets))

    def start_picture(self, content: FloatImage) -> FloatImage:
        """The configured start for this content; the same for the same seed and shape."""
        return start_picture(self.config, content, self.styles[0])


def _checked(styles: Sequence[FloatImage], config: StylizeConfig) -> list[FloatImage]:
    """Style pictures that can be used; ConfigError or ShapeError otherwise."""
    if not isinstance(styles, Sequence):
        raise ConfigError(
            f"styles: expected a list of pictures, got one {type(styles).__name__}; write [picture]"
        )
    if not styles:
        raise ConfigError("no style picture given")
    return [
        check_picture(style, f"style {number}", minimum_side=config.minimum_side)
        for number, style in enumerate(styles, start=1)
    ]
