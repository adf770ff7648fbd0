"""Change over a clip: keyframes and shots, in texts, job files, and pictures."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pipeline_runs import QUICK, done, refused

from pipeline.clip.motion import loosened
from pipeline.clip.timeline import Timeline, look_change
from pipeline.settings.keyframes import Change, parse_change, table_of, text_of
from stylize.anchor import Anchor
from stylize.colors import grey
from stylize.errors import ConfigError
from stylize.look import Look
from video.decode import read_frames
from video.images import read_image
from video.probe import probe
from video.timing import TimeTable

FEW = (*QUICK, "--iterations", "8", "--frame-iterations", "3")


def clip_of(rate: str = "25", frames: int = 100) -> Any:
    return SimpleNamespace(source=SimpleNamespace(rate=Fraction(rate), frames=frames))


def timeline(*keyframes: str, shots: tuple[str, ...] = (), counts: tuple[int, ...] = (1, 1)) -> Timeline:
    return Timeline(Look(), keyframes, shots, clip_of(), counts)


# --- texts and tables ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "text", "change"),
    [
        ("keyframe", "48 strength=0.5", Change(48, 0.5)),
        ("keyframe", "00:02 style=7,3", Change(Fraction(2), None, (7.0, 3.0))),
        ("keyframe", "1:02:03.5 strength=1 ease=hold", Change(Fraction("3723.5"), 1.0, None, "hold")),
        ("keyframe", "2.5s strength=0 style=0,1 ease=linear", Change(Fraction("2.5"), 0.0, (0, 1), "linear")),
        ("shot", "2 style=0,1", Change(2, None, (0.0, 1.0))),
    ],
)
def test_a_text_is_a_change_and_a_table(setting: str, text: str, change: Change) -> None:
    assert parse_change(setting, text) == change
    assert parse_change(setting, text_of(setting, table_of(setting, text))) == change


@pytest.mark.parametrize(
    ("setting", "text", "message"),
    [
        ("keyframe", "", "is empty"),
        ("keyframe", "2", "changes nothing; give strength=S or style=A,B"),
        (
            "keyframe",
            "2.5 strength=1",
            "'2.5' is no place; write a time like 00:02 or 2.5s, or the number of",
        ),
        ("keyframe", "soon strength=1", "'soon' is no place"),
        ("keyframe", "2 strenght=1", "unknown word 'strenght=1': did you mean strength?"),
        ("keyframe", "2 strength", "write strength=VALUE, once"),
        ("keyframe", "2 strength=1 strength=0", "write strength=VALUE, once"),
        ("keyframe", "2 strength=2", "strength 2 must be between 0 and 1"),
        ("keyframe", "2 strength=nan", "'nan' is not a number"),
        ("keyframe", "2 style=0,0", "shares of styles must not be under 0, nor all 0"),
        ("keyframe", "2 style=1,-1", "shares of styles must not be under 0, nor all 0"),
        ("keyframe", "2 strength=1 ease=smoth", "unknown ease 'smoth': did you mean smooth?"),
        ("shot", "0 strength=1", "shots are counted from 1"),
        ("shot", "00:02 strength=1", "'00:02' is not the number of a shot; they are counted from 1"),
        ("shot", "2 strength=1 ease=hold", "unknown word 'ease=hold'"),
    ],
)
def test_what_is_wrong_with_a_text(setting: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_change(setting, text)
    assert f"{setting}: {text!r}: {message}" in str(caught.value)


# --- between keyframes --------------------------------------------------------------------------------------


def test_values_are_eased_between_keyframes_and_hold_outside() -> None:
    fade = timeline(
        "10 strength=0.2", "30 strength=1", "50 strength=0 ease=linear", "70 strength=1 ease=hold"
    )
    expected = {0: 0.2, 10: 0.2, 15: 0.325, 20: 0.6, 30: 1.0, 35: 0.75, 50: 0.0, 69: 0.0, 70: 1.0, 99: 1.0}
    assert {index: fade.at(index, 1).strength for index in expected} == pytest.approx(expected)
    assert fade.at(20, 1).blend is None


def test_a_time_is_a_place_between_frames() -> None:
    fade = timeline("0 strength=0", "00:02 strength=1 ease=linear")  # 25 frames a second
    assert fade.at(25, 1).strength == pytest.approx(0.5)


def test_strength_and_styles_have_tracks_of_their_own() -> None:
    both = timeline("0 strength=0", "10 style=3,1", "20 strength=1 ease=linear", "30 style=0,1 ease=linear")
    assert both.at(20, 1) == Look(1.0, (0.375, 0.625))
    assert both.at(0, 1) == Look(0.0, (0.75, 0.25))


def test_a_shot_has_its_own_values() -> None:
    own = timeline("0 strength=0.5 style=1,0", shots=("2 style=0,2", "3 strength=1"))
    assert [own.at(5, shot) for shot in (1, 2, 3)] == [
        Look(0.5, (1.0, 0.0)), Look(0.5, (0.0, 1.0)), Look(1.0, (1.0, 0.0)),
    ]  # fmt: skip
    assert own.last_shot == 3


def test_a_folder_of_styles_shares_what_it_is_given() -> None:
    assert timeline("0 style=1,1", counts=(1, 4)).at(0, 1).blend == (0.5, 0.125, 0.125, 0.125, 0.125)


def test_a_look_that_changes_is_held_less() -> None:
    assert look_change(Look(0.5, (1.0, 0.0)), Look(0.6, (0.7, 0.3))) == pytest.approx(0.3)
    assert look_change(Look(0.5), Look(0.6)) == pytest.approx(0.1)
    anchor = Anchor(np.zeros((2, 2, 3), np.float32), np.ones((2, 2), np.float32))
    steps = [loosened(anchor, change).weights[0, 0] for change in (0.0, 0.01, 0.02, 1.0)]
    assert steps[0] == 1.0
    assert steps[1] ** 2 == pytest.approx(steps[2])  # two steps loosen as much as one twice as large
    assert steps[3] < 1e-20


# --- jobs ---------------------------------------------------------------------------------------------------


def frames_of(path: Path) -> list[np.ndarray[Any, Any]]:
    return list(read_frames(probe(path)))


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_a_clip_fades_from_the_original(clip: Path, style: Path, tmp_path: Path) -> None:
    out, run = tmp_path / "out.mkv", tmp_path / "out.mkv.run"
    done("video", clip, "--style", style, "-o", out, *FEW, "--crf", "0",
         "--keep-run", "--keyframe", "0 strength=0", "--keyframe", "4 strength=1 ease=linear")  # fmt: skip
    contents, made = frames_of(clip), frames_of(out)
    change = [float(np.abs(one - other).mean()) for one, other in zip(contents, made, strict=True)]
    assert change[0] < 0.02 < change[2] < change[4]
    kept = read_image(run / "frames" / "000002.png")  # the next frame starts from the whole of it
    half = contents[2] + 0.5 * (kept - contents[2])
    np.testing.assert_allclose(grey(made[2]), grey(half), atol=0.025)  # encoding halves the colours' size


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_a_shot_has_its_own_style(clip: Path, pictures: Path, tmp_path: Path) -> None:
    cuts = tmp_path / "cuts.txt"
    cuts.write_text("3\n")
    common = ("video", clip, "-o", tmp_path / "out.mkv", "--cuts", cuts, *FEW,
              "--keep-run", "--overwrite")  # fmt: skip
    styles = ("--style", pictures / "red.png", "--style", pictures / "blue.png")
    shots = ("--shot", "1 style=1,0", "--shot", "2 style=0,1")
    said = refused(*common, *styles, *shots, "--shot", "5 strength=1")
    assert said == "--shot '5 strength=1': there are only 2 shots in what is stylized"
    done(*common, *styles, *shots)
    folder = tmp_path / "out.mkv.run" / "frames"
    both = [read_image(folder / f"{index:06d}.png") for index in range(6)]
    for name, frame in (("red.png", 0), ("blue.png", 3)):
        done(*common, "--style", pictures / name, "--restart")
        np.testing.assert_allclose(read_image(folder / f"{frame:06d}.png"), both[frame], atol=2 / 255)


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_a_shot_that_was_not_found_is_said(clip: Path, style: Path, tmp_path: Path) -> None:
    ran = done("video", clip, "--style", style, "-o", tmp_path / "o.mkv", *FEW, "--shot", "5 strength=1")
    assert "--shot 5: there is only 1 shot in what was stylized" in ran.err


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_a_job_file_has_tables(clip: Path, pictures: Path, tmp_path: Path) -> None:
    job, out = tmp_path / "job.toml", tmp_path / "out.mkv"
    styles = ("--style", pictures / "red.png", "--style", pictures / "blue.png")
    done("video", clip, *styles, "-o", out, *FEW, "--frames", "0:2", "--save-settings", job, "--keep-run",
         "--keyframe", "00:00.1 strength=0.5", "--keyframe", "2 style=0,1 ease=hold",
         "--shot", "1 strength=1")  # fmt: skip
    document = tomllib.loads(job.read_text())
    assert document["keyframes"] == [
        {"at": "00:00.1", "strength": 0.5}, {"at": 2, "style": [0.0, 1.0], "ease": "hold"},
    ]  # fmt: skip
    assert document["shots"] == [{"number": 1, "strength": 1.0}]
    assert not {"keyframe", "shot"} & set(document["settings"])
    done("run", job, "--overwrite")  # the same job: its run folder is taken
    text = job.read_text()
    for before, after, message in (
        ('at = "00:00.1"', 'at = "soon"', "'soon' is no place"),
        ('at = "00:00.1"', "when = 1", "[[keyframes]]: unknown key 'when'"),
        ("number = 1", "", "[[shots]]: number: missing; it says where"),
        ('ease = "hold"', "ease = 3", "unknown ease '3'"),
        ("[[shots]]", "[shots]", "shots: expected tables [[shots]]"),
    ):
        job.write_text(text.replace(before, after))
        assert message in refused("run", job)
    job.write_text(text[: text.index("[settings]")].replace('"video"', '"image"') + text[text.index("[[") :])
    assert "[[keyframes]]: only a clip changes; the command is image" in refused("run", job)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--keyframe", "0 style=1,1"),
         "--keyframe '0 style=1,1': 2 shares for 1 style; give one each, 0 for none"),
        (("--keyframe", "00:10 strength=1"), "the clip ends before, with frame 5"),
        (("--shot", "1 strength=1", "--shot", "1 style=1"),
         "shot: a shot is named twice; say all of it at once"),
        (("--keyframe", "3 strength=1", "--keyframe", "3 style=1"),
         "keyframe: a keyframe is named twice; say all of it at once"),
        (("--keyframe", "x"), "keyframe: 'x': changes nothing; give strength=S or style=A,B"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_change(
    arguments: tuple[str, ...], message: str, clip: Path, style: Path, tmp_path: Path
) -> None:
    assert message in refused("video", clip, "--style", style, "-o", tmp_path / "o.mp4", *QUICK, *arguments)


def test_a_time_in_a_clip_of_uneven_times(clip: Path) -> None:
    times = TimeTable((Fraction(0), Fraction(1), Fraction(3)), Fraction(4))
    uneven: Any = SimpleNamespace(source=replace(probe(clip), times=times))
    fade = Timeline(Look(), ("0 strength=0", "00:03 strength=1 ease=linear"), (), uneven, (1,))
    assert [fade.at(index, 1).strength for index in range(3)] == [0.0, 0.5, 1.0]
