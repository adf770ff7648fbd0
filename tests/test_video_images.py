"""Pictures: every quirk of a file ends as upright sRGB floats, or as one line that names the file."""

import io
import os
import re
import struct
import sys
import types
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from picture_files import BLUE, GREEN, RED, WHITE, quarters, read_bytes, refusal, wide_profile
from PIL import Image, ImageCms

from video import images, outputs
from video.errors import EncodeError, InputError
from video.images import from_uint8, list_pictures, read_image, resize_image, to_uint8, write_image


def save(image: Image.Image, path: Path, **options: Any) -> Path:
    image.save(path, **options)
    return path


# ---------------------------------------------------------------------------------------------- quantising


def test_every_byte_survives_the_round_trip_exactly() -> None:
    levels = np.arange(256, dtype=np.uint8)
    assert from_uint8(levels).dtype == np.float32
    np.testing.assert_array_equal(to_uint8(from_uint8(levels)), levels)


def test_quantising_rounds_half_to_even_and_clips() -> None:
    values = np.array([-1.0, 0.5 / 255, 1.5 / 255, 2.5 / 255, 0.999, 1.0, 7.0])
    np.testing.assert_array_equal(to_uint8(values), [0, 0, 2, 2, 255, 255, 255])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_quantising_refuses_what_is_not_finite(bad: float) -> None:
    with pytest.raises(EncodeError, match=r"^a picture to be saved has values that are not finite$"):
        to_uint8(np.array([0.5, bad], np.float32))


# ---------------------------------------------------------------------------------------------- reading


def test_reads_float32_rgb_between_0_and_1(tmp_path: Path) -> None:
    picture = read_image(save(quarters(), tmp_path / "a.png"))
    assert picture.dtype == np.float32
    assert picture.shape == (4, 6, 3)
    np.testing.assert_array_equal(to_uint8(picture), np.asarray(quarters()))


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int, suffix: str) -> None:
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the Transpose that stores the upright picture so
    big = quarters().resize((48, 32), Image.Resampling.NEAREST)
    stored = big if orientation == 1 else big.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if suffix == "webp" else {"quality": 95} if suffix == "jpg" else {}
    picture = read_bytes(save(stored, tmp_path / f"a.{suffix}", exif=exif, **options))
    assert picture.shape == (32, 48, 3)
    difference = picture.astype(int) - np.asarray(big)
    assert np.abs(difference[4:12, 4:20]).max() <= 3
    assert np.abs(difference[20:28, 28:44]).max() <= 3
    assert np.abs(difference[20:28, 4:20]).max() <= 3


@pytest.mark.parametrize("orientation", [0, 9, 4711])
def test_nonsense_orientation_is_ignored(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = read_bytes(save(quarters(), tmp_path / "a.png", exif=exif))
    np.testing.assert_array_equal(picture, np.asarray(quarters()))


def test_broken_exif_is_ignored(tmp_path: Path) -> None:
    path = save(quarters(), tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff\xff", quality=95)
    assert read_bytes(path).shape == (4, 6, 3)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colour_profile_is_converted_to_srgb(tmp_path: Path, mode: str) -> None:
    path = save(quarters().convert(mode), tmp_path / "a.png", icc_profile=wide_profile())
    picture = read_bytes(path)
    np.testing.assert_array_less(np.abs(picture[0, 0].astype(int) - GREEN), 6)
    np.testing.assert_array_less(np.abs(picture[0, 5].astype(int) - RED), 6)
    np.testing.assert_array_less(np.abs(picture[3, 5].astype(int) - WHITE), 6)


def test_a_profile_named_srgb_changes_not_a_bit(tmp_path: Path) -> None:
    profile = wide_profile("sRGB")
    noise = np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)
    path = save(Image.fromarray(noise), tmp_path / "a.png", icc_profile=profile)
    np.testing.assert_array_equal(read_bytes(path), noise)


@pytest.mark.parametrize("profile", [b"rubbish", b"\0" * 200, wide_profile()[:150]])
def test_broken_profile_is_ignored(tmp_path: Path, profile: bytes) -> None:
    path = save(quarters(), tmp_path / "a.png", icc_profile=profile)
    np.testing.assert_array_equal(read_bytes(path), np.asarray(quarters()))


def test_profile_of_another_colour_space_is_ignored(tmp_path: Path) -> None:
    path = save(quarters().convert("CMYK"), tmp_path / "a.tif", icc_profile=wide_profile())
    np.testing.assert_array_equal(read_bytes(path), np.asarray(quarters()))


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk(tmp_path: Path, name: str) -> None:
    big = quarters().resize((48, 32), Image.Resampling.NEAREST)
    path = save(big.convert("CMYK"), tmp_path / name, quality=95)
    with Image.open(path) as image:
        assert image.mode == "CMYK"
    picture = read_bytes(path).astype(int)
    assert np.abs(picture[8, 8] - RED).max() <= 4
    assert np.abs(picture[24, 40] - WHITE).max() <= 4


def test_lab(tmp_path: Path) -> None:
    lab = Image.new("LAB", (4, 4), (255, 128, 128))
    assert read_bytes(save(lab, tmp_path / "a.tif")).min() >= 250


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_16_bit_grey_is_scaled_not_clipped(tmp_path: Path, name: str) -> None:
    ramp = np.array([[0, 257, 32768, 65535]], np.uint16)
    if name == "a.pgm":
        (tmp_path / name).write_bytes(b"P5 4 1 65535\n" + ramp.astype(">u2").tobytes())
    else:
        Image.fromarray(ramp).save(tmp_path / name)
    np.testing.assert_array_equal(read_bytes(tmp_path / name)[0, :, 0], [0, 1, 128, 255])


def test_12_bit_tiff_reaches_white(tmp_path: Path) -> None:
    pixels = bytes([0xFF, 0xF0, 0x00])  # 4095, 0
    entries = [(256, 4, 2), (257, 4, 1), (258, 3, 12), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1)]
    entries += [(278, 4, 1), (279, 4, 3)]
    table = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    header = struct.pack("<2sHI", b"II", 42, 12) + pixels + b"\0"
    (tmp_path / "a.tif").write_bytes(header + struct.pack("<H", len(entries)) + table + b"\0" * 4)
    np.testing.assert_array_equal(read_bytes(tmp_path / "a.tif")[0, :, 1], [255, 0])


def test_16_bit_tiff_with_white_as_zero(tmp_path: Path) -> None:
    ramp = np.array([[0, 65535, 32768]], np.uint16)
    Image.fromarray(ramp).save(tmp_path / "a.tif", tiffinfo={262: 0})
    with Image.open(tmp_path / "a.tif") as image:
        assert vars(image)["tag_v2"][262] == 0
    np.testing.assert_array_equal(read_bytes(tmp_path / "a.tif")[0, :, 0], [255, 0, 127])


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *between: bytes) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    data = png_chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(between) + data + png_chunk(b"IEND", b"")


def test_16_bit_rgb(tmp_path: Path) -> None:
    rows = b"\0" + np.array([0, 65535, 32768, 257, 514, 65278], ">u2").tobytes()
    (tmp_path / "a.png").write_bytes(png(2, 1, 16, 2, rows))
    np.testing.assert_array_equal(read_bytes(tmp_path / "a.png")[0], [[0, 255, 128], [1, 2, 254]])


def test_16_bit_grey_with_a_transparent_value(tmp_path: Path) -> None:
    rows = b"\0" + np.array([1000, 65535], ">u2").tobytes()
    (tmp_path / "a.png").write_bytes(png(2, 1, 16, 0, rows, png_chunk(b"tRNS", struct.pack(">H", 1000))))
    found = read_bytes(tmp_path / "a.png", background=(0, 0, 1))
    np.testing.assert_array_equal(found[0], [BLUE, WHITE])


def test_floating_point_tiff(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0.0, 0.5, 1.0]], np.float32)).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_bytes(tmp_path / "a.tif")[0, :, 2], [0, 128, 255])


def test_one_bit(tmp_path: Path) -> None:
    path = save(Image.fromarray(np.array([[True, False]])), tmp_path / "a.png")
    np.testing.assert_array_equal(read_bytes(path), [[WHITE, (0, 0, 0)]])


def test_transparency_shows_the_background(tmp_path: Path) -> None:
    rgba = Image.new("RGBA", (3, 1), (255, 0, 0, 255))
    rgba.putpixel((1, 0), (255, 0, 0, 0))
    rgba.putpixel((2, 0), (0, 0, 0, 128))
    path = save(rgba, tmp_path / "a.png")
    np.testing.assert_array_equal(read_bytes(path)[0], [RED, WHITE, (127, 127, 127)])
    np.testing.assert_array_equal(read_bytes(path, background=(0, 0, 1))[0], [RED, BLUE, (0, 0, 127)])


def test_palette_with_transparency(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *GREEN])
    image.putpixel((1, 0), 1)
    for transparency in (1, b"\xff\x00"):
        path = save(image, tmp_path / "a.png", transparency=transparency)
        np.testing.assert_array_equal(read_bytes(path, background=(0, 0, 1))[0], [RED, BLUE])


def test_grey_with_alpha(tmp_path: Path) -> None:
    image = Image.new("LA", (2, 1), (0, 255))
    image.putpixel((1, 0), (0, 0))
    found = read_bytes(save(image, tmp_path / "a.png"), background=(0, 1, 0))
    np.testing.assert_array_equal(found[0], [(0, 0, 0), GREEN])


@pytest.mark.parametrize("name", ["a.gif", "a.tif", "a.webp"])
def test_first_page_of_several(tmp_path: Path, name: str) -> None:
    pages = [Image.new("RGB", (8, 8), colour) for colour in (BLUE, RED, GREEN)]
    path = save(pages[0], tmp_path / name, save_all=True, append_images=pages[1:])
    assert np.abs(read_bytes(path).astype(int) - BLUE).max() <= 3


def test_multi_picture_jpeg_of_a_camera(tmp_path: Path) -> None:
    pages = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN)]
    path = save(pages[0], tmp_path / "a.mpo", save_all=True, append_images=pages[1:])
    assert np.abs(read_bytes(path).astype(int) - RED).max() <= 3


@pytest.mark.parametrize("name", ["a.jpg", "A.PNG", "a", "-x%d: ä😀.jpeg", "e\u0301.webp"])
def test_content_decides_the_format_not_the_name(tmp_path: Path, name: str) -> None:
    quarters().save(tmp_path / name, format="PNG")
    np.testing.assert_array_equal(read_bytes(tmp_path / name), np.asarray(quarters()))


def test_avif(tmp_path: Path) -> None:
    path = save(Image.new("RGB", (32, 32), RED), tmp_path / "a.avif", quality=90)
    assert np.abs(read_bytes(path).astype(int) - RED).max() <= 6


# ---------------------------------------------------------------------------------------------- refusing


def test_pixel_limit(tmp_path: Path) -> None:
    path = save(Image.new("1", (100, 50)), tmp_path / "a.png")
    assert read_image(path, pixel_limit=5000).shape == (50, 100, 3)
    assert refusal(path, pixel_limit=4999) == (
        f"{path}: 100x50 is 5,000 pixels, more than the limit of 4,999; scale it down first"
    )


def test_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    limit_before = Image.MAX_IMAGE_PIXELS
    (tmp_path / "bomb.png").write_bytes(png(60000, 60000, 8, 2, b""))
    expected = (
        f"{tmp_path / 'bomb.png'}: 60000x60000 is 3,600,000,000 pixels, more than the limit of 100,000,000"
    )
    assert refusal(tmp_path / "bomb.png") == expected + "; scale it down first"
    assert limit_before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.gif", "a.bmp"])
def test_truncated(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    message = refusal(tmp_path / name)
    assert message.startswith(f"{tmp_path / name} is damaged or cut short (")
    assert message.endswith("); copy or download it again")


CONTENTS = {
    "empty": (b"", "is empty (0 bytes); copy or download it again"),
    "html": (
        b"\n<!DOCTYPE html><html><body>404</body></html>",
        "is a web page (HTML), not a picture; download the picture itself",
    ),
    "svg": (
        b'<?xml version="1.0"?><svg xmlns="x"/>',
        "is an SVG drawing, not a picture of pixels; export it as PNG first",
    ),
    "text": ("Grüße\n".encode() * 200, "is a text file; use JPEG, PNG, WebP, HEIC, TIFF, BMP, GIF or AVIF"),
    "postscript": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "is a text file; use JPEG, PNG, WebP, HEIC, TIFF, BMP, GIF or AVIF",
    ),
    "binary": (
        bytes(range(1, 250)) * 3,
        "is no picture in a known format; use JPEG, PNG, WebP, HEIC, TIFF, BMP, GIF or AVIF",
    ),
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_what_is_no_picture_is_named_as_what_it_is(tmp_path: Path, kind: str) -> None:
    content, message = CONTENTS[kind]
    (tmp_path / "a.jpg").write_bytes(content)
    assert refusal(tmp_path / "a.jpg") == f"{tmp_path / 'a.jpg'} {message}"


def test_missing_folder_and_device(tmp_path: Path) -> None:
    missing = tmp_path / "a.png"
    assert refusal(missing) == f"{missing}: there is no such picture; check the name"
    assert refusal(tmp_path) == f"{tmp_path} is a folder, not a picture; name a file in it"
    assert refusal(Path(os.devnull)) == f"{os.devnull} is no plain file; name a picture file"


# ---------------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize(
    ("name", "format_name"),
    [("a.png", "PNG"), ("a.JPG", "JPEG"), ("a.jpeg", "JPEG"), ("a.webp", "WEBP"), ("a.tif", "TIFF")],
)
def test_writes_the_format_its_name_says(tmp_path: Path, name: str, format_name: str) -> None:
    flat = np.full((16, 24, 3), (0.2, 0.5, 0.8), np.float32)
    write_image(tmp_path / name, flat)
    with Image.open(tmp_path / name) as image:
        assert image.format == format_name
        assert image.info.get("icc_profile") or image.info.get("srgb") == 0
    assert np.abs(read_image(tmp_path / name) - flat).max() <= 2.5 / 255
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_jpeg_keeps_the_colour_of_single_pixels(tmp_path: Path) -> None:
    stripes = np.zeros((16, 16, 3), np.float32)
    stripes[:, ::2, 0], stripes[:, 1::2, 2] = 0.8, 0.8
    write_image(tmp_path / "a.jpg", stripes)
    assert np.abs(read_image(tmp_path / "a.jpg") - stripes).mean() < 0.03


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_lossless_formats_give_back_the_same_bytes(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(3).random((33, 17, 3), np.float32)
    write_image(tmp_path / name, noise)
    np.testing.assert_array_equal(read_bytes(tmp_path / name), to_uint8(noise))


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_the_same_picture_gives_the_same_file(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from video import picture_formats

    picture = from_uint8(np.asarray(quarters()))
    write_image(tmp_path / name, picture)
    first = (tmp_path / name).read_bytes()
    profile = ImageCms.ImageCmsProfile
    later = types.SimpleNamespace(tobytes=lambda: stamped(profile(ImageCms.createProfile("sRGB")).tobytes()))
    monkeypatch.setattr(ImageCms, "ImageCmsProfile", lambda made: later)
    write_image(tmp_path / name, picture)
    assert (tmp_path / name).read_bytes() == first
    assert len(picture_formats.srgb_profile()) > 300


def stamped(profile: bytes) -> bytes:
    return profile[:24] + struct.pack(">6H", 2031, 2, 3, 4, 5, 6) + profile[36:]


def test_overwriting_only_when_allowed(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    with pytest.raises(InputError) as caught:
        write_image(path, np.zeros((2, 2, 3), np.float32), overwrite=False)
    expected = f"{path} exists already; give --overwrite to replace it, or choose another name"
    assert str(caught.value) == expected
    assert path.read_bytes() == b"old"
    path.chmod(0o640)
    write_image(path, np.zeros((2, 2, 3), np.float32))
    assert read_image(path).max() == 0
    assert path.stat().st_mode & 0o777 == 0o640


def test_new_file_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_image(tmp_path / "a.png", np.zeros((2, 2, 3), np.float32))
    finally:
        os.umask(before)
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o640


def test_a_link_is_followed_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.png").write_bytes(b"old")
    (tmp_path / "link.png").symlink_to(tmp_path / "real" / "a.png")
    write_image(tmp_path / "link.png", np.ones((2, 2, 3), np.float32))
    assert (tmp_path / "link.png").is_symlink()
    assert read_image(tmp_path / "real" / "a.png").min() == 1


def write_refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        write_image(path, np.zeros((2, 2, 3), np.float32))
    return str(caught.value)


def test_outputs_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = "use one of .png, .jpg, .jpeg, .webp, .tif, .tiff"
    place = tmp_path / "a"
    assert write_refusal(place.with_suffix(".xyz")) == (
        f"cannot write {place}.xyz: the suffix .xyz is not supported; {listed}"
    )
    assert write_refusal(place) == f"cannot write {place}: a name without a suffix is not supported; {listed}"
    path = tmp_path / "no" / "a.png"
    assert write_refusal(path) == f"cannot write {path}: there is no folder {path.parent}; make it first"
    (tmp_path / "b.png").mkdir()
    path = tmp_path / "b.png"
    assert write_refusal(path) == f"cannot write {path}: it is a folder; give the name of a file"
    path = tmp_path / ("n" * 300 + ".png")
    assert write_refusal(path) == (
        f"cannot write {path}: the name is too long here; give one that is 49 bytes shorter"
    )
    monkeypatch.setattr(outputs, "is_writable", lambda folder: False)  # root may write everywhere
    path = tmp_path / "c.png"
    assert write_refusal(path) == (
        f"cannot write {path}: the folder {tmp_path} is not writable; choose another"
    )


def test_long_names_fit(tmp_path: Path) -> None:
    path = tmp_path / ("ä" * 120 + ".png")
    write_image(path, np.zeros((2, 2, 3), np.float32))
    assert path.exists()


@pytest.mark.parametrize("number", ["ENOSPC", "EDQUOT"])
def test_full_disk_is_named_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    import errno

    def full(self: Path, data: object) -> int:
        with open(self, "wb") as file:
            file.write(b"part")
        raise OSError(getattr(errno, number), os.strerror(getattr(errno, number)))

    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(EncodeError) as caught:
        write_image(path, np.zeros((2, 2, 3), np.float32))
    expected = f"cannot write {path}: disk full; free some space and run the same command again"
    assert str(caught.value) == expected
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_failure_before_the_rename_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(source: object, target: object) -> None:
        raise OSError(5, "Input/output error")

    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(EncodeError, match=f"^cannot write {re.escape(str(path))}: Input/output error$"):
        write_image(path, np.zeros((2, 2, 3), np.float32))
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


def test_a_picture_too_large_for_its_format(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    with pytest.raises(EncodeError) as caught:
        write_image(path, np.zeros((1, 16384, 3), np.float32))
    assert str(caught.value).startswith(f"cannot write {path}: ")
    assert "16383" in str(caught.value)
    assert not path.exists()


@pytest.mark.parametrize("shape", [(2, 2), (2, 2, 4), (0, 2, 3)])
def test_only_pictures_are_written(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(EncodeError, match=re.escape(f"expected a picture of shape (H, W, 3), got {shape}")):
        write_image(tmp_path / "a.png", np.zeros(shape, np.float32))


# ---------------------------------------------------------------------------------------------- sizes


def test_shrinking_averages_areas() -> None:
    board = np.indices((8, 12)).sum(0) % 2
    picture = np.repeat(board[..., None], 3, axis=2).astype(np.float32)
    small = resize_image(picture, (6, 4))
    assert small.shape == (4, 6, 3)
    np.testing.assert_allclose(small, 0.5, atol=1e-6)


def test_enlarging_stays_within_0_and_1_and_keeps_orientation() -> None:
    picture = from_uint8(np.asarray(quarters()))
    large = resize_image(picture, (60, 40))
    assert large.dtype == np.float32
    assert large.shape == (40, 60, 3)
    assert (large.min(), large.max()) == (0, 1)
    np.testing.assert_allclose(large[5, 5], (1, 0, 0), atol=0.01)


def test_shrinking_one_side_and_enlarging_the_other() -> None:
    picture = np.repeat(np.linspace(0, 1, 8, dtype=np.float32)[:, None, None], 3, axis=2).repeat(8, axis=1)
    result = resize_image(picture, (16, 4))
    assert result.shape == (4, 16, 3)
    np.testing.assert_allclose(result[:, 3, 0], picture[:, 0, 0].reshape(4, 2).mean(1), atol=1e-5)


def test_same_size_is_a_copy() -> None:
    picture = from_uint8(np.asarray(quarters()))
    same = resize_image(picture, (6, 4))
    np.testing.assert_array_equal(same, picture)
    assert not np.shares_memory(same, picture)


def test_no_side_may_vanish() -> None:
    with pytest.raises(InputError) as caught:
        resize_image(np.zeros((4, 4, 3), np.float32), (0, 4))
    assert str(caught.value) == "cannot scale a picture to 0x4; both sides need at least 1 pixel"


# ---------------------------------------------------------------------------------------------- folders


def test_lists_pictures_naturally_and_skips_the_rest(tmp_path: Path) -> None:
    names = ["b10.png", "b2.JPG", "B1.webp", "a/z.heic", "a/2/x.tif", "a/10/x.tif", "note.txt", ".hidden.png"]
    for name in [*names, ".trash/x.png", "folder.png/inside.txt"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    found = [str(path.relative_to(tmp_path)) for path in list_pictures(tmp_path)]
    assert found == ["a/2/x.tif", "a/10/x.tif", "a/z.heic", "B1.webp", "b2.JPG", "b10.png", "gone.png"]


def test_a_linked_folder_is_listed(tmp_path: Path) -> None:
    (tmp_path / "album").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.png").touch()
    (tmp_path / "album" / "link").symlink_to(tmp_path / "elsewhere")
    assert list_pictures(tmp_path / "album") == [tmp_path / "album" / "link" / "a.png"]


def test_listing_needs_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    for name, problem in [("a.png", "is a file, not a folder"), ("b", "there is no such folder")]:
        with pytest.raises(InputError) as caught:
            list_pictures(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name}: {problem}; name a folder of pictures"


def test_importing_loads_neither_pillow_nor_opencv() -> None:
    import subprocess

    code = "import sys, video.images; assert not {'PIL', 'cv2', 'av', 'ffmpeg'} & set(sys.modules)"
    root = Path(images.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


def test_reads_many_pictures_at_once(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    path = save(quarters(), tmp_path / "a.png")
    buffer = io.BytesIO()
    quarters().save(buffer, "PNG")
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(read_bytes, [path] * 40):
            np.testing.assert_array_equal(found, np.asarray(quarters()))
