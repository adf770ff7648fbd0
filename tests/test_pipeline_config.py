"""Presets, job files and the texts they are made of."""

# ruff: noqa: E501 - messages are given in full

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.settings.job import Job, StyleSource, build_job, parse_style
from pipeline.settings.job_file import job_text, read_job
from pipeline.settings.job_settings import SETTINGS, build_settings, known_keys
from pipeline.settings.presets import preset_names, preset_text, read_preset
from stylize.config import StylizeConfig
from stylize.errors import ConfigError

NAMES = {
    "classroom", "coursera", "deep-fusion", "default", "fine", "gatys", "neural-style", "preview", "video",
}  # fmt: skip
STYLES = (StyleSource(Path("style.jpg")),)


def refusal(text: str | bytes, folder: Path) -> str:
    """What is said of a job file with this content, without its path."""
    path = folder / "job.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(UsageError) as caught:
        read_job(path)
    assert caught.value.exit_code == 2
    return str(caught.value).removeprefix(f"{path}: ")


def job_file(folder: Path, text: str = "", **keys: str) -> str:
    values = {"command": "'image'", "content": "'a.png'", "style": "'b.png'", "output": "'c.png'", **keys}
    return "".join(f"{key} = {value}\n" for key, value in values.items()) + text


# --- presets --------------------------------------------------------------------------------------------------


def test_the_presets_are_those_of_the_design() -> None:
    assert set(preset_names()) == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
@pytest.mark.parametrize("command", SETTINGS)
def test_every_preset_fits_every_command(name: str, command: str) -> None:
    build_job(command, Path("a"), STYLES, Path("b"), preset=name)


@pytest.mark.parametrize("name", sorted(NAMES - {"default"}))
def test_a_preset_differs_from_the_defaults(name: str) -> None:
    values = read_preset(name)
    assert values
    for command in SETTINGS:
        if any(key in known_keys(command) for key in values):
            plain = build_job(command, Path("a"), STYLES, Path("b"))
            assert build_job(command, Path("a"), STYLES, Path("b"), preset=name) != plain


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_preset_begins_with_a_line_that_says_what_it_is(name: str) -> None:
    first = preset_text(name).splitlines()[0]
    assert first.startswith("# ")
    assert len(first) > 20


def test_the_default_preset_is_the_defaults() -> None:
    assert build_job("image", Path("a"), STYLES, Path("b")).stylize == StylizeConfig()


def test_an_unknown_preset_names_the_near_miss() -> None:
    with pytest.raises(UsageError) as caught:
        read_preset("gatis")
    assert str(caught.value) == "unknown preset 'gatis': did you mean gatys? Or give the path of a .toml file"


def test_a_preset_file_is_checked_and_its_paths_are_relative_to_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("iterations = 7\nweights = 'w.npz'\ninit = 'start.png'\n")
    assert read_preset(str(path)) == {
        "iterations": 7, "weights": str(tmp_path / "w.npz"), "init": str(tmp_path / "start.png"),
    }  # fmt: skip
    path.write_text("iteration = 7\n")
    with pytest.raises(UsageError) as caught:
        read_preset(str(path))
    assert str(caught.value) == f"{path}: unknown key 'iteration': did you mean iterations?"


def test_a_job_file_given_as_a_preset_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_text(job_file(tmp_path))
    with pytest.raises(UsageError) as caught:
        read_preset(str(path))
    assert str(caught.value) == f"{path}: is a job file, not a preset; give it to `deepfusion run`"


def test_overrides_win_over_the_preset_and_the_preset_over_the_defaults() -> None:
    job = build_job("image", Path("a"), STYLES, Path("b"), preset="preview", overrides={"size": 99})
    assert (job.settings.size, job.stylize.iterations) == (99, read_preset("preview")["iterations"])


# --- style and its weight -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path", "weight"),
    [
        ("a.jpg", "a.jpg", 1.0),
        ("a.jpg:0.7", "a.jpg", 0.7),
        ("a:b.jpg:2", "a:b.jpg", 2.0),
        ("a:b.jpg", "a:b.jpg", 1.0),
        ("a.jpg:", "a.jpg:", 1.0),
        (":0.5", ":0.5", 1.0),
        ("dir/a.jpg:1e-3", "dir/a.jpg", 1e-3),
    ],
)
def test_a_style_is_a_path_and_perhaps_a_weight(text: str, path: str, weight: float) -> None:
    assert parse_style(text) == StyleSource(Path(path), weight)


@pytest.mark.parametrize("number", ["0", "-1", "nan", "inf"])
def test_a_weight_that_makes_no_sense_is_refused(number: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_style(f"a.jpg:{number}")
    assert str(caught.value) == f"--style a.jpg:{number}: the weight must be a number above 0"


def test_a_file_whose_name_ends_like_a_weight_is_a_path(tmp_path: Path) -> None:
    (tmp_path / "a:2").touch()
    assert parse_style(f"{tmp_path}/a:2") == StyleSource(tmp_path / "a:2")
    assert parse_style("a:2", tmp_path) == StyleSource(tmp_path / "a:2")


@given(st.floats(min_value=1e-300, max_value=1e300))
def test_a_weight_survives_being_written(weight: float) -> None:
    assert parse_style(str(StyleSource(Path("a.jpg"), weight))) == StyleSource(Path("a.jpg"), weight)


# --- job files ------------------------------------------------------------------------------------------------


def test_a_job_survives_being_written_and_read(tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    folder.mkdir()
    (tmp_path / "weights.npz").touch()
    job = build_job(
        "video", folder / "clip.mp4", (StyleSource(folder / "a b.jpg", 0.7), StyleSource(folder / "c\"é😀.jpg", 1 / 3)),
        folder / "out.mp4", preset="coursera",
        overrides={"frames": "0:5", "weights": str(folder / "w.npz"), "init": str(folder / "s.png"), "tv_weight": 1e-7},
    )  # fmt: skip
    path = folder / "job.toml"
    path.write_text(job_text(job, folder), encoding="utf-8")
    assert read_job(path) == job


@pytest.mark.parametrize("command", SETTINGS)
@pytest.mark.parametrize("preset", ["default", "gatys", "video"])
def test_every_setting_is_in_a_job_file(command: str, preset: str, tmp_path: Path) -> None:
    job = build_job(command, tmp_path / "a", STYLES, tmp_path / "b", preset=preset)
    document = tomllib.loads(job_text(job, tmp_path))
    of_others = {"style_coherence"} if preset != "default" else set()
    assert set(document["settings"]) == set(known_keys(command)) - of_others


@pytest.mark.parametrize("value", [1.0, 2.0])
def test_a_coherence_that_does_nothing_is_refused_where_it_was_given(value: float, tmp_path: Path) -> None:
    """Its default too; what a file has for its own statistic is not in the way of another."""
    message = "style_coherence: is for style_statistic nearest only; leave it out with style_statistic gram"
    given = f"[settings]\nstyle_coherence = {value}\n"
    assert (
        refusal(job_file(tmp_path, given + "style_statistic = 'gram'\n"), tmp_path)
        == f"[settings]: {message}"
    )
    assert refusal(job_file(tmp_path, given, preset="'gatys'"), tmp_path) == f"[settings]: {message}"
    path = tmp_path / "job.toml"
    path.write_text(job_file(tmp_path, given))
    assert read_job(path).stylize.style_coherence == value
    assert read_job(path, overrides={"style_statistic": "gram"}).stylize.style_statistic == "gram"
    preset = tmp_path / "preset.toml"
    preset.write_text(f"style_coherence = {value}\n")
    parts = ("image", tmp_path / "a", STYLES, tmp_path / "b")
    other = build_job(*parts, preset=str(preset), overrides={"style_statistic": "gram"})
    assert other.stylize.style_statistic == "gram"
    with pytest.raises(ConfigError, match=f"^{message}$"):
        build_job(*parts, preset="gatys", overrides={"style_coherence": value})


def test_a_job_file_says_which_network_ran(tmp_path: Path) -> None:
    for name in ("vgg19", "vgg19-slim"):
        job = build_job("image", tmp_path / "a", STYLES, tmp_path / "b", overrides={"backbone": name})
        assert tomllib.loads(job_text(job, tmp_path))["settings"]["backbone"] == name


def test_paths_in_a_job_file_are_relative_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "jobs"
    folder.mkdir()
    path = folder / "job.toml"
    path.write_text(
        job_file(folder, "[settings]\nweights = 'w.npz'\ninit = '../s.png'\n", style="['b.png:2', 'x:y.png']")
    )
    monkeypatch.chdir(tmp_path)
    job = read_job(Path("jobs/job.toml"))
    assert job.content == Path("jobs/a.png")
    assert job.output == Path("jobs/c.png")
    assert job.styles == (StyleSource(Path("jobs/b.png"), 2.0), StyleSource(Path("jobs/x:y.png")))
    assert (job.settings.weights, job.stylize.init) == ("jobs/w.npz", "jobs/../s.png")
    assert read_job(Path("jobs/job.toml"), output=Path("d.png")).output == Path("d.png")


def test_a_file_named_like_a_start_does_not_change_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "noise").touch()
    job = build_job("image", Path("a"), STYLES, Path("b"), overrides={"init": "noise"})
    path = tmp_path / "job.toml"
    path.write_text(job_text(job, tmp_path))
    assert read_job(path).stylize.init == "noise"


def test_links_among_the_folders_do_not_break_a_job_file(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "er")
    (tmp_path / "a.png").touch()
    job = build_job("image", tmp_path / "a.png", STYLES, tmp_path / "b")
    path = tmp_path / "link" / "job.toml"
    path.write_text(job_text(job, path.parent))
    assert read_job(path).content.samefile(tmp_path / "a.png")


def test_a_name_that_is_not_utf8_cannot_go_into_a_job_file(tmp_path: Path) -> None:
    job = build_job("image", tmp_path / os.fsdecode(b"\xff.png"), STYLES, tmp_path / "b")
    with pytest.raises(UsageError, match="not UTF-8 cannot stand in a job file; rename"):
        job_text(job, tmp_path)


@pytest.mark.parametrize(
    ("keys", "text", "message"),
    [
        ({"comand": "1"}, "", "unknown key 'comand': did you mean command?"),
        ({"command": "'vido'"}, "", "command: unknown value 'vido': did you mean video?"),
        ({"command": "1"}, "", "command: unknown value 1: choose from image, video, album"),
        ({"content": "3"}, "", "content: expected a text in quotes, got 3"),
        ({"output": "''"}, "", "output: expected a text in quotes, got ''"),
        ({"preset": "1"}, "", "preset: expected a text in quotes, got 1"),
        ({"style": "[1]"}, "", "style: expected a path or a list of paths in quotes, got [1]"),
        ({"style": "[]"}, "", "style: expected a path or a list of paths in quotes, got []"),
        ({"settings": "1"}, "", "settings: expected a table [settings], got 1"),
        ({}, "[settings]\nsise = 1", "[settings]: unknown key 'sise': did you mean size?"),
        ({}, "[settings]\ncrf = 1", "[settings]: unknown key 'crf': choose from content_weight"),
        ({}, "[settings]\nsize = 'x'", "[settings]: size: expected a whole number, got 'x'"),
        ({}, "[settings]\nsize = 1.5", "[settings]: size: expected a whole number, got 1.5"),
        ({}, "[settings]\nsize = true", "[settings]: size: expected a whole number, got True"),
        ({}, "[settings]\nseed = 1" + "0" * 30, "[settings]: seed: a number of 31 digits is too large"),
        ({}, "[settings]\ninit = 1", "[settings]: init: expected a text in quotes, got 1"),
        ({}, "[settings]\ntv_weight = '1'", "[settings]: tv_weight: expected a number, got '1'"),
        ({}, "[settings]\nrescale_activations = 1", "[settings]: rescale_activations: expected true or false, got 1"),
        ({}, "[settings]\nstyle_layer_weights = 1.5", "[settings]: style_layer_weights: expected a list, got 1.5"),
        ({}, "[settings]\nstyle_layers = [1]", "[settings]: style_layers: expected a text in quotes, got 1"),
        ({}, "[[", "is not TOML: "),
        ({}, "\ud800", "is not TOML: "),
    ],
)  # fmt: skip
def test_a_wrong_job_file_is_named_with_its_key(
    keys: dict[str, str], text: str, message: str, tmp_path: Path
) -> None:
    content = job_file(tmp_path, text, **keys).encode("utf-8", "surrogatepass")
    said = refusal(content, tmp_path)
    assert said.startswith(message) if message.endswith((" ", "content_weight")) else said == message


@pytest.mark.parametrize("key", ["command", "content", "style", "output"])
def test_a_job_file_without_a_key_is_refused(key: str, tmp_path: Path) -> None:
    lines = [line for line in job_file(tmp_path).splitlines() if not line.startswith(key)]
    assert refusal("\n".join(lines), tmp_path).startswith(f"{key}: ")


def test_an_unknown_preset_in_a_job_file_names_the_near_miss(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^unknown preset 'gatis': did you mean gatys"):
        path = tmp_path / "job.toml"
        path.write_text(job_file(tmp_path, preset="'gatis'"))
        read_job(path)


def test_a_setting_out_of_range_is_a_config_error() -> None:
    with pytest.raises(ConfigError) as caught:
        build_settings("image", {"size": 8})
    assert str(caught.value) == "size: 8 is under the minimum of 16"


def test_a_settings_file_has_at_most_a_megabyte(tmp_path: Path) -> None:
    assert refusal(b"#" * 1_000_001, tmp_path) == "over 1 MB is not a settings file"
    assert "command: missing" in refusal(b"#" * 1_000_000, tmp_path)


def test_a_missing_or_unreadable_job_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_job(tmp_path / "no.toml")
    assert str(caught.value) == f"{tmp_path}/no.toml: there is no such file; check the name"
    with pytest.raises(UsageError) as caught:
        read_job(tmp_path)
    assert str(caught.value) == f"{tmp_path}: is no plain file; name a file of settings"


KEYS = st.sampled_from(
    ["command", "content", "style", "output", "preset", "settings", "[settings]", "size", "weights"]
)
VALUES = st.one_of(
    st.sampled_from(
        ["'image'", "'x'", "['x:nan']", "'a\\u0000b'", "nan", "-inf", "1e400", "[[]]", "{}", "true", "0x1F"]
    ),
    st.integers().map(str),
    st.text(max_size=8).map(repr),
)
LINES = st.one_of(st.tuples(KEYS, VALUES).map(" = ".join), st.just("[settings]"), st.text(max_size=12))


@pytest.mark.slow
@given(st.one_of(st.binary(max_size=200), st.lists(LINES, max_size=8).map("\n".join)))
def test_no_bytes_give_anything_but_a_usage_error(
    tmp_path_factory: pytest.TempPathFactory, text: str | bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    for read in (read_job, lambda path: read_preset(str(path))):
        try:
            assert isinstance(read(path), (Job, dict))
        except (UsageError, ConfigError) as error:
            assert error.exit_code == 2
            assert str(path) in str(error) or isinstance(error, ConfigError) or "preset" in str(error)


def test_an_unknown_preset_that_is_near_none_gets_the_list() -> None:
    with pytest.raises(UsageError) as caught:
        read_preset("zzz")
    listed = ", ".join(preset_names())
    assert str(caught.value) == (
        f"unknown preset 'zzz': choose from {listed}, or give the path of a .toml file"
    )


def test_one_text_is_a_list_of_one(tmp_path: Path) -> None:
    job = tmp_path / "job.toml"
    job.write_text(
        'command = "image"\ncontent = "c.png"\nstyle = "s.png"\noutput = "o.png"\n[settings]\n'
        'mask = "m.png"\nstyle_layers = "relu1_1"\n'
    )
    read = read_job(job)
    assert read.settings.mask == (str(tmp_path / "m.png"),)
    assert read.stylize.style_layers == ("block1_conv1",)
    assert read.stylize.style_statistic == "gram"  # layers alone were a file of before there was a choice
    assert read_job(job, overrides={"style_statistic": "sliced"}).notes == ()
