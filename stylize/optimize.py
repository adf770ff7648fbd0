"""Run a minimiser: progress to a callback, a guard against values that are not finite, the best iterate."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from stylize.checkpoint import Standing
from stylize.errors import NonFiniteError
from stylize.minimizers import Minimizer
from stylize.types import FloatImage

_MAX_RETRIES = 6

WINDOW = 5
"""Iterations over which the loss is averaged to see whether it has settled."""


@dataclass(frozen=True)
class Progress:
    """Where an optimisation stands.

    Attributes
    ----------
    iteration, iterations
        Finished iterations (0 is the start itself) and how many there will be at most.
    loss, terms
        The objective and its weighted terms for the current picture.
    seconds, evaluations
        Time and loss-and-gradient evaluations since the start.
    picture
        Gives a copy of the current picture; call it only when it is wanted.
    level
        The pyramid's level: 0 is full size, 1 half of it, and so on.
    """

    iteration: int
    iterations: int
    loss: float
    terms: dict[str, float]
    seconds: float
    evaluations: int
    picture: Callable[[], FloatImage]
    level: int = 0


@dataclass(frozen=True)
class Minimum:
    """What :func:`minimize` found: the iterate of lowest finite loss, its values, and why it stopped."""

    picture: FloatImage
    loss: float
    terms: dict[str, float]
    first_terms: dict[str, float]
    iterations: int
    evaluations: int
    seconds: float
    reason: str


class Keeper(Protocol):
    """Keeps the state of an optimisation, so that it can go on later."""

    def due(self) -> bool:
        """Whether it is time to keep it again."""

    def keep(self, standing: Standing) -> None:
        """Keep it."""


@dataclass(frozen=True)
class Renewal:
    """Targets that are made anew as the picture changes.

    Attributes
    ----------
    targets
        Gives them for a picture, and how often they have been renewed with this time.
    before_settling
        An optimisation settles only after so many renewals.
    every
        Iterations between two renewals.
    """

    targets: Callable[[FloatImage, int], Any]
    before_settling: int = 2
    every: int = 10


def minimize(
    minimizer: Minimizer,
    start: FloatImage,
    targets: Any,
    names: Sequence[str],
    iterations: int,
    callback: Callable[[Progress], None] | None = None,
    *,
    tolerance: float = 0.0,
    near: bool = False,
    standing: Standing | None = None,
    keeper: Keeper | None = None,
    renewal: Renewal | None = None,
) -> Minimum:
    """Minimise from `start` for at most `iterations` iterations.

    A step that ends in a value that is not finite is taken back: the best iterate so far is the new start,
    with half the step; so is it up to six times.

    Parameters
    ----------
    minimizer
        Its former state is forgotten.
    start
        Shape (H, W, 3), in [0, 1].
    targets
        Handed to the minimiser's function as they are.
    names
        The terms' names, in the order of the function's values.
    iterations
        At least 1.
    callback
        Called with the :class:`Progress` at the start and after every iteration.
    tolerance
        The optimisation has settled when the mean loss of the last five iterations is lower than that of the
        five before by less than this share an iteration; 0: never.
    near
        The start is near the minimum, as a frame that is moved along is: the first step is short.
    standing
        Go on from here instead of `start`.
    keeper
        Is given the state whenever it is due, and when the callback ends the optimisation by an exception.
    renewal
        Renews the targets from time to time. The lowest loss is then that since the last renewal, which
        begins at the best picture before it; losses of different targets are not compared.

    Returns
    -------
    Minimum
        The iterate of lowest finite loss, never just the last.

    Raises
    ------
    NonFiniteError
        If the loss of the start is not finite, or remains so after the retries or however small the step; it
        names the term.
    """
    minimizer.set_out(near=near)
    if standing is None:
        terms = _named(names, minimizer.start(tf.constant(start[None]), targets))
        _require_finite(terms, "at the start")
        standing = Standing(0, 0, 0, 0.0, terms, terms, terms, {}, start, start)
    else:
        minimizer.restore(standing.variables, *start.shape[:2])
    run = _Run(minimizer, targets, names, iterations, tolerance, renewal, standing)
    run.report(callback)
    while run.goes_on():
        run.step()
        run.renew_if_due()
        try:
            run.report(callback)
        except BaseException:
            if keeper is not None:
                keeper.keep(run.standing())
            raise
        if keeper is not None and keeper.due():
            keeper.keep(run.standing())
    return run.minimum()


class _Run:
    """What `minimize` carries from one iteration to the next."""

    def __init__(
        self, minimizer: Minimizer, targets: Any, names: Sequence[str], iterations: int, tolerance: float,
        renewal: Renewal | None, begun: Standing,
    ) -> None:  # fmt: skip
        self._minimizer, self._targets, self._names = minimizer, targets, names
        self._iterations, self._tolerance, self._renewal = iterations, tolerance, renewal
        self._begun = begun
        self._began = time.perf_counter() - begun.seconds
        self._terms, self._best_terms = begun.terms, begun.best_terms
        self._retries, self._failures, self._done = begun.retries, begun.failures, begun.iteration
        self._recent = deque(begun.recent, maxlen=2 * WINDOW)
        self._settled = sum(begun.terms.values()) == 0.0  # there is nothing below
        self._renewals, self._renewed_at, self._aimed = begun.renewals, begun.renewed_at, begun.aimed

    def goes_on(self) -> bool:
        """Whether there is another iteration to do."""
        return self._done < self._iterations and not self._ended

    @property
    def _ended(self) -> bool:
        """Whether the loss falls no more: by itself, or because no step is taken."""
        return self._settled or self._failures > 1

    def step(self) -> None:
        """One iteration; a step to what is not finite is taken back."""
        self._done += 1
        values, moved = self._minimizer.step(self._targets)
        terms = _named(self._names, values)
        if bool(moved) and not math.isfinite(sum(terms.values())):
            self._retry(terms)
        elif bool(moved):
            self._failures, self._terms = 0, terms
            if sum(terms.values()) <= sum(self._best_terms.values()):
                self._best_terms = terms
        else:
            self._failures += 1
        self._recent.append(sum(self._terms.values()))
        self._settled = has_settled(self._recent, self._tolerance)
        if self._failures > 1:
            _require_finite(terms, f"at iteration {self._done}, however small the step")

    def _retry(self, terms: dict[str, float]) -> None:
        """Begin again at the best picture, with half the step."""
        self._retries += 1
        if self._retries > _MAX_RETRIES:
            after = f"after {_MAX_RETRIES} retries with smaller steps"
            _require_finite(terms, f"at iteration {self._done}, {after}")
        self._minimizer.retry(self._targets)
        self._recent.clear()
        self._terms = self._best_terms

    def renew_if_due(self) -> None:
        """Aim at new targets, made for the best picture so far, when it is time or the loss has settled."""
        renewal = self._renewal
        if renewal is None or self._done >= self._iterations:
            return
        if self._ended:
            wanted = self._renewals < renewal.before_settling
        else:
            wanted = self._done - self._renewed_at >= renewal.every
        if not wanted:
            return
        self._aimed = self._minimizer.best_image.numpy()[0]
        self._renewals, self._renewed_at = self._renewals + 1, self._done
        self._targets = renewal.targets(self._aimed, self._renewals)
        self._terms = self._best_terms = _named(self._names, self._minimizer.renew(self._targets))
        _require_finite(self._terms, f"at iteration {self._done}, with new targets")
        self._recent.clear()
        self._failures, self._settled = 0, False

    def report(self, callback: Callable[[Progress], None] | None) -> None:
        """Tell the callback where the optimisation stands."""
        if callback is not None:
            callback(
                Progress(
                    self._done, self._iterations, sum(self._terms.values()), self._terms, self._seconds,
                    int(self._minimizer.evaluations), lambda: self._minimizer.image.numpy()[0],
                )
            )  # fmt: skip

    def standing(self) -> Standing:
        """Everything that it takes to go on from here."""
        return Standing(
            self._done, self._retries, self._failures, self._seconds, self._terms, self._best_terms,
            self._begun.first_terms, self._minimizer.variables(), self._begun.start, self._aimed,
            tuple(self._recent), self._renewals, self._renewed_at,
        )  # fmt: skip

    def minimum(self) -> Minimum:
        """What it came to."""
        return Minimum(
            np.array(self._minimizer.best_image.numpy()[0]), sum(self._best_terms.values()),
            self._best_terms, self._begun.first_terms, self._done, int(self._minimizer.evaluations),
            self._seconds, "settled" if self._ended else "iterations",
        )  # fmt: skip

    @property
    def _seconds(self) -> float:
        return time.perf_counter() - self._began


def has_settled(losses: Collection[float], tolerance: float) -> bool:
    """Whether the later half of the last losses is lower than the earlier by less than `tolerance` each."""
    if not tolerance or len(losses) < 2 * WINDOW:
        return False
    earlier, later = sum(list(losses)[:WINDOW]), sum(list(losses)[WINDOW:])
    return earlier - later < tolerance * WINDOW * later


def _named(names: Sequence[str], values: Any) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, values.numpy(), strict=True)}


def _require_finite(terms: dict[str, float], where: str) -> None:
    broken = [name for name, value in terms.items() if not math.isfinite(value)]
    if broken or not math.isfinite(sum(terms.values())):
        raise NonFiniteError(
            f"the {' and '.join(broken) or 'total'} loss is not finite {where}; "
            f"lower its weight or the learning rate, or check the weights file"
        )
