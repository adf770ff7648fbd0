"""The objective evaluated and minimised in the memory there is: in one piece, or in windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from stylize.backbone import Vgg19
from stylize.config import StylizeConfig
from stylize.errors import OutOfMemoryError
from stylize.lbfgs import Lbfgs
from stylize.minimizers import Adam, Evaluate, Minimizer
from stylize.objective import Objective, Term
from stylize.phase import STANDARD, Phase, laid, laid_for
from stylize.tiling import TiledNetwork, largest_window, memory_in_windows, memory_of, smallest_window
from stylize.types import Tensor


def build_minimizer(config: StylizeConfig, evaluate: Evaluate) -> Minimizer:
    """The minimiser a configuration asks for."""
    if config.optimizer == "adam":
        return Adam(evaluate, config.learning_rate)
    return Lbfgs(evaluate, config.history)


class Evaluator:
    """An objective on a network.

    Parameters
    ----------
    config
        For the minimiser.
    backbone, objective
        The network and the terms.
    memory
        Bytes that an optimisation may take; None: as much as there is.
    """

    def __init__(
        self, config: StylizeConfig, backbone: Vgg19, objective: Objective, memory: int | None
    ) -> None:
        self.backbone = backbone
        self.objective = objective
        self._config = config
        self._memory = memory
        self._history = config.history if config.optimizer == "lbfgs" else 1
        self._whole: Minimizer | None = None
        self._tiled: tuple[tuple[int, int], Minimizer] | None = None

    def window(self, height: int, width: int) -> int | None:
        """The side of the windows that a picture of this size is evaluated in; None: in one piece."""
        if self._memory is None:
            return None
        layers = self.objective.layers
        collected = self._collected(height, width)
        return largest_window(self.backbone, layers, height, width, self._memory, self._history, collected)

    def memory_of(self, height: int, width: int) -> int:
        """About how many bytes an optimisation at this size takes."""
        layers, side = self.objective.layers, self.window(height, width)
        if side is None:
            inside = memory_of(self.backbone, layers, height, width, self._history)
        else:
            inside = memory_in_windows(self.backbone, layers, height, width, side, self._history)
        return inside + self._collected(height, width)

    def _collected(self, height: int, width: int) -> int:
        """Bytes of the maps that terms compare whole, of their targets and gradients."""
        values = sum(
            term.copies * self.backbone.width_of(layer) / float(term.spacing(layer)) ** 2
            for term in self.objective.terms
            if not term.pooled
            for layer, _ in term.layers
            if layer != "image"
        )
        return int(4 * height * width * values)

    def overlap(self, height: int, width: int) -> float:
        """How many times the work of one piece an evaluation takes: windows overlap and are seen twice."""
        side = self.window(height, width)
        if side is None:
            return 1.0
        return TiledNetwork(self.backbone, self.objective, height, width, side).work

    def terms(self, images: Tensor, targets: Any) -> Tensor:
        """The weighted value of each term for one picture, shape (terms, 1); images (1, H, W, 3)."""
        shown = laid_for(targets, images)
        return self.objective.compared(self._represented(self.objective, images, shown), targets)

    def seen(
        self, terms: Sequence[Term], picture: Any, phase: Phase = STANDARD
    ) -> Mapping[str, Mapping[str, Tensor]]:
        """What terms see of a picture, shape (H, W, 3), in one pass; by term and layer."""
        images = tf.constant(picture[None])
        return self._represented(Objective(terms), images, laid(images, phase))

    def minimizer(self, height: int, width: int) -> Minimizer:
        """The compiled steps for a size: the same for all that fit in memory in one piece."""
        if self.window(height, width) is None:
            if self._whole is None:
                self._tiled = None
                self._whole = build_minimizer(self._config, self.terms)
            return self._whole
        if self._tiled is None or self._tiled[0] != (height, width):
            self._tiled = self._whole = None  # their state is large: it goes before the next one comes
            self._tiled = (height, width), build_minimizer(self._config, self._in_windows(height, width))
        return self._tiled[1]

    def build(self, evaluate: Evaluate) -> Minimizer:
        """A minimiser of another function of pictures, as the configuration asks for it."""
        return build_minimizer(self._config, evaluate)

    def holds(self, height: int, width: int, whole: tuple[int, int]) -> bool:
        """Whether a window of a picture of the size `whole` is evaluated in one piece."""
        if self._memory is None:
            return True
        inside = memory_of(self.backbone, self.objective.layers, height, width, self._history)
        return inside + self._collected(*whole) <= self._memory

    def shrink(self, height: int, width: int) -> int:
        """Take half the memory from now on; gives the side of the windows.

        Raises
        ------
        OutOfMemoryError
            If the windows are as small as they can be.
        """
        side, smallest = self.window(height, width), smallest_window(self.objective.layers)
        if (side or max(height, width)) <= smallest:
            raise OutOfMemoryError(
                f"a picture of {width}x{height} pixels does not fit in memory, even in windows of {smallest} "
                f"pixels; choose a smaller size, or end what else uses the memory"
            )
        self._whole = self._tiled = None
        self._memory = self.memory_of(height, width) // 2
        return self.window(height, width) or max(height, width)

    def _represented(
        self, objective: Objective, images: Tensor, shown: Tensor
    ) -> dict[str, dict[str, Tensor]]:
        """What terms see of images, and of these as they are `shown` to the network."""
        height, width = images.shape[1:3]
        side = None if height is None else self.window(height, width)  # of any size: fits in one piece
        if side is None:
            seen = self.backbone.activations(shown, objective.layers)
            return objective.represented({**seen, "image": images})
        return TiledNetwork(self.backbone, objective, height, width, side).represented(images, shown)

    def _in_windows(self, height: int, width: int) -> Any:
        def terms(images: Tensor, targets: Any) -> Tensor:
            return self.terms(tf.ensure_shape(images, (1, height, width, 3)), targets)

        return terms
