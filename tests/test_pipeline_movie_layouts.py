"""Layouts of progress movies: what stands where, captions, wipes, grids, and what does not go together."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from movie_runs import GROUND, make_run, picture
from PIL import ImageFont
from pipeline_runs import QUICK, done, frames_of, refused

from pipeline.errors import UsageError
from pipeline.montage.captions import Caption, band_height, common_form, cut, draw_caption
from pipeline.montage.layouts import (
    Area,
    Box,
    Layout,
    fitted_size,
    grid_layout,
    rows_of,
    side_layout,
    single_layout,
)
from pipeline.montage.movie import LARGEST_GRID, WAIT, WIPE, write_progress_movie
from pipeline.montage.panels import Growth, wipe
from pipeline.montage.snapshots import Snapshot, read_snapshots
from pipeline.settings.run_options import MovieOptions
from pipeline.styling.one_picture import styles_of
from stylize.look import Look
from video.images import from_uint8, resize_image, to_uint8

CLIP = Area((1920, 1920))


def pixels(value: np.ndarray) -> np.ndarray:
    """As it is after it was saved."""
    return from_uint8(to_uint8(value))


def inside(frame: np.ndarray, box: Box) -> np.ndarray:
    return frame[box.top : box.top + box.height, box.left : box.left + box.width]


def movie(folders: list[Path], **options: Any) -> None:
    given: dict[str, Any] = {"seconds": 0.5, **options}
    asked = MovieOptions(**given)
    write_progress_movie(folders, folders[0] / "m.mp4", asked, hold=0.2, rate=10)


@pytest.mark.parametrize(
    ("size", "beside", "shape"),
    [((60, 40), "style", 2.2), ((40, 60), "all", 2.0), ((120, 40), "content", 2.0)],
)
def test_the_arrangement_follows_the_shape(size: tuple[int, int], beside: str, shape: float) -> None:
    layout = side_layout([size], CLIP, captions=False)
    content, style, result = layout.boxes
    assert result.size == size
    assert layout.size[0] / layout.size[1] == pytest.approx(shape, rel=0.15)
    if beside == "all":
        assert content.top == style.top == result.top and content.size == style.size == size
        assert content.left < style.left < result.left
    elif beside == "style":
        assert content.left == style.left < result.left and content.top < style.top
        assert style.top + style.height == result.top + result.height
    else:
        assert content.top == style.top < result.top and content.left == result.left < style.left


@pytest.mark.parametrize("losses", [False, True])
def test_side_shows_content_style_and_result(tmp_path: Path, shown: list[np.ndarray], losses: bool) -> None:
    content, style = picture(4, (48, 32)), picture(9, (20, 20))
    result = make_run(tmp_path / "run", content=content, styles=[style])
    movie([tmp_path / "run"], layout="side", losses=losses)
    layout = side_layout([(48, 32)], CLIP, captions=False)
    first, last = (frame[: layout.size[1]] for frame in (shown[0], shown[-1]))
    assert (len(shown[0]) > layout.size[1]) is losses
    small, room, large = layout.boxes
    for frame in (first, last):
        expected = resize_image(pixels(content), fitted_size((48, 32), small.size))
        assert np.array_equal(inside(frame, small)[: len(expected)], expected)
        fitted = resize_image(pixels(style), fitted_size((20, 20), room.size))
        left = (room.width - fitted.shape[1]) // 2
        assert np.array_equal(inside(frame, room)[:, left : left + fitted.shape[1]], fitted)
        assert np.allclose(inside(frame, room)[:, :left], GROUND) and left > 0
    assert np.array_equal(inside(last, large), result)
    assert not np.array_equal(inside(first, large), result)


def test_several_styles_share_their_place(tmp_path: Path, shown: list[np.ndarray]) -> None:
    flat = [np.full((16, 16, 3), value, np.float32) for value in (0.2, 0.6, 1.0)]
    make_run(tmp_path / "run", (96, 64), content=picture(4, (96, 64)), styles=flat)
    movie([tmp_path / "run"], layout="side")
    room = side_layout([(96, 64)], CLIP, captions=False).boxes[1]
    for style in flat:
        same = np.all(np.isclose(inside(shown[0], room), pixels(style)[0, 0], atol=1e-6), axis=-1)
        assert np.count_nonzero(same) > 30


@pytest.mark.parametrize("layout", ["single", "side", "grid"])
@pytest.mark.parametrize(("suffix", "limit"), [(".mp4", 1920), (".gif", 480), (".webp", 640)])
def test_the_canvas_keeps_the_limits_and_is_even(
    tmp_path: Path, shown: list[np.ndarray], layout: str, suffix: str, limit: int
) -> None:
    for number, size in enumerate([(350, 251), (167, 350)]):
        make_run(
            tmp_path / str(number), size, iterations=0, content=picture(1, size), styles=[picture(2, size)]
        )
    options = MovieOptions(layout=layout, captions=True, seconds=0.1)
    write_progress_movie([tmp_path / "0", tmp_path / "1"], tmp_path / f"m{suffix}", options, rate=4)
    height, width = shown[0].shape[:2]
    assert width % 2 == height % 2 == 0 and max(width, height) <= limit
    if layout != "single" and suffix == ".gif":
        assert max(width, height) > 0.97 * limit


@pytest.mark.parametrize("build", [single_layout, side_layout, grid_layout])
@pytest.mark.parametrize("captions", [False, True])
def test_an_exact_area_is_filled_from_its_middle(build: Callable[..., Layout], captions: bool) -> None:
    layout = build([(30, 20)], Area((200, 160), exact=True), captions=captions)
    assert layout.size == (200, 160)
    for box in layout.boxes:
        assert box.left >= 0 and box.left + box.width <= 200
        assert box.top >= 0 and box.top + box.height + band_height(layout.type_) <= 160
    assert max(box.width for box in layout.boxes) > 95


def test_the_wipe_goes_from_the_content_to_the_result() -> None:
    content, result = np.zeros((4, 40, 3), np.float32), np.ones((4, 40, 3), np.float32)
    assert np.array_equal(wipe(content, result, 0.0), content)
    assert np.array_equal(wipe(content, result, 1.0), result)
    shares = [wipe(content, result, part).mean() for part in np.linspace(0, 1, 30)]
    assert shares == sorted(shares)
    half = wipe(content, result, 0.5)
    assert np.array_equal(half[:, :20], result[:, :20]) and np.array_equal(half[:, 21:], content[:, 21:])
    assert np.allclose(half[:, 20], 0.95)


def test_the_movie_ends_with_the_wipe(tmp_path: Path, shown: list[np.ndarray]) -> None:
    content = picture(7, (48, 32))
    result = make_run(tmp_path / "run", content=content)
    movie([tmp_path / "run"], wipe=True)
    fading, waiting, wiping = 4, round(10 * WAIT), round(10 * WIPE)
    assert len(shown) == 5 + 6 + fading + waiting + wiping + 2
    assert all(np.array_equal(frame, result) for frame in (*shown[5:11], *shown[-2:]))
    assert all(np.array_equal(frame, pixels(content)) for frame in shown[11 + fading : 11 + fading + waiting])
    done = [np.count_nonzero(np.all(frame == result, axis=(0, 2))) for frame in shown[-2 - wiping :]]
    assert done == sorted(done) and done[0] < 3 and done[-1] == 48 and len(set(done)) > 10


def test_every_picture_has_its_wipe(tmp_path: Path, shown: list[np.ndarray]) -> None:
    contents = [picture(7, (48, 32)), picture(8, (48, 32))]
    for number, content in enumerate(contents):
        make_run(tmp_path / str(number), seed=number, content=content)
    movie([tmp_path / "0", tmp_path / "1"], wipe=True)
    for content in contents:
        assert any(np.array_equal(frame, pixels(content)) for frame in shown)


def test_captions_change_nothing_but_their_band(tmp_path: Path, shown: list[np.ndarray]) -> None:
    make_run(tmp_path / "run", (200, 80), levels=2)
    movie([tmp_path / "run"])
    plain, count = list(shown), len(shown)
    shown.clear()
    movie([tmp_path / "run"], captions=True)
    assert len(shown) == count
    for one, other in zip(plain, shown, strict=True):
        assert np.array_equal(one, other[:80])
    bands = [frame[80:] for frame in shown]
    assert all(band.shape[1:] == (200, 3) and np.ptp(band) > 0.5 for band in bands)
    assert not np.array_equal(bands[0], bands[-1]), "the iteration is shown"
    assert any(np.array_equal(*pair) for pair in itertools.pairwise(bands[-2:]))


def test_captions_name_level_and_iteration_where_there_is_room(tmp_path: Path) -> None:
    make_run(tmp_path / "1", levels=2, iterations=30, content=picture(5, (48, 32)))
    make_run(tmp_path / "2", levels=1, iterations=30)
    two, one = (Growth(read_snapshots(tmp_path / name), (40, 40)) for name in "12")
    assert two.grown(0.0)[1] == Caption(
        "picture 1",
        ("level 1, iteration 0", "iteration 0", "0"),
        ("level 1, iteration 60", "iteration 60", "60"),
    )
    assert two.grown(1.0)[1].counters[0] == "level 0, iteration 60"
    assert one.grown(1.0)[1].counters == ("iteration 30", "iteration 30", "30")
    assert two.wiped(0.0)[1].counters[0] == "original"
    assert two.wiped(0.5)[1].counters[0] == "level 0, iteration 60"
    captions = [two.grown(0.0)[1], Caption("only a title")]
    assert [common_form(captions, (width, 20), 11) for width in (400, 150, 60, 10)] == [0, 1, 2, 2]
    assert common_form([Caption("only a title")], [50], 11) == 0


@pytest.mark.parametrize("width", [1, 30, 80, 200])
@pytest.mark.parametrize("text", ["short", "a title that is much too long for any picture\n", "iiiiii. . ."])
def test_what_is_too_long_ends_in_an_ellipsis(width: int, text: str) -> None:
    font = ImageFont.load_default(11)
    found = cut(text, width, font)
    assert font.getlength(found) <= width or found == "..."
    assert found == text.replace("\n", " ") or found.endswith("...")
    assert "\n" not in found and not found.endswith("....")


@pytest.mark.parametrize("width", [1, 20, 60, 120, 400])
def test_captions_stay_in_their_width(width: int) -> None:
    title = "a very long name of a photo that was taken at the sea.jpg"
    caption = Caption(title, ("iteration 7", "7"), ("iteration 777", "777"))
    form = common_form([caption], [width], 12)
    band = draw_caption(caption, (width, 24), 12, form)
    assert band.shape == (24, width, 3)
    if width >= 60:
        drawn = np.flatnonzero(np.abs(band - GROUND).max(axis=(0, 2)) > 0.1)
        assert drawn.min() >= 0 and drawn.max() < width
        assert np.allclose(band[[0, -1]], GROUND), "nothing is cut off above or below"


def test_grid_shows_every_folder(tmp_path: Path, shown: list[np.ndarray]) -> None:
    sizes = [(48, 32), (24, 40), (32, 32), (48, 32), (40, 24)]
    for number, size in enumerate(sizes):
        make_run(tmp_path / str(number), size, seed=number)
    folders = [tmp_path / str(number) for number in range(5)]
    movie(folders, layout="grid")
    layout = grid_layout(sizes, CLIP, captions=False)
    assert len(shown) == 5 + 2 and shown[0].shape[:2] == layout.size[::-1]
    for number, (size, box) in enumerate(zip(sizes, layout.boxes, strict=True)):
        result = resize_image(pixels(picture(number, size)), fitted_size(size, box.size))
        there = inside(shown[-1], box)
        top, left = ((a - b) // 2 for a, b in zip(there.shape, result.shape[:2], strict=False))
        assert np.array_equal(there[top : top + len(result), left : left + result.shape[1]], result)
        assert not np.array_equal(inside(shown[0], box), there)
    taken = np.zeros(shown[0].shape[:2], int)
    for box in layout.boxes:
        inside(taken, box)[:] += 1
    assert taken.max() == 1 and taken.mean() > 0.65, "nothing overlaps, little is empty"


def test_a_large_album_is_chosen_from_evenly(
    tmp_path: Path, shown: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    class Seen(Growth):
        def __init__(self, snapshots: Sequence[Snapshot], room: tuple[int, int]) -> None:
            seen.append(snapshots[0].folder.name)
            super().__init__(snapshots, room)

    monkeypatch.setattr("pipeline.montage.movie.Growth", Seen)
    folders = [tmp_path / f"{number:02d}" for number in range(2 * LARGEST_GRID)]
    for folder in folders:
        make_run(folder, (6, 4), iterations=0)
    movie(folders, layout="grid", captions=True)
    assert seen == [folder.name for folder in folders[1::2]]


def test_rows_are_of_nearly_one_height() -> None:
    assert rows_of([1.5] * 4, 16 / 9) == [[1.5] * 2] * 2
    assert list(map(len, rows_of([1.5] * 36, 16 / 9))) == [6] * 6
    assert list(map(len, rows_of([1.5] * 3, 16 / 9))) == [3]
    assert rows_of([1.0], 2.0) == [[1.0]]
    mixed = [1.5, 0.67, 1.5, 0.67, 3.0, 1.0]
    rows = rows_of(mixed, 16 / 9)
    assert list(itertools.chain(*rows)) == mixed
    assert max(map(sum, rows)) < 1.7 * min(map(sum, rows))


def test_a_layout_refuses_another_number_of_pictures() -> None:
    layout = Layout((4, 4), (Box(0, 0, 4, 4),))
    with pytest.raises(ValueError, match="zip"):
        layout.draw([])


@pytest.mark.parametrize("options", [{"wipe": True}, {"layout": "side"}, {"layout": "grid", "wipe": True}])
def test_old_snapshots_are_for_the_single_layout(
    tmp_path: Path, shown: list[np.ndarray], options: dict[str, Any]
) -> None:
    make_run(tmp_path / "run", iterations=2)
    with pytest.raises(UsageError) as caught:
        movie([tmp_path / "run"], **options)
    assert str(caught.value) == (
        f"{tmp_path / 'run'}: holds no content.png, as snapshots of an older version; run the job again, "
        f"or make the movie in the single layout without a wipe"
    )
    movie([tmp_path / "run"], captions=True, losses=True)
    assert shown


def test_what_does_not_go_together() -> None:
    with pytest.raises(UsageError) as caught:
        MovieOptions(layout="grid", losses=True)
    assert (
        str(caught.value)
        == "loss curves are of one optimisation, and a grid shows many; leave one of them out"
    )
    with pytest.raises(UsageError) as caught:
        MovieOptions(layout="row")
    assert str(caught.value) == "a movie's layout is one of single, side, grid, not 'row'"


def test_only_styles_with_a_share_are_shown() -> None:
    stylizer: Any = SimpleNamespace(styles=["a", "b", "c"])
    assert styles_of(stylizer, Look()) == ["a", "b", "c"]
    assert styles_of(stylizer, Look(blend=(0.5, 0.0, 0.5))) == ["a", "c"]


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_a_job_and_its_kept_run_make_the_same_movie(photo: Path, style: Path, tmp_path: Path) -> None:
    movie, later, output = tmp_path / "a.mp4", tmp_path / "b.mp4", tmp_path / "out.png"
    job = ["image", photo, "--style", style, "-o", output, *QUICK, "--keep-run", "--progress-movie", movie]
    look = ["layout", "side", "captions", "wipe"]
    done(*job, "--movie-layout", "side", "--movie-captions", "--movie-wipe", "--movie-seconds", "0.5")
    folder = Path(f"{output}.run")
    kept = folder / "snapshots" / "picture"
    assert {"content.png", "style-0000.png", "snapshots.jsonl"} <= {path.name for path in kept.iterdir()}
    done("progress", folder, "-o", later, "--layout", look[1], "--captions", "--wipe", "--seconds", "0.5")
    frames, again = frames_of(movie), frames_of(later)
    assert len(frames) == len(again) == 12 + 15 + 10 + 10 + 40 + 38
    assert np.array_equal(frames[-1], again[-1]) and frames[0].shape[1] > 64 * 1.4
    assert refused("progress", folder, "-o", tmp_path / "c.mp4", "--layout", "grid") == (
        f"{folder}: --layout grid is for albums; here is one picture, for single or side"
    )
    assert refused("progress", folder, "-o", tmp_path / "c.mp4", "--layout", "sides").startswith(
        "Invalid value for '--layout': unknown value 'sides': did you mean side?"
    )


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_an_album_grows_in_a_grid(photo: Path, style: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "photos" / name).write_bytes(photo.read_bytes())
    movie = tmp_path / "grid.gif"
    job = ["album", tmp_path / "photos", "--style", style, "-o", tmp_path / "out", *QUICK]
    done(*job, "--progress-movie", movie, "--movie-layout", "grid", "--movie-seconds", "0.5")
    assert frames_of(movie)[0].shape[1] > 2 * 64


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--movie-wipe"], "--movie-wipe: is for a progress movie; add --progress-movie PATH"),
        (["--movie-captions"], "--movie-captions: is for a progress movie; add --progress-movie PATH"),
        (["--movie-layout", "side"], "--movie-layout: is for a progress movie; add --progress-movie PATH"),
        (["--movie-seconds", "4"], "--movie-seconds: is for a progress movie; add --progress-movie PATH"),
        (
            ["--progress-movie", "a.mp4", "--movie-layout", "grid"],
            "--movie-layout grid: is for albums; here is one picture, for single or side",
        ),
        (
            ["--progress-movie", "a.mp4", "--movie-layout", "grid", "--movie-losses"],
            "loss curves are of one optimisation, and a grid shows many; leave one of them out",
        ),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    options: list[str], text: str, photo: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert refused("image", photo, "--style", style, "-o", "out.png", *QUICK, *options) == text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "drawn"), [("Ünï'cödé", "Uni'code"), ("猫.jpg", "?.jpg"), ("a\nb", r"a\nb"), ("plain", "plain")]
)
def test_captions_are_in_letters_that_the_font_has(text: str, drawn: str) -> None:
    assert cut(text, 1e6, ImageFont.load_default(12)) == drawn
