"""A setting is declared once: what an option of throw-away settings classes is seen to do everywhere."""

# ruff: noqa: E501 - messages are given in full

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from tiny_encoder import tiny_weights

from pipeline.album.journal import unit_keys
from pipeline.album.units import StyledPhoto
from pipeline.cli import options as cli_options
from pipeline.cli.options import given, run_options, setting_options
from pipeline.errors import UsageError
from pipeline.progress.display import Display
from pipeline.progress.report import Report
from pipeline.run_folder.folder import RunFolder
from pipeline.run_folder.record import record_of
from pipeline.settings import run_options as of_runs
from pipeline.settings.input_files import inputs_of, relocated, worker_inputs
from pipeline.settings.job import Job, StyleSource, build_job
from pipeline.settings.job_file import job_text, read_job
from pipeline.settings.job_settings import SETTINGS, AlbumSettings, ImageSettings, VideoSettings
from pipeline.settings.run_options import RunOptions, WorkerOptions, option_names, options_of
from pipeline.steps.checks import check_inputs, check_outputs
from pipeline.steps.rehearsal import outputs_of
from pipeline.views.live.state import describe
from pipeline.views.report.collector import ReportCollector
from stylize.knobs import knob


@dataclass(frozen=True)
class Grain:
    """Options that no command has, of every kind."""

    grain: float = knob(0.0, "How much film grain.", minimum=0.0, maximum=1.0)
    grain_stock: str = knob("kodak", "Whose.", choices=("kodak", "fuji"))
    grain_of: str = knob(
        "noise", "A word, or a table.", metavar="noise|FILE", path=lambda text: text != "noise"
    )
    grain_table: str = knob("", "More of it.", metavar="PATH", path=True)
    grain_area: tuple[str, ...] = knob(
        (), "Where.", metavar="PATH", multiple=True, path=True, decides="place"
    )
    grain_model: str = knob("", "What makes it.", metavar="PATH", path=True, decides="network", by_name=True)
    grain_rate: str = knob("25", "Of a folder.", decides="folder")
    grain_order: str = knob("each", "What comes first.", decides="name")
    grain_cache: int = knob(1, "How much of it is kept.", decides="nothing")


@dataclass(frozen=True)
class GrainyImage(ImageSettings, Grain):
    """A picture's settings with grain."""


@dataclass(frozen=True)
class GrainyVideo(VideoSettings, Grain):
    """A clip's settings with grain."""


@dataclass(frozen=True)
class GrainyAlbum(AlbumSettings, Grain):
    """An album's settings with grain."""


@dataclass(frozen=True)
class GrainyRun(RunOptions):
    """Options of a run, with one more output."""

    grain_sheet: Path | None = knob(None, "Also make a sheet of grain.", metavar="PATH", path=True)
    grain_rows: int | None = knob(None, "Rows of it.", minimum=1, maximum=9, metavar="[ROWS]", bare=4)


@pytest.fixture(autouse=True)
def grainy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every command has the options, and there are the files that the tests name."""
    for command, cls in (("image", GrainyImage), ("video", GrainyVideo), ("album", GrainyAlbum)):
        monkeypatch.setitem(SETTINGS, command, cls)
    for module in (of_runs, cli_options):
        monkeypatch.setattr(module, "RunOptions", GrainyRun)
    monkeypatch.chdir(tmp_path)
    for name in ("photo.png", "style.png", "table.txt", "area.png"):
        Path(name).write_text(f"what is in {name}")
    for name in ("photos", "model"):
        Path(name).mkdir()
        Path(name, "1.png").write_text("one")


def job(command: str = "image", **settings: Any) -> Job:
    content = Path("photos" if command == "album" else "photo.png")
    return build_job(command, content, (StyleSource(Path("style.png")),), Path("out.png"), overrides=settings)


def record(made: Job) -> dict[str, Any]:
    return record_of(made, tiny_weights())


# --- asked for --------------------------------------------------------------------------------------------


def command_line(*arguments: str) -> tuple[dict[str, Any], str]:
    """The settings and the run options that a command was given, and what was printed."""
    found: dict[str, Any] = {}

    @click.command()
    @run_options("image")
    @setting_options("image")
    def command(**values: Any) -> None:
        found.update(given(values, "image"))
        found.update({name: value for name, value in values.items() if value is not None})

    return found, CliRunner().invoke(command, arguments, terminal_width=200).output


def test_options_of_the_command_line_and_their_help() -> None:
    asked = "--grain 0.5 --grain-area a.png --grain-area b.png --grain-sheet s.png --grain-rows"
    found, said = command_line(*asked.split())
    assert said == ""
    assert (found["grain"], found["grain_area"]) == (0.5, ("a.png", "b.png"))
    assert (found["grain_sheet"], found["grain_rows"]) == (Path("s.png"), 4)
    _, page = command_line("--help")
    for line in ("--grain FLOAT", "How much film grain.  [default: 0.0; 0<=x<=1]", "--grain-of noise|FILE",
                 "--grain-stock kodak|fuji", "--grain-sheet PATH", "--grain-rows [ROWS]"):  # fmt: skip
        assert line in page
    _, said = command_line("--grain-stock", "fugi")
    assert "unknown value 'fugi': did you mean fuji?" in said
    _, said = command_line("--grain-rows", "12")
    assert "'12' is no rows from 1 to 9; without a number put --grain-rows last or before an option" in said


def test_keys_of_job_files_and_the_paths_in_them(tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    folder.mkdir()
    made = job(grain=0.5, grain_of="table.txt", grain_area=("area.png",))
    file = folder / "job.toml"
    file.write_text(job_text(made, folder))
    assert "grain = 0.5\n" in file.read_text()
    assert 'grain_of = "../table.txt"\ngrain_table = ""\ngrain_area = ["../area.png"]\n' in file.read_text()
    again = read_job(file)
    assert record(again) == record(made)
    text = file.read_text()
    file.write_text(text.replace("grain = ", "grian = "))
    with pytest.raises(UsageError, match=r"unknown key 'grian': did you mean grain\?"):
        read_job(file)
    file.write_text(text.replace("grain = 0.5", "grain = 1.5"))
    with pytest.raises(UsageError, match=r"\[settings\]: grain: 1.5 is over the maximum of 1"):
        read_job(file)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"grain_shet": "a"}, "unknown option 'grain_shet': did you mean grain_sheet?"),
        ({"grain_rows": 12}, "grain_rows: 12 is over the maximum of 9"),
        ({"grain_sheet": 3}, "grain_sheet: 3: expected the path of a file"),
        ({"overwrite": "yes"}, "overwrite: expected True or False, got 'yes'"),
        ({"movie_seconds": 0.1, "progress_movie": "m.mp4"}, "movie_seconds: 0.1 is under the minimum of 0.5"),
        ({"movie_wipe": True}, "--movie-wipe: is for a progress movie; add --progress-movie PATH"),
        ({"workers": 2}, "workers share shots of a clip or photos of an album; a picture is one piece of work"),
        ({"gpus_per_worker": 0.5}, "--gpus-per-worker: is for workers; add --workers N or --engine-address ADDRESS"),
    ],
)  # fmt: skip
def test_options_of_a_run_by_name_are_refused_as_on_the_command_line(
    values: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        options_of(values, "image")
    assert str(caught.value) == said


def test_options_of_a_run_by_name() -> None:
    assert options_of({}, "image") == GrainyRun()
    assert set(option_names("image")) > {"movie_seconds", "engine_address", "grain_sheet", "offline"}
    values = {"progress_movie": "m.gif", "movie_seconds": 2.0, "live": True, "engine_address": "Local",
              "grain_sheet": "s.png", "preview": None, "command_line": "deepfusion ..."}  # fmt: skip
    made = options_of(values, "video")
    assert (made.progress_movie, made.movie.seconds, made.live) == (Path("m.gif"), 2.0, 8686)
    assert made.workers == WorkerOptions(engine_address="local")
    assert (made.preview, made.command_line) == (None, "deepfusion ...")


# --- what it decides --------------------------------------------------------------------------------------


def test_the_record_has_what_decides_the_pictures_and_what_is_in_files() -> None:
    made = job(grain=0.5, grain_of="table.txt", grain_area=("area.png",), grain_model="model")
    found = record(made)
    assert (found["grain"], found["grain_table"], found["grain_model"]) == (0.5, "", "model")
    assert len(found["grain_of"]) == len(found["grain_area"][0]) == 64
    assert {"grain_cache", "grain_rate"} & found.keys() == set()
    Path("table.txt").write_text("another")
    assert {key for key, value in record(made).items() if value != found[key]} == {"grain_of"}
    assert record(replace(made, content=Path("photos")))["grain_rate"] == "25"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"grain": 0.7}, "grain: 0.5 there, 0.7 now"),
        ({"grain": 0.5, "grain_table": "table.txt"}, "other grain-table"),
        ({"grain": 0.5, "grain_cache": 2}, ""),
    ],
)
def test_a_resume_compares_it_and_says_the_difference(settings: dict[str, Any], said: str) -> None:
    RunFolder(Path("out.png.run"), record(job(grain=0.5)), restart=False).close()
    if said:
        with pytest.raises(UsageError) as caught:
            RunFolder(Path("out.png.run"), record(job(**settings)), restart=False)
        assert f"holds a run with other settings ({said});" in str(caught.value)
    else:
        RunFolder(Path("out.png.run"), record(job(**settings)), restart=False).close()


def test_of_an_album_each_photo_is_compared_by_looks_alone() -> None:
    def key(**settings: Any) -> str:
        made = job("album", **settings)
        unit = StyledPhoto(Path("photos/1.png"), made.styles[0], Path("out.png/1.png"))
        masks = {unit.photo: [Path("area.png")] if "grain_area" in settings else []}
        return unit_keys([unit], made, masks, tiny_weights())[unit].look

    assert key() == key(grain_order="last") == key(grain_cache=2) != key(grain=0.5)
    before = key(grain_area=("area.png",))
    assert before == key(grain_area=("photos",)), "only the photo's own part counts"
    Path("area.png").write_text("another")
    assert before != key(grain_area=("area.png",))


# --- its files --------------------------------------------------------------------------------------------


def test_its_files_are_checked_sent_and_relocated() -> None:
    made = job(grain_of="table.txt", grain_table="table.txt", grain_area=("area.png",), grain_model="model")
    files = [Path("table.txt"), Path("table.txt"), Path("area.png")]
    assert inputs_of(made) == [Path("photo.png"), Path("style.png"), *files]
    assert worker_inputs(made) == (*inputs_of(made), Path("model"))
    there = relocated(made, lambda path: Path("/there") / path).settings
    assert isinstance(there, GrainyImage)
    assert (there.grain_of, there.grain_area) == ("/there/table.txt", ("/there/area.png",))
    assert (there.grain_model, there.weights) == ("/there/model", "")
    same = relocated(job(), lambda path: Path("/there") / path).settings
    assert dataclasses.asdict(same) == dataclasses.asdict(job().settings), "words are no paths"
    with pytest.raises(UsageError, match=r"tabel.txt: there is no such file; did you mean table.txt\?"):
        check_inputs(job(grain_of="tabel.txt"))


def test_its_outputs_are_rehearsed_and_no_two_have_one_name() -> None:
    made = job()
    assert outputs_of(made, options_of({"grain_sheet": "s.png"}, "image"))[1:] == [Path("s.png")]
    with pytest.raises(UsageError, match=r"out\.png: is named for two outputs; give each a name of its own"):
        check_outputs(made, options_of({"grain_sheet": "out.png"}, "image"), (".png",), Display(-2))


# --- where it is told -------------------------------------------------------------------------------------


def test_the_pages_name_it() -> None:
    made = job(grain=0.5)
    assert {"name": "grain", "value": "0.5"} in describe(made)["settings"]
    collector = ReportCollector(RunOptions(), Path("page.html"))
    collector.job_begins(made, "tiny")
    collector.write(Report("image", "out.png"))
    page = Path("page.html").read_text()
    assert "grain-stock" in page
    assert "grain = 0.5" in page
