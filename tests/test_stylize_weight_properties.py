"""Damaged weight files: no bytes make the readers do anything but refuse in one line."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_encoder import tiny_weights

from stylize.errors import WeightsError
from stylize.weights import load_weights

WEIGHTS = tiny_weights(14)


def write_npz(path: Path) -> None:
    np.savez(
        path,
        allow_pickle=False,
        **{name: array for layer, pair in WEIGHTS.layers.items() for name, array in _named(layer, pair)},
    )


def write_h5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for layer, pair in WEIGHTS.layers.items():
            for name, array in _named(layer, pair):
                file[f"{layer}/{name}"] = array


def _named(layer: str, pair: tuple[np.ndarray, np.ndarray]) -> list[tuple[str, np.ndarray]]:
    return [(f"{layer}/kernel", pair[0]), (f"{layer}/bias", pair[1])]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A good file of each kind."""
    folder = tmp_path_factory.mktemp("weights")
    write_npz(folder / "good.npz")
    write_h5(folder / "good.h5")
    return {suffix: (folder / f"good{suffix}").read_bytes() for suffix in (".npz", ".h5")}


@given(data=st.data())
def test_no_damage_is_a_traceback(
    data: st.DataObject, files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    suffix = data.draw(st.sampled_from(sorted(files)))
    bytes_ = bytearray(files[suffix])
    if data.draw(st.booleans()):
        bytes_ = bytes_[: data.draw(st.integers(0, len(bytes_)))]
    for _ in range(data.draw(st.integers(1, 12))):
        if bytes_:
            # Most of a file is numbers; what is fragile stands at its ends.
            place = data.draw(
                st.integers(0, len(bytes_) - 1) | st.integers(-400, 400).map(lambda n: n % len(bytes_))
            )
            bytes_[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / f"damaged{suffix}"
    path.write_bytes(bytes_)
    try:
        found = load_weights(path)
    except WeightsError as error:
        assert str(path) in str(error)
        assert len(str(error).splitlines()) == 1
    else:
        assert found.layers
