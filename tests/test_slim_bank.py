"""The store of crops with the teacher's answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from slim_lessons import (
    made_up,
)
from tiny_encoder import tiny_weights

from scripts.slim.training import bank as banks
from scripts.slim.training.bank import Bank, places_kept
from scripts.slim.training.painted import Painted
from scripts.slim.training.teachers import (
    SLIM_LAYERS,
    lesson_targets,
    plan_lessons,
)
from stylize.backbone import Vgg19

pytestmark = pytest.mark.usefixtures("uncompiled")

CAPACITY = 6


def bank_of(**settings: Any) -> Bank:
    random = np.random.default_rng(5)
    pictures = [random.integers(0, 256, (40, 44, 3), np.uint8) for _ in range(3)]
    teacher = Vgg19(tiny_weights(count=14, widths=(3, 4, 4, 5, 6)))
    given = {"capacity": CAPACITY, "side": 32, "seed": (0, 3), **settings}
    return Bank(pictures, teacher, plan_lessons(), **given)


def drawn(bank: Bank, count: int) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    crops, places, answers = bank.draw(count)
    return crops.numpy(), [value.numpy() for value in places], [value.numpy() for value in answers]


def assert_answers_are_the_teachers(bank: Bank, count: int, tolerance: float = 2e-3) -> None:
    crops, places, answers = drawn(bank, count)
    pictures = tf.constant(crops, tf.float32) / 255.0
    targets = lesson_targets(bank._teacher, bank._lessons, pictures)
    for lesson, where, answer in zip(bank._lessons, places, answers, strict=True):
        target = targets[lesson.layer].numpy().reshape(count, -1, answer.shape[-1])
        expected = np.take_along_axis(target, where[..., None].astype(int), axis=1)
        np.testing.assert_allclose(answer, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())
        assert expected.std() > 0.0


def test_bank_draws_crops_places_and_answers() -> None:
    bank = bank_of()
    bank.renew(4)
    assert bank.size == 4
    crops, places, answers = drawn(bank, 3)
    assert (crops.shape, crops.dtype) == ((3, 32, 32, 3), np.dtype(np.uint8))
    kept = [32, 32, 16, 16, 8, 8, 8, 8, 8, 8, 8, 8, 4, 4]
    assert [places_kept(layer, 32) for layer in SLIM_LAYERS] == kept
    assert [value.shape for value in places] == [(3, count) for count in kept]
    channels = [3] * 2 + [4] * 6 + [5] * 4 + [6] * 2
    assert [value.shape for value in answers] == [(3, *pair) for pair in zip(kept, channels, strict=True)]
    for layer, where in zip(SLIM_LAYERS, places, strict=True):
        assert (np.diff(where, axis=1) > 0).all()
        assert where.min() >= 0 and where.max() < (32 >> (int(layer[5]) - 1)) ** 2
    assert len({tuple(where) for where in places[0]}) == 3
    assert len({crop.tobytes() for crop in crops}) == 3
    with pytest.raises(ValueError, match="larger sample"):
        bank.draw(5)


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 2e-3), ("bfloat16", 0.1)])
def test_answers_are_the_teachers_at_the_places(precision: str, tolerance: float) -> None:
    bank = bank_of(precision=precision)
    for _ in range(2):
        bank.renew(4)
    assert_answers_are_the_teachers(bank, CAPACITY, tolerance)


def test_new_crops_replace_the_oldest() -> None:
    bank = bank_of()
    bank.renew(4)
    first = drawn(bank, 4)
    bank.renew(4)
    assert bank.size == CAPACITY
    second = drawn(bank, CAPACITY)
    for old, new in zip([first[0], *first[1], *first[2]], [second[0], *second[1], *second[2]], strict=True):
        np.testing.assert_array_equal(new[2:4], old[2:4])
    assert all((second[0][row] != first[0][row]).any() for row in (0, 1))
    bank.renew(2)
    third = drawn(bank, CAPACITY)[0]
    assert [bool((third[row] == second[0][row]).all()) for row in range(CAPACITY)] == [
        *(True, True),
        *(False, False),
        *(True, True),
    ]


def test_banks_of_one_seed_are_the_same() -> None:
    crops = []
    for seed in ((0, 3), (0, 3), (1, 3)):
        bank = bank_of(seed=seed)
        bank.renew(3)
        crops.append(drawn(bank, 3)[0])
    np.testing.assert_array_equal(crops[0], crops[1])
    assert (crops[0] != crops[2]).any()


def painted_among(crops: np.ndarray, found: Painted) -> list[bool]:
    return [bool((found.pictures == crop).all(axis=(1, 2, 3)).any()) for crop in crops]


def test_some_crops_are_half_painted_with_the_answers_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    found = made_up(3, 32)
    bank = bank_of(capacity=64, painted=found)
    bank.renew(64)
    among = painted_among(drawn(bank, 64)[0], found)
    assert 0.1 < np.mean(among) < 0.4
    assert_answers_are_the_teachers(bank, 64)
    monkeypatch.setattr(banks, "PAINTED_SHARE", 1.0)
    bank.renew(32)
    crops = drawn(bank, 64)[0]
    assert painted_among(crops, found) == [True] * 32 + among[32:]
    assert len(np.unique(crops[:32].reshape(32, -1), axis=0)) == 3
    assert_answers_are_the_teachers(bank, 64)
    monkeypatch.setattr(banks, "PAINTED_SHARE", 0.0)
    bank.renew(32)
    assert not any(painted_among(drawn(bank, 64)[0][32:], found))
