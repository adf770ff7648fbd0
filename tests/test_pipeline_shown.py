"""What the pages and `--help` show is real: commands are taken, options exist, pictures are there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import numpy as np
import pytest
from pipeline_runs import QUICK, deepfusion, done
from video_clips import convert

from pipeline.cli.examples import EXAMPLES
from pipeline.cli.main import cli
from video.images import read_image, write_image

WORKER_OPTIONS = ("--workers", "--engine-address", "--gpus-per-worker")

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("uncompiled")]

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}


def shown() -> list[str]:
    """Every whole command of the pages and of `--help`, once."""
    blocks = [block for text in TEXTS.values() for block in re.findall(r"```sh\n(.*?)```", text, re.S)]
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    lines += [example for examples in EXAMPLES.values() for _, example in examples]
    return list(dict.fromkeys(line for line in lines if line.startswith("deepfusion ")))


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 96 frames with a cut at 55, like the guide's."""
    shots = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=24:duration=2.2917"]
    shots += ["-f", "lavfi", "-i", "rgbtestsrc=size=64x48:rate=24:duration=2"]
    joined = ["-filter_complex", "[0][1]concat=n=2", "-pix_fmt", "yuv420p"]
    return convert([*shots, *joined], tmp_path_factory.mktemp("long") / "clip.mp4")


class Stage:
    """Lays out, in the current folder, what a command names."""

    def __init__(self, photo: Path, style: Path, clip: Path) -> None:
        self.photo, self.style, self.clip = read_image(photo), read_image(style), clip

    def prepare(self, words: list[str]) -> None:
        flagged = {words[place + 1] for place, word in enumerate(words[:-1]) if word in ("-o", "--csv")}
        flagged |= {words[place + 1] for place, word in enumerate(words[:-1]) if word == "--contact-sheet"}
        for place, word in enumerate(words[1:], start=1):
            name = word.split(":")[0]
            if name not in flagged and words[place - 1] not in ("--frames", "--keyframe", "--shot"):
                self.make(words, place, Path(name), name)

    def make(self, words: list[str], place: int, path: Path, name: str) -> None:
        """One input, if the word is one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if re.search(r"\.(png|jpg)$", name):
            mask = np.zeros((48, 64, 3), np.float32)
            mask[:, 20:] = 1.0
            picture = self.photo if place == 1 else self.style
            write_image(path, mask if name in ("face.png", "around.png") else picture)
        elif name.endswith(".mp4"):
            path.symlink_to(self.clip)
        elif name.endswith(".toml"):
            self.make(words, 1, Path("photo.jpg"), "photo.jpg")
            done("image", "photo.jpg", "--style", "photo.jpg", "-o", "o.png", *QUICK, "--save-settings", path)
            Path("o.png").unlink()
        elif name.endswith(".run"):
            self.make(words, 1, Path("photo.jpg"), "photo.jpg")
            done("image", "photo.jpg", "--style", "photo.jpg", "-o", path.stem, *QUICK, "--keep-run")
        elif name.endswith("/") or (place == 1 and words[0] in ("album", "video")):
            path.mkdir()
            for number in range(3):
                picture = self.style if words[place - 1] == "--style" else self.photo
                write_image(path / f"{number:03d}.png", picture)


def without_workers(words: list[str]) -> list[str]:
    """The command for one process: workers have tests of their own, and no cluster is here."""
    shared = [place for place, word in enumerate(words) if word in WORKER_OPTIONS]
    return [word for place, word in enumerate(words) if not {place, place - 1} & set(shared)]


@pytest.mark.parametrize("command", shown())
def test_a_command_that_is_shown(
    command: str, photo: Path, style: Path, long_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command)[1:]
    if words[0] in ("demo", "weights"):  # long, or in need of a network: they have tests of their own
        assert words[0] in cli.commands
        return
    words = without_workers(words)
    Stage(photo, style, long_clip).prepare(words)
    less: list[str] = []
    if words[0] in ("image", "video", "album"):
        less = [*QUICK, "--size", "32", *(["--finish", "48"] if "--finish" in words else [])]
    if words[0] == "video" and "--preview" not in words:
        first = words[words.index("--frames") + 1].split(":")[0] if "--frames" in words else "0"
        less += ["--frames", f"{first}:{int(first) + 3}"] if Path(words[1]).is_file() else []
    if "--preview" in words:
        less += ["--preview", "2"]
    done(*words, *less)
    made = {
        words[words.index(option) + 1] for option in ("-o", "--contact-sheet", "--csv") if option in words
    }
    made = {f"{name.rstrip('/')}.preview.png" for name in made} if "--preview" in words else made
    assert "--dry-run" in words or all(Path(name).exists() for name in made)


def test_every_option_that_is_named_exists() -> None:
    known = {"--help", "--version"}
    for command in (*cli.commands.values(), *cli.commands["weights"].commands.values()):  # type: ignore[attr-defined]
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                known.update((*parameter.opts, *parameter.secondary_opts))
    scripts = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "scripts").rglob("*.py"))
    foreign = {"--head", "--port", "--address", "--generate"}  # of Ray
    foreign |= {"--force-reinstall", "--no-deps", "--no-index", "--find-links", "--hypothesis-profile"}
    for page, text in TEXTS.items():
        for option in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", text):
            assert option in known | foreign or f'"{option}"' in scripts, f"{page.name}: {option}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_picture_and_page_is_there(page: Path) -> None:
    for image, description, path in re.findall(r"(!?)\[([^\]]*)\]\(([^)]*)\)", TEXTS[page]):
        assert description
        if not path.startswith(("http", "#")):
            assert (page.parent / path.split("#")[0]).exists(), path
        assert not (image and path.startswith("http")), "pictures come with the project"


@pytest.mark.parametrize("command", list(EXAMPLES))
def test_help_has_examples(command: str) -> None:
    ran = deepfusion(command, "--help")
    assert ran.code == 0
    for purpose, example in EXAMPLES[command]:
        assert f"  # {purpose}\n" in ran.out
        assert " ".join(example.split()) in " ".join(ran.out.replace("\\\n", " ").split())
