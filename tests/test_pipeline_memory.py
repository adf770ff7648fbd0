"""How much memory a job may take, and that --memory changes the way, not the picture."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loops import folder_of, ring
from pipeline_runs import done

from pipeline import machine as memory
from pipeline.clip.costs import memory_of_frames
from pipeline.clip.source import open_clip
from pipeline.settings.job_settings import VideoSettings
from video.images import read_image


def test_a_budget_is_what_is_asked_for_less_the_program() -> None:
    assert memory.budget(4.0) == 3 * 2**30
    assert memory.budget(4.0, beside=2**30) == 2 * 2**30
    assert memory.budget(8.0, neighbours=2, beside=2**30) == 2 * 2**30
    assert memory.budget(0.5) == 1
    assert memory.budget(4.0, beside=2**32) == 1


def test_the_frames_of_a_clip_count_at_their_largest(tmp_path: Path) -> None:
    """By the pixel, with every link; the plan has them beside the optimisation."""
    content = folder_of(tmp_path / "clip", ring(count=2, step=32))

    def of(**settings: Any) -> int:
        chosen = VideoSettings(**settings)
        return memory_of_frames(chosen, open_clip(content, chosen, 16))

    small, large = of(size=32), of(size=64)
    assert 300 * 32 * 24 < small < 1000 * 32 * 24
    assert large == 4 * small == of(size=32, finish=64)
    assert of(size=64, long_term=(1, 2)) > large == of(size=64, temporal="off", long_term=(1, 2))


def test_without_a_wish_it_is_a_share_of_what_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "installed", lambda: 8 * 2**30)
    assert memory.budget(0.0) == 3 * 2**30
    assert memory.budget(0.0, beside=2**29) == 5 * 2**29
    monkeypatch.setattr(memory, "installed", lambda: None)
    assert memory.budget(0.0) is None


def test_what_this_machine_tells() -> None:
    total = memory.installed()
    assert total is None or 2**24 < total < 2**50
    assert total == memory.installed()  # it does not depend on what else runs
    assert 2**24 < memory.peak() < 2**50


@pytest.mark.parametrize("ours", [False, True])
def test_what_stays_is_left_out_by_the_collector_for_good_in_a_process_of_our_own_only(
    ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen: list[bool] = []
    monkeypatch.setattr(memory._Process, "is_ours", False)
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(gc.isenabled()))
    if ours:
        memory.claim_process()
    with memory.uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert frozen == [False] * ours
    with pytest.raises(ImportError), memory.uncollected():
        raise ImportError
    assert gc.isenabled()
    gc.disable()
    try:
        with memory.uncollected():
            pass
        assert not gc.isenabled()  # as it was
    finally:
        gc.enable()


@pytest.mark.slow
def test_a_picture_in_windows(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stylize import evaluator
    from stylize.tiling import TiledNetwork

    made = []

    class Seen(TiledNetwork):
        def __init__(self, *details: Any) -> None:
            super().__init__(*details)
            made.append(self.count)

    monkeypatch.setattr(evaluator, "TiledNetwork", Seen)
    common = ("image", pictures / "photo.png", "--style", pictures / "red.png", "--backbone", "vgg19-slim",
              "--size", "64", "--levels", "1", "--iterations", "2", "--style-layers", "relu1_1",
              "--content-layers", "relu1_2")  # fmt: skip
    for name, more in (("whole", ()), ("windows", ("--memory", "0.001"))):
        ran = done(*common, "-o", tmp_path / f"{name}.png", *more)
        assert ("take about" in ran.err and "more than --memory 0.001 allows" in ran.err) is bool(more)
    assert made and max(made) > 1
    pair = [read_image(tmp_path / f"{name}.png") for name in ("whole", "windows")]
    assert np.abs(pair[0] - pair[1]).max() <= 1.5 / 255
