"""An optimisation that was stopped goes on to the same picture, bit for bit, whatever level it was on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_encoder import random_picture, tiny_config, tiny_weights

from stylize import pyramid
from stylize.checkpoint import Checkpoint, Standing, Totals
from stylize.optimize import Progress
from stylize.stylizer import Stylizer

pytestmark = pytest.mark.usefixtures("uncompiled")

CONTENT, STYLE = random_picture(52, 48, 1), random_picture(40, 40, 2)
LEVELS, ITERATIONS = 2, 5


@pytest.fixture(autouse=True)
def small_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two levels of pictures as small as these."""
    monkeypatch.setattr(pyramid, "_COARSEST_SIDE", 24)


class EnoughError(Exception):
    """What a callback raises to stop an optimisation."""


def stylizer(optimizer: str) -> Stylizer:
    config = tiny_config(optimizer=optimizer, levels=LEVELS, iterations=ITERATIONS, flat_weight=2.0)
    return Stylizer(config, [STYLE], tiny_weights())


both = pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])


@pytest.mark.slow
@both
@pytest.mark.parametrize("stop", [1, 4, ITERATIONS, ITERATIONS + 2, LEVELS * ITERATIONS])
def test_a_stopped_optimisation_goes_on_to_the_same_picture(
    optimizer: str, stop: int, tmp_path: Path
) -> None:
    check_continued(optimizer, stop, tmp_path)


@pytest.mark.slow
@both
@pytest.mark.usefixtures("compiled")
def test_one_with_compiled_steps_goes_on_as_well(optimizer: str, tmp_path: Path) -> None:
    check_continued(optimizer, ITERATIONS + 2, tmp_path)


def check_continued(optimizer: str, stop: int, tmp_path: Path) -> None:
    """Stop an optimisation after some iterations, and let another stylizer go on from its state."""
    engine = stylizer(optimizer)
    whole = engine.stylize(CONTENT)

    def stopping(progress: Progress) -> None:
        if progress.iteration == stop:
            raise EnoughError

    checkpoint = Checkpoint(tmp_path / "state")
    with pytest.raises(EnoughError):
        engine.stylize(CONTENT, callback=stopping, checkpoint=checkpoint)
    seen: list[int] = []
    again = stylizer(optimizer).stylize(
        CONTENT, callback=lambda progress: seen.append(progress.iteration), checkpoint=checkpoint
    )
    assert seen[0] == stop
    assert np.array_equal(again.picture, whole.picture)
    assert again.losses == whole.losses
    assert (again.iterations, again.evaluations) == (whole.iterations, whole.evaluations)


@pytest.mark.slow
def test_the_state_is_kept_when_it_is_due_and_not_otherwise(tmp_path: Path) -> None:
    stylizer("adam").stylize(CONTENT, checkpoint=Checkpoint(tmp_path / "never"))
    assert not (tmp_path / "never").exists()
    often = Checkpoint(tmp_path / "often", interval=0.0)
    often._cost = -1.0
    saved: list[int] = []
    save = often.save

    def counted(level: int, done: Totals, standing: Standing) -> None:
        saved.append(standing.iteration)
        save(level, done, standing)
        often._cost = -1.0

    often.save = counted  # type: ignore[method-assign]
    stylizer("adam").stylize(CONTENT, checkpoint=often)
    assert saved == [*range(1, ITERATIONS + 1), *range(1, ITERATIONS + 1)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["often"]


def written(path: Path) -> bytes:
    terms = {"content": 1.0}
    picture = np.full((2, 2, 3), 0.25, np.float32)
    standing = Standing(
        3, 0, 1, 0.5, terms, terms, terms, {"image": np.ones((2, 2), np.float32)}, picture, picture
    )
    Checkpoint(path).save(1, Totals(10, 2), standing)
    return path.read_bytes()


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    written(tmp_path / "state")
    found = Checkpoint(tmp_path / "state").load()
    assert found is not None
    level, done, standing = found
    assert (level, done, standing.iteration, standing.failures) == (1, Totals(10, 2), 3, 1)
    assert np.array_equal(standing.variables["image"], np.ones((2, 2)))
    assert np.array_equal(standing.start, np.full((2, 2, 3), 0.25))


def test_no_file_is_no_state(tmp_path: Path) -> None:
    assert Checkpoint(tmp_path / "state").load() is None


def test_a_file_of_another_layout_is_no_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylize.checkpoint._LAYOUT", 1)
    written(tmp_path / "state")
    monkeypatch.undo()
    assert Checkpoint(tmp_path / "state").load() is None


@given(data=st.data())
def test_a_damaged_file_is_no_state(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("state") / "state"
    good = bytearray(written(path))
    if data.draw(st.booleans()):
        good = good[: data.draw(st.integers(0, len(good) - 1))]
    else:
        for _ in range(data.draw(st.integers(1, 8))):
            good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(good)
    found = Checkpoint(path).load()
    assert found is None or bytes(good) == written(path)
