"""What every test needs: a quiet TensorFlow, no network, and small media shared by the whole run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as in the program
os.environ["DEEPFUSION_OFFLINE"] = "1"
if "PYTEST_XDIST_WORKER" in os.environ:  # one of several: each has a core to itself
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np
import pytest
from hypothesis import settings
from video_clips import convert

from video.images import from_uint8, write_image

FRAMES = 6

# `pytest --hypothesis-profile=long` is the long run, recorded in docs/reliability.md.
settings.register_profile("suite", max_examples=60, deadline=None)
settings.register_profile("long", max_examples=5000, deadline=None)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A moving clip of 6 frames at 24000/1001 a second, 64x48, with a track of sound."""
    pictures = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=24000/1001,scroll=horizontal=0.0625"]
    sound = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=1"]
    codecs = ["-t", "0.25", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    return convert([*pictures, *sound, *codecs], tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a smooth `photo.png` (64x48) and two coarse paintings, `red.png` and `blue.png`."""
    folder = tmp_path_factory.mktemp("pictures")
    rows, columns = np.mgrid[0:48, 0:64]
    photo = np.stack([4 * columns, 5 * rows, 255 - 4 * columns], axis=-1).astype(np.uint8)
    write_image(folder / "photo.png", from_uint8(photo))
    for seed, (name, channel) in enumerate({"red": 0, "blue": 2}.items()):
        cells = np.random.default_rng(seed).integers(0, 120, (8, 8, 3))
        cells[..., channel] += 130
        write_image(folder / f"{name}.png", from_uint8(np.kron(cells, np.ones((8, 8, 1))).astype(np.uint8)))
    return folder


@pytest.fixture(scope="module")
def uncompiled() -> Iterator[None]:
    """No compiled steps in a module of many short runs: compiling them would take most of the time."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def compiled(uncompiled: None) -> Iterator[None]:
    """Compiled steps for one test of such a module: what takes many iterations is quicker with them."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(False)
    yield
    tf.config.run_functions_eagerly(True)


@pytest.fixture(scope="session")
def photo(pictures: Path) -> Path:
    return pictures / "photo.png"


@pytest.fixture(scope="session")
def style(pictures: Path) -> Path:
    return pictures / "red.png"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The frames of the progress movies that would be written, instead of files."""
    from pipeline.montage import movie

    frames: list[np.ndarray] = []
    monkeypatch.setattr(movie, "write_animation", lambda path, pictures, rate, **_: frames.extend(pictures))
    return frames
