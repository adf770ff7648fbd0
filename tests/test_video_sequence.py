"""A folder of numbered pictures as a clip."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from video_clips import color_of, number_of

from video.decode import FrameRange, read_frames
from video.errors import DecodeError, InputError
from video.sequence import describe_gap, frame_number, open_folder


def put(folder: Path, names: dict[str, int], size: tuple[int, int] = (20, 10)) -> None:
    for name, number in names.items():
        Image.new("RGB", size, color_of(number)).save(folder / name)


def test_order_is_by_number(tmp_path: Path) -> None:
    put(tmp_path, {"f_10.png": 2, "f_9.png": 1, "f_8.png": 0, "f_11.PNG": 3})
    (tmp_path / ".f_12.png").write_bytes(b"hidden")
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "f_13.png").mkdir()
    clip = open_folder(tmp_path, Fraction(30000, 1001))
    assert [file.name for file in clip.files] == ["f_8.png", "f_9.png", "f_10.png", "f_11.PNG"]
    assert (clip.path, clip.width, clip.height) == (tmp_path, 20, 10)
    assert (clip.frames, clip.rate, clip.notes) == (4, Fraction(30000, 1001), ())
    assert clip.duration == 4 * Fraction(1001, 30000)
    pictures = list(read_frames(clip))
    assert [number_of(picture) for picture in pictures] == [0, 1, 2, 3]
    assert all(picture.shape == (10, 20, 3) and picture.dtype == np.float32 for picture in pictures)


def test_ranges_and_sizes(tmp_path: Path) -> None:
    put(tmp_path, {f"{i}.png": i for i in range(6)})
    clip = open_folder(tmp_path)
    pictures = list(read_frames(clip, size=(8, 4), frames=FrameRange(2, 4)))
    assert [number_of(picture) for picture in pictures] == [2, 3]
    assert [picture.shape for picture in pictures] == [(4, 8, 3)] * 2
    with pytest.raises(InputError) as caught:
        list(read_frames(clip, frames=FrameRange(6)))
    assert str(caught.value) == f"frames '6:' starts behind the end of {tmp_path}, which has 6 frames"


def test_gaps_are_named(tmp_path: Path) -> None:
    put(tmp_path, {f"f{i:03}.png": i for i in (1, 2, 4, 5, 9)})
    with pytest.raises(InputError) as caught:
        open_folder(tmp_path)
    gap = "frame 3 is missing (4 in all: 3, 6-8)"
    hint = "add what is missing, or give --allow-gaps to take them as they follow each other"
    assert str(caught.value) == f"{tmp_path}: {gap}; {hint}"
    clip = open_folder(tmp_path, allow_gaps=True)
    assert clip.notes == (f"{tmp_path.name}: {gap}",)
    assert [number_of(picture) for picture in read_frames(clip)] == [1, 2, 4, 5, 9]


def test_gap_texts() -> None:
    assert describe_gap([3, 4, 5]) == ""
    assert describe_gap([5, 3]) == "frame 4 is missing"
    assert describe_gap(range(0, 40, 2)).endswith("(19 in all: 1, 3, 5, 7, 9, 11, 13, 15, ...)")


def test_one_size_or_none(tmp_path: Path) -> None:
    put(tmp_path, {"a1.png": 1, "a2.png": 2})
    put(tmp_path, {"a3.png": 3}, size=(20, 12))
    with pytest.raises(InputError) as caught:
        open_folder(tmp_path)
    first = tmp_path / "a1.png"
    assert str(caught.value) == f"{first} is 20x10 but a3.png is 20x12; make all frames one size"


def test_turned_photos_count_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (20, 10), color_of(0)).save(tmp_path / "0.jpg", exif=exif)
    put(tmp_path, {"1.png": 1}, size=(10, 20))
    clip = open_folder(tmp_path)
    assert (clip.width, clip.height) == (10, 20)
    assert [picture.shape for picture in read_frames(clip)] == [(20, 10, 3)] * 2


def test_number_used_twice(tmp_path: Path) -> None:
    put(tmp_path, {"a_1.png": 1, "a_01.png": 1})
    with pytest.raises(InputError) as caught:
        open_folder(tmp_path)
    assert str(caught.value) in {
        f"{tmp_path}: {one} and {two} are both number 1; keep one of them"
        for one, two in (("a_1.png", "a_01.png"), ("a_01.png", "a_1.png"))
    }


def test_number_is_the_last_one() -> None:
    assert frame_number(Path("take2_v3_0042.png")) == 42
    with pytest.raises(InputError) as caught:
        frame_number(Path("cover.png"))
    assert str(caught.value) == "cover.png has no frame number; name it like frame_0001.png or move it away"


def test_bad_folders(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError) as caught:
        open_folder(empty)
    assert str(caught.value) == f"{empty} holds no pictures; name them like frame_0001.png"
    with pytest.raises(InputError) as caught:
        open_folder(tmp_path / "none")
    assert str(caught.value) == f"{tmp_path / 'none'} is no folder; give a folder of numbered pictures"
    put(empty, {"1.png": 1})
    with pytest.raises(InputError) as caught:
        open_folder(empty, Fraction(0))
    assert str(caught.value) == "frame rate 0 is not positive; give one such as 25 or 30000/1001"


def test_unreadable_picture(tmp_path: Path) -> None:
    put(tmp_path, {"1.png": 1})
    bad = tmp_path / "2.png"
    reasons = {
        bytes(range(256)): "cannot be read as a picture; replace it or move it away",
        b"<html>": "is a web page (HTML), not a picture; download the picture itself",
        b"": "is empty (0 bytes); copy or download it again",
    }
    for content, reason in reasons.items():
        bad.write_bytes(content)
        with pytest.raises(InputError) as caught:
            open_folder(tmp_path)
        assert str(caught.value) == f"{bad} {reason}"


def test_picture_that_changes_under_us(tmp_path: Path) -> None:
    put(tmp_path, {"1.png": 1, "2.png": 2})
    clip = open_folder(tmp_path)
    put(tmp_path, {"2.png": 2}, size=(6, 6))
    reader = read_frames(clip)
    next(reader)
    with pytest.raises(DecodeError) as caught:
        next(reader)
    assert str(caught.value) == f"{tmp_path / '2.png'} changed its size to 6x6 while it was in use"
