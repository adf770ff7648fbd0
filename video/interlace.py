"""Whether a clip that says nothing of it is interlaced: measured on its first pictures."""

from __future__ import annotations

import re
from pathlib import Path

from .errors import VideoError
from .tools import file_url, input_options, run_ffmpeg

SILENT_CODECS = frozenset({"dvvideo", "ffv1", "h264", "huffyuv", "mjpeg", "mpeg2video", "mpeg4", "prores"})
"""Codecs of interlaced clips; only for these an unknown field order is worth a look."""

PICTURES = 200
SECONDS = 60.0
CERTAIN_PICTURES = 10
CERTAIN_SHARE = 0.8
"""So many pictures must show combs, and such a share of those that show anything at all."""


def measure_fields(path: Path, index: int) -> str | None:
    """Return "tff" or "bff" when the first pictures show combs of that order, None when they do not.

    Still pictures show nothing; a clip is taken for progressive unless nearly all that moves is combed.
    """
    import ffmpeg

    source = ffmpeg.input(file_url(path), **input_options())
    options = {"frames:v": PICTURES, "vf": "idet,metadata=print:file=-", "format": "null"}
    args = ffmpeg.output(source[str(index)], "-", **options).get_args()
    try:
        done = run_ffmpeg(args, timeout=SECONDS)
    except VideoError:
        return None  # decoding tells what is wrong with the clip
    return judge_fields(done.stdout.decode("ascii", "replace"))


def judge_fields(printed: str) -> str | None:
    """Read the running counts that ffmpeg's ``idet`` leaves with each picture; see `measure_fields`."""
    counts = dict.fromkeys(("tff", "bff", "progressive"), 0.0)
    for kind in counts:
        found = re.findall(rf"^lavfi\.idet\.multiple\.{kind}=([0-9.]+)", printed, re.MULTILINE)
        counts[kind] = float(found[-1]) if found else 0.0
    order = max(("tff", "bff"), key=counts.__getitem__)
    enough = counts[order] >= max(CERTAIN_PICTURES, CERTAIN_SHARE * sum(counts.values()))
    return order if enough else None
