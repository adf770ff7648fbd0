"""The figures that `deepfusion score` finds, as a table, as JSON and in words."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field

from video.names import shown


@dataclass(frozen=True)
class FrameScore:
    """A frame's figures; those that compare it with the frame before are None where a shot begins."""

    frame: int
    warping_error: float | None
    content_warping_error: float | None
    visible: float | None
    motion: float | None
    content_loss: float
    style_loss: float | None


@dataclass
class Score:
    """What `deepfusion score` found.

    Attributes
    ----------
    warping_error, content_warping_error
        Means over the pairs of frames inside shots; of the output and of the content itself. None for a
        clip without such a pair.
    content_loss, style_loss
        Means over the frames, relative squared errors on vgg19-slim; without a style no style loss.
    shots
        First frames of the shots.
    loop_error, content_loop_error
        Of a loop: the warping errors from the last frame to the first; they are in no mean.
    """

    content: str
    output: str
    rows: list[FrameScore] = field(default_factory=list)
    shots: list[int] = field(default_factory=list)
    csv: str = ""
    loop_error: float | None = None
    content_loop_error: float | None = None

    def mean(self, name: str) -> float | None:
        """The mean of a column over the rows that have it."""
        values = [value for row in self.rows if (value := getattr(row, name)) is not None]
        return sum(values) / len(values) if values else None

    def to_json(self) -> str:
        """One JSON object on one line."""
        names = ("warping_error", "content_warping_error", "motion", "content_loss", "style_loss")
        return json.dumps(
            {
                "content": self.content,
                "output": self.output,
                "frames": len(self.rows),
                "shots": self.shots,
                **{name: self.mean(name) for name in names},
                **({} if self.loop_error is None else self._loop()),
                **({"csv": self.csv} if self.csv else {}),
            }
        )

    def _loop(self) -> dict[str, float | None]:
        return {"loop_error": self.loop_error, "content_loop_error": self.content_loop_error}

    def to_csv(self) -> str:
        """A line a frame; empty cells where there is nothing to say."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(FrameScore.__dataclass_fields__), lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {name: "" if value is None else value for name, value in row.__dict__.items()}
            for row in self.rows
        )
        return text.getvalue()

    def summary(self) -> str:
        """The score for a person."""
        error, floor = self.mean("warping_error"), self.mean("content_warping_error")
        if error is None or floor is None:
            why = "no two frames of one shot follow each other, so nothing can flicker"
            lines = [f"{shown(self.output)}: {why}"]
        else:
            pairs = [row for row in self.rows if row.warping_error is not None]
            worst = max(pairs, key=lambda row: row.warping_error or 0.0)
            lines = [
                f"warping error  {error * 1e4:.2f}e-4 over {len(pairs)} pairs of frames, lower is steadier; "
                f"the content itself has {floor * 1e4:.2f}e-4",
                f"worst          {(worst.warping_error or 0.0) * 1e4:.2f}e-4 at frame {worst.frame}",
            ]
        if self.loop_error is not None and self.content_loop_error is not None:
            lines.append(
                f"loop           {self.loop_error * 1e4:.2f}e-4 from the last frame to the first; "
                f"the content itself has {self.content_loop_error * 1e4:.2f}e-4"
            )
        style = self.mean("style_loss")
        losses = f"content loss   {self.mean('content_loss') or 0.0:.4g}"
        losses += "" if style is None else f"   style loss {style:.4g}"
        lines.append(f"{losses}   (relative, on vgg19-slim)")
        if len(self.shots) > 1:
            lines.append(f"shots          begin at frames {', '.join(map(str, self.shots))}")
        return "\n".join(lines + ([f"frame by frame in {shown(self.csv)}"] if self.csv else []))
