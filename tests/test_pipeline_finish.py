"""`--finish`: results brought to a larger size than they were optimised at."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import FRAMES
from pipeline_runs import QUICK, QUICK_CLIP, deepfusion, done, pixels, refused, sound_of, tree
from video_clips import convert

from pipeline.montage.snapshots import FINISHING, read_losses
from stylize.stylizer import Stylizer
from video.images import from_uint8, write_image
from video.probe import probe

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("uncompiled")]

FINISH = ("--size", "32", "--finish", "64", "--finish-iterations", "2")


def run(clip: Path, style: Path, output: Path, *arguments: object) -> list[object]:
    """A job in which every frame is made, although little moves."""
    quick = *QUICK_CLIP, *FINISH, "--repaint", "all"
    return ["video", clip, "--style", style, "-o", output, *quick, *arguments]


@pytest.fixture(scope="module")
def style(pictures: Path) -> Path:
    return pictures / "red.png"


@pytest.fixture(scope="module")
def whole(uncompiled: None, clip: Path, style: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clip finished at once, its run folder kept."""
    output = tmp_path_factory.mktemp("whole") / "out.mp4"
    done(*run(clip, style, output, "--keep-run"))
    return output


def made(output: Path) -> dict[str, np.ndarray]:
    """The frames in a run folder, small and finished, by name."""
    folder = output.parent / f"{output.name}.run" / "frames"
    return {path.name: pixels(path) for path in folder.glob("*.png")}


def same(some: dict[str, np.ndarray], others: dict[str, np.ndarray]) -> bool:
    return some.keys() == others.keys() and all(np.array_equal(some[name], others[name]) for name in some)


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Ctrl-C at the first iteration of the third picture that is optimised at the finished size."""
    begun, stylize = 0, Stylizer.stylize

    def stylize_some(self: Stylizer, content: np.ndarray, **options: object) -> object:
        nonlocal begun
        begun += max(content.shape) > 32
        if begun > 2:
            raise KeyboardInterrupt
        return stylize(self, content, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Stylizer, "stylize", stylize_some)
        yield patch


def test_a_clip_has_the_finished_size_and_its_sound(whole: Path, clip: Path) -> None:
    result = probe(whole)
    assert (result.width, result.height, result.frames) == (64, 48, FRAMES)
    assert sound_of(whole) == sound_of(clip)
    frames = made(whole)
    assert {frame.shape for name, frame in frames.items() if "finished" in name} == {(48, 64, 3)}
    assert {frame.shape for name, frame in frames.items() if "finished" not in name} == {(24, 32, 3)}


def test_an_upright_clip_is_finished_upright(clip: Path, style: Path, tmp_path: Path) -> None:
    upright = convert(["-i", str(clip), "-vf", "transpose=1", "-frames:v", "2"], tmp_path / "upright.mp4")
    done(*run(upright, style, tmp_path / "out.mp4"))
    result = probe(tmp_path / "out.mp4")
    assert (result.width, result.height) == (48, 64)


def test_a_clip_stopped_while_it_is_finished_is_continued(
    whole: Path, clip: Path, style: Path, tmp_path: Path, stopped: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.mp4"
    assert deepfusion(*run(clip, style, output)).code == 130
    assert len(made(output)) == FRAMES + 2
    stopped.undo()
    again = done(*run(clip, style, output, "--keep-run", "--json")).json
    assert again["done"] == FRAMES - 2
    assert same(made(output), made(whole))


def test_a_damaged_small_frame_is_made_again_with_what_was_finished_from_it(
    whole: Path, clip: Path, style: Path, tmp_path: Path, stopped: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.mp4"
    deepfusion(*run(clip, style, output))
    stopped.undo()
    (tmp_path / "out.mp4.run" / "frames" / "000001.png").write_bytes(b"damaged")
    again = done(*run(clip, style, output, "--keep-run", "--json")).json
    assert (again["done"], again["skipped"], again["frames"]) == (FRAMES - 1, 1, FRAMES)  # all but the first
    assert same(made(output), made(whole))


def test_workers_finish_a_clip_as_one_process_does(clip: Path, style: Path, tmp_path: Path) -> None:
    mask = tmp_path / "mask.mp4"
    convert(["-f", "lavfi", "-i", "testsrc=size=64x48:rate=24000/1001", "-t", "0.25"], mask)
    cuts = tmp_path / "cuts.txt"
    cuts.write_text("2\n")
    options = ("--keep-run", "--frames", "0:4", "--cuts", cuts, "--mask", mask, "--threads", "1")
    done(*run(clip, style, tmp_path / "one.mp4", *options))
    done(*run(clip, style, tmp_path / "two.mp4", *options, "--workers", "2"))
    one, two = made(tmp_path / "one.mp4"), made(tmp_path / "two.mp4")
    assert one.keys() == two.keys()
    assert len(one) == 8
    apart = max(np.abs(one[name].astype(int) - two[name]).max() for name in one)
    assert apart <= 3  # compiled steps round otherwise


def test_passes_come_before_the_finish(clip: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    done(*run(clip, style, output, "--passes", "2", "--keep-run", "--frames", "0:3"))
    assert len(made(output)) == 9
    assert (tmp_path / "out.mp4.run" / "frames" / "000000-finished.png").exists()
    again = done(*run(clip, style, output, "--passes", "2", "--frames", "0:3", "--overwrite", "--json"))
    assert again.json["done"] == 0  # all of it was found: no frame lost what it came from


def test_the_finished_frames_of_a_still_clip_are_steady(style: Path, pictures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "still"
    folder.mkdir()
    for number in range(4):
        write_image(folder / f"{number:03d}.png", from_uint8(pixels(pictures / "photo.png")))
    moved = {}
    ways = {"held": ("--repaint", "changed"), "anew": (), "loose": ("--temporal", "previous")}
    for way, options in ways.items():
        output = tmp_path / f"{way}.mp4"
        done(*run(folder, style, output, "--keep-run", *options))
        frames = [frame / 255.0 for name, frame in sorted(made(output).items()) if "finished" in name]
        moved[way] = np.mean([np.abs(one - other).mean() for one, other in pairwise(frames)])
    assert moved["held"] == 0.0
    assert moved["anew"] < 0.5 * moved["loose"]


def test_faint_and_masked_frames_are_so_at_the_finished_size(clip: Path, style: Path, tmp_path: Path) -> None:
    half = np.zeros((48, 64, 3), np.uint8)
    half[:, 32:] = 255
    write_image(tmp_path / "half.png", from_uint8(half))
    output = tmp_path / "out.mp4"
    done(*run(clip, style, output, "--mask", tmp_path / "half.png", "--frames", "0:2", "--keep-run"))
    from video.decode import read_frames

    contents = list(read_frames(probe(clip)))
    for number in range(2):
        finished = pixels(tmp_path / "out.mp4.run" / "frames" / f"{number:06d}-finished.png") / 255.0
        apart = np.abs(finished - contents[number]).mean(axis=(0, 2))
        assert apart[:31].max() < 0.003  # untouched, as sharp as it was
        assert apart[34:].mean() > 0.01


def test_a_picture_is_finished_at_its_own_size(pictures: Path, style: Path, tmp_path: Path) -> None:
    photo, output = pictures / "photo.png", tmp_path / "out.png"
    job = ["image", photo, "--style", style, *QUICK, *FINISH]
    told = done(*job, "-o", output, "--json").json
    assert pixels(output).shape == (48, 64, 3)
    small = done(*job[: -len(FINISH)], "--size", "32", "-o", tmp_path / "small.png", "--json").json
    assert told["evaluations"] > small["evaluations"]
    assert tree(tmp_path) == ["out.png", "small.png"]


def test_a_picture_stopped_while_it_is_finished_is_continued(
    pictures: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ["image", pictures / "photo.png", "--style", style, *QUICK, *FINISH, "--finish-iterations", "4"]
    movie = ["--progress-movie", tmp_path / "movie.webp", "--movie-seconds", "0.5", "--overwrite"]
    done(*job, "-o", tmp_path / "whole.png", *movie)
    stylize = Stylizer.stylize

    def stop(self: Stylizer, content: np.ndarray, **options: object) -> object:
        tell = options["callback"]

        def interrupted(progress: object) -> None:
            tell(progress)  # type: ignore[operator]
            if max(content.shape) > 32 and progress.iteration == 2:  # type: ignore[attr-defined]
                raise KeyboardInterrupt

        return stylize(self, content, **{**options, "callback": interrupted})  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Stylizer, "stylize", stop)
        assert deepfusion(*job, "-o", tmp_path / "out.png", *movie).code == 130
    ran = done(*job, "-o", tmp_path / "out.png", *movie)
    assert "continuing" in ran.err
    assert np.array_equal(pixels(tmp_path / "out.png"), pixels(tmp_path / "whole.png"))


def test_photos_of_an_album_are_finished_as_far_as_they_go(
    pictures: Path, style: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    photo = from_uint8(pixels(pictures / "photo.png"))
    for name, part in {"large": photo, "middle": photo[:36, :48], "small": photo[:24, :32]}.items():
        write_image(folder / f"{name}.png", part)
    out = tmp_path / "out"
    done("album", folder, "--style", style, "-o", out, *QUICK, *FINISH)
    sizes = {path.stem.split("-")[0]: pixels(path).shape[:2] for path in out.rglob("*.png")}
    assert sorted(sizes.values()) == [(24, 32), (36, 48), (48, 64)]


def test_what_cannot_be_finished_is_refused_in_a_line(
    clip: Path, style: Path, pictures: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.mp4"
    assert refused(*run(clip, style, output, "--finish", "96")) == (
        f"--finish 96: {clip} is 64x48, and what is not there cannot be taken from it; give at most 64"
    )
    assert "must be larger than size" in refused(*run(clip, style, output, "--finish", "32"))
    assert "leave it out with engine hub" in refused(*run(clip, style, output, "--engine", "hub"))
    photo = ["image", pictures / "photo.png", "--style", style, "-o", tmp_path / "out.png", *QUICK, *FINISH]
    assert "photo.png is 64x48" in refused(*photo, "--finish", "65")


@pytest.mark.parametrize("command", ["image", "video"])
def test_a_plan_counts_the_finish(
    command: str, clip: Path, style: Path, pictures: Path, tmp_path: Path
) -> None:
    content, output = (clip, "out.mp4") if command == "video" else (pictures / "photo.png", "out.png")
    job = [command, content, "--style", style, "-o", tmp_path / output, *QUICK, "--dry-run", "--json"]
    small = done(*job, "--size", "32").json
    large = done(*job, *FINISH, "--finish-iterations", "500").json
    assert (large["width"], large["height"]) == (64, 48)
    assert large["seconds"] - small["seconds"] > small["seconds"]
    assert large["disk"] > 2 * small["disk"]
    assert large["memory"] >= small["memory"]


def test_a_movie_counts_on_where_a_picture_is_finished(pictures: Path, style: Path, tmp_path: Path) -> None:
    job = ["image", pictures / "photo.png", "--style", style, *QUICK, *FINISH, "-o", tmp_path / "out.png"]
    done(*job, "--keep-run", "--progress-movie", tmp_path / "movie.webp", "--movie-seconds", "0.5")
    losses = read_losses(tmp_path / "out.png.run" / "snapshots" / "picture")
    assert [(loss.iteration, loss.level) for loss in losses] == [
        (0, 0), (1, 0), (2, 0), (3, FINISHING), (4, FINISHING), (5, FINISHING)
    ]  # fmt: skip
