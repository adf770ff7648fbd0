"""The one place that finds and runs ffmpeg.

``ffmpeg-python`` builds argument lists elsewhere (``stream.get_args()``); only this module runs them.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .errors import ToolError, VideoError
from .process import Finished, PipedProcess, run_command, summarize_stderr

__all__ = [
    "FFMPEG_MINIMUM",
    "FORMAT_WHITELIST",
    "PIPE_PROTOCOL_WHITELIST",
    "PROTOCOL_WHITELIST",
    "FfmpegProcess",
    "Finished",
    "Tool",
    "check_tool",
    "file_url",
    "find_ffmpeg",
    "find_ffprobe",
    "has_encoder",
    "has_filter",
    "input_options",
    "run_command",
    "run_ffmpeg",
    "run_ffprobe",
    "summarize_stderr",
    "version_suffices",
]

FFMPEG_MINIMUM = (5, 1)
"""Oldest release that works: ``-fps_mode`` appears there, and later releases drop what it replaced."""

LIBAVUTIL_MINIMUM = (57, 28)
"""The libavutil of that release; it dates builds from git, whose version strings hold no release number."""

FORMAT_WHITELIST = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,ogg,flv,asf,"
    "gif,apng,h264,hevc,ivf,yuv4mpegpipe,mxf,dv"
)
"""Demuxers that may open a user's file: all they read is in it. Playlists and scripts open other files."""

PROTOCOL_WHITELIST = "file"
PIPE_PROTOCOL_WHITELIST = "file,pipe"

INSTALL_HINT = "install ffmpeg 5.1 or newer, or run: pip install imageio-ffmpeg"

_QUIET = ("-nostdin", "-hide_banner", "-v", "error", "-nostats")


@dataclass(frozen=True)
class Tool:
    """An ffmpeg or ffprobe executable that has been checked."""

    path: Path
    version: str
    bundled: bool


# ---------------------------------------------------------------------------------------------- finding


def find_ffmpeg() -> Tool:
    """Find ffmpeg: ``DEEPFUSION_FFMPEG``, then the search path, then the binary of imageio-ffmpeg.

    Raises
    ------
    ToolError
        No usable ffmpeg, or the one named by ``DEEPFUSION_FFMPEG`` does not run or is older than 5.1.
    """
    return _find_ffmpeg(os.environ.get("DEEPFUSION_FFMPEG"), os.environ.get("PATH"))


@lru_cache(maxsize=8)
def _find_ffmpeg(wanted: str | None, search_path: str | None) -> Tool:
    if wanted:
        found = shutil.which(wanted, path=search_path)
        if found is None:
            raise ToolError(f"DEEPFUSION_FFMPEG names {wanted}, which is no program; mend or unset it")
        return check_tool(Path(found), "ffmpeg")
    problem = f"no ffmpeg found; {INSTALL_HINT}"
    found = shutil.which("ffmpeg", path=search_path)
    if found is not None:
        try:
            return check_tool(Path(found), "ffmpeg")
        except ToolError as error:
            problem = str(error)
    bundled = _bundled_ffmpeg()
    if bundled is None:
        raise ToolError(problem)
    return check_tool(bundled, "ffmpeg", bundled=True)


def find_ffprobe() -> Tool | None:
    """Find ffprobe: beside the program ``DEEPFUSION_FFMPEG`` names, else on the search path; or None."""
    return _find_ffprobe(os.environ.get("DEEPFUSION_FFMPEG"), os.environ.get("PATH"))


@lru_cache(maxsize=8)
def _find_ffprobe(wanted: str | None, search_path: str | None) -> Tool | None:
    places = [search_path]
    if wanted and (ffmpeg := shutil.which(wanted, path=search_path)):
        places.insert(0, str(Path(ffmpeg).parent))
    for place in places:
        found = shutil.which("ffprobe", path=place)
        if found is None:
            continue
        try:
            return check_tool(Path(found), "ffprobe")
        except ToolError:
            continue
    return None


def _bundled_ffmpeg() -> Path | None:
    try:
        import imageio_ffmpeg
    except ImportError:
        return None
    try:
        return Path(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        return None


def check_tool(path: Path, name: str, *, bundled: bool = False) -> Tool:
    """Run ``path -version`` and refuse what is not `name` or older than ``FFMPEG_MINIMUM`` (ToolError)."""
    try:
        done = run_command([str(path), "-version"], timeout=30)
    except (OSError, VideoError) as error:
        raise ToolError(f"{path} does not run ({error}); {INSTALL_HINT}") from error
    text = done.stdout.decode("utf-8", "replace")
    match = re.match(rf"{name} version (\S+)", text)
    if not done.ok or match is None:
        raise ToolError(f"{path} is no working {name}: {done.reason}; {INSTALL_HINT}")
    if not version_suffices(text):
        minimum = ".".join(map(str, FFMPEG_MINIMUM))
        raise ToolError(f"{path} is {name} {match[1]}, older than {minimum}; {INSTALL_HINT}")
    return Tool(path=path, version=match[1], bundled=bundled)


def version_suffices(text: str) -> bool:
    """Whether the output of ``-version`` tells of release 5.1 or newer.

    Release strings ("5.1.9-0+deb12u1", "n9.0.2-17-gabc") are compared directly; builds from git
    ("N-112345-gabc", "2024-01-01-git-abc") by the libavutil they were built with.
    """
    release = re.match(r"\w+ version n?(\d+)\.(\d+)", text)
    if release is not None:
        return (int(release[1]), int(release[2])) >= FFMPEG_MINIMUM
    library = re.search(r"^libavutil\s+(\d+)\.\s*(\d+)\.", text, re.MULTILINE)
    return library is not None and (int(library[1]), int(library[2])) >= LIBAVUTIL_MINIMUM


def has_filter(name: str) -> bool:
    """Whether this ffmpeg has the filter `name`, for example ``zscale``."""
    return name in _listed("-filters", find_ffmpeg().path)


def has_encoder(name: str) -> bool:
    """Whether this ffmpeg has the encoder `name`, for example ``libx264``."""
    return name in _listed("-encoders", find_ffmpeg().path)


@lru_cache(maxsize=8)
def _listed(what: str, ffmpeg: Path) -> frozenset[str]:
    done = run_command([str(ffmpeg), *_QUIET, what], timeout=30)
    rows = (line.split() for line in done.stdout.decode("utf-8", "replace").splitlines())
    return frozenset(row[1] for row in rows if len(row) > 1)


# ---------------------------------------------------------------------------------------------- arguments


class _Url(str):
    """A name that is not UTF-8, for programs; ffmpeg-python tells names apart by ``str()`` as UTF-8."""

    __slots__ = ()

    def __str__(self) -> str:
        return ascii(self[:])


def file_url(path: Path) -> str:
    """Return `path` as ``file:PATH``, so that no name is taken for an option, a protocol or a list.

    That of a name that is not UTF-8 is for programs only: as a part of another text it is escaped.
    """
    url = f"file:{path}"
    try:
        url.encode()
    except UnicodeEncodeError:
        return _Url(url)
    return url


def input_options() -> dict[str, str]:
    """Options for every input file: ``ffmpeg.input(file_url(path), **input_options())``."""
    return {"protocol_whitelist": PROTOCOL_WHITELIST, "format_whitelist": FORMAT_WHITELIST}


# ---------------------------------------------------------------------------------------------- running


def run_ffmpeg(
    args: Sequence[str], *, stdin: bytes | None = None, timeout: float | None = None, cwd: Path | None = None
) -> Finished:
    """Run ffmpeg to its end.

    Parameters
    ----------
    args
        Everything behind the program's name, as ``get_args()`` of ffmpeg-python gives it; the options for
        a quiet run without a terminal are put in front.
    stdin
        Bytes for ``pipe:0``.
    timeout
        Seconds of wall time; the process is killed and VideoError raised when they have passed.
    cwd
        Folder to run in.
    """
    return run_command([str(find_ffmpeg().path), *_QUIET, *args], stdin=stdin, timeout=timeout, cwd=cwd)


def run_ffprobe(tool: Tool, args: Sequence[str], *, timeout: float | None = None) -> Finished:
    """Run the ffprobe `tool` quietly to its end."""
    return run_command([str(tool.path), "-hide_banner", "-v", "error", *args], timeout=timeout)


class FfmpegProcess(PipedProcess):
    """A running ffmpeg: `PipedProcess` for arguments as `run_ffmpeg` takes them.

    ``pipe:0`` is written through `stdin` (``feed=True``), ``pipe:1`` read through `stdout` (``read=True``).
    Use it as a context manager: leaving stops the process.
    """

    def __init__(
        self,
        args: Sequence[str],
        *,
        feed: bool = False,
        read: bool = False,
        cwd: Path | None = None,
        listen: Callable[[str], str] | None = None,
    ) -> None:
        command = [str(find_ffmpeg().path), *_QUIET, *args]
        super().__init__(command, feed=feed, read=read, cwd=cwd, listen=listen)
