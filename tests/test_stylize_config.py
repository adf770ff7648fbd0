"""Settings: checked on construction, with the value and what is allowed in the message."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stylize.config import Start, StylizeConfig, parse_start
from stylize.errors import ConfigError
from stylize.knobs import knobs_of

ROOT = Path(__file__).resolve().parent.parent


def message_of(**settings: Any) -> str:
    with pytest.raises(ConfigError) as raised:
        StylizeConfig(**settings)
    assert raised.value.exit_code == 2
    return str(raised.value)


def test_every_field_is_a_knob_with_help() -> None:
    knobs = knobs_of(StylizeConfig)
    assert set(knobs) == {field.name for field in dataclasses.fields(StylizeConfig)}
    assert all(details.help.endswith((".", ")")) for _, details in knobs.values())


def test_the_defaults_pass_their_own_checks_and_are_frozen() -> None:
    config = StylizeConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 1  # type: ignore[misc]


def test_layers_take_the_papers_names() -> None:
    config = StylizeConfig(content_layers=("relu4_2",), style_layers=("conv1_1", "block4_conv2"))
    assert config.content_layers == ("block4_conv2",)
    assert config.style_layers == ("block1_conv1", "block4_conv2")
    assert config.layers == ("block4_conv2", "block1_conv1")
    assert config.minimum_side == 16


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"content_weight": -1.0}, "content_weight: -1 is under the minimum of 0"),
        ({"style_weight": float("nan")}, "style_weight: nan is not a finite number"),
        ({"style_weight": float("inf")}, "style_weight: inf is not a finite number"),
        ({"learning_rate": 0.0}, "learning_rate: 0 must be greater than 0"),
        ({"learning_rate": 2.0}, "learning_rate: 2 is over the maximum of 1"),
        ({"iterations": 0}, "iterations: 0 is under the minimum of 1"),
        ({"normalization": "relativ"}, "normalization: unknown value 'relativ': did you mean relative?"),
        ({"optimizer": "sgd"}, "optimizer: unknown value 'sgd': choose from lbfgs, adam"),
        ({"pooling": "averge"}, "pooling: unknown value 'averge': did you mean average?"),
        (
            {"content_layers": ("block4_convv2",)},
            "content_layers: unknown layer 'block4_convv2': did you mean block4_conv2?",
        ),
        (
            {"style_layers": ("relu1_1", "block1_conv1")},
            "style_layers: block1_conv1, block1_conv1: a layer is named twice",
        ),
        (
            {"style_layers": ("block1_conv1", "block2_conv1"), "style_layer_weights": (1.0,)},
            "style_layer_weights: 1 weights for 2 style_layers; give one each or none",
        ),
        (
            {"content_layers": ("block1_conv1",), "content_layer_weights": (-1.0,)},
            "content_layer_weights: (-1.0,): weights must be finite and not negative",
        ),
        (
            {"content_weight": 0.0, "style_weight": 0.0},
            "nothing to optimise: give content_weight or style_weight a value above 0",
        ),
        (
            {"content_layers": (), "style_layers": ()},
            "nothing to optimise: give content_weight or style_weight a value above 0",
        ),
    ],
)
def test_refused(settings: dict[str, Any], message: str) -> None:
    assert message_of(**settings) == message


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("content", Start("content")),
        ("noise", Start("noise")),
        ("style", Start("style")),
        ("mix:0.6", Start("mix", amount=0.6)),
        ("jitter:0.1", Start("jitter", amount=0.1)),
        ("holiday/beach.png", Start("picture", path="holiday/beach.png")),
        ("start.jpg", Start("picture", path="start.jpg")),
    ],
)
def test_starts(text: str, start: Start) -> None:
    assert parse_start(text) == start


def test_a_start_may_be_in_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert parse_start("~/start.png").path == "/home/ada/start.png"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mix:lots", "init: 'mix:lots': 'lots' is not a number; write mix:0.6"),
        ("mix:1.5", "init: 'mix:1.5': the number must be between 0 and 1"),
        ("jitter:-0.1", "init: 'jitter:-0.1': the number must be between 0 and 1"),
        ("mix:nan", "init: 'mix:nan': the number must be between 0 and 1"),
        ("contents", "init: unknown start 'contents': did you mean content? Or give the path of a picture"),
    ],
)
def test_starts_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_start(text)
    assert str(raised.value) == message
    assert message_of(init=text) == message


def test_settings_are_checked_without_tensorflow() -> None:
    heavy = ("tensorflow", "numpy", "click")
    code = f"import sys, stylize.config; sys.exit(any(name in sys.modules for name in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("iterations", 2.5, "a whole number"),
        ("iterations", True, "a whole number"),
        ("style_weight", "40", "a number"),
        ("style_layers", ["block1_conv1"], "a list"),
        ("rescale_activations", 1, "True or False"),
        ("init", 1, "a text"),
    ],
)
def test_a_value_of_another_kind_is_refused(name: str, value: Any, kind: str) -> None:
    with pytest.raises(ConfigError) as caught:
        StylizeConfig(**{name: value})
    assert str(caught.value) == f"{name}: expected {kind}, got {value!r}"


def test_a_whole_number_serves_as_a_weight() -> None:
    assert StylizeConfig(style_weight=40).style_weight == 40


def test_a_number_too_large_for_a_float_is_over_the_maximum() -> None:
    with pytest.raises(ConfigError, match=r"^seed: a number this large is over the maximum"):
        StylizeConfig(seed=10**400)
