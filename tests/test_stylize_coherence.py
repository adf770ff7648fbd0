"""Matches of neighbours: pieces of the painting where they cost little, and as light as the content."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as some
from numpy_statistics import REFERENCES, Maps
from statistic_cases import COARSE, FINE, activations, case_of, single

from stylize.config import StylizeConfig
from stylize.errors import ConfigError
from stylize.statistics import Scene, likeness
from stylize.statistics.coherence import Rows, Values, coherent
from stylize.statistics.nearest import Nearest
from stylize.types import FloatImage

SHAPE, PAINTING = (9, 12), (7, 10)


def agreeing(rows: Rows) -> float:
    """The share of pairs of neighbours that are matched with neighbours."""
    y, x = np.divmod(rows.reshape(SHAPE), PAINTING[1])
    across = (np.diff(x, axis=1) == 1) & (np.diff(y, axis=1) == 0)
    down = (np.diff(y, axis=0) == 1) & (np.diff(x, axis=0) == 0)
    return float(np.concatenate([across.ravel(), down.ravel()]).mean())


def table_of(seed: int, spread: float) -> Values:
    """How alike every position of a picture and of a painting are, at random."""
    size = (SHAPE[0] * SHAPE[1], PAINTING[0] * PAINTING[1])
    return np.random.default_rng(seed).normal(0.5, spread, size).astype(np.float32)


def made(table: Values, firmness: float, wear: float = 0.0) -> tuple[Rows, Rows]:
    """The best matches by a table, and the coherent ones."""
    best = table.argmax(axis=1)
    firm = np.full(len(table), firmness, np.float32)
    return best, coherent(best, lambda one, other: table[one, other], SHAPE, PAINTING, firm, wear)


def test_an_even_part_gets_pieces_of_the_painting() -> None:
    """All its positions are most like the same one; a piece of the painting costs a trace."""
    table = table_of(1, 0.001)
    table[:, 34] += 0.01
    best, found = made(table, 0.05)
    assert agreeing(best) == 0.0
    assert agreeing(found) > 0.6
    assert len(set(found)) > 20


@settings(max_examples=30, deadline=None)
@given(some.integers(0, 10**6), some.floats(0.0, 0.3))
def test_likeness_is_given_for_agreement(seed: int, firmness: float) -> None:
    """Coherent matches are never more alike than the best, and never agree less."""
    table = table_of(seed, 0.1)
    best, found = made(table, firmness)
    every = np.arange(len(table))
    assert table[every, found].mean() <= table[every, best].mean() + 1e-6
    assert agreeing(found) >= agreeing(best)


def test_where_nothing_is_firm_each_keeps_its_own() -> None:
    best, found = made(table_of(2, 0.1), 0.0)
    np.testing.assert_array_equal(found, best)


def test_what_is_much_more_alike_stays() -> None:
    """A shape in an even part: its positions lose more than neighbours are worth."""
    table = table_of(3, 0.001)
    shape = np.arange(len(table)).reshape(SHAPE)[3:6, 5]
    table[shape, 60] += 0.5
    _, found = made(table, 0.05)
    assert set(found[shape]) == {60}


def test_one_piece_is_not_taken_over_and_over() -> None:
    """More alike than all else by more than neighbours are worth: without wear nothing else is taken."""
    table = table_of(4, 0.0001)
    corner = np.arange(PAINTING[0] * PAINTING[1]).reshape(PAINTING)[:3, :3].ravel()
    table[:, corner] += 0.11
    taken = [float(np.isin(made(table, 0.05, wear)[1], corner).mean()) for wear in (0.0, 0.08)]
    assert taken[0] > 0.9
    assert taken[1] < 0.7


def test_neighbours_do_not_have_the_very_same_match() -> None:
    """Where nothing is firm most positions would have the one that is more alike than others."""
    table = table_of(5, 0.03)
    table[:, 34] += 0.1
    rows = [made(table, 0.001, wear)[1].reshape(SHAPE) for wear in (0.0, 0.08)]
    same = [float((np.diff(one, axis=1) == 0).mean()) for one in rows]
    assert same[0] > 0.5
    assert same[1] < 0.1


def test_a_painting_used_evenly_wears_nowhere() -> None:
    table = table_of(6, 0.1)
    rows = np.arange(PAINTING[0] * PAINTING[1])
    firm = np.full(len(rows), 0.05, np.float32)
    found = coherent(rows, lambda one, other: table[one, other], PAINTING, PAINTING, firm, 0.08)
    np.testing.assert_array_equal(found, rows)


def test_matches_stay_within_the_painting() -> None:
    """Also where a neighbour's match lies at its edge."""
    for seed in range(5):
        _, found = made(table_of(seed, 0.01), 1.0, 0.1 * seed)
        assert found.min() >= 0
        assert found.max() < PAINTING[0] * PAINTING[1]


# --- in the statistic ---------------------------------------------------------------------------------------


def tone(height: int, width: int, seed: int) -> FloatImage:
    return np.random.default_rng(seed).uniform(size=(height, width, 1)).astype(np.float32)


def scene_of(picture: Maps, style: Maps, own: FloatImage, theirs: FloatImage) -> Scene:
    seen = single(picture)
    tones = tf.constant(own[None]), [tf.constant(theirs[None])]
    return Scene([single(style)], (1.0,), picture=seen, content=seen, tones=tones)


@pytest.mark.parametrize("shape", [(8, 8), (7, 5), (2, 13), (33, 17)])
@pytest.mark.parametrize("coherence", [0.0, 1.0, 10.0])
def test_a_picture_is_at_no_distance_from_itself(shape: tuple[int, int], coherence: float) -> None:
    """However firmly neighbours hold together: they are neighbours in it as well."""
    own, light = activations(*shape, 1), tone(*shape, 4)
    targets = Nearest(coherence).targets(scene_of(own, own, light, light))
    for layer, value in single(own).items():
        assert float(Nearest(coherence).compare(value, targets[layer])[0]) == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("coherence", [0.0, 1.0, 6.0])
@pytest.mark.parametrize("kind", ["one", "blended"])
def test_what_is_aimed_at_is_what_the_formulas_say(kind: str, coherence: float) -> None:
    """Against NumPy, position by position."""
    case = case_of(kind)
    light, dark = [tone(9, 6, 3)[..., 0], tone(7, 11, 4)[..., 0]], 0.5 + 0.1 * tone(8, 7, 5)[..., 0]
    case = replace(case, tones=(dark, light[: len(case.styles)]), coherence=coherence)
    seen = single(case.picture), single(case.content)
    tones = tf.constant(dark[None, ..., None]), [tf.constant(one[None, ..., None]) for one in light]
    scene = Scene([single(style) for style in case.styles], case.shares, None, *seen, tones=tones)
    found, expected = Nearest(coherence).targets(scene), REFERENCES["nearest"].aims(case)
    for layer, (matched, weights, _) in expected.items():
        np.testing.assert_allclose(found[layer][0][0], matched, rtol=1e-5)
        np.testing.assert_allclose(found[layer][1][0], weights, rtol=1e-5)


def test_coherence_brings_neighbours_together() -> None:
    picture, style = activations(24, 24, 1), activations(30, 20, 3)
    scene = scene_of(picture, style, np.full((24, 24, 1), 0.5, np.float32), tone(30, 20, 5))
    changed = []
    for coherence in (0.0, 1.0, 4.0):
        matched = Nearest(coherence).targets(scene)[FINE][0].numpy()[0]
        places = {tuple(one): divmod(k, 20) for k, one in enumerate(style[FINE].reshape(-1, 4).astype("f4"))}
        found = np.array([[places[tuple(one)] for one in row] for row in matched])
        changed.append(float(np.all(np.diff(found, axis=1) == (0, 1), axis=-1).mean()))
    assert changed[0] < changed[1] < changed[2]
    assert changed[2] > 0.3


def test_of_places_as_alike_the_one_as_light_is_taken() -> None:
    """A dark flat part takes a dark one of the painting, a light one a light one."""
    flat = {FINE: np.zeros((8, 8, 4)), COARSE: np.zeros((4, 4, 3))}
    light = np.where(np.arange(8)[None, :, None] < 4, 0.1, 0.9).astype(np.float32).repeat(8, axis=0)
    style = {FINE: np.zeros((8, 8, 4)), COARSE: np.zeros((4, 4, 3))}
    style[FINE][:4] += 1e-3  # the upper half, which is dark, can be told from the lower
    theirs = light.transpose(1, 0, 2).copy()
    scene = scene_of(flat, style, light, theirs)
    matched = Nearest(0.0).targets(scene)[FINE][0].numpy()[0, ..., 0]
    np.testing.assert_allclose(matched, np.where(light[..., 0] < 0.5, 1e-3, 0.0), atol=1e-6)


def test_light_and_contrast_are_the_paintings() -> None:
    """A pale picture asks for as dark and as light as the painting has, but is not enlarged without limit."""
    own, theirs = tone(20, 30, 1), 0.2 + 0.5 * tone(15, 25, 2)
    seen = likeness.Luminance((tf.constant(own[None]), [tf.constant(theirs[None])]))
    assert seen.wanted[0].mean() == pytest.approx(theirs.mean(), abs=1e-5)
    assert seen.wanted[0].std() == pytest.approx(theirs.std(), abs=1e-5)
    faint = likeness.Luminance((tf.constant(0.01 * own[None]), [tf.constant(theirs[None])]))
    assert faint.wanted[0].std() == pytest.approx(1.5 * 0.01 * own.std(), rel=1e-4)


def test_what_is_even_is_told_from_what_is_not() -> None:
    own = np.full((20, 20, 1), 0.4, np.float32)
    own[:, 10:] += 0.2 * (np.arange(10)[None, :, None] % 2)
    even = likeness.Luminance((tf.constant(own[None]), [])).even.reshape(20, 20)
    assert even[:, :7].min() > 0.99
    assert even[:, 13:].max() < 0.05


def test_what_is_not_kept_is_made_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = scene_of(activations(8, 7, 1), activations(9, 6, 3), tone(8, 7, 4), tone(9, 6, 5))
    expected = Nearest(1.0).targets(scene)
    monkeypatch.setattr(likeness, "_MOST_KEPT", 3)
    monkeypatch.setattr(likeness, "_CHUNK", 5)
    for layer, aims in Nearest(1.0).targets(scene).items():
        for one, other in zip(aims, expected[layer], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6)


def test_without_tones_only_hypercolumns_are_matched() -> None:
    scene = scene_of(activations(8, 7, 1), activations(9, 6, 3), tone(8, 7, 4), tone(9, 6, 5))
    with_tones = Nearest(0.0).targets(scene)[FINE][0]
    without = Nearest(0.0).targets(replace(scene, tones=None))[FINE][0]
    assert 0.0 < np.any(with_tones != without, axis=-1).mean() < 1.0


def test_it_is_of_nearest_neighbours_only() -> None:
    assert StylizeConfig(style_coherence=0.0).style_coherence == 0.0
    with pytest.raises(
        ConfigError, match="style_coherence: is for style_statistic nearest only; leave it out with"
    ):
        StylizeConfig(style_coherence=2.0, style_statistic="gram")
