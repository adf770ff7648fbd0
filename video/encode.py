"""Write a clip frame by frame: H.264 or VP9, right colours, the source's sound, checked before it appears."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from .errors import EncodeError, InputError, ToolError
from .failures import encoding_failed
from .images import FloatImage, to_uint8
from .muxing import add_sound
from .outputs import check_target, partial_file, publish
from .probe import ClipInfo
from .retime import WITHOUT_REORDERING, retime
from .sound import SoundPlan, plan_sound, within_range
from .timing import TimeTable
from .tools import FfmpegProcess, file_url, has_encoder
from .verify import verify_clip

VIDEO_FORMATS = {".mp4": "mp4", ".mov": "mov", ".m4v": "mp4", ".mkv": "matroska", ".webm": "webm"}
"""Supported suffixes and ffmpeg's name of the container."""

TO_BT709 = (
    "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int,format=yuv420p,"
    "setsar=1,setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
)
"""Convert as BT.709 and say so: untagged clips are read as 709 by players but written as 601 by default."""

VP9_SPEED = {"ultrafast": 6, "superfast": 6, "veryfast": 5, "faster": 4, "fast": 3, "medium": 2, "slow": 1}
PRESETS = (*VP9_SPEED, "slower", "veryslow", "placebo")


class FrameWriter:
    """Encode pictures to a clip. A context manager; the named file appears, checked, when it is left.

    Everything is written under a temporary name in the same folder and removed when anything fails, so the
    name never holds a part of a clip. With sound, room for the pictures' stream twice is needed for a moment.

    Parameters
    ----------
    path
        Ends in ``.mp4``, ``.mov``, ``.m4v``, ``.mkv`` (H.264) or ``.webm`` (VP9).
    size
        (width, height) of every picture. Odd sides gain one pixel, a copy of the edge: 4:2:0 needs even ones.
    rate
        Frames a second, kept exactly.
    sound
        Clip that the pictures come from. Every track of its sound is carried over: packets are copied where
        the container can hold them, and the offset between sound and pictures is kept. So are subtitles and
        chapters. What nothing can carry over is left out, and `notes` say so. Where its rate varies and
        `rate` is its average, every frame is shown at the time it has there.
    sound_range
        Start and end of the pictures, in frames of `sound` over `rate` (``FrameRange.seconds``), when they
        are only a part of it. None: to the end.
    crf
        Quality of H.264, 0 (lossless) to 51; VP9 gets the same place on its own scale.
    preset
        One of ``PRESETS``, from fast to small.
    overwrite
        Whether an existing file may be replaced.
    expected_frames
        Number of frames that must have been written; another one is an EncodeError.

    Attributes
    ----------
    frames
        Number of pictures written so far.
    quality
        `crf` and `preset`.
    sound
        What becomes of the sound; None where there is nothing to carry over. `rehearse` finds out what works.
    notes
        One line each for what a user should hear, for example a track of sound that was encoded again.

    Raises
    ------
    InputError
        `path` cannot be an output, or a value makes no sense. Raised before any work.
    EncodeError
        ffmpeg failed, the disk is full, or the finished file is not what was written.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        rate: Fraction,
        *,
        sound: ClipInfo | None = None,
        sound_range: tuple[Fraction | int, Fraction | int | None] = (0, None),
        crf: int = 16,
        preset: str = "medium",
        overwrite: bool = False,
        expected_frames: int | None = None,
    ) -> None:
        self.path, self.size, self.rate = Path(path), size, Fraction(rate)
        self.frames = 0
        self._target = check_target(self.path, VIDEO_FORMATS, overwrite=overwrite)
        self._suffix = self.path.suffix.lower()
        if min(size) < 1 or self.rate <= 0:
            raise InputError(
                f"cannot write {path}: {size[0]}x{size[1]} pixels at {self.rate} frames a second"
            )
        if not 0 <= crf <= 51 or preset not in PRESETS:
            raise InputError(f"crf {crf}, preset {preset}: use 0 to 51, and one of {', '.join(PRESETS)}")
        if sound is not None and self._target.exists() and self._target.samefile(sound.path):
            raise InputError(f"cannot write {path}: it is the clip the sound comes from; choose another name")
        self.quality = crf, preset
        self._codec = _codec_options(self._suffix, crf, preset)
        self._times: TimeTable | None = sound.times if sound and sound.rate == self.rate else None
        self._first = round(Fraction(sound_range[0]) * self.rate)
        if self._times:
            sound_range = self._times.at(self._first), self._end(sound_range[1])
        plan = plan_sound(sound, self._suffix, sound_range) if sound else None
        self.sound: SoundPlan | None = None
        self.notes: list[str] = []
        self.carry(plan)
        self._expected_frames = expected_frames
        self._process: FfmpegProcess | None = None
        self._stack = ExitStack()

    def carry(self, plan: SoundPlan | None) -> None:
        """Carry over the sound and the rest of the source as `plan` says."""
        self.sound = plan if plan and (plan.tracks or plan.extras) else None
        self.notes = list(plan.notes) if plan else []

    @property
    def timed(self) -> bool:
        """Whether every frame is shown at a time of its own."""
        return self._times is not None

    @property
    def container(self) -> str:
        """ffmpeg's name of the container."""
        return VIDEO_FORMATS[self._suffix]

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            tag = ".video" if self.sound or self._times else ""
            self._pictures = stack.enter_context(partial_file(self._target, tag))
            self._process = stack.enter_context(FfmpegProcess(self._arguments(), feed=True))
            self._stack = stack.pop_all()
        return self

    def _end(self, stop: Fraction | int | None) -> Fraction | None:
        """Turn the end of ``sound_range`` into the time at which that frame of the source is shown."""
        return self._times.at(round(stop * self.rate)) if self._times and stop is not None else None

    def _arguments(self) -> list[str]:
        import ffmpeg

        width, height = (side + side % 2 for side in self.size)
        options: dict[str, Any] = {"vf": TO_BT709, "fps_mode": "passthrough", **self._codec}
        if self._times and options["c:v"] == "libx264":
            options.update(WITHOUT_REORDERING)
        options["format"] = self.container
        if self.sound is None and self._times is None and options["format"] in {"mp4", "mov"}:
            options["movflags"] = "+faststart"
        source = ffmpeg.input(
            "pipe:0",
            format="rawvideo",
            pix_fmt="rgb24",
            s=f"{width}x{height}",
            framerate=str(self.rate),
            protocol_whitelist="pipe",
        )
        output = ffmpeg.output(source["v:0"], file_url(self._pictures), **options)
        return list(ffmpeg.get_args(output, overwrite_output=True))

    def write(self, picture: FloatImage) -> None:
        """Append one picture, shape (height, width, 3), values in [0, 1].

        Raises
        ------
        EncodeError
            The picture has another size or values that are not finite, ffmpeg died, or the disk is full.
        """
        if self._process is None:
            raise RuntimeError("FrameWriter.write works inside its with-block only")
        width, height = self.size
        if picture.shape != (height, width, 3):
            raise EncodeError(
                f"frame {self.frames} of {self.path}: expected shape {(height, width, 3)}, "
                f"got {picture.shape}"
            )
        pixels = to_uint8(picture)
        if width % 2 or height % 2:
            pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        try:
            self._process.stdin.write(np.ascontiguousarray(pixels).data)
        except (OSError, ValueError) as error:
            code = self._process.finish()
            raise encoding_failed(self.path, self._process.reason, code, self.frames) from error
        self.frames += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if kind is None:
                self._finish()
        self._process = None

    def _finish(self) -> None:
        assert self._process is not None
        code = self._process.finish()
        if self._expected_frames not in {None, self.frames}:
            raise EncodeError(
                f"{self.path}: {self.frames} frames instead of {self._expected_frames} were given"
            )
        if self.frames == 0:
            raise EncodeError(f"{self.path}: no frames were given, so there is nothing to write")
        if code != 0:
            raise encoding_failed(self.path, self._process.reason, code, self.frames)
        finished, tracks, length = self._pictures, 0, None
        if self._times is not None:
            tag = ".timed" if self.sound else ""
            pictures, finished = finished, self._stack.enter_context(partial_file(self._target, tag))
            times = self._times.part(self._first, self.frames)
            retime(pictures, finished, self.path, self.container, times)
            length = times.end
        if self.sound is not None:
            pictures, finished = finished, self._stack.enter_context(partial_file(self._target))
            tracks = self._join(self.sound, pictures, finished)
        width, height = (side + side % 2 for side in self.size)
        verify_clip(finished, self.path, (width, height), self.frames, tracks, length)
        publish(finished, self._target)

    def _join(self, sound: SoundPlan, pictures: Path, target: Path) -> int:
        """Put pictures and sound together, and return how many tracks of sound there are."""
        planned = sound.notes
        sound, notes = within_range(sound)
        result, done = add_sound(sound, pictures, target, self.container)
        notes = (*(note for note in self.notes if note not in planned), *done.notes, *notes)
        self.notes = list(dict.fromkeys(notes))
        if not result.ok:
            raise encoding_failed(self.path, result.reason, result.returncode, self.frames)
        return len(done.tracks)


def _codec_options(suffix: str, crf: int, preset: str) -> dict[str, Any]:
    encoder = "libvpx-vp9" if suffix == ".webm" else "libx264"
    if not has_encoder(encoder):
        raise ToolError(
            f"this ffmpeg cannot write {suffix}: it lacks {encoder}; set DEEPFUSION_FFMPEG to one with it"
        )
    if encoder == "libx264":
        return {"c:v": encoder, "crf": crf, "preset": preset}
    speed = {"cpu-used": VP9_SPEED.get(preset, 0), "row-mt": 1, "deadline": "good"}
    return {"c:v": encoder, "crf": round(crf * 63 / 51), "b:v": 0, **speed}
