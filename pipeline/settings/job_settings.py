"""Every setting of a job besides those of the optimisation: type, default, bounds and help, once."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.settings.keyframes import TABLES, parse_change, table_of, text_of
from stylize.config import StylizeConfig
from stylize.errors import ConfigError
from stylize.knobs import check_knobs, knob, knobs_of

if TYPE_CHECKING:
    pass


LONGEST_TERM = 32
"""Frames that are kept in memory for the flow, at the most."""


@dataclass(frozen=True)
class JobSettings:
    """Settings that every job has."""

    size: int = knob(
        512, "Longer side of the result in pixels; a smaller original is not enlarged.", minimum=16
    )
    backbone: str = knob(
        "vgg19",
        "Network, both in the package: the full vgg19; or vgg19-slim, rougher, in about a tenth of the time "
        "(a fifth where bfloat16 is computed).",
        choices=("vgg19", "vgg19-slim"),
    )  # fmt: skip
    engine: str = knob(
        "optimize",
        "optimize = by optimisation; hub = in one pass by --hub-model: rougher, in a second.",
        choices=("optimize", "hub"),
    )
    hub_model: str = knob(
        "https://tfhub.dev/google/magenta/arbitrary-image-stylization-v1-256/2",
        "Model for --engine hub and --init hub: an address for tensorflow-hub, or a SavedModel's folder.",
        metavar="ADDRESS|FOLDER",
    )
    strength: float = knob(
        1.0,
        "How strongly the style is applied, evenly from 0, the original, to 1.",
        minimum=0.0,
        maximum=1.0,
    )
    style_scale: float = knob(
        1.0,
        "Size of the strokes: the style pictures are enlarged or reduced by this factor.",
        minimum=0.05,
        maximum=20.0,
    )
    style_crop: float = knob(
        0.015,
        "Share of a style picture's width and height to leave out at every edge: photographs of paintings "
        "show their frame or bare canvas there, which comes back as a strip along the result's border.",
        minimum=0.0,
        maximum=0.4,
    )
    mask: tuple[str, ...] = knob(
        (),
        "Where a style goes: white = there. A picture, for a clip also a folder of frames or a clip, for an "
        "album also a folder of pictures of the photos' names. Again for the next --style; a style without "
        "one goes where the others do not, and where none goes it stays as it was.",
        metavar="PATH",
        multiple=True,
    )
    mask_preserve: str = knob("", "What stays as it was: white = there. Like --mask.", metavar="PATH")
    preserve_color: str = knob(
        "none",
        "luminance = keep the original's colours and take the style in brightness alone; histogram = give "
        "the style pictures the original's palette first (a clip's first frame's).",
        choices=("none", "luminance", "histogram"),
    )
    precision: str = knob(
        "auto",
        "mixed = convolutions in bfloat16, the rest in float32: faster where the hardware computes it, as "
        "good but for the last percent of long runs; auto = mixed there for the full vgg19, else float32.",
        choices=("auto", "float32", "mixed"),
    )
    memory: float = knob(
        0.0,
        "GiB that the job may take; a larger picture is evaluated in windows, exactly but slower. 0 = half "
        "of what the machine has.",
        minimum=0.0,
        maximum=1e6,
    )
    threads: int = knob(
        0,
        "Threads of the optimisation, in each worker; 0 = one a core, or the worker's share of them. "
        "Another number rounds otherwise.",
        minimum=0,
        maximum=1024,
    )
    weights: str = knob(
        "", "A weights file of your own, used in place of --backbone: .h5, .mat or .npz.", metavar="PATH"
    )
    weights_sha256: str = knob("", "The SHA-256 that the weights file must have.", metavar="HEX")

    def __post_init__(self) -> None:
        check_knobs(self)


def cut_file(cuts: str) -> Path | None:
    """The file that a choice of cuts names, if it is not one of the words."""
    return None if cuts in ("auto", "none") else Path(os.path.expanduser(cuts))


@dataclass(frozen=True)
class ImageSettings(JobSettings):
    """Settings of a single picture."""

    metadata: str = knob(
        "keep",
        "keep = the result has the photo's EXIF: date, camera, place; strip = it has none.",
        choices=("keep", "strip"),
    )


@dataclass(frozen=True)
class VideoSettings(JobSettings):
    """Settings of a clip."""

    frame_iterations: int = knob(
        40,
        "Iterations at most for a frame that shows what the one before it shows; for what is new up to "
        "--iterations, in proportion.",
        minimum=1,
    )
    temporal: str = knob(
        "flow",
        "Start of every frame but a shot's first: flow = the stylized frame before it, moved along with what "
        "it shows, and held to it; previous = the stylized frame before it as it is; off = like a picture.",
        choices=("flow", "previous", "off"),
    )
    temporal_weight: float = knob(
        1000.0, "How firmly a frame is held to the moved one before it (with --temporal flow).", minimum=0.0
    )
    long_term: tuple[int, ...] = knob(
        (1,), "How many frames back to look for what is hidden in nearer ones, rising.", metavar="1,2,4"
    )
    flow_quality: str = knob("medium", "Work put into the optical flow.", choices=("fast", "medium", "fine"))
    passes: int = knob(
        1,
        "Passes over every shot, forward and backward in turn (with --temporal flow).",
        minimum=1,
        maximum=50,
    )
    cuts: str = knob(
        "auto",
        "Where shots begin: auto = find cuts and fades; none = one shot; or a text file of frame numbers.",
        metavar="auto|none|FILE",
    )
    frames: str = knob("", "Only these frames, counted from 0, end excluded: 0:48, 100:, :20.", metavar="A:B")
    keyframe: tuple[str, ...] = knob(
        (),
        "At a time (00:02, 2.5s) or a frame: strength=S, style=A,B (a share for each --style), or both; "
        "ease=smooth|linear|hold is the way there from the keyframe before. Goes before --strength and the "
        "styles' weights. May be repeated.",
        metavar='"AT strength=S style=A,B ease=E"',
        multiple=True,
    )
    shot: tuple[str, ...] = knob(
        (),
        "In shot N, counted from 1 in what is stylized: strength=S, style=A,B, or both, whatever the "
        "keyframes say. May be repeated.",
        metavar='"N strength=S style=A,B"',
        multiple=True,
    )
    deinterlace: str = knob(
        "auto",
        "auto = where the clip says it is interlaced, or shows it; on = always; off = never.",
        choices=("auto", "on", "off"),
    )
    allow_gaps: bool = knob(
        False, "Take a folder of frames although numbers are missing, as if the frames followed each other."
    )
    fps: str = knob("25", "Frame rate of a folder of frames: 25, 23.976, 30000/1001.", metavar="RATE")
    crf: int = knob(16, "Quality of the video, lower is better.", minimum=0, maximum=51)
    movie_frame: int = knob(0, "The frame whose optimisation the progress movie shows.", minimum=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        steps = self.long_term
        rising = all(later > earlier for earlier, later in pairwise(steps))
        if not steps or not rising or not 1 <= min(steps) <= max(steps) <= LONGEST_TERM:
            raise ConfigError(
                f"long_term: {','.join(map(str, steps)) or 'nothing'}: expected rising numbers of frames, "
                f"1 to {LONGEST_TERM}, like 1,2,4"
            )
        for setting in TABLES:
            texts = tuple(text_of(setting, table_of(setting, text)) for text in getattr(self, setting))
            object.__setattr__(self, setting, texts)
            places = [parse_change(setting, text).at for text in texts]
            if len(set(places)) < len(places):
                raise ConfigError(f"{setting}: a {setting} is named twice; say all of it at once")
        if self.passes > 1 and self.temporal != "flow":
            raise ConfigError(f"passes: {self.passes} passes need temporal flow, not {self.temporal}")

    @property
    def cut_file(self) -> Path | None:
        """The file of frame numbers that says where shots begin, if one is given."""
        return cut_file(self.cuts)

    @property
    def anchor_weight(self) -> float:
        """The weight of the temporal term; 0 where frames are not held to the ones before."""
        return self.temporal_weight if self.follows_flow else 0.0

    @property
    def follows_flow(self) -> bool:
        """Whether frames are moved along the optical flow."""
        return self.steady and self.temporal == "flow"

    @property
    def steady(self) -> bool:
        """Whether a frame depends on the ones before it."""
        return self.temporal != "off" and self.engine == "optimize"


@dataclass(frozen=True)
class AlbumSettings(ImageSettings):
    """Settings of an album."""

    format: str = knob(
        "same",
        "Format of the results; same = each photo's own (PNG where that cannot be written).",
        choices=("same", "jpg", "png", "webp"),
    )
    together: bool = knob(
        False,
        "The photos are one work: in the order they were taken, and with --preserve-color histogram in one "
        "palette, that of all of them.",
    )
    pair: str = knob(
        "each",
        "each = every photo in every style; cycle = one style a photo, in turn.",
        choices=("each", "cycle"),
    )


SETTINGS: dict[str, type[JobSettings]] = {
    "image": ImageSettings,
    "video": VideoSettings,
    "album": AlbumSettings,
}
"""The settings class of each command."""


def known_keys(command: str | None = None) -> tuple[str, ...]:
    """The keys that settings of a command may have; of any command when None (for presets).

    What has tables of its own in a job file is not among them.
    """
    classes = SETTINGS.values() if command is None else (SETTINGS[command],)
    keys = dict.fromkeys(knobs_of(StylizeConfig))
    for cls in classes:
        keys.update(dict.fromkeys(knobs_of(cls)))
    return tuple(key for key in keys if key not in TABLES)


def build_settings(command: str, values: dict[str, Any]) -> tuple[StylizeConfig, JobSettings]:
    """The two configurations of a command from flat values; keys of other commands are left out.

    Raises
    ------
    ConfigError
        For a value that is unknown or out of range.
    """
    cls = SETTINGS[command]
    mine, engine = knobs_of(cls), knobs_of(StylizeConfig)
    return (
        StylizeConfig(**{key: value for key, value in values.items() if key in engine}),
        cls(**{key: value for key, value in values.items() if key in mine}),
    )


def flat(*configs: Any) -> dict[str, Any]:
    """All values of the given configurations by key."""
    return {key: value for config in configs for key, value in dataclasses.asdict(config).items()}


def mask_paths(settings: JobSettings) -> list[Path]:
    """The masks of the styles in order, and after them what is preserved."""
    kept = [settings.mask_preserve] if settings.mask_preserve else []
    return [Path(os.path.expanduser(one)) for one in (*settings.mask, *kept)]
