"""Snapshots of an optimisation: which are kept, what is written beside them, and reading them again."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import PipelineError, UsageError
from pipeline.montage.recorder import (
    DENSE_ITERATIONS,
    LEVEL_LIMIT,
    MOST_STYLES,
    VISIBLE_CHANGE,
    SnapshotRecorder,
    next_due,
    visible_change,
)
from pipeline.montage.snapshots import Loss, content_path, read_losses, read_snapshots, style_paths
from stylize.optimize import Progress
from video.images import read_image, to_uint8

SIZE = (12, 8)


def progress(iteration: int, picture: Callable[[], np.ndarray], level: int = 0) -> Progress:
    """Where an optimisation of 100 iterations stands."""
    return Progress(iteration, 100, 3.0, {"content": 1.0, "style": 2.0}, 0.5, 7, picture, level)


def grey(value: float, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.full((size[1], size[0], 3), value, np.float32)


def record(recorder: SnapshotRecorder, values: list[float], level: int = 0, first: int = 0) -> list[int]:
    """Run an optimisation whose picture is a grey at every iteration; which pictures were asked for."""
    asked: list[int] = []

    def ask(number: int) -> np.ndarray:
        asked.append(number)
        return grey(values[number - first])

    for number in range(first, first + len(values)):
        recorder(progress(number, partial(ask, number), level))
    return asked


@pytest.mark.parametrize("iterations", [10, 60, 200, 3200, 50_000])
def test_schedule_is_dense_early_and_sparse_late(iterations: int) -> None:
    due = [0]
    while (following := next_due(due[-1], iterations)) <= iterations:
        due.append(following)
    gaps = np.diff(due)
    assert due[: DENSE_ITERATIONS + 1] == list(range(min(DENSE_ITERATIONS, iterations) + 1))
    assert np.all(np.diff(gaps) >= 0)
    assert len(due) <= 1.1 * LEVEL_LIMIT
    if iterations >= 60:
        assert len(due) >= 45 and gaps[-1] >= iterations // 40


def test_pictures_are_asked_for_only_when_due(tmp_path: Path) -> None:
    recorder = SnapshotRecorder(tmp_path)
    asked = record(recorder, list(np.linspace(0, 1, 101)))
    assert asked[: DENSE_ITERATIONS + 1] == list(range(DENSE_ITERATIONS + 1))
    assert len(asked) < 70
    assert [snapshot.iteration for snapshot in read_snapshots(tmp_path)] == asked


def test_small_changes_are_skipped_until_they_add_up(tmp_path: Path) -> None:
    step = 0.4 * VISIBLE_CHANGE
    record(SnapshotRecorder(tmp_path), [0.5 + step * number for number in range(10)])
    kept = read_snapshots(tmp_path)
    assert [snapshot.iteration for snapshot in kept] == [0, 3, 6, 9]
    assert [snapshot.distance for snapshot in kept] == pytest.approx(
        [0, 3 * step, 3 * step, 3 * step], rel=1e-3
    )


def test_result_is_always_last(tmp_path: Path) -> None:
    recorder = SnapshotRecorder(tmp_path, title="tulips")
    record(recorder, [0.1, 0.6])
    recorder.finish(grey(0.6), {"content": 0.25, "style": 0.5, "total": 0.75})
    last = read_snapshots(tmp_path)[-1]
    assert (last.kept, last.loss, last.terms, last.distance) == (
        True,
        0.75,
        {"content": 0.25, "style": 0.5},
        0,
    )
    assert (last.iteration, last.title, last.size, last.file) == (1, "tulips", SIZE, "snapshot-0002.png")
    assert last.path == tmp_path / "snapshot-0002.png"
    assert np.array_equal(to_uint8(read_image(last.path)), to_uint8(grey(0.6)))


def test_result_without_total_or_progress(tmp_path: Path) -> None:
    recorder = SnapshotRecorder(tmp_path)
    recorder.finish(grey(0.5), {"content": 0.25, "style": 0.5})
    (only,) = read_snapshots(tmp_path)
    assert (only.loss, only.iteration, only.kept) == (0.75, 0, True)
    assert read_losses(tmp_path) == []


def test_levels_start_densely_again_and_are_compared_at_the_finer_size(tmp_path: Path) -> None:
    recorder = SnapshotRecorder(tmp_path)
    record(recorder, list(np.linspace(0, 0.9, 61)), level=1)
    recorder(progress(60, lambda: grey(0.7, (24, 16)), level=0))
    recorder(progress(61, lambda: grey(0.5, (24, 16)), level=0))
    kept = [(one.level, one.iteration, one.size) for one in read_snapshots(tmp_path)]
    assert kept[-2:] == [(0, 60, (24, 16)), (0, 61, (24, 16))]
    assert read_snapshots(tmp_path)[-2].distance == pytest.approx(0.2, abs=0.03)


def test_losses_of_every_iteration(tmp_path: Path) -> None:
    record(SnapshotRecorder(tmp_path), [0.5] * 100)
    losses = read_losses(tmp_path)
    assert len(losses) == 100 and len(read_snapshots(tmp_path)) == 1
    assert losses[42] == Loss(42, 0, 3.0, {"content": 1.0, "style": 2.0})


def test_lines_are_what_is_documented(tmp_path: Path) -> None:
    record(SnapshotRecorder(tmp_path, title="Straße"), [0.2])
    assert json.loads((tmp_path / "snapshots.jsonl").read_text()) == {
        "file": "snapshot-0000.png", "size": [12, 8], "iteration": 0, "level": 0, "loss": 3.0,
        "terms": {"content": 1.0, "style": 2.0}, "evaluations": 7, "seconds": 0.5, "distance": 0.0,
        "kept": False, "title": "Straße",
    }  # fmt: skip
    assert json.loads((tmp_path / "losses.jsonl").read_text()) == {
        "iteration": 0, "level": 0, "loss": 3.0, "terms": {"content": 1.0, "style": 2.0},
    }  # fmt: skip


def test_pictures_outside_the_range_are_clipped_before_comparing(tmp_path: Path) -> None:
    record(SnapshotRecorder(tmp_path), [1.0, 1.5])
    assert len(read_snapshots(tmp_path)) == 1


def test_restart_begins_clean_and_touches_nothing_else(tmp_path: Path) -> None:
    record(SnapshotRecorder(tmp_path / "deep" / "run"), [0.1, 0.5, 0.9])
    folder = tmp_path / "deep" / "run"
    (folder / ".snapshot-0003.part-0011aabb.png").write_bytes(b"half")
    (folder / "holiday.png").write_bytes(b"mine")
    recorder = SnapshotRecorder(folder)
    assert [path.name for path in folder.iterdir()] == ["holiday.png"]
    record(recorder, [0.3])
    assert len(read_snapshots(folder)) == len(read_losses(folder)) == 1


@pytest.mark.parametrize(
    "rest", ['{"file": "snapshot-00', '{"file": "snapshot-0003.png"}', "\x00\x00", "5", "{}"]
)
def test_cut_last_line_does_not_count(tmp_path: Path, rest: str) -> None:
    record(SnapshotRecorder(tmp_path), [0.1, 0.5, 0.9])
    for name in ("snapshots.jsonl", "losses.jsonl"):
        with (tmp_path / name).open("a") as file:
            file.write(rest)
    assert len(read_snapshots(tmp_path)) == len(read_losses(tmp_path)) == 3


def test_damaged_line_is_named(tmp_path: Path) -> None:
    record(SnapshotRecorder(tmp_path), [0.1, 0.5])
    path = tmp_path / "snapshots.jsonl"
    path.write_text("not json\n" + path.read_text())
    with pytest.raises(UsageError) as caught:
        read_snapshots(tmp_path)
    assert str(caught.value) == f"{path}: line 1 is damaged; run the job again with --overwrite"
    assert caught.value.exit_code == 2


def test_no_snapshots(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UsageError) as caught:
            read_snapshots(folder)
        assert str(caught.value) == (
            f"{folder}: there are no snapshots; make some by running the job with --progress-movie"
        )


def test_file_instead_of_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "movie.mp4"
    path.write_bytes(b"")
    with pytest.raises(UsageError) as caught:
        read_snapshots(path)
    assert (
        str(caught.value)
        == f"{path / 'snapshots.jsonl'}: cannot be read: Not a directory; name the folder of a run"
    )
    with pytest.raises(UsageError) as caught:
        SnapshotRecorder(path)
    assert str(caught.value) == f"{path}: cannot keep snapshots there: File exists; choose another"


def test_folder_that_disappears(tmp_path: Path) -> None:
    recorder = SnapshotRecorder(tmp_path / "run")
    (tmp_path / "run").rmdir()
    with pytest.raises(PipelineError) as caught:
        record(recorder, [0.5])
    path = tmp_path / "run" / "losses.jsonl"
    assert (
        str(caught.value)
        == f"cannot write {path}: No such file or directory; make room or choose another place"
    )
    assert caught.value.exit_code == 1


def test_difference_is_the_root_mean_square() -> None:
    first, second = grey(0.5), grey(0.5)
    second[:4] += 0.2
    assert visible_change(first, second) == pytest.approx(0.2 / np.sqrt(2))
    assert visible_change(grey(0.25, (6, 4)), grey(0.5)) == pytest.approx(0.25)


def test_importing_loads_nothing_heavy() -> None:
    code = (
        "import sys, pipeline.montage.snapshots, pipeline.montage.movie; "
        "heavy = {'tensorflow', 'keras', 'cv2', 'PIL', 'av', 'ffmpeg'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_was_to_go_on_and_begins_anew_leaves_nothing_of_before(tmp_path: Path) -> None:
    record(SnapshotRecorder(tmp_path), [0.1, 0.5, 0.9])
    record(SnapshotRecorder(tmp_path, resume=True), [0.2])
    assert [one.iteration for one in read_snapshots(tmp_path)] == [0]
    assert [one.iteration for one in read_losses(tmp_path)] == [0]


def test_what_goes_on_keeps_what_was_before_it(tmp_path: Path) -> None:
    record(SnapshotRecorder(tmp_path), [0.1, 0.5, 0.9])
    record(SnapshotRecorder(tmp_path, resume=True), [0.8, 0.3], first=2)
    assert [one.iteration for one in read_snapshots(tmp_path)] == [0, 1, 2, 3]
    assert [one.iteration for one in read_losses(tmp_path)] == [0, 1, 2, 3]
    pixels = [round(float(read_image(one.path).mean()), 1) for one in read_snapshots(tmp_path)]
    assert pixels == [0.1, 0.5, 0.8, 0.3]


def test_originals_are_kept_beside_the_snapshots(tmp_path: Path) -> None:
    styles = [grey(0.1 * number, (40, 20)) for number in range(3)]
    SnapshotRecorder(tmp_path, content=grey(0.5), styles=styles)
    assert np.array_equal(to_uint8(read_image(content_path(tmp_path))), to_uint8(grey(0.5)))
    kept = style_paths(tmp_path)
    assert [path.name for path in kept] == ["style-0000.png", "style-0001.png", "style-0002.png"]
    assert [read_image(path).shape for path in kept] == [(6, 12, 3)] * 3, "no larger than the content"
    SnapshotRecorder(tmp_path, content=grey(0.5), styles=styles[:1], resume=True)
    assert len(style_paths(tmp_path)) == 1
    SnapshotRecorder(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_of_many_styles_some_are_kept(tmp_path: Path) -> None:
    SnapshotRecorder(tmp_path, content=grey(0.5), styles=[grey(n / 40) for n in range(4 * MOST_STYLES)])
    values = [round(40 * float(read_image(path).mean())) for path in style_paths(tmp_path)]
    assert values == list(range(2, 4 * MOST_STYLES, 4))


def test_folders_without_originals_say_so(tmp_path: Path) -> None:
    record(SnapshotRecorder(tmp_path), [0.5])
    for find, name in ((content_path, "content.png"), (style_paths, "style-*.png")):
        with pytest.raises(UsageError) as caught:
            find(tmp_path)
        assert str(caught.value).startswith(f"{tmp_path}: holds no {name}, as snapshots of an older version")


def test_originals_survive_what_goes_on(tmp_path: Path) -> None:
    record(SnapshotRecorder(tmp_path, content=grey(0.4), styles=[grey(0.2)]), [0.1, 0.5, 0.9])
    record(SnapshotRecorder(tmp_path, content=grey(0.4), styles=[grey(0.2)], resume=True), [0.8], first=2)
    assert len(read_snapshots(tmp_path)) == 3
    assert content_path(tmp_path).exists() and len(style_paths(tmp_path)) == 1
