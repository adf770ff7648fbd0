"""Cut the demo's small clip, photos and paintings from a folder of full-size originals.

    python scripts/make_docs.py demo FOLDER [--to pipeline/demo]

FOLDER holds ``videos/``, ``photos/`` and ``paintings/``: the sources in pipeline/demo/CREDITS.md, under the
names below. The clip there is 640x360 and starts at its source's second 9.5.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

import imageio_ffmpeg
from PIL import Image, ImageOps

LONGER_SIDE = 512
CLIP = ("videos/bunny-two-cuts.mp4", "meadow.mp4")
CLIP_FRAMES, CLIP_RATE, CLIP_WIDTH = 48, 24, 384
# source, name, box (left, top, right, bottom) without the photograph's borders or None, JPEG quality
PICTURES = (
    ("photos/chelsea-cat.png", "cat.jpg", None, 90),
    ("photos/tulips.png", "tulips.jpg", None, 90),
    ("paintings/vangogh-starry-night.jpg", "starry-night.jpg", (20, 2, 1260, 1002), 88),
    ("paintings/hokusai-great-wave.jpg", "great-wave.jpg", (6, 6, 920, 508), 88),
    ("paintings/turner-shipwreck-minotaur.jpg", "shipwreck.jpg", (2, 6, 998, 688), 88),
    ("paintings/munch-scream.jpg", "scream.jpg", (4, 2, 1132, 1524), 88),
    ("paintings/monet-water-lilies.jpg", "water-lilies.jpg", (4, 6, 1596, 1046), 88),
    ("paintings/bruegel-harvesters.jpeg", "harvesters.jpg", (14, 8, 1157, 848), 88),
)


def cut_clip(source: Path, target: Path) -> None:
    """Write the first two seconds of `source`, smaller, as H.264 and AAC."""
    video = (
        f"trim=end_frame={CLIP_FRAMES},scale={CLIP_WIDTH}:-2:flags=lanczos:out_color_matrix=bt709:out_range=tv,"
        "format=yuv420p,setsar=1,setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
    )
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y", "-protocol_whitelist", "file",
        "-i", f"file:{source}", "-map", "0:v:0", "-map", "0:a:0", "-map_metadata", "-1",
        "-vf", video, "-af", f"atrim=end={CLIP_FRAMES / CLIP_RATE}", "-fps_mode", "passthrough",
        "-c:v", "libx264", "-preset", "veryslow", "-crf", "18", "-c:a", "aac", "-b:a", "96k",
        "-movflags", "+faststart", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact",
        f"file:{target}",
    ]  # fmt: skip
    subprocess.run(command, check=True)


def cut_picture(source: Path, target: Path, box: tuple[int, int, int, int] | None, quality: int) -> None:
    """Write `source` upright, cropped to `box`, with its longer side at most 512 px, without metadata."""
    with Image.open(source) as opened:
        picture = ImageOps.exif_transpose(opened).convert("RGB").crop(box)
    picture.thumbnail((LONGER_SIDE, LONGER_SIDE), Image.Resampling.LANCZOS)
    bare = Image.frombytes("RGB", picture.size, picture.tobytes())
    bare.save(target, quality=quality, subsampling=0, optimize=True)


def main(arguments: list[str]) -> None:
    """Read the two folders from the command line and write every demo file."""
    parser = argparse.ArgumentParser(prog="make_docs.py demo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="the originals: videos/, photos/, paintings/")
    default = Path(__file__).resolve().parents[2] / "pipeline" / "demo"
    parser.add_argument("--to", type=Path, default=default, help="where to write (default: pipeline/demo)")
    options = parser.parse_args(arguments)
    missing = [name for name, *_ in (CLIP, *PICTURES) if not (options.folder / name).is_file()]
    if missing:
        names = ", ".join(missing)
        parser.error(f"{options.folder}: lacks {names}; give the folder of originals")
    options.to.mkdir(parents=True, exist_ok=True)
    cut_clip(options.folder / CLIP[0], options.to / CLIP[1])
    for source, name, box, quality in PICTURES:
        cut_picture(options.folder / source, options.to / name, box, quality)
    for path in sorted(options.to.iterdir()):
        print(f"{path.stat().st_size:8d}  {path.name}")
