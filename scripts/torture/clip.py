"""Whether a stylized clip has kept what the source has: frames, rate, sound, upright square pixels.

    python scripts/torture/clip.py SOURCE OUTPUT [--frames A:B]

Prints a Markdown row, and exits 1 if anything differs. The sound is compared packet by packet: every packet
of the output must be the source's, byte for byte, in order and without a gap; with all frames, all of them.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import av

from scripts import tables
from video.decode import FrameRange, read_frames
from video.probe import probe


def sound_packets(path: Path) -> list[str]:
    """The SHA-256 of every packet of the first track of sound, in order."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return []
        packets = container.demux(container.streams.audio[0])
        return [hashlib.sha256(bytes(packet)).hexdigest() for packet in packets if packet.size]


def checksum(packets: list[str]) -> str:
    """One short hash for a run of packets."""
    return hashlib.sha256("".join(packets).encode()).hexdigest()[:12]


def same_sound(source: list[str], output: list[str], *, whole: bool) -> bool:
    """Whether `output` is `source`, or, of a part of the frames, a run of it."""
    if whole or not source:
        return source == output
    starts = [index for index, packet in enumerate(source) if output and packet == output[0]]
    return any(source[start : start + len(output)] == output for start in starts)


def main() -> None:
    """Compare two clips."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--frames", default=":")
    options = parser.parse_args()
    wanted = FrameRange.parse(options.frames)
    source, output = probe(options.source), probe(options.output)
    count = len(wanted.indices(sum(1 for _ in read_frames(source))))
    decoded = sum(1 for _ in read_frames(output))
    before, after = sound_packets(options.source), sound_packets(options.output)
    sound = same_sound(before, after, whole=options.frames == ":")
    offset = float((output.audio[0].start_time - output.start_time) if output.audio else 0)
    tables.row(
        f"{options.source.name} {options.frames}",
        f"{count} / {decoded}",
        f"{source.rate} / {output.rate}",
        f"{len(before)} / {len(after)} packets, {checksum(after)}, {'equal' if sound else 'DIFFERENT'}",
        f"{offset:.4f} s",
        f"{output.pixel_format}, {output.color_space}, {output.width}x{output.height}",
    )
    sys.exit(not (count == decoded and source.rate == output.rate and sound))


if __name__ == "__main__":
    main()
