"""The command line: what it says, how it ends, and that bad input costs one line and leaves nothing behind."""

# ruff: noqa: E501 - messages are given in full

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pipeline_runs import QUICK, deepfusion, done, refused, tree
from video_clips import convert

from pipeline import __version__
from pipeline.settings.job_settings import known_keys
from pipeline.settings.presets import preset_names
from stylize.weights import embedded_path
from video import outputs
from video.images import from_uint8, write_image

ROOT = Path(__file__).resolve().parent.parent
SLIM = ("--backbone", "vgg19-slim")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photo: Path, style: Path, clip: Path) -> Path:
    """An empty folder to stand in, with links to the media beside it."""
    for name, target in (("photo.png", photo), ("style.png", style), ("clip.mp4", clip)):
        (tmp_path / name).symlink_to(target)
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def image(
    *arguments: object, content: object = "../photo.png", style: object = "../style.png"
) -> list[object]:
    return ["image", content, "--style", style, "-o", "out.png", *SLIM, *arguments]


def video(
    *arguments: object, content: object = "../clip.mp4", style: object = "../style.png"
) -> list[object]:
    return ["video", content, "--style", style, "-o", "out.mp4", *SLIM, *arguments]


# --- without work ---------------------------------------------------------------------------------------------


LOADED = """
import sys
sys.path.insert(0, {root!r})
from pipeline.cli.main import main
try:
    main({arguments!r})
except SystemExit as ended:
    heavy = {{"tensorflow", "keras", "cv2", "PIL", "av", "scipy", "h5py", "rich"}} & set(sys.modules)
    print(f"ended {{ended.code}} with {{sorted(heavy)}}")
"""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["image", "--help"], 0),
        (["presets"], 0),
        (["presets", "gatys"], 0),
        (["vidio"], 2),
        (["image", "a.jpg"], 2),
        (["image", "a.jpg", "--style", "b.jpg", "-o", "c.png", "--optimizer", "lbfsg"], 2),
        (["image", "a.jpg", "--style", "b.jpg", "-o", "c.png", "--content-layers", "block9"], 2),
        (["image", "no.jpg", "--style", "no.jpg", "-o", "c.png"], 2),
        (["run", "no.toml"], 2),
    ],
)
def test_no_tensorflow_without_work(arguments: list[str], code: int, tmp_path: Path) -> None:
    program = LOADED.format(root=str(ROOT), arguments=arguments)
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert ended.stdout.endswith(f"ended {code} with []\n"), ended.stdout + ended.stderr


def test_version() -> None:
    assert done("--version").out == f"deepfusion, version {__version__}\n"


def test_help_names_every_command() -> None:
    text = done("--help").out
    for command in ("image", "video", "album", "progress", "weights", "presets", "doctor", "demo", "run"):
        assert f"\n  {command} " in text


@pytest.mark.parametrize("command", ["image", "video", "album"])
def test_every_setting_is_an_option(command: str) -> None:
    text = done(command, "--help").out
    for key in known_keys(command):
        assert f"--{key.replace('_', '-')}" in text


@pytest.mark.parametrize(
    ("command", "told"),
    [("image", "border. [default: 0.015; 0<=x<=0.4]"), ("image", "painting. [default: 1.0; 0<=x<=10]"),
     ("image", "enlarged. [default: 512; x>=16]"), ("image", "range. [default: 0.02; 0<x<=1]"),
     ("image", "(beta). [default: 8.0; x>=0]"), ("video", "better. [default: 16; 0<=x<=51]"),
     ("video", "snapshots; later runs keep it, but for --restart."), ("run", "asked for here: --report, --contact-sheet,")],
)  # fmt: skip
def test_help_tells_bounds_and_what_is_kept(command: str, told: str) -> None:
    assert told in " ".join(done(command, "--help").out.split())


def test_no_arguments_is_help_and_status_2() -> None:
    ran = deepfusion()
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Usage: deepfusion")


def test_presets_are_listed_and_shown() -> None:
    lines = done("presets").out.splitlines()
    assert [line.split()[0] for line in lines] == list(preset_names())
    assert 'optimizer = "lbfgs"' in done("presets", "gatys").out
    assert refused("presets", "gatis").startswith("unknown preset 'gatis': did you mean gatys?")


def test_weights_are_listed_and_verified(tmp_path: Path) -> None:
    assert "vgg19-slim      here" in done("weights", "list").out
    whole = "good: vgg19-slim, 14 layers up to block5_conv2"
    assert f"{whole}, SHA-256" in done("weights", "verify", embedded_path("vgg19-slim")).out
    with np.load(embedded_path("vgg19-slim"), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files if not name.endswith("/tap")}
    np.savez(tmp_path / "older.npz", allow_pickle=False, **arrays)
    assert (
        f"{whole} without taps for 14 of its 14 layers ("
        in done("weights", "verify", tmp_path / "older.npz").out
    )
    assert refused("weights", "verify", "no.npz") == "no.npz: no such file; check the path"


def test_doctor_says_what_is_here() -> None:
    text = done("doctor").out
    for word in (__version__, "tensorflow", "pillow-heif", "ffmpeg", "vgg19-slim"):
        assert word in text


# --- wrong use ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["vidio"], "No such command 'vidio'. Did you mean 'video'? (see deepfusion --help)"),
        (["../photo.png", "--style", "../style.png"],
         "../photo.png: say first what to do: `deepfusion image` for a picture, `deepfusion video` for a clip"),
        (image("../style.png"),
         "../style.png: is one file too many after PICTURE (a pattern like *.jpg becomes many); give every style "
         "picture a --style of its own, or --style FOLDER; many photos are done by `deepfusion album FOLDER`; the "
         "result is named with -o"),
        (image("holiday.png"),
         "holiday.png: does not belong here; the result is named with -o, and a name with spaces needs quotes"),
        (["album", "../album", "../photo.png", "--style", "../style.png", "-o", "out"],
         "../photo.png: is one file too many after FOLDER (a pattern like *.jpg becomes many); give every style "
         "picture a --style of its own, or --style FOLDER; an album is one folder; the result is named with -o"),
        (["foto.jpg", "--style", "../style.png"],
         "foto.jpg: there is no such file; and say first what to do: `deepfusion image`, `video` or `album`"),
        (image("--passes", "2"), "--passes: is an option of `deepfusion video`"),
        (["--style", "../style.png", "image", "../photo.png"],
         "--style: belongs after the command: `deepfusion image ...`"),
        (image(content=""), "PICTURE: is empty; give it a value"),
        (image(style=""), "--style: is empty; give it a picture"),
        (["image", "../photo.png", "--style", "../style.png", "-o", ""], "--output: is empty; give it a value"),
        (["image"], "Missing argument 'PICTURE'. (see deepfusion image --help)"),
        (["image", "../photo.png", "-o", "out.png"], "missing --style PICTURE: the look to take"),
        (["image", "../photo.png", "--style", "../style.png"], "missing -o OUT.png: where the result goes"),
        (["video", "../clip.mp4", "--style", "../style.png"], "missing -o OUT.mp4: where the result goes"),
        (image("--preset", "gatis"), "unknown preset 'gatis': did you mean gatys? Or give the path of a .toml file"),
        (image("--weights", ""), "--weights: is empty; give it a value or leave it out"),
        (image("--style-layers", ""), "--style-layers: is empty; give it a value or leave it out"),
        (image("--movie-losses"), "--movie-losses: is for a progress movie; add --progress-movie PATH"),
        (image("--style-weight", "1e99"), "--style-weight: 1e+99 is over the maximum of 1e+12"),
        (
            image("--style-layer-weights", "0,0,0,0,0,0"),
            "--style-layer-weights: all weights are 0; give at least one a value above 0",
        ),
        (image("--preset", "no.toml"), "no.toml: there is no such file; check the name"),
        (image("--style-layers", "block1_cnv1"), "--style-layers: unknown layer 'block1_cnv1': did you mean block1_conv1?"),
        (image("--content-layers", "block4_conv2,foo"),
         "--content-layers: unknown layer 'foo': layers are named block1_conv1 to block5_conv4"),
        *((image(*words, "--style-coherence", value),
           f"--style-coherence: is for --style-statistic nearest only; leave it out with --style-statistic {statistic}")
          for value in ("2", "1")
          for statistic, words in (
              ("gram", ("--style-statistic", "gram")),
              ("gram", ("--preset", "gatys")),
              ("gram", ("--normalization", "rms")),
              ("wasserstein", ("--preset", "gatys", "--normalization", "relative", "--style-statistic", "wasserstein")),
          )),
        (image("--normalization", "gatys", "--style-statistic", "sliced"),
         "--normalization: gatys: is a formula for Gram matrices; with --style-statistic sliced set normalization to "
         "relative, or choose --style-statistic gram"),
        (image("--content-layers", "relu4_2,relu4_2"), "--content-layers: block4_conv2, block4_conv2: a layer is named twice"),
        (image("--optimizer", "lbfsg"),
         "Invalid value for '--optimizer': unknown value 'lbfsg': did you mean lbfgs? (see deepfusion image --help)"),
        (image("--pooling", "mean"),
         "Invalid value for '--pooling': unknown value 'mean': choose from max, average (see deepfusion image --help)"),
        (image("--init", "noisy"), "--init: unknown start 'noisy': did you mean noise? Or give the path of a picture"),
        (image("--init", "mix:2"), "--init: 'mix:2': the number must be between 0 and 1"),
        (image("--init", "no.png"), "no.png: there is no such file; check the name"),
        (image("--iterations", "0"), "--iterations: 0 is under the minimum of 1"),
        (image("--iterations", "1" + "0" * 400), "iterations: a number of 401 digits is too large"),
        (image("--iterations", "x"),
         "Invalid value for '--iterations': 'x' is not a valid integer. (see deepfusion image --help)"),
        (image("--content-weight", "nan"), "--content-weight: nan is not a finite number"),
        (image("--style-weight", "-1"), "--style-weight: -1 is under the minimum of 0"),
        (image("--style-layer-weights", "1,nan,1,1,1,1"),
         "--style-layer-weights: (1.0, nan, 1.0, 1.0, 1.0, 1.0): weights must be finite and not negative"),
        (image("--style-layer-weights", "1,a"),
         "Invalid value for '--style-layer-weights': '1,a' is not a list of numbers separated by commas "
         "(see deepfusion image --help)"),
        (image("--content-weight", "0", "--style-weight", "0"),
         "nothing to optimise: give --content-weight or --style-weight a value above 0"),
        (image(style="../style.png:nan"), "--style ../style.png:nan: the weight must be a number above 0"),
        *((image(style=f"../style.png:{weight}"),
           f"--style ../style.png:{weight}: '{weight}' is no weight; write a number above 0, like ../style.png:0.7")
          for weight in ("abc", "0,7", "")),
        (image(style="../no.png:abc"), "../no.png:abc: there is no such file; check the name"),
        (image("--size", "15"), "--size: 15 is under the minimum of 16"),
        (video("--frames", "a:b"), "frames 'a:b' is no range; write START:STOP, for example 0:48"),
        (video("--frames", "6:9"), "--frames 6:9: ../clip.mp4 has only 6 frames, numbered from 0"),
        (video("--frames", "3:3"), "frames '3:3' selects nothing; write START:STOP, for example 0:48"),
        (video("--frames", "2:5", "--movie-frame", "5"),
         "--movie-frame 5: is not among the frames to be stylized, which are 2 to 4"),
        (video("--fps", "fast"), "--fps fast: expected a rate like 25, 23.976 or 30000/1001"),
        (video("--fps", "1/0"), "--fps 1/0: expected a rate like 25, 23.976 or 30000/1001"),
        (video("--fps", "0"), "--fps 0: must be above 0 and at most 1000"),
        (["progress", "no.run", "-o", "a.mp4"], "no.run: there is no such run folder; keep one with --keep-run"),
        (["run", "no.toml"], "no.toml: there is no such file; check the name"),
    ],
)  # fmt: skip
def test_wrong_use_is_one_line(arguments: list[object], message: str, place: Path) -> None:
    assert refused(*arguments) == message
    assert tree(place) == []


def test_an_unknown_option_names_near_ones(place: Path) -> None:
    said = refused(*image("--stile", "x"))
    assert said.startswith("No such option '--stile'. (Did you mean one of: ")
    assert "'--style'" in said


# --- bad input ------------------------------------------------------------------------------------------------


WRONG_PRESETS = {
    "word": 'style_statistic = "nearst"',
    "bound": "style_crop = 0.5",
    "layer": 'style_layers = ["foo"]',
    "odds": 'style_statistic = "sliced"\nnormalization = "rms"',
}


def bad_files(folder: Path) -> None:
    (folder / "empty.png").touch()
    (folder / "empty.mp4").touch()
    (folder / "text.png").write_text("hello")
    (folder / "text.mp4").write_text("hello")
    (folder / "album").mkdir()
    (folder / "album" / "notes.txt").write_text("hello")
    small = from_uint8(np.zeros((12, 300, 3), np.uint8))
    write_image(folder / "small.png", small)
    (folder / "preset.toml").write_text("iteratons = 3\n")
    for name, line in WRONG_PRESETS.items():
        (folder / f"{name}.toml").write_text(line + "\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (image(content="../foto.png"), "../foto.png: there is no such file; did you mean ../photo.png?"),
        (image(style="../nothing"), "../nothing: there is no such file; check the name"),
        (image(content="../*.png"),
         "../*.png: there is no such file; a pattern in quotes stays a name; name a file, or the folder"),
        (image(content="a" * 300), "a" * 300 + ": there is no such file; check the name"),
        (image(content="../empty.png"), "../empty.png is empty (0 bytes); copy or download it again"),
        (image(style="../empty.png"), "../empty.png is empty (0 bytes); copy or download it again"),
        (image(content="../text.png"),
         "../text.png is a text file; use JPEG, PNG, WebP, HEIC, TIFF, BMP, GIF or AVIF"),
        (image("--init", "../text.png"),
         "../text.png is a text file; use JPEG, PNG, WebP, HEIC, TIFF, BMP, GIF or AVIF"),
        (image(content="../clip.mp4"),
         "../clip.mp4: is a clip, not a picture; for clips use `deepfusion video`"),
        (image(style="../clip.mp4"),
         "../clip.mp4 is a clip, not a picture; use JPEG, PNG, WebP, HEIC, TIFF, BMP, GIF or AVIF"),
        (["../album", "-o", "out"],
         "../album: say first what to do: `deepfusion album` for its photos, `deepfusion video` for a clip"),
        (image(content="../album"),
         "../album: is a folder, not a picture; for all pictures in it use `deepfusion album`"),
        (image(style="../album"), "../album: there are no pictures in this folder"),
        (image(content="../small.png"),
         "../small.png: 300x12 pixels is too small for the network, which needs 16 on the shorter side; "
         "use a larger picture"),
        (image(style="../small.png"),
         "../small.png: 300x12 pixels is too small for the network, which needs 16 on the shorter side; "
         "use a larger picture"),
        (image("--size", "40", "--style-statistic", "gram"),
         "../photo.png: 40x30 pixels is too small for the network, which needs 32 on the shorter side; "
         "give a larger --size"),
        (image("--preset", "../preset.toml"), "../preset.toml: unknown key 'iteratons': did you mean iterations?"),
        (image("--preset", "../word.toml"), "../word.toml: style_statistic: unknown value 'nearst': did you mean nearest?"),
        (image("--preset", "../bound.toml"), "../bound.toml: style_crop: 0.5 is over the maximum of 0.4"),
        (image("--preset", "../layer.toml"),
         "../layer.toml: style_layers: unknown layer 'foo': layers are named block1_conv1 to block5_conv4"),
        (image("--preset", "../odds.toml"),
         "../odds.toml: normalization: rms: is a formula for Gram matrices; with style_statistic sliced set "
         "normalization to relative, or choose style_statistic gram"),
        (image("--preset", "../bound.toml", "--style-crop", "0.6"), "--style-crop: 0.6 is over the maximum of 0.4"),
        (video("-o", "out.png"),
         "cannot write out.png: a video job makes a clip, such as out.mp4; pictures are done by "
         "`deepfusion image`"),
        (video(content="../no.mp4"), "../no.mp4: there is no such file; check the name"),
        (video(content="../empty.mp4"), "../empty.mp4 is empty (0 bytes); copy or download it again"),
        (video(content="../text.mp4"), "../text.mp4 is a text file, not a clip"),
        (video(content="../photo.png"),
         "../photo.png is a picture, not a clip; for one picture use `deepfusion image`"),
        (video(content="../album"), "../album holds no pictures; name them like frame_0001.png"),
        (video("--size", "32", "--style-statistic", "gram"),
         "../clip.mp4: 32x24 pixels is too small for the network, which needs 32 on the shorter side; "
         "give a larger --size or a larger clip"),
        (["album", "../photo.png", "--style", "../style.png", "-o", "out", *SLIM],
         "../photo.png: is not a folder; for one picture use `deepfusion image`"),
        (["album", "../album", "--style", "../style.png", "-o", "out", *SLIM],
         "../album: there are no pictures in this folder"),
        (["album", "..", "--style", "../album", "-o", "out", *SLIM],
         "../album: there are no pictures in this folder"),
        (["album", "..", "--style", "../text.png", "-o", "out", *SLIM],
         "../text.png is a text file; use JPEG, PNG, WebP, HEIC, TIFF, BMP, GIF or AVIF"),
        (["album", "..", "--style", "../style.png:2", "-o", "out", *SLIM],
         "--style ../style.png:2.0: an album uses its styles one by one; leave the weight out"),
        (["album", "..", "--style", "../style.png", "-o", "../photo.png/out", *SLIM],
         "../photo.png/out: {place}/../photo.png is a file; an album needs a folder as its output"),
        (["album", "..", "--style", "../style.png", "-o", "../text.png", *SLIM],
         "../text.png: is a file; an album needs a folder as its output"),
        (["album", "..", "--style", "../style.png", "-o", "..", *SLIM],
         "..: is an input of this job; give the output another name"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(arguments: list[object], message: str, place: Path) -> None:
    bad_files(place.parent)
    assert refused(*arguments) == message.format(place=place)
    assert tree(place) == []


def test_a_clip_without_pictures_is_refused(place: Path) -> None:
    sound = ["-f", "lavfi", "-i", "sine=frequency=440:duration=0.2", "-c:a", "aac"]
    convert(sound, place.parent / "sound.mp4")
    assert refused(*video(content="../sound.mp4")).startswith("../sound.mp4 has no video track")
    assert tree(place) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "out.bmp"], "cannot write out.bmp: the suffix .bmp is not supported; use one of .png, "),
        (["-o", "out.mp4"],
         "cannot write out.mp4: an image job makes a picture, such as out.png; clips are done by "
         "`deepfusion video`, and a movie of how a picture comes about is --progress-movie"),
        (["-o", "out"], "cannot write out: a name without a suffix is not supported; use one of .png, "),
        (["-o", "no/out.png"], "cannot write no/out.png: there is no folder {place}/no; make it first"),
        (["-o", ".."], "..: is a folder"),
        (["-o", "there.png"], "there.png exists already; give --overwrite to replace it, or choose another name"),
        (["-o", "../photo.png"], "../photo.png: is an input of this job; give the output another name"),
        (["-o", "../photo.png", "--overwrite"], "../photo.png: is an input of this job; give the output another name"),
        (["-o", "hard.png", "--overwrite"], "hard.png: is an input of this job; give the output another name"),
        (["-o", "../style.png", "--overwrite"], "../style.png: is an input of this job; give the output another name"),
        (["-o", "a.png", "--progress-movie", "a.avi"], "cannot write a.avi: the suffix .avi is not supported"),
        (["-o", "a.png", "--progress-movie", "../style.png"], "cannot write ../style.png: the suffix .png is not"),
        (["-o", "a.png", "--save-settings", "a.json"], "cannot write a.json: the suffix .json is not supported"),
        (["-o", "a.webp", "--progress-movie", "./a.webp"], "a.webp: is named for two outputs; give each a name of its"),
    ],
)  # fmt: skip
def test_an_output_that_cannot_be_is_refused(arguments: list[str], message: str, place: Path) -> None:
    (place / "there.png").touch()
    os.link(os.path.realpath("../photo.png"), "hard.png")
    said = refused("image", "../photo.png", "--style", "../style.png", *SLIM, *arguments)
    if arguments != ["-o", ".."]:
        assert said.startswith(message.format(place=place))
    assert tree(place) == ["hard.png", "there.png"]


@pytest.mark.parametrize(
    "arguments", [image(), video(), ["album", "..", "--style", "../style.png", "-o", "out", *SLIM]]
)
def test_an_output_folder_that_is_read_only_is_refused(
    arguments: list[object], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "is_writable", lambda folder: False)  # root may write everywhere
    assert "is not writable; choose another" in refused(*arguments)
    assert tree(place) == []


def test_a_clip_is_not_its_own_output(place: Path) -> None:
    (place / "in.mp4").write_bytes((place.parent / "clip.mp4").read_bytes())
    arguments = ["video", "in.mp4", "--style", "../style.png", "-o", "./in.mp4", "--overwrite", *SLIM]
    assert refused(*arguments) == "in.mp4: is an input of this job; give the output another name"
    assert tree(place) == ["in.mp4"]


def bad_weights(folder: Path) -> None:
    data = embedded_path("vgg19-slim").read_bytes()
    (folder / "page.h5").write_text("<!DOCTYPE html><html>sign in</html>")
    (folder / "cut.npz").write_bytes(data[: len(data) // 2])
    (folder / "good.npz").write_bytes(data)
    with np.load(embedded_path("vgg19-slim")) as arrays:
        layers = {name: arrays[name] for name in arrays}
    layers["block1_conv2/kernel"] = layers["block1_conv2/kernel"][:, :, :8]
    np.savez(folder / "shapes.npz", **layers)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["../page.h5"], "../page.h5: a web page was saved instead of the weights; download the file itself"),
        (["../cut.npz"], "../cut.npz: damaged or cut-off .npz file ("),
        (["../shapes.npz"],
         "../shapes.npz: the kernel of block1_conv2 has shape (3, 3, 8, 16), expected (3, 3, 16, 16); this is not a VGG-19"),
        (["../god.npz"], "../god.npz: no such file; did you mean good.npz?"),
        (["../good.npz", "--weights-sha256", "0" * 64], f"../good.npz: expected SHA-256 {'0' * 64}, got "),
        (["../good.npz", "--weights-sha256", "abc"], "'abc' is not a SHA-256: 64 hexadecimal digits are expected"),
        (["../good.npz", *SLIM, "--content-layers", "block5_conv4"], "the weights of vgg19-slim end at block5_conv2"),
    ],
)  # fmt: skip
def test_weights_that_will_not_do_are_refused(arguments: list[str], message: str, place: Path) -> None:
    bad_weights(place.parent)
    command = ["image", "../photo.png", "--style", "../style.png", "-o", "out.png", "--weights", *arguments]
    assert refused(*command).startswith(message)
    assert tree(place) == []


@pytest.mark.parametrize("movie", [False, True])
def test_an_old_ffmpeg_is_refused(movie: bool, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = place.parent / "ffmpeg"
    fake.write_text("#!/bin/sh\necho 'ffmpeg version 4.3.9-0+deb11u1 Copyright (c) 2000-2024'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("DEEPFUSION_FFMPEG", str(fake))
    said = refused(*(image("--progress-movie", "a.mp4") if movie else video()))
    assert said == (
        f"{fake} is ffmpeg 4.3.9-0+deb11u1, older than 5.1; "
        f"install ffmpeg 5.1 or newer, or run: pip install imageio-ffmpeg"
    )
    assert tree(place) == []


def test_a_name_that_is_no_program_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPFUSION_FFMPEG", "/no/ffmpeg")
    assert refused(*video()) == "DEEPFUSION_FFMPEG names /no/ffmpeg, which is no program; mend or unset it"
    assert tree(place) == []


def test_a_job_file_with_an_unknown_key_is_refused(place: Path) -> None:
    text = """
        command = "image"
        content = "../photo.png"
        style = "../style.png"
        output = "out.png"
        [settings]
        iteratons = 3
        """
    Path("job.toml").write_text(textwrap.dedent(text))
    assert (
        refused("run", "job.toml")
        == "job.toml: [settings]: unknown key 'iteratons': did you mean iterations?"
    )
    assert tree(place) == ["job.toml"]


def test_a_job_file_with_a_value_out_of_range_is_refused(place: Path) -> None:
    keys = 'command = "image"\ncontent = "../photo.png"\nstyle = "../style.png"\noutput = "out.png"\n'
    Path("job.toml").write_text(keys + "[settings]\niterations = 0\n")
    assert refused("run", "job.toml") == "job.toml: [settings]: iterations: 0 is under the minimum of 1"


def test_what_is_in_the_way_of_a_run_folder_stays(place: Path) -> None:
    Path("out.png.run").mkdir()
    Path("out.png.run/mine.txt").touch()
    said = refused(*image("--keep-run"))
    assert said == "out.png.run: is in the way of the run folder and is none; move it or rename the output"
    assert tree(place) == ["out.png.run/mine.txt"]


@pytest.mark.parametrize(
    "command", [["progress", "run", "-o", "a.mp4", "--seconds"], image("--movie-seconds")]
)
def test_a_length_that_is_no_number_is_refused(command: list[object], place: Path) -> None:
    assert "'nan' is not a number of seconds" in refused(*command, "nan")
    assert tree(place) == []


@pytest.mark.slow
def test_a_quiet_album_says_nothing_at_all(place: Path) -> None:
    """Not even what TensorFlow's own code writes past Python when it starts."""
    arguments = ["album", "photos", "--style", "../style.png", "-o", "out", "-q", *QUICK]
    (place / "photos").mkdir()
    (place / "photos" / "a.png").write_bytes((place.parent / "photo.png").read_bytes())
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    ran = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *map(str, arguments)],
        env={**environment, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert (place / "out" / "a.png").exists()


def test_a_clip_without_a_frame_leaves_nothing_behind(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_frames(*_: object) -> Iterator[object]:
        yield from ()

    monkeypatch.setattr("pipeline.clip.source.Clip.contents", no_frames)
    ran = deepfusion("video", "../clip.mp4", "--style", "../style.png", "-o", "out.mp4", *QUICK, "-q")
    assert (ran.code, ran.err) == (
        2,
        "deepfusion: ../clip.mp4: no frame could be decoded; the clip is damaged\n",
    )
    assert tree(place) == []
