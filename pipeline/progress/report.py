"""What a job has done: for the last line, for `--json`, and for the exit code."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.progress.wording import counted, spoken_time
from video.names import shown

if TYPE_CHECKING:
    from stylize.weights import Weights

_SHOWN_SIDE = 1024
"""Pixels of the longer side of what a notebook is given, at the most."""


@dataclass
class Report:
    """The outcome of a job. A notebook shows the picture of a single one, and the sheet of a preview.

    Attributes
    ----------
    output
        The file or folder made, as a text.
    frames
        Pictures or frames in the output.
    backbone, weights, weights_sha256
        The network that ran, where its weights are from, and the SHA-256 of that file.
    losses
        Mean over the pictures of each weighted term and of their "total".
    done, skipped
        Pictures worked on now, and found finished: all are one or the other, however often a frame was gone
        over.
    failed
        What went wrong, by the name in the output.
    also
        Other files made, by what they are.
    warping_error
        Of a clip: how much it flickers (`deepfusion score` says the same, but for the encoding).
    loop_error
        Of a clip that was made a loop: the same from its last frame to its first.
    """

    command: str
    output: str
    backbone: str = ""
    frames: int = 0
    seconds: float = 0.0
    evaluations: int = 0
    losses: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    done: int = 0
    skipped: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    also: dict[str, str] = field(default_factory=dict)
    warping_error: float | None = None
    loop_error: float | None = None
    weights: str = ""
    weights_sha256: str = ""

    def ran_on(self, weights: Weights) -> Report:
        """This report, with the network that the job runs on."""
        self.backbone, self.weights, self.weights_sha256 = weights.name, weights.source, weights.sha256
        return self

    def add(self, result: Any) -> None:
        """Count one :class:`stylize.stylizer.Result`."""
        self.done += 1
        self.evaluations += result.evaluations
        for name, value in result.losses.items():
            before = self.losses.get(name, 0.0)
            self.losses[name] = before + (value - before) / self.done

    def ended(self, seconds: float, warnings: list[str]) -> Report:
        """This report, when all is done: what it took, and what was not as expected."""
        self.seconds, self.warnings = seconds, warnings
        return self

    @property
    def exit_code(self) -> int:
        """0 when everything was done, 1 when something failed."""
        return 1 if self.failed else 0

    def to_json(self) -> str:
        """One JSON object on one line."""
        return json.dumps({**asdict(self), "seconds": round(self.seconds, 3)})

    def summary(self) -> str:
        """The last lines for a person."""
        unit = "frame" if self.command == "video" else "picture"
        took = [spoken_time(self.seconds), counted(self.evaluations, "evaluation")]
        parts = [counted(self.frames, unit), *took, self.backbone]
        if self.warping_error is not None:
            parts.append(f"warping error {1e4 * self.warping_error:.2f}e-4")
        if self.loop_error is not None:
            parts.append(f"from the last frame to the first {1e4 * self.loop_error:.2f}e-4")
        if self.skipped:
            parts.insert(1, f"{self.skipped} already there")
        if self.failed:
            parts.insert(1, f"{len(self.failed)} failed")
        lines = [f"{shown(self.output)}  ({', '.join(part for part in parts if part)})"]
        lines += [f"{shown(path)}  ({what})" for what, path in self.also.items()]
        return "\n".join(lines)

    def _repr_png_(self) -> bytes | None:
        """The picture as a PNG, for notebooks; None for clips and albums, and where the file is gone."""
        if self.command not in ("image", "preview"):
            return None
        from video.decode import fit_size
        from video.errors import VideoError
        from video.images import encode_image, read_image, resize_image

        try:
            picture = read_image(Path(self.output))
        except (OSError, VideoError):
            return None
        height, width = picture.shape[:2]
        return encode_image(Path("shown.png"), resize_image(picture, fit_size(width, height, _SHOWN_SIDE)))
