"""`deepfusion image` from end to end, on tiny pictures."""

# ruff: noqa: E501 - messages are given in full

from __future__ import annotations

import json
from pathlib import Path
from shlex import quote

import numpy as np
import pytest
from picture_files import save_heic
from PIL import Image
from pipeline_runs import QUICK, deepfusion, done, frames_of, pixels, refused, tree

from stylize.errors import NonFiniteError
from stylize.stylizer import Stylizer
from video.images import from_uint8, write_image

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("uncompiled")]


def run(photo: Path, style: Path, output: Path, *arguments: object) -> list[object]:
    return ["image", photo, "--style", style, "-o", output, *QUICK, *arguments]


@pytest.fixture(scope="module")
def first(uncompiled: None, photo: Path, style: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result of the quick settings, with its settings beside it."""
    folder = tmp_path_factory.mktemp("first")
    done(*run(photo, style, folder / "out.png", "--save-settings", folder / "out.toml"))
    return folder / "out.png"


def test_a_picture_comes_out_at_its_size_and_is_another(first: Path, photo: Path) -> None:
    assert pixels(first).shape == (48, 64, 3)
    assert np.abs(pixels(first).astype(int) - pixels(photo)).mean() > 1
    assert tree(first.parent) == ["out.png", "out.toml"]


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tif"])
def test_every_format_opens(suffix: str, photo: Path, style: Path, tmp_path: Path) -> None:
    done(*run(photo, style, tmp_path / f"out{suffix}", "--iterations", "1"))
    with Image.open(tmp_path / f"out{suffix}") as picture:
        assert picture.size == (64, 48)


def test_json_says_everything(photo: Path, style: Path, tmp_path: Path) -> None:
    ran = done(*run(photo, style, tmp_path / "out.png", "--json", "-q"))
    report = ran.json
    wanted = {"output", "frames", "seconds", "evaluations", "losses", "backbone", "warnings"}
    assert wanted <= set(report)
    assert (report["output"], report["frames"], report["backbone"]) == (
        str(tmp_path / "out.png"),
        1,
        "vgg19-slim",
    )
    assert report["warnings"] == []
    assert report["evaluations"] >= 2
    losses = report["losses"]
    assert losses.pop("total") == pytest.approx(sum(losses.values()))
    assert ran.err == ""


def test_the_last_line_names_the_output(photo: Path, style: Path, tmp_path: Path) -> None:
    out = done(*run(photo, style, tmp_path / "out.png")).out
    assert out.startswith(f"{tmp_path}/out.png  (1 picture, ")
    assert out.endswith(" evaluations, vgg19-slim)\n")
    quiet = done(*run(photo, style, tmp_path / "out.png", "-q", "--overwrite"))
    assert (quiet.out, quiet.err) == ("", "")


def test_the_same_command_gives_the_same_bytes(first: Path, photo: Path, style: Path, tmp_path: Path) -> None:
    done(*run(photo, style, tmp_path / "out.png"))
    assert (tmp_path / "out.png").read_bytes() == first.read_bytes()


@pytest.mark.usefixtures("compiled")
def test_compiled_steps_make_the_same_picture(first: Path, photo: Path, style: Path, tmp_path: Path) -> None:
    """All other commands of these tests run without compilation, as other processes do not."""
    done(*run(photo, style, tmp_path / "out.png"))
    assert np.abs(pixels(tmp_path / "out.png").astype(int) - pixels(first)).max() <= 1


def test_saved_settings_make_the_picture_again(first: Path, tmp_path: Path) -> None:
    done("run", first.with_suffix(".toml"), "-o", tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == first.read_bytes()
    assert refused("run", first.with_suffix(".toml")).startswith(
        f"{first.parent}/out.png exists already; give --overw"
    )


def test_saved_settings_keep_everything_that_decides(
    photo: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pictures)
    (tmp_path / "jobs").mkdir()
    done(
        "image", "photo.png", "--style", "red.png:0.3", "--style", "blue.png:1.7", "-o", tmp_path / "out.png", *QUICK,
        "--init", "mix:0.3", "--seed", "5", "--optimizer", "adam", "--style-layers", "relu1_1,relu2_1", "--pooling",
        "average", "--tv-weight", "1e-5", "--save-settings", tmp_path / "jobs" / "job.toml",
    )  # fmt: skip
    monkeypatch.chdir(tmp_path)
    done("run", "jobs/job.toml", "-o", "again.png")
    assert Path("again.png").read_bytes() == Path("out.png").read_bytes()


def test_styles_blend_by_their_weights(photo: Path, pictures: Path, tmp_path: Path) -> None:
    means = []
    for share in (0.01, 1, 99):
        blue = ("--style", f"{pictures}/blue.png:{share}", "--init", "noise", "--content-weight", "0")
        settings = ("--iterations", "15", "--overwrite")
        done(*run(photo, pictures / "red.png", tmp_path / "out.png", *blue, *settings))
        means.append(pixels(tmp_path / "out.png").mean(axis=(0, 1)))
    balance = [mean[2] - mean[0] for mean in means]
    assert balance[0] < balance[1] < balance[2]


def test_a_dry_run_writes_nothing_and_says_what_it_takes(photo: Path, style: Path, tmp_path: Path) -> None:
    extra = (
        "--dry-run",
        "--progress-movie",
        tmp_path / "a.gif",
        "--save-settings",
        tmp_path / "a.toml",
        "--keep-run",
    )
    ran = done(*run(photo, style, tmp_path / "out.png", *extra))
    assert "a dry run only plans: nothing is written" in ran.err
    lines = ran.out.splitlines()
    assert lines[0] == f"1 picture of 64x48 on vgg19-slim into {tmp_path}/out.png"
    assert [line.split()[0] for line in lines[1:]] == ["time", "memory", "disk"]
    plan = done(*run(photo, style, tmp_path / "out.png", *extra, "--json")).json
    assert (plan["dry_run"], plan["pictures"], plan["width"], plan["height"]) == (True, 1, 64, 48)
    assert min(plan["memory"], plan["disk"]) > 0
    assert tree(tmp_path) == []


def test_a_hub_model_that_is_not_used_is_told(photo: Path, style: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    ran = done(*run(photo, style, tmp_path / "out.png", "--hub-model", model))
    assert "--hub-model: is used with --engine hub or --init hub only" in ran.err


def test_a_start_picture_is_taken_as_it_is(photo: Path, pictures: Path, tmp_path: Path) -> None:
    start = (
        "--init",
        pictures / "blue.png",
        "--style-weight",
        "0",
        "--tv-weight",
        "0",
        "--content-weight",
        "1e-30",
    )
    done(*run(photo, pictures / "red.png", tmp_path / "out.png", *start))
    rows = pixels(tmp_path / "out.png").astype(int)
    assert rows.shape == (48, 64, 3)
    assert rows[..., 2].mean() > rows[..., 0].mean() + 50
    done(*run(photo, pictures / "red.png", tmp_path / "dry.png", *start, "--dry-run"))


def test_a_narrow_style_is_taken_larger_than_the_picture(photo: Path, tmp_path: Path) -> None:
    stripes = np.tile(np.arange(400, dtype=np.uint8)[None, :, None], (60, 1, 3))
    write_image(tmp_path / "narrow.png", from_uint8(stripes))
    done(*run(photo, tmp_path / "narrow.png", tmp_path / "out.png", "--style-layers", "relu5_1"))


def test_levels_and_sizes(photo: Path, style: Path, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    write_image(large, from_uint8(np.kron(pixels(photo), np.ones((3, 3, 1))).astype(np.uint8)))
    done(*run(large, style, tmp_path / "out.png", "--size", "130", "--levels", "2", "--iterations", "1"))
    assert pixels(tmp_path / "out.png").shape == (98, 130, 3)
    done(*run(large, style, tmp_path / "own.png", "--size", "9999", "--iterations", "1"))
    assert pixels(tmp_path / "own.png").shape == (144, 192, 3)


def test_overwriting_replaces_and_keeps_the_old_on_failure(
    first: Path, photo: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.png"
    output.write_text("old")

    def fail(*_: object, **__: object) -> None:
        raise NonFiniteError("the style loss is not finite at the start; lower its weight")

    with monkeypatch.context() as patch:
        patch.setattr(Stylizer, "stylize", fail)
        ran = deepfusion(*run(photo, style, output, "--overwrite", "--progress-movie", tmp_path / "a.gif"))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "deepfusion: the style loss is not finite at the start; lower its weight\n"
    assert output.read_text() == "old"
    assert tree(tmp_path) == ["out.png"]
    done(*run(photo, style, output, "--overwrite"))
    assert output.read_bytes() == first.read_bytes()


def test_an_interrupt_ends_with_130_and_leaves_nothing(
    photo: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Stylizer, "stylize", interrupt)
    ran = deepfusion(*run(photo, style, tmp_path / "out.png", "--progress-movie", tmp_path / "a.mp4"))
    assert (ran.code, ran.out) == (130, "")
    said = f"deepfusion: stopped; to continue: deepfusion image {quote(str(photo))} --style "
    assert ran.err.strip().startswith(said)
    assert tree(tmp_path) == []


def test_a_bug_keeps_its_traceback(
    photo: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Stylizer, "stylize", fail)
    with pytest.raises(ZeroDivisionError):
        from pipeline.cli.main import main

        main([str(argument) for argument in run(photo, style, tmp_path / "out.png")])


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_a_progress_movie_ends_on_the_result(suffix: str, photo: Path, style: Path, tmp_path: Path) -> None:
    movie = tmp_path / f"movie{suffix}"
    ran = done(*run(photo, style, tmp_path / "out.png", "--progress-movie", movie, "--movie-seconds", "0.5"))
    assert f"{movie}  (progress movie)" in ran.out
    frames = frames_of(movie)
    assert len(frames) > 5
    result = pixels(tmp_path / "out.png").astype(int)
    assert np.abs(frames[-1].astype(int) - result).mean() < 10
    assert (
        np.abs(frames[0].astype(int) - pixels(photo)).mean() < np.abs(frames[0].astype(int) - result).mean()
    )
    assert tree(tmp_path) == sorted([f"movie{suffix}", "out.png"])


def test_a_kept_run_makes_its_movie_later(photo: Path, style: Path, tmp_path: Path) -> None:
    ran = done(*run(photo, style, tmp_path / "out.png", "--keep-run", "--json"))
    folder = tmp_path / "out.png.run"
    assert ran.json["also"]["run folder"] == str(folder)
    assert json.loads((folder / "job.json").read_text())["command"] == "image"
    movie = tmp_path / "later.mp4"
    assert done("progress", folder, "-o", movie, "--seconds", "0.5", "--losses").out == f"{movie}\n"
    assert frames_of(movie)[0].shape[1] == 64
    assert refused("progress", folder, "-o", movie).startswith(f"{movie} exists already; give --overwrite")
    assert refused("progress", tmp_path, "-o", tmp_path / "b.mp4") == (
        f"{tmp_path}: holds no snapshots; make the run with --keep-run or --progress-movie"
    )


def test_a_kept_run_stays_until_it_is_discarded(photo: Path, style: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out.png.run"
    command = [*run(photo, style, tmp_path / "out.png"), "--overwrite"]
    done(*command, "--keep-run")
    kept = tree(folder / "snapshots")
    ran = done(*command)
    assert ran.out.endswith(f"\n{folder}  (run folder)\n")
    assert tree(folder / "snapshots") == kept
    assert not (folder / "checkpoint").exists()
    with pytest.MonkeyPatch.context() as patch:  # neither does a run that fails at its beginning take it away
        patch.setattr(Stylizer, "stylize", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            deepfusion(*command)
    assert tree(folder / "snapshots") == kept
    assert "run folder" not in done(*command, "--restart").out
    assert tree(tmp_path) == ["out.png"]


@pytest.mark.parametrize("of", ["photo", "style", "styles"])
def test_only_the_first_page_is_used_and_it_is_said(
    of: str, photo: Path, style: Path, tmp_path: Path
) -> None:
    pages = tmp_path / "pages" / "pages.tif"
    pages.parent.mkdir()
    with Image.open(photo if of == "photo" else style) as first:
        first.save(pages, save_all=True, append_images=[first, first])
    taken = {"photo": (pages, style), "style": (photo, pages), "styles": (photo, pages.parent)}
    ran = done(*run(*taken[of], tmp_path / "out.png"))
    assert ran.err.count(f"note: {pages}: holds 3 pictures, pages or frames; the first is used") == 1


def test_of_a_heic_file_the_main_picture_is_used_and_it_is_said(style: Path, tmp_path: Path) -> None:
    import pillow_heif

    file = pillow_heif.from_pillow(Image.new("RGB", (64, 64), (200, 90, 30)))
    file.add_from_pillow(Image.new("RGB", (64, 48), (30, 90, 200)))
    file.save(tmp_path / "a.heic", primary_index=1)
    ran = done(*run(tmp_path / "a.heic", style, tmp_path / "out.png"))
    note = "holds 2 pictures, pages or frames; number 2, the main one, is used"
    assert f"note: {tmp_path / 'a.heic'}: {note}" in ran.err
    assert pixels(tmp_path / "out.png").shape == (48, 64, 3)


def test_a_heic_photo_that_is_cut_short_is_one_line(style: Path, tmp_path: Path) -> None:
    path = save_heic(tmp_path / "a.heic", Image.new("RGB", (192, 128), (200, 90, 30)))
    path.write_bytes(path.read_bytes()[:-40])
    said = refused(*run(path, style, tmp_path / "out.png"))
    assert said == f"{path} is cut short; copy or download it again"
    assert tree(tmp_path) == ["a.heic"]
