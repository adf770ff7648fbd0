"""Records a clip's finished frames: run folder, report, watchers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clip.frames import FrameMade
from pipeline.progress.display import Display
from pipeline.progress.events import Ended
from pipeline.progress.report import Report
from pipeline.run_folder.folder import RunFolder

if TYPE_CHECKING:
    from pipeline.clip.source import Clip
    from pipeline.clip.timeline import Timeline
    from stylize.look import Look


class ClipBook:
    """Takes in finished frames in the process that runs the job.

    Parameters
    ----------
    run
        The job's run folder.
    sweeps
        The numbers of the passes over the clip; what the last one has made is told.
    """

    def __init__(self, run: RunFolder, sweeps: Sequence[int], report: Report, display: Display) -> None:
        self.frames = run.finished()
        self._run, self._sweeps, self._report, self._display = run, sweeps, report, display
        self._starts: set[int] = set()
        self._taken: set[tuple[int, int]] = set()

    def say_what_is_there(self, clip: Clip) -> None:
        """Tell of what an earlier run has finished, and of what is damaged."""
        if self.frames:
            count = len(clip.indices) * len(self._sweeps)
            self._display.note(
                f"continuing: {len(self.frames)} of {count} frames are finished already (in {self._run.path})"
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
            self._report.add(frame)
            self._display.detail(made.text)
        elif frame.sweep == 1:
            self._report.skipped += 1
        if frame.sweep == self._sweeps[-1]:
            ended = Ended(
                f"frame {frame.index}", self._run.frames / frame.file, frame.losses, frame.evaluations,
                frame.seconds, frame.error, made.begins, made.found, frame.index,
            )  # fmt: skip
            self._display.watchers.tell(ended)

    def has_all(self, indices: Iterable[int]) -> bool:
        """Whether all passes over these frames are finished."""
        return all((sweep, index) in self.frames for index in indices for sweep in self._sweeps)

    @property
    def shots(self) -> int:
        """How many shots have begun."""
        return len(self._starts)

    def warping_error(self) -> float | None:
        """The mean over the frames that have one."""
        errors = [
            frame.error
            for (sweep, _), frame in self.frames.items()
            if sweep == self._sweeps[-1] and frame.error is not None
        ]
        return sum(errors) / len(errors) if errors else None

    def pictures(self, timeline: Timeline) -> list[tuple[Path, Look]]:
        """The files and looks of all frames in order; they are not laid over their content yet."""
        found, shot = [], 0
        for sweep, index in sorted(self.frames):
            if sweep == self._sweeps[-1]:
                shot += index in self._starts
                found.append((self._run.frame_path(index, sweep), timeline.at(index, shot)))
        return found
