"""One picture of any job: what its optimisation is told."""

from __future__ import annotations

from typing import Any

import numpy as np
from tiny_encoder import random_picture

from pipeline.progress.display import Work
from pipeline.settings.common_settings import JobSettings
from pipeline.styling.one_picture import optimise
from stylize.anchor import Anchor
from stylize.config import StylizeConfig
from stylize.look import Look
from stylize.result import Result
from stylize.types import FloatImage

CONTENT, STYLIZED = random_picture(16, 20, 1), random_picture(16, 20, 2)


class Painter:
    """In place of a Stylizer: gives what it is to start from, and remembers how it was asked."""

    config = StylizeConfig()

    def stylize(self, content: FloatImage, *, initial: FloatImage, **asked: Any) -> Result:
        self.asked = asked
        return Result(initial, {"total": 1.0}, {"total": 1.0}, 1, 1, 0.0, "settled")


def asked_of(look: Look) -> tuple[Result, dict[str, Any]]:
    """A frame of which most is new, with a look."""
    painter = Painter()
    held = Anchor(STYLIZED, np.zeros((16, 20), np.float32))
    result = optimise(
        painter, CONTENT, JobSettings(), Work(1.0), "", None, "", look,  # type: ignore[arg-type]
        initial=STYLIZED, anchor=held, turn=3, afresh=True,
    )  # fmt: skip
    return result, painter.asked


def test_a_frame_is_made_from_what_it_starts_from() -> None:
    result, asked = asked_of(Look())
    np.testing.assert_array_equal(result.picture, STYLIZED)
    assert (asked["turn"], asked["afresh"]) == (3, True)


def test_without_any_style_a_frame_is_its_content_and_nothing_is_made_afresh() -> None:
    result, asked = asked_of(Look(strength=0.0))
    np.testing.assert_array_equal(result.picture, CONTENT)
    assert (asked["anchor"], asked["afresh"]) == (None, False)
