"""Jobs on drives as they are: the rehearsal, locks, what of a folder is read, what a bad file costs."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pipeline_runs import QUICK, deepfusion, done, refused, tree

from pipeline.album.names import JOURNAL
from pipeline.errors import UsageError
from pipeline.run_folder import files, lock
from pipeline.run_folder.files import content_hash
from pipeline.run_folder.folder import RunFolder
from pipeline.workers.file_copies import traits_of
from stylize.checkpoint import Checkpoint, Standing, Totals
from video import drives

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("uncompiled")]

NO_LOCKS = [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL]


def failing(number: int) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.fixture
def photos(tmp_path: Path, photo: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(photo.read_bytes())
    return folder


def album(photos: Path, style: Path, *more: object) -> list[object]:
    return ["album", photos, "--style", style, "-o", photos.parent / "out", *QUICK, *more]


# --- the rehearsal ------------------------------------------------------------------------------------------


def test_what_a_drive_cannot_do_is_a_note_and_the_job_goes_on(
    photo: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.png"
    output.write_text("old")
    monkeypatch.setattr(os, "fsync", failing(errno.EINVAL))
    monkeypatch.setattr(os, "chmod", failing(errno.EPERM))
    monkeypatch.setattr(os, "replace", failing(errno.ENOSYS))
    monkeypatch.setattr("fcntl.flock", failing(errno.ENOLCK))
    ran = done("image", photo, "--style", style, "-o", output, "--overwrite", *QUICK)
    notes = [line for line in ran.err.splitlines() if line.startswith("note: ")]
    assert notes == [
        f"note: {tmp_path}: this drive cannot flush files, so a power cut may cost more than what was in "
        "work; it cannot lock files, so a file of ours keeps a second job out instead; it cannot change "
        "modes, so out.png will have that of a new file; it cannot rename files, so a crash may leave a part "
        "of one under its name"
    ]
    assert tree(tmp_path) == ["out.png"]
    assert output.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "disk full"), (errno.EROFS, "is not writable"), (errno.EIO, "Input/output error")],
)
@pytest.mark.parametrize("dry", [False, True])
def test_a_drive_that_takes_nothing_is_refused_at_once(
    dry: bool, number: int, said: str, photos: Path, style: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.steps.rehearsal.limits_of", failing(number))
    ran = deepfusion(*album(photos, style, *(["--dry-run"] if dry else [])))
    assert ran.code in (1, 2)
    (line,) = ran.err.splitlines()
    assert said in line
    assert tree(photos.parent) == ["photos/a.png", "photos/b.png"]


def test_what_a_killed_rehearsal_left_is_cleared_away(photos: Path, style: Path) -> None:
    out = photos.parent / "out"
    out.mkdir()
    for folder in (photos.parent, out):
        (folder / ".out.part-0123abcd").touch()
    done(*album(photos, style))
    assert tree(photos.parent) == [f"out/{name}" for name in ("a.png", "b.png", JOURNAL)] + [
        "photos/a.png", "photos/b.png",
    ]  # fmt: skip


def test_a_state_that_cannot_be_kept_costs_no_picture(
    photo: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checkpoint, "due", lambda self: True)
    monkeypatch.setattr(Checkpoint, "_write", failing(errno.ENOSPC))
    ran = done("image", photo, "--style", style, "-o", tmp_path / "out.png", *QUICK)
    assert "checkpoint: cannot be written: No space left on device; if the job is stopped this" in ran.err


def test_a_checkpoint_says_so_itself_when_nobody_else_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    picture = np.zeros((4, 4, 3), np.float32)
    standing = Standing(0, 0, 0, 0.0, {}, {}, {}, {}, picture, picture)
    monkeypatch.setattr(os, "fsync", failing(errno.EINVAL))
    with pytest.raises(OSError, match="Invalid argument"):
        Checkpoint(tmp_path / "one", sync=os.fsync).save(0, Totals(1), standing)
    Checkpoint(tmp_path / "two", sync=drives.sync).save(0, Totals(1), standing)
    assert Checkpoint(tmp_path / "two").load() is not None
    assert tree(tmp_path) == ["two"]


# --- locks --------------------------------------------------------------------------------------------------


@pytest.fixture
def lockless(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr("fcntl.flock", failing(getattr(request, "param", errno.ENOLCK)))


@pytest.mark.parametrize("lockless", NO_LOCKS, indirect=True)
def test_a_drive_without_locks_lets_one_process_in(lockless: None, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run", {})
    with pytest.raises(UsageError, match=rf"in use by process {os.getpid()} on .* delete .*lock.json"):
        RunFolder(tmp_path / "run", {})
    run.close()
    assert not (tmp_path / "run" / "lock.json").exists()
    RunFolder(tmp_path / "run", {}).remove()
    assert tree(tmp_path) == []


def test_another_failure_of_a_lock_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcntl.flock", failing(errno.EIO))
    with pytest.raises(Exception, match="the run folder cannot be used: Input/output error; mend that"):
        RunFolder(tmp_path / "run", {})


def test_a_killed_process_keeps_nobody_out_without_locks(lockless: None, tmp_path: Path) -> None:
    code = (
        "import fcntl, os, errno, sys\n"
        "def flock(*_): raise OSError(errno.ENOLCK, 'no locks')\n"
        "fcntl.flock = flock\n"
        "from pathlib import Path\nfrom pipeline.run_folder.folder import RunFolder\n"
        "run = RunFolder(Path(sys.argv[1]), {}); os.kill(os.getpid(), 9)"
    )
    place = Path(__file__).parent.parent
    ended = subprocess.run([sys.executable, "-c", code, tmp_path / "run"], cwd=place, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert "pid" in json.loads((tmp_path / "run" / "lock.json").read_text())
    RunFolder(tmp_path / "run", {}).remove()
    assert tree(tmp_path) == []


@pytest.mark.parametrize(
    "known",
    [
        {"host": "another"},
        {"space": "another"},
        {"pid": 1},
        {"pid": -1},
        {"pid": "none"},
        {"pid": 10**30},
    ],
)
def test_a_holder_that_may_be_alive_is_not_put_aside(
    known: dict[str, object], lockless: None, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    about = {**json.loads(lock._about_us()), "pid": 2**22 + 1, **known}
    if known.get("pid") == 1:
        about["since"] = lock._since(1)
    (tmp_path / "run" / "lock.json").write_text(json.dumps(about))
    with pytest.raises(UsageError, match="is in use by"):
        RunFolder(tmp_path / "run", {})
    assert json.loads((tmp_path / "run" / "lock.json").read_text()) == about


def test_a_number_that_another_process_has_now_is_put_aside(lockless: None, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    about = {**json.loads(lock._about_us()), "since": "before the machine was started"}
    (tmp_path / "run" / "lock.json").write_text(json.dumps(about))
    RunFolder(tmp_path / "run", {}).close()


# --- what is read of a folder -------------------------------------------------------------------------------


def test_only_the_pictures_of_a_folder_are_read(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content_hash(photos)
    with (photos / "film.mp4").open("wb") as film:
        film.truncate(8 << 30)  # takes no room, and half a minute to be read
    (photos / "Thumbs.db").touch(0o000)
    os.mkfifo(photos / "pipe.png")
    (photos / "sub").mkdir()
    (photos / "sub" / "c.png").write_bytes(b"c")
    opened: list[str] = []
    plain = files.file_hash

    def hashed(path: Path) -> str:
        opened.append(path.name)
        return plain(path)

    monkeypatch.setattr(files, "file_hash", hashed)
    assert content_hash(photos) == before
    assert opened == ["a.png", "b.png"]
    assert content_hash(photos, below=True) != before
    assert opened[2:] == ["a.png", "b.png", "c.png"]
    assert sorted(path.name for path in traits_of([photos])) == ["a.png", "b.png", "c.png"]


def test_a_pipe_is_never_waited_for(photos: Path, style: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="is no plain file"):
        files.file_hash(pipe)
    said = f"{pipe}: is no plain file; name one"
    assert refused(*album(photos, pipe)) == said
    assert refused(*album(photos, style, "--mask", pipe)) == said


# --- albums -------------------------------------------------------------------------------------------------


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names that nobody may open; root may open everything, so the refusal is made."""
    names: set[str] = set()
    plain_open, plain_path_open = open, Path.open

    def guarded(path: Any, *more: Any, **options: Any) -> Any:
        if not isinstance(path, int) and Path(os.fsdecode(path)).name in names:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return plain_open(path, *more, **options)

    def guarded_path(path: Path, *more: Any, **options: Any) -> Any:
        if path.name in names:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return plain_path_open(path, *more, **options)

    monkeypatch.setattr("builtins.open", guarded)
    monkeypatch.setattr(Path, "open", guarded_path)
    return names


def test_an_album_goes_on_around_what_may_not_be_read(
    photos: Path, style: Path, unreadable: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "notes.txt").touch()
    (photos / "lost+found").mkdir()
    unreadable |= {"b.png", "notes.txt"}
    scandir = os.scandir

    def guarded(path: Any) -> Any:
        if not isinstance(path, int) and Path(path).name == "lost+found":
            raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    ran = deepfusion(*album(photos, style))
    assert ran.code == 1
    assert f"note: {photos}/lost+found: cannot be read: Permission denied; passed over\n" in ran.err
    assert f"failed: {photos}/b.png: cannot be read: Permission denied; check its permissions\n" in ran.err
    assert "notes.txt" not in ran.err
    assert tree(photos.parent / "out") == ["a.png", JOURNAL]


def test_a_photo_that_was_done_and_cannot_be_read_any_more_stands_in_nobodys_way(
    photos: Path, style: Path, unreadable: set[str]
) -> None:
    done(*album(photos, style))
    made = (photos.parent / "out" / "b.png").read_bytes()
    unreadable.add("b.png")
    (photos / "c.png").write_bytes((photos / "a.png").read_bytes())
    ran = deepfusion(*album(photos, style, "--json"))
    assert (ran.code, ran.json["done"], ran.json["skipped"]) == (1, 1, 1)
    assert list(ran.json["failed"]) == ["b.png"]
    unreadable.clear()
    assert (photos.parent / "out" / "b.png").read_bytes() == made
    assert done(*album(photos, style, "--json")).json["skipped"] == 3


def test_a_mask_that_may_not_be_read_costs_its_photo_only(
    photos: Path, style: Path, unreadable: set[str]
) -> None:
    masks = photos.parent / "masks"
    masks.mkdir()
    for name in ("a.png", "b.png"):
        (masks / name.replace(".png", ".jpg")).write_bytes((photos / name).read_bytes())
    unreadable.add("b.jpg")
    ran = deepfusion(*album(photos, style, "--mask", masks, "--json"))
    assert (ran.code, ran.json["done"], list(ran.json["failed"])) == (1, 1, ["b.png"])


def test_a_part_of_a_photo_under_its_name_is_made_again(photos: Path, style: Path) -> None:
    """A drive that cannot rename may leave one: the journal knows what its hash will be."""
    done(*album(photos, style))
    out = photos.parent / "out"
    whole = (out / "b.png").read_bytes()
    journal = [json.loads(line) for line in (out / JOURNAL).read_text().splitlines()]
    (out / JOURNAL).write_text("".join(json.dumps(line) + "\n" for line in journal[:3]))
    assert done(*album(photos, style, "--json")).json["skipped"] == 2
    (out / "b.png").write_bytes(whole[:100])
    assert done(*album(photos, style, "--json")).json["skipped"] == 1
    assert (out / "b.png").read_bytes() == whole
