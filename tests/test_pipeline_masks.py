"""Masks on the command line: where a style goes, what stays, and what is wrong with a mask."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from pipeline_runs import QUICK, QUICK_CLIP, done, refused

from video.decode import read_frames
from video.images import FloatImage, read_image, write_image
from video.probe import probe

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("uncompiled")]


def half(path: Path, *, left: bool = True, size: tuple[int, int] = (48, 64)) -> Path:
    """A mask that is white in its left or right half."""
    mask = np.zeros((*size, 3), np.float32)
    mask[:, : size[1] // 2] = 1.0
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, mask if left else 1.0 - mask)
    return path


def moved(before: FloatImage, after: FloatImage) -> tuple[float, float]:
    """How far the left and the right quarter of a picture have moved, in 255ths."""
    change = 255.0 * np.abs(before - after).max(axis=2)
    return float(change[:, :16].max()), float(change[:, 48:].max())


def test_a_preserved_region_stays(photo: Path, style: Path, tmp_path: Path) -> None:
    mask, out = half(tmp_path / "mask.png"), tmp_path / "out.png"
    done("image", photo, "--style", style, "-o", out, *QUICK, "--mask-preserve", mask)
    left, right = moved(read_image(photo), read_image(out))
    assert left <= 1.0
    assert right > 3.0


def test_where_no_style_goes_it_stays(photo: Path, style: Path, tmp_path: Path) -> None:
    mask, out = half(tmp_path / "mask.png"), tmp_path / "out.png"
    done("image", photo, "--style", style, "--mask", mask, "-o", out, *QUICK)
    left, right = moved(read_image(photo), read_image(out))
    assert right <= 1.0
    assert left > 3.0


def test_a_mask_that_leaves_no_place_is_told(photo: Path, style: Path, tmp_path: Path) -> None:
    """A black one, of a picture and of an album's photo; one that is white somewhere is not."""
    black, white, out = tmp_path / "black.png", half(tmp_path / "white.png"), tmp_path / "out.png"
    write_image(black, np.zeros((48, 64, 3), np.float32))
    told = f"{photo}: the masks leave no place for a style"
    ran = done("image", photo, "--style", style, "--mask", black, "-o", out, *QUICK)
    assert told in ran.err
    assert moved(read_image(photo), read_image(out)) <= (1.0, 1.0)
    common = ("--style", style, *QUICK, "--overwrite")
    assert told not in done("image", photo, *common, "--mask", white, "-o", out).err
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(photo, folder)
    ran = done("album", folder, *common, "--mask", black, "-o", tmp_path / "album")
    assert f"{folder / photo.name}: the masks leave no place for a style" in ran.err


@pytest.mark.usefixtures("compiled")
def test_each_style_in_its_place(pictures: Path, photo: Path, tmp_path: Path) -> None:
    mask, out = half(tmp_path / "mask.png"), tmp_path / "out.png"
    long = (*QUICK, "--iterations", "30", "--style-weight", "1e4")
    styles = ("--style", pictures / "red.png", "--mask", mask, "--style", pictures / "blue.png")
    done("image", photo, *styles, "-o", out, *long)
    found = read_image(out)
    redness = found[..., 0] - found[..., 2]
    assert redness[:, :20].mean() > redness[:, 44:].mean() + 0.2
    turned = half(tmp_path / "turned.png", left=False)
    done("image", photo, *styles[:3], turned, *styles[4:], "-o", out, *long, "--overwrite")
    redness = read_image(out)[..., 0] - read_image(out)[..., 2]
    assert redness[:, :20].mean() < redness[:, 44:].mean() - 0.2


def test_a_clip_with_masks_that_move(clip: Path, style: Path, tmp_path: Path) -> None:
    """White on the left for three frames, then on the right."""
    folder = tmp_path / "masks"
    for number in range(6):
        half(folder / f"{number:03d}.png", left=number < 3)
    out = tmp_path / "out.mkv"
    common = ("video", clip, "--style", style, *QUICK_CLIP, "--crf", "0", "--temporal", "off")
    done(*common, "-o", out, "--mask-preserve", folder)
    before, after = (list(read_frames(probe(path))) for path in (clip, out))
    shares = [moved(*pair) for pair in zip(before, after, strict=True)]
    assert all(left < right for left, right in shares[:3])
    assert all(left > right for left, right in shares[3:])
    part = tmp_path / "part.mkv"
    done(*common, "-o", part, "--mask-preserve", folder, "--frames", "3:5")
    for one, other in zip(read_frames(probe(part)), after[3:], strict=False):
        np.testing.assert_array_equal(one, other)


def test_masks_serve_every_pass(clip: Path, style: Path, tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    for number in range(6):
        half(folder / f"{number:03d}.png")
    out = tmp_path / "out.mkv"
    done("video", clip, "--style", style, "-o", out, *QUICK_CLIP, "--crf", "0", "--passes", "2",
         "--mask-preserve", folder)  # fmt: skip
    shares = [moved(*pair) for pair in zip(read_frames(probe(clip)), read_frames(probe(out)), strict=True)]
    assert all(left < right for left, right in shares)


def test_an_album_with_a_mask_a_photo(photo: Path, style: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for name in ("a.png", "sub/a.png"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes(photo.read_bytes())
    masks, out = tmp_path / "masks", tmp_path / "out"
    half(masks / "a.png")
    common = ("album", photos, "--style", style, "-o", out, *QUICK, "--mask-preserve", masks)
    said = refused(*common)
    assert f"{masks}: has no mask for sub/a.png; give a picture sub/a.png" in said.replace("\\", "/")
    assert not out.exists()
    half(masks / "sub" / "a.png", left=False)
    done(*common)
    left, right = moved(read_image(photo), read_image(out / "sub" / "a.png"))
    assert right <= 1.0 < left
    left, right = moved(read_image(photo), read_image(out / "a.png"))
    assert left <= 1.0 < right
    half(masks / "sub" / "a.png")  # another mask for one of them
    assert f"{out / 'sub' / 'a.png'}: exists already and is not of this job;" in refused(*common)
    ran = done(*common, "--overwrite")
    assert ran.err.splitlines()[-1].split()[1:] == ["1", "1", "0"]


def test_another_mask_is_another_job(photo: Path, style: Path, tmp_path: Path) -> None:
    mask = half(tmp_path / "mask.png")
    job = tmp_path / "jobs" / "job.toml"
    job.parent.mkdir()
    done("image", photo, "--style", style, "-o", tmp_path / "out.png", *QUICK, "--mask", mask, "--strength",
         "0.5", "--save-settings", job, "--keep-run")  # fmt: skip
    first = read_image(tmp_path / "out.png")
    done("run", job, "--overwrite", "--restart", "--keep-run")
    np.testing.assert_array_equal(read_image(tmp_path / "out.png"), first)
    record = (tmp_path / "out.png.run" / "job.json").read_text()
    assert "mask.png" not in record
    assert '"mask_preserve": ""' in record
    half(mask, left=False)
    said = refused("run", job, "--overwrite")
    assert "holds a run with other settings (other mask)" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--mask", "wide.png"),
         "wide.png: is 96x48, of another shape than what it is a mask for (64x48 here); make it from that "
         "picture"),
        (("--mask", "half.png", "--mask", "half.png"),
         "--mask: 2 masks for 1 style; give one each, in the order of the styles"),
        (("--mask", "hafl.png"), "hafl.png: there is no such file; did you mean half.png?"),
        (("--mask", ""), "--mask: is empty; give it a value or leave it out"),
        (("--engine", "hub", "--mask", "half.png"), "--mask and --mask-preserve need --engine optimize"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_mask(
    arguments: tuple[str, ...], message: str, photo: Path, style: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    half(tmp_path / "half.png")
    half(tmp_path / "wide.png", size=(48, 96))
    said = refused("image", photo, "--style", style, "-o", "out.png", *QUICK, *arguments)
    assert said.strip().endswith(message)


def test_a_mask_that_is_too_short(clip: Path, style: Path, tmp_path: Path) -> None:
    for number in range(4):
        half(tmp_path / "masks" / f"{number:03d}.png")
    said = refused(
        "video", clip, "--style", style, "-o", tmp_path / "o.mp4", *QUICK, "--mask", tmp_path / "masks"
    )
    assert "has 4 frames, and the clip goes on to frame 5; a mask follows the clip frame by frame" in said


def test_a_folder_is_one_style_and_takes_no_masks(pictures: Path, photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "styles"
    folder.mkdir()
    for name in ("red.png", "blue.png"):
        (folder / name).write_bytes((pictures / name).read_bytes())
    one, two = tmp_path / "one.png", tmp_path / "two.png"
    done("image", photo, "--style", folder, "-o", one, *QUICK)
    done("image", photo, "--style", folder / "blue.png", "--style", folder / "red.png", "-o", two, *QUICK)
    np.testing.assert_array_equal(read_image(one), read_image(two))
    mask = half(tmp_path / "mask.png")
    said = refused("image", photo, "--style", folder, "--mask", mask, "-o", tmp_path / "three.png", *QUICK)
    assert "a folder of styles takes no masks; give one picture" in said


def test_strokes_of_another_size(photo: Path, style: Path, tmp_path: Path) -> None:
    found = []
    for scale in ("0.5", "1", "2"):
        done("image", photo, "--style", style, "-o", tmp_path / "out.png", *QUICK, "--overwrite",
             "--style-scale", scale)  # fmt: skip
        found.append(read_image(tmp_path / "out.png"))
    assert not np.array_equal(found[0], found[1])
    assert not np.array_equal(found[1], found[2])
