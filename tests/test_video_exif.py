"""What of a photo's EXIF goes into its result, and what it says of the time."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from video.exif import read_exif, taken
from video.images import read_image, write_image

DETAILS, GPS = 0x8769, 0x8825


def photo(path: Path, **details: object) -> Path:
    """A photo lying on its side, with a camera, a date and a place."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Camera"
    for tag, value in details.items():
        exif.get_ifd(DETAILS)[int(tag[1:], 16)] = value
    exif.get_ifd(DETAILS)[0xA002] = 40
    exif.get_ifd(GPS)[1] = "N"
    Image.new("RGB", (40, 30), (200, 90, 30)).save(path, exif=exif)
    return path


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_a_result_has_the_photos_exif_but_what_is_of_the_file(suffix: str, tmp_path: Path) -> None:
    source = photo(tmp_path / "photo.jpg", x9003="2024:05:06 07:08:09")
    target = tmp_path / f"out{suffix}"
    write_image(target, np.zeros((20, 20, 3), np.float32), exif=read_exif(source))
    with Image.open(target) as image:
        kept = image.getexif()
        assert (kept[0x010F], kept.get(0x0112, 1)) == ("Camera", 1)
        details = kept.get_ifd(DETAILS)
        assert details[0x9003] == "2024:05:06 07:08:09"
        assert 0xA002 not in details
        assert kept.get_ifd(GPS)[1] == "N"
    assert read_image(target).shape == (20, 20, 3)
    assert taken(target) == datetime(2024, 5, 6, 7, 8, 9)


def test_a_tiffs_layout_stays_behind(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    Image.new("L", (90, 60)).save(tmp_path / "grey.tif", exif=exif, compression="tiff_deflate")
    target = tmp_path / "out.tif"
    write_image(target, np.full((20, 30, 3), 0.5, np.float32), exif=read_exif(tmp_path / "grey.tif"))
    np.testing.assert_allclose(read_image(target), 0.5, atol=1 / 255)
    with Image.open(target) as image:
        assert image.getexif()[0x010F] == "Camera"


@pytest.mark.parametrize(
    ("details", "time"),
    [
        ({"x9003": "2024:05:06 07:08:09", "x9291": "25"}, datetime(2024, 5, 6, 7, 8, 9, 250_000)),
        ({"x9003": "2024:05:06 07:08:09", "x9291": "  "}, datetime(2024, 5, 6, 7, 8, 9)),
        ({"x9003": "0000:00:00 00:00:00"}, None),
        ({"x9003": "yesterday"}, None),
        ({}, None),
    ],
)
def test_when_a_photo_was_taken(details: dict[str, object], time: datetime | None, tmp_path: Path) -> None:
    assert taken(photo(tmp_path / "photo.jpg", **details)) == time


@pytest.mark.parametrize("block", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*garbage"])
def test_a_damaged_block_counts_as_none(block: bytes, tmp_path: Path) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "photo.jpg", exif=block)
    assert read_exif(tmp_path / "photo.jpg") == b""
    assert taken(tmp_path / "photo.jpg") is None


def test_no_block_and_no_picture(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "photo.png")
    (tmp_path / "text.jpg").write_text("no picture")
    for name in ("photo.png", "text.jpg", "missing.jpg"):
        assert read_exif(tmp_path / name) == b""


def test_what_is_too_long_for_a_jpeg_goes_without_the_makers_notes(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    exif.get_ifd(DETAILS)[0x927C] = b"n" * 61_000
    Image.new("RGB", (40, 30)).save(tmp_path / "photo.png", exif=exif)
    block = read_exif(tmp_path / "photo.png")
    assert 0 < len(block) < 1000
    write_image(tmp_path / "out.jpg", np.zeros((8, 8, 3), np.float32), exif=block)
