"""HEIC photos, made here by pillow-heif's encoder: read as any other photo is, or refused in one line."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from picture_files import BLUE, GREEN, RED, WHITE, quarters, read_bytes, refusal, save_heic, wide_profile
from PIL import Image

from video import heic, images
from video.errors import InputError
from video.exif import read_exif, taken
from video.images import write_image
from video.picture_formats import count_pages
from video.probe import probe
from video.sequence import open_folder, picture_size

TILE = 64
LARGE = quarters().resize((3 * TILE, 2 * TILE), Image.Resampling.NEAREST)
XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>"""


def corners(picture: np.ndarray) -> list[str]:
    """The colours in the middle of the four quarters, by name."""
    names = {RED: "red", GREEN: "green", BLUE: "blue", WHITE: "white"}
    height, width = picture.shape[:2]
    points = [
        picture[y * height // 4, x * width // 4].astype(int) for y, x in ((1, 1), (1, 3), (3, 1), (3, 3))
    ]
    return [next((names[c] for c in names if np.abs(p - c).max() <= 4), str(p)) for p in points]


UPRIGHT = ["red", "green", "blue", "white"]


# ---------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("name", ["a.heic", "a.HIF", "a.jpg", "a"])
def test_tiles_become_one_picture_whatever_the_name(tmp_path: Path, name: str) -> None:
    picture = read_bytes(save_heic(tmp_path / name, LARGE))
    assert picture.shape == (2 * TILE, 3 * TILE, 3)
    assert corners(picture) == UPRIGHT


SEEN_AS = {1: "rgbw", 2: "grwb", 3: "wbgr", 4: "bwrg", 5: "rbgw", 6: "brwg", 7: "wgbr", 8: "gwrb"}


@pytest.mark.parametrize("tag", SEEN_AS)
def test_turned_once_by_the_file_and_not_again_by_exif_or_xmp(tmp_path: Path, tag: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = tag
    xmp = XMP.replace(b'"6"', b'"%d"' % tag)
    path = save_heic(tmp_path / "a.heic", LARGE, exif=exif.tobytes(), xmp=xmp)
    stored = path.read_bytes()
    assert (b"irot" in stored or b"imir" in stored) == (tag != 1)
    picture = read_bytes(path)
    assert picture.shape[:2] == ((3 * TILE, 2 * TILE) if tag > 4 else (2 * TILE, 3 * TILE))
    assert picture_size(path) == picture.shape[1::-1]
    assert "".join(name[0] for name in corners(picture)) == SEEN_AS[tag]


@pytest.mark.parametrize("tag", [1, 6])
def test_exif_alone_turns_nothing(tmp_path: Path, tag: int) -> None:
    """The standard asks for a property (irot, imir); what EXIF says beside it is for information."""
    exif = Image.Exif()
    exif[0x0112] = tag
    path = save_heic(tmp_path / "a.heic", LARGE, exif=exif.tobytes())
    path.write_bytes(path.read_bytes().replace(b"irot", b"free"))
    assert corners(read_bytes(path)) == UPRIGHT


def test_colour_profile_is_converted_to_srgb(tmp_path: Path) -> None:
    swapped = wide_profile()  # red and green have changed places
    path = save_heic(tmp_path / "a.heic", LARGE, icc_profile=swapped)
    assert corners(read_bytes(path)) == ["green", "red", "blue", "white"]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_ten_bits(tmp_path: Path, channels: int) -> None:
    mode = {1: "L;16", 2: "LA;16", 3: "RGB;16", 4: "RGBA;16"}[channels]
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)[None, :].repeat(32, axis=0)
    data = np.stack([ramp] * 4, axis=-1)[..., : channels // 3 * 2 + 1]
    if channels in (2, 4):
        data = np.concatenate([data, np.full((32, 64, 1), 65535, np.uint16)], axis=-1)
    pillow_heif.encode(mode, (64, 32), data.tobytes(), tmp_path / "a.heic", quality=100)
    assert pillow_heif.open_heif(tmp_path / "a.heic").info["bit_depth"] == 10
    found = read_bytes(tmp_path / "a.heic").astype(int)
    assert np.abs(found - ramp[..., None] / 257).max() <= 2


@pytest.mark.parametrize("mode", ["RGBA", "RGBa", "LA", "La"])
def test_transparency_shows_the_background(tmp_path: Path, mode: str) -> None:
    straight = Image.new(mode.upper(), (64, 64), (0, 128) if mode[0] == "L" else (0, 0, 0, 128))
    path = save_heic(tmp_path / "a.heic", straight.convert(mode))
    found = read_bytes(path, background=(0, 0, 1))
    assert np.abs(found.astype(int) - (0, 0, 127)).max() <= 2


def test_grey(tmp_path: Path) -> None:
    found = read_bytes(save_heic(tmp_path / "a.heic", Image.new("L", (64, 64), 77)))
    assert np.abs(found.astype(int) - 77).max() <= 1


def test_of_several_pictures_the_main_one(tmp_path: Path) -> None:
    file = pillow_heif.from_pillow(Image.new("RGB", (64, 64), RED))
    for colour in (GREEN, BLUE):
        file.add_from_pillow(Image.new("RGB", (80, 64), colour))
    file.save(tmp_path / "a.heic", quality=90, primary_index=1)
    assert set(corners(read_bytes(tmp_path / "a.heic"))) == {"green"}
    assert count_pages(tmp_path / "a.heic") == (3, 2)


def test_a_preview_is_neither_read_nor_counted(tmp_path: Path) -> None:
    path = save_heic(tmp_path / "a.heic", LARGE, thumbnails=[TILE])
    assert read_bytes(path).shape == (2 * TILE, 3 * TILE, 3)
    assert pillow_heif.open_heif(path).info["thumbnails"] == []  # what reading asked for holds from here on
    assert count_pages(path) == (1, 1)


@pytest.mark.slow
def test_date_and_camera_are_found_before_any_photo_is_read(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0132] = 6, "Camera", "2026:05:06 07:08:09"
    path = save_heic(tmp_path / "a.heic", LARGE, exif=exif.tobytes())
    code = (
        "import sys; from pathlib import Path; from video.exif import taken; print(taken(Path(sys.argv[1])))"
    )
    root = Path(images.__file__).parents[1]
    found = subprocess.run(
        [sys.executable, "-c", code, path], cwd=root, capture_output=True, text=True, check=True
    )
    assert found.stdout == "2026-05-06 07:08:09\n"
    assert taken(path) == datetime(2026, 5, 6, 7, 8, 9)
    write_image(tmp_path / "out.jpg", np.zeros((8, 8, 3), np.float32), exif=read_exif(path))
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.getexif()[0x010F] == "Camera"
        assert image.getexif().get(0x0112, 1) == 1


def test_a_folder_of_frames(tmp_path: Path) -> None:
    for number in (1, 2):
        save_heic(tmp_path / f"{number}.heic", LARGE)
    folder = open_folder(tmp_path)
    assert (folder.width, folder.height, len(folder.files)) == (3 * TILE, 2 * TILE, 2)


@pytest.mark.slow
def test_pillow_heif_is_loaded_with_the_first_heic_and_not_before(tmp_path: Path) -> None:
    save_heic(tmp_path / "a.heic", LARGE)
    quarters().save(tmp_path / "a.png")
    code = """
import sys
from pathlib import Path
from video.images import read_image
read_image(Path(sys.argv[1], "a.png"))
assert "pillow_heif" not in sys.modules
read_image(Path(sys.argv[1], "a.heic"))
assert "pillow_heif" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True, cwd=Path(images.__file__).parents[1])


# ---------------------------------------------------------------------------------------------- refusing


def test_pixel_limit(tmp_path: Path) -> None:
    path = save_heic(tmp_path / "a.heic", LARGE)
    assert refusal(path, pixel_limit=1000) == (
        f"{path}: 192x128 is 24,576 pixels, more than the limit of 1,000; scale it down first"
    )


@pytest.mark.slow
def test_sizes_that_lie_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    path = save_heic(tmp_path / "a.heic", Image.new("RGB", (2000, 2000)), tile_size=0)
    data, size = path.read_bytes(), (2000).to_bytes(4, "big") * 2
    assert data.count(size) == 1
    path.write_bytes(data.replace(size, (64).to_bytes(4, "big") * 2))
    assert "is damaged or cut short (" in refusal(path)
    path.write_bytes(data.replace(size, (200_000).to_bytes(4, "big") * 2))
    assert "200000x200000 is 40,000,000,000 pixels, more than the limit" in refusal(path)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
@pytest.mark.parametrize("tile", [0, TILE])
def test_cut_files(tmp_path: Path, share: float, tile: int) -> None:
    """Tiles that are missing would be filled with green, without a word."""
    noise = np.random.default_rng(0).integers(0, 256, (2 * TILE, 3 * TILE, 3), np.uint8)
    path = save_heic(tmp_path / "a.heic", Image.fromarray(noise), tile_size=tile)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    assert refusal(path) == f"{path} is cut short; copy or download it again"
    assert read_exif(path) == b""
    assert count_pages(path) == (1, 1)


def test_what_a_camera_hangs_behind_the_last_box_is_no_damage(tmp_path: Path) -> None:
    path = save_heic(tmp_path / "a.heic", LARGE)
    path.write_bytes(path.read_bytes() + b"\0\0\xff\xffSEFH" + bytes(20))
    assert corners(read_bytes(path)) == UPRIGHT


def test_boxes_with_long_and_open_sizes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for box, cut in [
        ((1).to_bytes(4, "big") + b"mdat" + (20).to_bytes(8, "big") + bytes(4), False),
        ((1).to_bytes(4, "big") + b"mdat" + (21).to_bytes(8, "big") + bytes(4), True),
        (bytes(4) + b"mdat" + bytes(9), False),
        ((9).to_bytes(4, "big") + b"mdat", True),
        (b"\0\0\0", False),
    ]:
        path.write_bytes((8).to_bytes(4, "big") + b"free" + box)
        with path.open("rb") as file:
            assert heic.is_cut_short(file) is cut, box


def test_flipped_bytes_end_in_a_picture_or_in_one_line(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (TILE, TILE, 3), np.uint8)
    path = save_heic(tmp_path / "a.heic", Image.fromarray(noise))
    data, random, refused = path.read_bytes(), np.random.default_rng(1), 0
    for _ in range(100):
        damaged = bytearray(data)
        for place in random.integers(16, 500, 3):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged)
        try:
            read_bytes(path)
        except InputError as error:
            assert str(path) in str(error) and "\n" not in str(error)
            refused += 1
    assert refused > 20


def test_a_single_picture_is_no_clip(tmp_path: Path) -> None:
    path = save_heic(tmp_path / "a.heic", LARGE)
    with pytest.raises(InputError, match=r"a\.heic is a picture, not a clip$"):
        probe(path)


def test_heic_is_not_written(tmp_path: Path) -> None:
    read_bytes(save_heic(tmp_path / "a.heic", LARGE))
    with pytest.raises(InputError, match=r"out\.heic"):
        write_image(tmp_path / "out.heic", np.zeros((8, 8, 3), np.float32))


def test_an_installation_without_pillow_heif(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_heic(tmp_path / "a.jpg", LARGE)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    expected = "HEIC needs pillow-heif, which is missing; run: pip install pillow-heif"
    assert refusal(path) == f"{path}: {expected}"
