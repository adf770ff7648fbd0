"""What the terms of an objective aim at for one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from stylize.anchor import Anchor, no_anchor
from stylize.config import StylizeConfig
from stylize.evaluator import Evaluator
from stylize.flatness import roughness, smoothed_at
from stylize.look import PLAIN, Look, normalised
from stylize.objective import SCALE
from stylize.phase import PHASE, STANDARD, Phase, phase_of
from stylize.statistics import Statistic
from stylize.style_targets import Remembered, StyleTargets
from stylize.types import FloatImage


class Targets:
    """Targets of pictures under the same styles.

    Parameters
    ----------
    evaluator, config, statistic
        Of the stylizer.
    styles
        Shape (H, W, 3) each.
    blend
        A share for each style; equal when None.
    guided
        Every picture comes with masks.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        config: StylizeConfig,
        statistic: Statistic,
        styles: Sequence[FloatImage],
        blend: Sequence[float] | None,
        *,
        guided: bool,
    ) -> None:
        self._evaluator = evaluator
        self._styles = styles
        self._blend = normalised(blend, len(styles))
        self._rough: list[float] | None = None
        self._content = Remembered(self._content_maps)
        self._renewed = statistic.renewed
        self._looking = [
            term
            for term in evaluator.objective.terms
            if term.name == "content" or (term.name == "style" and statistic.matches)
        ]
        self._style = {
            term.name: StyleTargets(
                evaluator, term, statistic, styles, self._blend, config.minimum_side,
                lambda content, phase: self._content(content, phase)["style"], guided=guided,
            )
            for term in evaluator.objective.terms
            if term.name == "style"
        }  # fmt: skip

    def __call__(
        self,
        content: FloatImage,
        level: int = 0,
        anchor: Anchor | None = None,
        look: Look = PLAIN,
        start: FloatImage | None = None,
        picture: FloatImage | None = None,
        renewal: int = 0,
        seen: Mapping[str, Mapping[str, Any]] | None = None,
        turn: int = 0,
    ) -> dict[str, Any]:
        """What each term aims at for a content, by term and layer; and in which phase, where that changes.

        At level l of the pyramid the style pictures are 2^l times smaller, like the content given. Without
        an anchor no pixel has a temporal weight. Flat parts are those of `start`, or else of the content.
        Statistics that match do so for `picture`, or else the same; `renewal` counts how often before. What
        the terms see of that picture in this phase may be given as `seen`.
        """
        phase = self.phase(turn + renewal)
        start = content if start is None else start
        picture = start if picture is None else picture
        targets: dict[str, Any] = {
            name: style.of(content, level, look, picture, renewal, phase, seen and seen[name])
            for name, style in self._style.items()
        }
        for term in self._evaluator.objective.terms:
            if term.name == "content":
                targets["content"] = self._content(content, phase)["content"]
            elif term.name == "tv":
                targets["tv"] = {SCALE: tf.constant(look.factor)}  # without style nothing is smoothed
            elif term.name == "flat":
                flat = tf.constant(smoothed_at(level, start)), self._allowed(look)
                targets["flat"] = {SCALE: tf.constant(look.factor), "image": flat}
            elif term.name == "temporal":
                held = no_anchor(content) if anchor is None else anchor
                targets["temporal"] = {
                    "image": (tf.constant(held.picture[None]), tf.constant(held.weights[None, ..., None]))
                }
        if self._renewed:
            targets[PHASE] = tf.constant(phase)
        return targets

    def phase(self, turn: int) -> Phase:
        """The phase after so many turns and renewals: always the standard one where nothing is renewed."""
        return phase_of(turn) if self._renewed else STANDARD

    def _content_maps(self, content: FloatImage, phase: Phase) -> Mapping[str, Mapping[str, Any]]:
        """What all terms that look at a content see of it."""
        return self._evaluator.seen(self._looking, content, phase)

    def _allowed(self, look: Look) -> Any:
        """The contrast that flat parts may have: that of the styles' own, by their shares."""
        if self._rough is None:
            self._rough = [roughness(style) for style in self._styles]
        shares = look.shares(self._blend)
        return tf.constant(sum(share * rough for share, rough in zip(shares, self._rough, strict=True)))
