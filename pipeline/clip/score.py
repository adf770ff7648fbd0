"""`deepfusion score`: how steady a stylized clip is, whoever made it, and what it kept and took on."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.clip.scores import FrameScore, Score
from pipeline.errors import PipelineError, UsageError
from pipeline.machine import load_tensorflow
from pipeline.progress.display import Display
from pipeline.run_folder.files import write_durably
from pipeline.settings.job_settings import cut_file
from pipeline.steps.checks import check_exists
from pipeline.styling.pictures import read_picture
from stylize.config import StylizeConfig

if TYPE_CHECKING:
    from stylize.stylizer import Stylizer
    from stylize.types import FloatImage
    from video.decode import FrameRange
    from video.metrics import Consistency
    from video.probe import ClipInfo
    from video.sequence import FrameFolder


ASPECT_TOLERANCE = 0.02
"""Relative difference of the sides' ratios up to which two clips are the same picture at two sizes."""


def score_clips(
    content: Path, output: Path, display: Display, *, style: Path | None = None, frames: str = "",
    cuts: str = "auto", quality: str = "medium", loop: bool = False, csv_path: Path | None = None,
    overwrite: bool = False,
) -> Score:  # fmt: skip
    """Measure `output` as a stylization of `content`: two clips or folders of numbered frames.

    The content is decoded at the output's size.

    Parameters
    ----------
    frames
        The part of the content that the output shows, "0:48".
    cuts
        As the video command's: across a cut nothing is compared.
    loop
        Also measure how the last frame leads into the first.
    csv_path
        Where to write a line a frame.
    overwrite
        Whether a file there may be replaced.

    Raises
    ------
    InputError, UsageError
        If one is no clip, their shapes or numbers of frames differ, the cut file is wrong, or the table
        cannot be written there.
    """
    from video.decode import FrameRange
    from video.metrics import ConsistencyMeter
    from video.scenes import read_cuts, with_shot_starts

    if csv_path is not None:
        _check_table(csv_path, [content, output, style, cut_file(cuts)], overwrite)
    for given in (content, output, *([style] if style else [])):
        check_exists(given)
    source, made = _open(content), _open(output)
    wanted = FrameRange.parse(frames or ":")
    _check_alike(content, source, output, made, wanted)
    known: str | frozenset[int] = cuts
    if (file := cut_file(cuts)) is not None:
        known = read_cuts(file, wanted.indices(source.frames))
    size = (made.width, made.height)
    judge = _judge(style, max(size))
    if min(size) < judge.config.minimum_side:
        raise UsageError(f"{output}: {size[0]}x{size[1]} pixels is too small to be judged by the network")
    score = Score(str(content), str(output))
    meter = ConsistencyMeter(quality)
    pairs = _pairs(content, source, output, made, size, wanted, display)
    both: dict[int, FloatImage] = {}
    first: tuple[FloatImage, FloatImage] | None = None

    def contents() -> Iterator[tuple[int, FloatImage]]:
        for number, (frame, picture) in enumerate(pairs, start=wanted.start):
            both[number] = picture
            yield number, frame

    with closing(pairs), display.work(float(len(wanted.indices(source.frames)) or 1)) as work:
        for number, frame, begins in with_shot_starts(contents(), known):
            if begins:
                meter.begin_shot()
                score.shots.append(number)
            picture = both.pop(number)
            first = first or (frame, picture)
            row = meter.feed(frame, picture)
            losses = judge.losses(picture, frame)
            score.rows.append(_row(number, row, losses))
            work.advance(1.0, f"frame {number}")
    if loop and first is not None and (closing_row := meter.feed(*first)) is not None:
        score.loop_error, score.content_loop_error = closing_row.error, closing_row.floor
    if csv_path is not None:
        _write_table(score, csv_path)
    return score


def _write_table(score: Score, path: Path) -> None:
    try:
        write_durably(path, score.to_csv())
    except OSError as error:
        raise PipelineError(f"{path}: cannot be written: {error.strerror}") from None
    score.csv = str(path)


def _check_table(path: Path, inputs: Sequence[Path | None], overwrite: bool) -> None:
    """The table can be written, and neither takes the place of what is measured nor lies within it."""
    from video.outputs import check_target

    target = check_target(path, (".csv",), overwrite=overwrite)
    for given in inputs:
        if given is not None and target in (given.resolve(), given.resolve() / target.name):
            raise UsageError(f"{path}: is an input, or lies in one; give the table another place")


def _row(number: int, row: Consistency | None, losses: dict[str, float]) -> FrameScore:
    style = losses.get("style")
    if row is None:
        return FrameScore(number, None, None, None, None, losses["content"], style)
    return FrameScore(number, row.error, row.floor, row.visible, row.motion, losses["content"], style)


def _open(path: Path) -> ClipInfo | FrameFolder:
    from video.probe import probe
    from video.sequence import open_folder

    return open_folder(path, allow_gaps=True) if path.is_dir() else probe(path)


def _check_alike(
    content: Path,
    source: ClipInfo | FrameFolder,
    output: Path,
    made: ClipInfo | FrameFolder,
    wanted: FrameRange,
) -> None:
    """The two show the same: shapes, and numbers of frames where both are known."""
    ratio = (source.width * made.height) / (source.height * made.width)
    if abs(ratio - 1.0) > ASPECT_TOLERANCE:
        raise UsageError(
            f"{output} is {made.width}x{made.height} and {content} {source.width}x{source.height}: "
            f"not the same picture at two sizes, so nothing can be compared"
        )
    there = len(wanted.indices(source.frames))
    if source.frames and made.frames and there != made.frames:
        if made.frames > source.frames - wanted.start:
            raise UsageError(
                f"{output} has {made.frames} frames, more than there are in {content} from frame "
                f"{wanted.start} of {source.frames} on; they do not show the same"
            )
        part = f"--frames {wanted.start}:{wanted.start + made.frames}"
        raise UsageError(
            f"{output} has {made.frames} frames and {content} {there}"
            f"{' in ' + str(wanted) if str(wanted) != '0:' else ''}; "
            f"name the part that it shows, for example {part}"
        )


def _judge(style: Path | None, longer: int) -> Stylizer:
    """What gives content and style loss: relative errors, each of weight 1, on the package's own network.

    Of Gram matrices, whatever the clip was made by: the measure that every tool can be held to.
    """
    config = StylizeConfig(
        style_statistic="gram", content_weight=1.0, style_weight=0.0 if style is None else 1.0,
        tv_weight=0.0, flat_weight=0.0,
    )  # fmt: skip
    picture: Any = None
    if style is not None:
        picture = read_picture(style, longer, config.minimum_side, style=True)
    load_tensorflow()
    import numpy as np

    from stylize.stylizer import Stylizer
    from stylize.weights import load_weights

    if picture is None:
        picture = np.zeros((config.minimum_side, config.minimum_side, 3), np.float32)
    return Stylizer(config, [picture], load_weights("vgg19-slim"))


def _pairs(
    content: Path, source: ClipInfo | FrameFolder, output: Path, made: ClipInfo | FrameFolder,
    size: tuple[int, int], wanted: FrameRange, display: Display,
) -> Generator[tuple[FloatImage, FloatImage], None, None]:  # fmt: skip
    """Frames of both side by side; UsageError when one ends before the other."""
    from video.decode import read_frames

    contents = read_frames(source, size=size, frames=wanted, on_warning=display.warn)
    outputs = read_frames(made, size=size, on_warning=display.warn)
    try:
        for count, frame in enumerate(contents):
            picture = next(outputs, None)
            if picture is None:
                raise UsageError(f"{output} ends after {count} frames, {content} goes on")
            yield frame, picture
        if next(outputs, None) is not None:
            raise UsageError(f"{content} ends before {output} does; give the --frames that the output shows")
    finally:
        contents.close()
        outputs.close()
