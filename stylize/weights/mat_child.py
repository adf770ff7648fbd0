"""Run as a program by `readers`: the convolutional layers of a MatConvNet .mat, to standard output.

    python -I mat_child.py FILE.mat > layers.npz

SciPy's reader of .mat files can crash the whole process (not just raise) on a damaged or hostile file, so it
has a process of its own, which may. Imports nothing of this package. The .npz has conv1_1/kernel,
conv1_1/bias and so on, as they stand in the file. Exit status: 0, 1 unreadable, 3 not a network.
"""

from __future__ import annotations

import io
import re
import sys
from typing import Any

import numpy as np

NOT_A_NETWORK = 3


def layers_of(path: str) -> dict[str, Any] | None:
    """Arrays by name, or None if the file has no variable for a network.

    MatConvNet's network is a variable `layers`, or a field of that name in `net`: a list of structures with
    `name` and, by its age, `weights` = {kernel, bias} or `filters` and `biases`.
    """
    import scipy.io

    data = scipy.io.loadmat(path, variable_names=["layers", "net"])
    if "layers" not in data and "net" not in data:
        return None
    cells = data["layers"] if "layers" in data else data["net"][0, 0]["layers"]
    arrays: dict[str, Any] = {}
    for cell in np.asarray(cells).ravel():
        record = cell[0, 0] if isinstance(cell, np.ndarray) else cell
        name = "".join(str(part) for part in np.asarray(record["name"]).ravel())
        if not re.fullmatch(r"conv[1-5]_[1-4]", name):
            continue
        if "weights" in (record.dtype.names or ()):
            kernel, bias = np.asarray(record["weights"]).ravel()[:2]
        else:
            kernel, bias = record["filters"], record["biases"]
        arrays[f"{name}/kernel"], arrays[f"{name}/bias"] = kernel, bias
    return arrays


def main(path: str) -> int:
    """The program; returns its exit status."""
    try:
        arrays = layers_of(path)
        if arrays is None:
            return NOT_A_NETWORK
        packed = io.BytesIO()
        np.savez(packed, allow_pickle=False, **arrays)
    except Exception as error:  # a parser of foreign bytes raises all sorts; the parent wants one line
        print(" ".join(str(error).split())[:120] or type(error).__name__, file=sys.stderr)
        return 1
    sys.stdout.buffer.write(packed.getbuffer())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
