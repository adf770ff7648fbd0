"""Who is sooner at the same loss of neural-style's objective; a part of peers.py."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from scripts import tables
from scripts.reference.neural_style import Scorer
from scripts.reference.turns import EnoughError, Kept, Pace, Side
from stylize.types import FloatImage
from stylize.weights import load_weights

MARKS = (25, 50, 100, 150, 200, 250, 500, 1000)
TIMES = (10, 20, 30, 60, 120, 300, 600, 1200, 2400)
TARGETS = {250: "at most 125 evaluations", 1000: "at most a tenth of its seconds"}
OURS, REFERENCE = "ours", "torch-lbfgs"
EVERY = 5
"""Evaluations between two pictures that are kept: all are counted to so many."""


@dataclass(frozen=True)
class Job:
    """A pair, and how it is run: evaluations at most and a turn, threads, our precision and evaluations."""

    content: FloatImage
    style: FloatImage
    evaluations: int
    turn: int
    threads: int
    precision: str = "auto"
    ours: int | None = None

    def of(self, way: str) -> Job:
        """The same for one of the ways."""
        return self if way != OURS or self.ours is None else replace(self, evaluations=self.ours)

    def pace(self, line: Any) -> Pace:
        """What lets a loop take turns."""
        return Pace(line, every=EVERY, turn=self.turn, limit=self.evaluations)


# --- the ways, each in its own process ----------------------------------------------------------------------


def our_way(line: Any, job: Job) -> None:
    """The preset neural-style from the content."""
    from pipeline.machine import load_tensorflow
    from pipeline.styling.precision import is_mixed
    from scripts.bench.peers_price import config_of

    load_tensorflow()
    from stylize.stylizer import Stylizer

    weights, pace = load_weights("vgg19"), job.pace(line)
    mixed = is_mixed(job.precision, weights)
    stylizer = Stylizer(config_of("neural-style"), [job.style], weights, mixed=mixed)
    stylizer.stylize(job.content, iterations=2)  # compile
    pace.begin()
    with _until_enough(pace):
        stylizer.stylize(
            job.content,
            iterations=job.evaluations,
            callback=lambda at: pace.seen(at.evaluations, at.loss, at.picture),
        )


def tutorial_way(line: Any, job: Job) -> None:
    """The TensorFlow tutorial's loop. The loss is as large as the tutorial's: it need not be scaled."""
    pace, loss_of, loops = _tensorflow(line, job)
    with _until_enough(pace):
        loops.tutorial_adam(loss_of, job.content, job.evaluations, scale=1.0, watcher=pace)


def scipy_way(line: Any, job: Job) -> None:
    """SciPy's L-BFGS-B."""
    pace, loss_of, loops = _tensorflow(line, job)
    with _until_enough(pace):
        loops.scipy_lbfgs(loss_of, job.content, job.evaluations, watcher=pace)


def torch_lbfgs_way(line: Any, job: Job) -> None:
    """neural-style-pt's settings of PyTorch's L-BFGS."""
    _torch_way(line, job, "torch_lbfgs")


def torch_adam_way(line: Any, job: Job) -> None:
    """Its settings of PyTorch's Adam."""
    _torch_way(line, job, "torch_adam")


WAYS: dict[str, tuple[str, Callable[..., None]]] = {
    OURS: ("Deep Fusion, preset neural-style", our_way),
    REFERENCE: ("PyTorch L-BFGS, as in neural-style-pt", torch_lbfgs_way),
    "torch-adam": ("PyTorch Adam, as in neural-style-pt", torch_adam_way),
    "tutorial": ("TensorFlow tutorial's Adam", tutorial_way),
    "scipy": ("SciPy L-BFGS-B", scipy_way),
}


@contextmanager
def _until_enough(pace: Pace) -> Iterator[None]:
    with suppress(EnoughError):
        yield
    pace.over()


def _tensorflow(line: Any, job: Job) -> tuple[Pace, Callable[[Any], Any], Any]:
    from pipeline.machine import load_tensorflow

    load_tensorflow()
    from scripts.reference import loops
    from scripts.reference.neural_style import loss_function

    return job.pace(line), loss_function(load_weights("vgg19"), job.content, job.style), loops


def _torch_way(line: Any, job: Job, loop: str) -> None:
    from scripts.reference import neural_style_torch
    from scripts.reference.torch_iteration import import_torch

    torch: Any = import_torch()
    torch.set_num_threads(job.threads)
    objective = neural_style_torch.TorchObjective(torch, load_weights("vgg19"), job.content, job.style)
    pace = job.pace(line)
    with _until_enough(pace):
        getattr(neural_style_torch, loop)(objective, job.content, job.evaluations, pace, torch)


# --- the process that asks ----------------------------------------------------------------------------------


@dataclass
class Track:
    """What one way has come to; scores in thousands."""

    way: str
    side: Side
    scorer: Scorer
    limit: int
    kept: list[Kept] = field(default_factory=list)
    over: bool = False
    _scores: dict[int, float] = field(default_factory=dict)

    def turn(self) -> None:
        """The next turn."""
        kept, self.over = self.side.ask("go")
        self.kept += kept

    def score(self, index: int) -> float:
        """Of the picture that was kept."""
        if index not in self._scores:
            self._scores[index] = self.scorer.score(self.kept[index].picture)
        return self._scores[index]

    def after(self, evaluations: int) -> int | None:
        """Which picture is the one after so many evaluations; None if it has not come so far."""
        return self._last([one.evaluations for one in self.kept], evaluations)

    def after_seconds(self, seconds: float) -> int | None:
        """Which picture is the one after so many seconds; None if it has not come so far."""
        return self._last([one.seconds for one in self.kept], seconds)

    def reached(self, score: float) -> int | None:
        """The first picture whose score is as low: pictures are the best so far, so scores fall."""
        index = bisect.bisect_left(range(len(self.kept)), True, key=lambda index: self.score(index) <= score)
        return index if index < len(self.kept) else None

    def _last(self, counts: Sequence[float], number: float) -> int | None:
        index = bisect.bisect_right(counts, number) - 1
        converged = self.over and self.kept[-1].evaluations < self.limit
        there = converged or (bool(counts) and counts[-1] >= number)
        return index if index >= 0 and there else None


def race(job: Job, ways: Sequence[str], keep: Callable[..., None]) -> list[Track]:
    """All ways in turns until each has had its evaluations, or until Ctrl-C; scores at the marks are kept."""
    scorer = Scorer(load_weights("vgg19"), job.content, job.style)
    tracks: list[Track] = []
    try:
        for way in ways:
            (name, work), own = WAYS[way], job.of(way)
            tracks.append(Track(way, Side(name, own.threads, work, own), scorer, own.evaluations))
            tracks[-1].side.answer()  # compiled: one after the other
        while any(not track.over for track in tracks):
            for track in tracks:
                if not track.over:
                    _take_turn(track, job, keep)
    except KeyboardInterrupt:
        print("stopped: the tables are of what there is\n")
    finally:
        for track in tracks:
            track.side.end()
    return tracks


def _take_turn(track: Track, job: Job, keep: Callable[..., None]) -> None:
    marks = marks_of(job)
    before = {mark for mark in marks if track.after(mark) is not None}
    track.turn()
    for mark in marks:
        index = track.after(mark)
        if mark not in before and index is not None:
            one = track.kept[index]
            keep(
                way=track.way, mark=mark, evaluations=one.evaluations, seconds=round(one.seconds, 2),
                score=round(track.score(index), 1), threads=job.threads,
            )  # fmt: skip


def marks_of(job: Job) -> list[int]:
    """Evaluations after which pictures are scored."""
    return sorted({*(mark for mark in MARKS if mark < job.evaluations), job.evaluations})


def print_results(job: Job, tracks: Sequence[Track]) -> None:
    """Scores by evaluations and by seconds, and who is where the reference was."""
    print("Score in thousands by evaluations:\n")
    marks = marks_of(job)
    tables.head("way", *map(str, marks))
    for track in tracks:
        tables.row(WAYS[track.way][0], *(_scored(track, track.after(mark)) for mark in marks))
    print("\nby seconds:\n")
    times = [one for one in TIMES if any(track.after_seconds(one) is not None for track in tracks)]
    tables.head("way", *map(str, times), "seconds an evaluation")
    for track in tracks:
        if track.kept:
            cells = [_scored(track, track.after_seconds(seconds)) for seconds in times]
            last = track.kept[-1]
            tables.row(WAYS[track.way][0], *cells, f"{last.seconds / last.evaluations:.3f}")
    reference = next((track for track in tracks if track.way == REFERENCE and track.kept), None)
    if reference is not None:
        reachable = [mark for mark in TARGETS if reference.after(mark) is not None and mark in marks]
        for target in reachable or [reference.kept[-1].evaluations]:
            _print_target(reference, target, tracks)


def _print_target(reference: Track, target: int, tracks: Sequence[Track]) -> None:
    index = reference.after(target)
    if index is None:
        return
    score, seconds = reference.score(index), reference.kept[index].seconds
    wanted = f"; wanted of ours: {TARGETS[target]}" if target in TARGETS else ""
    print(f"\nTo the {score:.0f} of {WAYS[REFERENCE][0]}, after {target} evaluations{wanted}:\n")
    tables.head("way", "evaluations", "seconds", "of its seconds")
    for track in tracks:
        reached = track.reached(score)
        if reached is not None:
            one = track.kept[reached]
            share = f"{one.seconds / seconds:.3f}"
            tables.row(WAYS[track.way][0], one.evaluations, f"{one.seconds:.1f}", share)
        elif track.kept:
            last = track.kept[-1]
            tables.row(
                WAYS[track.way][0], f"more than {last.evaluations}", f"more than {last.seconds:.1f}", ""
            )


def _scored(track: Track, index: int | None) -> str:
    return "-" if index is None else f"{track.score(index):.0f}"
