"""A picture optimised in part, with the losses of the whole.

What the terms see of the rest is known: it is the starting picture's. An evaluation takes the network over a
window around a box only, and puts what it sees there in its place among the whole picture's maps.

Exact would be a window that reaches beyond the box as far as the network sees, and as far again, so that
its own border changes nothing. `parts.REACH` is less: the outermost part of what a filter sees hardly
counts, and a window costs its area (docs/decisions.md). Everything else is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from stylize.backbone import Vgg19
from stylize.checkpoint import Totals
from stylize.errors import ConfigError, ShapeError
from stylize.evaluator import Evaluator
from stylize.minimizers import Minimizer
from stylize.objective import Objective
from stylize.optimize import Progress, minimize
from stylize.parts import Part, parts_of
from stylize.phase import Phase, laid, laid_for
from stylize.pyramid import after, shifted
from stylize.result import Result, losses_of, result_of
from stylize.tiling import core_of, cut, pooled_by, put
from stylize.types import FloatImage, Tensor

Share = NDArray[np.float32]
"""How far each pixel may change, shape (H, W), in [0, 1]."""

Maps = Mapping[str, Mapping[str, Tensor]]
"""What terms see of a picture, by term and layer."""

PLACES, RESTING, SHARE, SEEN, AIMS = "places", "resting", "share", "seen", "aims"


def targets_of_part(
    part: Part,
    picture: FloatImage,
    share: Share,
    seen: Maps,
    aims: Any,
) -> dict[str, Any]:
    """What `PartialNetwork.represented` and the terms need, of one structure for parts of any size.

    Parameters
    ----------
    picture
        The whole one, shape (H, W, 3): outside of the box it stays.
    share
        How far each pixel may change, shape (H, W).
    seen
        What the terms see of `picture`, by term and layer.
    aims
        What the terms aim at.
    """
    return {
        PLACES: tf.constant([*part.box, *part.window, *part.core], tf.int32),
        RESTING: tf.constant(picture[None]),
        SHARE: tf.constant(part.within(share)[None, ..., None]),
        SEEN: {name: dict(maps) for name, maps in seen.items()},
        AIMS: aims,
    }


class PartialNetwork:
    """What an objective's terms see of a picture of which a box changes.

    Parameters
    ----------
    backbone, objective
        The network and the terms.
    """

    def __init__(self, backbone: Vgg19, objective: Objective) -> None:
        self._backbone, self._objective = backbone, objective
        self._layers = [layer for layer in objective.layers if layer != "image"]

    def represented(self, inside: Tensor, targets: Mapping[str, Any]) -> dict[str, dict[str, Tensor]]:
        """The same as `Objective.represented` for the whole picture with `inside` in its box.

        Parameters
        ----------
        inside
            Shape (1, h, w, 3). Where the share is less than 1, it counts so far only.
        targets
            From `targets_of_part`.
        """
        places, picture = targets[PLACES], targets[RESTING]
        box, window = places[:4], places[4:]
        before = cut(picture, box)
        image = put(picture, box, before + targets[SHARE] * (inside - before))
        shown = laid_for(targets[AIMS], image)
        seen = self._backbone.activations(cut(shown, window[:4]), self._layers)
        size = tf.shape(picture)
        found: dict[str, dict[str, Tensor]] = {term.name: {} for term in self._objective.terms}
        for term in self._objective.terms:
            for layer, _ in term.layers:
                if layer == "image":
                    found[term.name][layer] = term.represent(image)
                    continue
                rest = targets[SEEN][term.name][layer]
                core, place, share = core_of(term, layer, seen[layer], window, size[1], size[2])
                if term.pooled:
                    found[term.name][layer] = rest + share * term.represent(core)
                else:
                    found[term.name][layer] = put(rest, place, term.represent(core))
        return found

    def resting(
        self, picture: FloatImage, part: Part, seen: Maps, phase: Phase
    ) -> dict[str, dict[str, Tensor]]:
        """What terms see of a picture in a phase, `seen`, less what pooled ones see of a part's core."""
        left = {name: dict(maps) for name, maps in seen.items()}
        pooled = [term for term in self._objective.terms if term.pooled]
        if not pooled:
            return left
        window = tf.constant([*part.window, *part.core], tf.int32)
        height, width, _ = picture.shape
        layers = Objective(pooled).layers
        shown = laid(tf.constant(picture[None]), phase)
        values = self._backbone.activations(cut(shown, window[:4]), layers)
        for term in pooled:
            for layer, _ in term.layers:
                core, _, share = core_of(term, layer, values[layer], window, height, width)
                left[term.name][layer] -= share * term.represent(core)
        return left


class PartialOptimizer:
    """Optimises parts of pictures, one after another.

    Parameters
    ----------
    evaluator
        Its network and objective; its memory, too.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._network = PartialNetwork(evaluator.backbone, evaluator.objective)
        self._grain = _grain_of(evaluator.objective)
        self._minimizer: Minimizer | None = None

    def optimise(
        self,
        picture: FloatImage,
        share: Share,
        targets: Callable[..., Any],
        phase: Phase,
        iterations: int,
        tolerance: float,
        callback: Callable[[Progress], None] | None = None,
    ) -> Result | None:
        """Go through the parts of a picture that change; None, and nothing done, where the whole is as cheap.

        Parameters
        ----------
        picture
            The start, shape (H, W, 3).
        share
            How far each pixel may change, shape (H, W). Where none may, only the losses are found.
        targets
            Gives what the terms aim at, from what they see of the start, `seen`.
        phase
            In which the targets are made.
        iterations
            Of each part, at most.
        tolerance
            As in :func:`stylize.optimize.minimize`.
        callback
            As in `Stylizer.stylize`.
        """
        parts, terms = self._parts(share, phase), self._evaluator.objective.terms
        if parts is None:
            return None
        seen = self._evaluator.seen(terms, picture, phase)
        aims = targets(seen=seen)
        if not parts:
            return self._resting(picture, seen, aims)
        if self._minimizer is None:
            self._minimizer = self._evaluator.build(self._terms)
        done, first = Totals(iterations * len(parts)), None
        for number, part in enumerate(parts):
            if number > 0:
                seen = self._evaluator.seen(terms, picture, phase)
            resting = self._network.resting(picture, part, seen, phase)
            told = _told_whole(shifted(callback, 0, done), part, picture, share)
            minimum = minimize(
                self._minimizer, part.within(picture), targets_of_part(part, picture, share, resting, aims),
                self._evaluator.objective.names, iterations, told, tolerance=tolerance, near=True,
            )  # fmt: skip
            picture = _whole(minimum.picture, part, picture, share)
            first = minimum.first_terms if first is None else first
            minimum = replace(minimum, picture=picture, first_terms=first)
            done = after(done, minimum)
        return result_of(minimum, done)

    def _parts(self, share: Share, phase: Phase) -> list[Part] | None:
        """What to optimise apart, if that is less work, and the memory is enough for each at once."""
        parts = parts_of(share, self._grain, phase)
        if parts and not all(self._evaluator.holds(*part.seen, share.shape) for part in parts):
            return None
        return parts

    def _resting(self, picture: FloatImage, seen: Maps, aims: Any) -> Result:
        """The result of leaving a picture as it is."""
        objective = self._evaluator.objective
        losses = losses_of(objective.names, objective.compared(seen, aims))
        return Result(picture, losses, losses, 0, 0, 0.0, "settled")

    def _terms(self, inside: Tensor, targets: Mapping[str, Any]) -> Tensor:
        """The weighted value of each term for the whole picture, shape (terms, 1)."""
        return self._evaluator.objective.compared(self._network.represented(inside, targets), targets[AIMS])


def _grain_of(objective: Objective) -> int:
    """Windows that begin at multiples of so many pixels see what the whole picture's terms do."""
    return max(pooled_by(objective.layers), *(term.grid for term in objective.terms))


def check_changing(changing: Share | None, initial: FloatImage | None, content: FloatImage) -> None:
    """Raise ConfigError or ShapeError unless what may change is said of a start, pixel by pixel."""
    if changing is None:
        return
    if initial is None:
        raise ConfigError("what may change was given without the picture to start from")
    if changing.shape != content.shape[:2] or not np.all((changing >= 0.0) & (changing <= 1.0)):
        raise ShapeError(
            f"changing: shape {changing.shape}; expected {content.shape[:2]}, with values from 0 to 1"
        )


def _told_whole(
    callback: Callable[[Progress], None] | None, part: Part, picture: FloatImage, share: Share
) -> Callable[[Progress], None] | None:
    """`callback`, told of a part's progress with whole pictures."""
    if callback is None:
        return None

    def told(progress: Progress) -> None:
        callback(replace(progress, picture=lambda: _whole(progress.picture(), part, picture, share)))

    return told


def _whole(inside: FloatImage, part: Part, picture: FloatImage, share: Share) -> FloatImage:
    """`picture` with what an optimisation has made of a part, as far as each pixel may change."""
    before = part.within(picture)
    return part.placed(before + part.within(share)[..., None] * (inside - before), picture)
