"""Pictures whose corners tell them apart, files made of them, and what reading them comes to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from video.errors import InputError
from video.images import read_image, to_uint8

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def quarters() -> Image.Image:
    """A 6x4 picture: red and green above blue and white, so that every orientation looks different."""
    image = Image.new("RGB", (6, 4), WHITE)
    image.paste(RED, (0, 0, 3, 2))
    image.paste(GREEN, (3, 0, 6, 2))
    image.paste(BLUE, (0, 2, 3, 4))
    return image


def wide_profile(name: str = "Test") -> bytes:
    """An sRGB profile whose red and green primaries have changed places, under another name."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    entries = (136 + 12 * number for number in range(int.from_bytes(data[128:132], "big")))
    table = {bytes(data[at - 4 : at]): int.from_bytes(data[at : at + 4], "big") for at in entries}
    red, green = table[b"rXYZ"], table[b"gXYZ"]
    data[red : red + 20], data[green : green + 20] = data[green : green + 20], data[red : red + 20]
    return bytes(data.replace("sRGB".encode("utf-16-be"), name.encode("utf-16-be")))


def save_heic(path: Path, image: Image.Image, **options: Any) -> Path:
    """Write a HEIC photo; in tiles of 64 pixels if it is larger and opaque (telephones make tiles of 512)."""
    import pillow_heif

    pillow_heif.from_pillow(image).save(path, **{"quality": 90, "tile_size": 64} | options)
    return path


def read_bytes(path: Path, **options: Any) -> np.ndarray:
    return to_uint8(read_image(path, **options))


def refusal(path: Path, **options: Any) -> str:
    """The one line in which a picture is refused."""
    with pytest.raises(InputError) as caught:
        read_image(path, **options)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)
