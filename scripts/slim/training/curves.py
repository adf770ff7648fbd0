"""Training and validation curves: a CSV file that grows, and a plot of it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path


class Curves:
    """A table with one row a record; a run that continues drops the rows it is about to repeat."""

    def __init__(self, path: Path, *, resume_at: int) -> None:
        self.path = path
        self._rows: list[dict[str, str]] = []
        if path.exists() and resume_at:
            with path.open(newline="") as file:
                self._rows = [row for row in csv.DictReader(file) if int(row["step"]) <= resume_at]

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Append a row and write the file anew (it has a few hundred rows)."""
        self._rows.append({"step": str(step), **{name: f"{value:.5g}" for name, value in values.items()}})
        names = list(dict.fromkeys(name for row in self._rows for name in row))
        with self.path.open("w", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(self._rows)

    def plot(self, path: Path) -> None:
        """Draw every column but the step and the seconds: training losses above, validation below."""
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        figure, (above, below) = pyplot.subplots(2, 1, figsize=(9, 9), sharex=True)
        names = list(dict.fromkeys(name for row in self._rows for name in row))
        for name in names:
            axes = above if name.startswith("loss") else below if name.startswith("explained") else None
            points = [(int(row["step"]), float(row[name])) for row in self._rows if row.get(name)]
            if axes is not None:
                axes.plot(*zip(*points, strict=True), label=name.partition(" ")[2], linewidth=1)
        above.set_ylabel("training: unexplained share")
        below.set_ylabel("held back: explained variance")
        below.set_ylim(-0.05, 1.0)  # a map fitted on too few places may be worth anything less
        below.set_xlabel("step")
        for axes in (above, below):
            axes.grid(alpha=0.3)
            axes.legend(fontsize=7, ncols=3)
        figure.tight_layout()
        figure.savefig(path, dpi=110)
        pyplot.close(figure)
