"""What an optimisation came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stylize.checkpoint import Totals
from stylize.types import FloatImage, Tensor

if TYPE_CHECKING:
    from stylize.optimize import Minimum


@dataclass(frozen=True)
class Result:
    """A stylized picture and how it came about.

    Attributes
    ----------
    picture
        Shape (H, W, 3), float32 RGB in [0, 1].
    losses, first_losses
        The weighted terms and their "total", of the picture and of the start of the finest level.
    iterations, evaluations, seconds
        Over all levels.
    reason
        Why the finest level ended: "iterations" (the limit) or "settled" (the loss hardly falls any more).
    """

    picture: FloatImage
    losses: dict[str, float]
    first_losses: dict[str, float]
    iterations: int
    evaluations: int
    seconds: float
    reason: str


def with_total(terms: dict[str, float]) -> dict[str, float]:
    """The terms with their sum as "total"."""
    return {**terms, "total": sum(terms.values())}


def losses_of(names: Sequence[str], values: Tensor) -> dict[str, float]:
    """The weighted terms and their "total", from their values for one picture, shape (terms, 1)."""
    return with_total(dict(zip(names, map(float, values.numpy()[:, 0]), strict=True)))


def result_of(minimum: Minimum, done: Totals) -> Result:
    """The result of the finest level, with the counts over all levels."""
    return Result(
        minimum.picture, with_total(minimum.terms), with_total(minimum.first_terms),
        done.finished, done.evaluations, done.seconds, minimum.reason,
    )  # fmt: skip
