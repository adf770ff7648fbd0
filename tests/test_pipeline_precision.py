"""The precision a job runs in: what was asked for, or what the hardware is made for; recorded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tensorflow as tf
from pipeline_runs import QUICK, done
from tiny_encoder import tiny_weights

from pipeline.settings.job import Job, StyleSource, build_job
from pipeline.styling import precision
from pipeline.styling.precision import is_native, settled
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
    ("text", "expected"),
    [("flags\t\t: sse avx512_bf16 x\n", True), ("flags : sse avx2\n", False), ("", False)],
)
def test_processors(text: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    reads: Any = lambda path: SimpleNamespace(read_text=lambda errors: text)  # noqa: E731
    monkeypatch.setattr(precision, "Path", reads)
    assert is_native() is expected


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
