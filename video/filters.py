"""ffmpeg's filters from decoded frames to raw ones: fields, tone mapping, size, colours, times."""

from __future__ import annotations

import re

from .frame_times import TELLING
from .probe import ClipInfo

HD_LINES = 720
"""Clips without a tag use the BT.601 matrix below this number of lines, BT.709 from it on."""

SCALE_FLAGS = "accurate_rnd+full_chroma_int+bitexact"
TONE_MAP = (
    "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,"
    "zscale=t=bt709:m=bt709:r=tv,format=yuv444p"
)

EVEN_TIMES = "settb=1/90000,setpts=N*900"
"""Raw frames have no times, but ffmpeg complains of variable ones that fall on one tick of its clock."""


def filter_text(clip: ClipInfo, size: tuple[int, int], *, timed: bool = False) -> str:
    """Filters from decoded to raw frames: deinterlace, tone-map, scale, convert to RGB, even times.

    `timed`: their own times are told before, for a `FrameClock`.
    """
    width, height = size
    chain = ["bwdif=mode=send_frame:deint=interlaced"] if clip.interlaced else []
    if clip.measured_fields:  # such pictures are not marked as interlaced
        chain = [f"bwdif=mode=send_frame:parity={clip.measured_fields}"]
    scaling = _scaling(clip, size)
    matrix = ""
    if clip.hdr:
        tags = [f"color_trc={clip.color_transfer}"]
        tags += [] if clip.color_space else ["colorspace=bt2020nc"]
        tags += [] if clip.color_primaries else ["color_primaries=bt2020"]
        chain += [f"setparams={':'.join(tags)}", TONE_MAP]
        matrix = ":in_color_matrix=bt709"
    elif clip.color_space is None and is_yuv(clip.pixel_format):
        lines = min(clip.width, clip.height)
        matrix = f":in_color_matrix={'bt601' if lines < HD_LINES else 'bt709'}"
    chain.append(f"scale={width}:{height}:flags={scaling}+{SCALE_FLAGS}{matrix}")
    chain += [TELLING] if timed else []
    chain.append(EVEN_TIMES)
    return ",".join(chain)


def _scaling(clip: ClipInfo, size: tuple[int, int]) -> str:
    if size == (clip.width, clip.height):
        return "bicubic"
    return "area" if size[0] <= clip.width and size[1] <= clip.height else "lanczos"


def is_yuv(pixel_format: str) -> bool:
    """Whether ffmpeg's name of a pixel format means luma and chroma, so that a matrix applies."""
    return re.match(r"yuv|nv\d|p[024]1|y2|uyvy|yvyu|vuy|ayuv|xv\d|unknown", pixel_format) is not None


def has_alpha(pixel_format: str) -> bool:
    """Whether ffmpeg's name of a pixel format means an alpha channel."""
    return re.match(r"(?:rgba|bgra|argb|abgr|yuva|gbrap|ya\d|ayuv|pal8)", pixel_format) is not None
