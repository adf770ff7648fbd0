"""What the machine has: memory, threads, cards; TensorFlow loaded without its chatter."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from stylize.processor import flags

SHARE = 0.5
"""Of the machine's memory, that a job may take when nothing else is said."""

PROGRAM = 2**30
"""Bytes that go to TensorFlow and the program itself, in round numbers."""


def budget(gibibytes: float, neighbours: int = 1, beside: int = 0) -> int | None:
    """Bytes that an optimisation may take; None where nobody knows.

    The same on every run, whatever else the machine is doing: windows of another size round otherwise, and a
    continued job shall come to the same bits.

    Parameters
    ----------
    gibibytes
        What the job may take of this machine; 0: a share of its memory, but unknown with a GPU.
    neighbours
        How many processes of the job share that.
    beside
        Bytes that each of them takes for something else, besides the program.
    """
    if gibibytes > 0.0:
        return max(1, int(gibibytes * 2**30 / neighbours) - PROGRAM - beside)
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return None
    total = installed()
    return None if total is None else max(1, int(SHARE * total / neighbours) - PROGRAM - beside)


def installed() -> int | None:
    """Bytes of memory this machine or container has; None where it is not told."""
    found = []
    if hasattr(os, "sysconf"):
        with contextlib.suppress(OSError, ValueError):
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(OSError, ValueError):  # "max" is no number
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(found) if found else None


def peak() -> int:
    """The largest resident memory of this process so far, in bytes; 0 where the system does not say."""
    if sys.platform == "win32":
        return 0
    import resource

    found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found if sys.platform == "darwin" else found * 1024


_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")

THREAD_VARIABLES = (
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)


def limit_threads(count: int) -> None:
    """Let TensorFlow, OpenCV and NumPy's algebra use so many threads each in this process; 0: as they like.

    Another number of threads adds in another order: results agree bit by bit only for the same.
    """
    if count == 0:
        return
    if "tensorflow" not in sys.modules:  # it reads them once, and they say what it runs with
        for name in THREAD_VARIABLES:
            os.environ[name] = str(count)
    from video.threads import use_threads

    use_threads(count)


def cores() -> int:
    """The processor's cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _scratch_file() -> IO[bytes]:
    """A file for what is to be held back; where no folder for such files can be written, nothing is kept."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return open(os.devnull, "w+b")


@contextmanager
def held_stderr(*, told: bool = True) -> Iterator[None]:
    """Hold back what native code writes to stderr; let it out if the block fails and it is to be `told`."""
    sys.stderr.flush()
    with _scratch_file() as held:
        saved = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            os.dup2(saved, 2)
            with suppress(OSError):  # nobody may be there to read it
                held.seek(0)
                os.write(2, held.read() if told else b"")
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


class _Process:
    is_ours = False
    """Whether it runs the program and nothing else."""


def claim_process() -> None:
    """This process runs the program and nothing else: not a notebook, not someone's script."""
    _Process.is_ours = True


@contextmanager
def uncollected() -> Iterator[None]:
    """Leave Python's garbage collector out while very many objects are made that stay.

    It would look through them again and again, which is a fourth of the time that importing TensorFlow takes.
    In a process of our own it never looks at them later; elsewhere others' garbage may be among them.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
        if _Process.is_ours:
            gc.freeze()
    finally:
        if was_on:
            gc.enable()


def load_tensorflow() -> None:
    """Import TensorFlow without its start-up chatter; to be called before anything that imports it.

    With oneDNN also where TensorFlow leaves it off by itself, on processors with AVX2 and without AVX-512: an
    iteration takes 0.4 to 0.8 of its time (docs/benchmarks.md).
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "avx2" in flags():
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with held_stderr(), uncollected():
        import tensorflow

        tensorflow.get_logger().setLevel("ERROR")
        for card in tensorflow.config.list_physical_devices("GPU"):
            tensorflow.config.experimental.set_memory_growth(card, True)  # the desktop wants some of it too
        tensorflow.constant(0.0) + 1.0  # the first operation has a line of its own to say


def has_card() -> bool:
    """Whether TensorFlow has a graphics card to work on."""
    load_tensorflow()
    import tensorflow

    return bool(tensorflow.config.list_physical_devices("GPU"))


def device() -> str:
    """What TensorFlow will work on, in words."""
    load_tensorflow()
    import tensorflow as tf

    cards = tf.config.list_physical_devices("GPU")
    if not cards:
        return f"the processor, {cores()} cores"
    names = (tf.config.experimental.get_device_details(card).get("device_name", card.name) for card in cards)
    return ", ".join(names)


def has_idle_card() -> bool:
    """Whether there is an NVIDIA card with its driver, which TensorFlow cannot use and nobody has hidden."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in ("", "-1", "none", "NoDevFiles")
    return _NVIDIA_DRIVER.exists() and not hidden and not has_card()
