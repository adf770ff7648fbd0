"""An album's photos as units of work."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.album.ledger import PhotoMade
from pipeline.album.units import StyledPhoto
from pipeline.progress.display import Display, Work
from pipeline.settings.input_files import as_sent, relocated, to_send, worker_inputs
from pipeline.settings.job import Job, StyleSource
from pipeline.settings.job_settings import mask_paths
from pipeline.styling.factory import build_stylizer, finish_cost, finishing_stylizer, unit_cost
from pipeline.styling.finishing import finished, large_of, together
from pipeline.styling.looks import look_of, masks_of_picture, warn_of_empty
from pipeline.styling.one_picture import optimise, result_line
from pipeline.styling.pictures import exif_for, note_pages, read_picture
from pipeline.workers.messages import Kept
from pipeline.workers.protocol import Places, Tell
from video.names import shown

if TYPE_CHECKING:
    from stylize.stylizer import Stylizer
    from stylize.types import FloatImage
    from stylize.weights import Weights


@dataclass(frozen=True)
class PhotoTask:
    """A photo to be stylized.

    Attributes
    ----------
    unit
        Photo, style, and the file that the result goes to.
    masks
        Its masks.
    number, count
        Which of how many photos it is.
    wants_snapshots
        Whether its optimisation leaves some.
    kept
        How many folders of snapshots stay that earlier runs have left.
    """

    unit: StyledPhoto
    masks: tuple[Path, ...]
    number: int
    count: int
    wants_snapshots: bool = False
    kept: int = 0

    @property
    def files(self) -> tuple[Path, ...]:
        """The photo and its masks; the styles every worker has."""
        return (self.unit.photo, *self.masks)

    @property
    def label(self) -> str:
        """Where in the job it is, for people."""
        return f"photo {self.number}/{self.count} {shown(self.unit.photo.name)}  "

    @property
    def snapshots(self) -> str:
        """The name of the folder for its snapshots."""
        return f"{self.kept + self.number:05d}"

    def absolute(self) -> PhotoTask:
        """The same for a worker in any folder."""
        style = replace(self.unit.style, path=self.unit.style.path.absolute())
        unit = replace(self.unit, photo=self.unit.photo.absolute(), style=style)
        return replace(self, unit=unit, masks=tuple(mask.absolute() for mask in self.masks))


@dataclass(frozen=True)
class AlbumSetup:
    """What a worker on an album is made from.

    Attributes
    ----------
    styles
        All that photos are done in.
    example
        One of the photos.
    palette
        The colours of all photos together, if the style pictures get them.
    neighbours
        How many workers share the machine's memory.
    """

    job: Job
    styles: tuple[StyleSource, ...]
    example: Path
    weights: Weights
    palette: FloatImage | None
    neighbours: int
    offline: bool

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The styles, and what else is wanted for every photo."""
        single = (self.job.content, *mask_paths(self.job.settings))
        common = worker_inputs(replace(self.job, styles=self.styles))
        return tuple(dict.fromkeys(path for path in common if path not in single))

    @property
    def probe_files(self) -> tuple[Path, ...]:
        """The inputs and a photo."""
        return (*self.inputs, self.example)

    def absolute(self) -> AlbumSetup:
        """The same for a worker in any folder."""
        styles = tuple(replace(style, path=style.path.absolute()) for style in self.styles)
        job = relocated(self.job, Path.absolute)
        example, weights = self.example.absolute(), to_send(self.weights)
        return replace(self, job=job, styles=styles, example=example, weights=weights)

    def begin(self, places: Places, display: Display) -> PhotoWorker:
        """The worker; its network is made for the first photo."""
        return PhotoWorker(replace(self, weights=as_sent(self.weights)), places, display)


def price_of(job: Job) -> float:
    """What a photo costs, in full-size iterations."""
    settings = job.settings
    return unit_cost(job.stylize, (settings.size, settings.size)) + finish_cost(settings)


class PhotoWorker:
    """Stylizes photos; keeps what is compiled, and the targets of the last style.

    Parameters
    ----------
    work
        Shows how far all photos are; None: each photo is shown by itself.
    snapshots
        Where the folders of snapshots go; None: they are sent.
    """

    def __init__(
        self, setup: AlbumSetup, places: Places, display: Display, work: Work | None = None,
        snapshots: Path | None = None,
    ) -> None:  # fmt: skip
        self._setup, self._display, self._work, self._snapshots = setup, display, work, snapshots
        self._job = relocated(setup.job, places)
        self._stylizer: Stylizer | None = None
        self._large: tuple[Stylizer, Stylizer] | None = None
        self._style: StyleSource | None = None

    def do(self, task: PhotoTask, places: Places, tell: Tell) -> None:
        """Stylize a photo; its file is told, and its snapshots where they are wanted."""
        from video.images import encode_image

        unit, settings = task.unit, self._job.settings
        photo = places(unit.photo)
        content = read_picture(photo, settings.size, self._job.stylize.minimum_side)
        note_pages(photo, self._display)
        stylizer = self._stylizer_for(replace(unit.style, path=places(unit.style.path)), content)
        masks = masks_of_picture([places(mask) for mask in task.masks], content, photo)
        look = look_of(settings, 1, masks)
        warn_of_empty(settings, look, task.masks, masks, photo, self._display)
        large = large_of(photo, [places(mask) for mask in task.masks], content, settings, strict=False)
        with ExitStack() as stack:
            work = self._work or stack.enter_context(self._display.work(price_of(self._job)))
            folder = None
            if task.wants_snapshots:
                base = self._snapshots or Path(
                    stack.enter_context(tempfile.TemporaryDirectory(prefix="photo-"))
                )
                folder = base / task.snapshots
            told = work, task.label, folder, unit.photo.name
            result = optimise(stylizer, content, settings, *told, look, laid_over=large is None)
            if large is not None:
                finisher = self._finisher(
                    replace(unit.style, path=places(unit.style.path)), content, stylizer
                )
                done = finished(result.picture, large, finisher, settings, *told)
                result = together(done, result.evaluations, result.seconds)
            data = encode_image(unit.output, result.picture, exif=exif_for(photo, settings))
            if folder is not None and self._snapshots is None:
                tell(Kept.of(folder))
        text = f"{task.label}{result_line(result)}"
        tell(PhotoMade(data, result.losses, result.evaluations, result.seconds, text))

    def _finisher(self, style: StyleSource, content: FloatImage, small: Stylizer) -> Stylizer:
        """The stylizer of a style at the finished size; the last one where it goes with `small`."""
        setup = self._setup
        if self._large is None or self._large[0] is not small:
            self._large = small, finishing_stylizer(
                self._job, (style,), self._job.settings.finish, setup.weights, self._display,
                content if setup.palette is None else setup.palette, small,
            )  # fmt: skip
        return self._large[1]

    def _stylizer_for(self, style: StyleSource, content: FloatImage) -> Stylizer:
        """The stylizer of a style; the last one where it will do."""
        setup = self._setup
        own_palette = self._job.settings.preserve_color == "histogram" and setup.palette is None
        if self._stylizer is None or style != self._style or own_palette:
            self._stylizer = build_stylizer(
                self._job, (style,), self._job.settings.size, setup.weights, self._display,
                palette=content if setup.palette is None else setup.palette,
                like=self._stylizer, offline=setup.offline, neighbours=setup.neighbours,
            )  # fmt: skip
            self._style = style
        return self._stylizer
