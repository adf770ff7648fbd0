"""A clip's shots as units of work: finds them, and stylizes them in workers."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.clip.costs import FrameCosts, memory_of_frames
from pipeline.clip.finishing import Finish, Row, columns_of, finish_of, marks_of
from pipeline.clip.frame_loop import FrameLoop
from pipeline.clip.frames import FrameMade
from pipeline.clip.ledger import ClipBook
from pipeline.clip.masks import marks_of_masks
from pipeline.clip.source import Clip, finished_like
from pipeline.clip.timeline import Timeline
from pipeline.errors import PipelineError
from pipeline.progress.display import Display, Work
from pipeline.run_folder.folder import Frame, RunFolder, content_name, frame_name
from pipeline.settings.input_files import as_sent, relocated, to_send, worker_inputs
from pipeline.settings.job import Job
from pipeline.settings.job_settings import VideoSettings
from pipeline.workers.driver import do_by_workers
from pipeline.workers.messages import Failed, Kept
from pipeline.workers.protocol import Places, Tell, Unit
from pipeline.workers.staff import Staff

if TYPE_CHECKING:
    from stylize.stylizer import Stylizer
    from stylize.types import FloatImage
    from stylize.weights import Weights


@dataclass(frozen=True)
class Shot:
    """A shot of a clip: its number from 1, its first frame, the marks of its frames and their masks.

    The only shot of a clip is `whole`. `finish` are the marks of the frames and of each mask at the size that
    it is finished at.
    """

    number: int
    start: int
    marks: tuple[bytes, ...]
    mask_marks: tuple[tuple[bytes, ...], ...] = ()
    whole: bool = False
    finish: tuple[tuple[bytes, ...], ...] = ()

    @property
    def name(self) -> str:
        """For people."""
        return f"shot {self.number}"

    @property
    def indices(self) -> range:
        """Its frames' numbers."""
        return range(self.start, self.start + len(self.marks))


def find_shots(
    clip: Clip, display: Display, masks: Iterable[tuple[bytes | None, ...]] = repeat(())
) -> Generator[Shot, None, None]:
    """Each shot as soon as its end is known; the clip is decoded once for all of them.

    `masks` are the marks of its masks' frames, in step with it (`marks_of_masks`), if they are wanted.
    """
    from video.excerpt import mark_of
    from video.scenes import with_shot_starts

    number, start = 0, clip.wanted.start
    rows: list[Row] = []

    def shot(*, ends: bool = False) -> Shot:
        own, *others = columns_of(rows)
        return Shot(number, start, own, tuple(others), whole=ends and number == 1)

    with closing(clip.contents(display)) as contents:
        frames = with_shot_starts(contents, clip.cuts)
        for (index, content, begins), row in zip(frames, masks, strict=False):
            if begins and rows:
                number += 1
                yield shot()
                start, rows = index, []
            rows.append((mark_of(content), *row))
    if rows:
        number += 1
        yield shot(ends=True)


def _marked_shots(settings: VideoSettings, clip: Clip, display: Display) -> Generator[Shot, None, None]:
    """The shots with all marks that a worker needs."""
    with (
        closing(marks_of_masks(settings, clip)) as masks,
        closing(find_shots(clip, display, masks)) as shots,
        closing(marks_of(finished_like(clip, settings), settings, display)) as large,
    ):
        for shot in shots:
            rows = islice(large, len(shot.marks) if settings.finish else 0)
            yield replace(shot, finish=columns_of(rows))


@dataclass(frozen=True)
class ShotTask:
    """A shot to be stylized.

    Attributes
    ----------
    finished
        What is there of it.
    frames
        The files of these, in the order of `finished`.
    """

    shot: Shot
    finished: tuple[Frame, ...]
    frames: tuple[Path, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """The finished frames: the next ones start from them."""
        return self.frames


@dataclass(frozen=True)
class ClipSetup:
    """What a worker on a clip is made from; its paths are absolute.

    Attributes
    ----------
    timeline
        The looks of all frames.
    palette
        Whose colours the style pictures get, if they get any.
    movie_frame
        The frame whose optimisation leaves snapshots; None: no one's.
    run
        The job's run folder.
    neighbours
        How many workers share the machine's memory.
    """

    job: Job
    clip: Clip
    timeline: Timeline
    weights: Weights
    palette: FloatImage | None
    movie_frame: int | None
    run: Path
    neighbours: int
    offline: bool

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The clip, the styles, masks and whatever else the job names."""
        return worker_inputs(self.job)

    @property
    def probe_files(self) -> tuple[Path, ...]:
        """The inputs and the run folder, where the finished frames are."""
        return (*self.inputs, self.run / "job.json")

    def absolute(self) -> ClipSetup:
        """The same for a worker in any folder."""
        clip = replace(self.clip, source=self.clip.source.moved(Path.absolute))
        job, weights = relocated(self.job, Path.absolute), to_send(self.weights)
        return replace(self, job=job, clip=clip, run=self.run.absolute(), weights=weights)

    def begin(self, places: Places, display: Display) -> _ShotWorker:
        """The worker, with its network and style targets."""
        from pipeline.styling.factory import build_stylizer

        job = relocated(self.job, places)
        assert isinstance(job.settings, VideoSettings)
        clip = replace(self.clip, source=self.clip.source.moved(places))
        stylizer = build_stylizer(
            job, job.styles, max(clip.size), as_sent(self.weights), display,
            palette=self.palette, offline=self.offline, neighbours=self.neighbours,
            beside=memory_of_frames(job.settings, clip),
        )  # fmt: skip
        finish = finish_of(job, clip, as_sent(self.weights), display, self.palette)
        return _ShotWorker(job.settings, clip, self.timeline, stylizer, finish, self.movie_frame, display)


def do_shots(staff: Staff, setup: ClipSetup, book: ClipBook, run: RunFolder, display: Display) -> None:
    """Have the shots of a clip stylized by workers; what they make goes into the book.

    Raises
    ------
    PipelineError
        Naming the shots that could not be done, when all others are.
    """
    job, clip, settings = setup.job, setup.clip, setup.job.settings
    assert isinstance(settings, VideoSettings)
    costs = FrameCosts.of(job.stylize, settings, clip.size)
    setup = setup.absolute()
    total = costs.of_clip(settings, len(clip.indices), closes=False)
    known: dict[str, Shot] = {}
    complete: list[Shot] = []

    def task(shot: Shot) -> ShotTask:
        there = [frame for (_, index), frame in sorted(book.frames.items()) if index in shot.indices]
        files = [(run.frames / frame.file).absolute() for frame in there]
        return ShotTask(shot, tuple(there), tuple(files))

    def units(work: Work) -> Generator[Unit, None, None]:
        with closing(_marked_shots(settings, clip, display)) as shots:
            for shot in shots:
                known[shot.name] = shot
                cost = costs.of_clip(settings, len(shot.marks), closes=shot.whole)
                work.grow(cost - total if shot.whole else costs.cut * (shot.number > 1))
                if book.has_all(shot.indices, closes=shot.whole):
                    complete.append(shot)
                    work.grow(-cost)
                else:
                    yield Unit(shot.name, cost, partial(task, shot))

    def take(unit: Unit, message: Any) -> None:
        if isinstance(message, FrameMade):
            book.take(message)
        elif isinstance(message, Failed):
            display.error(f"failed: {unit.name}: {message.reason}")

    failed = do_by_workers(staff, setup, "shots", units, total, take, run.snapshots, display)
    for shot in complete:
        book.find(shot.indices)
    if failed:
        names = [f"{name} (frames {known[name].start} to {known[name].indices[-1]})" for name in failed]
        raise PipelineError(
            f"{', '.join(names)} could not be done: {next(iter(failed.values()))}; all others are finished, "
            f"and the same command tries again"
        )


@dataclass(frozen=True)
class _ShotWorker:
    """Stylizes shots."""

    settings: VideoSettings
    clip: Clip
    timeline: Timeline
    stylizer: Stylizer
    finish: Finish | None
    movie_frame: int | None
    display: Display

    def do(self, task: ShotTask, places: Places, tell: Tell) -> None:
        """Stylize what is not finished of a shot; tells every frame as soon as it is."""
        from video.decode import FrameRange

        settings, shot = self.settings, task.shot
        part = FrameRange(shot.start, shot.indices.stop)
        clip = replace(self.clip, wanted=part, cuts="none", marks=shot.marks, mask_marks=shot.mask_marks)
        there = {(one.sweep, one.index): one for one in task.finished}
        files = {
            (one.sweep, one.index): places(path) for one, path in zip(task.finished, task.frames, strict=True)
        }
        with tempfile.TemporaryDirectory(prefix="shot-") as folder:
            store = _Scratch(Path(folder), files)

            def made(made: FrameMade) -> None:
                path = store.frame_path(made.frame.index, made.frame.sweep)
                tell(made if made.found else replace(made, data=path.read_bytes()))

            loop = FrameLoop(
                settings, clip, self.timeline, self.stylizer, store, there, made, self.display,
                movie_frame=self.movie_frame, shots_before=shot.number - 1, closes=shot.whole, name=shot.name,
                finish=self.finish and replace(self.finish, marks=shot.finish),
            )  # fmt: skip
            loop.run()
            for kept in sorted(store.snapshots.glob("*")):
                tell(Kept.of(kept))


class _Scratch:
    """A worker's own place for the frames of a shot; those that are finished already are elsewhere."""

    def __init__(self, folder: Path, files: dict[tuple[int, int], Path]) -> None:
        self._folder, self._files = folder, files
        self.snapshots = folder / "snapshots"

    def frame_path(self, index: int, sweep: int = 1) -> Path:
        """The file of a stylized frame."""
        return self._files.get((sweep, index), self._folder / frame_name(index, sweep))

    def content_path(self, index: int) -> Path:
        """Where a decoded frame is kept for later passes."""
        return self._folder / content_name(index)
