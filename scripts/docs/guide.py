"""Make the pictures of docs/guide.md anew, by the very commands it shows.

    python scripts/make_docs.py guide MEDIA [--only NAME ...]

Reads the commands from docs/guide.md: every block of commands that stands above a picture,
`images/guide/NAME.jpg`, makes it. Pictures are put side by side in it, at the size of this page; of clips and
albums it is the contact sheet, and of a preview its sheet. MEDIA has folders `photos`, `paintings` and
`videos` with the files that the guide names; masks are drawn here.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shlex
import tempfile
from pathlib import Path

import numpy as np

from pipeline.cli.main import main as deepfusion
from scripts.docs.pictures import row
from stylize.types import FloatImage
from video.decode import fit_size
from video.images import read_image, resize_image, write_image

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide.md"
SIZE = ("--size", "320", "-q", "--overwrite")
WIDEST = 1440
BLOCK = re.compile(r"```sh\n(deepfusion [^`]*?)```\s*!\[[^\]]*\]\(images/guide/([\w-]+)\.jpg\)", re.S)


def blocks(text: str) -> dict[str, list[list[str]]]:
    """The arguments of each picture's commands."""
    found = {}
    for commands, name in BLOCK.findall(text):
        lines = commands.replace("\\\n", " ").strip().splitlines()
        found[name] = [shlex.split(line)[1:] for line in lines]
    return found


def draw_masks(photo: Path, folder: Path) -> None:
    """The masks that the guide names: the cat's face, with a soft edge."""
    height, width, _ = read_image(photo).shape
    rows, columns = np.mgrid[0:height, 0:width]
    distance = np.hypot((columns - 0.45 * width) / (0.33 * width), (rows - 0.5 * height) / (0.5 * height))
    face = np.clip((1.05 - distance) / 0.1, 0.0, 1.0).astype(np.float32)
    write_image(folder / "face.png", np.dstack([face] * 3))
    write_image(folder / "around.png", np.dstack([1.0 - face] * 3))


def shown_by(arguments: list[str]) -> Path:
    """The file that shows what a command has made."""
    if "--contact-sheet" in arguments:
        return Path(arguments[arguments.index("--contact-sheet") + 1])
    output = Path(arguments[arguments.index("-o") + 1])
    return output.with_name(f"{output.name}.preview.png") if "--preview" in arguments else output


def page(results: list[FloatImage]) -> FloatImage:
    """Pictures in a row; a single one as it is, but no wider than a page."""
    if len(results) > 1:
        return row(results)
    height, width, _ = results[0].shape
    return resize_image(results[0], fit_size(width, height, max(WIDEST, height)))


def main(arguments: list[str]) -> None:
    """Run the commands of every picture in a folder with the media; write the pictures."""
    parser = argparse.ArgumentParser(prog="make_docs.py guide", description=__doc__.splitlines()[0])
    parser.add_argument("media", type=Path)
    parser.add_argument("--only", nargs="+", help="only the pictures of these names")
    options = parser.parse_args(arguments)
    images = GUIDE.parent / "images" / "guide"
    images.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind in ("photos", "paintings", "videos"):
            for file in (options.media / kind).iterdir():
                (folder / file.name).symlink_to(file.resolve())
        (folder / "photos").symlink_to((options.media / "photos").resolve())
        draw_masks(folder / "chelsea-cat.png", folder)
        os.chdir(folder)
        for name, commands in blocks(GUIDE.read_text(encoding="utf-8")).items():
            if options.only and name not in options.only:
                continue
            results = []
            for arguments in commands:
                print(f"{name}: deepfusion {shlex.join(arguments)}", flush=True)
                with contextlib.suppress(SystemExit):
                    deepfusion([*arguments, *SIZE])
                results.append(read_image(shown_by(arguments)))
            write_image(images / f"{name}.jpg", page(results), quality=85)
