"""What of a painting the style term aims at: four statistics of its activations, one interface.

gram         correlations of the filters (Gatys et al. 2016): what the published systems use
wasserstein  means and covariances, as far apart as two normal distributions (Bures)
sliced       the whole distribution, along random directions (Heitz et al. 2021)
nearest      for every position the painting's most alike one (Kolkin et al. 2022)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stylize.statistics.base import Scene, Statistic, halved
from stylize.statistics.moments import Gram, Wasserstein
from stylize.statistics.nearest import Nearest
from stylize.statistics.sliced import Sliced

__all__ = ["Scene", "Statistic", "halved", "statistic_of"]


def statistic_of(name: str, compare_grams: Callable[[Any, Any], Any], coherence: float) -> Statistic:
    """The statistic that a setting names; Gram matrices are compared by the given formula.

    `coherence` is of nearest neighbours: see :class:`Nearest`.
    """
    if name == "gram":
        return Gram(compare_grams)
    if name == "nearest":
        return Nearest(coherence)
    return {"wasserstein": Wasserstein, "sliced": Sliced}[name]()
