"""What the style term aims at: descriptions of the styles, blended or each in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import tensorflow as tf

from stylize.evaluator import Evaluator
from stylize.flatness import luminance
from stylize.look import Look, regions
from stylize.objective import SCALE, Term
from stylize.phase import STANDARD, Phase, laid
from stylize.pyramid import rescale
from stylize.statistics import Scene, Statistic, halved
from stylize.types import FloatImage, Tensor


class StyleTargets:
    """The targets of one style term, from the same styles for every picture.

    Parameters
    ----------
    evaluator
        Sees the pictures.
    term
        The style term: for whole pictures, or guided by masks.
    statistic
        Describes the styles.
    styles
        Shape (H, W, 3) each.
    blend
        Their shares, of sum 1.
    minimum_side
        Of a style picture at the coarse levels.
    content_maps
        What the term sees of a content in a phase; only asked where the statistic matches.
    guided
        Every picture comes with masks.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        term: Term,
        statistic: Statistic,
        styles: Sequence[FloatImage],
        blend: Sequence[float],
        minimum_side: int,
        content_maps: Callable[[FloatImage, Phase], Mapping[str, Tensor]],
        *,
        guided: bool,
    ) -> None:
        self._evaluator = evaluator
        self._term = term
        self.statistic = statistic
        self._styles = styles
        self._blend = blend
        self._minimum_side = minimum_side
        self._guided = guided
        self._pictures: dict[int, list[FloatImage]] = {}
        self._known: dict[int, tuple[Phase, list[Mapping[str, Tensor]]]] = {}
        self._toned: dict[int, tuple[Phase, list[Tensor]]] = {}
        self._content_maps = content_maps
        self._last: tuple[Any, dict[str, Any]] | None = None

    def of(
        self,
        content: FloatImage,
        level: int,
        look: Look,
        picture: FloatImage,
        renewal: int = 0,
        phase: Phase = STANDARD,
        seen: Mapping[str, Tensor] | None = None,
    ) -> dict[str, Any]:
        """The target by layer for a content, scaled to a level of the pyramid, as `look` will have it.

        Without masks the styles are blended. With masks every style keeps its own description and place.
        Statistics that match make them for `picture`, of which the term is known to see `seen`, if given.
        All pictures are seen in this phase.
        """
        shares = look.shares(self._blend)
        shared = not (self._guided or self.statistic.matches)  # a clip's frames aim at the same
        key = level, tuple(shares), renewal, phase
        if shared and self._last is not None and self._last[0] == key:
            targets = self._last[1]
        else:
            places = self._places(look, content, phase) if self._guided else None
            scene = Scene(self._described(level, phase), shares, places, renewal=renewal)
            if self.statistic.matches:
                own = self._content_maps(content, phase)
                if seen is None:
                    seen = own if picture is content else self._seen(picture, phase)
                scene = replace(scene, picture=seen, content=own, tones=self._tones(level, content, phase))
            targets = self.statistic.targets(scene)
            self._last = (key, targets) if shared else None
        return {SCALE: tf.constant(look.factor), **targets}

    def _described(self, level: int, phase: Phase) -> list[Mapping[str, Tensor]]:
        """The description of each style at 1/2^level of its size; kept until the phase is another."""
        if level not in self._known or self._known[level][0] != phase:
            each = []
            for style in self._scaled(level):
                seen = self._seen(style, phase)
                if self._guided:
                    seen = {layer: self.statistic.represent(features) for layer, features in seen.items()}
                each.append(seen)
            self._known[level] = phase, each
        return self._known[level][1]

    def _seen(self, picture: FloatImage, phase: Phase) -> Mapping[str, Tensor]:
        return self._evaluator.seen([self._term], picture, phase)[self._term.name]

    def _tones(self, level: int, content: FloatImage, phase: Phase) -> tuple[Tensor, list[Tensor]]:
        """The luminance of a content, and of the styles at 1/2^level of their size; see `Tones`."""
        halvings = min(self._term.spacing(layer).bit_length() - 1 for layer, _ in self._term.layers)

        def toned(picture: FloatImage) -> Tensor:
            return halved(laid(luminance(picture), phase), halvings)

        if level not in self._toned or self._toned[level][0] != phase:
            self._toned[level] = phase, [toned(one) for one in self._scaled(level)]
        return toned(content), self._toned[level][1]

    def _scaled(self, level: int) -> list[FloatImage]:
        """The styles at 1/2^level of their size; made once, as every phase asks for them."""
        if level not in self._pictures:
            sides = (
                [max(self._minimum_side, round(side / 2**level)) for side in style.shape[:2]]
                for style in self._styles
            )
            pairs = zip(self._styles, sides, strict=True)
            self._pictures[level] = [rescale(style, *side) for style, side in pairs]
        return self._pictures[level]

    def _places(self, look: Look, content: FloatImage, phase: Phase) -> dict[str, Tensor]:
        """Where each style goes at each layer's positions, shape (1, H', W', R)."""
        shape = content.shape[:2]
        full = next((mask.shape for mask in look.masks if mask is not None), shape)
        places = tf.constant(regions(look.masks, full)[None])
        if full != shape:
            places = tf.clip_by_value(tf.image.resize(places, shape, antialias=True), 0.0, 1.0)
        halvings = {layer: self._term.spacing(layer).bit_length() - 1 for layer, _ in self._term.layers}
        return {layer: halved(laid(places, phase), times) for layer, times in halvings.items()}


class Remembered:
    """What is made of a picture in a phase, kept until another comes: all terms ask for a content's."""

    def __init__(self, make: Callable[[FloatImage, Phase], Mapping[str, Any]]) -> None:
        self._make = make
        self._last: tuple[FloatImage, Phase, Mapping[str, Any]] | None = None

    def __call__(self, picture: FloatImage, phase: Phase) -> Mapping[str, Any]:
        if self._last is None or self._last[0] is not picture or self._last[1] != phase:
            self._last = picture, phase, self._make(picture, phase)
        return self._last[2]
