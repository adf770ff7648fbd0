"""What drives refuse: flushing, renaming, modes; folders that cannot be listed; damage without noise."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import warnings
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from video import drives
from video.animation import write_animation
from video.errors import EncodeError, InputError
from video.images import list_pictures, read_image, write_image, write_whole
from video.sequence import open_folder
from video.webp import read_with_pillow

PICTURE = np.zeros((8, 8, 3), np.float32)


def limits_of(folder: Path, *more: Any, **options: Any) -> list[str]:
    return drives.limits_of(folder / ".one", folder / ".two", *more, **options)


def failing(number: int) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("number", sorted({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}))
def test_a_drive_that_cannot_flush_takes_files(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", failing(number))
    write_image(tmp_path / "a.png", PICTURE)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert limits_of(tmp_path) == ["flush files, so a power cut may cost more than what was in work"]


def test_what_is_not_safe_on_the_disk_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(EncodeError, match=r"cannot write .*a.png: Input/output error"):
        write_image(tmp_path / "a.png", PICTURE)
    with pytest.raises(OSError, match="Input/output error"):
        limits_of(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_drive_without_modes_replaces_files(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_text("old")
    monkeypatch.setattr(os, "chmod", failing(number))
    write_image(tmp_path / "a.png", PICTURE)
    assert read_image(tmp_path / "a.png").shape == (8, 8, 3)
    limits = limits_of(tmp_path, tmp_path / "a.png")
    assert limits == ["change modes, so a.png will have that of a new file"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
@pytest.mark.parametrize("there", [False, True])
def test_a_drive_that_cannot_rename_gets_a_copy(
    number: int, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.png"
    if there:
        target.write_bytes(b"longer than what comes" * 10)
    monkeypatch.setattr(os, "replace", failing(number))
    write_whole(target, b"whole")
    assert target.read_bytes() == b"whole"
    assert limits_of(tmp_path) == ["rename files, so a crash may leave a part of one under its name"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_copy_that_fails_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "replace", failing(errno.ENOSYS))
    monkeypatch.setattr(shutil, "copyfileobj", failing(errno.ENOSPC))
    with pytest.raises(EncodeError, match="disk full"):
        write_whole(tmp_path / "a.png", b"whole")
    assert list(tmp_path.iterdir()) == []


def test_a_drive_that_lets_nothing_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "unlink", failing(errno.EPERM))
    write_image(tmp_path / "a.png", PICTURE)
    (limit,) = limits_of(tmp_path)
    assert limit.startswith("delete files, so .one and others stay")


def test_a_drive_that_can_do_all_is_left_as_it_was(tmp_path: Path) -> None:
    assert limits_of(tmp_path, can_lock=lambda descriptor: True) == []
    assert limits_of(tmp_path, can_lock=lambda descriptor: False) == [
        "lock files, so a file of ours keeps a second job out instead"
    ]
    assert list(tmp_path.iterdir()) == []


# --- folders ----------------------------------------------------------------------------------------------


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photos, a sub-folder that may not be listed, a link that leads nowhere, a pipe and a socket."""
    for name in ("2.png", "10.png", "sub/3.png", "lost+found/4.png"):
        (tmp_path / "album" / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(tmp_path / "album" / name, PICTURE)
    folder = tmp_path / "album"
    (folder / "5.png").symlink_to(folder / "nowhere.png")
    os.mkfifo(folder / "pipe.png")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind("socket.png")
    scandir = os.scandir

    def guarded(path: Any) -> Any:
        if Path(path).name == "lost+found":
            raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    return folder


def test_a_sub_folder_that_cannot_be_listed_is_named(album: Path) -> None:
    said: list[str] = []
    found = [path.relative_to(album).as_posix() for path in list_pictures(album, said.append)]
    assert found == ["2.png", "5.png", "10.png", "sub/3.png"]
    assert said == [f"{album}/lost+found: cannot be read: Permission denied; passed over"]
    assert [path.name for path in list_pictures(album, below=False)] == ["2.png", "5.png", "10.png"]
    with pytest.raises(InputError, match=r"lost.found: cannot be read: Permission denied; check its perm"):
        list_pictures(album / "lost+found")


def test_files_that_cannot_be_looked_at_are_listed(album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = os.stat

    def guarded(path: Any, *more: Any, **options: Any) -> Any:
        if Path(os.fspath(path)).name == "3.png":
            raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))
        return stat(path, *more, **options)

    monkeypatch.setattr(os, "stat", guarded)
    assert album / "sub" / "3.png" in list_pictures(album)


def test_a_folder_that_vanishes_is_passed_over(album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    stat = os.stat

    def gone(path: Any, *more: Any, **options: Any) -> Any:
        if str(path) == str(album / "sub"):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        return stat(path, *more, **options)

    monkeypatch.setattr(os, "stat", gone)
    assert [path.name for path in list_pictures(album, said.append)] == ["2.png", "5.png", "10.png"]
    assert len(said) == 2


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ENOENT])
def test_a_picture_that_the_drive_does_not_give_is_named(
    number: int, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.open", failing(number))
    with pytest.raises(InputError, match=r"2.png: cannot be read: .*; check the drive it is on"):
        read_image(album / "2.png")


def test_a_frame_that_leads_nowhere_is_no_shorter_clip(tmp_path: Path) -> None:
    for number in (1, 2):
        write_image(tmp_path / f"{number}.png", PICTURE)
    (tmp_path / "3.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(InputError, match=r"3.png cannot be read as a picture"):
        open_folder(tmp_path)


# --- damaged metadata -------------------------------------------------------------------------------------


def test_no_reader_passes_pillows_warnings_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """EXIF that ends in its middle, which Pillow warns of whoever reads it."""
    exif = b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
    image = Image.fromarray(np.zeros((8, 8, 3), np.uint8))
    image.save(tmp_path / "1.jpg", exif=exif)
    (tmp_path / "moving").mkdir()
    frames = [image, Image.fromarray(np.full((8, 8, 3), 200, np.uint8))]
    frames[0].save(
        tmp_path / "moving" / "a.webp", save_all=True, append_images=frames[1:], duration=100, exif=exif
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Image.open(tmp_path / "1.jpg").getexif()
        assert caught, "Pillow does not warn of this any more: take another file"
        caught.clear()
        open_folder(tmp_path)
        read_image(tmp_path / "1.jpg")
        read_with_pillow(tmp_path / "moving" / "a.webp")
        write_animation(tmp_path / "moving" / "b.webp", [PICTURE, PICTURE + 1], Fraction(10))
    assert caught == []
    assert capfd.readouterr() == ("", "")
