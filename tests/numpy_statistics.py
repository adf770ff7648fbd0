"""The statistics of style in NumPy and float64 only: what the engine is checked against.

Of each statistic `aims` says what is aimed at, by layer, and `distance` how far activations are from it, so
that finite differences of `distance` are a reference for the gradient.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from numpy_vgg import pool

from stylize.statistics import moments, nearest, sliced

Array = NDArray[np.float64]
Plane = NDArray[np.floating[Any]]
Maps = Mapping[str, Array]
"""Activations (H', W', C), or places (H', W', R), by layer."""


@dataclass(frozen=True)
class Case:
    """A picture, its content and its styles, with shares or places; `tones` of content and styles, (H, W)."""

    picture: Maps
    content: Maps
    styles: Sequence[Maps]
    shares: Sequence[float]
    places: Maps | None = None
    tones: tuple[Plane, Sequence[Plane]] | None = None
    coherence: float = 0.0

    @property
    def weights(self) -> Array:
        """How much each style counts in its place."""
        return len(self.shares) * np.asarray(self.shares)


@dataclass(frozen=True)
class Reference:
    """A statistic: from a case what is aimed at, by layer; from activations and that the distance."""

    aims: Callable[[Case], Mapping[str, Any]]
    distance: Callable[[Array, Any], float]


def flat(value: Array) -> Array:
    """Positions in rows."""
    return value.reshape(-1, value.shape[-1])


def over_regions(part: Callable[[Array, Array, Any], float]) -> Callable[[Array, Any], float]:
    """`part` of activations with a weight a position, summed over regions by area and weight."""

    def distance(F: Array, aim: Any) -> float:
        aims, places, weights = aim
        if places is None:
            return part(flat(F), np.ones(F.shape[0] * F.shape[1]), aims[0])
        return sum(
            float(weights[region] * places[..., region].mean())
            * part(flat(F), places[..., region].ravel(), aims[region])
            for region in range(places.shape[-1])
        )

    return distance


def moments_of(points: Array, masses: Array) -> tuple[Array, Array]:
    """Mean and mean outer product of weighted points."""
    shares = masses / masses.sum()
    return shares @ points, points.T @ (points * shares[:, None])


def moment_aims(case: Case) -> dict[str, Any]:
    """The styles' first two moments, blended by share; with places each one's own."""
    found: dict[str, Any] = {}
    for layer in case.styles[0]:
        each = [moments_of(flat(style[layer]), np.ones(len(flat(style[layer])))) for style in case.styles]
        if case.places is None:
            means, seconds = (np.stack(one) for one in zip(*each, strict=True))
            shares = np.asarray(case.shares)
            each = [(shares @ means, np.tensordot(shares, seconds, 1))]
        found[layer] = each, None if case.places is None else case.places[layer], case.weights
    return found


def gram_apart(points: Array, masses: Array, aim: tuple[Array, Array]) -> float:
    """The relative squared error of Gram matrices."""
    G, A = moments_of(points, masses)[1], aim[1]
    return float(((G - A) ** 2).sum() / (A**2).sum())


def normal_apart(points: Array, masses: Array, aim: tuple[Array, Array]) -> float:
    """|m - n|^2 + tr(S + T) - 2 tr (S T)^1/2, over the painting's mean squared activation.

    S T has the eigenvalues of T^1/2 S T^1/2.
    """
    (m, second), (n, wanted) = moments_of(points, masses), aim
    S, T = second - np.outer(m, m), wanted - np.outer(n, n)
    overlap = np.sqrt(np.maximum(np.linalg.eigvals(S @ T).real, 0.0)).sum()
    apart = ((m - n) ** 2).sum() + np.trace(S) + np.trace(T) - 2.0 * overlap
    return float(moments.CALIBRATION * apart / np.trace(wanted))


def weighted_quantiles(values: Array, masses: Array, levels: Array) -> Array:
    """Of weighted numbers, linear between the middles of their masses."""
    below, middles, found = 0.0, [], []
    for value, mass in sorted(zip(values, masses, strict=True), key=lambda pair: float(pair[0])):
        if mass > 0.0:
            middles.append(below + mass / 2.0)
            found.append(value)
            below += mass
    return np.interp(levels, np.array(middles) / below, found)


def centres(count: int) -> Array:
    """The levels of so many sorted values."""
    return (np.arange(count) + 0.5) / count


def sliced_aims(case: Case) -> dict[str, Any]:
    """Directions, and along each the styles' quantiles: of the mixture, or with places of each."""
    found: dict[str, Any] = {}
    for number, layer in enumerate(case.styles[0]):
        points = [flat(style[layer]) for style in case.styles]
        V = sliced.random_directions(points[0].shape[1], number).astype(np.float64)
        if case.places is None:
            levels = centres(max(map(len, points)))
            masses = np.concatenate(
                [np.full(len(one), share / len(one)) for one, share in zip(points, case.shares, strict=True)]
            )
            together = np.concatenate(points) @ V
            samples = [np.stack([weighted_quantiles(one, masses, levels) for one in together.T], axis=1)]
        else:
            levels = centres(sliced._GUIDED_QUANTILES)
            samples = [
                np.stack([np.interp(levels, centres(len(one)), np.sort(p)) for p in (one @ V).T], axis=1)
                for one in points
            ]
        aims = [(V, one) for one in samples]
        found[layer] = aims, None if case.places is None else case.places[layer], case.weights
    return found


def sliced_apart(points: Array, masses: Array, aim: tuple[Array, Array]) -> float:
    """The squared difference of sorted projections and the quantiles at the middles of their masses."""
    V, quantiles = aim
    total = 0.0
    for projected, wanted in zip((points @ V).T, quantiles.T, strict=True):
        order = np.argsort(projected)
        mass = masses[order] / masses.sum()
        levels = np.cumsum(mass) - mass / 2.0
        total += mass @ (projected[order] - np.interp(levels, centres(len(wanted)), wanted)) ** 2
    return float(sliced.CALIBRATION * total / V.shape[1] / (quantiles**2).mean())


def halvings(value: Array, fine: Array) -> int:
    """How often a map of the height of `fine` was halved, an odd last row by itself, to be as this one."""
    count, height = 0, fine.shape[0]
    while height > value.shape[0]:
        count, height = count + 1, -(-height // 2)
    return count


def spread(value: Array, fine: Array) -> Array:
    """The map that has at every position of `fine` what this one has there."""
    times = 2 ** halvings(value, fine)
    return value.repeat(times, axis=0).repeat(times, axis=1)[: fine.shape[0], : fine.shape[1]]


def averaged(value: Array, like: Array) -> Array:
    """The map averaged by halves to the height of `like`."""
    for _ in range(halvings(like, value)):
        value = pool(value, "average")
    return value


def nearest_aims(case: Case) -> dict[str, Any]:
    """For every position the mean of the painting's activations where its hypercolumns are most alike."""
    layers = list(case.styles[0])

    def finest(maps: Maps) -> Array:
        return max(maps.values(), key=len)

    variances = {
        layer: np.average(
            [flat(style[layer]).var(axis=0).sum() for style in case.styles], weights=case.shares
        )
        for layer in layers
    }

    def unit(maps: Maps) -> Array:
        parts = [
            (spread(maps[layer], finest(maps)) - maps[layer].mean(axis=(0, 1))) / np.sqrt(variances[layer])
            for layer in layers
        ]
        joined = flat(np.concatenate(parts, axis=-1))
        return joined / np.linalg.norm(joined, axis=1, keepdims=True)

    query = unit(case.picture) + unit(case.content)
    query /= np.linalg.norm(query, axis=1, keepdims=True)
    alike = [query @ unit(style).T - apart_in_tone(case, i) for i, style in enumerate(case.styles)]
    shapes = [finest(style).shape[:2] for style in case.styles]
    matched = [
        grown_together(
            one, one.argmax(axis=1), finest_shape(case), shape, firmness(case), 0.05 * case.coherence
        )
        for one, shape in zip(alike, shapes, strict=True)
    ]
    if case.places is None:
        reached = [one[np.arange(len(one)), rows] for one, rows in zip(alike, matched, strict=True)]
        parts = np.eye(len(alike))[nearest.assigned(np.stack(reached, axis=1), case.shares)]
    else:
        parts = flat(finest(case.places)) * case.weights
    fine = finest(case.picture)
    found = {}
    for layer in layers:
        drawn = sum(
            parts[:, [i]] * flat(spread(style[layer], finest(style)))[rows]
            for i, (style, rows) in enumerate(zip(case.styles, matched, strict=True))
        )
        own = case.picture[layer]
        weights = averaged(parts.sum(axis=1).reshape(*fine.shape[:2], 1), own)
        found[layer] = averaged(drawn.reshape(*fine.shape[:2], -1), own) / weights, weights, variances[layer]
    return found


def apart_in_tone(case: Case, number: int) -> Array:
    """The squared difference in luminance, the content's brought to the style's mean and deviation."""
    if case.tones is None:
        return np.zeros((1, 1))
    own, theirs = case.tones[0].ravel(), case.tones[1][number].ravel()
    wanted = (own - own.mean()) * min(theirs.std() / own.std(), 1.5) + theirs.mean()
    return 3.0 * (wanted[:, None] - theirs[None, :]) ** 2


def firmness(case: Case) -> Array:
    """What a neighbour that agrees is worth, a position: more where luminance within 5x5 varies little."""
    if case.tones is None:
        return np.full(finest_shape(case), 0.03 * case.coherence)
    own = case.tones[0]
    around = [
        [own[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3].var() for x in range(own.shape[1])]
        for y in range(own.shape[0])
    ]
    return case.coherence * (0.03 + 0.1 / (1.0 + np.array(around) / 0.015**2))


def finest_shape(case: Case) -> tuple[int, int]:
    """Of the picture's finest map."""
    height, width = max(case.picture.values(), key=len).shape[:2]
    return height, width


def grown_together(
    alike: Array, rows: Array, shape: tuple[int, int], painting: tuple[int, int], worth: Array, wear: float
) -> Array:
    """Matches after trying those of neighbours, position by position; none is tried if they are worth 0."""
    if not worth.any():
        return rows
    matched = {divmod(k, shape[1]): divmod(int(row), painting[1]) for k, row in enumerate(rows)}

    def continued(place: tuple[int, int], step: tuple[int, int]) -> tuple[int, int] | None:
        beside = matched.get((place[0] + step[0], place[1] + step[1]))
        if beside is None:
            return None
        found = beside[0] - step[0], beside[1] - step[1]
        return found if 0 <= found[0] < painting[0] and 0 <= found[1] < painting[1] else None

    def score(place: tuple[int, int], match: tuple[int, int]) -> float:
        return float(alike[place[0] * shape[1] + place[1], match[0] * painting[1] + match[1]])

    def doublings(match: tuple[int, int]) -> float:
        """Of how often the 5x5 places around are matched, over twice the mean of all."""
        down, across = (
            range(max(0, one - 2), min(most, one + 3)) for one, most in zip(match, painting, strict=True)
        )
        square = [(y, x) for y in down for x in across]
        mean = sum(used[one] for one in square) / len(square)
        return max(0.0, float(np.log2(max(mean, 1e-9) * painting[0] * painting[1] / (2.0 * len(matched)))))

    def cost(place: tuple[int, int], match: tuple[int, int]) -> float:
        same = [matched.get((place[0] + step[0], place[1] + step[1])) for step in around].count(match)
        return wear * (doublings(match) + 0.6 * same)

    around = ((0, 1), (1, 0), (0, -1), (-1, 0))
    for reach in (16, 8, 4, 2, 1, 1, 1):
        for down, across in around:
            changed, used = {}, Counter(matched.values())
            for place, match in matched.items():
                tried = continued(place, (reach * down, reach * across))
                if tried is None or tried == match:
                    continue
                beside = [continued(place, step) for step in around]
                gained = 2 if reach > 1 else beside.count(tried) - beside.count(match)
                dearer = cost(place, tried) - cost(place, match)
                if score(place, tried) + worth[place] * gained - dearer > score(place, match):
                    changed[place] = tried
            matched.update(changed)
    return np.array([y * painting[1] + x for y, x in matched.values()])


def nearest_distance(F: Array, aim: tuple[Array, Array, float]) -> float:
    """The mean squared distance to the matched activations, over the variance."""
    matched, weights, variance = aim
    apart = ((F - matched) ** 2).sum(axis=-1, keepdims=True)
    return float(nearest.CALIBRATION * (weights * apart).mean() / variance)


REFERENCES = {
    "gram": Reference(moment_aims, over_regions(gram_apart)),
    "wasserstein": Reference(moment_aims, over_regions(normal_apart)),
    "sliced": Reference(sliced_aims, over_regions(sliced_apart)),
    "nearest": Reference(nearest_aims, nearest_distance),
}
