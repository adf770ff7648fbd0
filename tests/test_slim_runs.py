"""The training of vgg19-slim as a whole: curves, steps, runs that continue."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from slim_lessons import (
    byte_pictures,
    few,
    network,
    photo_folder,
    uneven_student,
)

from scripts.slim import train
from scripts.slim.training import learner
from scripts.slim.training.bank import Bank
from scripts.slim.training.curves import Curves
from scripts.slim.training.learner import Training
from scripts.slim.training.painted import Painted, gradients, paint, unit
from scripts.slim.training.pictures import read_pictures
from scripts.slim.training.student import Student, rescaled, save_arrays
from scripts.slim.training.teachers import (
    SLIM_LAYERS,
    read_teacher,
)
from stylize.backbone import IMAGENET_MEAN, Vgg19
from stylize.weights import WIDTHS, embedded_path, verify

pytestmark = pytest.mark.usefixtures("uncompiled")


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_curves_drop_what_a_continued_run_repeats(tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    curves = Curves(path, resume_at=0)
    for step in (2, 4, 6):
        curves.add(step, {"loss a": step / 8})
    curves = Curves(path, resume_at=4)
    curves.add(8, {"loss a": 1.0, "explained a": 0.123456789})
    rows = [("2", "0.25", ""), ("4", "0.5", ""), ("8", "1", "0.12346")]
    assert [tuple(row.values()) for row in table(path)] == rows
    Curves(path, resume_at=0).add(1, {"loss b": 2.0})
    assert table(path) == [{"step": "1", "loss b": "2"}]


def test_curves_are_plotted_also_where_a_column_has_gaps(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    curves = Curves(tmp_path / "curves.csv", resume_at=0)
    curves.add(2, {"loss gram": 0.5, "seconds": 3.0, "explained block1_conv1": 0.1})
    curves.add(4, {"loss gram": 0.4, "explained block1_conv1": 0.2, "explained block1_conv2": 0.3})
    curves.plot(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_sides_that_do_not_halve_four_times_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    rest = ["--pictures", "p", "--teacher", "t", "--work", "w", "-o", "o.npz"]
    assert train.parsed([*rest, "--side", "48"]).side == 48
    for side in ("16", "40"):
        with pytest.raises(SystemExit):
            train.parsed([*rest, "--side", side])
        assert "multiple of 16" in capsys.readouterr().err


def test_following_needs_a_network_to_go_on_from(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        train.parsed(["--pictures", "p", "--work", "w", "-o", "o.npz", "--followed", "8"])
    assert "--followed needs --start" in capsys.readouterr().err


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A training of a few steps, which still warms up, renews its bank, paints, and is finished."""
    for name, value in {"CHUNK": 4, "RENEWED_PER_STEP": 2.0, "WARM_UP": 1}.items():
        monkeypatch.setattr(train, name, value)
    for name, value in {"COMPARED_EVERY": 2, "PAINTED_PER_STEP": 3}.items():
        monkeypatch.setattr(train, name, value)
    for name, value in {"WARM_UP": 1, "LAST_BATCHES": 1}.items():
        monkeypatch.setattr(learner, name, value)
    few(monkeypatch, steps=2, noisy=0.5)
    folder = photo_folder(tmp_path / "photos", 7)
    save_arrays(tmp_path / "teacher.npz", uneven_student(3).folded())
    places = ["--pictures", str(folder), "--teacher", str(tmp_path / "teacher.npz")]
    places += ["--work", str(tmp_path / "work"), "-o", str(tmp_path / "slim.npz")]
    sizes = ["--side", "32", "--batch", "2", "--bank", "16", "--held-back", "2"]
    return [*places, *sizes, "--every", "2", "--seed", "1", "--precision", "float32"]


def test_the_teacher_is_the_packages_own_unless_another_is_given(arguments: list[str]) -> None:
    assert train.parsed([*arguments, "--teacher", "other.h5"]).teacher == Path("other.h5")
    assert train.parsed([*arguments[:2], *arguments[4:]]).teacher == embedded_path("vgg19")


@pytest.mark.slow
@pytest.mark.usefixtures("compiled")
def test_compiled_steps_in_bfloat16_learn(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One batch and some painted pictures over and over, one of which is its own content.

    (The deep layers have more features than such small crops have places.)
    """
    assert not tf.config.functions_run_eagerly()
    few(monkeypatch, steps=2, noisy=0.0)
    settings = ["--precision", "bfloat16", "--steps", "500", "--gradient-weight", "2"]
    options = train.parsed([*arguments, *settings])
    teacher = read_teacher(tmp_path / "teacher.npz")
    training = Training(options, teacher)
    pictures = list(read_pictures(options.pictures, smallest=32).values())
    paint(tmp_path / "painted", teacher, pictures, count=1, side=32, seed=0)
    found = Painted.read(tmp_path / "painted")
    bank = Bank(pictures, teacher, training.lessons, capacity=2, side=32, seed=[0], precision="bfloat16")
    bank.renew(2)
    shown = tuple(tf.constant(getattr(found, name)[1:]) for name in Painted.NAMES)
    assert [bool(np.any(toward)) for toward in shown[-1]] == [False, True, True]
    shares = np.stack([training.learn(*bank.draw(2), shown).numpy() for _ in range(25)])
    assert int(training.step) == 25
    assert shares.shape == (25, len(SLIM_LAYERS) + 3)
    assert np.isfinite(shares).all()
    shares[:, -1] -= 1 / 3  # the content itself has no direction to agree with
    for column, most in ((0, 0.8), (1, 0.8), (-3, 0.8), (-2, 0.8), (-1, 0.9)):
        assert 0.0 < shares[-5:, column].mean() < most * shares[:5, column].mean()


@pytest.mark.slow
def test_directions_are_off_by_nothing_where_the_networks_agree(arguments: list[str], tmp_path: Path) -> None:
    """A student that is its own teacher; and by two where one direction is turned round."""
    pictures, contents, styles = (tf.constant(byte_pictures(2, seed, 32)) for seed in (1, 2, 3))
    training = Training(train.parsed([*arguments, "--steps", "4"]), read_teacher(tmp_path / "teacher.npz"))
    shown = tf.cast(tf.concat((pictures, contents, styles), 0), tf.float32) / 255.0
    look = training.student.fixed(shown)
    for layer, linear in training.maps.items():
        width = look(shown, [layer])[layer].shape[-1]
        linear._weight.assign(1.0)
        linear._square.assign(tf.eye(width))
        linear._cross.assign(tf.eye(width))
    toward = gradients(look, dict.fromkeys(SLIM_LAYERS), pictures, contents, styles)
    for signs in ((1.0, 1.0), (1.0, -1.0), (-1.0, 1.0)):
        given = [sign * unit(part) for sign, part in zip(signs, toward, strict=True)]
        found = training._astray(pictures, contents, styles, *given)
        np.testing.assert_allclose(found, [1.0 - sign for sign in signs], atol=1e-3)


class OneBatch:
    """A bank that always has the same two pictures."""

    def draw(self, count: int) -> tuple[tf.Tensor, tuple[()], tuple[()]]:
        assert count == 2
        return tf.constant(byte_pictures(2, 1, 32)), (), ()


@pytest.fixture
def finishing(arguments: list[str], tmp_path: Path) -> tuple[Training, Any, tf.Tensor]:
    """A training that may be finished, a bank of one batch, and its pictures."""
    training = Training(train.parsed([*arguments, "--steps", "4"]), read_teacher(tmp_path / "teacher.npz"))
    bank = OneBatch()
    return training, bank, tf.cast(bank.draw(2)[0], tf.float32) / 255.0


@pytest.mark.slow
def test_finished_channels_have_the_mean_one(finishing: tuple[Training, Any, tf.Tensor]) -> None:
    """Over the crops that they were measured on; quiet ones less, and none is lost."""
    training, bank, pictures = finishing
    training.student.betas[0].assign(tf.concat([[-2.5], training.student.betas[0][1:]], axis=0))
    arrays = training.finished(network(uneven_student(3).folded()), bank)
    raw = network(training.student.folded()).activations(pictures, SLIM_LAYERS)
    found = network({name: array for name, array in arrays.items() if not name.endswith("/tap")})
    quiet = 0
    for layer, value in found.activations(pictures, SLIM_LAYERS).items():
        old = np.mean(raw[layer], (0, 1, 2))
        expected = np.minimum(old / (learner.QUIET_CHANNEL * np.median(old)), 1.0)
        np.testing.assert_allclose(np.mean(value, (0, 1, 2)), expected, rtol=1e-3)
        quiet += np.sum(expected < 0.99)
    assert 0 < quiet < 10
    plain = tf.nn.conv2d(
        (pictures * 255.0 - IMAGENET_MEAN)[..., ::-1] / 64.0, training.student.kernels[0], 1, "SAME"
    )
    np.testing.assert_allclose(training.student.means[0], np.mean(plain, (0, 1, 2)), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(training.student.variances[0], np.var(plain, (0, 1, 2)), rtol=5e-3)


@pytest.mark.slow
def test_finished_networks_measure_as_the_teacher(
    finishing: tuple[Training, Any, tf.Tensor], tmp_path: Path
) -> None:
    """One that says the same in other channels: differences between two pictures have the same length."""
    training, bank, pictures = finishing
    training.settle(bank)
    random, factors = np.random.default_rng(0), {}
    for layer in SLIM_LAYERS:
        width = WIDTHS["vgg19-slim"][int(layer[5]) - 1]
        factors[layer] = random.uniform(0.5, 20.0, width)
    teacher = network(rescaled(training.student.folded(), factors))
    save_arrays(tmp_path / "slim.npz", training.finished(teacher, bank))
    weights = verify(tmp_path / "slim.npz")
    assert (weights.name, list(weights.taps)) == ("vgg19-slim", list(SLIM_LAYERS))
    found, expected = (one.activations(pictures, SLIM_LAYERS) for one in (Vgg19(weights), teacher))
    for layer in SLIM_LAYERS:
        lengths = [np.sum((value[layer][0] - value[layer][1]) ** 2) for value in (found, expected)]
        assert lengths[0] == pytest.approx(lengths[1], rel=0.1)


def directions(path: Path) -> np.ndarray:
    """The first layer's kernels, one a column, less their lengths: what finishing leaves as learned."""
    kernel = verify(path).layers["block1_conv1"][0].reshape(27, -1)
    return kernel / np.linalg.norm(kernel, axis=0)


@pytest.mark.slow
def test_training_writes_weights_continues_and_keeps_to_its_run(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("matplotlib") is None:
        monkeypatch.setattr(Curves, "plot", lambda curves, path: path.write_bytes(b"\x89PNG"))
    work, output, shown = tmp_path / "work", tmp_path / "slim.npz", []
    draw = Painted.draw

    def counted(found: Painted, count: int, rng: np.random.Generator) -> tuple[tf.Tensor, ...]:
        shown.append(count)
        return draw(found, count, rng)

    monkeypatch.setattr(Painted, "draw", counted)
    assert train.main([*arguments, "--steps", "2", "--painted", "6"]) == 0
    assert shown == [3]
    assert "5 pictures, 2 held back" in capsys.readouterr().out
    assert verify(output).name == "vgg19-slim"
    assert list(verify(output).taps) == list(SLIM_LAYERS)
    rows = table(work / "curves.csv")
    assert [row["step"] for row in rows] == ["2"]
    columns = [f"{kind} {layer}" for kind in ("loss", "explained") for layer in SLIM_LAYERS]
    columns += [f"loss {name}" for name in ("gram", "style direction", "content direction")]
    assert set(rows[0]) == {"step", "seconds", *columns}
    for name in ("block1_conv1", "style direction", "content direction"):
        assert all(0.0 < float(row[f"loss {name}"]) < 2.0 for row in rows)
    assert all(-2.0 < float(row["explained block1_conv1"]) < 1.0 for row in rows)
    assert (work / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert len(list((work / "painted").iterdir())) == 2
    learned = directions(output)
    fresh = Student(1).kernels[0].numpy().reshape(27, -1)
    assert np.abs(learned - fresh / np.linalg.norm(fresh, axis=0)).max() > 1e-3

    assert train.main([*arguments, "--steps", "3", "--learning-rate", "1e-9"]) == 0
    continued = table(work / "curves.csv")
    assert continued[:1] == rows
    assert [row["step"] for row in continued] == ["2", "3"]
    assert continued[1]["loss style direction"] == continued[1]["loss content direction"] == ""
    np.testing.assert_allclose(directions(output), learned, atol=1e-6)
    note = json.loads((work / "run.json").read_text())
    parts = [(part["from"], part["steps"], part["painted"]) for part in note["parts"]]
    assert parts == [(0, 2, 6), (2, 3, 0)]

    before = output.read_bytes()
    with pytest.raises(SystemExit, match="seed 1 -> 2"):
        train.main([*arguments, "--steps", "8", "--seed", "2"])
    assert output.read_bytes() == before
    assert json.loads((work / "run.json").read_text()) == note
    assert table(work / "curves.csv") == continued


@pytest.mark.slow
def test_training_goes_on_from_a_finished_network(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At its beginning only: when it is continued, it goes on from where it was."""
    monkeypatch.setattr(Curves, "plot", lambda curves, path: None)
    start, output = tmp_path / "start.npz", tmp_path / "slim.npz"
    save_arrays(start, uneven_student(5).folded())
    begun = [*arguments, "--learning-rate", "1e-9", "--start", str(start)]
    assert train.main([*begun, "--steps", "2"]) == 0
    np.testing.assert_allclose(directions(output), directions(start), atol=1e-5)
    assert float(table(tmp_path / "work" / "curves.csv")[0]["loss block1_conv1"]) < 0.5
    monkeypatch.setattr(Student, "adopt", lambda *_: pytest.fail("adopted again"))
    assert train.main([*begun, "--steps", "3"]) == 0
    np.testing.assert_allclose(directions(output), directions(start), atol=1e-5)
    with pytest.raises(SystemExit, match=r"start .*start\.npz -> None"):
        train.main([*arguments, "--steps", "4"])


@pytest.mark.slow
def test_a_run_follows_the_network_that_it_goes_on_from(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its half-painted pictures lie beside the teacher's, under the name of its hash."""
    monkeypatch.setattr(Curves, "plot", lambda curves, path: None)
    monkeypatch.setattr(train, "COMPARED_EVERY", 1)
    few(monkeypatch, steps=2, noisy=0.5)
    start = tmp_path / "start.npz"
    save_arrays(start, uneven_student(5).folded())
    settings = ["--start", str(start), "--steps", "2", "--painted", "3", "--followed", "5"]
    assert train.main([*arguments, *settings]) == 0
    name = hashlib.sha256(start.read_bytes()).hexdigest()[:8]
    parts = sorted(path.name for path in (tmp_path / "work" / "painted").iterdir())
    assert parts == [f"followed-{name}-0000.npz", f"followed-{name}-0001.npz", "painted-0000.npz"]
    (row,) = table(tmp_path / "work" / "curves.csv")
    assert 0.0 < float(row["loss style direction"]) < 2.0


def test_networks_that_cannot_be_gone_on_from_end_the_run_in_a_line(
    arguments: list[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit, match=r"absent\.npz"):
        train.main([*arguments, "--start", str(tmp_path / "absent.npz")])
    arrays = uneven_student().folded()
    save_arrays(tmp_path / "short.npz", {name: arrays[name] for name in arrays if name[:6] <= "block3"})
    with pytest.raises(SystemExit, match="holds vgg19-slim to block3_conv4, not vgg19-slim to block5_conv2"):
        train.main([*arguments, "--start", str(tmp_path / "short.npz")])
    with pytest.raises(SystemExit, match="holds vgg19 to block5_conv4, not vgg19-slim to block5_conv2"):
        train.main([*arguments, "--start", "vgg19"])
    assert list((tmp_path / "work").iterdir()) == []


def test_teachers_that_will_not_do_end_the_run_in_a_line(arguments: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"absent\.h5"):
        train.main([*arguments, "--teacher", str(tmp_path / "absent.h5")])
    whole = np.load(tmp_path / "teacher.npz")
    shallow = {name: whole[name] for name in whole.files if name[:6] <= "block3"}
    save_arrays(tmp_path / "teacher.npz", shallow)
    with pytest.raises(SystemExit, match="ends at block3_conv4; the slim network learns up to block5_conv2"):
        train.main(arguments)
