"""Whatever files are called: jobs work, nothing is written elsewhere, and what is said can be read."""

from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from made_weights import make_layers, write_npz
from picture_files import quarters
from PIL import Image
from pipeline_runs import QUICK, deepfusion, done, frames_of, refused, tree
from test_video_names import NAMES, is_clean, is_safe

from pipeline.album.names import JOURNAL, AlbumNames, Wanted
from pipeline.album.units import captions_of, plan_units
from pipeline.montage.captions import drawable
from pipeline.progress.display import Display
from pipeline.progress.events import Ended
from pipeline.progress.report import Report
from pipeline.settings.job import StyleSource, build_job
from pipeline.settings.job_file import job_text
from pipeline.settings.job_settings import AlbumSettings
from pipeline.settings.toml_files import read_toml
from pipeline.views.live.state import State
from pipeline.views.report.content import ReportPage
from pipeline.views.report.page import report_text
from pipeline.workers.file_copies import Parcel, Unpacked
from video.exif import taken
from video.names import twin_of

RAW = os.fsdecode(b"caf\xe9")
WILD = "\x1b[31mred\x07[link=a]\n\u202egpj"
BOM = b"\xef\xbb\xbf"


@pytest.fixture
def photos(tmp_path: Path, photo: Path) -> Path:
    """An album of three photos whose names, and whose folder's, are as bad as names can be."""
    folder = tmp_path / RAW
    folder.mkdir()
    for name in (RAW, WILD, "①"):
        shutil.copy(photo, folder / f"{name}.png")
    return folder


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_an_album_of_names_that_are_not_text(photos: Path, style: Path, tmp_path: Path) -> None:
    painting, output = tmp_path / f"{RAW}-style.png", tmp_path / f"{RAW}-out"
    shutil.copy(style, painting)
    page, sheet, movie = (tmp_path / f"{RAW}{suffix}" for suffix in (".html", ".png", ".webp"))
    also = [
        "--report",
        page,
        "--contact-sheet",
        sheet,
        "--progress-movie",
        movie,
        "--movie-seconds",
        "2",
        "-v",
    ]
    ran = done("album", photos, "--style", painting, "-o", output, *QUICK, *also)
    assert set(os.listdir(output)) == {f"{RAW}.png", f"{WILD}.png", "①.png", JOURNAL}
    assert is_clean(ran.out.replace("\n", "")) and is_clean(ran.err.replace("\n", ""))
    assert r"caf\xe9-out  (3 pictures" in ran.out
    assert r"photo 1/3 \x1b[31mred\x07[link=a]\n\u202egpj.png" in ran.err
    text = page.read_text(encoding="utf-8")
    assert is_clean(text.replace("\n", "")) and r"caf\xe9.png" in text
    assert "No job file: content = " in text
    again = done("album", photos, "--style", painting, "-o", output, *QUICK, "--json").json
    assert (again["skipped"], again["done"]) == (3, 0)
    assert os.fsencode(again["output"]) == os.fsencode(output)


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_a_clip_of_a_name_that_is_no_text(clip: Path, style: Path, tmp_path: Path) -> None:
    source, output, table = (tmp_path / f"{RAW}{suffix}" for suffix in (".mp4", ".mkv", ".csv"))
    shutil.copy(clip, source)
    ran = done("video", source, "--style", style, "-o", output, *QUICK, "--frame-iterations", "1")
    assert r"caf\xe9.mkv  (6 frames" in ran.out
    assert len(frames_of(output)) == 6
    assert r"caf\xe9.csv" in done("score", source, output, "--csv", table).out
    assert set(os.listdir(tmp_path)) == {path.name for path in (source, output, table)}


def test_what_cannot_hold_such_a_name_says_so_before_the_work(
    photos: Path, style: Path, tmp_path: Path
) -> None:
    job = ["image", photos / f"{RAW}.png", "--style", style, "-o", tmp_path / "out.png", *QUICK]
    said = refused(*job, "--save-settings", tmp_path / "job.toml")
    assert 'caf\\xe9.png": a name that is not UTF-8 cannot stand in a job file' in said
    assert "names that are UTF-8 only" in refused(*job, "--tensorboard", tmp_path / RAW)
    assert set(os.listdir(tmp_path)) == {RAW}


# ------------------------------------------------------------------------------------- results of an album


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_no_style_leads_out_of_the_output(photo: Path, style: Path, tmp_path: Path) -> None:
    album, output = tmp_path / "album", tmp_path / "x" / "out"
    album.mkdir()
    shutil.copy(photo, album / "a.png")
    styles = [tmp_path / "...png", tmp_path / f"{JOURNAL}.png"]
    for path in styles:
        shutil.copy(style, path)
    before = tree(tmp_path)
    done("album", album, "--style", styles[0], "--style", styles[1], "-o", output, *QUICK)
    assert tree(output) == sorted(["_/a.png", "deepfusion-album-2.jsonl/a.png", JOURNAL])
    assert sorted(set(tree(tmp_path)) - set(before)) == sorted(f"x/out/{name}" for name in tree(output))


def _album(folder: Path, *names: str) -> Path:
    """An album of tiny pictures."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        quarters().save(folder / name)
    return folder


def _results(album: Path, output: Path, *styles: Path, **settings: object) -> list[str]:
    """The names of an album's results, by those of their photos."""
    sources = tuple(map(StyleSource, styles or (album / "style.png",)))
    job = build_job("album", album, sources, output, overrides=settings)
    assert isinstance(job.settings, AlbumSettings)
    return [unit.output.relative_to(output).as_posix() for unit in plan_units(job, job.settings, Display(-1))]


def _journal(output: Path, *entries: dict[str, str]) -> None:
    """A journal with these entries, and the results it tells of."""
    output.mkdir(exist_ok=True)
    (output / JOURNAL).write_text("".join(json.dumps({"key": "k", **entry}) + "\n" for entry in entries))
    for entry in entries:
        target = output / entry["output"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()


def test_twins_get_names_of_their_own(tmp_path: Path) -> None:
    album = _album(
        tmp_path / "album",
        "A.png",
        "a.png",
        "B.bmp",
        "Day/1.png",
        "day/1.png",
        "CON.png",
        "c.bmp",
        "c.png/d.png",
    )
    assert _results(album, tmp_path / "out") == [
        "A.png", "a-2.png", "B.png", "c.bmp.png", "c.png/d.png", "_CON.png", "Day/1.png", "day/1-2.png",
    ]  # fmt: skip


def test_a_result_keeps_its_name_when_another_photo_comes(tmp_path: Path) -> None:
    album, output = _album(tmp_path / "album", "a.bmp"), tmp_path / "out"
    assert _results(album, output) == ["a.png"]
    _journal(output, {"output": "a.png", "photo": "elsewhere/a.bmp"})
    _album(album, "a.png")
    assert _results(album, output) == ["a.png", "a-2.png"]
    (album / "a.bmp").unlink()  # its result stays, and is not in the way
    assert _results(album, output) == ["a-2.png"]
    (output / "a.png").unlink()
    assert _results(album, output) == ["a.png"]


def test_a_style_keeps_its_folder_when_another_comes(tmp_path: Path) -> None:
    album, output = _album(tmp_path / "album", "a.png"), tmp_path / "out"
    old, new, moved = (tmp_path / name / "Mona.png" for name in ("old", "new", "moved"))
    assert _results(album, output, old, new) == ["Mona/a.png", "Mona-2/a.png"]
    _journal(output, {"output": "Mona/a.png", "photo": "a.png", "folder": "Mona", "style": str(old)})
    assert _results(album, output, new, old) == ["Mona-2/a.png", "Mona/a.png"]
    assert _results(album, output, moved, tmp_path / "x.png") == ["Mona/a.png", "x/a.png"]
    assert _results(album, output, tmp_path / "mona.jpg", tmp_path / "MONA.png") == [
        "mona-2/a.png", "MONA-3/a.png",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "entry",
    [
        {"output": "../a.png", "photo": "a.bmp"}, {"output": "/a.png", "photo": "a.bmp"},
        {"output": "", "photo": "a.bmp"},
        {"output": "x/a.png", "photo": "a.bmp", "folder": "../x", "style": "/s.png"},
        {"output": "x/a.png", "photo": "a.bmp", "folder": "..", "style": "/s.png"},
    ],
)  # fmt: skip
def test_a_journal_leads_nowhere_else(tmp_path: Path, entry: dict[str, str]) -> None:
    album, output = _album(tmp_path / "album", "a.bmp"), tmp_path / "out"
    output.mkdir()
    (output / JOURNAL).write_text(json.dumps({"key": "k", **entry}) + "\n[]\n{}\nnonsense\n")
    assert _results(album, output) == ["a.png"]
    assert _results(album, output, Path("/s.png"), Path("/t.png")) == ["s/a.png", "t/a.png"]


PHOTOS = st.lists(st.lists(NAMES, min_size=1, max_size=2), max_size=5)


@given(PHOTOS, st.lists(NAMES, max_size=3, unique=True), st.sampled_from([".png", ".webp"]))
@example([["a.png"], ["A.png"], ["a.bmp"]], ["..", "...", "."], ".png")
def test_any_album_has_results_within_its_folder_that_keep_their_names(
    tmp_path_factory: pytest.TempPathFactory, photos: list[list[str]], styles: list[str], suffix: str
) -> None:
    output = tmp_path_factory.getbasetemp() / "any"
    output.mkdir(exist_ok=True)
    (output / JOURNAL).unlink(missing_ok=True)
    relative = list(dict.fromkeys(Path("p", *photo).relative_to("p") for photo in photos))
    relative = [path for path in relative if path.name and ".." not in path.parts]
    sources = [StyleSource(Path("/styles", f"{name}.jpg")) for name in styles]

    def named(photos: list[Path]) -> dict[tuple[int, Path], Path]:
        names = AlbumNames(output)
        folders = names.style_folders(sources) if sources else [""]
        wanted = [(place, folder, photo) for place, folder in enumerate(folders) for photo in photos]
        results = names.results([Wanted(folder, photo, suffix) for _, folder, photo in wanted])
        return {(place, photo): path for (place, _, photo), path in zip(wanted, results, strict=True)}

    first = named(relative[1:])
    assert all(is_safe(part) for path in first.values() for part in path.parts)
    twins = {twin_of(path.as_posix()) for path in first.values()}
    assert len(twins) == len(first) and not twins & {twin_of(JOURNAL)}
    lines = []
    for (place, photo), path in first.items():
        style = {"style": str(sources[place].path), "folder": path.parts[0]} if sources else {}
        lines.append(json.dumps({"output": path.as_posix(), "key": "k", "photo": str(photo), **style}))
    (output / JOURNAL).write_text("\n".join(lines))
    second = named(relative)
    assert {key: second[key] for key in first} == first


# ------------------------------------------------------------------------------------------- long names


LONG = "n" * 248


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("image", f"{LONG}.png"), ("image", "n" * 300 + ".png"), ("image", "ä" * 125 + ".png"),
        ("album", "n" * 252), ("album", "n" * 300), ("album", "/".join(["n" * 200] * 25)),
    ],
)  # fmt: skip
def test_an_output_with_a_name_that_is_too_long_is_refused_at_once(
    command: str, name: str, photo: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.machine.load_tensorflow", None)
    content = _album(tmp_path / "album", "a.png") if command == "album" else photo
    said = refused(command, content, "--style", style, "-o", tmp_path / name, *QUICK)
    assert said.startswith("cannot write ") and "too long" in said
    assert set(os.listdir(tmp_path)) <= {"album"}


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_a_photo_with_the_longest_name_is_done(photo: Path, style: Path, tmp_path: Path) -> None:
    album, output = tmp_path / "album", tmp_path / "out"
    album.mkdir()
    for name in ("n" * 251, "N" * 251, os.fsdecode(b"\xe9" * 251)):
        shutil.copy(photo, album / f"{name}.png")
    found = done("album", album, "--style", style, "-o", output, *QUICK, "--format", "webp", "--json").json
    assert (found["done"], found["failed"]) == (3, {})
    made = [name for name in os.listdir(output) if name.endswith(".webp")]
    assert len({twin_of(name) for name in made}) == 3
    assert all(is_safe(name) for name in made)


@pytest.mark.usefixtures("uncompiled")
def test_a_photo_whose_result_lies_too_deep_is_named_and_the_rest_done(
    photo: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    album, deep = tmp_path / "a", Path(*["d" * 200] * 18)
    monkeypatch.chdir(tmp_path)
    (album / deep).mkdir(parents=True)
    for place in (album, album / deep):
        shutil.copy(photo, place / "b.png")
    output = tmp_path / ("o" * 240) / ("p" * 200)
    output.parent.mkdir()
    ran = deepfusion("album", "a", "--style", style, "-o", output, *QUICK)
    assert ran.code == 1, ran.err
    assert tree(output) == ["b.png", JOURNAL]
    assert "failed: a/ddd" in ran.err and "the path of its result is too long here" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["score", "n" * 300, "x"], ["progress", "n" * 300, "-o", "x.mp4"], ["weights", "verify", "n" * 300],
        ["run", "n" * 300], ["presets", "n" * 300 + ".toml"], ["doctor", "--style", "n" * 300],
    ],
    ids=lambda arguments: arguments[0],
)  # fmt: skip
def test_an_input_with_a_name_that_is_too_long_is_one_line(arguments: list[str]) -> None:
    assert refused(*arguments).startswith("n" * 300)


# ------------------------------------------------------------------------------------ files that people write


@pytest.mark.slow
def test_files_with_a_byte_order_mark_are_read(photo: Path, style: Path, tmp_path: Path) -> None:
    preset, job = tmp_path / "preset.toml", tmp_path / f"{RAW}.toml"
    preset.write_bytes(BOM + b"size = 64\r\n")
    assert read_toml(preset) == {"size": 64}
    assert done("presets", preset).out == "size = 64\n"
    shutil.copy(photo, tmp_path / "a.png")
    text = job_text(
        build_job("image", tmp_path / "a.png", (StyleSource(style),), tmp_path / "o.png"), tmp_path
    )
    job.write_bytes(BOM + text.encode())
    assert done("run", job, "--dry-run", "--json").json["output"] == str(tmp_path / "o.png")
    preset.write_bytes("size = 64".encode("utf-16"))
    assert refused("presets", preset).endswith("; save it as UTF-8")


def test_a_pipe_is_no_preset_and_a_link_to_itself_no_output(photo: Path, style: Path, tmp_path: Path) -> None:
    """The one would be waited for, the other replaced."""
    pipe, link = tmp_path / "pipe.toml", tmp_path / "link.png"
    os.mkfifo(pipe)
    link.symlink_to(link.name)
    words = ("image", photo, "--style", style, "-o")
    for command in ((*words, tmp_path / "o.png", "--preset", pipe), ("run", pipe), ("presets", pipe)):
        assert refused(*command) == f"{pipe}: is no plain file; name a file of settings"
    assert (
        refused(*words, link)
        == f"cannot write {link}: it is a link that leads to itself; choose another name"
    )
    assert link.is_symlink()


def test_a_job_file_with_a_nul_in_a_name_is_refused(tmp_path: Path) -> None:
    job = tmp_path / "job.toml"
    job.write_text('command = "album"\ncontent = "a"\nstyle = "b"\noutput = "o\\u0000"\n')
    assert "holds a NUL" in refused("run", job)


@pytest.mark.slow
def test_names_that_begin_like_options_or_homes_are_names(
    photo: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("-x.png", "~nobody.png", "a:0.5", "a\n:0.5"):
        shutil.copy(photo, name)
    styles = ["--style", "a:0.5", "--style", "a\n:0.5:0.25", "--style", "~nobody.png"]
    job = [
        "image",
        *styles,
        "-o",
        "-:%d.png",
        *QUICK,
        "--init",
        "~nobody.png",
        "--mask-preserve",
        "~nobody.png",
    ]
    assert done(*job, "--dry-run", "--", "-x.png").out.splitlines()[0].endswith("into -:%d.png")
    assert "~nobody.h5: no such file" in refused(*job, "--weights", "~nobody.h5", "--", "-x.png")


def test_digits_that_are_no_numbers_in_a_photos_time(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0132] = "2026:01:02 03:04:05"
    exif.get_ifd(0x8769)[0x9291] = "²5"
    quarters().save(tmp_path / "a.png", exif=exif)
    found = taken(tmp_path / "a.png")
    assert found is not None and found.microsecond in (0, 500_000)


def test_weights_of_a_name_that_is_no_text_are_named(tmp_path: Path) -> None:
    file = write_npz(tmp_path / f"{RAW}.npz", make_layers())
    assert r"caf\xe9.npz" in done("weights", "verify", file).out


# --------------------------------------------------------------------------------------------- what is said


class Terminal(io.StringIO):
    """A terminal that keeps what it is sent."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["log", "terminal"])
def test_names_reach_no_terminal_and_no_log_as_they_are(stream: io.StringIO, tmp_path: Path) -> None:
    display = Display(0, stream)
    display.log_to(tmp_path / "log.txt")
    name = f"{WILD} [red] :smile: {RAW}"
    with display.work(2.0) as work:
        work.advance(1.0, name)
        display.note(f"{name}\nsecond line")
        display.warn(f"{name}: is wrong\n  somehow")
        display.error(name)
    said = stream.getvalue()
    told = r"\x1b[31mred\x07[link=a]\n\u202egpj [red] :smile: caf\xe9"
    for text in (said, (tmp_path / "log.txt").read_text(encoding="utf-8")):
        assert f"note: {told}: is wrong somehow" in text.replace("\r", "")
        assert "\x1b[31mred" not in text and "\x07" not in text and "\u202e" not in text
        assert "\nsecond line\n" in text.replace("\r", "") or " second line\n" in text
    assert display.warnings == [f"{told}: is wrong somehow"]


def test_the_bar_takes_no_name_for_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with Display(0, stream).work(2.0) as work:
        work.advance(1.0, "photo 1/2 [red]rose[/nothing] :cat:")
    assert "[red]rose[/nothing] :cat:" in stream.getvalue()


def test_what_standard_output_cannot_show_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.progress.display import printable

    out = io.TextIOWrapper(io.BytesIO(), encoding="latin-1", errors="strict")
    monkeypatch.setattr("sys.stdout", out)
    text = printable(Report("image", f"日ä{RAW}\n.png", also={"report": WILD}).summary())
    out.write(text)
    assert text.splitlines()[0].startswith("\\u65e5äcaf\\xe9\\n.png  (")
    assert len(text.splitlines()) == 2


def test_a_command_that_continues_can_be_given_again(capsys: pytest.CaptureFixture[str]) -> None:
    from pipeline.cli.main import _command

    assert _command(["image", f"{RAW}'s\n.png", "--restart", "ä b.png"]) == (
        r"deepfusion image $'caf\xe9\'s\x0a.png' 'ä b.png'"
    )


def test_pages_show_names_escaped(photo: Path) -> None:
    page = ReportPage(
        title=f"<b>{WILD}", command="image", warnings=[f"{RAW}: {WILD}"], rerun="deepfusion x",
        job_file='content = "a"\nstyle = "b"\n', settings=[("content", RAW, None)],
    )  # fmt: skip
    text = report_text(page)
    assert is_clean(text.replace("\n", ""))
    assert "&lt;b&gt;\\x1b[31mred" in text and r"caf\xe9: \x1b" in text
    assert "content = &#34;a&#34;\nstyle" in text


def test_the_live_page_is_told_names_escaped(photo: Path, style: Path) -> None:
    state = State(build_job("image", Path(RAW, f"{WILD}.png"), (StyleSource(style),), Path(f"{RAW}.png")))
    state.ends(Ended(f"{WILD}.png", photo))
    state.warned(f"{WILD}: {RAW}")
    told = json.loads(state.as_json()[1])
    assert told["job"]["made"] == r"caf\xe9.png"
    assert told["strip"][0]["name"] == r"\x1b[31mred\x07[link=a]\n\u202egpj.png"
    assert is_clean("".join(told["warnings"]).replace("\n", ""))


def test_captions_have_one_line_a_name(tmp_path: Path) -> None:
    album = _album(tmp_path / "album", "a\nb.png", f"{RAW}.png")
    job = build_job("album", album, (StyleSource(Path("s.png")),), tmp_path / "out")
    assert isinstance(job.settings, AlbumSettings)
    captions = list(captions_of(plan_units(job, job.settings, Display(-1))).values())
    assert captions == [r"a\nb.png", r"caf\xe9.png"]
    assert drawable(RAW + WILD).isascii() and "\\x1b" in drawable(WILD)


@pytest.mark.parametrize("path", [Path("/album/.."), Path("/"), Path("/album") / RAW])
def test_copies_of_a_worker_stay_in_its_folder(path: Path) -> None:
    copies = Unpacked()
    copies.take({path: Parcel((("a.png", (b"data",)),), True)}, lambda piece: piece)
    place = Path(os.path.normpath(copies.place(path / "a.png")))
    assert place.read_bytes() == b"data"
    assert len(place.relative_to(copies._folder).parts) == 3
    shutil.rmtree(copies._folder)
