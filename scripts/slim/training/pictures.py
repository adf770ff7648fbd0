"""The pictures to train on: read from folders and zip files, some held back, the rest cropped at random."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

ByteImage = NDArray[np.uint8]

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
LONGEST_SIDE = 512
"""Larger pictures are reduced to this: details beyond it never reach a crop."""
SMALLEST_ZOOM = 0.75
"""A crop takes in at least this part of its own side, enlarged; at most the whole shorter side, reduced."""


def read_pictures(sources: Sequence[Path], *, smallest: int) -> dict[str, ByteImage]:
    """Every picture in `sources`, folders (searched deeply) or zip files, by name in a fixed order.

    Parameters
    ----------
    smallest
        Shorter side in pixels below which a picture is left out.

    Raises
    ------
    SystemExit
        In one line, when a source cannot be read or nothing is left.
    """
    found: dict[str, ByteImage] = {}
    for source in sources:
        for name, data in _files(source):
            try:
                with Image.open(io.BytesIO(data)) as opened:
                    picture = ImageOps.exif_transpose(opened).convert("RGB")
            except OSError as error:
                raise SystemExit(f"{source}: {name} cannot be read as a picture: {error}") from error
            picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
            if min(picture.size) >= smallest:
                key = f"{source.name}/{name}"
                if key in found:
                    raise SystemExit(f"{source}: another source of the same name has {name} too; rename one")
                found[key] = np.asarray(picture)
    if not found:
        raise SystemExit(f"no picture of at least {smallest} px in {', '.join(map(str, sources))}")
    return dict(sorted(found.items()))


def hold_back(
    pictures: dict[str, ByteImage], count: int, seed: int
) -> tuple[dict[str, ByteImage], dict[str, ByteImage]]:
    """Split into (training, held back): `count` pictures spread evenly over the names, chosen by `seed`."""
    names = list(pictures)
    if count >= len(names):
        raise SystemExit(f"cannot hold back {count} of {len(names)} pictures")
    rng = np.random.default_rng([seed, 1])
    edges = np.linspace(0, len(names), count + 1).astype(int)
    kept = {names[rng.integers(low, high)] for low, high in pairwise(edges)}
    return (
        {name: picture for name, picture in pictures.items() if name not in kept},
        {name: picture for name, picture in pictures.items() if name in kept},
    )


def random_crop(pictures: Sequence[ByteImage], side: int, rng: np.random.Generator) -> ByteImage:
    """A square of `side` pixels: any picture, place and zoom, half of them mirrored, some recoloured.

    The optimiser shows the network pictures that no camera makes. So one crop in four has its colours
    stretched, and one in eight has noise of up to a tenth of the range.
    """
    picture = pictures[int(rng.integers(len(pictures)))]
    shorter = min(picture.shape[:2])
    extent = round(np.exp(rng.uniform(np.log(min(SMALLEST_ZOOM * side, shorter)), np.log(shorter))))
    top = rng.integers(picture.shape[0] - extent + 1)
    left = rng.integers(picture.shape[1] - extent + 1)
    crop = picture[top : top + extent, left : left + extent]
    if extent != side:
        resized = Image.fromarray(crop).resize((side, side), Image.Resampling.LANCZOS)
        crop = np.asarray(resized)
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    if rng.random() < 0.25:
        gain, offset = rng.uniform(0.6, 1.6, 3), rng.uniform(-40, 40, 3)
        crop = np.clip((crop - 128.0) * gain + 128.0 + offset, 0, 255)
    if rng.random() < 0.125:
        crop = np.clip(crop + rng.normal(0.0, rng.uniform(2, 26), crop.shape), 0, 255)
    return np.ascontiguousarray(crop).astype(np.uint8)


def _is_picture(name: str) -> bool:
    """By its suffix, and without what a Mac leaves beside files in an archive."""
    return name.lower().endswith(SUFFIXES) and not name.startswith("._")


def _files(source: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of the picture files in a folder or zip file."""
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if _is_picture(path.name) and path.is_file():
                yield str(path.relative_to(source)), path.read_bytes()
        return
    try:
        with zipfile.ZipFile(source) as archive:
            for name in sorted(archive.namelist()):
                if _is_picture(name.rpartition("/")[2]):
                    yield name, archive.read(name)
    except (OSError, zipfile.BadZipFile) as error:
        raise SystemExit(f"{source}: neither a folder nor a zip file: {error}") from error
