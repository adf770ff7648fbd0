"""Stylizes the frames of a clip pass by pass: resumed, written, counted."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.background import ahead
from pipeline.clip.costs import FrameCosts
from pipeline.clip.finishing import Finish, FinishingModel
from pipeline.clip.frames import FrameMade, FrameStore, KeptContents, read_frame
from pipeline.clip.lap import LAP, lap_of, leads_on, rounds, share_of_own
from pipeline.clip.motion import Picture
from pipeline.clip.seen import Seen, decoded
from pipeline.clip.seen import seen as seen_of
from pipeline.clip.source import Clip
from pipeline.clip.temporal import TemporalModel, as_before
from pipeline.clip.timeline import Timeline, look_change
from pipeline.progress.display import Display, Work
from pipeline.run_folder.files import file_hash
from pipeline.run_folder.folder import Frame
from pipeline.settings.job_settings import VideoSettings, mask_paths
from pipeline.settings.sweeps import FINISHING, is_finishing
from pipeline.styling.looks import look_of
from pipeline.styling.one_picture import optimise, result_line

if TYPE_CHECKING:
    from stylize.look import Look
    from stylize.stylizer import Stylizer
    from stylize.types import FloatImage


@dataclass
class FrameLoop:
    """Stylizes the frames of a clip, or of one of its shots, shot by shot.

    The first pass goes through the clip once, as it is decoded. The later ones go through each shot
    backward and forward in turn, from the frames decoded then. A loop goes on past the end of the last pass,
    in its direction. Decoding and optical flow run ahead.

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
    closes
        The clip is all of the job's, and so may be a loop.
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
    closes: bool = True
    name: str = ""
    finish: Finish | None = None
    sweep: int = 1
    _contents: KeptContents = field(init=False)
    _model: TemporalModel = field(init=False)
    _costs: FrameCosts = field(init=False)
    _last: deque[Seen] = field(init=False)

    def __post_init__(self) -> None:
        finishing = self.sweep == FINISHING
        model = partial(FinishingModel, small=self._small) if finishing else TemporalModel
        self._model = model(self.settings, self.stylizer.config)
        self._contents = KeptContents(self.store, len(mask_paths(self.settings)), finished=finishing)
        self._costs = FrameCosts.of(self.stylizer.config, self.settings, self.clip.size)
        self._last = deque(maxlen=max(self.settings.long_term))

    def run(self) -> None:
        """Stylize every frame that is not finished yet."""
        settings, frames = self.settings, len(self.clip.indices)
        there = Counter(is_finishing(sweep) for sweep, _ in self.finished)
        with self.display.work(self._costs.of_clip(settings, frames, closes=self.closes)) as work:
            passed = min(rounds(settings, frames, closes=self.closes), there[False])
            work.begin_at(self._costs.together(passed) + self._costs.finished(there[True]))
            shots = self._first_pass(work)
            for sweep in range(2, settings.passes + 1):
                for number, shot in enumerate(shots, start=1):
                    self._later_pass(sweep, number, shot, work)
            closes = settings.loop and self.closes and bool(shots) and self._lap(shots, work)
            if self.finish is not None:
                finishing = self._finishing(self.finish, shots)
                finishing._first_pass(work)
                if closes:
                    finishing._lap(shots, work)

    def _finishing(self, finish: Finish, shots: list[list[int]]) -> FrameLoop:
        """Goes through the same shots again at the larger size."""
        clip = finish.clip_like(self.clip, frozenset(shot[0] for shot in shots))
        large = finish.stylizer(self.stylizer)
        return replace(self, clip=clip, stylizer=large, finish=None, sweep=FINISHING)

    def _first_pass(self, work: Work) -> list[list[int]]:
        """Go through the clip as it is decoded; gives the frames' numbers by shot."""
        shots: list[list[int]] = []
        with closing(ahead(decoded(self.clip, self.settings, self.shots_before, self.display))) as frames:
            for seen in frames:
                frame, index = seen.frame, seen.frame.index
                self._model.enter(frame)
                if frame.begins:
                    shots.append([])
                shots[-1].append(index)
                if self._is_kept(len(shots[0])):
                    self._contents.keep(index, frame.content, seen.masks)
                if (self.sweep, index) in self.finished:
                    self._model.pass_over(frame, self._own(index, self.sweep))
                    self.made(FrameMade(self.finished[self.sweep, index], frame.begins, found=True))
                else:
                    if frame.begins and len(shots) > 1 and self.sweep == 1:
                        work.grow(self._costs.cut)
                    self._one(seen, self.sweep, None if frame.begins else (self.sweep, index - 1), work)
                self._remember(seen, self.sweep)
        return shots

    def _is_kept(self, place: int) -> bool:
        """Whether the decoded frame is kept, which is at that place of the first shot, or after it."""
        settings = self.settings
        return (settings.loop and place <= LAP + 1) or (settings.passes > 1 and self.sweep == 1)

    def _later_pass(self, sweep: int, number: int, shot: list[int], work: Work) -> None:
        """Go through a shot again, backward in even passes, from the pictures of the pass before."""
        before: tuple[int, int] | None = None
        order = self.settings.sweeps.ordered(sweep, shot)
        contents = ((index, self._contents.content(index), index == order[0]) for index in order)
        masks = (self._contents.masks(index) for index in order)
        again = seen_of(contents, masks, self.settings, self.shots_before + number - 1)
        with closing(ahead(again)) as frames:
            for seen in frames:
                self._model.enter(seen.frame)
                if (sweep, seen.frame.index) not in self.finished:
                    self._one(seen, sweep, before, work)
                before = (sweep, seen.frame.index)
                self._remember(seen, sweep)

    def _lap(self, shots: list[list[int]], work: Work) -> bool:
        """Go on past the end of the last pass into its beginning; False if the clip is no loop."""
        if len(shots) > 1:
            return self._ends(work)
        past, passed = tuple(self._last), max(self.sweep, self.settings.passes)
        sweep = self.settings.sweeps.lap_after(passed)
        last, lap = lap_of(self.settings, passed, shots[0])
        before = (passed, last)
        if lap and not is_finishing(sweep):
            first, second = map(self._contents.content, lap[:2])
            quality = self.settings.flow_quality
            if reason := leads_on(past[-1].frame.content, first, second, quality=quality):
                self.display.warn(reason)
                return self._ends(work)
        contents = chain(
            ((seen.frame.index, seen.frame.content, seen is past[0]) for seen in past),
            ((index, self._contents.content(index), False) for index in lap),
        )
        masks = chain((seen.masks for seen in past), (self._contents.masks(index) for index in lap))
        with closing(ahead(seen_of(contents, masks, self.settings, self.shots_before))) as frames:
            for place, seen in enumerate(frames, start=-len(past)):
                self._model.enter(seen.frame)
                if place < 0:
                    self._remember(seen, passed)
                    continue
                share = share_of_own(place, len(lap) - 1)
                if (sweep, seen.frame.index) in self.finished:
                    if share == 0.0:
                        self._model.pass_over(seen.frame, None)
                    self.made(FrameMade(self.finished[sweep, seen.frame.index], begins=False, found=True))
                elif place < len(lap) - 1:
                    self._one(seen, sweep, before, work, share)
                else:
                    self._meet(seen, sweep, before)
                before = (sweep, seen.frame.index)
                self._remember(seen, sweep)
        return True

    def _ends(self, work: Work) -> bool:
        """The clip is no loop after all, and costs less: False."""
        work.grow(-self._costs.of_lap(self.settings, len(self.clip.indices)))
        return False

    def _remember(self, seen: Seen, sweep: int) -> None:
        """A frame is finished: the next ones come from it."""
        if seen.frame.begins:
            self._last.clear()
        self._last.append(replace(seen, frame=replace(seen.frame, links=())))
        self._model.remember(seen.frame, partial(read_frame, self.store.frame_path(seen.frame.index, sweep)))

    def _one(
        self, seen: Seen, sweep: int, before: tuple[int, int] | None, work: Work, share: float | None = None
    ) -> None:
        """Stylize and commit a frame; `before` is the pass and number of the one it follows in its shot."""
        from video.images import from_uint8, to_uint8, write_image

        done, frame, index = work.done, seen.frame, seen.frame.index
        shot = self.name and f"{self.name}  "
        label = f"{self.settings.sweeps.label(sweep)}{shot}{self.clip.label(index)}  "
        look = self._look(seen)
        past_look = None if before is None else self.timeline.at(before[1], seen.shot)
        own = None if share == 0.0 else self._own(index, sweep)
        change = 0.0 if past_look is None else look_change(look, past_look)
        start = self._model.start(frame, own, change, share)
        if start.afresh:
            work.grow(self._costs.alone - self._costs.later)
        snapshots = self._snapshots(index, sweep)
        if before is not None and snapshots is None and self._model.stays(frame, start):
            result = as_before(start, self.finished[before])
        else:
            result = optimise(
                self.stylizer, frame.content, self.settings, work, label, snapshots, f"frame {index}", look,
                **vars(start), laid_over=False, finishing=is_finishing(sweep),
            )  # fmt: skip
        error = None
        if before is not None and sweep in self.settings.sweeps.shown:
            error = self._error(seen, from_uint8(to_uint8(result.picture)), before)  # as it will be saved
        path = self.store.frame_path(index, sweep)
        write_image(path, result.picture, overwrite=True)
        made = Frame(
            index, path.name, file_hash(path), result.losses, result.evaluations, result.seconds, sweep,
            previous=self._hash(before if self.settings.steady else None),
            own=self._hash(self.settings.sweeps.found(index, sweep, self.finished)), error=error,
        )  # fmt: skip
        self.finished[sweep, index] = made
        self.made(FrameMade(made, frame.begins, text=f"{label}{result_line(result)}"))
        alone = frame.begins if is_finishing(sweep) else start.initial is None or start.afresh
        work.move_to(done + self._costs.of_frame(sweep, alone=alone))

    def _meet(self, seen: Seen, sweep: int, before: tuple[int, int]) -> None:
        """The frame where the laps meet is the first lap's; its error to the one before it is new."""
        from video.images import write_whole

        index = seen.frame.index
        there, path = self.store.frame_path(index, sweep - 1), self.store.frame_path(index, sweep)
        write_whole(path, there.read_bytes())
        made = replace(
            self.finished[sweep - 1, index], file=path.name, evaluations=0, seconds=0.0, sweep=sweep,
            previous=self._hash(before), own=self._hash((sweep - 1, index)),
            error=self._error(seen, read_frame(there), before),
        )  # fmt: skip
        self.finished[sweep, index] = made
        self.made(FrameMade(made, begins=False))

    def _look(self, seen: Seen) -> Look:
        """The look of a frame."""
        at = self.timeline.at(seen.frame.index, seen.shot)
        return look_of(self.settings, len(self.stylizer.styles), seen.masks, at)

    def _error(self, seen: Seen, picture: FloatImage, before: tuple[int, int]) -> float | None:
        """The warping error between a frame, saved as `picture`, and the one before it, as both are shown."""
        shown = self._look(seen).over(seen.frame.content, picture)
        past = self.timeline.at(before[1], seen.shot)
        backward = self.settings.sweeps.backward(before[0])
        return self._model.error(seen.frame, shown, past.over, backward=backward)

    def _own(self, index: int, sweep: int) -> Picture | None:
        """Reads what the pass before, if it was one at this size, has made of a frame."""
        earlier = self.settings.sweeps.before(sweep)
        there = earlier and sweep != FINISHING
        return partial(read_frame, self.store.frame_path(index, earlier)) if there else None

    def _small(self, index: int) -> Picture:
        """Reads what was made of a frame before it is finished."""
        sweep, _ = self.settings.sweeps.found(index, FINISHING, self.finished)
        return partial(read_frame, self.store.frame_path(index, sweep))

    def _hash(self, frame: tuple[int, int] | None) -> str:
        """The hash of a finished frame that another one comes from, empty when there is none."""
        return "" if frame is None or frame[0] == 0 else self.finished[frame].sha256

    def _snapshots(self, index: int, sweep: int) -> Path | None:
        """Where the snapshots of a frame go, if they are wanted of it."""
        wanted = index == self.movie_frame and sweep in (1, FINISHING)
        return self.store.snapshots / "frame" if wanted else None
