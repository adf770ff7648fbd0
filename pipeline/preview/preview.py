"""What to expect of a job: a few of its pictures, small, with settings corrected to look like large ones.

A preview takes the coarse levels of the full-size job that are smaller than it, which are the pictures that
job passes through. At a part r of the size, block b of the network sees what block b + log2(1/r) sees at full
size; so where a painting is described as a whole, the last level reads layers log2(1/r) blocks shallower,
with the weights of style and smoothing times r. Where places are matched (nearest) that makes it less alike.
Measured by scripts/bench/preview.py.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError, UsageError
from pipeline.montage.contact_sheet import Cell, small, write_contact_sheet
from pipeline.preview.samples import Sample, samples_of
from pipeline.progress.display import Display, Work
from pipeline.progress.report import Report
from pipeline.settings.job import Job
from pipeline.settings.run_options import RunOptions
from pipeline.steps.checks import check_inputs
from pipeline.steps.rehearsal import rehearse
from pipeline.styling.factory import build_stylizer, on_network
from pipeline.styling.one_picture import optimise
from pipeline.styling.pictures import note_styles
from pipeline.styling.precision import suits_full_network
from stylize.config import StylizeConfig, parse_start
from stylize.knobs import knobs_of
from stylize.layers import CONVOLUTIONS_PER_BLOCK, block_of
from video.names import beside

if TYPE_CHECKING:
    from stylize.look import Look
    from stylize.stylizer import Stylizer
    from stylize.types import FloatImage
    from stylize.weights import Weights


COARSE_ITERATIONS, LAST_ITERATIONS = 60, 50

_HEEDED = ("preview", "restart", "overwrite", "offline")
"""The options of a run that a preview goes by, or that mean nothing to it."""

_MOST_BLOCKS = 2.0
"""Layers move by no more than this: what is left is too little to tell a style."""


def run_preview(job: Job, options: RunOptions, display: Display) -> Report:
    """Make the contact sheet `OUT.preview.png` of originals and what becomes of them, and nothing else.

    Raises
    ------
    UsageError, InputError, ConfigError, WeightsError
        Before any work, for anything that is wrong with the job.
    """
    from video.outputs import check_target

    began = time.perf_counter()
    count = 1 if job.command == "image" else options.preview or 1
    _check_options(options)
    check_inputs(job)
    note_styles(job.styles, display)
    sheet = beside(job.output, ".preview.png")
    check_target(sheet, (".png",), overwrite=True)
    rehearse([sheet], None, display)
    job, weights = _affordable(job, display)
    report = Report("preview", str(sheet)).ran_on(weights)
    engine = _Engine(job, weights, display, options.offline)
    cells = []
    with display.work(float((COARSE_ITERATIONS * 1.25 + LAST_ITERATIONS) * count)) as work:
        for number, one in enumerate(samples_of(job, count, report, display), start=1):
            picture = engine.made(one, work, f"{' '.join(one.caption.split())}  ", report)
            cells.append(Cell((small(one.content, 256), small(picture, 256)), one.caption))
            work.move_to(work.total * number / count)
    if not cells:
        raise PipelineError(f"{job.content}: there is nothing that a preview could be made of")
    write_contact_sheet(cells, sheet, overwrite=True)
    report.frames = report.done
    return report.ended(time.perf_counter() - began, display.warnings)


def _check_options(options: RunOptions) -> None:
    """UsageError for what a preview does not make."""
    for name, (field, _) in knobs_of(options).items():
        if name not in _HEEDED and getattr(options, name) != field.default:
            flag = "--" + name.replace("_", "-")
            raise UsageError(f"{flag}: --preview makes nothing but its sheet; leave one of them out")


def corrected(config: StylizeConfig, ratio: float) -> StylizeConfig:
    """The settings with which a picture of `ratio` times the full size looks like it.

    Layers move only where their terms are relative: absolute ones have another scale at every layer.
    Matches are as they are at full size when they are looked for in the same layers.
    """
    if ratio >= 1.0 or config.normalization != "relative" or config.style_statistic == "nearest":
        return config
    blocks = min(_MOST_BLOCKS, math.log2(1.0 / ratio))
    content = shifted_layers(config.content_layers, config.content_layer_weights, blocks)
    style = shifted_layers(config.style_layers, config.style_layer_weights, blocks)
    return replace(
        config, style_weight=config.style_weight * ratio, tv_weight=config.tv_weight * ratio,
        flat_weight=config.flat_weight * ratio,
        content_layers=content[0], content_layer_weights=content[1],
        style_layers=style[0], style_layer_weights=style[1],
    )  # fmt: skip


def shifted_layers(
    layers: Sequence[str], weights: Sequence[float], blocks: float
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The layers `blocks` blocks before `layers`, and their shares of sum 1.

    A layer that falls between two blocks is split between them in proportion; one that falls before the
    first block belongs to it as long as no more than one block is missing. If all fall before it, the first
    block's is left.
    """
    shares: dict[str, float] = {}
    for layer, weight in zip(layers, weights or [1.0] * len(layers), strict=True):
        position = block_of(layer) - blocks
        if position <= 0.0:
            continue
        lower, between = divmod(max(1.0, position), 1.0)
        for block, share in ((int(lower), 1.0 - between), (int(lower) + 1, between)):
            if share > 0.0:
                index = min(int(layer[-1]), CONVOLUTIONS_PER_BLOCK[block - 1])
                name = f"block{block}_conv{index}"
                shares[name] = shares.get(name, 0.0) + share * weight
    total = sum(shares.values())
    if not total > 0.0:
        return (("block1_conv1",), (1.0,)) if layers else ((), ())
    names = tuple(sorted(shares))
    return names, tuple(shares[name] / total for name in names)


class _Engine:
    """Makes previews; what is compiled is shared between pictures and styles."""

    def __init__(self, job: Job, weights: Weights, display: Display, offline: bool) -> None:
        self._job = job
        self._weights = weights
        self._display = display
        self._offline = offline
        self._known: dict[str, tuple[object, Stylizer]] = {}

    def made(self, one: Sample, work: Work, label: str, report: Report) -> FloatImage:
        """The stylized picture at the content's size."""
        from stylize.pyramid import shapes_of
        from video.images import resize_image

        config, settings = self._job.stylize, self._job.settings
        height, width = one.content.shape[:2]
        ratio = max(height, width) / one.longer
        whole = (round(height / ratio), round(width / ratio))
        coarse = [shape for shape in shapes_of(config, *whole) if max(shape) < max(height, width)]
        if parse_start(config.init).is_ready or settings.engine == "hub":
            coarse = []
        begun = None
        if coarse:
            tall, wide = coarse[-1]
            first = replace(config, iterations=min(config.iterations, COARSE_ITERATIONS), levels=len(coarse))
            stylizer = self._stylizer("coarse", one, first, (tall, wide))
            scaled = resize_image(one.content, (wide, tall))
            look = _resized(one.look, tall, wide)
            result = optimise(stylizer, scaled, settings, work, label, None, "", look, laid_over=False)
            report.evaluations += result.evaluations
            begun = resize_image(result.picture, (width, height))
        last = corrected(config, ratio)
        last = replace(last, iterations=min(config.iterations, LAST_ITERATIONS), levels=1)
        stylizer = self._stylizer(str(last), one, last, (height, width))
        result = optimise(stylizer, one.content, settings, work, label, None, "", one.look, initial=begun)
        report.add(result)
        return result.picture

    def _stylizer(self, kind: str, one: Sample, config: StylizeConfig, shape: tuple[int, int]) -> Stylizer:
        """The one in use if it has these styles at this size."""
        state = (one.styles, max(shape), None if one.palette is None else id(one.palette))
        known = self._known.get(kind)
        if known is not None and known[0] == state:
            return known[1]
        made = build_stylizer(
            replace(self._job, stylize=config), one.styles, max(shape), self._weights, self._display,
            palette=one.palette, offline=self._offline, like=None if known is None else known[1],
        )  # fmt: skip
        self._known[kind] = state, made
        return made


def _resized(look: Look, height: int, width: int) -> Look:
    import numpy as np

    from video.images import resize_image

    def plane(mask: FloatImage) -> FloatImage:
        return resize_image(np.dstack([mask] * 3), (width, height))[..., 0]

    return replace(look, masks=tuple(None if mask is None else plane(mask) for mask in look.masks))


def _affordable(job: Job, display: Display) -> tuple[Job, Weights]:
    """The job by the quicker minimiser; on the slim network where the full one would be no quick look.

    That is where neither a graphics card nor bfloat16 is to be had.
    """
    settings = replace(job.settings, memory=0.0)
    if not settings.weights and not suits_full_network():
        settings = replace(settings, backbone="vgg19-slim", precision="float32")
    job = replace(job, settings=settings, stylize=replace(job.stylize, optimizer="lbfgs"))
    return on_network(job, display)
