"""The command line, run inside the tests' process, and what its outcome is compared with."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.cli.main import main
from video.images import read_image, to_uint8

DEPTH = ("--content-layers", "relu2_1", "--style-layers", "relu1_1,relu2_1")
QUICK = ("--backbone", "vgg19-slim", "--size", "64", "--iterations", "2", "--levels", "1", *DEPTH)
"""Settings that make a picture in a moment: few iterations, and few layers to be compiled."""

QUICK_CLIP = (*QUICK, "--frame-iterations", "2")
"""The same for a clip, whose frames would else have 40 iterations each."""


@dataclass(frozen=True)
class Ran:
    """How the program ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on standard output."""
        (line,) = self.out.splitlines()
        return json.loads(line)


def deepfusion(*arguments: object) -> Ran:
    """Run the command line as the console script does."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main([str(argument) for argument in arguments])
    return Ran(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def done(*arguments: object) -> Ran:
    """Run a command line that must succeed."""
    ran = deepfusion(*arguments)
    assert ran.code == 0, ran.err
    return ran


def refused(*arguments: object) -> str:
    """Run a command line that must be refused: exit status 2, and one line, which is returned."""
    ran = deepfusion(*arguments)
    assert (ran.code, ran.out) == (2, ""), ran
    lines = ran.err.splitlines()
    assert len(lines) == 1, ran.err
    assert lines[0].startswith("deepfusion: "), ran.err
    return lines[0].removeprefix("deepfusion: ")


def pixels(path: Path) -> np.ndarray:
    """A picture file as bytes."""
    return to_uint8(read_image(path))


def tree(folder: Path) -> list[str]:
    """Every file below a folder, hidden ones too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def frames_of(path: Path) -> list[np.ndarray]:
    """Every frame of a clip."""
    import av

    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def sound_of(path: Path) -> bytes:
    """The packets of a clip's first track of sound, one after the other."""
    import av

    with av.open(str(path)) as container:
        return b"".join(bytes(packet) for packet in container.demux(audio=0))
