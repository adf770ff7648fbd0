"""How style pictures are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.settings.job_settings import build_settings
from pipeline.settings.presets import preset_names, read_preset
from pipeline.styling.pictures import read_style
from video.images import write_image


@pytest.mark.parametrize(("crop", "frame"), [(0.0, True), (0.015, False), (0.25, False)])
def test_the_edge_of_a_paintings_photograph_is_left_out(tmp_path: Path, crop: float, frame: bool) -> None:
    painting = np.full((200, 300, 3), 0.8, np.float32)
    painting[:3], painting[-3:], painting[:, :4], painting[:, -4:] = 0.0, 0.0, 0.0, 0.0
    write_image(tmp_path / "framed.png", painting)
    read = read_style(tmp_path / "framed.png", 150, 1.0, 16, crop)
    assert max(read.shape) == 150
    assert (read.min() < 0.1) == frame
    assert abs(read.shape[1] / read.shape[0] - 1.5) < 0.03


def test_published_systems_take_the_whole_painting() -> None:
    crops = {preset: build_settings("image", read_preset(preset))[1].style_crop for preset in preset_names()}
    ours = {"default", "fine", "preview"}
    assert {preset for preset, crop in crops.items() if crop > 0.0} == ours
