"""Which network a job runs on: the package's, a file's, and what files and runs of earlier versions ask for."""

# ruff: noqa: E501 - messages are given in full

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pipeline_runs import QUICK, deepfusion, done, refused, tree
from tiny_encoder import tiny_weights

from pipeline.settings.input_files import as_sent, to_send
from stylize.errors import WeightsError
from stylize.weights import EMBEDDED, embedded_path, load_weights


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photo: Path, style: Path) -> Path:
    """An empty folder to stand in, with links to the media beside it."""
    for name, target in (("photo.png", photo), ("style.png", style)):
        (tmp_path / name).symlink_to(target)
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def image(*arguments: object) -> list[object]:
    return ["image", "../photo.png", "--style", "../style.png", "-o", "out.png", *arguments]


TINY = (
    "--size",
    "32",
    "--iterations",
    "1",
    "--levels",
    "1",
    "--content-layers",
    "relu1_1",
    "--style-layers",
    "relu1_1",
)


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_the_default_is_the_full_network_and_records_say_which_bytes_ran(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is in Keras' cache, and with nobody asked."""
    monkeypatch.setenv("KERAS_HOME", str(place.parent / "keras"))
    monkeypatch.setattr("stylize.weights.download._open", lambda *_: pytest.fail("the network was asked"))
    ran = done(*image(*TINY, "--json", "--keep-run", "--report", "page.html"))
    assert (ran.json["backbone"], ran.json["weights"]) == ("vgg19", "vgg19 inside the package")
    assert (ran.json["weights_sha256"], ran.json["warnings"]) == (EMBEDDED["vgg19"], [])
    record = json.loads(Path("out.png.run/job.json").read_text())
    assert (record["backbone"], record["weights"]) == ("vgg19", EMBEDDED["vgg19"])
    said = f"network vgg19: vgg19 inside the package, SHA-256 {EMBEDDED['vgg19']}"
    assert said in Path("out.png.run/log.txt").read_text()
    page = Path("page.html").read_text()
    assert "vgg19, vgg19 inside the package" in page
    assert EMBEDDED["vgg19"] in page
    assert not (place.parent / "keras" / "models").exists()


@pytest.mark.usefixtures("uncompiled")
def test_a_saved_job_is_held_to_the_file_that_it_ran_on(place: Path) -> None:
    """Another file of that name, which would make another picture, is refused."""
    file = place / "net.npz"
    file.write_bytes(embedded_path("vgg19-slim").read_bytes())
    job = ("--backbone", "vgg19-slim", "--weights", file, "--save-settings", "job.toml")
    assert done(*image(*TINY, *job)).err == ""
    assert f'weights_sha256 = "{EMBEDDED["vgg19-slim"]}"' in Path("job.toml").read_text()
    done("run", "job.toml", "--overwrite")
    arrays = dict(np.load(file))
    np.savez(file, allow_pickle=False, **{name: value for name, value in arrays.items() if "tap" not in name})
    said = refused("run", "job.toml", "--overwrite")
    assert said.startswith(f"net.npz: expected SHA-256 {EMBEDDED['vgg19-slim']}, got ")


@pytest.mark.parametrize("name", ["vgg19-slim", "vgg-slim"])
def test_a_network_of_the_package_given_as_a_file(place: Path, name: str) -> None:
    said = f"{name}: no such file; vgg19-slim is inside the package, for --backbone vgg19-slim"
    assert refused(*image("--weights", name)).startswith(said)
    assert refused("weights", "verify", name).startswith(said)


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_a_file_replaces_the_network_and_is_noted_where_it_holds_another(place: Path) -> None:
    ran = done(*image(*TINY, "--json", "--weights", embedded_path("vgg19-slim")))
    note = f"{embedded_path('vgg19-slim')}: holds vgg19-slim, which is used in place of vgg19"
    assert ran.err.splitlines() == [f"note: {note}"]
    assert ran.json["warnings"] == [note]
    assert (ran.json["backbone"], ran.json["weights"]) == ("vgg19-slim", str(embedded_path("vgg19-slim")))


def test_auto_is_no_network_any_more(place: Path) -> None:
    said = refused(*image("--backbone", "auto"))
    assert said.startswith("Invalid value for '--backbone': unknown value 'auto': ")
    assert tree(place) == []


@pytest.mark.parametrize("harm", ["missing", "cut", "exchanged"])
def test_a_damaged_installation_is_one_line_with_status_2(
    harm: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place.parent / f"{harm}.npz"
    data = embedded_path("vgg19-slim").read_bytes()
    if harm != "missing":
        path.write_bytes(data[:9999] if harm == "cut" else data)
    monkeypatch.setattr("stylize.weights.sources.embedded_path", lambda name: path)
    said = refused(*image(*TINY))
    assert said.startswith(f"{path}: ")
    assert (
        "the installation is damaged; install Deep Fusion again as before, with pip's --force-reinstall"
        in said
    )
    assert tree(place) == []
    listed = done("weights", "list").out
    assert listed.startswith("vgg19           damaged")
    assert listed.count("the installation is damaged") == (1 if harm == "exchanged" else 2)
    examined = deepfusion("doctor")
    assert examined.code == 1
    assert "a network of this installation is damaged; see the list above" in examined.err


OLD = 'command = "image"\ncontent = "../photo.png"\nstyle = "../style.png"\noutput = "out.png"\n'


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_a_job_file_that_says_auto_is_the_full_network_and_says_so(place: Path) -> None:
    settings = "\n".join(("[settings]", 'backbone = "auto"', "size = 32", "iterations = 1", "levels = 1",
                          'content_layers = ["relu1_1"]', 'style_layers = ["relu1_1"]', ""))  # fmt: skip
    Path("job.toml").write_text(OLD + settings)
    ran = done("run", "job.toml", "--json")
    note = 'job.toml: backbone = "auto" is vgg19 now, which is in the package; vgg19-slim is the quick one'
    layers = (
        'job.toml: style_layers without style_statistic are taken for those of "gram", as they were before'
    )
    assert ran.err.splitlines() == [f"note: {note}", f"note: {layers}"]
    assert (ran.json["backbone"], ran.json["warnings"]) == ("vgg19", [note, layers])


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_a_preset_that_says_auto_is_the_full_network_unless_another_is_asked_for(place: Path) -> None:
    Path("mine.toml").write_text('backbone = "auto"\n')
    ran = done(*image(*TINY, "--preset", "mine.toml", "--json"))
    assert ran.json["backbone"] == "vgg19"
    (line,) = ran.err.splitlines()
    assert line.startswith('note: mine.toml: backbone = "auto" is vgg19 now')
    ran = done(*image(*QUICK, "--preset", "mine.toml", "--json", "--overwrite"))
    assert (ran.json["backbone"], ran.err) == ("vgg19-slim", "")
    Path("job.toml").write_text(f'{OLD}preset = "mine.toml"\n[settings]\nbackbone = "atuo"\n')
    assert refused("run", "job.toml").startswith("job.toml: [settings]: backbone: unknown value 'atuo'")


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_a_run_that_auto_began_on_the_slim_network_is_not_continued_on_the_full_one(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command, interrupted in an earlier version that had no full network."""
    common = (*TINY[:2], "--iterations", "6", *TINY[4:])
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.styling.one_picture.follow", lambda *_: stopping)
        assert deepfusion(*image(*common, "--backbone", "vgg19-slim")).code == 130
    before = tree(place)
    said = refused(*image(*common))
    assert said.startswith("out.png.run: holds a run with other settings (")
    assert 'backbone: "vgg19-slim" there, "vgg19" now; other weights' in said
    assert "give its settings (--backbone vgg19-slim) to continue it, or --restart to discard it" in said
    assert tree(place) == before
    record = Path("out.png.run/job.json")
    ours = record.read_text()
    record.write_text(ours.replace(EMBEDDED["vgg19-slim"], 64 * "0"))
    said = refused(*image(*common, "--backbone", "vgg19-slim"))
    assert "run with other settings (other weights); it was begun on another vgg19-slim" in said
    assert "other weights); it was begun on another vgg19-slim, a file of" in refused(*image(*common))
    record.write_text(ours)
    ran = done(*image(*common, "--backbone", "vgg19-slim", "--json"))
    assert ran.json["backbone"] == "vgg19-slim"


def stopping(progress: Any) -> None:
    if progress.iteration == 2:
        raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_an_album_that_auto_made_on_the_slim_network_is_not_mixed_with_the_full_one(place: Path) -> None:
    (place / "photos").mkdir()
    for name in ("a.png", "b.png"):
        (place / "photos" / name).write_bytes((place.parent / "photo.png").read_bytes())
    command = ["album", "photos", "--style", "../style.png", "-o", "out", *TINY]
    done(*command, "--backbone", "vgg19-slim")
    Path("out/b.png").unlink()
    before = Path("out/a.png").read_bytes()
    said = refused(*command)
    assert said.startswith(
        'out/a.png: exists already and is not of this job (backbone: "vgg19-slim" there, "vgg19" now; '
        "other weights); give "
    )
    assert "--overwrite" in said
    assert not Path("out/b.png").exists()
    assert done(*command, "--backbone", "vgg19-slim", "--json").json["skipped"] == 1
    again = done(*command, "--overwrite", "--json").json
    assert (again["done"], again["skipped"], again["backbone"]) == (2, 0, "vgg19")
    assert Path("out/a.png").read_bytes() != before


def test_the_download_says_how_to_use_what_it_fetched(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = place / "my cache" / "vgg19.h5"
    monkeypatch.setattr("stylize.weights.download.download_vgg19", lambda **_: path)
    said = done("weights", "download").out
    assert said == f"Keras' float32 VGG-19 is at {path}; to use it: --weights '{path}'\n"
    monkeypatch.undo()
    monkeypatch.setenv("KERAS_HOME", str(place / "keras"))
    ran = deepfusion("weights", "download")
    assert ran.code == 1
    assert "DEEPFUSION_OFFLINE forbids to fetch it" in ran.err


# --- what workers are sent ----------------------------------------------------------------------------------


def test_workers_are_sent_the_name_of_the_packages_network_and_read_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = load_weights("vgg19-slim")
    sent = pickle.loads(pickle.dumps(to_send(weights)))
    assert len(pickle.dumps(to_send(weights))) < 1000
    got = as_sent(sent)
    assert (got.name, got.sha256, got.source) == (weights.name, weights.sha256, weights.source)
    for layer, parts in weights.layers.items():
        for ours, theirs in zip(parts, got.layers[layer], strict=True):
            np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(weights.taps[layer], got.taps[layer])
    mine = tiny_weights()
    assert to_send(mine) is mine
    assert as_sent(mine) is mine
    monkeypatch.setattr("stylize.weights.sources.EMBEDDED", {**EMBEDDED, "vgg19-slim": EMBEDDED["vgg19"]})
    with pytest.raises(WeightsError, match="the installation is damaged"):
        as_sent(sent)
    with pytest.raises(
        WeightsError, match=r"the job runs on 0000.*; install the same Deep Fusion everywhere"
    ):
        monkeypatch.undo()
        as_sent(replace(sent, sha256="0000"))
