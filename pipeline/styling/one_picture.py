"""Optimises one picture of any job: with progress, snapshots, checkpoint, kept colours and masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.progress.display import Work
from pipeline.progress.events import Begun, Iterated
from pipeline.progress.wording import counted
from pipeline.settings.common_settings import JobSettings
from pipeline.styling.factory import finish_price, named_start, unit_cost
from pipeline.styling.looks import is_bare, preserved

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.montage.recorder import SnapshotRecorder
    from stylize.anchor import Anchor
    from stylize.checkpoint import Checkpoint
    from stylize.look import Look
    from stylize.optimize import Progress
    from stylize.result import Result
    from stylize.stylizer import Stylizer
    from stylize.types import FloatImage


def follow(work: Work, label: str, price: float = 1.0) -> Callable[[Progress], None]:
    """A callback that moves the bar by every iteration, of this price, and tells where the job stands."""

    def report(progress: Any) -> None:
        text = f"{label}iteration {progress.iteration}/{progress.iterations}  loss {progress.loss:.4g}"
        work.advance(price * 4.0**-progress.level if progress.iteration else 0.0, text)

    return report


def optimise(
    stylizer: Stylizer,
    content: FloatImage,
    settings: JobSettings,
    work: Work,
    label: str,
    snapshots: Path | None,
    title: str,
    look: Look,
    *,
    initial: FloatImage | None = None,
    anchor: Anchor | None = None,
    iterations: int | None = None,
    tolerance: float | None = None,
    checkpoint: Path | None = None,
    changing: NDArray[np.float32] | None = None,
    turn: int = 0,
    afresh: bool = False,
    laid_over: bool = True,
    finishing: bool = False,
) -> Result:
    """Stylize one picture, shown in `work`, with snapshots in a folder if one is given.

    It starts from `initial` and stays close to `anchor`, for at most `iterations` or until it has settled to
    `tolerance`; without these as the configuration says. It differs from `initial` only where it is
    `changing`, if that is given; `turn` is a frame's among those that follow one another, which is made
    `afresh` where most of it is new. The result is laid over the content as the look says, unless that is
    left to the caller. `finishing` is done at the larger size, and goes on with the snapshots that there are.
    Where the colours are to be kept, the work is done in grey. A signal that comes meanwhile stops it after
    the iteration, with its state in the file `checkpoint`, from which it goes on.
    """
    from pipeline.progress.signals import check, patiently

    worked_on = _Originals(content, look, grey=settings.preserve_color == "luminance")
    if look.strength == 0.0 or is_bare(look):  # the content is the result: one evaluation finds that
        look, initial, anchor, changing, afresh = replace(look, strength=0.0), content, None, None, False
    if settings.engine == "hub":
        check()
        result = stylizer.quick_result(worked_on.content)
        work.advance(unit_cost(stylizer.config, content.shape), label)
        return replace(result, picture=worked_on.finish(result.picture, laid_over))
    resumed = checkpoint is not None and checkpoint.exists()
    if work.outlook is not None and not resumed:
        work.outlook.sees(stylizer, content.shape)
    work.watchers.tell(Begun(title, content))
    recorder = None
    if snapshots is not None:
        recorder = _recorder(snapshots, title, content, styles_of(stylizer, look), resumed, finishing)
    show = follow(work, label, finish_price(settings) if finishing else 1.0)

    def report(progress: Progress) -> None:
        check()
        show(progress)
        finished = partial(_finished, worked_on, progress)
        work.watchers.tell(Iterated(progress, finished))
        if recorder is not None:
            recorder(replace(progress, picture=finished))

    start = named_start(stylizer, worked_on.content) if initial is None else initial
    with patiently():
        result = stylizer.stylize(
            worked_on.content,
            initial=None if start is None else worked_on.like(start),
            anchor=None if anchor is None else replace(anchor, picture=worked_on.like(anchor.picture)),
            look=look,
            iterations=iterations,
            tolerance=tolerance,
            callback=report,
            checkpoint=None if checkpoint is None else _keeper(checkpoint, work),
            changing=changing,
            turn=turn,
            afresh=afresh,
        )
    if recorder is not None:
        recorder.finish(worked_on.finish(result.picture), result.losses)
    return replace(result, picture=worked_on.finish(result.picture, laid_over))


def _recorder(
    folder: Path, title: str, content: FloatImage, styles: list[FloatImage], resumed: bool, finishing: bool
) -> SnapshotRecorder:
    from pipeline.montage.recorder import SnapshotRecorder

    return SnapshotRecorder(
        folder, title=title, content=content, styles=styles, resume=resumed, finishing=finishing
    )


class _Originals:
    """What is worked on in place of a content, in grey where colours are kept, and the way back to colours.

    Parameters
    ----------
    content
        Shape (H, W, 3).
    look
        Its masks say what stays as it was, its strength how the result is laid over the content.
    grey
        Take the style in brightness alone.
    """

    def __init__(self, content: FloatImage, look: Look, *, grey: bool) -> None:
        self._original, self._look, self._grey = content, look, grey
        self._kept = preserved(look)
        self.content = self.like(content)

    def like(self, picture: FloatImage) -> FloatImage:
        """A picture as the work needs it."""
        from stylize.colors import grey

        return grey(picture) if self._grey else picture

    def finish(self, picture: FloatImage, over: bool = True) -> FloatImage:
        """A picture of any level in its colours, with what is preserved; laid over the content, or not."""
        from stylize.colors import with_colors_of
        from video.images import resize_image

        size = picture.shape[1], picture.shape[0]
        below = resize_image(self._original, size)
        if self._grey:
            picture = with_colors_of(below, picture)
        if self._kept is not None:
            share = resize_image(self._kept[..., None].repeat(3, axis=2), size)
            picture = picture + share * (below - picture)
        return self._look.over(below, picture) if over else picture


def _finished(worked_on: _Originals, progress: Progress) -> FloatImage:
    return worked_on.finish(progress.picture())


def _keeper(path: Path, work: Work) -> Checkpoint:
    """The checkpoint in a file; a drive that does not take it costs what is kept, not the picture."""
    from stylize.checkpoint import Checkpoint
    from video.drives import sync

    def tell(error: OSError) -> None:
        work.warn(
            f"{path}: cannot be written: {error.strerror}; if the job is stopped this picture begins again"
        )

    return Checkpoint(path, on_failure=tell, sync=sync)


def styles_of(stylizer: Stylizer, look: Look) -> list[FloatImage]:
    """The style pictures, as they are used, that have a share in a look."""
    shares = look.blend or (1.0,) * len(stylizer.styles)
    return [style for style, share in zip(stylizer.styles, shares, strict=True) if share > 0.0]


def result_line(result: Any) -> str:
    """What `-v` says of a finished picture."""
    losses = "  ".join(f"{name} {value:.4g}" for name, value in result.losses.items())
    evaluations = counted(result.evaluations, "evaluation")
    return f"{losses}  {evaluations}  {result.seconds:.1f} s  ({result.reason})"
