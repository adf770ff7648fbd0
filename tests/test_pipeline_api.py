"""The jobs from Python: the same as the commands', silent, with reports and errors in place of exit codes."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pipeline_runs import QUICK, done, tree

import pipeline
import stylize
from pipeline import api
from pipeline.machine import limit_threads
from pipeline.progress.display import Display
from pipeline.progress.notebook import NotebookDisplay, in_notebook
from pipeline.settings.job import Job
from pipeline.settings.run_options import MovieOptions, WorkerOptions
from stylize.errors import ConfigError
from video import images
from video.images import read_image, write_image

pytestmark = pytest.mark.usefixtures("uncompiled")

ROOT = Path(__file__).resolve().parent.parent
LAYERS = {"content_layers": ["relu2_1"], "style_layers": ["relu1_1", "relu2_1"]}
FEW: dict[str, Any] = {"backbone": "vgg19-slim", "size": 64, "iterations": 2, "levels": 1, **LAYERS}
"""`QUICK`, as keywords."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- the packages' names ------------------------------------------------------------------------------------


def test_importing_loads_nothing_heavy() -> None:
    code = (
        "import sys, pipeline, stylize, video\n"
        "heavy = ('tensorflow', 'numpy', 'click', 'PIL', 'cv2', 'rich')\n"
        "assert not set(heavy) & set(sys.modules), sys.modules.keys() & set(heavy)\n"
        "dir(pipeline), dir(stylize)\n"
        "pipeline.stylize_clip, pipeline.Report, pipeline.RunOptions, stylize.StylizeConfig\n"
        "print(sorted(set(heavy) & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("package", ["pipeline", "stylize"])
def test_every_public_name_is_there(package: str) -> None:
    module = importlib.import_module(package)
    assert set(module.__all__) == {*module._HOMES, *({"__version__"} if package == "pipeline" else ())}
    assert list(module.__all__) == sorted(module.__all__)
    assert set(module.__all__) <= set(dir(module))
    assert all(getattr(module, name) is not None for name in module.__all__)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'stilyze'"):
        _ = module.stilyze


# --- the jobs -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "command", "more", "count"),
    [(pipeline.stylize_image, "image", {}, 1), (pipeline.stylize_clip, "video", {"frames": "0:2"}, 2)],
)
def test_a_call_does_what_the_command_does(
    function: Callable[..., pipeline.Report], command: str, more: dict[str, str], count: int,
    photo: Path, clip: Path, pictures: Path, place: Path, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    content, name = {"image": (photo, "out.png"), "video": (clip, "out.mp4")}[command]
    styles = [f"{pictures / 'red.png'}:0.7", f"{pictures / 'blue.png'}:0.3"]
    Path("by").mkdir()
    report = function(content, styles, Path("by") / name, strength=0.5, **FEW, **more)
    assert capfd.readouterr() == ("", "")
    assert isinstance(report, pipeline.Report)
    assert (report.command, report.frames, report.done) == (command, count, count)
    given = [word for style in styles for word in ("--style", style)]
    given += [word for option, value in more.items() for word in (f"--{option}", value)]
    done(command, content, *given, "-o", name, "--strength", "0.5", *QUICK)
    assert Path("by", name).read_bytes() == Path(name).read_bytes()


@pytest.mark.slow
def test_a_photo_that_fails_is_in_the_report(
    photo: Path, style: Path, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("photos").mkdir()
    write_image("photos/one.png", read_image(photo))
    Path("photos/two.png").write_bytes(b"no picture")
    report = pipeline.stylize_album("photos", style, "out", **FEW)
    assert (report.done, list(report.failed)) == (1, ["two.png"])
    assert capfd.readouterr() == ("", "")


def test_a_dry_run_gives_a_plan(photo: Path, style: Path, place: Path) -> None:
    plan = pipeline.stylize_image(photo, style, "out.png", dry_run=True, **FEW)
    assert isinstance(plan, pipeline.Plan)
    assert (plan.width, plan.height, plan.pictures) == (64, 48, 1)
    assert tree(place) == []


@pytest.mark.slow
def test_progress_is_told_and_what_the_listener_raises_ends_the_job_that_then_goes_on(
    clip: Path, style: Path, place: Path
) -> None:
    def enough(moved: pipeline.Moved) -> None:
        if moved.text.startswith("frame 2/3"):
            raise LookupError("enough")

    once = partial(pipeline.stylize_clip, clip, style, "out.mp4", frames="0:3", **FEW)
    with pytest.raises(LookupError, match="enough"):
        once(on_progress=enough)
    assert not Path("out.mp4").exists()
    moves: list[pipeline.Moved] = []
    report = once(on_progress=moves.append)
    assert (report.skipped, report.done, report.frames) == (1, 2, 3)
    shares = [moved.share for moved in moves]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.slow
def test_a_job_file_is_run_and_its_notes_are_warnings(
    photo: Path, style: Path, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pipeline.stylize_image(photo, style, "first.png", save_settings="job.toml", seed=3, **FEW)
    text = Path("job.toml").read_text().replace('backbone = "vgg19-slim"', 'backbone = "auto"')
    Path("old.toml").write_text(text.replace("first.png", "second.png"))
    job = pipeline.read_job("old.toml")
    report = pipeline.run_job(replace(job, settings=replace(job.settings, backbone="vgg19-slim")))
    assert isinstance(report, pipeline.Report)
    assert Path("second.png").read_bytes() == Path("first.png").read_bytes()
    assert [warning for warning in report.warnings if '"auto" is vgg19 now' in warning]
    assert capfd.readouterr() == ("", "")


# --- what may be given --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"sise": 64}, pipeline.UsageError, "sise: there is no such option of image: did you mean size?"),
        ({"overwrit": True}, pipeline.UsageError, "did you mean overwrite?"),
        ({"long_term": (1, 2)}, pipeline.UsageError, "long_term: there is no such option of image"),
        ({"quiet": True}, pipeline.UsageError, "quiet: there is no such option of image: choose"),
        ({"size": "large"}, ConfigError, "size: expected a whole number, got 'large'"),
        ({"optimizer": "adan"}, ConfigError, "optimizer: unknown value 'adan': did you mean adam?"),
        ({"preset": "fien"}, pipeline.UsageError, "did you mean fine?"),
        ({"movie_losses": True}, pipeline.UsageError, "is for a progress movie"),
        ({"workers": 2}, pipeline.UsageError, "a picture is one piece of work"),
        ({"live": "yes"}, pipeline.UsageError, "live: expected a whole number, got 'yes'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_an_exception_of_one_line(
    options: dict[str, Any], error: type[Exception], said: str, photo: Path, style: Path, place: Path
) -> None:
    with pytest.raises(error, match=re.escape(said)) as caught:
        pipeline.stylize_image(photo, style, "out.png", **options)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)
    assert tree(place) == []


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ((3, "style.png", "out.png"), "the original: expected a path, got 3"),
        ((b"photo.png", "style.png", "out.png"), "the original: expected a path, got b'photo.png'"),
        (("photo.png", None, "out.png"), "a style: expected a path, got None"),
        (("photo.png", [["style.png"]], "out.png"), "a style: expected a path, got ['style.png']"),
        (("photo.png", "style.png", None), "the output: expected a path, got None"),
        (("photo.png", "style.png", "a\0b.png"), "the output: expected a path"),
    ],
)
def test_what_is_no_path_is_named(call: tuple[Any, Any, Any], said: str) -> None:
    with pytest.raises(pipeline.UsageError, match=re.escape(said)):
        pipeline.stylize_image(*call)


def test_what_cannot_be_called_is_no_progress() -> None:
    with pytest.raises(pipeline.UsageError, match="on_progress: expected a function, got 3"):
        pipeline.stylize_image("a.png", "b.png", "c.png", on_progress=3)  # type: ignore[call-overload]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Job, pipeline.RunOptions, Display]]:
    """The jobs that would be run."""
    jobs: list[tuple[Job, pipeline.RunOptions, Display]] = []
    monkeypatch.setattr(api, "run_job", lambda *job: jobs.append(job))
    return jobs


def test_values_may_be_what_python_has_for_them(
    asked: list[tuple[Job, pipeline.RunOptions, Display]], place: Path
) -> None:
    pipeline.stylize_clip(
        place / "in.mp4", ["a.jpg:0.7", place / "b.jpg"], "out.mp4", mask=Path("m.png"), long_term=[1, 2],
        size=np.int64(96), strength=np.float32(0.5), style_layers=["relu1_1"], keyframe="2s strength=1",
        cuts=None, fps=24, preset=Path("fine"), report="page.html", progress_movie=Path("movie.mp4"),
        movie_wipe=True, workers=np.int32(3), live=True, overwrite=True,
    )  # fmt: skip
    ((job, options, _),) = asked
    assert [(style.path.name, style.weight) for style in job.styles] == [("a.jpg", 0.7), ("b.jpg", 1.0)]
    settings: Any = job.settings
    assert (settings.mask, settings.long_term, settings.cuts) == (("m.png",), (1, 2), "auto")
    assert settings.fps == "24"
    assert (type(settings.size), settings.size, settings.strength) == (int, 96, 0.5)
    assert settings.keyframe == ("2s strength=1",)
    assert job.stylize.style_layers == ("block1_conv1",)
    assert (options.report, options.overwrite, options.live) == (Path("page.html"), True, 8686)
    assert (options.movie, options.workers) == (MovieOptions(wipe=True), WorkerOptions(3))


def test_threads_that_come_too_late_are_told(
    asked: list[tuple[Job, pipeline.RunOptions, Display]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "2")
    monkeypatch.setattr("video.threads.use_threads", lambda count: None)
    for threads in (0, 2, 3):
        limit_threads(threads)
        pipeline.stylize_image("a.jpg", "b.jpg", "out.png", threads=threads)
    assert [display.warnings for *_, display in asked] == [
        [], [], ["threads: TensorFlow runs in this process already, and not with 3 threads"]
    ]  # fmt: skip


# --- in a notebook ------------------------------------------------------------------------------------------


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A notebook's kernel; gives what is displayed there."""
    shown: list[str] = []
    notebook: Any = types.ModuleType("IPython")
    notebook.get_ipython = lambda: types.SimpleNamespace(kernel="a kernel")
    notebook.display = types.ModuleType("IPython.display")
    notebook.display.display = lambda one: shown.append(one._repr_mimebundle_([], [])["text/plain"])
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    monkeypatch.setitem(sys.modules, "IPython.display", notebook.display)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    return shown


class Output:
    """What ipywidgets has to write into."""

    __enter__ = __exit__ = clear_output = close = lambda self, *_, **__: None

    def _repr_mimebundle_(self, *_: object) -> dict[str, str]:
        return {"text/plain": "a widget"}


def test_a_notebook_is_known_by_its_kernel(kernel: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert in_notebook()
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: object(), raising=False)
    assert not in_notebook(), "IPython in a terminal"
    monkeypatch.delitem(sys.modules, "IPython")
    assert not in_notebook()


def test_a_notebook_shows_a_bar(kernel: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    widgets: Any = types.ModuleType("ipywidgets")
    widgets.Output, widgets.__spec__ = Output, importlib.machinery.ModuleSpec("ipywidgets", None)
    monkeypatch.setitem(sys.modules, "ipywidgets", widgets)
    with NotebookDisplay().work(2.0) as work:
        work.advance(1.0, "frame 1/2")
        work._bar.refresh()  # type: ignore[attr-defined]
    assert kernel[0] == "a widget"
    assert [text for text in kernel if "50 %" in text and "frame 1/2" in text]


def test_a_notebook_without_widgets_shows_lines(
    kernel: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.progress.display._PLAIN_INTERVAL", 0.0)
    with NotebookDisplay().work(2.0) as work:
        work.advance(1.0, "frame 1/2")
    assert capsys.readouterr() == ("50 %  frame 1/2\n", "")
    assert kernel == []


def test_a_call_in_a_notebook_is_shown_unless_somebody_listens(
    kernel: list[str], asked: list[tuple[Job, pipeline.RunOptions, Display]]
) -> None:
    pipeline.stylize_image("a.jpg", "b.jpg", "out.png")
    pipeline.stylize_image("a.jpg", "b.jpg", "out.png", on_progress=lambda moved: None)
    assert [type(display) for *_, display in asked] == [NotebookDisplay, Display]


def test_a_notebook_shows_the_picture_of_a_report(place: Path) -> None:
    write_image("out.png", np.full((1200, 2400, 3), 0.5, np.float32))
    report = pipeline.Report("image", "out.png")
    data = report._repr_png_()
    assert data is not None
    Path("shown.png").write_bytes(data)
    assert data.startswith(b"\x89PNG")
    assert read_image("shown.png").shape == (512, 1024, 3)
    for command, output in (("video", "out.png"), ("album", "."), ("image", "gone.png")):
        assert pipeline.Report(command, output)._repr_png_() is None


# --- what the pages show ------------------------------------------------------------------------------------


def blocks(page: str) -> list[str]:
    """The examples in Python of a page, in order."""
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.S)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever an example asks for is done small, with few iterations on the slim network."""
    build: Callable[..., Job] = vars(api)["build_job"]
    less = {**FEW, **{name: tuple(layers) for name, layers in LAYERS.items()}}

    def build_less(command: str, *args: Any, overrides: dict[str, Any], **rest: Any) -> Job:
        part = {"frames": "0:2"} if command == "video" else {}
        return build(command, *args, overrides={**overrides, **less, **part}, **rest)

    monkeypatch.setattr(api, "build_job", build_less)
    config = {name: less[name] for name in ("iterations", "levels", *LAYERS)}
    monkeypatch.setattr(stylize, "StylizeConfig", partial(stylize.StylizeConfig, **config))
    resize = images.resize_image
    monkeypatch.setattr(
        images,
        "resize_image",
        lambda picture, size: resize(picture, (64, 48) if size == (512, 384) else size),
    )
    slim = stylize.load_weights("vgg19-slim")
    monkeypatch.setattr(stylize, "load_weights", lambda name: slim)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_examples_of_the_pages(
    page: str, quick: None, pictures: Path, clip: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, red, blue = (read_image(pictures / f"{name}.png") for name in ("photo", "red", "blue"))
    for folder, inside in (("photos", photo), ("paintings", red)):
        Path(folder).mkdir()
        write_image(f"{folder}/one.jpg", inside)
    for name, picture in (("photo", photo), ("painting", red), ("a", red), ("b", blue)):
        write_image(f"{name}.jpg", picture)
    Path("clip.mp4").symlink_to(clip)
    before, space = set(tree(place)), {"__name__": page}
    assert blocks(page)
    for block in blocks(page):
        exec(compile(block, page, "exec"), space)
    said = capsys.readouterr()
    assert said.err == ""
    if page == "docs/python.md":
        frames = [f"frame-{number:03d}.png" for number in range(3)]
        made = [
            "again.png",
            *frames,
            "out.mp4",
            "out.png",
            "stylized/deepfusion-album.jsonl",
            "stylized/one.jpg",
        ]
        assert sorted(set(tree(place)) - before) == made
        for line in ("100%  frame 2/2", "2 frames, ", "out.png exists already; give --overwrite"):
            assert line in said.out, line
