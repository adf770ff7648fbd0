"""The precision a job runs in: what was asked for, or what the hardware is made for; recorded."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
import tensorflow as tf
from pipeline_runs import QUICK, done
from tiny_encoder import tiny_weights

from pipeline import machine
from pipeline.progress.display import Display
from pipeline.settings.job import Job, StyleSource, build_job
from pipeline.styling import precision
from pipeline.styling.factory import on_network
from pipeline.styling.precision import is_native, settled
from stylize.errors import WeightsError
from stylize.weights import Weights


def job_of(**overrides: object) -> Job:
    return build_job("image", Path("a"), (StyleSource(Path("b")),), Path("c"), overrides=overrides)


def weights_of(name: str) -> Weights:
    return replace(tiny_weights(), name=name)


@pytest.mark.parametrize(
    ("native", "name", "expected"),
    [(True, "vgg19", "mixed"), (False, "vgg19", "float32"), (True, "vgg19-slim", "float32")],
)
def test_auto_follows_hardware_and_network_and_words_are_kept(
    native: bool, name: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "is_native", lambda: native)
    weights = weights_of(name)
    assert settled(job_of(), weights).settings.precision == expected
    for asked in ("mixed", "float32"):
        job = job_of(precision=asked)
        assert settled(job, weights) is job
    assert replace(settled(job_of(), weights), settings=job_of().settings) == job_of()  # and nothing else


@pytest.mark.parametrize(
    ("capabilities", "expected"), [([(8, 0)], True), ([(9, 0), (8, 6)], True), ([(9, 0), (7, 5)], False)]
)
def test_graphics_cards(
    capabilities: list[tuple[int, int]], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: list(range(len(capabilities))))
    details = lambda card: {"compute_capability": capabilities[card]}  # noqa: E731
    monkeypatch.setattr(tf.config.experimental, "get_device_details", details)
    assert is_native() is expected


@pytest.mark.parametrize(
    ("flags", "expected"), [({"sse", "avx512_bf16"}, True), ({"sse", "avx2"}, False), (set(), False)]
)
def test_processors(flags: set[str], expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(precision, "flags", lambda: flags)
    assert is_native() is expected


@pytest.mark.parametrize(
    ("flags", "before", "expected"),
    [({"avx2"}, None, "1"), ({"avx2"}, "0", "0"), ({"asimd"}, None, None), (set(), None, None)],
)
def test_onednn_is_asked_for_where_it_is_faster_and_nobody_has_chosen(
    flags: set[str], before: str | None, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "flags", lambda: flags)
    monkeypatch.delitem(sys.modules, "tensorflow")
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    if before is not None:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", before)
    imported: list[str | None] = []

    def stop() -> None:
        imported.append(os.environ.get("TF_ENABLE_ONEDNN_OPTS"))
        raise ImportError

    monkeypatch.setattr(machine, "held_stderr", stop)
    with pytest.raises(ImportError):
        machine.load_tensorflow()
    assert imported == [expected]


@pytest.mark.parametrize(
    ("driver", "cards", "visible", "idle"),
    [
        (True, 0, None, True),
        (True, 0, "0", True),
        (True, 0, "", False),
        (True, 0, "-1", False),
        (True, 1, None, False),
        (False, 0, None, False),
    ],
)
def test_a_card_that_is_left_idle_is_told(
    driver: bool,
    cards: int,
    visible: str | None,
    idle: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        tf.config, "list_physical_devices", lambda kind: cards * [SimpleNamespace(name="GPU:0")]
    )
    details = lambda card: {"device_name": "NVIDIA H100"}  # noqa: E731
    monkeypatch.setattr(tf.config.experimental, "get_device_details", details)
    monkeypatch.setattr(machine, "_NVIDIA_DRIVER", tmp_path if driver else tmp_path / "none")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    said = StringIO()
    on_network(job_of(precision="float32"), Display(1, stream=said))
    assert ("runs on NVIDIA H100" if cards else "runs on the processor") in said.getvalue()
    assert ("there is an NVIDIA card, but TensorFlow cannot use it" in said.getvalue()) == idle


def test_the_network_is_read_while_tensorflow_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """But what is wrong with a file that somebody names is said before that."""
    reading, imported = threading.Event(), threading.Event()

    def read(*_: object, **__: object) -> tuple[Weights, None]:
        reading.set()
        assert imported.wait(5.0)
        return weights_of("vgg19"), None

    def load() -> None:
        assert reading.wait(5.0)
        imported.set()

    monkeypatch.setattr("stylize.weights.choose_weights", read)
    monkeypatch.setattr("pipeline.styling.factory.load_tensorflow", load)
    _, weights = on_network(job_of(precision="float32"), Display(1, stream=StringIO()))
    assert weights.name == "vgg19"
    monkeypatch.undo()
    monkeypatch.setattr("pipeline.styling.factory.load_tensorflow", lambda: pytest.fail("imported"))
    with pytest.raises(WeightsError, match="no such file"):
        on_network(job_of(weights="none.npz"), Display(1, stream=StringIO()))


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_what_ran_is_in_the_saved_settings(photo: Path, style: Path, tmp_path: Path) -> None:
    job = tmp_path / "again.toml"
    done(
        "image", photo, "--style", style, "-o", tmp_path / "out.png", *QUICK, "--precision", "mixed",
        "--save-settings", job,
    )  # fmt: skip
    assert 'precision = "mixed"' in job.read_text()
    done("image", photo, "--style", style, "-o", tmp_path / "auto.png", *QUICK, "--save-settings", job,
         "--overwrite")  # fmt: skip
    assert 'precision = "auto"' not in job.read_text()
