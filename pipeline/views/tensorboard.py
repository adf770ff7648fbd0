"""Losses and pictures for TensorBoard, in the event files it reads; TensorBoard itself is not needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError, UsageError
from pipeline.machine import load_tensorflow
from pipeline.progress.events import Begun, Ended, Watcher
from video.names import is_text, safe_name, shown

if TYPE_CHECKING:
    from pipeline.progress.report import Report
    from pipeline.settings.job import Job
    from stylize.optimize import Progress
    from stylize.types import FloatImage


_SPACING = 1.15
"""Frames of a clip are shown at numbers that grow by this factor: TensorBoard shows ten of them anyway."""


class TensorBoardWatcher(Watcher):
    """Writes the losses of every iteration, pictures on the way, and of every frame what it came to.

    A clip and a picture are one run. Every photo of an album is a run of its own, in a sub-folder, so that
    their curves lie over one another.

    Parameters
    ----------
    folder
        Made if it is not there.

    Raises
    ------
    UsageError
        If it cannot be made or is a file.
    """

    def __init__(self, folder: Path) -> None:
        if not is_text(folder):
            raise UsageError(f"--tensorboard {folder}: TensorFlow writes under names that are UTF-8 only")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"--tensorboard {folder}: the folder cannot be made: {error.strerror}; choose another"
            ) from None
        self._folder = folder
        self._writer: Any = None
        self._apart = False
        self._step = self._frames = self._photos = 0
        self._next_frame = 0.0

    def job_begins(self, job: Job, backbone: str) -> None:
        """Every job begins a run."""
        del backbone
        self._apart = job.command == "album"
        if not self._apart:
            self._begin_run(self._folder)

    def picture_begins(self, begun: Begun) -> None:
        """The original, once a run."""
        if self._apart:
            self._photos += 1
            # TensorFlow takes names that are UTF-8 only, and the number makes this one longer.
            self._begin_run(self._folder / safe_name(f"{self._photos:05d} {shown(begun.name)}"))
        if self._step == 0:
            self._image("content", begun.content, 0)

    def iterated(self, progress: Progress, picture: Callable[[], FloatImage]) -> None:
        """All terms; the picture at iterations 0, 1, 2, 4, 8, ... of the first frame, or of each photo."""
        for name, value in {"total": progress.loss, **progress.terms}.items():
            self._scalar(f"loss/{name}", value, self._step)
        number = progress.iteration
        if self._frames == 0 and number & (number - 1) == 0:
            self._image("picture", picture(), self._step)
        self._step += 1

    def picture_ends(self, ended: Ended) -> None:
        """What a frame or photo came to, by its number in the clip."""
        from video.images import read_image

        if ended.found and self._apart:
            return
        values = {f"loss/{name}": value for name, value in ended.losses.items()}
        values |= {"evaluations": ended.evaluations, "seconds": ended.seconds}
        if ended.error is not None:
            values["warping error"] = ended.error
        step = self._frames if self._apart else ended.index
        for name, value in values.items():
            self._scalar(f"result/{name}", value, step)
        if self._apart or self._frames >= self._next_frame:
            self._image("result", read_image(ended.file), step)
            self._next_frame = self._frames * _SPACING + 1
        if not self._apart:
            self._frames += 1
        self._writer.flush()

    def job_ends(self, report: Report | None) -> None:
        """What is still in memory goes to the files."""
        del report
        self._close()

    def _begin_run(self, folder: Path) -> None:
        load_tensorflow()  # with workers nobody else does so here
        import tensorflow as tf

        self._close()
        self._step = self._frames = 0
        self._next_frame = 0.0
        try:
            self._writer = tf.summary.create_file_writer(str(folder))
        except tf.errors.OpError as error:
            raise PipelineError(f"--tensorboard {folder}: cannot be written: {error.message}") from None

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _scalar(self, tag: str, value: float, step: int) -> None:
        import tensorflow as tf

        self._write(tag, "scalars", tf.constant(value, tf.float32), step)

    def _image(self, tag: str, picture: FloatImage, step: int) -> None:
        import tensorflow as tf

        from video.images import to_uint8

        height, width = picture.shape[:2]
        png = tf.io.encode_png(to_uint8(picture))
        self._write(tag, "images", tf.stack([str(width), str(height), png]), step)

    def _write(self, tag: str, plugin: str, value: Any, step: int) -> None:
        """What `tf.summary.scalar` and `image` write; these need TensorBoard installed."""
        import tensorflow as tf

        metadata = tf.compat.v1.SummaryMetadata(
            plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name=plugin)
        )
        with self._writer.as_default():
            tf.summary.write(tag, value, step=step, metadata=metadata)
