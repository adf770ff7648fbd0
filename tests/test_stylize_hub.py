"""One-pass stylization: a SavedModel with the signature of Magenta's, as engine and as start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from pipeline_runs import DEPTH, deepfusion, done

from stylize.errors import WeightsError
from stylize.hub import HubModel
from video.images import read_image

QUICK = ("--backbone", "vgg19-slim", "--size", "64", "--levels", "1", *DEPTH)


class Half(tf.Module):
    """Halfway from the content to the style's mean colour, as its only output in a tuple."""

    @tf.function(
        input_signature=[
            tf.TensorSpec((1, None, None, 3), name="a"),
            tf.TensorSpec((1, None, None, 3), name="b"),
        ]
    )
    def __call__(self, content: Any, style: Any) -> Any:
        return (0.5 * content + 0.5 * tf.reduce_mean(style, axis=(1, 2), keepdims=True),)


class Smaller(Half):
    """Gives a picture whose sides are multiples of 8, as Magenta's does of 4."""

    @tf.function(input_signature=[tf.TensorSpec((1, None, None, 3)), tf.TensorSpec((1, None, None, 3))])
    def __call__(self, content: Any, style: Any) -> Any:
        sides = 8 * (tf.shape(content)[1:3] // 8)
        return {"b": style, "a": 2.0 * content[:, : sides[0], : sides[1]]}


class Wrong(tf.Module):
    """No model of two pictures."""

    @tf.function(input_signature=[tf.TensorSpec((3,))])
    def __call__(self, value: Any) -> Any:
        return value


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(Half(), tmp_path_factory.mktemp("half"))


def save(module: tf.Module, folder: Path) -> Path:
    tf.saved_model.save(module, str(folder))
    return folder


def picture(seed: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3)).astype(np.float32)


@pytest.mark.slow
def test_a_model_stylizes(model: Path) -> None:
    content, style = picture(0, 20, 31), picture(1, 300, 290)
    found = HubModel(str(model)).stylize(content, style)
    assert (found.shape, found.dtype) == (content.shape, np.dtype(np.float32))
    np.testing.assert_allclose(found, 0.5 * content + 0.25, atol=0.02)


@pytest.mark.slow
def test_what_it_gives_is_brought_to_shape_and_range(tmp_path: Path) -> None:
    found = HubModel(str(save(Smaller(), tmp_path))).stylize(picture(0, 20, 31), picture(1, 40, 40))
    assert found.shape == (20, 31, 3)
    assert found.min() >= 0.0 and found.max() == 1.0


def test_a_model_without_call_is_used_by_its_signature(tmp_path: Path) -> None:
    module = tf.Module()
    signature = Half().__call__.get_concrete_function()
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": signature})
    content = picture(0, 16, 16)
    found = HubModel(str(tmp_path)).stylize(content, picture(1, 32, 32))
    np.testing.assert_allclose(found, 0.5 * content + 0.25, atol=0.03)


def test_what_is_no_model_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEPFUSION_OFFLINE")
    cases = {
        str(tmp_path / "none"): "holds no saved_model.pb",
        "https://127.0.0.1:9/model/1": "cannot be loaded",
    }
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "saved_model.pb").write_bytes(b"nothing")
    cases[str(tmp_path / "bad")] = "cannot be loaded"
    for handle, text in cases.items():
        with pytest.raises(WeightsError, match=text) as caught:
            HubModel(handle)
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith(handle)
    with pytest.raises(WeightsError, match="not fetched offline"):
        HubModel("https://tfhub.dev/model/1", offline=True)
    monkeypatch.setenv("DEEPFUSION_OFFLINE", "1")
    with pytest.raises(WeightsError, match="not fetched offline"):
        HubModel("https://tfhub.dev/model/1")
    wrong = HubModel(str(save(Wrong(), tmp_path / "wrong")))
    with pytest.raises(WeightsError, match="does not stylize"):
        wrong.stylize(picture(0, 16, 16), picture(1, 16, 16))


@pytest.mark.slow
def test_it_is_imported_only_when_it_is_wanted() -> None:
    code = "import sys, stylize.stylizer, pipeline.styling.factory; sys.exit('tensorflow_hub' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- on the command line ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_engine_gives_a_whole_result(model: Path, pictures: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.png"
    style = pictures / "red.png"
    said = done("image", pictures / "photo.png", "--style", style, "-o", output, *QUICK, "--engine", "hub",
                "--hub-model", model, "--json").json  # fmt: skip
    wanted = 0.5 * read_image(pictures / "photo.png") + 0.5 * read_image(style).mean(axis=(0, 1))
    np.testing.assert_allclose(read_image(output), wanted, atol=0.03)
    assert said["evaluations"] == 0
    assert said["losses"]["style"] > 0


@pytest.mark.slow
def test_a_clip_and_its_plan(model: Path, clip: Path, pictures: Path, tmp_path: Path) -> None:
    common = ("video", clip, "--style", pictures / "red.png", "-o", tmp_path / "out.mp4", *QUICK,
              "--engine", "hub", "--hub-model", model)  # fmt: skip
    assert "time    at most about" in done(*common, "--dry-run").out
    ran = done(*common)
    assert "every frame by itself" in ran.err
    assert (tmp_path / "out.mp4").stat().st_size > 1000
    refused = deepfusion(*common, "--overwrite", "--progress-movie", tmp_path / "p.gif")
    assert (refused.code, "there is no progress" in refused.err) == (2, True)


@pytest.mark.slow
def test_an_optimisation_starts_from_it(model: Path, pictures: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.png"
    common = ("image", pictures / "photo.png", "--style", pictures / "red.png", "-o", output, *QUICK,
              "--init", "hub", "--iterations", "1", "--keep-run", "--hub-model", model)  # fmt: skip
    done(*common)
    wanted = 0.5 * read_image(pictures / "photo.png") + 0.5 * read_image(pictures / "red.png").mean(
        axis=(0, 1)
    )
    assert np.abs(read_image(output) - wanted).mean() < 0.05
    two = deepfusion(*common, "--overwrite", "--style", pictures / "blue.png")
    assert (two.code, "takes one style" in two.err) == (2, True)
