"""Where shots begin: cuts, fades, what is no cut, and files that say so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from video.errors import InputError
from video.images import FloatImage
from video.scenes import LOOKAHEAD, read_cuts, with_shot_starts

LENGTH = 12


def shot(seed: int, count: int = LENGTH) -> list[FloatImage]:
    """Frames of one slowly moving scene in colours of its own."""
    rng = np.random.default_rng(seed)
    scene = np.kron(rng.random((12, 20, 3)), np.ones((6, 6, 1))).astype(np.float32)
    return [np.ascontiguousarray(scene[:48, t : t + 64]) for t in range(count)]


def starts(frames: list[FloatImage], cuts: str | frozenset[int] = "auto", first: int = 0) -> list[int]:
    return [number for number, _, begins in with_shot_starts(enumerate(frames, first), cuts) if begins]


def test_a_cut_is_found_at_its_frame() -> None:
    assert starts([*shot(1), *shot(2), *shot(3)]) == [0, LENGTH, 2 * LENGTH]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_cut_just_before_the_end_is_found(count: int) -> None:
    assert starts([*shot(1), *shot(2, count)]) == [0, LENGTH]


def test_numbers_are_the_clips_own() -> None:
    assert starts([*shot(1), *shot(2)], first=100) == [100, 100 + LENGTH]


def test_every_frame_comes_out_once_and_in_order() -> None:
    frames = [*shot(1), *shot(2)]
    found = list(with_shot_starts(enumerate(frames)))
    assert [number for number, _, _ in found] == list(range(len(frames)))
    assert all(one is frames[number] for number, one, _ in found)


@pytest.mark.parametrize("count", [0, 1, 2, LOOKAHEAD + 1])
def test_short_clips_are_one_shot(count: int) -> None:
    assert starts(shot(1, count)) == [0][:count]


def test_frames_are_not_held_back_longer_than_needed() -> None:
    given = 0

    def frames():  # type: ignore[no-untyped-def]
        nonlocal given
        for pair in enumerate(shot(1)):
            given += 1
            yield pair

    stream = with_shot_starts(frames())
    next(stream)
    assert given == LOOKAHEAD + 1


def test_motion_and_noise_are_no_cuts() -> None:
    rng = np.random.default_rng(0)
    frames = [np.clip(frame + rng.normal(0, 0.03, frame.shape), 0, 1).astype(np.float32) for frame in shot(1)]
    assert starts(frames) == [0]


def test_a_fade_through_black_begins_a_shot_where_the_picture_returns() -> None:
    out = [frame * np.float32(1 - t / 11) for t, frame in enumerate(shot(1))]
    black = [np.zeros_like(out[0])] * 6
    back = [frame * np.float32((t + 1) / 12) for t, frame in enumerate(shot(2))]
    found = starts([*out, *black, *back])
    assert len(found) == 2
    assert LENGTH + 6 <= found[1] <= LENGTH + 9


def test_none_and_given_numbers_are_taken_as_they_are() -> None:
    frames = [*shot(1), *shot(2)]
    assert starts(frames, "none") == [0]
    assert starts(frames, frozenset({3, 9})) == [0, 3, 9]


def test_a_cut_file_is_read_with_remarks(tmp_path: Path) -> None:
    path = tmp_path / "cuts.txt"
    path.write_text("# shots\n5\n\n 17   # the door\n")
    assert read_cuts(path, range(0, 20)) == {5, 17}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("19\n15\n", "line 2: 15 comes after 19; sort the frame numbers"),
        ("15\n15\n", "line 2: 15 comes after 15"),
        ("25\n", "line 1: there is no frame 25; the frames are 10 to 19"),
        ("3\n", "line 1: there is no frame 3"),
        ("-1\n", "line 1: '-1' is not a frame number"),
        ("x" * 100, "is not a frame number"),
    ],
)
def test_a_wrong_cut_file_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "cuts.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_cuts(path, range(10, 20))


def test_a_cut_file_from_a_windows_editor_is_read(tmp_path: Path) -> None:
    (tmp_path / "cuts.txt").write_text("2\n5\n", encoding="utf-8-sig")
    assert read_cuts(tmp_path / "cuts.txt", range(10)) == {2, 5}


@pytest.mark.parametrize("kind", ["device", "folder", "binary", "large"])
def test_what_is_no_cut_file_is_refused_unread(kind: str, tmp_path: Path) -> None:
    path = Path("/dev/zero") if kind == "device" else tmp_path / "cuts.txt"
    if kind == "folder":
        path.mkdir()
    elif kind == "binary":
        path.write_bytes(bytes([200, 255] * 40))
    elif kind == "large":
        path.write_bytes(b"\n" * 1_000_001)
    with pytest.raises(InputError, match="is no text file"):
        read_cuts(path, range(10))


def test_a_missing_cut_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such cut file"):
        read_cuts(tmp_path / "no.txt", range(10))
