"""Masks on the command line: where a style goes, what stays, and what is wrong with a mask."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pipeline_runs import QUICK, QUICK_CLIP, deepfusion, done, refused
from video_clips import convert

from pipeline.clip.masks import marks_of_masks, masks_of_clip
from pipeline.clip.source import open_clip
from pipeline.settings.job_settings import VideoSettings
from pipeline.styling.looks import masks_of_picture
from pipeline.styling.pictures import read_picture
from video import excerpt
from video.decode import FrameRange, read_frames
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


def drawn(path: Path, mode: str) -> Path:
    """A mask as paint programs export it: a white quarter, a black one, the rest white but transparent."""
    pixels = np.full((48, 64, 4), 255, np.uint8)
    pixels[:, 16:32, :3] = 0  # drawn, in black
    pixels[:, 32:, 3] = 0  # white, but transparent
    image = Image.fromarray(pixels)
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode == "P":
        flat = Image.fromarray((pixels[..., 3] // 255 + (pixels[..., 0] == 0)).astype(np.uint8), "P")
        flat.putpalette([255, 255, 255, 255, 255, 255, 0, 0, 0])
        flat.save(path, transparency=0)
    else:
        image.convert(mode).save(path)
    return path


FIRST_QUARTER = np.repeat([1.0, 0.0, 0.0, 0.0], 16)[None].repeat(48, axis=0)
"""Where a mask that was `drawn` is white and there."""


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_not_there(mode: str, photo: Path, tmp_path: Path) -> None:
    file = drawn(tmp_path / "mask.png", mode)
    (plane,) = masks_of_picture([file], read_image(photo), photo)
    np.testing.assert_array_equal(plane, FIRST_QUARTER)


def test_half_transparent_is_half_there(photo: Path, tmp_path: Path) -> None:
    grey = np.full((48, 64, 2), (204, 102), np.uint8)
    Image.fromarray(grey, "LA").save(tmp_path / "mask.png")
    (plane,) = masks_of_picture([tmp_path / "mask.png"], read_image(photo), photo)
    np.testing.assert_allclose(plane, 0.8 * 0.4, atol=1e-6)


@pytest.mark.parametrize("kind", ["picture", "folder", "webp", "mov"])
def test_what_is_transparent_is_not_there_in_a_clip(
    kind: str, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for masks that move, from their start and for a worker, which knows marks of them."""
    folder = tmp_path / "masks"
    frames = [drawn(folder / f"{number}.png", "RGBA") for number in range(6)]
    mask = {"picture": frames[0], "folder": folder}.get(kind, tmp_path / f"mask-{kind}.mov")
    if kind == "webp":
        first, *others = [Image.open(frame) for frame in frames]
        others[0].putpixel((63, 47), (0, 0, 0, 3))  # one that does not change would be one picture
        for number, one in enumerate(others):
            one.putpixel((63, number), (0, 0, 0, 3))
        first.save(mask, "WEBP", save_all=True, append_images=others, lossless=True, exact=True)
    elif kind == "mov":
        convert(["-i", str(folder / "%d.png"), "-c:v", "png"], mask)
    settings = VideoSettings(size=64, mask_preserve=str(mask))
    source = open_clip(clip, settings, 16)
    with closing(masks_of_clip(settings, source)) as masks:
        seen = [planes[0] for planes in islice(masks, 6)]
    np.testing.assert_allclose(seen, [FIRST_QUARTER] * 6, atol=0.02)
    with closing(marks_of_masks(settings, source)) as marks:
        known = tuple(row[0] for row in islice(marks, 2, 6) if row[0] is not None)
    assert len(known) == (4 if kind in {"webp", "mov"} else 0)
    monkeypatch.setattr(excerpt, "NEAR", -1)
    part = replace(source, wanted=FrameRange(2, 6), mask_marks=(known,))
    with closing(masks_of_clip(settings, part)) as masks:
        np.testing.assert_array_equal([planes[0] for planes in islice(masks, 4)], seen[2:])


def test_a_transparent_ground_protects_nothing(photo: Path, style: Path, tmp_path: Path) -> None:
    """An ellipse on nothing, as `--mask-preserve`, protected the whole picture."""
    mask, out = drawn(tmp_path / "mask.png", "RGBA"), tmp_path / "out.png"
    done("image", photo, "--style", style, "-o", out, *QUICK, "--mask-preserve", mask)
    left, right = moved(read_image(photo), read_image(out))
    assert left <= 1.0
    assert right > 3.0


BARE = "the masks leave no place for a style: it stays as it was"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--mask", "black.png"), "white is where a style goes"),
        (("--mask-preserve", "white.png"), "white in --mask-preserve is what stays"),
        (("--mask", "half.png", "--mask-preserve", "half.png"),
         "white in --mask is where a style goes, in --mask-preserve what stays"),
        (("--mask", "half.png"), ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["image", "album", "video", "preview", "clip preview"])
def test_masks_that_leave_no_place_are_told(
    arguments: tuple[str, ...], told: str, kind: str, photo: Path, clip: Path, style: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Once, with what white means in the options given; and nothing is optimised for nothing."""
    monkeypatch.chdir(tmp_path)
    half(tmp_path / "half.png")
    write_image(tmp_path / "black.png", np.zeros((48, 64, 3), np.float32))
    write_image(tmp_path / "white.png", np.ones((48, 64, 3), np.float32))
    (tmp_path / "photos").mkdir()
    shutil.copy(photo, tmp_path / "photos")
    run, source = {
        "image": (("image", photo, "-o", "out.png"), photo),
        "album": (("album", "photos", "-o", "out"), Path("photos", photo.name)),
        "video": (("video", clip, "-o", "out.mkv", "--frame-iterations", "2"), clip),
        "preview": (("image", photo, "-o", "out.png", "--preview", "1"), photo),
        "clip preview": (("video", clip, "-o", "out.mkv", "--preview", "2"), clip),
    }[kind]
    ran = done(*run, "--style", style, *QUICK, *arguments, "--json")
    lines = [line for line in ran.err.splitlines() if "leave no place" in line]
    assert len(lines) == bool(told)
    if told:
        assert lines[0].endswith(f"{source}: {BARE}; {told}")
        frames = {"video": 6, "clip preview": 2}.get(kind, 1)
        assert ran.json["evaluations"] == frames
    if kind == "image":
        left, right = moved(read_image(photo), read_image(tmp_path / "out.png"))
        assert right <= 1.0
        assert (left <= 1.0) is bool(told)


def test_masks_that_move_may_be_empty_at_first(clip: Path, style: Path, tmp_path: Path) -> None:
    """Of a black picture beside them it is known that its style goes nowhere."""
    black = np.zeros((48, 64, 3), np.float32)
    write_image(tmp_path / "black.png", black)
    for number in range(6):
        (tmp_path / "masks").mkdir(exist_ok=True)
        write_image(tmp_path / "masks" / f"{number}.png", black + (number > 2))
    job = ("video", clip, "--style", style, *QUICK_CLIP, "-o", tmp_path / "out.mkv", "--dry-run")
    moving = ("--mask", tmp_path / "masks")
    assert BARE not in (said := done(*job, *moving).err) and "goes nowhere" not in said
    said = done(*job, *moving, "--style", style, "--mask", tmp_path / "black.png").err
    assert f"{tmp_path / 'black.png'}: covers nothing: style 2 goes nowhere; white is where a style" in said


def test_a_style_that_goes_nowhere_is_told(pictures: Path, photo: Path, tmp_path: Path) -> None:
    black, mask, out = tmp_path / "black.png", half(tmp_path / "mask.png"), tmp_path / "out.png"
    write_image(black, np.zeros((48, 64, 3), np.float32))
    job = ("image", photo, "-o", out, *QUICK, "--dry-run", "--style", pictures / "red.png", "--mask")
    other = ("--style", pictures / "blue.png")
    said = done(*job, mask, *other, "--mask", black).err
    assert f"{black}: covers nothing: style 2 goes nowhere; white is where a style goes" in said
    assert BARE not in said
    assert f"{black}: covers nothing: style 1 goes nowhere" in done(*job, black, *other).err
    assert "nowhere" not in done(*job, mask, *other).err
    white, faint = tmp_path / "white.png", tmp_path / "faint.png"
    write_image(white, np.ones((48, 64, 3), np.float32))
    write_image(faint, np.full((48, 64, 3), 2 / 255, np.float32))
    said = done(*job, white, *other).err
    assert f"{photo}: style 2 goes nowhere: the other masks leave no place for it" in said
    assert f"{faint}: covers nothing: style 1 goes nowhere" in done(*job, faint, *other).err


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
    assert refused(*common, "--style", style.with_name("blue.png")) == said  # a photo in two styles is one
    half(masks / "sub" / "a.png", left=False)
    done(*common)
    left, right = moved(read_image(photo), read_image(out / "sub" / "a.png"))
    assert right <= 1.0 < left
    left, right = moved(read_image(photo), read_image(out / "a.png"))
    assert left <= 1.0 < right
    half(masks / "sub" / "a.png")  # another mask for one of them
    said = refused(*common)
    assert f"{out / 'sub' / 'a.png'}: exists already and is not of this job (another painting, mask" in said
    ran = done(*common, "--overwrite")
    assert ran.err.splitlines()[-1].split()[1:] == ["1", "1", "0"]


def test_masks_that_are_missing_are_counted(photo: Path, style: Path, tmp_path: Path) -> None:
    photos, masks = tmp_path / "photos", tmp_path / "masks"
    photos.mkdir()
    for name in ("a.png", "b.png", "c.png", "d.jpg", "e.png"):
        shutil.copy(photo, photos / name)
    half(masks / "a.png")
    job = ("album", photos, "--style", style, "-o", tmp_path / "out", *QUICK, "--mask", masks)
    said = "has no masks for 4 of 5 photos (b.png, c.png, d.jpg, ...); give a picture for each, as b.png for"
    assert refused(*job).startswith(f"{masks}: {said} the first")
    for name in "bc":
        half(masks / f"{name}.png")
    assert "has no masks for 2 of 5 photos (d.jpg, e.png); give a picture for each" in refused(*job)


def test_a_photo_whose_mask_has_another_shape_is_named(photo: Path, style: Path, tmp_path: Path) -> None:
    """With its own size, not the one that is worked at."""
    photos, mask = tmp_path / "photos", half(tmp_path / "mask.png", size=(96, 128))
    photos.mkdir()
    shutil.copy(photo, photos)
    wide = photos / "wide.png"
    write_image(wide, np.zeros((100, 300, 3), np.float32))
    ran = deepfusion("album", photos, "--style", style, "-o", tmp_path / "out", *QUICK, "--mask", mask)
    assert ran.code == 1
    (line,) = [line for line in ran.err.splitlines() if "another shape" in line]
    assert f"failed: {mask}: is 128x96, of another shape than {wide}, which is 300x100;" in line


def test_a_mask_of_its_photos_size_fits_at_any(tmp_path: Path) -> None:
    """At 64x17 a photo's sides are rounded by more than masks may differ."""
    photo, mask = tmp_path / "photo.png", half(tmp_path / "mask.png", size=(258, 1000))
    write_image(photo, np.zeros((258, 1000, 3), np.float32))
    (plane,) = masks_of_picture([mask], read_picture(photo, 64, 16), photo)
    assert plane.shape == (17, 64)


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
         "wide.png: is 96x48, of another shape than {photo}, which is 64x48; make the mask from it"),
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
    assert said.strip().endswith(message.format(photo=photo))


def test_a_mask_of_another_shape_than_a_clip(clip: Path, style: Path, tmp_path: Path) -> None:
    mask = half(tmp_path / "wide.png", size=(48, 96))
    job = ("video", clip, "--style", style, "-o", tmp_path / "o.mp4", *QUICK)
    said = refused(*job, "--size", "32", "--mask", mask)
    assert said == f"{mask}: is 96x48, of another shape than {clip}, which is 64x48; make the mask from it"


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
