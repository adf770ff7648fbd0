"""`deepfusion album` from end to end: folders in, folders out, and what happens the second time."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from picture_files import save_heic
from PIL import Image
from pipeline_runs import QUICK, deepfusion, done, frames_of, pixels, refused, tree

from pipeline.album.names import JOURNAL
from stylize.stylizer import Stylizer

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("uncompiled")]


def run(folder: Path, style: Path, output: Path, *arguments: object) -> list[object]:
    return ["album", folder, "--style", style, "-o", output, *QUICK, *arguments]


def save(path: Path, size: tuple[int, int] = (64, 48), mode: str = "RGB", **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = np.linspace(0, 255, size[0], dtype=np.uint8)[None, :].repeat(size[1], axis=0)
    picture = Image.fromarray(np.stack([columns, columns // 2, 255 - columns], axis=-1))
    picture.convert(mode).save(path, **options)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    save(folder / "b.jpg")
    save(folder / "Sea side" / "a.png", (48, 64))
    return folder


@pytest.fixture
def styles(tmp_path: Path, pictures: Path) -> Path:
    folder = tmp_path / "styles"
    folder.mkdir()
    for name in ("red.png", "blue.png"):
        shutil.copy(pictures / name, folder / name)
    return folder


def test_results_in_another_format(photos: Path, style: Path, tmp_path: Path) -> None:
    save(photos / "b.png")  # both would be b.webp
    output = tmp_path / "out"
    done(*run(photos, style, output, "--format", "webp"))
    assert tree(output) == sorted(["b.jpg.webp", "b.png.webp", "Sea side/a.webp", JOURNAL]) or tree(
        output
    ) == sorted(["b.webp", "b.png.webp", "Sea side/a.webp", JOURNAL])
    with Image.open(output / "Sea side" / "a.webp") as made:
        assert made.format == "WEBP"
    again = done(*run(photos, style, output, "--format", "webp"))
    assert "3              0" in again.err.splitlines()[-1]


def test_folders_and_names_are_kept_and_the_second_run_finds_all_done(
    photos: Path, style: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    ran = done(*run(photos, style, output))
    assert tree(output) == sorted(["b.jpg", "Sea side/a.png", JOURNAL])
    assert pixels(output / "b.jpg").shape == (48, 64, 3)
    assert pixels(output / "Sea side" / "a.png").shape == (64, 48, 3)
    assert ran.out.startswith(f"{output}  (2 pictures, ")
    assert ran.err.splitlines()[-2:] == [
        "style    done  already there  failed",
        "red.png  2     0              0",
    ]
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    ran = done(*run(photos, style, output))
    assert ran.out.startswith(f"{output}  (2 pictures, 2 already there, ")
    assert ran.err.splitlines()[-1] == "red.png  0     2              0"
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*")} == before
    plan = done(*run(photos, style, output, "--dry-run", "--json")).json
    assert (plan["pictures"], plan["seconds"]) == (0, 0)
    save(photos / "new.png")
    report = done(*run(photos, style, output, "--json")).json
    assert (report["frames"], report["done"], report["skipped"], report["failed"]) == (3, 1, 2, {})
    assert done(*run(photos, style, output, "--json", "--restart")).json["done"] == 3


def test_other_settings_in_the_same_folder_are_refused(photos: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    done(*run(photos, style, output))
    before = pixels(output / "b.jpg")
    said = refused(*run(photos, style, output, "--seed", "1", "--init", "noise"))
    assert said == (
        f'{output}/b.jpg: exists already and is not of this job, nor is 1 other (init: "content" there, '
        '"noise" now; seed: 0 there, 1 now); '
        f"give the settings and the network it was made with, --overwrite to replace it, or another folder"
    )
    assert np.array_equal(pixels(output / "b.jpg"), before)
    report = done(*run(photos, style, output, "--seed", "1", "--init", "noise", "--overwrite", "--json")).json
    assert (report["done"], report["skipped"]) == (2, 0)
    assert not np.array_equal(pixels(output / "b.jpg"), before)
    assert done(*run(photos, style, output, "--seed", "1", "--init", "noise", "--json")).json["skipped"] == 2


def test_a_photo_that_has_changed_is_named_and_the_rest_goes_on(
    photos: Path, style: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    done(*run(photos, style, output))
    before = pixels(output / "b.jpg")
    save(photos / "b.jpg", (40, 60))
    save(photos / "new.png")
    ran = done(*run(photos, style, output))
    assert f"{photos}/b.jpg: has changed since {output}/b.jpg was made, which stays" in ran.err
    assert (output / "new.png").exists()
    assert np.array_equal(pixels(output / "b.jpg"), before)
    assert done(*run(photos, style, output, "--overwrite", "--json")).json["done"] == 1
    assert pixels(output / "b.jpg").shape != before.shape
    assert "has changed" not in done(*run(photos, style, output)).err


def test_somebodys_files_in_the_output_folder_are_not_replaced(
    photos: Path, style: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "b.jpg").write_text("mine")
    assert refused(*run(photos, style, output)).startswith(
        f"{output}/b.jpg: exists already and is not of this job; "
    )
    assert tree(output) == ["b.jpg"]


def test_every_photo_in_every_style(photos: Path, styles: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    report = done(*run(photos, styles, output, "--json", "--save-settings", tmp_path / "job.toml")).json
    assert report["frames"] == 4
    assert tree(output) == sorted(
        [JOURNAL, "red/b.jpg", "red/Sea side/a.png", "blue/b.jpg", "blue/Sea side/a.png"]
    )
    assert pixels(output / "red" / "b.jpg")[..., 0].mean() > pixels(output / "blue" / "b.jpg")[..., 0].mean()
    done("run", tmp_path / "job.toml", "-o", tmp_path / "again")
    for name in tree(output):
        if name != JOURNAL:
            assert (tmp_path / "again" / name).read_bytes() == (output / name).read_bytes()


def test_styles_in_turn(photos: Path, styles: Path, tmp_path: Path) -> None:
    save(photos / "c.png")
    output = tmp_path / "out"
    done(*run(photos, styles, output, "--pair", "cycle"))
    assert tree(output) == sorted([JOURNAL, "b.jpg", "c.png", "Sea side/a.png"])
    told = [json.loads(line) for line in (output / JOURNAL).read_text().splitlines()]
    assert list(dict.fromkeys(entry["output"] for entry in told)) == [
        "b.jpg",
        "Sea side/a.png",
        "c.png",
    ]  # those of one style together


def test_photos_of_all_kinds(style: Path, tmp_path: Path) -> None:
    photos, output = tmp_path / "photos", tmp_path / "out"
    turned = Image.Exif()
    turned[0x0112] = 6
    save(photos / "turned.jpg", exif=turned)
    save(photos / "print.jpg", mode="CMYK")
    save(photos / "see through.png", mode="RGBA")
    save(photos / "wide.bmp", (200, 100))
    save_heic(photos / "IMG_0001.HEIC", Image.new("RGB", (192, 128), (90, 60, 200)), exif=turned.tobytes())
    done(*run(photos, style, output))
    assert tree(output) == sorted(
        [JOURNAL, "turned.jpg", "print.jpg", "see through.png", "wide.png", "IMG_0001.png"]
    )
    assert pixels(output / "IMG_0001.png").shape == (64, 43, 3)
    assert pixels(output / "turned.jpg").shape == (64, 48, 3)
    assert pixels(output / "wide.png").shape == (32, 64, 3)
    with Image.open(output / "turned.jpg") as result:
        assert result.getexif().get(0x0112, 1) == 1
        assert result.mode == "RGB"


def test_photos_with_the_same_stem_do_not_overwrite_each_other(style: Path, tmp_path: Path) -> None:
    photos, output = tmp_path / "photos", tmp_path / "out"
    for name in ("a.jpg", "a.png", "a.bmp", "a.gif", "b.bmp", "b.gif"):
        save(photos / name)
    report = done(*run(photos, style, output, "--json", "--iterations", "1")).json
    assert report["frames"] == 6
    assert tree(output) == sorted([JOURNAL, "a.jpg", "a.png", "a.bmp.png", "a.gif.png", "b.png", "b.gif.png"])


@pytest.mark.parametrize("quiet", [False, True])
def test_a_photo_that_cannot_be_read_is_named_and_the_rest_goes_on(
    quiet: bool, photos: Path, style: Path, tmp_path: Path
) -> None:
    (photos / "aa.jpg").write_bytes((photos / "b.jpg").read_bytes()[:300])
    (photos / "gone.jpg").symlink_to(photos / "nowhere.jpg")
    (photos / "text.png").write_text("hello")
    output = tmp_path / "out"
    ran = deepfusion(*run(photos, style, output, *(["-q"] if quiet else [])))
    assert ran.code == 1
    assert tree(output) == sorted([JOURNAL, "b.jpg", "Sea side/a.png"])
    failures = [line for line in ran.err.splitlines() if line.startswith("failed: ")]
    assert len(failures) == 3
    assert failures[0].startswith(f"failed: {photos}/aa.jpg")
    assert failures[1].startswith(f"failed: {photos}/gone.jpg")
    assert failures[2].startswith(f"failed: {photos}/text.png is a text file")
    if quiet:
        assert (ran.out, ran.err.splitlines()) == ("", failures)
    else:
        assert ran.out.startswith(f"{output}  (2 pictures, 3 failed, ")
        assert ran.err.splitlines()[-1] == "red.png  2     0              3"
    ran = deepfusion(*run(photos, style, output, "--json"))
    assert ran.code == 1
    assert (ran.json["done"], ran.json["skipped"], sorted(ran.json["failed"])) == (
        0,
        2,
        ["aa.jpg", "gone.jpg", "text.png"],
    )


def test_results_within_the_photos_are_no_photos(photos: Path, style: Path, tmp_path: Path) -> None:
    for output in (photos / "out", photos / "other"):
        report = done(*run(photos, style, output, "--json", "--keep-run")).json
        assert report["frames"] == 2
    assert done(*run(photos, style, photos / "out", "--json")).json["skipped"] == 2


def test_a_kept_run_of_an_album_takes_up_later_photos(photos: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    snapshots = tmp_path / "out.run" / "snapshots"

    def numbers(*arguments: object) -> list[str]:
        done(*run(photos, style, output, *arguments))
        return sorted(path.name for path in snapshots.glob("*"))

    assert numbers("--keep-run") == ["00001", "00002"]
    assert numbers() == ["00001", "00002"]
    save(photos / "new.png")
    assert numbers("--keep-run") == ["00001", "00002", "00003"]
    save(photos / "newer.png")
    assert numbers() == ["00001", "00002", "00003"]
    save(photos / "b.jpg", (32, 48))
    assert numbers("--keep-run", "--overwrite") == ["00001", "00002", "00003", "00004"]
    assert numbers("--restart") == []
    assert not snapshots.parent.exists()


def test_the_folder_above_may_be_the_output(photos: Path, style: Path, tmp_path: Path) -> None:
    done(*run(photos, style, tmp_path))
    assert {"b.jpg", "Sea side/a.png", JOURNAL} <= set(tree(tmp_path))


def test_an_interrupted_album_is_continued(
    photos: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out"
    stylize = Stylizer.stylize
    begun = []

    def one(self: Stylizer, *arguments: object, **options: Any) -> object:
        begun.append(self)
        if len(begun) > 1:
            raise KeyboardInterrupt
        return stylize(self, *arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Stylizer, "stylize", one)
        assert deepfusion(*run(photos, style, output)).code == 130
    assert len(tree(output)) == 2
    report = done(*run(photos, style, output, "--json")).json
    assert (report["done"], report["skipped"]) == (1, 1)


def test_a_line_without_its_file_is_done_again(photos: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    done(*run(photos, style, output))
    (output / "b.jpg").unlink()
    with (output / JOURNAL).open("a") as file:
        file.write('["half a li')
    report = done(*run(photos, style, output, "--json")).json
    assert (report["done"], report["skipped"]) == (1, 1)


def test_a_changed_result_stays_and_is_named(photos: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    done(*run(photos, style, output))
    (output / "b.jpg").write_bytes(b"mine")
    ran = done(*run(photos, style, output, "--json"))
    assert ran.json["skipped"] == 2
    assert f"note: {output / 'b.jpg'}: was changed since it was made, and stays; delete it" in ran.err
    assert (output / "b.jpg").read_bytes() == b"mine"


def test_a_dry_run_writes_nothing(photos: Path, styles: Path, tmp_path: Path) -> None:
    (photos / "bad.png").write_text("hello")
    output = tmp_path / "out"
    ran = done(*run(photos, styles, output, "--dry-run", "--progress-movie", tmp_path / "a.gif"))
    assert ran.out.startswith("6 pictures of 64x48 on vgg19-slim into ")
    assert not output.exists()
    assert [name for name in tree(tmp_path) if not name.startswith(("photos", "styles"))] == []


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_a_progress_movie_shows_every_photo(suffix: str, photos: Path, styles: Path, tmp_path: Path) -> None:
    output, movie = tmp_path / "out", tmp_path / f"movie{suffix}"
    ran = done(*run(photos, styles, output, "--progress-movie", movie, "--movie-seconds", "0.5"))
    assert f"{movie}  (progress movie)\n" in ran.out
    assert len(frames_of(movie)) > 20
    assert not (tmp_path / "out.run").exists()
    ran = done(*run(photos, styles, output, "--progress-movie", movie, "--overwrite"))
    assert f"note: {movie} was not made: what it shows was finished by an earlier run" in ran.err


def test_a_result_that_cannot_be_written_is_named(photos: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "Sea side").write_text("a file where a folder should be")
    ran = deepfusion(*run(photos, style, output))
    assert ran.code == 1
    assert f"failed: {output}/Sea side: the folder cannot be made: File exists; move what is in " in ran.err
    assert (output / "b.jpg").exists()


def dated(path: Path, date: str, color: tuple[int, int, int]) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    exif.get_ifd(0x8769)[0x9003] = date
    save(path, exif=exif)
    with Image.open(path) as image:
        Image.blend(image, Image.new("RGB", image.size, color), 0.7).save(path, exif=exif)


@pytest.fixture
def dated_photos(tmp_path: Path) -> Path:
    folder = tmp_path / "dated"
    dated(folder / "a.jpg", "2024:05:06 12:00:00", (200, 40, 40))
    dated(folder / "b.jpg", "2024:05:06 11:00:00", (40, 200, 40))
    save(folder / "c.png")
    return folder


def test_photos_together_are_in_the_order_they_were_taken(
    dated_photos: Path, styles: Path, tmp_path: Path
) -> None:
    def order(*arguments: object) -> list[str]:
        output = tmp_path / f"out{len(arguments)}"
        done(*run(dated_photos, styles / "red.png", output, *arguments))
        lines = (output / JOURNAL).read_text().splitlines()
        return list(dict.fromkeys(json.loads(line)["output"] for line in lines))

    assert order() == ["a.jpg", "b.jpg", "c.png"]
    assert order("--together") == ["b.jpg", "a.jpg", "c.png"]


@pytest.mark.usefixtures("compiled")
def test_photos_together_share_a_palette(dated_photos: Path, style: Path, tmp_path: Path) -> None:
    def means(*arguments: object) -> tuple[Path, np.ndarray]:
        output = tmp_path / f"out{len(arguments)}"
        done(*run(dated_photos, style, output, "--preserve-color", "histogram", "--iterations", "30",
                  "--content-weight", "0", *arguments))  # fmt: skip
        return output, np.array([pixels(output / name).mean(axis=(0, 1)) for name in ("a.jpg", "b.jpg")])

    _, apart = means()
    output, together = means("--together")
    assert np.abs(together[0] - together[1]).max() < np.abs(apart[0] - apart[1]).max()
    command = run(dated_photos, style, output, "--preserve-color", "histogram", "--iterations", "30",
                  "--content-weight", "0", "--together")  # fmt: skip
    assert "3              0" in done(*command).err
    save(dated_photos / "d.png")  # one more changes the palette of all
    assert "is not of this job" in refused(*command)


def test_metadata_is_kept_or_stripped(dated_photos: Path, style: Path, tmp_path: Path) -> None:
    def camera(path: Path) -> str | None:
        with Image.open(path) as image:
            return image.getexif().get(0x010F)

    output = tmp_path / "out"
    done(*run(dated_photos, style, output))
    assert [camera(output / name) for name in ("a.jpg", "b.jpg", "c.png")] == ["Camera", "Camera", None]
    assert "is not of this job" in refused(*run(dated_photos, style, output, "--metadata", "strip"))
    done(*run(dated_photos, style, output, "--metadata", "strip", "--overwrite"))
    assert camera(output / "a.jpg") is None
    for choice, expected in (("keep", "Camera"), ("strip", None)):
        target = tmp_path / f"{choice}.png"
        done("image", dated_photos / "a.jpg", "--style", style, "-o", target, *QUICK, "--metadata", choice)
        assert camera(target) == expected
