"""A convolution is the same in either form, and which form is taken follows from what computes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from stylize import convolution, processor
from stylize.convolution import Convolution
from stylize.types import Tensor

ZEN3 = frozenset({"avx", "avx2", "fma"})


def normal(*shape: int, seed: int = 0) -> Tensor:
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


def value_and_gradient(convolve: Convolution, value: Tensor, above: Tensor) -> tuple[Tensor, Tensor]:
    with tf.GradientTape() as tape:
        tape.watch(value)
        found = convolve(value)
        pulled = tf.reduce_sum(found * above)
    return found, tape.gradient(pulled, value)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(("inputs", "outputs"), [(3, 5), (4, 4), (6, 2)])
def test_both_forms_agree_in_value_and_gradient(
    inputs: int, outputs: int, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = normal(3, 3, inputs, outputs)
    value, above = normal(2, 5, 8, inputs, seed=1), normal(2, 5, 8, outputs, seed=2)
    expected = tf.nn.conv2d(value, kernel, strides=1, padding="SAME")
    back = tf.nn.conv2d_transpose(above, kernel, value.shape, strides=1, padding="SAME")
    for turned in (False, True):
        monkeypatch.setattr(convolution, "turns", lambda turned=turned: turned)
        convolve = Convolution(kernel)
        assert (convolve._turned is not None) is turned
        function = tf.function(value_and_gradient) if compiled else value_and_gradient
        found, gradient = function(convolve, value, above)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(gradient, back, rtol=1e-5, atol=1e-5)


def test_other_types_are_convolved_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "turns", lambda: True)
    for dtype in (tf.bfloat16, tf.float64):
        assert Convolution(tf.cast(normal(3, 3, 1, 1), dtype))._turned is None


@pytest.mark.parametrize(
    ("cards", "onednn", "flags", "expected"),
    [
        (0, True, ZEN3, True),
        (0, False, ZEN3, False),
        (1, True, ZEN3, False),
        (0, True, ZEN3 | {"avx512f"}, False),
        (0, True, frozenset({"asimd"}), False),
    ],
)
def test_which_form_is_taken(
    cards: int, onednn: bool, flags: frozenset[str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [object()] * cards)
    monkeypatch.setattr(convolution, "_has_onednn", lambda: onednn)
    monkeypatch.setattr(convolution, "flags", lambda: flags)
    assert convolution.turns.__wrapped__() is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model : x\nflags\t\t: sse avx512_bf16 x\nflags : other\n", {"sse", "avx512_bf16", "x"}),
        ("", set()),
        (None, set()),
    ],
)
def test_the_processors_flags(
    text: str | None, expected: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpuinfo"
    if text is not None:
        file.write_text(text)
    monkeypatch.setattr(processor, "_FILE", file)
    assert processor.flags.__wrapped__() == expected
