"""The part `clips` of temporal.py: real clips in every mode, against each other and against frames alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from scripts import tables
from scripts.bench.temporal_shared import (
    OFF_BAR,
    Asked,
    Stylized,
    loss_of,
    meter_of,
    saved,
    spread,
    stylize_modes,
    write_sheet,
    write_strips,
)
from scripts.media import clip_frames
from stylize.types import FloatImage

if TYPE_CHECKING:
    from stylize.stylizer import Stylizer

PREVIOUS_BAR, FLOOR_BAR, LOSS_BAR = 0.4, 1.5, 1.01
ALONE_ITERATIONS, ALONE_BAR, EVALUATIONS_BAR = 300, 1.03, 20.0


def clips(asked: Asked) -> bool:
    """The table of the modes on real clips."""
    print()
    tables.head(
        "clip",
        "painting",
        "mode",
        "warping error e-4",
        "of off",
        "of previous",
        "of the clip's own",
        "content + style, of off",
        "of frames alone",
        "evaluations a frame",
        texts=3,
    )
    good = True
    for clip in asked.clips:
        contents = clip_frames(asked.media.video(clip.name), clip.part, asked.size)[: asked.frames]
        for painting in clip.paintings:
            stylizer = asked.stylizer(painting)
            made = stylize_modes(asked, stylizer, contents, asked.modes)
            shares = _shares_of_alone(asked, stylizer, contents, made)
            good &= _rows(clip.name, painting, contents, made, shares)
            strips = {mode: one.pictures for mode, one in made.items()}
            write_strips(asked, f"{clip.name}-{painting}", contents, strips)
            stills = [made[asked.modes[-1]].pictures[number] for number in spread(contents, 10)]
            write_sheet(asked, f"stills {clip.name}-{painting}", [stills[:5], stills[5:]])
    return good


def _shares_of_alone(
    asked: Asked, stylizer: Stylizer, contents: Sequence[FloatImage], made: Mapping[str, Stylized]
) -> dict[str, float]:
    """Content and style of some frames of each mode, as saved, over those of the same frames made alone."""
    if not asked.alone:
        return {}
    numbers = spread(contents, asked.alone)
    least = sum_of(stylizer, contents, made_alone(stylizer, contents, numbers))
    return {
        mode: sum_of(stylizer, contents, {number: one.pictures[number] for number in numbers}) / least
        for mode, one in made.items()
    }


def made_alone(
    stylizer: Stylizer, contents: Sequence[FloatImage], numbers: Sequence[int]
) -> dict[int, FloatImage]:
    """Some frames, each made by itself with `ALONE_ITERATIONS`, as saved."""
    patient = copy(stylizer)
    patient.config = replace(stylizer.config, tolerance=0.0)
    return {
        number: saved(patient.stylize(contents[number], iterations=ALONE_ITERATIONS).picture)
        for number in numbers
    }


def sum_of(stylizer: Stylizer, contents: Sequence[FloatImage], pictures: Mapping[int, FloatImage]) -> float:
    """Content and style of some frames, by number, together."""
    return sum(loss_of(stylizer, picture, contents[number]) for number, picture in pictures.items())


def _rows(
    name: str,
    painting: str,
    contents: Sequence[FloatImage],
    made: Mapping[str, Stylized],
    shares: Mapping[str, float],
) -> bool:
    errors = {mode: meter_of(contents, one.pictures)[0] for mode, one in made.items()}
    _, floor, moved = meter_of(contents, contents)
    losses = {mode: one.loss for mode, one in made.items()}

    def share(values: Mapping[str, float], mode: str, of: str, digits: int) -> str:
        return f"{values[mode] / values[of]:.{digits}f}" if of in values else ""

    for mode, one in made.items():
        tables.row(
            name,
            painting,
            mode,
            f"{errors[mode] * 1e4:.2f}",
            share(errors, mode, "off", 3),
            share(errors, mode, "previous", 2),
            f"{errors[mode] / floor:.2f}",
            share(losses, mode, "off", 3),
            f"{shares[mode]:.3f}" if shares else "",
            f"{one.evaluations:.1f}",
        )
    tables.row(
        name, "", "the clip itself", f"{floor * 1e4:.2f}", "", "", "1", "", "", f"motion {moved:.2f} px"
    )
    if "flow" not in made:
        return True
    wanted = [
        errors["flow"] <= FLOOR_BAR * floor,
        made["flow"].evaluations <= EVALUATIONS_BAR,
        errors["flow"] <= OFF_BAR * errors.get("off", np.inf),
        errors["flow"] <= PREVIOUS_BAR * errors.get("previous", np.inf),
        losses["flow"] <= LOSS_BAR * losses.get("off", np.inf),
        shares.get("flow", 0.0) <= ALONE_BAR,
    ]
    return all(wanted)
