"""How many threads the optimisation runs in; to be said before TensorFlow is loaded."""

from __future__ import annotations

import os

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
    for name in THREAD_VARIABLES:
        os.environ[name] = str(count)
    from video.threads import use_threads

    use_threads(count)


def cores() -> int:
    """The processor's cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
