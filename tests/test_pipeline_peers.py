"""The peers' bench: one score for all, and loops that take turns without knowing it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from pipeline.settings.job_settings import build_settings
from pipeline.settings.presets import read_preset
from scripts.bench.peers_race import Track
from scripts.reference.neural_style import Scorer
from scripts.reference.turns import EnoughError, Kept, Pace
from stylize.stylizer import Stylizer
from stylize.weights import load_weights
from video.images import from_uint8


class Line:
    """What a loop says, and how often it waited."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.waited = 0

    def send(self, message: Any) -> None:
        self.said.append(message)

    def recv(self) -> None:
        self.waited += 1


def picture(value: float) -> np.ndarray:
    return np.full((2, 2, 3), value, np.float32)


def walk(counts: list[int], losses: list[float], limit: int = 100) -> tuple[Line, bool]:
    """A loop that sees these; what it said, and whether it was ended."""
    line, ended = Line(), False
    pace = Pace(line, every=5, turn=10, limit=limit)
    pace.begin()
    try:
        for count, loss in zip(counts, losses, strict=True):
            pace.seen(count, loss, partial(picture, loss / 255))
    except EnoughError:
        ended = True
    pace.over()
    return line, ended


def test_a_score_is_the_presets_content_and_style_and_the_published_smoothing() -> None:
    random = np.random.default_rng(0)
    content, style, made = (random.integers(0, 256, (40, 48, 3), np.uint8) for _ in range(3))
    weights = load_weights("vgg19")
    config, _ = build_settings("image", {**read_preset("neural-style"), "init": "content"})
    losses = Stylizer(config, [from_uint8(style)], weights).losses(from_uint8(made), from_uint8(content))
    smooth = 1e-3 * sum(np.abs(np.diff(made.astype(int), axis=axis)).sum() for axis in (0, 1))
    found = Scorer(weights, from_uint8(content), from_uint8(style)).score(made)
    assert 1e3 * found == pytest.approx(losses["content"] + losses["style"] + smooth, rel=1e-4)


def test_a_loop_takes_turns_and_keeps_its_best_pictures() -> None:
    line, ended = walk([*range(1, 23)], [float(100 - count) for count in range(1, 23)], limit=22)
    ready, *turns = line.said
    assert ready == "ready" and ended and line.waited == 3  # the beginning, and after 10 and 20
    assert [[one.evaluations for one in kept] for kept, _ in turns] == [[5, 10], [15, 20], [22, 22]]
    assert [over for _, over in turns] == [False, False, True]
    assert turns[0][0][0].picture[0, 0, 0] == 95


def test_a_picture_is_of_no_more_evaluations_than_it_is_kept_for_and_never_a_worse_one() -> None:
    line, ended = walk([1, 4, 8, 9, 12], [50, 40, 60, 30, 70])
    kept = [one for kept, _ in line.said[1:] for one in kept]
    assert not ended
    assert [(one.evaluations, one.loss) for one in kept] == [(4, 40), (9, 30), (12, 30)]


def test_who_is_where_another_was() -> None:
    class Values:
        def score(self, made: np.ndarray) -> float:
            return float(made[0, 0, 0])

    pictures = [np.full((1, 1, 3), value, np.uint8) for value in (90, 50, 50, 20)]
    kept = [Kept(5 * n, 2.0 * n, 0.0, made) for n, made in enumerate(pictures, start=1)]
    track: Any = Track("ours", None, Values(), 20, kept)  # type: ignore[arg-type]
    assert [track.reached(score) for score in (100, 50, 49, 10)] == [0, 1, 3, None]
    assert [track.after(count) for count in (4, 5, 13, 20, 21)] == [None, 0, 1, 3, None]
    assert track.after_seconds(4.0) == 1
    track.limit, track.over = 30, True  # it ended by itself: nothing would change any more
    assert track.after(21) == 3
