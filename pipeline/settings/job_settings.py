"""The settings of pictures, clips and albums, and all settings of a command by name."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline.settings.common_settings import JobSettings
from pipeline.settings.keyframes import TABLES, parse_change, table_of, text_of
from pipeline.settings.sweeps import Sweeps
from stylize.config import StylizeConfig
from stylize.errors import ConfigError
from stylize.knobs import Knob, details_of, knob, knobs_of

LONGEST_TERM = 32
"""Frames that are kept in memory for the flow, at the most."""


def names_cut_file(cuts: str) -> bool:
    """Whether a choice of cuts is the path of a file, and none of the words."""
    return cuts not in ("auto", "none")


def cut_file(cuts: str) -> Path | None:
    """The file that a choice of cuts names, if it names one."""
    return Path(os.path.expanduser(cuts)) if names_cut_file(cuts) else None


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
    frame_tolerance: float = knob(
        1e-3,
        "Stop a frame that shows what the one before it shows when an iteration lowers the loss by less than "
        "this share: the next frame goes on with it. For what is new down to --tolerance, in proportion; "
        "0 = never.",
        minimum=0.0,
        maximum=0.5,
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
    repaint: str = knob(
        "changed",
        "What of a frame is optimised (with --temporal flow): changed = what shows something else than "
        "before, where that is less work, and the rest stays as it is; all = everything.",
        choices=("changed", "all"),
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
    loop: bool = knob(
        False,
        "The clip is a loop and stays one: its first frames are done once more past its end, so that the "
        "last one leads into them (with --temporal flow).",
    )
    cuts: str = knob(
        "auto",
        "Where shots begin: auto = find cuts and fades; none = one shot; or a text file of frame numbers.",
        metavar="auto|none|FILE",
        path=names_cut_file,
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
    fps: str = knob(
        "25", "Frame rate of a folder of frames: 25, 23.976, 30000/1001.", metavar="RATE", decides="folder"
    )
    crf: int = knob(16, "Quality of the video, lower is better.", minimum=0, maximum=51, decides="nothing")
    movie_frame: int = knob(
        0,
        "The frame whose optimisation the progress movie shows, counted in the whole clip.",
        minimum=0,
        decides="nothing",
    )

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
        if self.loop and not self.follows_flow:
            other = f"engine {self.engine}" if self.engine != "optimize" else f"temporal {self.temporal}"
            raise ConfigError(f"loop: the end leads into the beginning with temporal flow, not with {other}")

    @property
    def keeps_what_stays(self) -> bool:
        """Whether a frame may keep what the one before it has where nothing has changed."""
        return self.follows_flow and self.repaint == "changed"

    @property
    def cut_file(self) -> Path | None:
        """The file of frame numbers that says where shots begin, if one is given."""
        return cut_file(self.cuts)

    @property
    def sweeps(self) -> Sweeps:
        """The passes over the clip."""
        return Sweeps(self.passes, self.loop, bool(self.finish))

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
        decides="name",
    )
    together: bool = knob(
        False,
        "The photos are one work: in the order they were taken, and with --preserve-color histogram in one "
        "palette, that of all of them.",
        decides="name",
    )
    pair: str = knob(
        "each",
        "each = every photo in every style; cycle = one style a photo, in turn.",
        choices=("each", "cycle"),
        decides="name",
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
    return tuple(key for key in setting_details(command) if key not in TABLES)


def setting_details(command: str | None = None) -> dict[str, Knob]:
    """What is known of every setting of a command, or of any command, by name."""
    return details_of(StylizeConfig, *(SETTINGS.values() if command is None else (SETTINGS[command],)))


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


def files_named(*configs: Any, by: Callable[[Knob], bool]) -> list[Path]:
    """The files and folders that settings name, of those settings that `by` picks, in order."""
    return [
        Path(os.path.expanduser(text))
        for config in configs
        for name, (_, details) in knobs_of(config).items()
        if by(details)
        for text in details.paths_in(getattr(config, name))
    ]


def mask_paths(settings: JobSettings) -> list[Path]:
    """The masks of the styles in order, and after them what is preserved."""
    return files_named(settings, by=lambda details: details.decides == "place")
