"""Stylizes the frames of a clip pass by pass: resumed, written, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.background import ahead
from pipeline.clip.costs import FrameCosts
from pipeline.clip.finishing import Finish, FinishingModel
from pipeline.clip.frames import FrameMade, FrameStore, KeptContents
from pipeline.clip.links import LinkedFrame, linked
from pipeline.clip.masks import masks_of_clip
from pipeline.clip.motion import SETTLING
from pipeline.clip.source import Clip
from pipeline.clip.temporal import Start, TemporalModel
from pipeline.clip.timeline import Timeline, look_change
from pipeline.progress.display import Display, Work
from pipeline.run_folder.files import file_hash
from pipeline.run_folder.folder import Frame
from pipeline.settings.job_settings import FINISHING, VideoSettings, mask_paths
from pipeline.styling.looks import Masks, look_of
from pipeline.styling.one_picture import optimise, result_line

if TYPE_CHECKING:
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
    finish
        Brings the frames to a larger size when all passes are done, if they are to be.
    sweep
        The number of the pass that goes through the clip as it is decoded.
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
    finish: Finish | None = None
    sweep: int = 1
    _contents: KeptContents = field(init=False)
    _model: TemporalModel = field(init=False)
    _costs: FrameCosts = field(init=False)

    def __post_init__(self) -> None:
        kind = FinishingModel if self.sweep == FINISHING else TemporalModel
        self._model = kind(self.settings, self.stylizer.config.iterations)
        self._contents = KeptContents(self.store, len(mask_paths(self.settings)))
        self._costs = FrameCosts.of(self.stylizer.config, self.settings, self.clip.size)

    def run(self) -> None:
        """Stylize every frame that is not finished yet."""
        there = Counter(sweep == FINISHING for sweep, _ in self.finished)
        with self.display.work(self._costs.of_clip(len(self.clip.indices), self.settings.passes)) as work:
            work.begin_at(self._costs.together(there[False]) + self._costs.finished(there[True]))
            shots = self._first_pass(work)
            for sweep in range(2, self.settings.passes + 1):
                for number, shot in enumerate(shots, start=1):
                    self._later_pass(sweep, number, shot, work)
            if self.finish is not None:
                self._finishing(self.finish, shots)._first_pass(work)

    def _finishing(self, finish: Finish, shots: list[list[int]]) -> FrameLoop:
        """Goes through the same shots again at the larger size."""
        clip = finish.clip_like(self.clip, frozenset(shot[0] for shot in shots))
        stylizer = finish.stylizer(self.stylizer)
        return replace(self, clip=clip, stylizer=stylizer, finish=None, sweep=FINISHING)

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
                if self.settings.passes > 1 and self.sweep == 1:
                    self._contents.keep(index, frame.content, seen.masks)
                if (self.sweep, index) in self.finished:
                    self._model.pass_over(frame, self._own(index, self.sweep))
                    self.made(FrameMade(self.finished[self.sweep, index], frame.begins, found=True))
                else:
                    if frame.begins and len(shots) > 1 and self.sweep == 1:
                        work.grow(self._costs.cut)
                    self._one(seen, self.sweep, None if frame.begins else index - 1, work)
                self._model.remember(frame, partial(_read, self.store.frame_path(index, self.sweep)))
        return shots

    def _decoded(self) -> Generator[_Seen, None, None]:
        """The clip's frames with their links, as far as these are wanted: no frame is waited for."""
        from video.scenes import with_shot_starts

        reach = SETTLING * max(self.settings.long_term)
        there = frozenset(index for sweep, index in self.finished if sweep == self.sweep)
        with (
            closing(self.clip.contents(self.display)) as frames,
            closing(masks_of_clip(self.settings, self.clip)) as masks,
        ):
            yield from self._linked(
                with_shot_starts(frames, self.clip.cuts),
                masks,
                lambda index: any(index + later not in there for later in range(reach + 1)),
            )

    def _later_pass(self, sweep: int, number: int, shot: list[int], work: Work) -> None:
        """Go through a shot again, backward in even passes, from the pictures of the pass before."""
        before = None
        order = shot if sweep % 2 else shot[::-1]
        contents = ((index, self._contents.content(index), index == order[0]) for index in order)
        masks = (self._contents.masks(index) for index in order)
        there = frozenset(self.finished)
        again = self._linked(contents, masks, lambda index: (sweep, index) not in there, number - 1)
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
        wanted: Callable[[int], bool],
        shot: int = 0,
    ) -> Generator[_Seen, None, None]:
        """Frames with their masks, and the links of those that are wanted; `shot` of the shots are past."""
        import numpy as np

        last: Masks = ()
        for frame, planes in zip(linked(frames, self.settings, wanted), masks, strict=False):
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
            frame, self._own(index, sweep), 0.0 if past_look is None else look_change(look, past_look)
        )
        snapshots = self._snapshots(index, sweep)
        if before is not None and start.stays and snapshots is None and self._may_stay(frame):
            result = _as_before(start, self.finished[sweep, before])
        else:
            result = optimise(
                self.stylizer, frame.content, self.settings, work, label, snapshots, f"frame {index}", look,
                initial=start.initial, anchor=start.anchor, iterations=start.iterations,
                changing=start.changing, laid_over=False, finishing=sweep == FINISHING,
            )  # fmt: skip
        error = None
        if past_look is not None and sweep == self.settings.sweeps[-1]:
            shown = look.over(frame.content, from_uint8(to_uint8(result.picture)))  # as it will be saved
            error = self._model.error(frame, shown, past_look.over, backward=sweep % 2 == 0)
        path = self.store.frame_path(index, sweep)
        write_image(path, result.picture, overwrite=True)
        made = Frame(
            index, path.name, file_hash(path), result.losses, result.evaluations, result.seconds, sweep,
            previous=self._hash(sweep, before if self.settings.steady else None),
            own=self._hash(self._earlier(sweep), index), error=error,
        )  # fmt: skip
        self.finished[sweep, index] = made
        self.made(FrameMade(made, frame.begins, text=f"{label}{result_line(result)}"))
        alone = frame.begins if sweep == FINISHING else start.initial is None
        work.move_to(done + self._costs.of_frame(sweep, alone=alone))

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
        if sweep == FINISHING:
            return f"finishing  {label}"
        return label if self.settings.passes == 1 else f"pass {sweep}/{self.settings.passes}  {label}"

    def _earlier(self, sweep: int) -> int | None:
        """The pass before this one, if there is one."""
        place = self.settings.sweeps.index(sweep)
        return self.settings.sweeps[place - 1] if place else None

    def _own(self, index: int, sweep: int) -> Callable[[], FloatImage] | None:
        """Reads what the pass before has made of a frame."""
        earlier = self._earlier(sweep)
        return None if earlier is None else partial(_read, self.store.frame_path(index, earlier))

    def _hash(self, sweep: int | None, index: int | None) -> str:
        """The hash of a finished frame that another one comes from, empty when there is none."""
        return "" if sweep is None or index is None else self.finished[sweep, index].sha256

    def _snapshots(self, index: int, sweep: int) -> Path | None:
        """Where the snapshots of a frame go, if they are wanted of it."""
        wanted = index == self.movie_frame and sweep in (1, FINISHING)
        return self.store.snapshots / "frame" if wanted else None


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
