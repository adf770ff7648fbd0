"""`--report` on every kind of job: one page with what became of it."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from pipeline_runs import QUICK, QUICK_CLIP, deepfusion, done, refused, tree

from video.images import read_image, write_image

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("uncompiled")]


def text_of(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!data:|#)', text), "everything is in the page"
    return html.unescape(text)


def test_a_clip(clip: Path, style: Path, tmp_path: Path) -> None:
    cuts, page, out = tmp_path / "cuts.txt", tmp_path / "page.html", tmp_path / "out.mkv"
    cuts.write_text("3\n")
    ran = done("video", clip, "--style", style, "-o", out, *QUICK_CLIP, "--cuts", cuts, "--report", page,
               "--keyframe", "0 strength=0", "--keyframe", "4 strength=1")  # fmt: skip
    assert f"{page}  (report)" in ran.out
    text = text_of(page)
    for shown in ("frame 5", "warping error", "vgg19-slim", str(out), 'cuts = "cuts.txt"', "[[keyframes]]"):
        assert shown in text, shown
    assert text.count("data:image/jpeg") >= 6 * 2  # a pair a frame
    assert tree(tmp_path) == ["cuts.txt", "out.mkv", "page.html"]


def test_a_picture(photo: Path, style: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done("image", photo, "--style", style, "-o", tmp_path / "o.png", *QUICK, "--report", page, "--seed", "7")
    text = text_of(page)
    assert "seed" in text
    assert "photo.png" in text
    assert "exists" in refused(
        "image", photo, "--style", style, "-o", tmp_path / "p.png", *QUICK, "--report", page
    )


def test_an_album(photo: Path, pictures: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a.png", "b.png"):
        write_image(photos / name, read_image(photo))
    (photos / "broken<b>.jpg").write_text("no picture")
    command = ("album", photos, "--style", pictures / "red.png", "--style", pictures / "blue.png",
               "-o", tmp_path / "out", *QUICK, "--overwrite")  # fmt: skip
    for _ in range(2):  # the second time all is there already
        assert deepfusion(*command, "--report", tmp_path / "page.html").code == 1
        raw = (tmp_path / "page.html").read_text()
        assert "broken<b>.jpg" not in raw
        text = text_of(tmp_path / "page.html")
        assert "broken<b>.jpg" in text
        assert all(name in text for name in ("red/a.png", "red/b.png", "blue/a.png", "blue/b.png"))


@pytest.mark.parametrize("name", ["page.txt", "no/page.html"])
def test_where_a_page_cannot_go(name: str, photo: Path, style: Path, tmp_path: Path) -> None:
    said = refused("image", photo, "--style", style, "-o", tmp_path / "o.png", "--report", tmp_path / name)
    assert str(tmp_path / name) in said
