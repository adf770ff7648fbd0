"""One picture brought to a larger size than it was optimised at: enlarged, then optimised there briefly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.progress.display import Work
from pipeline.settings.common_settings import JobSettings
from pipeline.styling.looks import Masks, look_of, masks_of_picture
from pipeline.styling.one_picture import optimise
from pipeline.styling.pictures import read_picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stylize.result import Result
    from stylize.stylizer import Stylizer
    from stylize.types import FloatImage


@dataclass(frozen=True)
class Large:
    """A picture's original at the size it is finished at, and its masks there."""

    content: FloatImage
    masks: Masks

    @property
    def longer(self) -> int:
        """Its longer side."""
        return max(self.content.shape[:2])


def large_of(
    photo: Path, masks: Sequence[Path], content: FloatImage, settings: JobSettings, *, strict: bool
) -> Large | None:
    """What a picture is finished from; None where it is not.

    A photo with fewer pixels than `--finish` is refused if that is `strict`; else it is finished at its own
    size, if that is larger than `content`.

    Raises
    ------
    UsageError
        For a photo that is refused.
    """
    if not settings.finish:
        return None
    large = read_picture(photo, settings.finish, 1)
    longer = max(large.shape[:2])
    if strict and longer < settings.finish:
        raise too_small(photo, large.shape[1], large.shape[0], settings.finish)
    if longer <= max(content.shape[:2]):
        return None
    return Large(large, masks_of_picture(masks, large, photo))


def too_small(path: Path, width: int, height: int, finish: int) -> UsageError:
    """What is wrong where an original has fewer pixels than its result shall have."""
    return UsageError(
        f"--finish {finish}: {path} is {width}x{height}, and what is not there cannot be taken from it; "
        f"give at most {max(width, height)}"
    )


def finished(
    small: FloatImage, large: Large, stylizer: Stylizer, settings: JobSettings, work: Work, label: str,
    snapshots: Path | None, title: str, *, checkpoint: Path | None = None,
) -> Result:  # fmt: skip
    """Bring `small`, which is not laid over its content yet, to the large size; `stylizer` is that size's."""
    from video.enlarge import enlarge

    return optimise(
        stylizer, large.content, settings, work, f"finishing  {label}", snapshots, title,
        look_of(settings, len(stylizer.styles), large.masks), initial=enlarge(small, large.content),
        iterations=settings.finish_iterations, checkpoint=checkpoint, finishing=True,
    )  # fmt: skip


def together(result: Result, evaluations: int, seconds: float) -> Result:
    """A finished result with what it took before."""
    return replace(result, evaluations=result.evaluations + evaluations, seconds=result.seconds + seconds)
