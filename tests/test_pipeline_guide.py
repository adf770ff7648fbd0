"""The guide's commands are real: each is taken, and its picture is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from pipeline_runs import QUICK, done
from video_clips import convert

from video.images import read_image, write_image

pytestmark = pytest.mark.usefixtures("uncompiled")

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "guide.md"
TEXT = GUIDE.read_text(encoding="utf-8")
COMMANDS = [line for line in TEXT.splitlines() if line.startswith("deepfusion ")]


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 96 frames with a cut at 55, like the guide's."""
    shots = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=24:duration=2.2917"]
    shots += ["-f", "lavfi", "-i", "rgbtestsrc=size=64x48:rate=24:duration=2"]
    joined = ["-filter_complex", "[0][1]concat=n=2", "-pix_fmt", "yuv420p"]
    return convert([*shots, *joined], tmp_path_factory.mktemp("long") / "clip.mp4")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_guide(
    command: str,
    photo: Path,
    style: Path,
    long_clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command)[1:]
    made = {words[words.index(option) + 1] for option in ("-o", "--contact-sheet") if option in words}
    if words[0] == "video":
        Path(words[1]).symlink_to(long_clip)
    elif words[0] == "album":
        Path(words[1]).mkdir()
        write_image(Path(words[1]) / "photo.png", read_image(photo))
    for name in {word.split(":")[0] for word in words if re.search(r"\.(png|jpg)(:|$)", word)} - made:
        picture = read_image(photo if name == words[1] else style)
        mask = np.zeros((48, 64, 3), np.float32)
        mask[:, 20:] = 1.0
        write_image(Path(name), mask if name in ("face.png", "around.png") else picture)
    fewer = []
    if "--frames" in words:
        first = int(words[words.index("--frames") + 1].split(":")[0])
        fewer = ["--frames", f"{first}:{first + 3}"]
    elif "--preview" in words:
        fewer = ["--preview", "2"]
    done(*words, *QUICK, "--size", "32", *fewer)
    if "--preview" in words:
        made = {f"{name}.preview.png" for name in made}
    assert all(Path(name).exists() for name in made)


def test_every_picture_is_there_and_described() -> None:
    pictures = re.findall(r"!\[([^\]]*)\]\(([^)]*)\)", TEXT)
    assert len(pictures) >= 6
    for description, path in pictures:
        assert description
        assert (GUIDE.parent / path).is_file(), path
