"""The passes over a clip: their numbers, order and names."""

from __future__ import annotations

import pytest

from pipeline.settings.sweeps import FINISHING, FINISHING_LAP, Sweeps


@pytest.mark.parametrize(
    ("sweeps", "lap", "shown"),
    [
        (Sweeps(), 0, (1,)),
        (Sweeps(3), 0, (3,)),
        (Sweeps(2, loop=True), 3, (2, 3)),
        (Sweeps(2, finish=True), 0, (FINISHING,)),
        (Sweeps(2, loop=True, finish=True), FINISHING_LAP, (FINISHING, FINISHING_LAP)),
    ],
)
def test_which_passes_are_shown(sweeps: Sweeps, lap: int, shown: tuple[int, ...]) -> None:
    assert (sweeps.lap_after(sweeps.last), sweeps.shown) == (lap, shown)


def test_a_loop_has_a_lap_after_the_last_pass_of_each_size() -> None:
    sweeps = Sweeps(2, loop=True, finish=True)
    assert sweeps.laps == (3, FINISHING_LAP)
    assert [sweeps.lap_after(sweep) for sweep in (1, 2, FINISHING)] == [0, 3, FINISHING_LAP]
    assert Sweeps(2, finish=True).laps == ()
    made = {(2, 0), (2, 1), (3, 0), (FINISHING, 0)}
    assert [sweeps.found(index, FINISHING, made) for index in (0, 1)] == [(3, 0), (2, 1)]
    assert sweeps.found(0, FINISHING_LAP, made) == (FINISHING, 0)
    assert sweeps.found(0, 3, made) == (2, 0)
    assert sweeps.found(0, 1, made) == (0, 0)


@pytest.mark.parametrize(
    ("sweeps", "sweep", "before", "backward", "label"),
    [
        (Sweeps(), 1, 0, False, ""),
        (Sweeps(3), 1, 0, False, "pass 1/3  "),
        (Sweeps(3), 2, 1, True, "pass 2/3  "),
        (Sweeps(1, loop=True), 2, 1, False, "closing the loop  "),
        (Sweeps(2, loop=True), 3, 2, True, "closing the loop  "),
        (Sweeps(2, finish=True), FINISHING, 2, False, "finishing  "),
        (Sweeps(2, loop=True, finish=True), 3, 2, True, "closing the loop  "),
        (Sweeps(2, loop=True, finish=True), FINISHING, 2, False, "finishing  "),
        (
            *(Sweeps(1, loop=True, finish=True), FINISHING_LAP, FINISHING),
            *(False, "finishing  closing the loop  "),
        ),
    ],
)
def test_what_a_pass_goes_on_from_and_which_way(
    sweeps: Sweeps, sweep: int, before: int, backward: bool, label: str
) -> None:
    assert (sweeps.before(sweep), sweeps.backward(sweep), sweeps.label(sweep)) == (before, backward, label)
    assert list(sweeps.ordered(sweep, [4, 5, 6])) == ([6, 5, 4] if backward else [4, 5, 6])
