"""Names of layers: Keras' and the papers', near misses, and how small a picture may be."""

from __future__ import annotations

import pytest

from stylize.errors import ConfigError
from stylize.layers import LAYERS, block_of, layer_name, minimum_side


def test_the_sixteen_layers_of_configuration_e() -> None:
    assert len(LAYERS) == 16
    assert LAYERS[:5] == ("block1_conv1", "block1_conv2", "block2_conv1", "block2_conv2", "block3_conv1")
    assert LAYERS[-1] == "block5_conv4"
    assert [sum(block_of(layer) == block for layer in LAYERS) for block in range(1, 6)] == [2, 2, 4, 4, 4]


@pytest.mark.parametrize("alias", ["relu4_2", "conv4_2", "block4_conv2", " RELU4_2 ", "Block4_Conv2"])
def test_aliases(alias: str) -> None:
    assert layer_name(alias) == "block4_conv2"


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_has_its_paper_names(layer: str) -> None:
    block, index = layer[5], layer[-1]
    assert (
        layer_name(layer) == layer_name(f"relu{block}_{index}") == layer_name(f"conv{block}_{index}") == layer
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("block4_convv2", "unknown layer 'block4_convv2': did you mean block4_conv2?"),
        ("blok5_conv1", "unknown layer 'blok5_conv1': did you mean block5_conv1?"),
        ("relu1_4", "unknown layer 'relu1_4': did you mean block1_conv2?"),
        ("block3_conv5", "unknown layer 'block3_conv5': did you mean block3_conv4?"),
        ("relu6_1", "unknown layer 'relu6_1': layers are named block1_conv1 to block5_conv4"),
        ("fc7", "unknown layer 'fc7': layers are named block1_conv1 to block5_conv4"),
        ("", "unknown layer '': layers are named block1_conv1 to block5_conv4"),
    ],
)
def test_unknown_layer(name: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        layer_name(name)
    assert str(raised.value) == message
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("layers", "side"),
    [
        ((), 2),
        (("block1_conv2",), 2),
        (("block3_conv1", "block2_conv1"), 8),
        (("block5_conv1",), 32),
    ],
)
def test_minimum_side_leaves_two_by_two(layers: tuple[str, ...], side: int) -> None:
    assert minimum_side(layers) == side
