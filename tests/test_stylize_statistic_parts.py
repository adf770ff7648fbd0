"""What the statistics of style are made of: roots of matrices, quantiles, mixtures, matches, and shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from numpy_statistics import Case, centres, weighted_quantiles
from statistic_cases import COARSE, FINE, activations, case_of, distances, single, targets_of

from stylize.statistics import Scene, likeness, moments, nearest, sliced
from stylize.statistics.columns import Columns

Array = np.ndarray


# --- roots of matrices --------------------------------------------------------------------------------------


def spectra(*each: Sequence[float] | Array) -> Array:
    """Symmetric matrices of these eigenvalues."""
    random, found = np.random.default_rng(2), []
    for values in each:
        basis, _ = np.linalg.qr(random.normal(size=(len(values), len(values))))
        found.append(basis @ np.diag(values) @ basis.T)
    return np.stack(found)


def test_the_trace_of_a_root_is_the_sum_of_the_eigenvalues_roots() -> None:
    """Also with equal eigenvalues, for which eigenvectors have no gradient."""
    values = np.array([[1.0, 2.0, 3.0, 4.0], [1e-3, 0.1, 10.0, 1e3], [5.0, 5.0, 5.0, 5.0]])
    matrices, floor = tf.constant(spectra(*values)), np.array([0.0, 0.5, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(matrices)
        found = moments.trace_of_root(matrices, tf.constant(floor))
    roots = np.sqrt(values + floor[:, None])
    np.testing.assert_allclose(found, roots.sum(axis=1), rtol=1e-12)
    expected = 0.5 * np.linalg.inv(spectra(*roots))  # of the same bases
    np.testing.assert_allclose(tape.gradient(found, matrices), expected, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("rank", [0, 1, 3])
def test_the_trace_of_a_singular_root_is_finite(rank: int) -> None:
    values = np.array([100.0] * rank + [0.0] * (6 - rank))
    matrices, floor = tf.constant(spectra(values), tf.float32), tf.constant([1e-4])
    with tf.GradientTape() as tape:
        tape.watch(matrices)
        found = moments.trace_of_root(matrices, floor)
    np.testing.assert_allclose(found, [np.sqrt(values + 1e-4).sum()], rtol=1e-3)
    gradient = tape.gradient(found, matrices).numpy()
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() <= 1.01 * 0.5 / np.sqrt(1e-4)


def test_the_trace_of_a_root_beyond_what_has_one() -> None:
    """Rounding makes small negative eigenvalues: they count as 0. What is not finite shows."""
    matrices, floor = tf.constant(spectra((-0.3, 4.0, 9.0)), tf.float32), tf.constant([0.01])
    expected = np.sqrt([0.01, 4.01, 9.01]).sum()
    np.testing.assert_allclose(moments.trace_of_root(matrices, floor), [expected], rtol=1e-5)
    for value in (np.nan, np.inf):
        broken = tf.concat([matrices, tf.fill((1, 3, 3), np.float32(value))], axis=0)
        found = moments.trace_of_root(broken, tf.constant([0.01, 0.01]))
        np.testing.assert_allclose(found, [expected, np.nan], rtol=1e-5)


# --- distributions along directions -------------------------------------------------------------------------


def test_sliced_of_equal_sizes_is_the_distance_of_sorted_projections() -> None:
    F, P = activations(6, 7, 1), activations(6, 7, 2)
    found = distances("sliced", Case(F, F, [P], (1.0,)))
    for number, layer in enumerate((FINE, COARSE)):
        V = sliced.random_directions(F[layer].shape[2], number)
        f, p = (np.sort(one[layer].reshape(-1, len(V)) @ V, axis=0) for one in (F, P))
        expected = sliced.CALIBRATION * np.mean((f - p) ** 2) / np.mean(p**2)
        assert found[layer] == pytest.approx(expected, rel=1e-5)


def test_directions_are_new_at_every_renewal_and_in_every_layer() -> None:
    for filters, count in ((1, 1), (2, 1), (64, 32), (512, 128)):
        V = sliced.random_directions(filters, 0)
        assert V.shape == (filters, count)
        np.testing.assert_allclose(np.linalg.norm(V, axis=0), 1.0, rtol=1e-6)
    maps = single(activations(6, 5, 1, (COARSE, FINE)))
    maps["third"] = maps[FINE]
    drawn = [
        sliced.Sliced().targets(Scene([maps], [1.0], renewal=renewal))[layer][0].numpy()
        for renewal in (0, 0, 1, 2)
        for layer in (FINE, "third")
    ]
    np.testing.assert_array_equal(drawn[0], drawn[2])
    different = [drawn[0], *drawn[3:]]
    assert all(np.abs(a - b).max() > 1e-3 for i, a in enumerate(different) for b in different[:i])


def test_quantiles_are_linear_between_sorted_values() -> None:
    random = np.random.default_rng(0)
    rows, levels = np.sort(random.normal(size=(13, 3)), axis=0), random.uniform(size=(3, 40))
    levels[:, :4] = 0.0, 1.0, 0.5 / 13, 12.5 / 13
    found = sliced.quantile(tf.constant(rows), tf.constant(levels)).numpy()
    for one, at, column in zip(found, levels, rows.T, strict=True):
        np.testing.assert_allclose(one, np.interp(at, centres(13), column), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found[:, 0], rows[0])
    np.testing.assert_allclose(found[:, 1], rows[-1])
    alone = sliced.quantile(tf.constant(rows[:1]), tf.constant(levels)).numpy()
    np.testing.assert_array_equal(alone, np.broadcast_to(rows[0][:, None], levels.shape))


def test_a_mixture_of_samples() -> None:
    random = np.random.default_rng(1)
    one, two = (np.sort(random.normal(mean, 1.0, (count, 2)), axis=0) for mean, count in ((0, 30), (3, 20)))
    together = np.sort(np.concatenate([one, two]), axis=0)
    # Shares like the counts: every value has the same mass, as in one sample of them all.
    found = sliced.mixture([one, two], (0.6, 0.4))
    for column in range(2):
        expected = np.interp(centres(30), centres(50), together[:, column])
        np.testing.assert_allclose(found[:, column], expected, rtol=1e-5)
        masses = np.repeat([0.2 / 30, 0.8 / 20], [30, 20])
        expected = weighted_quantiles(np.concatenate([one, two])[:, column], masses, centres(30))
        np.testing.assert_allclose(sliced.mixture([one, two], (0.2, 0.8))[:, column], expected, rtol=1e-5)
    np.testing.assert_allclose(sliced.mixture([one, two], (1.0, 0.0)), one, rtol=1e-6)
    other = [np.interp(centres(30), centres(20), column) for column in two.T]
    np.testing.assert_allclose(sliced.mixture([one, two], (0.0, 1.0)).T, other, rtol=1e-6)


def test_a_painting_of_many_positions_is_thinned_out(monkeypatch: pytest.MonkeyPatch) -> None:
    case = case_of("one")
    monkeypatch.setattr(sliced, "_MOST_POSITIONS", 20)
    targets = targets_of(sliced.Sliced(), case)
    assert [targets[layer][1].shape for layer in (FINE, COARSE)] == [(1, 20, 1, 2), (1, 15, 1, 1)]


# --- the most alike positions -------------------------------------------------------------------------------


def unit_vectors(count: int, seed: int) -> Array:
    vectors = np.random.default_rng(seed).normal(size=(count, 5)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_matches_against_brute_force() -> None:
    query, candidates = unit_vectors(50, 0), unit_vectors(31, 1)
    rows = likeness.matches(tf.constant(query), tf.constant(candidates))
    expected = [max(range(31), key=lambda row: float(one @ candidates[row])) for one in query]
    np.testing.assert_array_equal(rows, expected)


@pytest.mark.parametrize("kind", ["one", "blended", "guided"])
@pytest.mark.parametrize("chunk", [1, 7, 56])
def test_matching_in_parts_changes_nothing(kind: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    case = case_of(kind)
    expected = targets_of(nearest.Nearest(coherence=0.0), case)
    monkeypatch.setattr(likeness, "_CHUNK", chunk)
    for layer, aims in targets_of(nearest.Nearest(coherence=0.0), case).items():
        for one, other in zip(aims, expected[layer], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6)


def test_a_painting_of_many_positions_has_fewer_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evenly, to the last; and of these each position has still the most alike."""
    case = case_of("one")
    monkeypatch.setattr(likeness, "_MOST_CANDIDATES", 8)
    painting = case.styles[0][FINE].reshape(-1, 4)
    few = painting[np.linspace(0, len(painting) - 1, 8).astype(int)]
    matched = targets_of(nearest.Nearest(coherence=0.0), case)[FINE][0].numpy().reshape(-1, 1, 4)
    apart = np.abs(matched - few).max(axis=2)
    np.testing.assert_allclose(apart.min(axis=1), 0.0, atol=1e-6)
    assert len(set(apart.argmin(axis=1))) > 4


def test_wide_columns_are_compared_along_the_paintings_own_axes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness, "_DIMENSIONS", 8)
    rng = np.random.default_rng(3)
    inside = rng.standard_normal((60, 6)) @ rng.standard_normal((6, 40))
    columns = (inside + 1e-3 * rng.standard_normal((60, 40))).astype(np.float32)
    axes = likeness.principal(tf.constant(columns))
    assert axes is not None
    axes = np.asarray(axes)
    np.testing.assert_allclose(axes.T @ axes, np.eye(8), atol=1e-5)
    along = columns @ axes
    np.testing.assert_allclose(along @ along.T, columns @ columns.T, rtol=1e-4, atol=1e-3)
    assert likeness.principal(tf.constant(columns[:, :8])) is None


def test_what_wide_columns_are_matched_with_is_hardly_less_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    seen = rng.random((1, 20, 20, 12)) @ rng.standard_normal((12, 24)) + 0.3 * rng.random((1, 20, 20, 24))
    maps = {"block1_conv1": tf.constant(seen, tf.float32)}
    picture = {"block1_conv1": tf.nn.avg_pool2d(maps["block1_conv1"], 3, 1, "SAME")}

    def alike() -> float:
        painting, own = Columns(maps), Columns(picture)
        for one in (painting, own):
            one.prepare({"block1_conv1": 2.0})
        made = likeness.Likeness(own.units, own.count, likeness.Painting(painting), None, 0)
        rows = made.best(own.count)
        return float(tf.reduce_mean(tf.reduce_sum(own.units(np.arange(400)) * painting.units(rows), axis=1)))

    exact = alike()
    monkeypatch.setattr(likeness, "_DIMENSIONS", 12)
    assert 0.99 * exact < alike() < exact


def test_columns_take_each_layer_where_it_is_and_average_it_back() -> None:
    """Down to a quarter of the finest map's odd height and width."""
    heights, widths = (9, 5, 3), (13, 7, 4)
    maps = {
        str(times): np.arange(float(height * width)).reshape(height, width, 1)
        for times, (height, width) in enumerate(zip(heights, widths, strict=True))
    }
    columns = Columns(single(maps))
    rows, across = np.divmod(np.arange(9 * 13), 13)
    for times, (layer, value) in enumerate(maps.items()):
        found = columns.at(layer, np.arange(9 * 13)).numpy()
        np.testing.assert_array_equal(found, value[rows >> times, across >> times])
        np.testing.assert_allclose(columns.on_grid(layer, tf.constant(found))[0], value, rtol=1e-6)


@pytest.mark.parametrize("spread", [0.3, 0.05, 0.01])
@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.9, 0.1), (0.2, 0.3, 0.5), (0.02, 0.98), (0.6, 0.0, 0.4)])
def test_each_style_gets_its_share_of_positions(shares: tuple[float, ...], spread: float) -> None:
    """Whichever style is more alike on the whole."""
    random = np.random.default_rng(3)
    level = random.uniform(0.3, 0.8, len(shares))
    alike = level + spread * random.normal(size=(4000, len(shares)))
    taken = nearest.assigned(alike.astype(np.float32), shares)
    reached = np.bincount(taken, minlength=len(shares)) / len(taken)
    np.testing.assert_allclose(reached, shares, atol=0.02)
    assert all(reached[i] == 0.0 for i, share in enumerate(shares) if share == 0.0)
    if len(shares) == 2:  # it takes the positions where it is the most alike, relative to the other
        lead = alike[:, 0] - alike[:, 1]
        assert lead[taken == 0].min() >= lead[taken == 1].max() - 1e-6


def test_one_style_takes_all() -> None:
    np.testing.assert_array_equal(nearest.assigned(np.zeros((9, 1), np.float32), (1.0,)), np.zeros(9))
    np.testing.assert_array_equal(nearest.assigned(np.zeros((9, 2), np.float32), (0.0, 1.0)), np.ones(9))


def test_a_picture_like_the_painting_is_matched_with_itself() -> None:
    own = activations(9, 6, 3)
    found = targets_of(
        nearest.Nearest(coherence=0.0), Case(own, own, [activations(7, 11, 4), own], (0.0, 1.0))
    )
    for layer, value in own.items():
        matched, weights, _ = found[layer]
        np.testing.assert_allclose(matched[0], value, rtol=1e-6)
        np.testing.assert_array_equal(weights, np.ones((1, *value.shape[:2], 1)))


def test_half_of_what_is_matched_is_the_content() -> None:
    """The same picture of two contents has other matches, and so has the content of two pictures."""
    case = case_of("one")
    cases = (case, replace(case, content=activations(8, 7, 6)), replace(case, picture=activations(8, 7, 6)))
    one, two, three = (targets_of(nearest.Nearest(coherence=0.0), each)[FINE][0].numpy() for each in cases)
    for other in (two, three):
        changed = np.any(one != other, axis=-1).mean()
        assert 0.2 < changed < 1.0


def test_where_no_style_goes_nothing_is_aimed_at() -> None:
    case = case_of("guided")
    nowhere = {layer: np.zeros((*value.shape[:2], 2)) for layer, value in case.picture.items()}
    nowhere[FINE][:4], nowhere[COARSE][:2] = 0.5, 0.5
    targets = targets_of(nearest.Nearest(coherence=0.0), replace(case, places=nowhere))
    for layer, value in single(case.picture).items():
        matched, weights, _ = targets[layer]
        assert np.isfinite(matched).all()
        np.testing.assert_allclose(weights[0, ..., 0] > 0.0, nowhere[layer][..., 0] > 0.0)
        with tf.GradientTape() as tape:
            tape.watch(value)
            apart = nearest.Nearest(coherence=0.0).compare_guided(value, targets[layer])
        moved = np.abs(tape.gradient(apart, value).numpy()[0]).max(axis=-1) > 0.0
        np.testing.assert_array_equal(moved, nowhere[layer][..., 0] > 0.0)
