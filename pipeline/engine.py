"""From a job to a ready Stylizer: TensorFlow loaded quietly, weights chosen, style pictures read."""

from __future__ import annotations

import math
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pipeline.config import Job, StyleSource
from pipeline.errors import UsageError
from pipeline.log import Display
from pipeline.masks import mask_paths
from pipeline.movie_options import MovieOptions
from pipeline.settings import VideoSettings
from stylize.config import StylizeConfig, parse_start

if TYPE_CHECKING:
    from pipeline.workers.staff import WorkerOptions
    from stylize.stylizer import Stylizer
    from stylize.types import FloatImage
    from stylize.weights import Weights


def _scratch_file() -> IO[bytes]:
    """A file for what is to be held back; where no folder for such files can be written, nothing is kept."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return open(os.devnull, "w+b")


@contextmanager
def held_stderr(*, told: bool = True) -> Iterator[None]:
    """Hold back what native code writes to stderr; let it out if the block fails and it is to be `told`."""
    sys.stderr.flush()
    with _scratch_file() as held:
        saved = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            os.dup2(saved, 2)
            with suppress(OSError):  # nobody may be there to read it
                held.seek(0)
                os.write(2, held.read() if told else b"")
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def load_tensorflow() -> None:
    """Import TensorFlow without its start-up chatter; to be called before anything that imports it."""
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with held_stderr():
        import tensorflow

        tensorflow.get_logger().setLevel("ERROR")
        for card in tensorflow.config.list_physical_devices("GPU"):
            tensorflow.config.experimental.set_memory_growth(card, True)  # the desktop wants some of it too
        tensorflow.constant(0.0) + 1.0  # the first operation has a line of its own to say


def has_card() -> bool:
    """Whether TensorFlow has a graphics card to work on."""
    load_tensorflow()
    import tensorflow

    return bool(tensorflow.config.list_physical_devices("GPU"))


def choose_weights(job: Job, display: Display) -> Weights:
    """The weights a job runs on; says so when its file holds another network than it names."""
    from stylize.weights import choose_weights

    settings = job.settings
    judged = settings.engine == "hub"  # the network only measures the losses then
    weights, note = choose_weights(
        "vgg19-slim" if judged else settings.backbone,
        file=Path(settings.weights) if settings.weights else None,
        sha256=settings.weights_sha256 or None,
    )
    if note:
        display.warn(note)
    return weights


def read_picture(path: Path, longer: int, minimum_side: int, *, style: bool = False) -> FloatImage:
    """A picture file, upright, its longer side at most `longer` pixels.

    A long and narrow style picture may be larger, so that its shorter side is not under `minimum_side`.

    Raises
    ------
    InputError
        If it cannot be read.
    UsageError
        If it is too small for the layers in use.
    """
    from video.images import read_image

    picture = read_image(path)
    return _at(picture, _fitted_size(path, picture, longer, minimum_side, style=style))


def _fitted_size(
    path: Path, picture: FloatImage, longer: int, minimum_side: int, *, style: bool
) -> tuple[int, int]:
    """Width and height that a picture is used at; a UsageError if it is too small, as in `read_picture`."""
    from video.decode import fit_size

    height, width = picture.shape[:2]
    if style and min(width, height) >= minimum_side:
        longer = max(longer, math.ceil(minimum_side * max(width, height) / min(width, height)))
    fitted = fit_size(width, height, longer)
    if min(fitted) < minimum_side:
        cure = "give a larger --size" if min(width, height) >= minimum_side else "use a larger picture"
        width, height = fitted if min(width, height) >= minimum_side else (width, height)
        raise UsageError(
            f"{path}: {width}x{height} pixels is too small for the network, which needs {minimum_side} "
            f"on the shorter side; {cure}"
        )
    return fitted


def _at(picture: FloatImage, size: tuple[int, int]) -> FloatImage:
    """A picture at a size; itself if it has it."""
    from video.images import resize_image

    return picture if size == (picture.shape[1], picture.shape[0]) else resize_image(picture, size)


def note_pages(path: Path, display: Display) -> None:
    """Say that only one picture of a file is used, and which, if it holds several."""
    from video.picture_formats import count_pages

    pages, used = count_pages(path)
    if pages > 1:
        which = "the first" if used == 1 else f"number {used}, the main one,"
        display.warn(f"{path}: holds {pages} pictures, pages or frames; {which} is used")


def build_stylizer(
    job: Job,
    styles: tuple[StyleSource, ...],
    longer: int,
    weights: Weights,
    display: Display,
    *,
    palette: FloatImage | None = None,
    offline: bool = False,
    like: Stylizer | None = None,
    neighbours: int = 1,
) -> Stylizer:
    """A job's Stylizer, with style pictures whose longer side has at most `longer` pixels.

    Where the settings ask for it the style pictures are given the colours of `palette`. What is compiled is
    shared with `like`, a stylizer of the same job with other style pictures, where it can be; the machine's
    memory with as many `neighbours`, itself among them.
    """
    from stylize.colors import grey, transferred

    config, settings = job.stylize, job.settings
    sources = [one for style in styles for one in pictures_of(style, display.warn)]
    pictures = [
        read_style(style.path, longer, settings.style_scale, config.minimum_side, settings.style_crop)
        for style in sources
    ]
    if settings.preserve_color == "luminance":
        pictures = [grey(picture) for picture in pictures]
    elif settings.preserve_color == "histogram" and palette is not None:
        pictures = [transferred(picture, picture, palette) for picture in pictures]
    load_tensorflow()
    from pipeline.memory import budget
    from stylize.stylizer import Stylizer

    blend = [style.weight for style in sources]
    quick = None
    if settings.engine == "hub" or parse_start(config.init).kind == "hub":
        quick = _quick_start(settings.hub_model, pictures, offline)
    if like is not None and quick is None and not config.rescale_activations:
        return like.restyled(pictures, blend)
    return Stylizer(
        config,
        pictures,
        weights,
        style_blend=blend,
        temporal_weight=settings.anchor_weight if isinstance(settings, VideoSettings) else 0.0,
        guided=bool(mask_paths(settings)),
        quick=quick,
        memory=budget(settings.memory, neighbours),
        mixed=settings.precision == "mixed",
        on_warning=display.warn,
    )


def pictures_of(style: StyleSource, on_warning: Callable[[str], None] | None = None) -> list[StyleSource]:
    """A style picture, or the pictures of a folder, which share its weight."""
    from video.images import list_pictures

    if not style.path.is_dir():
        return [style]
    pictures = list_pictures(style.path, on_warning)
    return [StyleSource(path, style.weight / len(pictures)) for path in pictures]


def read_style(path: Path, longer: int, scale: float, minimum_side: int, crop: float = 0.0) -> FloatImage:
    """A style picture `scale` times as large as it would be, but never too small for the network.

    The share `crop` is left out at every edge. It is enlarged only where its file has no more pixels: what
    is larger than the content keeps its detail.
    """
    from video.images import read_image

    picture = read_image(path)
    width, height = _fitted_size(path, picture, longer, minimum_side, style=True)
    down, across = (round(crop * side) for side in picture.shape[:2])
    picture = picture[down : picture.shape[0] - down, across : picture.shape[1] - across]
    scale = max(scale, minimum_side / min(height, width))
    return _at(picture, (round(width * scale), round(height * scale)))


def _quick_start(handle: str, styles: list[FloatImage], offline: bool) -> Callable[[FloatImage], FloatImage]:
    """What a hub model makes of a content with these styles, of which it takes but one."""
    from stylize.hub import HubModel

    if len(styles) > 1:
        raise UsageError(f"--hub-model takes one style, not {len(styles)}; give one --style")
    model = HubModel(handle, offline=offline)
    return lambda content: model.stylize(content, styles[0])


def start_picture(stylizer: Stylizer, content: FloatImage) -> FloatImage | None:
    """The picture that `init` names or has made, of the content's shape; None for the other starts."""
    from video.images import read_image, resize_image

    start = parse_start(stylizer.config.init)
    if start.kind == "hub":
        return stylizer.quick_picture(content)
    if start.kind != "picture":
        return None
    return resize_image(read_image(Path(start.path)), (content.shape[1], content.shape[0]))


def unit_cost(config: StylizeConfig, shape: tuple[int, ...]) -> float:
    """What a picture from its own start costs, in full-size iterations: a level down costs a quarter."""
    return sum(float(config.iterations * 4.0**-level) for level in range(levels_of(config, shape)))


def levels_of(config: StylizeConfig, shape: tuple[int, ...]) -> int:
    """How many levels of the pyramid a content of this shape has."""
    from stylize.pyramid import shapes_of

    return 1 if parse_start(config.init).is_ready else len(shapes_of(config, shape[0], shape[1]))


@dataclass(frozen=True)
class RunOptions:
    """What was asked of a run besides its settings; `command_line` is how, for its report."""

    progress_movie: Path | None = None
    movie: MovieOptions = field(default_factory=MovieOptions)
    contact_sheet: Path | None = None
    preview: int | None = None
    tensorboard: Path | None = None
    report: Path | None = None
    command_line: str = ""
    save_settings: Path | None = None
    keep_run: bool = False
    restart: bool = False
    overwrite: bool = False
    dry_run: bool = False
    offline: bool = False
    live: int | None = None
    workers: WorkerOptions | None = None

    @property
    def wants_snapshots(self) -> bool:
        """Whether the optimisation has to leave pictures behind."""
        return self.progress_movie is not None or self.keep_run
