"""One picture of any job through the optimisation: shown, stoppable, its colours and masks minded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.engine import start_picture, unit_cost
from pipeline.log import Work
from pipeline.masks import preserved
from pipeline.settings import JobSettings
from pipeline.watch import Begun, Iterated

if TYPE_CHECKING:
    from stylize.anchor import Anchor
    from stylize.checkpoint import Checkpoint
    from stylize.look import Look
    from stylize.optimize import Progress
    from stylize.result import Result
    from stylize.stylizer import Stylizer
    from stylize.types import FloatImage


def follow(work: Work, label: str) -> Callable[[Progress], None]:
    """A callback that moves the bar by every iteration and tells where the job stands."""

    def report(progress: Any) -> None:
        text = f"{label}iteration {progress.iteration}/{progress.iterations}  loss {progress.loss:.4g}"
        work.advance(4.0**-progress.level if progress.iteration else 0.0, text)

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
    checkpoint: Path | None = None,
    laid_over: bool = True,
) -> Result:
    """Stylize one picture, shown in `work`, with snapshots in a folder if one is given.

    It starts from `initial` and stays close to `anchor`, for at most `iterations`; without these as the
    configuration says. The result is laid over the content as the look says, unless that is left to the
    caller. Where the colours are to be kept, the work is
    done in grey. A signal that comes meanwhile stops it after the iteration, with its state in the file
    `checkpoint`, from which it goes on.
    """
    from pipeline.interrupt import check, patiently
    from pipeline.recorder import SnapshotRecorder
    from stylize.colors import grey, with_colors_of
    from video.images import resize_image

    keeps = settings.preserve_color == "luminance"
    show = follow(work, label)
    resumed = checkpoint is not None and checkpoint.exists()

    kept = preserved(look)
    if look.strength == 0.0:
        initial, anchor = content, None

    def finish(picture: FloatImage, over: bool = True) -> FloatImage:
        below = resize_image(content, (picture.shape[1], picture.shape[0]))
        if keeps:
            picture = with_colors_of(below, picture)
        if kept is not None:
            share = resize_image(kept[..., None].repeat(3, axis=2), (below.shape[1], below.shape[0]))
            picture = picture + share * (below - picture)
        return look.over(below, picture) if over else picture

    if settings.engine == "hub":
        check()
        result = stylizer.quick_result(grey(content) if keeps else content)
        work.advance(unit_cost(stylizer.config, content.shape), label)
        return replace(result, picture=finish(result.picture, laid_over))

    if work.outlook is not None and not resumed:
        work.outlook.sees(stylizer, content.shape)
    work.watchers.tell(Begun(title, content))
    recorder = None
    if snapshots is not None:
        styles = styles_of(stylizer, look)
        recorder = SnapshotRecorder(snapshots, title=title, content=content, styles=styles, resume=resumed)

    def report(progress: Progress) -> None:
        check()
        show(progress)
        work.watchers.tell(Iterated(progress, lambda: finish(progress.picture())))
        if recorder is not None:
            recorder(replace(progress, picture=lambda: finish(progress.picture())))

    start = start_picture(stylizer, grey(content) if keeps else content) if initial is None else initial
    if keeps:
        start = None if start is None else grey(start)
        anchor = None if anchor is None else replace(anchor, picture=grey(anchor.picture))
    with patiently():
        result = stylizer.stylize(
            grey(content) if keeps else content,
            initial=start, anchor=anchor, look=look,
            iterations=iterations, callback=report,
            checkpoint=None if checkpoint is None else _keeper(checkpoint, work),
        )  # fmt: skip
    if recorder is not None:
        recorder.finish(finish(result.picture), result.losses)
    return replace(result, picture=finish(result.picture, laid_over))


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
    return f"{losses}  {result.evaluations} evaluations  {result.seconds:.1f} s  ({result.reason})"
