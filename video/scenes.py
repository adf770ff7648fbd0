"""Where shots begin: cuts and fades, found by PySceneDetect's detectors while the clip is decoded."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from .errors import InputError
from .images import FloatImage, to_uint8

LOOKAHEAD = 2
"""Frames a cut is known late: it is told from motion by the frames around it."""

SHORTEST_SHOT = 4
"""Frames: of cuts closer together, a flash or a damaged frame, only the first counts."""

_LONGEST_FILE = 1_000_000
_ANALYSIS_SIDE = 256
_CUT_RATIO = 3.0
_CUT_CHANGE = 18.0
_FADE_LEVEL = 10.0


class ShotDetector:
    """Finds the first frames of shots in a stream of frames.

    A cut is a frame whose change in hue, saturation and brightness stands out from its neighbours'
    (PySceneDetect's AdaptiveDetector: fast camera work changes much too, but evenly). A fade is a
    stretch of black (its ThresholdDetector); the new shot begins where the picture comes back.
    """

    def __init__(self) -> None:
        from scenedetect import FrameTimecode
        from scenedetect.detectors import AdaptiveDetector, ThresholdDetector

        self._time = lambda number: FrameTimecode(number, 25.0)
        self._cuts = AdaptiveDetector(
            adaptive_threshold=_CUT_RATIO,
            min_scene_len=SHORTEST_SHOT,
            window_width=LOOKAHEAD,
            min_content_val=_CUT_CHANGE,
        )
        self._fades = ThresholdDetector(threshold=_FADE_LEVEL, min_scene_len=SHORTEST_SHOT, fade_bias=1.0)
        self._count = 0
        self._dark: deque[int] = deque(maxlen=LOOKAHEAD + 1)

    def feed(self, frame: FloatImage) -> list[int]:
        """Take in the next frame; gives the frames, counted from the first fed, now known to begin shots."""
        scale = min(1.0, _ANALYSIS_SIDE / max(frame.shape[:2]))
        size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
        small = cv2.cvtColor(
            to_uint8(cv2.resize(frame, size, interpolation=cv2.INTER_AREA)), cv2.COLOR_RGB2BGR
        )
        time = self._time(self._count)
        if small.mean() < _FADE_LEVEL:
            self._dark.append(self._count)
        # Next to black, hue and saturation jump about: what happens there is the fades' to say.
        cuts = [cut for cut in self._cuts.process_frame(time, small) if cut.frame_num not in self._dark]
        found = [*cuts, *self._fades.process_frame(time, small)]
        self._count += 1
        return sorted({cut.frame_num for cut in found if cut.frame_num > 0})


def with_shot_starts(
    frames: Iterable[tuple[int, FloatImage]], cuts: str | frozenset[int] = "auto"
) -> Iterator[tuple[int, FloatImage, bool]]:
    """Each numbered frame with whether it begins a shot; the first always does.

    Parameters
    ----------
    frames
        Numbers and frames in order.
    cuts
        "auto" finds the shots, which delays every frame by `LOOKAHEAD`; "none" says there is one; a set
        holds the numbers of the frames that begin one.
    """
    if cuts != "auto":
        known = frozenset() if isinstance(cuts, str) else cuts
        for place, (number, frame) in enumerate(frames):
            yield number, frame, place == 0 or number in known
        return
    detector = ShotDetector()
    starts = {0}
    waiting: deque[tuple[int, int, FloatImage]] = deque()
    for place, (number, frame) in enumerate(frames):
        starts.update(detector.feed(frame))
        waiting.append((place, number, frame))
        if len(waiting) > LOOKAHEAD:
            yield _first(waiting, starts)
    for _ in range(LOOKAHEAD if waiting else 0):  # the clip's last frame stands still after the end
        starts.update(detector.feed(waiting[-1][2]))
    while waiting:
        yield _first(waiting, starts)


def read_cuts(path: Path, wanted: range) -> frozenset[int]:
    """The frames that begin shots from a text file: a number a line, rising; "#" begins a remark.

    Parameters
    ----------
    wanted
        The numbers of the frames there are.

    Raises
    ------
    InputError
        In one line with the line's number: not a number, not rising, no such frame.
    """
    try:
        if not path.exists():
            raise InputError(f"{path}: there is no such cut file; check the name")
        if not path.is_file() or path.stat().st_size > _LONGEST_FILE:
            raise InputError(f"{path}: is no text file of frame numbers, of at most {_LONGEST_FILE:,} bytes")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(f"{path}: the cut file cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is no text file; write a frame number a line") from None
    found: list[int] = []
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise InputError(f"{path}, line {number}: {text[:40]!r} is not a frame number")
        cut = int(text)
        if found and cut <= found[-1]:
            raise InputError(f"{path}, line {number}: {cut} comes after {found[-1]}; sort the frame numbers")
        if cut not in wanted:
            raise InputError(
                f"{path}, line {number}: there is no frame {cut}; "
                f"the frames are {wanted.start} to {wanted[-1]}"
            )
        found.append(cut)
    return frozenset(found)


def _first(waiting: deque[tuple[int, int, FloatImage]], starts: set[int]) -> tuple[int, FloatImage, bool]:
    place, number, frame = waiting.popleft()
    return number, np.asarray(frame), place in starts
