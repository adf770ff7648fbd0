"""The page of a job: what is in it, that it is safe and alone, and how large it becomes."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.views.report.chart_types import Chart, Mark, Series, spoken
from pipeline.views.report.charts import charts_of
from pipeline.views.report.content import ReportPage, Row
from pipeline.views.report.drawing import WIDE, Drawing, draw, steps
from pipeline.views.report.embedding import (
    LONGEST_SIDE,
    PAIR_LIMITS,
    Pair,
    Thumb,
    chosen_frames,
    chosen_pairs,
    embedded,
    embedded_pairs,
    embedded_thumb,
)
from pipeline.views.report.page import report_text, write_report_page
from video.errors import EncodeError, InputError

NASTY = "<script>alert(1)</script>\"'&<img src=x onerror=alert(2)>.png"


def grey(height: int = 6, width: int = 8) -> np.ndarray:
    return np.full((height, width, 3), 0.5, np.float32)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).random((height, width, 3), dtype=np.float32)


def row(index: int, *, cut: bool = False, error: float | None = None, **losses: float) -> Row:
    return Row(f"frame {index}", index, 1, cut, losses or {"total": 1.0}, 10 + index, 0.5, error)


def chart(values: tuple[float | None, ...], **other: object) -> Chart:
    x = tuple(map(float, range(len(values))))
    names = tuple(map(str, range(len(values))))
    made = Chart("key", "Title", "frame", "loss", "frame", x, (Series("total", values),), names)
    return replace(made, **other)  # type: ignore[arg-type]


class Tags(HTMLParser):
    """Every tag of a page with its attributes, in order, and every text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def values(self, attribute: str) -> list[str]:
        return [found[attribute] or "" for _, found in self.tags if attribute in found]


def nasty_page(command: str) -> ReportPage:
    pairs = [Pair(f"{NASTY}{number}", NASTY * (number % 2), grey(), grey()) for number in range(3)]
    return ReportPage(
        NASTY,
        command,  # type: ignore[arg-type]
        facts=[(NASTY, NASTY)],
        settings=[(NASTY, NASTY, None), ("a", NASTY, "b"), ("c", NASTY, NASTY)],
        environment=[(NASTY, NASTY)],
        rows=[Row(pair.name, number, 1, False, {NASTY: 1.0}, 1, 1.0) for number, pair in enumerate(pairs)],
        pairs=pairs,
        thumbs=[Thumb(pair.name, grey()) for pair in pairs],
        curves=[(1, 0, {NASTY: 1.0, "total": 2.0}), (2, 0, {NASTY: 0.5, "total": 1.0})],
        warnings=[NASTY],
        rerun=NASTY,
        job_file=NASTY,
        failed=[(NASTY, NASTY)],
    )


@pytest.mark.parametrize("command", ["image", "video", "album"])
def test_what_is_told_is_text(command: str) -> None:
    text = report_text(nasty_page(command))
    page, plain = Tags(text), Tags(report_text(replace(nasty_page(command), title="x")))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not {name for _, found in page.tags for name in found if name.startswith("on")}
    assert "<script>alert" not in text
    assert NASTY in "".join(page.texts)
    assert any(NASTY in value for value in page.values("alt"))


@pytest.mark.parametrize("command", ["image", "video", "album"])
def test_page_loads_nothing(command: str) -> None:
    text = report_text(nasty_page(command))
    page = Tags(text)
    assert all(address.startswith("data:image/jpeg;base64,") for address in page.values("src"))
    assert all(address.startswith("#") for address in page.values("href"))
    assert not {"link", "iframe", "object", "embed", "base"} & {tag for tag, _ in page.tags}
    assert re.findall(r"url\(|@import|https?://", text) == []
    (policy,) = [found["content"] for _, found in page.tags if "http-equiv" in found]
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_ids_are_unique_and_labels_refer_to_them() -> None:
    page = Tags(report_text(nasty_page("album")))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    named = {one for value in page.values("aria-labelledby") for one in value.split()}
    assert named <= set(ids)
    assert {value[1:] for value in page.values("href")} <= set(ids)


def test_settings_that_differ_stand_first() -> None:
    settings = [("same", "1", "1"), ("changed", "2", "1"), ("given", "x", None)]
    text = report_text(ReportPage("t", "image", settings=settings))
    assert text.index(">changed<") < text.index(">given<") < text.index("<details>") < text.index(">same<")
    assert "1 more, as they are by default" in text


def test_linear_chart_has_its_points_where_they_belong() -> None:
    drawing = draw(chart((0.0, 5.0, 10.0)), WIDE, "k")
    (curve,) = drawing.curves
    xs, ys = [x for x, _ in curve.dots], [y for _, y in curve.dots]
    assert ys[0] == drawing.bottom
    assert ys[1] - ys[0] == pytest.approx(ys[2] - ys[1], abs=0.2)
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)
    tick = {one.text: one.at for one in drawing.y_ticks}
    assert tick["0"] == drawing.bottom
    assert tick["10"] == ys[2]
    assert [one.text for one in drawing.x_ticks] == ["0", "1", "2"]
    assert [one.at for one in drawing.x_ticks] == xs


def test_scale_is_logarithmic_when_values_differ_much() -> None:
    wide = chart((1.0, 10.0, 100.0), log_allowed=True)
    assert wide.is_log
    assert not chart((1.0, 10.0, 100.0)).is_log
    assert not chart((1.0, 2.0), log_allowed=True).is_log
    ys = [y for _, y in draw(wide, WIDE, "k").curves[0].dots]
    assert ys[1] - ys[0] == pytest.approx(ys[2] - ys[1], abs=0.2)
    assert "logarithmic" in wide.summary
    held = draw(chart((0.0, 1.0, 100.0), log_allowed=True), WIDE, "k").curves[0]
    assert len(held.dots) == 2


def test_a_missing_value_and_a_break_interrupt_the_line() -> None:
    gap = draw(chart((1.0, 2.0, None, 3.0, 4.0, float("nan"))), WIDE, "k").curves[0]
    assert gap.path.count("M") == 2
    assert len(gap.dots) == 4
    broken = draw(chart((1.0, 2.0, 3.0, 4.0), breaks=frozenset({2})), WIDE, "k").curves[0]
    assert broken.path.count("M") == 2


def test_bars_stand_on_the_axis() -> None:
    drawing = draw(chart((1.0, 2.0), kind="bars"), WIDE, "k")
    bars = drawing.curves[0].shapes
    assert bars.count("z") == 2
    heights = [drawing.bottom - float(one) for one in re.findall(r"V([\d.]+)h", bars)]
    assert heights[1] == pytest.approx(2 * heights[0], abs=0.3)


def test_long_lines_are_thinned_but_keep_their_peaks() -> None:
    values = [0.0] * 50_000
    values[31_234] = 1.0
    curve = draw(chart(tuple(values)), WIDE, "k").curves[0]
    assert len(curve.path) < 60_000
    top = draw(chart((0.0, 1.0)), WIDE, "k").curves[0].dots[1][1]
    assert f" {top}" in curve.path
    head, rows, step = chart(tuple(values)).table
    assert head == ["frame", "total"]
    assert len(rows) <= 600
    assert step == 84


def page_charts(rows: list[Row], command: str = "video") -> dict[str, Chart]:
    page = ReportPage("t", command, rows=rows)  # type: ignore[arg-type]
    return {one.key: one for one in charts_of(page)}


def test_cuts_are_marked_between_frames() -> None:
    rows = [row(0, cut=True), row(1, error=0.1), row(2, cut=True), row(3, error=0.2)]
    errors = page_charts(rows)["errors"]
    assert errors.marks == (Mark(1.5, "cut", "at frame 2"),)
    drawing = draw(errors, WIDE, "k")
    at = {one.text: one.at for one in drawing.x_ticks}
    assert drawing.marks[0].at == pytest.approx((at["1"] + at["2"]) / 2, abs=0.1)
    assert "Marked: cut at frame 2." in errors.summary
    text = report_text(ReportPage("t", "video", rows=rows))
    assert text.count('<g class="mark">') == 4 * 2


def test_losses_are_a_series_a_term_total_first() -> None:
    rows = [row(0, content=1.0, total=3.0, temporal=0.0), row(1, content=2.0, total=4.0, style=1.0)]
    losses = page_charts(rows)["losses"]
    assert [(one.name, one.values) for one in losses.series] == [
        ("total", (3.0, 4.0)),
        ("content", (1.0, 2.0)),
        ("style", (None, 1.0)),
    ]
    assert losses.table[1] == [["frame 0", "3", "1", "–"], ["frame 1", "4", "2", "1"]]
    assert losses.summary.startswith("Total: from 3 at frame 0 to 4 at frame 1, between 3 and 4.")


def test_iterations_are_apart_where_the_level_changes() -> None:
    curves = [(1, 1, {"total": 4.0}), (2, 1, {"total": 3.0}), (3, 0, {"total": 5.0}), (4, 0, {"total": 2.0})]
    (made,) = charts_of(ReportPage("t", "image", curves=curves))
    assert made.marks == (Mark(2.5, "full size", "from 3 on"),)
    assert made.breaks == {2}
    assert made.names[0] == "iteration 1 (1/2 size)"


def test_without_errors_there_is_no_chart_of_them() -> None:
    assert set(page_charts([row(0), row(1)])) == {"losses", "evaluations", "seconds"}
    assert "Warping error" not in report_text(ReportPage("t", "video", rows=[row(0), row(1)]))


@pytest.mark.parametrize("command", ["image", "video", "album"])
def test_nothing_and_one_of_each_make_a_page(command: str) -> None:
    empty = ReportPage("t", command)  # type: ignore[arg-type]
    assert "<svg" not in report_text(empty)
    pair = Pair("frame 0", "s", grey(), grey())
    one = replace(empty, rows=[row(0, cut=True)], pairs=[pair], curves=[(1, 0, {"total": 1.0})])
    text = report_text(replace(one, thumbs=[Thumb("frame 0", grey())]))
    assert text.count('type="range"') == 1
    assert "<svg" in text
    for made in charts_of(one):
        assert_inside(draw(made, WIDE, "k"))


@pytest.mark.parametrize(
    "values", [(0.0, 0.0), (-1.0, 2.0), (1e9, 3e9), (1e-9, 2e-9), (5.0, 5.0), (float("inf"), 1.0)]
)
@pytest.mark.parametrize("kind", ["line", "dots", "bars"])
def test_every_drawing_stays_inside(values: tuple[float, ...], kind: str) -> None:
    for log in (False, True):
        assert_inside(draw(chart(values, kind=kind, log_allowed=log), WIDE, "k"))


def assert_inside(drawing: Drawing) -> None:
    for curve in drawing.curves:
        numbers = re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", curve.path + curve.shapes)
        points = [*curve.dots, *((float(x), float(y)) for x, y in numbers)]
        assert all(drawing.left <= x <= drawing.right for x, _ in points)
        assert all(drawing.top <= y <= drawing.bottom for _, y in points)


def test_steps_and_spoken_numbers() -> None:
    assert steps(0.0, 1.0, 5) == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    said = {0.61234: "0.6123", 0.0: "0", 12345.0: "12345", 3e9: "3·10⁹", 1e-7: "10⁻⁷"}
    assert {value: spoken(value) for value in said} == said
    assert spoken(None) == spoken(float("nan")) == "–"


@pytest.mark.parametrize(("count", "limit"), [(0, 100), (1, 100), (100, 100), (101, 100), (3000, 24), (5, 1)])
def test_chosen_frames_are_spread_over_all(count: int, limit: int) -> None:
    chosen = chosen_frames(count, limit)
    assert len(chosen) == len(set(chosen)) == min(count, limit)
    assert chosen == sorted(chosen)
    if len(chosen) > 1:
        assert (chosen[0], chosen[-1]) == (0, count - 1)


def test_chosen_pairs_of_a_clip_are_in_the_strip() -> None:
    assert set(chosen_pairs(300, "video")) <= set(chosen_frames(300))
    assert len(chosen_pairs(300, "video")) == PAIR_LIMITS["video"]
    assert len(chosen_pairs(5000, "album")) == PAIR_LIMITS["album"]


def test_too_many_pairs_are_counted_and_said() -> None:
    pairs = [Pair(f"frame {number}", "s", grey, grey) for number in range(30)]
    shown, left_out = embedded_pairs(pairs, "video")
    assert (len(shown), left_out) == (24, 6)
    thumbs = [Thumb(pair.name, grey) for pair in pairs]
    assert "6 more before-and-after pairs are not shown" in report_text(
        ReportPage("t", "video", pairs=pairs, thumbs=thumbs)
    )
    photos = [Pair(str(number), "s", grey, grey) for number in range(303)]
    assert "300 of 303 photos" in report_text(ReportPage("t", "album", pairs=photos))


def test_pictures_are_jpegs_of_the_size_they_say() -> None:
    shown = embedded(noise(700, 1400), LONGEST_SIDE, 10_000_000)
    assert (shown.width, shown.height) == (960, 480)
    data = base64.b64decode(shown.address.removeprefix("data:image/jpeg;base64,"))
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.size) == ("JPEG", (960, 480))
    thumb = embedded_thumb(noise(300, 600))
    assert (thumb.width, thumb.height) == (192, 96)
    assert len(embedded(noise(700, 1400), LONGEST_SIDE, 50_000).address) <= 50_000
    original = Pair("a", "s", noise(400, 600), grey(20, 30))
    assert embedded_pairs([original], "image")[0][0].before.width == 30


@pytest.mark.slow
def test_a_page_of_a_long_clip_stays_small(tmp_path: Path) -> None:
    picture = noise(540, 960)
    rows = [row(number, cut=number % 60 == 0, error=0.1, total=1.0, style=0.5) for number in range(300)]
    pairs = [Pair(rows[number].name, "s", picture, picture) for number in chosen_pairs(300, "video")]
    thumbs = [Thumb(rows[number].name, picture) for number in chosen_frames(300)]
    path = tmp_path / "page.html"
    write_report_page(path, ReportPage("t", "video", rows=rows, pairs=pairs, thumbs=thumbs))
    assert path.stat().st_size < 15_000_000


def test_pairs_of_a_large_album_stay_small() -> None:
    largest = 34_000_000 // 600
    shown = embedded(noise(600, 800), 512, largest)
    assert len(shown.address) <= largest
    assert shown.width > 200


def test_page_is_not_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_report_page(path, ReportPage("first", "image"))
    with pytest.raises(InputError, match="exists already"):
        write_report_page(path, ReportPage("second", "image"))
    write_report_page(path, ReportPage("third \udcff", "image"), overwrite=True)
    assert r"<h1>third \xff</h1>" in path.read_text(encoding="utf-8")
    with pytest.raises(InputError, match="suffix"):
        write_report_page(tmp_path / "page.txt", ReportPage("t", "image"))
    broken = Pair("a", "s", grey() * np.float32("nan"), grey())
    with pytest.raises(EncodeError, match="not finite"):
        write_report_page(tmp_path / "other.html", ReportPage("t", "image", pairs=[broken]))
    assert [one.name for one in tmp_path.iterdir()] == ["page.html"]
