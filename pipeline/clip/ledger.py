"""Records a clip's finished frames: run folder, report, watchers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clip.frames import FrameMade
from pipeline.clip.lap import finishes, lap_of, rounds
from pipeline.progress.display import Display
from pipeline.progress.events import Ended
from pipeline.progress.report import Report
from pipeline.run_folder.folder import RunFolder

if TYPE_CHECKING:
    from pipeline.clip.source import Clip
    from pipeline.clip.timeline import Timeline
    from pipeline.run_folder.folder import Frame
    from pipeline.settings.job_settings import VideoSettings
    from stylize.look import Look


class ClipBook:
    """Takes in finished frames in the process that runs the job.

    Parameters
    ----------
    run
        The job's run folder.
    settings
        How often the clip is gone through, and whether it is a loop; what the last pass has made is told, and
        what is made of it where a loop goes on.
    """

    def __init__(self, run: RunFolder, settings: VideoSettings, report: Report, display: Display) -> None:
        self.frames = run.finished(settings.sweeps)
        self._run, self._settings, self._report, self._display = run, settings, report, display
        self._starts: set[int] = set()
        self._taken: set[tuple[int, int]] = set()
        self._worked: set[int] = set()

    def say_what_is_there(self, clip: Clip) -> None:
        """Tell of what an earlier run has finished, and of what is damaged."""
        if self.frames:
            settings, frames = self._settings, len(clip.indices)
            count = max(len(self.frames), rounds(settings, frames) + finishes(settings, frames))
            passes = ", each pass counted" if count > frames else ""
            self._display.note(
                f"continuing: {len(self.frames)} of {count} frames are finished already{passes} "
                f"(in {self._run.path})"
            )
        if self._run.damaged:
            self._display.warn(
                f"{self._run.damaged} finished frames are damaged, or came from damaged ones: made again"
            )

    def take(self, made: FrameMade) -> None:
        """A frame is finished, or was found so when its turn came, perhaps by one worker after another."""
        frame = made.frame
        if (frame.sweep, frame.index) in self._taken:
            return
        self._taken.add((frame.sweep, frame.index))
        if made.begins and frame.sweep == 1:
            self._starts.add(frame.index)
        if not made.found:
            if made.data is not None:
                from video.images import write_whole

                write_whole(self._run.frame_path(frame.index, frame.sweep), made.data)
            self._run.commit(frame)
            self.frames[frame.sweep, frame.index] = frame
            self._worked.add(frame.index)
            self._report.evaluations += frame.evaluations
            self._display.detail(made.text)
        if frame.sweep in self._settings.sweeps.shown:
            ended = Ended(
                f"frame {frame.index}", self._run.frames / frame.file, frame.losses, frame.evaluations,
                frame.seconds, frame.error, made.begins, made.found, frame.index,
            )  # fmt: skip
            self._display.watchers.tell(ended)

    def find(self, shot: range) -> None:
        """Take in a shot that an earlier run has finished."""
        for (_, index), frame in sorted(self.frames.items()):
            if index in shot:
                self.take(FrameMade(frame, index == shot.start, found=True))

    def has_all(self, indices: range, *, closes: bool) -> bool:
        """Whether all passes over the frames of a shot are finished, and the lap where it `closes` a loop."""
        settings = self._settings
        sweeps = {*range(1, settings.passes + 1), settings.sweeps.last}
        wanted = {(sweep, index) for index in indices for sweep in sweeps}
        for lap in settings.sweeps.laps if closes else ():
            wanted |= {(lap, index) for index in lap_of(settings, lap - 1, indices)[1]}
        return wanted <= self.frames.keys()

    def sum_up(self) -> None:
        """Count in the report what was worked on and what was there, and the losses of all frames."""
        final, report = self._final(), self._report
        report.done = len(self._worked & final.keys())
        report.skipped = len(final) - report.done
        values: dict[str, list[float]] = {}
        for frame in final.values():
            for name, value in frame.losses.items():
                values.setdefault(name, []).append(value)
        report.losses = {name: sum(each) / len(each) for name, each in values.items()}

    @property
    def shots(self) -> int:
        """How many shots have begun."""
        return len(self._starts)

    def _final(self) -> dict[int, Frame]:
        """The last that was made of each frame, in order."""
        made = {
            index: one
            for (sweep, index), one in sorted(self.frames.items())
            if sweep >= self._settings.passes
        }
        return dict(sorted(made.items()))

    def _closing(self) -> int | None:
        """The frame whose error is that between the clip's last frame and its first; None without a lap."""
        sweeps = self._settings.sweeps
        last = sweeps.lap_after(sweeps.last)
        lap = [index for sweep, index in self.frames if sweep == last]
        return None if not lap else (max(lap) if sweeps.backward(last) else min(lap))

    def warping_error(self) -> float | None:
        """The mean over the pairs of frames that have one; that where a loop closes does not count."""
        closing = self._closing()
        errors = [
            frame.error
            for index, frame in self._final().items()
            if index != closing and frame.error is not None
        ]
        return sum(errors) / len(errors) if errors else None

    def loop_error(self) -> float | None:
        """The warping error between the last frame of a loop and its first."""
        closing = self._closing()
        return None if closing is None else self._final()[closing].error

    def pictures(self, timeline: Timeline) -> list[tuple[Path, Look]]:
        """The files and looks of all frames in order; they are not laid over their content yet."""
        found, shot = [], 0
        for index, frame in self._final().items():
            shot += index in self._starts
            found.append((self._run.frame_path(index, frame.sweep), timeline.at(index, shot)))
        return found
