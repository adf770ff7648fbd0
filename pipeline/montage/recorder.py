"""Keeps pictures and losses while an optimisation runs, for a movie of its progress."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError, UsageError
from pipeline.montage.contact_sheet import evenly
from pipeline.montage.snapshots import (
    CONTENT_FILE,
    FINISHING,
    LOSSES_FILE,
    SNAPSHOTS_FILE,
    STYLE_FILES,
    Loss,
    Snapshot,
    line_of,
    read_losses,
    read_snapshots,
)
from video.decode import fit_size
from video.images import FloatImage, read_image, resize_image, write_image

if TYPE_CHECKING:
    from stylize.optimize import Progress


DENSE_ITERATIONS = 20
"""Every one of a level's first iterations may become a snapshot; later ones with growing gaps."""

GROWTH = 1.05
"""Later snapshots come at iterations that grow by this factor, or faster where iterations are many."""

LEVEL_LIMIT = 150
"""Snapshots of one level at most, about."""

VISIBLE_CHANGE = 1 / 255
"""Root mean square visible_change under which a picture is too like the last one to be kept."""

MOST_STYLES = 9
"""Style pictures kept beside the snapshots; of more, these are chosen evenly."""


class SnapshotRecorder:
    """A callback for an optimisation that keeps the pictures worth showing and the losses of every iteration.

    Within each level the first iterations are kept one by one, later ones at gaps that grow with their
    number, and none that looks like the one before it. The picture is asked for only when it is due.

    Parameters
    ----------
    folder
        Where to keep them; made when it is not there. Snapshots already in it are removed.
    title
        What the optimised picture is called.
    content
        What is stylized, shape (H, W, 3), kept beside the snapshots for movies that show it.
    styles
        The style pictures that go with it, at least one; kept no larger than the content.
    resume
        Leave what is there of the iterations before the first one that is reported: the optimisation goes
        on where an earlier run stopped.
    finishing
        The picture is brought to a larger size: leave all that is there of its optimisation, and count on.

    Raises
    ------
    UsageError
        If the folder cannot be made or emptied.
    """

    def __init__(
        self,
        folder: Path,
        *,
        title: str = "",
        content: FloatImage | None = None,
        styles: Sequence[FloatImage] = (),
        resume: bool = False,
        finishing: bool = False,
    ) -> None:
        self.folder, self.title = Path(folder), title
        self.count = 0
        self._last: Loss | None = None
        self._last_picture: FloatImage | None = None
        self._evaluations, self._seconds = 0, 0.0
        self._level_start = self._due = 0
        self._resume, self._finishing = resume or finishing, finishing
        self._before = Loss(0, 0, 0.0, {})
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self._resume:
                self._remove_all_but(frozenset())
            for path in (*self.folder.glob(CONTENT_FILE), *self.folder.glob(STYLE_FILES)):
                path.unlink()
        except OSError as error:
            raise UsageError(
                f"{self.folder}: cannot keep snapshots there: {error.strerror}; choose another"
            ) from error
        if content is not None:
            self._keep_originals(content, styles)

    def _keep_originals(self, content: FloatImage, styles: Sequence[FloatImage]) -> None:
        write_image(self.folder / CONTENT_FILE, content)
        for number, chosen in enumerate(evenly(len(styles), MOST_STYLES)):
            style = styles[chosen]
            size = fit_size(style.shape[1], style.shape[0], max(content.shape[:2]))
            write_image(self.folder / f"style-{number:04d}.png", resize_image(style, size))

    def _remove_all_but(self, kept: frozenset[str]) -> None:
        for pattern in (SNAPSHOTS_FILE, LOSSES_FILE, "snapshot-*.png", ".snapshot-*.part-*.png"):
            for path in self.folder.glob(pattern):
                if path.name not in kept:
                    path.unlink(missing_ok=True)

    def _take_over(self, iteration: int) -> None:
        """Go on after what an interrupted run left of the iterations before this one, and drop the rest."""
        try:
            snapshots, losses = read_snapshots(self.folder), read_losses(self.folder)
        except UsageError:
            snapshots, losses = [], []
        if self._finishing:
            self._before = ([self._before] + [one for one in losses if one.level != FINISHING])[-1]
            iteration += self._before.iteration + 1
        snapshots = [one for one in snapshots if one.iteration < iteration and one.path.is_file()]
        try:
            self._remove_all_but(frozenset(one.file for one in snapshots))
        except OSError as error:
            raise PipelineError(f"{self.folder}: cannot be emptied: {error.strerror}; mend that") from None
        for loss in losses:
            if loss.iteration < iteration:
                self._append(LOSSES_FILE, asdict(loss))
                self._last = loss
        for snapshot in snapshots:
            self._append(SNAPSHOTS_FILE, line_of(snapshot))
        if snapshots:
            self.count = 1 + int(snapshots[-1].path.stem.rpartition("-")[2])
            self._last_picture = read_image(snapshots[-1].path)

    def __call__(self, progress: Progress) -> None:
        """Note the losses; keep the picture when it is due and looks different.

        Raises PipelineError or EncodeError if the folder cannot be written to.
        """
        if self._resume:
            self._resume = False
            self._take_over(progress.iteration)
        if self._finishing:
            after = self._before.iteration + 1 + progress.iteration
            progress = replace(progress, iteration=after, level=FINISHING)
        if self._last is None or progress.level != self._last.level:
            self._level_start = self._due = progress.iteration
        self._last = Loss(progress.iteration, progress.level, progress.loss, dict(progress.terms))
        self._evaluations, self._seconds = progress.evaluations, progress.seconds
        self._append(LOSSES_FILE, asdict(self._last))
        if progress.iteration >= self._due:
            done = progress.iteration - self._level_start
            self._due = self._level_start + next_due(done, progress.iterations)
            self._keep(progress.picture(), self._last)

    def finish(self, picture: FloatImage, losses: dict[str, float]) -> None:
        """Keep the result, whatever it looks like; it is always the last snapshot.

        Parameters
        ----------
        picture
            Shape (H, W, 3), in [0, 1].
        losses
            Its weighted terms; a "total" among them is the loss, otherwise their sum is.
        """
        terms = {name: value for name, value in losses.items() if name != "total"}
        total = losses.get("total", sum(terms.values()))
        iteration, level = (self._last.iteration, self._last.level) if self._last else (0, 0)
        self._keep(picture, Loss(iteration, level, total, terms), kept=True)

    def _keep(self, picture: FloatImage, loss: Loss, *, kept: bool = False) -> None:
        """Write the picture and then its line, unless it looks like the last one."""
        picture = picture.clip(0, 1)
        distance = 0.0 if self._last_picture is None else visible_change(self._last_picture, picture)
        if self.count and distance < VISIBLE_CHANGE and not kept:
            return
        height, width = picture.shape[:2]
        snapshot = Snapshot(
            f"snapshot-{self.count:04d}.png", (width, height), **asdict(loss), evaluations=self._evaluations,
            seconds=round(self._seconds, 3), distance=distance, kept=kept, title=self.title,
        )  # fmt: skip
        write_image(self.folder / snapshot.file, picture)
        self._append(SNAPSHOTS_FILE, line_of(snapshot))
        self._last_picture = picture
        self.count += 1

    def _append(self, name: str, record: dict[str, Any]) -> None:
        path = self.folder / name
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            raise PipelineError(
                f"cannot write {path}: {error.strerror}; make room or choose another place"
            ) from error


def next_due(done: int, iterations: int) -> int:
    """The iteration of a level at which the next snapshot is due, after one at `done`.

    Parameters
    ----------
    done
        The level's finished iterations.
    iterations
        How many there may be; the gaps grow so that about `LEVEL_LIMIT` snapshots suffice.
    """
    sparse = LEVEL_LIMIT - DENSE_ITERATIONS
    growth = max(GROWTH, (max(iterations, 1) / DENSE_ITERATIONS) ** (1 / sparse))
    return done + max(1, math.floor(done * (growth - 1)))


def visible_change(first: FloatImage, second: FloatImage) -> float:
    """Root mean square visible_change of two pictures; the first is scaled to the second's size."""
    height, width = second.shape[:2]
    if first.shape != second.shape:
        first = resize_image(first, (width, height))
    change = (second - first).ravel()
    return math.sqrt(float(change @ change) / change.size)
