"""Stylizes the frames of a clip pass by pass: resumed, written, counted."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.background import ahead
from pipeline.clip.frames import FrameMade, FrameStore, KeptContents
from pipeline.clip.links import LinkedFrame, linked
from pipeline.clip.masks import masks_of_clip
from pipeline.clip.source import Clip
from pipeline.clip.temporal import Start, TemporalModel
from pipeline.clip.timeline import Timeline, look_change
from pipeline.progress.display import Display, Work
from pipeline.run_folder.files import file_hash
from pipeline.run_folder.folder import Frame
from pipeline.settings.job_settings import VideoSettings, mask_paths
from pipeline.styling.factory import unit_cost
from pipeline.styling.looks import Masks, look_of
from pipeline.styling.one_picture import optimise, result_line

if TYPE_CHECKING:
    from stylize.config import StylizeConfig
    from stylize.result import Result
    from stylize.stylizer import Stylizer
    from stylize.types import FloatImage


@dataclass(frozen=True)
class _Seen:
    """A frame as it comes out of the clip, in a shot counted from 1, with its masks."""

    frame: LinkedFrame
    shot: int
    masks: Masks


@dataclass
class FrameLoop:
    """Stylizes the frames of a clip, or of one of its shots, shot by shot.

    The first pass goes through the clip once, as it is decoded. The later ones go through each shot
    backward and forward in turn, from the frames decoded then. Decoding and optical flow run ahead.

    Attributes
    ----------
    clip
        What is to be done; all of it is in these hands.
    timeline
        The looks of the frames of the whole job.
    store
        Where frames are written and read.
    finished
        What an earlier run has made, by pass and number; grows as frames are made.
    made
        Told of every finished frame when its file is there; the next one is begun afterwards.
    movie_frame
        The frame whose optimisation leaves snapshots; None: no one's.
    shots_before
        How many shots of the job come before.
    name
        What the clip is a part of the job's as, for people; empty: it is all of it.
    """

    settings: VideoSettings
    clip: Clip
    timeline: Timeline
    stylizer: Stylizer
    store: FrameStore
    finished: dict[tuple[int, int], Frame]
    made: Callable[[FrameMade], None]
    display: Display
    movie_frame: int | None = None
    shots_before: int = 0
    name: str = ""
    _contents: KeptContents = field(init=False)
    _model: TemporalModel = field(init=False)
    _costs: FrameCosts = field(init=False)

    def __post_init__(self) -> None:
        self._model = TemporalModel(self.settings, self.stylizer.config.iterations)
        self._contents = KeptContents(self.store, len(mask_paths(self.settings)))
        self._costs = FrameCosts.of(self.stylizer.config, self.settings, self.clip.size)

    def run(self) -> None:
        """Stylize every frame that is not finished yet."""
        count = len(self.clip.indices) * self.settings.passes
        with self.display.work(self._costs.together(count)) as work:
            work.begin_at(self._costs.together(len(self.finished)))
            shots = self._first_pass(work)
            for sweep in range(2, self.settings.passes + 1):
                for number, shot in enumerate(shots, start=1):
                    self._later_pass(sweep, number, shot, work)

    def _first_pass(self, work: Work) -> list[list[int]]:
        """Go through the clip as it is decoded; gives the frames' numbers by shot."""
        shots: list[list[int]] = []
        with closing(ahead(self._decoded())) as frames:
            for seen in frames:
                frame, index = seen.frame, seen.frame.index
                self._model.enter(frame)
                if frame.begins:
                    shots.append([])
                shots[-1].append(index)
                if self.settings.passes > 1:
                    self._contents.keep(index, frame.content, seen.masks)
                if (1, index) in self.finished:
                    self._model.follow(frame)
                    self.made(FrameMade(self.finished[1, index], frame.begins, found=True))
                else:
                    if frame.begins and len(shots) > 1:
                        work.grow(self._costs.alone - self._costs.later)
                    self._one(seen, 1, None if frame.begins else index - 1, work)
                self._model.remember(frame, partial(_read, self.store.frame_path(index)))
        return shots

    def _decoded(self) -> Generator[_Seen, None, None]:
        """The clip's frames with their links; no frame is waited for."""
        from video.scenes import with_shot_starts

        with (
            closing(self.clip.contents(self.display)) as frames,
            closing(masks_of_clip(self.settings, self.clip)) as masks,
        ):
            yield from self._linked(with_shot_starts(frames, self.clip.cuts), masks)

    def _later_pass(self, sweep: int, number: int, shot: list[int], work: Work) -> None:
        """Go through a shot again, backward in even passes, from the pictures of the pass before."""
        before = None
        order = shot if sweep % 2 else shot[::-1]
        contents = ((index, self._contents.content(index), index == order[0]) for index in order)
        masks = (self._contents.masks(index) for index in order)
        again = self._linked(contents, masks, number - 1)
        with closing(ahead(again)) as frames:
            for seen in frames:
                self._model.enter(seen.frame)
                if (sweep, seen.frame.index) not in self.finished:
                    self._one(seen, sweep, before, work)
                before = seen.frame.index
                self._model.remember(seen.frame, partial(_read, self.store.frame_path(before, sweep)))

    def _linked(
        self,
        frames: Iterable[tuple[int, FloatImage, bool]],
        masks: Iterable[Masks],
        shot: int = 0,
    ) -> Generator[_Seen, None, None]:
        """Frames with their links and masks; `shot` of the shots are past."""
        import numpy as np

        last: Masks = ()
        for frame, planes in zip(linked(frames, self.settings), masks, strict=False):
            shot += frame.begins
            if not all(map(np.array_equal, last, planes)):  # where the styles go has changed
                frame = replace(frame, changing=None)
            last = planes
            yield _Seen(frame, self.shots_before + shot, planes)

    def _one(self, seen: _Seen, sweep: int, before: int | None, work: Work) -> None:
        """Stylize and commit a frame; `before` is the one it follows in its shot and pass."""
        from video.images import from_uint8, to_uint8, write_image

        done, frame, index = work.done, seen.frame, seen.frame.index
        label = self._label(index, sweep)
        look = look_of(
            self.settings, len(self.stylizer.styles), seen.masks, self.timeline.at(index, seen.shot)
        )
        past_look = None if before is None else self.timeline.at(before, seen.shot)
        start = self._model.start(
            frame,
            None if sweep == 1 else partial(_read, self.store.frame_path(index, sweep - 1)),
            0.0 if past_look is None else look_change(look, past_look),
        )
        snapshots = self._snapshots(index, sweep)
        if before is not None and start.stays and snapshots is None and self._may_stay(frame):
            result = _as_before(start, self.finished[sweep, before])
        else:
            result = optimise(
                self.stylizer, frame.content, self.settings, work, label, snapshots, f"frame {index}", look,
                initial=start.initial, anchor=start.anchor, iterations=start.iterations,
                changing=start.changing, laid_over=False,
            )  # fmt: skip
        error = None
        if past_look is not None and sweep == self.settings.passes:
            shown = look.over(frame.content, from_uint8(to_uint8(result.picture)))  # as it will be saved
            error = self._model.error(frame, shown, past_look.over, backward=sweep % 2 == 0)
        path = self.store.frame_path(index, sweep)
        write_image(path, result.picture, overwrite=True)
        made = Frame(
            index, path.name, file_hash(path), result.losses, result.evaluations, result.seconds, sweep,
            previous=self._hash(sweep, before), own=self._hash(sweep - 1, index), error=error,
        )  # fmt: skip
        self.finished[sweep, index] = made
        self.made(FrameMade(made, frame.begins, text=f"{label}{result_line(result)}"))
        work.move_to(done + (self._costs.alone if start.initial is None else self._costs.later))

    def _may_stay(self, frame: LinkedFrame) -> bool:
        """Whether a frame in which nothing changes is the one before it, with what is kept of contents."""
        import numpy as np

        keeps = self.settings.preserve_color == "luminance" or bool(self.settings.mask_preserve)
        return not keeps or np.array_equal(frame.content, self._model.last_content())

    def _label(self, index: int, sweep: int) -> str:
        """Where the job stands with a frame, for people."""
        indices = self.clip.indices
        number = indices.index(index) + 1 if index in indices else index + 1
        label = f"{self.name and self.name + '  '}frame {number}/{len(indices)}  "
        return label if self.settings.passes == 1 else f"pass {sweep}/{self.settings.passes}  {label}"

    def _hash(self, sweep: int, index: int | None) -> str:
        """The hash of a finished frame that another one comes from, empty when there is none."""
        if index is None or sweep == 0 or not self.settings.steady:
            return ""
        return self.finished[sweep, index].sha256

    def _snapshots(self, index: int, sweep: int) -> Path | None:
        """Where the snapshots of a frame go, if they are wanted of it."""
        return self.store.snapshots / "frame" if index == self.movie_frame and sweep == 1 else None


@dataclass(frozen=True)
class FrameCosts:
    """What a shot's first frame costs, and each of its others, in full-size iterations."""

    alone: float
    later: float

    @classmethod
    def of(cls, config: StylizeConfig, settings: VideoSettings, size: tuple[int, int]) -> FrameCosts:
        """The costs of frames of this (width, height)."""
        alone = unit_cost(config, size[::-1])
        return cls(alone, float(settings.frame_iterations) if settings.steady else alone)

    def together(self, count: int) -> float:
        """So many frames of a single shot; each pass over a frame counts as one."""
        return self.alone + self.later * (count - 1) if count else 0.0


def _as_before(start: Start, before: Frame) -> Result:
    """What came of a frame in which nothing changes."""
    from stylize.result import Result

    assert start.initial is not None
    losses = dict(before.losses)
    return Result(start.initial, losses, losses, 0, 0, 0.0, "as before")


def _read(path: Path) -> FloatImage:
    """A frame as it was saved, which is what the next ones start from."""
    from video.images import read_image

    return read_image(path)
