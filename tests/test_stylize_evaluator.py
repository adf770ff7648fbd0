"""One piece where it fits, windows where it does not, less where even that was too much; half precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tiny_encoder import random_picture, tiny_config, tiny_weights

from stylize.errors import OutOfMemoryError
from stylize.evaluator import Evaluator
from stylize.look import Look
from stylize.stylizer import Stylizer
from stylize.tiling import smallest_window

pytestmark = pytest.mark.usefixtures("uncompiled")

STYLE_LIKE = random_picture(96, 120, 7)
CONTENT, STYLE = random_picture(96, 120, 0), random_picture(90, 90, 1)


def stylizer_of(memory: int | None = None, **more: Any) -> Stylizer:
    return Stylizer(tiny_config(), [STYLE], tiny_weights(), memory=memory, **more)


def test_what_fits_shares_its_steps_and_what_does_not_has_its_own() -> None:
    need = stylizer_of().evaluator.memory_of(96, 120)
    evaluator = stylizer_of(need).evaluator
    assert evaluator.window(96, 120) is None
    assert evaluator.minimizer(96, 120) is evaluator.minimizer(50, 60)
    whole = evaluator.minimizer(96, 120)
    large = evaluator.minimizer(300, 300)
    assert evaluator.window(300, 300) is not None
    assert large is not whole
    assert large is evaluator.minimizer(300, 300)
    assert large is not evaluator.minimizer(300, 310)
    assert whole is not evaluator.minimizer(96, 120)  # its state had to make room


def test_windows_take_less_memory_and_more_work() -> None:
    wide = tiny_weights(widths=(64, 128, 4, 4, 4))
    whole, tiled = (Stylizer(tiny_config(), [STYLE], wide, memory=memory).evaluator for memory in (None, 1))
    assert tiled.memory_of(400, 400) < whole.memory_of(400, 400)
    assert whole.overlap(400, 400) == 1.0
    assert tiled.overlap(400, 400) > 4.0 / 3.0


@pytest.mark.slow
def test_masks_on_a_picture_in_windows() -> None:
    """The maps that guides weigh are put together from windows: more memory, the same loss."""
    mask = np.zeros((96, 120), np.float32)
    mask[:, :50] = 1.0
    whole, tiled = (
        Stylizer(tiny_config(), [STYLE], tiny_weights(), memory=memory, guided=True) for memory in (None, 1)
    )
    look = Look(masks=(mask,))
    ours, expected = (one.losses(STYLE_LIKE, CONTENT, look) for one in (tiled, whole))
    assert ours == pytest.approx(expected, rel=1e-4)
    plain = Stylizer(tiny_config(), [STYLE], tiny_weights(), memory=1)
    assert tiled.evaluator.memory_of(400, 400) > plain.evaluator.memory_of(400, 400)


def failing(monkeypatch: pytest.MonkeyPatch, *, above: int | None) -> None:
    """Make every piece with a longer side above so many pixels too large for the memory; None: every one."""
    window = Evaluator.window
    minimizer = Evaluator.minimizer

    def limited(self: Evaluator, height: int, width: int) -> Any:
        side = window(self, height, width) or max(height, width)
        if above is None or side > above:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return minimizer(self, height, width)

    monkeypatch.setattr(Evaluator, "minimizer", limited)


@pytest.mark.usefixtures("compiled")
@pytest.mark.slow
def test_without_enough_memory_it_goes_on_in_windows_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = stylizer_of().stylize(CONTENT)
    failing(monkeypatch, above=60)
    said: list[str] = []
    engine = stylizer_of(on_warning=said.append)
    found = engine.stylize(CONTENT)
    engine.stylize(random_picture(120, 96, 3))
    assert len(said) == 1
    assert said[0].startswith("the memory is not enough at once: working in windows of ")
    assert found.losses["total"] == pytest.approx(expected.losses["total"], rel=1e-3)


def test_without_any_memory_it_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, above=None)
    with pytest.raises(OutOfMemoryError) as raised:
        stylizer_of().stylize(CONTENT)
    side = smallest_window(stylizer_of().objective.layers)
    assert str(raised.value) == (
        f"a picture of 120x96 pixels does not fit in memory, even in windows of {side} pixels; "
        f"choose a smaller size, or end what else uses the memory"
    )
    assert raised.value.exit_code == 1


# --- half precision -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_mixed_precision_is_near_and_comes_out_in_single() -> None:
    single, mixed = (stylizer_of(mixed=mixed) for mixed in (False, True))
    one, two = (
        single.losses(STYLE[:80, :80], CONTENT[:80, :80]),
        mixed.losses(STYLE[:80, :80], CONTENT[:80, :80]),
    )
    assert two == pytest.approx(one, rel=0.03)
    assert two != one
    assert mixed.backbone.activations(CONTENT[None], ["block2_conv1"])["block2_conv1"].dtype == tf.bfloat16
    assert {
        seen.dtype
        for by_layer in mixed.evaluator.seen(mixed.objective.terms, CONTENT).values()
        for seen in by_layer.values()
    } == {tf.float32}
    result = mixed.stylize(CONTENT, iterations=10)
    assert single.losses(result.picture, CONTENT)["total"] < 0.6 * result.first_losses["total"]


def test_rescaled_activations_keep_the_precision() -> None:
    engine = Stylizer(tiny_config(rescale_activations=True), [STYLE], tiny_weights(), mixed=True)
    assert engine.backbone.mixed
    assert np.isfinite(engine.stylize(CONTENT).losses["total"])
