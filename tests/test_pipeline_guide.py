"""The guide's commands are real: each is taken, and its picture is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from pipeline_runs import QUICK, done

from video.images import read_image, write_image

pytestmark = pytest.mark.usefixtures("uncompiled")

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "guide.md"
TEXT = GUIDE.read_text(encoding="utf-8")
COMMANDS = [line for line in TEXT.splitlines() if line.startswith("deepfusion ")]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_guide(
    command: str, photo: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command)[1:]
    for name in {word.split(":")[0] for word in words if re.search(r"\.(png|jpg)(:|$)", word)}:
        if name == words[words.index("-o") + 1]:
            continue
        picture = read_image(photo if name == words[1] else style)
        mask = np.zeros((48, 64, 3), np.float32)
        mask[:, 20:] = 1.0
        write_image(Path(name), mask if name in ("face.png", "around.png") else picture)
    done(*words, *QUICK)
    assert Path(words[words.index("-o") + 1]).exists()


def test_every_picture_is_there_and_described() -> None:
    pictures = re.findall(r"!\[([^\]]*)\]\(([^)]*)\)", TEXT)
    assert len(pictures) >= 6
    for description, path in pictures:
        assert description
        assert (GUIDE.parent / path).is_file(), path
