"""Every setting of the style transfer: its type, default, bounds and help, once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stylize.errors import ConfigError
from stylize.knobs import check_knobs, knob, near_miss, suited
from stylize.layers import layer_name, minimum_side

_FIRST_OF_BLOCKS = tuple(f"block{block}_conv1" for block in range(1, 6))
_POOLED = {"style_layers": _FIRST_OF_BLOCKS, "tv_weight": 20.0}

SUITED: Mapping[str, Mapping[str, Any]] = {
    "gram": _POOLED,
    "wasserstein": _POOLED,
    "sliced": _POOLED,
    "nearest": {
        "style_layers": (
            "block1_conv2", "block2_conv2", "block3_conv1", "block3_conv3", "block4_conv1", "block4_conv3",
        ),
        "tv_weight": 10.0,
    },
}  # fmt: skip
"""What suits each statistic of style, where nothing else is asked for (docs/decisions.md)."""

NORMALIZATIONS = ("relative", "gatys", "coursera", "rms")
STARTS = ("content", "noise", "style", "hub")
"""The starts that are a word; `mix:R` and `jitter:A` take a number, anything else is a picture file."""

_START_WITH_NUMBER = re.compile(r"^(mix|jitter):(.+)$")


@dataclass(frozen=True)
class Start:
    """Where an optimisation starts: `kind` is content, noise, style, hub, mix, jitter or picture."""

    kind: str
    amount: float = 0.0
    path: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether it is a whole picture, read or made by whoever calls, and optimised at full size only."""
        return self.kind in ("picture", "hub")


def parse_start(text: str) -> Start:
    """Read an `init` setting.

    Parameters
    ----------
    text
        ``content``, ``noise``, ``style``, ``hub``, ``mix:R`` (R parts noise and 1 - R parts content),
        ``jitter:A`` (content plus noise of amplitude A), or the path of a picture.

    Raises
    ------
    ConfigError
        For a number that is missing or outside [0, 1], or a word that is nearly a known one.
    """
    if text in STARTS:
        return Start(text)
    numbered = _START_WITH_NUMBER.match(text)
    if numbered:
        try:
            amount = float(numbered[2])
        except ValueError:
            raise ConfigError(
                f"init: {text!r}: {numbered[2]!r} is not a number; write {numbered[1]}:0.6"
            ) from None
        if not 0.0 <= amount <= 1.0:
            raise ConfigError(f"init: {text!r}: the number must be between 0 and 1")
        return Start(numbered[1], amount=amount)
    if "." not in text and "/" not in text and "\\" not in text:
        known = (*STARTS, "mix:0.6", "jitter:0.1")
        raise ConfigError(
            f"init: unknown start {text!r}: {near_miss(text, known, 'give the path of a picture')}"
        )
    return Start("picture", path=os.path.expanduser(text))


def names_picture(text: str) -> bool:
    """Whether an `init` setting is the path of a picture."""
    return parse_start(text).kind == "picture"


def _layers(setting: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Keras' names of the layers of a setting; ConfigError for one that there is not."""
    try:
        return tuple(map(layer_name, names))
    except ConfigError as error:
        raise ConfigError(f"{setting}: {error}") from None


@dataclass(frozen=True)
class StylizeConfig:
    """The settings of one style transfer; the defaults are the preset `default`.

    Raises
    ------
    ConfigError
        On construction, for any value that is unknown or out of range.
    """

    content_weight: float = knob(1.0, "Weight of the content term (alpha).", minimum=0.0, maximum=1e12)
    style_weight: float = knob(8.0, "Weight of the style term (beta).", minimum=0.0, maximum=1e12)
    tv_weight: float = suited(
        0.0,
        "10; 20 with other statistics than nearest",
        "Weight of the total variation term, which smooths.",
        minimum=0.0,
        maximum=1e12,
    )
    flat_weight: float = knob(
        400.0,
        "Weight of the term that keeps flat parts as smooth as the painting's, at full size.",
        minimum=0.0,
        maximum=1e12,
    )
    content_layers: tuple[str, ...] = knob(
        ("block4_conv2",), "Layers whose activations keep the content, separated by commas."
    )
    style_statistic: str = suited(
        "nearest",
        "nearest; gram with a normalization of the papers",
        "What is taken over from a painting: for every place its most alike one (nearest), or of all places "
        "the filters' correlations (gram), means and covariances (wasserstein), distribution (sliced).",
        choices=tuple(SUITED),
    )
    style_coherence: float = knob(
        1.0,
        "Of nearest: how firmly neighbours take neighbours of the painting: 0 = every place by itself, "
        "1 = whole strokes, 2 = pieces of the painting.",
        minimum=0.0,
        maximum=10.0,
    )
    style_layers: tuple[str, ...] = suited(
        (), "the statistic's own", "Layers that carry the style, separated by commas."
    )
    content_layer_weights: tuple[float, ...] = knob(
        (), "A weight for each content layer; equal shares when empty."
    )
    style_layer_weights: tuple[float, ...] = knob(
        (), "A weight for each style layer; equal shares when empty."
    )
    normalization: str = knob(
        "relative", "How squared differences are scaled: each system has its own.", choices=NORMALIZATIONS
    )
    pooling: str = knob("max", "Pooling between the network's blocks.", choices=("max", "average"))
    rescale_activations: bool = knob(
        False,
        "Rescale every filter to a mean activation of 1 over the style pictures (Gatys' normalised network).",
    )
    init: str = knob(
        "content",
        "Start of the optimisation: content, noise, style, mix:R (R noise, 1-R content), jitter:A (content "
        "plus noise of amplitude A), hub (what --hub-model makes of it), or a picture file.",
        metavar="START",
        path=names_picture,
        by_name=True,
    )
    noise_amplitude: float = knob(
        0.5,
        "Half the range of the noise of a start, around the mean colour; 1 is the range of a picture.",
        minimum=0.0,
        maximum=1.0,
    )
    seed: int = knob(0, "Seed of the noise.", minimum=0, maximum=2**31 - 1)
    optimizer: str = knob("lbfgs", "How the loss is minimised.", choices=("lbfgs", "adam"))
    iterations: int = knob(80, "Iterations at each level (for a clip: for the first frame).", minimum=1)
    tolerance: float = knob(
        3e-4,
        "Stop a level when an iteration lowers the loss by less than this share, averaged over five "
        "iterations (for a clip: of the first frame); 0 = never.",
        minimum=0.0,
        maximum=0.5,
    )
    levels: int = knob(
        3,
        "Sizes to go through from coarse to fine, each half the next: a coarse start makes larger strokes. "
        "None has a shorter side under 96 px.",
        minimum=1,
        maximum=8,
    )
    learning_rate: float = knob(
        0.02, "Step size of Adam, in units of the picture's range.", above=0.0, maximum=1.0
    )
    history: int = knob(20, "Pairs of differences that L-BFGS remembers.", minimum=1, maximum=100)

    def __post_init__(self) -> None:
        for name, value in self.suited_to_it.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        check_knobs(self)
        if self.style_statistic != "gram" and self.normalization != "relative":
            raise ConfigError(
                f"normalization: {self.normalization}: is a formula for Gram matrices; with style_statistic "
                f"{self.style_statistic} set normalization to relative, or choose style_statistic gram"
            )
        if self.style_statistic != "nearest" and self.style_coherence != StylizeConfig.style_coherence:
            raise not_coherent(self)
        for name in ("content_layers", "style_layers"):
            layers = _layers(name, getattr(self, name))
            if len(set(layers)) != len(layers):
                raise ConfigError(f"{name}: {', '.join(layers)}: a layer is named twice")
            object.__setattr__(self, name, layers)
            self._check_layer_weights(name, len(layers))
        if not (self.content_weight and self.content_layers) and not (
            self.style_weight and self.style_layers
        ):
            raise ConfigError("nothing to optimise: give content_weight or style_weight a value above 0")
        parse_start(self.init)

    def _check_layer_weights(self, name: str, count: int) -> None:
        key = name.replace("layers", "layer_weights")
        weights = getattr(self, key)
        if weights and len(weights) != count:
            raise ConfigError(f"{key}: {len(weights)} weights for {count} {name}; give one each or none")
        if any(not 0.0 <= weight < float("inf") for weight in weights):
            raise ConfigError(f"{key}: {weights}: weights must be finite and not negative")
        if weights and not any(weights):
            raise ConfigError(f"{key}: all weights are 0; give at least one a value above 0")

    @property
    def suited_to_it(self) -> Mapping[str, Any]:
        """The defaults that depend on others: the statistic of style, and what suits it."""
        usual = "nearest" if self.normalization == "relative" else "gram"
        return {"style_statistic": usual, **SUITED.get(self.style_statistic or usual, SUITED[usual])}

    @property
    def layers(self) -> tuple[str, ...]:
        """Every layer the terms read, without repeats."""
        return tuple(dict.fromkeys((*self.content_layers, *self.style_layers)))

    @property
    def minimum_side(self) -> int:
        """The shortest side in pixels a picture may have."""
        return minimum_side(self.layers)


def not_coherent(config: StylizeConfig) -> ConfigError:
    """What is wrong where a coherence is given to another statistic than the one that has any."""
    return ConfigError(
        f"style_coherence: is for style_statistic nearest only; leave it out with style_statistic "
        f"{config.style_statistic}"
    )
