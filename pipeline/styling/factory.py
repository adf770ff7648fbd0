"""From a job to a ready Stylizer: weights chosen, style pictures read."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.background import Beside
from pipeline.errors import UsageError
from pipeline.machine import device, has_idle_card, load_tensorflow
from pipeline.progress.display import Display
from pipeline.settings.common_settings import JobSettings
from pipeline.settings.job import Job, StyleSource
from pipeline.settings.job_settings import VideoSettings, mask_paths
from pipeline.styling.pictures import pictures_of, read_style
from pipeline.styling.precision import settled
from stylize.config import StylizeConfig, parse_start

if TYPE_CHECKING:
    from stylize.stylizer import Stylizer
    from stylize.types import FloatImage
    from stylize.weights import Weights


AIMING = 4.0
"""What it costs to begin at the finished size, in iterations there: what is aimed at, found once."""


def on_network(job: Job, display: Display) -> tuple[Job, Weights]:
    """The job with its precision settled, and the weights it runs on.

    Says so when their file holds another network than the job names, and when a graphics card is left idle.
    """
    from stylize.weights import choose_weights

    settings = job.settings
    judged = settings.engine == "hub"  # the network only measures the losses then
    reading = Beside(
        partial(
            choose_weights,
            "vgg19-slim" if judged else settings.backbone,
            file=Path(settings.weights) if settings.weights else None,
            sha256=settings.weights_sha256 or None,
        )
    )
    if settings.weights or settings.weights_sha256:
        reading.result()  # what is wrong with somebody's file is said at once
    load_tensorflow()
    weights, note = reading.result()
    if note:
        display.warn(note)
    if has_idle_card():
        display.warn(
            "there is an NVIDIA card, but TensorFlow cannot use it, and the processor does the work: "
            "pip install 'deep-fusion[gpu]', and see docs/troubleshooting.md"
        )
    display.detail(f"runs on {device()}")
    return settled(job, weights), weights


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
    beside: int = 0,
) -> Stylizer:
    """A job's Stylizer, with style pictures whose longer side has at most `longer` pixels.

    Where the settings ask for it the style pictures are given the colours of `palette`. What is compiled is
    shared with `like`, a stylizer of the same job with other style pictures, where it can be; the machine's
    memory with as many `neighbours`, itself among them, each of which takes so many bytes `beside`.
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
    from pipeline.machine import budget
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
        memory=budget(settings.memory, neighbours, beside),
        mixed=settings.precision == "mixed",
        on_warning=display.warn,
    )


def _quick_start(handle: str, styles: list[FloatImage], offline: bool) -> Callable[[FloatImage], FloatImage]:
    """What a hub model makes of a content with these styles, of which it takes but one."""
    from stylize.hub import HubModel

    if len(styles) > 1:
        raise UsageError(f"--hub-model takes one style, not {len(styles)}; give one --style")
    model = HubModel(handle, offline=offline)
    return lambda content: model.stylize(content, styles[0])


def named_start(stylizer: Stylizer, content: FloatImage) -> FloatImage | None:
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


def finish_price(settings: JobSettings) -> float:
    """What an iteration at the finished size costs, in full-size iterations."""
    return (settings.finish / settings.size) ** 2


def finish_cost(settings: JobSettings, times: int = 1) -> float:
    """What it costs to finish a picture with so many `times` the iterations, in full-size iterations.

    It is 0 where none is finished.
    """
    return (settings.finish_iterations * times + AIMING) * finish_price(settings)


def finishing_stylizer(
    job: Job, styles: tuple[StyleSource, ...], longer: int, weights: Weights, display: Display,
    palette: FloatImage | None, like: Stylizer,
) -> Stylizer:  # fmt: skip
    """The stylizer of pictures at the finished size, whose longer side has so many pixels.

    Strokes keep their part of the picture: the style pictures grow with it, as far as files have detail.
    """
    return build_stylizer(job, styles, longer, weights, display, palette=palette, like=like)


def levels_of(config: StylizeConfig, shape: tuple[int, ...]) -> int:
    """How many levels of the pyramid a content of this shape has."""
    from stylize.pyramid import shapes_of

    return 1 if parse_start(config.init).is_ready else len(shapes_of(config, shape[0], shape[1]))
