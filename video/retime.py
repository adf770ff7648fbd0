"""Give the frames of a finished clip the times they have in their source: packets are moved, not encoded."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from .errors import EncodeError
from .outputs import unwritable
from .streams import PYAV_OPTIONS
from .timing import TimeTable
from .tools import file_url

CLOCK = Fraction(1, 90_000)
"""Seconds a tick; containers with a coarser clock (Matroska: 1/1000) round to their own."""

WITHOUT_REORDERING = {"bf": 0}
"""H.264 option for clips that are retimed: packets then lie in the order in which they are shown."""


def retime(source: Path, target: Path, path: Path, container: str, times: TimeTable) -> None:
    """Copy the packets of the clip `source`, which has an even rate, to `target` with the times of `times`.

    ffmpeg can take frames from a pipe at an even rate only, so variable ones are set here, in a second step.
    PyAV does it, because what ffmpeg's own filters for packets can do differs between its versions.

    Parameters
    ----------
    source, target
        Clips with one track of pictures in the order of showing; `target` is overwritten.
    path
        The name to use in messages.
    container
        ffmpeg's name of the container.
    times
        One time for every packet.

    Raises
    ------
    EncodeError
        `source` has another number of packets, or the disk is full.
    """
    import av

    ticks = [round(start / CLOCK) for start in (*times.starts, times.end)]
    options = {"movflags": "+faststart"} if container in {"mp4", "mov"} else {}
    count = 0
    try:
        with (
            av.open(file_url(source), options=PYAV_OPTIONS) as given,
            av.open(file_url(target), "w", format=container, options=options) as made,
        ):
            pictures = given.streams.video[0]
            track = made.add_stream_from_template(pictures)
            track.time_base = CLOCK
            for packet in given.demux(pictures):
                if packet.size and count < len(times.starts):
                    packet.time_base = CLOCK
                    packet.pts = packet.dts = ticks[count]
                    packet.duration = ticks[count + 1] - ticks[count]
                    packet.stream = track
                    made.mux(packet)
                count += bool(packet.size)
    except OSError as error:
        raise unwritable(path, error) from error
    except av.error.FFmpegError as error:
        raise EncodeError(f"cannot write {path}: {error}") from error
    if count != len(times.starts):
        raise EncodeError(f"cannot write {path}: {count} frames for {len(times.starts)} times")
