"""Whether picture and sound stay together: a flash and a click every second, through everything we write.

    python scripts/torture/sync.py [--only NAME] [--keep FOLDER]

Clips with a flash and a click at each full second are made whole and damaged, read, and written into every
container. In what comes out both are looked for and listened to: each flash must have its click within one
frame. Prints a Markdown table of the largest distance in milliseconds, and exits 1 if any is too large.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import av
import numpy as np

from scripts import tables
from video.decode import FrameRange, read_frames
from video.encode import VIDEO_FORMATS, FrameWriter
from video.frame_times import FrameTimes, shown_at
from video.probe import probe
from video.rehearsal import rehearse
from video.tools import file_url, run_ffmpeg

RATE, SECONDS, SIZE = 25, 6, (96, 64)
CLICK = 0.02
"""Seconds that a click lasts."""

BRIGHT, LOUD, QUIET = 0.5, 0.25, 0.2
"""A frame brighter than this flashes; a sample louder is a click, where it was quiet for so many seconds."""

TS_PACKET = 188


@dataclass(frozen=True)
class Source:
    """How a clip with flashes and clicks is made.

    Attributes
    ----------
    pictures, sound
        Filters behind the made pictures and the made sound.
    encode
        ffmpeg's options.
    again
        Options before and after the input with which the file is copied once more, if it is.
    damage
        What is done to its bytes.
    frames
        The part that is wanted.
    flashes
        How many flashes must be left of it at least.
    """

    suffix: str = ".mp4"
    pictures: str = "null"
    sound: str = "anull"
    encode: Sequence[str] = ("-c:v", "libx264", "-preset", "veryfast", "-c:a", "aac")
    again: tuple[Sequence[str], Sequence[str]] | None = None
    damage: Callable[[bytes], bytes] | None = None
    frames: str = ":"
    flashes: int = 4


def beheaded(whole: bytes) -> bytes:
    """A transport stream that begins in the middle of a group of pictures, as one that is tuned in to."""
    begin = len(whole) // 5 // TS_PACKET * TS_PACKET
    return whole[begin:]


def holed(whole: bytes) -> bytes:
    """A transport stream of which a tenth is lost in the middle."""
    begin, end = (int(len(whole) * share) // TS_PACKET * TS_PACKET for share in (0.4, 0.5))
    return whole[:begin] + whole[end:]


def blotted(*numbers: int) -> Callable[[bytes], bytes]:
    """Motion JPEG of which these pictures cannot be decoded, while their packets and times are there."""

    def blot(whole: bytes) -> bytes:
        data, at = bytearray(whole), 0
        for number in range(max(numbers) + 1):
            at = data.index(b"\xff\xd8\xff", at) + 3
            if number in numbers:
                end = data.index(b"\xff\xd9", at)
                data[at - 3 : end] = bytes(end - at + 3)
        return bytes(data)

    return blot


MJPEG = ("-c:v", "mjpeg", "-q:v", "3", "-c:a", "pcm_s16le")
SPARSE = ("-c:v", "libx264", "-preset", "veryfast", "-g", "50", "-bf", "2", "-c:a", "aac")
UNEVEN = "select='not(between(mod(n,25),4,9))'"

SOURCES = {
    "whole": Source(),
    "Matroska": Source(".mkv"),
    "MXF": Source(".mxf", encode=("-c:v", "mpeg2video", "-q:v", "3", "-c:a", "pcm_s16le")),
    "late key frame": Source(".ts", encode=SPARSE, damage=beheaded, flashes=3),
    "frames lost at the beginning": Source(".mkv", encode=MJPEG, damage=blotted(*range(12))),
    "frames lost in the middle": Source(".mkv", encode=MJPEG, damage=blotted(*range(30, 42), 80, 81, 82)),
    "frames lost, a part of them": Source(
        ".mkv", encode=MJPEG, damage=blotted(*range(30, 42)), frames="20:100", flashes=3
    ),
    "a hole in a transport stream": Source(".ts", encode=SPARSE, damage=holed, flashes=3),
    "an edit list": Source(encode=SPARSE, again=(("-ss", "1.3"), ("-c", "copy"))),
    "fragments": Source(encode=(*SPARSE, "-movflags", "frag_keyframe+empty_moov")),
    "late pictures": Source(".mkv", pictures="trim=start_frame=10", encode=(*SPARSE, "-copyts")),
    "late sound": Source(".mkv", sound="atrim=start=0.7", encode=(*SPARSE, "-copyts")),
    "a start far from 0": Source(".ts", encode=(*SPARSE, "-output_ts_offset", "5000")),
    "variable rate": Source(".mkv", pictures=UNEVEN, encode=(*SPARSE, "-fps_mode", "passthrough")),
    "variable rate, frames lost": Source(
        ".mkv", pictures=UNEVEN, encode=(*MJPEG, "-fps_mode", "passthrough"),
        damage=blotted(*range(21, 29), 50),
    ),
    "variable rate, a part": Source(
        ".mkv", pictures=UNEVEN, encode=(*SPARSE, "-fps_mode", "passthrough"), frames="25:90", flashes=3
    ),
    "a part": Source(frames="30:120", flashes=3),
}  # fmt: skip


def make(source: Source, folder: Path) -> Path:
    """Make the clip."""
    flash = f"drawbox=c=white:t=fill:enable='lt(mod(t+0.001,1),{1 / RATE})'"
    pictures = (
        f"color=black:s={SIZE[0]}x{SIZE[1]}:r={RATE}:d={SECONDS},format=yuv420p,{flash},{source.pictures}"
    )
    click = f"if(lt(mod(t,1),{CLICK}),0.8*sin(2*PI*1000*t),0)"
    sound = f"aevalsrc='{click}':s=48000:d={SECONDS},{source.sound}"
    path = folder / f"source{source.suffix}"
    lavfi = ["-f", "lavfi", "-i", pictures, "-f", "lavfi", "-i", sound]
    _run([*lavfi, "-map", "0", "-map", "1", "-pix_fmt", "yuv420p", *source.encode, "-y", file_url(path)])
    if source.again:
        before, after = source.again
        whole, path = path, folder / f"again{source.suffix}"
        _run([*before, "-i", file_url(whole), *after, "-y", file_url(path)])
    if source.damage:
        path.write_bytes(source.damage(path.read_bytes()))
    return path


def _run(arguments: Sequence[str]) -> None:
    done = run_ffmpeg(arguments, timeout=120)
    if not done.ok:
        sys.exit(f"ffmpeg {' '.join(arguments)}: {done.reason}")


def carry(path: Path, target: Path, frames: str) -> None:
    """Read a clip and write it again with its sound, as a job does around the work."""
    clip, part = probe(path), FrameRange.parse(frames)
    seen: list[FrameTimes] = []
    pictures = list(read_frames(clip, frames=part, on_warning=lambda line: None, on_times=seen.append))
    clip = shown_at(clip, seen[0])
    height, width = pictures[0].shape[:2]
    limits = part.seconds(clip.rate)
    writer = FrameWriter(
        target, (width, height), clip.rate, sound=clip, sound_range=limits, preset="ultrafast",
        expected_frames=len(pictures),
    )  # fmt: skip
    rehearse(writer)
    with writer:
        for picture in pictures:
            writer.write(picture)


def flashes(path: Path) -> list[float]:
    """When the pictures turn bright, in seconds."""
    found, dark = [], True
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            bright = frame.to_ndarray(format="gray").mean() / 255 > BRIGHT
            if bright and dark and frame.time is not None:
                found.append(float(frame.time))
            dark = not bright
    return found


def clicks(path: Path) -> list[float]:
    """When the sound becomes loud after it was quiet, in seconds."""
    found, last = [], -1.0
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            samples = np.abs(
                av.AudioResampler("fltp", "mono", frame.sample_rate).resample(frame)[0].to_ndarray()[0]
            )
            for at in np.flatnonzero(samples > LOUD):
                time = float(frame.time or 0) + int(at) / frame.sample_rate
                if time - last > QUIET:
                    found.append(time)
                last = time
    return found


def distances(path: Path) -> list[float]:
    """Seconds from each flash to its click; positive where the sound is late. What is alone is left out."""
    heard = clicks(path)
    seen = [flash for flash in flashes(path) if heard and heard[0] - 0.5 < flash < heard[-1] + 0.5]
    return [min((click - flash for click in heard), key=abs) for flash in seen]


def rows(only: str | None, keep: Path | None) -> Iterator[tuple[str, list[float | None]]]:
    """The largest distance of each source in each container; None where too few flashes are left."""
    for name, source in SOURCES.items():
        if only not in {None, name}:
            continue
        with contextlib.ExitStack() as stack:
            folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
            path = make(source, folder)
            values: list[float | None] = []
            for suffix in VIDEO_FORMATS:
                target = folder / f"{name}{suffix}"
                carry(path, target, source.frames)
                found = distances(target)
                values.append(max(map(abs, found)) if len(found) >= source.flashes else None)
            yield name, values


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=list(SOURCES))
    parser.add_argument("--keep", type=Path, help="leave the clips in this folder")
    options = parser.parse_args()
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    tables.head("clip", *VIDEO_FORMATS, texts=1 + len(VIDEO_FORMATS))
    apart = False
    for name, values in rows(options.only, options.keep):
        cells = ["no flashes" if value is None else f"{1000 * value:.0f}" for value in values]
        apart |= any(value is None or value > 1 / RATE for value in values)
        tables.row(name, *cells)
    sys.exit(apart)


if __name__ == "__main__":
    main()
