"""What vgg19-slim is shown and taught: pictures, crops, the teacher and its lessons."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from slim_lessons import (
    images,
    photo_folder,
)
from tiny_encoder import tiny_weights

from scripts.slim.training.pictures import LONGEST_SIDE, hold_back, random_crop, read_pictures
from scripts.slim.training.student import Student, save_arrays
from scripts.slim.training.teachers import (
    PASSED_ON,
    SLIM_LAYERS,
    lesson_targets,
    plan_lessons,
    read_teacher,
)
from stylize.backbone import Vgg19
from stylize.config import StylizeConfig
from stylize.errors import WeightsError

pytestmark = pytest.mark.usefixtures("uncompiled")


def named(count: int) -> dict[str, np.ndarray]:
    return {f"{number:02}": np.full((4, 4, 3), number, np.uint8) for number in range(count)}


def test_pictures_held_back_are_spread_and_repeatable() -> None:
    training, kept = hold_back(named(20), 5, seed=7)
    assert [int(name) // 4 for name in kept] == [0, 1, 2, 3, 4]
    assert len(training) == 15
    assert sorted([*training, *kept]) == list(named(20))
    assert all(value[0, 0, 0] == int(name) for name, value in {**training, **kept}.items())
    assert list(hold_back(named(20), 5, seed=7)[1]) == list(kept)
    assert len({tuple(hold_back(named(20), 5, seed=seed)[1]) for seed in range(5)}) > 1


def test_not_all_pictures_can_be_held_back() -> None:
    assert len(hold_back(named(4), 3, seed=0)[0]) == 1
    with pytest.raises(SystemExit, match="cannot hold back 4 of 4"):
        hold_back(named(4), 4, seed=0)


def test_folder_and_zip_hold_the_same_pictures(tmp_path: Path) -> None:
    folder = photo_folder(tmp_path / "photos")
    photo_folder(folder / "deep", 1, 70, 2 * LONGEST_SIDE)
    photo_folder(folder / "small", 1, 31, 60)
    (folder / "notes.txt").write_text("no picture")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in reversed(sorted(folder.rglob("*.*"))):
            archive.write(path, path.relative_to(folder))
    unpacked = read_pictures([folder], smallest=32)
    zipped = read_pictures([tmp_path / "photos.zip"], smallest=32)
    names = ["0.png", "1.png", "2.png", "deep/0.png"]
    assert list(unpacked) == [f"photos/{name}" for name in names]
    assert list(zipped) == [f"photos.zip/{name}" for name in names]
    for one, other in zip(unpacked.values(), zipped.values(), strict=True):
        np.testing.assert_array_equal(one, other)
    shapes = [picture.shape for picture in unpacked.values()]
    assert shapes == [(40, 48, 3)] * 3 + [(35, LONGEST_SIDE, 3)]
    assert len(read_pictures([folder, tmp_path / "photos.zip"], smallest=32)) == 8


def test_sources_without_pictures_are_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"absent\.zip"):
        read_pictures([tmp_path / "absent.zip"], smallest=32)
    (tmp_path / "hollow").mkdir()
    with pytest.raises(SystemExit, match="hollow"):
        read_pictures([tmp_path / "hollow"], smallest=32)
    (tmp_path / "page.zip").write_text("<html>")
    with pytest.raises(SystemExit, match=r"page\.zip"):
        read_pictures([tmp_path / "page.zip"], smallest=32)
    (tmp_path / "hollow" / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(SystemExit, match=r"broken\.jpg"):
        read_pictures([tmp_path / "hollow"], smallest=32)


def test_crops_are_squares_and_repeatable() -> None:
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, shape, np.uint8) for shape in ((32, 50, 3), (90, 40, 3))]

    def crops(seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return np.stack([random_crop(pictures, 32, rng) for _ in range(12)])

    assert crops(1).shape == (12, 32, 32, 3)
    assert crops(1).dtype == np.uint8
    np.testing.assert_array_equal(crops(1), crops(1))
    assert (crops(1) != crops(2)).mean() > 0.5


def test_crops_come_from_every_picture_mostly_in_its_colours() -> None:
    pictures = [np.full((40, 40, 3), colour, np.uint8) for colour in ((10, 200, 90), (250, 30, 60))]
    rng = np.random.default_rng(0)
    crops = [random_crop(pictures, 32, rng) for _ in range(120)]
    plain = [[(crop == picture[0, 0]).all() for crop in crops] for picture in pictures]
    for number in range(2):
        assert 0.2 < np.mean(plain[number]) < 0.5
    recoloured = np.mean([crop.std((0, 1)).max() == 0.0 for crop in crops]) - np.mean(plain) * 2
    noisy = np.mean([crop.std((0, 1)).max() > 0.5 for crop in crops])
    assert 0.08 < recoloured < 0.4
    assert 0.04 < noisy < 0.25


def test_every_layer_has_a_lesson_and_those_that_are_read_count_fully() -> None:
    lessons = plan_lessons()
    assert [lesson.layer for lesson in lessons] == list(SLIM_LAYERS)
    read = {lesson.layer for lesson in lessons if lesson.weight == 1.0}
    assert read == {*StylizeConfig().layers, *StylizeConfig(style_statistic="gram").layers}
    assert {lesson.weight for lesson in lessons if lesson.layer not in read} == {PASSED_ON}


def test_targets_are_the_teachers_activations() -> None:
    teacher, pictures = Vgg19(tiny_weights(count=14)), images(1)
    found = lesson_targets(teacher, plan_lessons(), pictures)
    expected = teacher.activations(pictures, SLIM_LAYERS)
    assert list(found) == list(SLIM_LAYERS)
    for layer in SLIM_LAYERS:
        np.testing.assert_array_equal(found[layer], expected[layer])


def test_the_teacher_is_read_from_any_file_that_is_deep_enough(tmp_path: Path) -> None:
    arrays = Student(0).folded()
    save_arrays(tmp_path / "slim.npz", arrays)
    assert read_teacher(tmp_path / "slim.npz").layers == SLIM_LAYERS
    save_arrays(tmp_path / "short.npz", {name: arrays[name] for name in arrays if "block5_conv2" not in name})
    with pytest.raises(WeightsError, match=r"short\.npz: ends at block5_conv1; .* up to block5_conv2$"):
        read_teacher(tmp_path / "short.npz")
    with pytest.raises(WeightsError, match="absent"):
        read_teacher(tmp_path / "absent.npz")
