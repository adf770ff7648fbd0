"""Contact sheets and previews."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pipeline_runs import QUICK, QUICK_CLIP, deepfusion, done, frames_of, refused, tree

from pipeline.montage.contact_sheet import PAGE, Cell, evenly, page_paths, small, write_contact_sheet
from pipeline.preview.preview import corrected, shifted_layers
from pipeline.preview.samples import AREA, sample_side
from stylize.config import StylizeConfig
from video.decode import read_frames
from video.images import read_image, write_image
from video.probe import probe
from video.sample_frames import SHORT, sample_frames

FEW = (*QUICK[:2], "--size", "64", *QUICK[4:])


def plain(color: float, height: int = 30, width: int = 40) -> np.ndarray:
    return np.full((height, width, 3), color, np.float32)


# --- contact sheets -----------------------------------------------------------------------------------------


def test_every_picture_is_on_the_sheet_in_order(tmp_path: Path) -> None:
    shades = [0.2 + 0.1 * number for number in range(8)]
    cells = [Cell((small(plain(shade)), lambda: small(plain(1.0, 10, 10))), "a name") for shade in shades]
    (path,) = write_contact_sheet(cells, tmp_path / "sheet.png", overwrite=False)
    sheet = read_image(path)
    found: list[Any] = []
    for row in range(2):
        for column in range(6):
            top, left = 8 + row * (8 + 30 + 10 + 4 + 26), 8 + column * 48
            if top + 15 < sheet.shape[0] and len(found) < len(shades):
                found.append(round(float(sheet[top + 15, left + 20, 0]), 2))
    assert found == pytest.approx(shades, abs=0.01)


def test_what_does_not_fit_goes_on_another_page(tmp_path: Path) -> None:
    cells = [Cell((small(plain(0.5)),), "x" * 99)] * (PAGE + 1)
    paths = write_contact_sheet(cells, tmp_path / "sheet.jpg", overwrite=False)
    assert (
        [path.name for path in paths]
        == ["sheet.jpg", "sheet-2.jpg"]
        == [path.name for path in page_paths(tmp_path / "sheet.jpg", PAGE + 1)]
    )
    assert page_paths(Path("s.png"), PAGE) == [Path("s.png")]
    with Image.open(paths[1]) as last, Image.open(paths[0]) as first:
        assert last.width < first.width


def test_places_are_spread_evenly() -> None:
    assert evenly(100, 4) == [12, 37, 62, 87]
    assert evenly(3, 6) == [0, 1, 2]
    assert evenly(5, 0) == []


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_a_sheet_of_a_clip_and_of_an_album(clip: Path, photo: Path, style: Path, tmp_path: Path) -> None:
    sheet, out = tmp_path / "sheet.png", tmp_path / "out.mkv"
    ran = done("video", clip, "--style", style, "-o", out, *QUICK_CLIP, "--contact-sheet", sheet)
    assert f"{sheet}  (contact sheet)" in ran.out
    cells = read_image(sheet)
    assert cells.shape[1] == 6 * (64 + 8) + 8
    for number, frame in enumerate(frames_of(out)):
        cell = cells[8:56, 8 + 72 * number : 72 + 72 * number]
        assert np.abs(cell - frame / 255.0).mean() < 0.05, number
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(2):
        write_image(photos / f"{number}.png", read_image(photo))
    (photos / "broken.jpg").write_text("no picture")
    target = tmp_path / "album.png"
    ran = deepfusion(
        "album", photos, "--style", style, "-o", tmp_path / "o", *QUICK, "--contact-sheet", target
    )
    assert ran.code == 1
    assert read_image(target).shape[1] == 2 * (64 + 8) + 8
    again = refused(
        "album", photos, "--style", style, "-o", tmp_path / "o", *QUICK, "--contact-sheet", target
    )
    assert "exists" in again


def test_a_picture_has_no_sheet(photo: Path, style: Path, tmp_path: Path) -> None:
    said = refused("image", photo, "--style", style, "-o", tmp_path / "o.png", "--contact-sheet", "s.png")
    assert said == "--contact-sheet: is for clips and albums; a picture needs none"


# --- previews -----------------------------------------------------------------------------------------------


def test_layers_move_with_the_size() -> None:
    config = StylizeConfig(style_statistic="gram")
    assert shifted_layers(config.style_layers, (), 1.0) == (
        ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1"), (0.25,) * 4,
    )  # fmt: skip
    names, shares = shifted_layers(("block4_conv2",), (), math.log2(8 / 3))
    assert names == ("block2_conv2", "block3_conv2")
    assert shares == pytest.approx((0.415, 0.585), abs=1e-3)
    assert shifted_layers(("block4_conv4",), (3.0,), 2.0) == (("block2_conv2",), (1.0,))
    assert shifted_layers(("block1_conv2",), (), 2.0) == (("block1_conv1",), (1.0,))
    assert shifted_layers((), (), 1.0) == ((), ())
    assert shifted_layers(StylizeConfig().style_layers, (), 1.0)[0] == (
        "block1_conv2", "block2_conv1", "block2_conv2", "block3_conv1", "block3_conv3",
    )  # fmt: skip


def test_what_is_corrected() -> None:
    config = StylizeConfig(style_statistic="gram")
    half = corrected(config, 0.5)
    assert (half.content_layers, half.style_weight, half.tv_weight) == (("block3_conv2",), 4.0, 10.0)
    assert half.flat_weight == 200.0
    assert half.style_layers == ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1")
    assert corrected(config, 1.0) == config
    assert corrected(config, 0.01).style_layers == ("block1_conv1", "block2_conv1", "block3_conv1")
    absolute = StylizeConfig(style_statistic="gram", normalization="gatys")
    assert corrected(absolute, 0.5) == absolute  # other layers' terms have another scale
    matched = StylizeConfig(style_statistic="nearest")
    assert corrected(matched, 0.5) == matched


def test_samples_have_one_area() -> None:
    assert sample_side(3000, 2000, 512) == 256
    assert sample_side(2000, 2000, 512) == round(math.sqrt(AREA))
    assert sample_side(3000, 2000, 100) == 100
    assert sample_side(90, 60, 512) == 90


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_a_preview_of_a_clip(clip: Path, pictures: Path, tmp_path: Path) -> None:
    cuts = tmp_path / "cuts.txt"
    cuts.write_text("3\n")
    ran = done("video", clip, "--style", pictures / "red.png", "--style", pictures / "blue.png",
               "-o", tmp_path / "out.mp4", *FEW, "--preview", "2", "--cuts", cuts, "--shot", "2 style=0,1",
               "--shot", "1 strength=0", "--json")  # fmt: skip
    assert (ran.json["frames"], ran.json["output"]) == (2, str(tmp_path / "out.mp4.preview.png"))
    assert tree(tmp_path) == ["cuts.txt", "out.mp4.preview.png"]
    sheet = read_image(tmp_path / "out.mp4.preview.png")
    above, below = sheet[8:56, 8:72], sheet[60:108, 8:72]
    np.testing.assert_allclose(above, below, atol=1 / 255)  # without strength it is the original
    above, below = sheet[8:56, 80:144], sheet[60:108, 80:144]
    assert (below - above).mean(axis=(0, 1))[2] > (below - above).mean(axis=(0, 1))[0]  # bluer


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_a_preview_of_an_album_and_of_a_picture(photo: Path, pictures: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    write_image(photos / "a.png", read_image(photo))
    (photos / "b.jpg").write_text("no picture")
    common = ("--style", pictures / "red.png", *FEW, "--preview", "9")
    ran = deepfusion("album", photos, *common, "--style", pictures / "blue.png", "-o", tmp_path / "out")
    assert ran.code == 1
    assert "failed: " in ran.err
    assert ran.out.startswith(f"{tmp_path / 'out.preview.png'}  (2 pictures, 1 failed, ")
    done("image", photo, *common, "-o", tmp_path / "one.png")
    done("image", photo, *common, "-o", tmp_path / "one.png", "--preserve-color", "luminance")  # made anew
    assert tree(tmp_path) == ["one.png.preview.png", "out.preview.png", "photos/a.png", "photos/b.jpg"]


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_a_preview_finds_shots(
    clip: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "video.scenes.ShotDetector.feed", lambda self, frame: [3] if np.asarray(frame).size else []
    )
    done(
        "video",
        clip,
        "--style",
        style,
        "-o",
        tmp_path / "o.mp4",
        *FEW,
        "--preview",
        "2",
        "--shot",
        "2 strength=0",
    )
    sheet = read_image(tmp_path / "o.mp4.preview.png")
    change = [np.abs(sheet[8:56, x : x + 64] - sheet[60:108, x : x + 64]).mean() for x in (8, 80)]
    assert change[1] < 1 / 255 < change[0]


def test_what_a_preview_does_not_make_is_refused(photo: Path, style: Path, tmp_path: Path) -> None:
    common = ("image", photo, "--style", style, "-o", tmp_path / "o.png", *FEW, "--preview", "1")
    for option in (
        ("--dry-run",),
        ("--save-settings", "s.toml"),
        ("--progress-movie", "m.gif"),
        ("--keep-run",),
    ):
        said = refused(*common, *option)
        assert said == f"{option[0]}: --preview makes nothing but its sheet; leave one of them out"
    assert not tree(tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_a_preview_has_masks(photo: Path, style: Path, tmp_path: Path) -> None:
    mask = np.zeros((48, 64, 3), np.float32)
    mask[:, 32:] = 1.0
    write_image(tmp_path / "mask.png", mask)
    done("image", photo, "--style", style, "-o", tmp_path / "o.png", *FEW, "--preview", "1",
         "--mask", tmp_path / "mask.png")  # fmt: skip
    sheet = read_image(tmp_path / "o.png.preview.png")
    change = np.abs(sheet[8:56, 8:72] - sheet[60:108, 8:72]).mean(axis=(0, 2))
    assert change[:30].max() < 2 / 255 < change[40:].mean()


# --- frames for looking at ----------------------------------------------------------------------------------


def test_sample_frames_are_the_frames_asked_for(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = probe(clip)
    frames = list(read_frames(info))
    exact = dict(sample_frames(info, [1, 4], (64, 48)))
    assert list(exact) == [1, 4]
    assert SHORT > 6
    monkeypatch.setattr("video.sample_frames.SHORT", 0)
    near = dict(sample_frames(info, [1, 4], (64, 48)))
    for index in (1, 4):
        np.testing.assert_array_equal(exact[index], frames[index])
        np.testing.assert_array_equal(near[index], exact[index])
    assert list(dict(sample_frames(info, [4, 900], (64, 48)))) == [4]
