"""What this machine has, as far as it matters here."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from importlib import metadata

from pipeline import __version__
from video.names import shown

_PACKAGES = (
    "keras",
    "numpy",
    "Pillow",
    "pillow-heif",
    "opencv-python",
    "av",
    "imageio-ffmpeg",
    "tensorflow-hub",
    "ray",
)


def examine() -> Iterator[str]:
    """A line a finding."""
    yield f"deep-fusion      {__version__}, Python {platform.python_version()} on {platform.platform()}"
    for name in _PACKAGES:
        try:
            yield f"{name:16} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            yield f"{name:16} not installed"
    yield f"processors       {os.cpu_count()}"
    yield from _graphics()
    yield from _tools()
    yield from _weights()


def _graphics() -> Iterator[str]:
    from pipeline.machine import device, has_card, has_idle_card, load_tensorflow

    load_tensorflow()
    import tensorflow as tf

    yield f"tensorflow       {tf.__version__}"
    if has_card():
        found = device()
    elif has_idle_card():
        found = "an NVIDIA card that TensorFlow cannot use: pip install 'deep-fusion[gpu]'"
    else:
        found = "none that TensorFlow can use: the CPU does the work"
    yield f"graphics         {found}"


def _tools() -> Iterator[str]:
    from video.errors import ToolError
    from video.tools import find_ffmpeg, find_ffprobe, has_encoder, has_filter

    try:
        ffmpeg = find_ffmpeg()
        kind = "comes with imageio-ffmpeg" if ffmpeg.bundled else shown(ffmpeg.path)
        yield f"ffmpeg           {ffmpeg.version}, {kind}"
        for name, found in (
            ("libx264", has_encoder("libx264")),
            ("libvpx-vp9", has_encoder("libvpx-vp9")),
            ("zscale", has_filter("zscale")),
        ):
            yield f"  {name:14} {'yes' if found else 'no'}"
        probe = find_ffprobe()
        yield f"ffprobe          {probe.version if probe else 'none: PyAV reads what clips are'}"
    except ToolError as error:
        yield f"ffmpeg           {error}"


def _weights() -> Iterator[str]:
    from pipeline.cli.weights import listing

    yield "weights"
    for line in listing():
        yield f"  {line}"
