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
from stylize.config import StylizeConfig
from stylize.errors import NonFiniteError
from stylize.lbfgs import Lbfgs
from stylize.minimizers import Adam, Evaluate, Minimizer
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
        ...

    def keep(self, standing: Standing) -> None:
        """Keep it."""
        ...


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
        Iterations between two renewals; earlier where the loss has settled.
    """

    targets: Callable[[FloatImage, int], Any]
    before_settling: int = 2
    every: int = 20


def build_minimizer(config: StylizeConfig, evaluate: Evaluate) -> Minimizer:
    """The minimiser a configuration asks for."""
    if config.optimizer == "adam":
        return Adam(evaluate, config.learning_rate)
    return Lbfgs(evaluate, config.history)


def minimize(
    minimizer: Minimizer,
    start: FloatImage,
    targets: Any,
    names: Sequence[str],
    iterations: int,
    callback: Callable[[Progress], None] | None = None,
    *,
    tolerance: float = 0.0,
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
    if standing is None:
        terms = _named(names, minimizer.start(tf.constant(start[None]), targets))
        _require_finite(terms, "at the start")
        standing = Standing(0, 0, 0, 0.0, terms, terms, terms, {}, start, start)
    else:
        minimizer.restore(standing.variables, *start.shape[:2])
    began = time.perf_counter() - standing.seconds
    terms, best_terms = standing.terms, standing.best_terms
    retries, failures, done = standing.retries, standing.failures, standing.iteration
    recent = deque(standing.recent, maxlen=2 * WINDOW)
    settled = sum(terms.values()) == 0.0  # there is nothing below
    renewals, renewed_at, aimed = standing.renewals, standing.renewed_at, standing.aimed

    def report() -> None:
        if callback is not None:
            callback(
                Progress(
                    done, iterations, sum(terms.values()), terms, time.perf_counter() - began,
                    int(minimizer.evaluations), lambda: minimizer.image.numpy()[0],
                )
            )  # fmt: skip

    def keep(keeper: Keeper) -> None:
        seconds = time.perf_counter() - began
        keeper.keep(
            Standing(
                done, retries, failures, seconds, terms, best_terms, standing.first_terms,
                minimizer.variables(), standing.start, aimed, tuple(recent), renewals, renewed_at,
            )
        )  # fmt: skip

    report()
    while done < iterations and failures < 2 and not settled:
        done += 1
        values, moved = minimizer.step(targets)
        new_terms = _named(names, values)
        if bool(moved) and not math.isfinite(sum(new_terms.values())):
            retries += 1
            if retries > _MAX_RETRIES:
                _require_finite(
                    new_terms, f"at iteration {done}, after {_MAX_RETRIES} retries with smaller steps"
                )
            minimizer.retry(targets)
            recent.clear()
            terms = best_terms
        elif bool(moved):
            failures, terms = 0, new_terms
            best_terms = terms if sum(terms.values()) <= sum(best_terms.values()) else best_terms
        else:
            failures += 1
        recent.append(sum(terms.values()))
        settled = has_settled(recent, tolerance)
        if failures > 1:
            _require_finite(new_terms, f"at iteration {done}, however small the step")
        if renewal is not None and done < iterations:
            due = done - renewed_at >= renewal.every
            if due or ((settled or failures > 1) and renewals < renewal.before_settling):
                aimed, renewals, renewed_at = minimizer.best_image.numpy()[0], renewals + 1, done
                targets = renewal.targets(aimed, renewals)
                terms = best_terms = _named(names, minimizer.renew(targets))
                _require_finite(terms, f"at iteration {done}, with new targets")
                recent.clear()
                failures, settled = 0, False
        try:
            report()
        except BaseException:
            if keeper is not None:
                keep(keeper)
            raise
        if keeper is not None and keeper.due():
            keep(keeper)
    return Minimum(
        np.array(minimizer.best_image.numpy()[0]), sum(best_terms.values()), best_terms, standing.first_terms,
        done, int(minimizer.evaluations), time.perf_counter() - began,
        "settled" if settled or failures > 1 else "iterations",
    )  # fmt: skip


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
