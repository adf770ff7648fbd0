"""A worker's folder for temporary files: removed when the worker ends, or when the next one begins."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "deepfusion-worker-"


def make_scratch() -> Path:
    """Make the folder, for all temporary files of this process: TensorFlow leaves some of its own.

    What workers have left that were killed is removed.
    """
    remove_orphans()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    tempfile.tempdir = str(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def remove_orphans() -> None:
    """Delete the folders of workers that are no more, where it can be told that they are not."""
    if not Path("/proc/self").exists():
        return
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdecimal() and not Path("/proc", pid).exists():
            shutil.rmtree(folder, ignore_errors=True)
