"""Movies of an optimisation's progress: their pace, their end, their length, and what stands beside them."""

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from movie_runs import GROUND, make_run, picture
from PIL import Image

from pipeline.errors import UsageError
from pipeline.montage.layouts import fitted_size, place_on
from pipeline.montage.loss_curves import TERM_COLORS, LossStrip, across, curves_of, gridlines, strip_height
from pipeline.montage.movie import write_progress_movie
from pipeline.montage.panels import locate, pace, places_of
from pipeline.montage.recorder import SnapshotRecorder, visible_change
from pipeline.montage.snapshots import Loss, read_losses, read_snapshots
from pipeline.settings.run_options import MovieOptions
from stylize.optimize import Progress
from video.errors import EncodeError, InputError
from video.images import from_uint8


def steps(frames: list[np.ndarray]) -> np.ndarray:
    return np.asarray([visible_change(first, second) for first, second in itertools.pairwise(frames)])


@pytest.mark.parametrize("levels", [1, 2])
def test_pace_is_even(tmp_path: Path, shown: list[np.ndarray], levels: int) -> None:
    make_run(tmp_path / "run", (64, 48), levels=levels)
    write_progress_movie([tmp_path / "run"], tmp_path / "m.mp4", MovieOptions(seconds=3))
    moving = steps(shown[:76])
    assert len(shown) == 75 + 38
    assert moving.max() < 2 * np.median(moving)
    assert np.median(moving[-20:]) > 0.25 * np.median(moving[:20]), "late changes remain visible"


def test_ends_on_the_result_and_holds_it(tmp_path: Path, shown: list[np.ndarray]) -> None:
    result = make_run(tmp_path / "run", levels=2)
    write_progress_movie([tmp_path / "run"], tmp_path / "m.mp4", MovieOptions(seconds=1), hold=0.8)
    assert len(shown) == 25 + 20
    assert all(np.array_equal(frame, result) for frame in shown[25:])
    assert not np.array_equal(shown[24], result)
    assert {frame.shape for frame in shown} == {(32, 48, 3)}
    assert {frame.dtype for frame in shown} == {np.dtype(np.float32)}


def test_without_hold_the_result_is_shown_once(tmp_path: Path, shown: list[np.ndarray]) -> None:
    result = make_run(tmp_path / "run")
    write_progress_movie([tmp_path / "run"], tmp_path / "m.mp4", MovieOptions(seconds=0.5), hold=0, rate=10)
    assert len(shown) == 6 and np.array_equal(shown[-1], result)


def test_one_snapshot_is_a_still(tmp_path: Path, shown: list[np.ndarray]) -> None:
    SnapshotRecorder(tmp_path / "run").finish(picture(1, (20, 10)), {"style": 1.0})
    write_progress_movie([tmp_path / "run"], tmp_path / "m.mp4", MovieOptions(seconds=1, losses=True), rate=4)
    assert len(shown) == 4 + 6 and not steps(shown).any()


def test_mp4(tmp_path: Path) -> None:
    result = make_run(tmp_path / "run", (47, 33), iterations=8)
    path = write_progress_movie(
        [tmp_path / "run"], tmp_path / "m.mp4", MovieOptions(seconds=1, losses=True), hold=0.4
    )
    assert path == tmp_path / "m.mp4"
    with av.open(str(path)) as clip:
        stream = clip.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in clip.decode(stream)]
        assert stream.average_rate == 25 and len(frames) == 35
    assert frames[0].shape == (33 + strip_height(47) + 1, 48, 3)
    assert visible_change(from_uint8(frames[-1][:33, :47]), result) < 0.05


@pytest.mark.parametrize(
    ("suffix", "rate", "frames"), [(".gif", Fraction(25, 2), 15), (".webp", Fraction(15), 18)]
)
def test_gif_and_webp(tmp_path: Path, suffix: str, rate: Fraction, frames: int) -> None:
    result = make_run(tmp_path / "run", iterations=8)
    path = write_progress_movie(
        [tmp_path / "run"], tmp_path / f"m{suffix}", MovieOptions(seconds=0.8), hold=0.4
    )
    durations = []
    with Image.open(path) as image:
        assert image.size == (48, 32)
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            last = from_uint8(np.asarray(image.convert("RGB")))
            durations.append(image.info["duration"])
    assert sum(durations) == pytest.approx(1000 * frames / rate, abs=10)
    assert len(durations) >= frames - 5, "equal frames at the end may be one"
    assert visible_change(last, result) < 0.05


@pytest.mark.parametrize(
    ("suffix", "expected"), [(".gif", (480, 240)), (".webp", (640, 320)), (".mp4", (800, 400))]
)
def test_size_limits(tmp_path: Path, shown: list[np.ndarray], suffix: str, expected: tuple[int, int]) -> None:
    SnapshotRecorder(tmp_path / "run").finish(picture(1, (800, 400)), {"style": 1.0})
    write_progress_movie([tmp_path / "run"], tmp_path / f"m{suffix}", MovieOptions(seconds=0.1), hold=0)
    assert shown[-1].shape == (expected[1], expected[0], 3)
    shown.clear()
    write_progress_movie(
        [tmp_path / "run"], tmp_path / f"m{suffix}", MovieOptions(seconds=0.1), hold=0, size=(40, 40)
    )
    assert shown[-1].shape == (40, 40, 3)
    assert np.allclose(shown[-1][[0, 9, 30, 39]], GROUND) and not np.allclose(shown[-1][10:30], GROUND)


def test_several_folders_share_time_and_canvas(tmp_path: Path, shown: list[np.ndarray]) -> None:
    wide = make_run(tmp_path / "1", (48, 32), seed=1)
    tall = make_run(tmp_path / "2", (24, 40), seed=2)
    write_progress_movie(
        [tmp_path / "1", tmp_path / "2"], tmp_path / "m.mp4", MovieOptions(seconds=4), hold=1, rate=10
    )
    assert len(shown) == 20 + 6 + 4 + 20 + 10
    assert {frame.shape for frame in shown} == {(40, 48, 3)}
    assert np.array_equal(shown[25][4:36], wide) and np.allclose(shown[25][:4], GROUND)
    assert np.array_equal(shown[-1][:, 12:36], tall) and np.allclose(shown[-1][:, :12], GROUND)
    fade = steps(shown[25:31])
    assert fade.max() < 1.2 * fade.min(), "the cross-fade is even"


def test_each_of_many_folders_gets_a_second(tmp_path: Path, shown: list[np.ndarray]) -> None:
    for number in range(3):
        make_run(tmp_path / str(number), (16, 16), iterations=3)
    write_progress_movie(
        [tmp_path / str(n) for n in range(3)], tmp_path / "m.mp4", MovieOptions(seconds=1.5), hold=1, rate=10
    )
    assert len(shown) == 3 * 10 + 2 * (6 + 4) + 10


def test_level_sizes_that_do_not_divide_leave_no_bars(tmp_path: Path, shown: list[np.ndarray]) -> None:
    recorder = SnapshotRecorder(tmp_path)
    small = Progress(iteration=0, iterations=1, loss=1.0, terms={}, seconds=0, evaluations=1, level=1,
                            picture=lambda: picture(1, (80, 64)))  # fmt: skip
    recorder(small)
    recorder.finish(picture(2, (160, 129)), {})
    write_progress_movie([tmp_path], tmp_path / "m.mp4", MovieOptions(seconds=0.2))
    assert not np.allclose(shown[0][[0, -1]], GROUND, atol=0.02)


def test_existing_output_is_refused_and_unknown_suffixes_too(tmp_path: Path) -> None:
    make_run(tmp_path / "run", iterations=2)
    path = tmp_path / "m.gif"
    path.write_bytes(b"mine")
    with pytest.raises(InputError, match="exists already; give --overwrite"):
        write_progress_movie([tmp_path / "run"], path)
    assert path.read_bytes() == b"mine"
    write_progress_movie([tmp_path / "run"], path, MovieOptions(seconds=0.2), hold=0, overwrite=True)
    assert path.read_bytes().startswith(b"GIF89a")
    with pytest.raises(InputError, match=r"the suffix \.avi is not supported"):
        write_progress_movie([tmp_path / "run"], tmp_path / "m.avi")


def test_missing_picture_leaves_no_output(tmp_path: Path) -> None:
    make_run(tmp_path / "run", iterations=3)
    gone = tmp_path / "run" / "snapshot-0002.png"
    gone.unlink()
    with pytest.raises((InputError, EncodeError)) as caught:
        write_progress_movie([tmp_path / "run"], tmp_path / "m.gif")
    assert str(caught.value) == f"{gone}: there is no such picture; check the name"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"seconds": 0}, "a movie of 0 s, held for 1.5 s, at 25 frames a second"),
        ({"hold": -1}, "a movie of 8 s, held for -1 s, at 25 frames a second"),
        ({"rate": 0}, "a movie of 8 s, held for 1.5 s, at 0 frames a second"),
        ({"size": (0, 9)}, "a movie of 8 s, held for 1.5 s, at 25 frames a second, size 0x9"),
    ],
)
def test_numbers_without_sense(tmp_path: Path, options: dict[str, Any], text: str) -> None:
    asked = MovieOptions(seconds=options.pop("seconds", 8.0))
    with pytest.raises(UsageError) as caught:
        write_progress_movie([tmp_path], tmp_path / "m.mp4", asked, **options)
    assert str(caught.value) == f"{text}: all must be above 0 (the hold may be 0)"


def test_no_folders(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        write_progress_movie([], tmp_path / "m.mp4")
    assert str(caught.value) == "no folder of snapshots given; name at least one"


def test_pace_by_hand() -> None:
    assert pace([]) == [0.0]
    assert pace([0.0, 0.0]) == [0.0, 0.5, 1.0]
    assert pace([1.0, 1.0]) == [0.0, 0.5, 1.0]
    assert pace([1.0, 0.0, 1.0]) == [0.0, 0.5, 0.5, 1.0]
    large, small = 2**0.7 * (2 / 3) ** 0.7 + 0.1, (2 / 3) ** 0.7 + 0.1
    assert pace([1.0, 0.5]) == pytest.approx([0.0, large / (large + small), 1.0])


def test_locate() -> None:
    times = [0.0, 0.5, 0.5, 1.0]
    assert locate(times, 0.0) == (0, 0.0)
    assert locate(times, 0.25) == (0, 0.5)
    assert locate(times, 0.5) == (2, 0.0)
    assert locate(times, 0.75) == (2, 0.5)
    assert locate(times, 1.0) == (3, 0.0)


def test_fitted_size_fills_the_canvas_but_for_rounding() -> None:
    assert fitted_size((48, 32), (48, 40)) == (48, 32)
    assert fitted_size((24, 40), (48, 40)) == (24, 40)
    assert fitted_size((4000, 104), (480, 12)) == (480, 12)
    assert fitted_size((1, 4000), (50, 10)) == (1, 10)


def test_place_on_keeps_the_picture() -> None:
    one = picture(1, (5, 3))
    placed = place_on((9, 7), one)
    assert np.array_equal(placed[2:5, 2:7], one) and np.allclose(placed[0], GROUND)


def test_places_of_snapshots_in_the_losses(tmp_path: Path) -> None:
    make_run(tmp_path, levels=2, iterations=30)
    snapshots, losses = read_snapshots(tmp_path), read_losses(tmp_path)
    places = places_of(snapshots, losses)
    assert places[0] == 0 and places[-1] == len(losses) - 1 == 61
    for snapshot, place in zip(snapshots, places, strict=True):
        assert (losses[place].level, losses[place].iteration) == (snapshot.level, snapshot.iteration)


def losses_of(count: int, levels: int = 1, **terms: float) -> list[Loss]:
    """Losses that fall like 1/n at every level."""
    terms = terms or {"content": 1.0, "style": 4.0}
    found = []
    for level in reversed(range(levels)):
        for number in range(count):
            now = {name: value / (1 + number) for name, value in terms.items()}
            found.append(Loss((levels - 1 - level) * (count - 1) + number, level, sum(now.values()), now))
    return found


def colored(band: np.ndarray, name: str) -> np.ndarray:
    """The columns of the chart in which a curve's colour is found."""
    color = np.asarray(TERM_COLORS[name], np.float32) / 255
    chart = band[round(0.3 * band.shape[0]) :]
    return np.flatnonzero(np.any(np.max(np.abs(chart - color), axis=-1) < 0.15, axis=0))


def test_strip_grows_with_time() -> None:
    strip = LossStrip(losses_of(50), (256, strip_height(256)))
    ends = [colored(strip.draw(place), "style").max() for place in (1, 5, 20.5, 49)]
    assert ends == sorted(set(ends)) and ends[-1] > 230
    assert strip.draw(20).shape == (strip_height(256), 256, 3)
    assert np.array_equal(strip.draw(99), strip.draw(49))


def test_strip_marks_levels() -> None:
    across_levels = across([0, 1, 4, 4, 8], [1, 1, 1, 0, 0])
    assert across_levels == pytest.approx([0.0, 0.25, 0.5, 0.5, 1.0])
    one, two = (LossStrip(losses_of(30, levels), (200, 80)).draw(0) for levels in (1, 2))
    middle = [np.ptp(band[40:70], axis=0).max() for band in (one, two)]
    assert not np.array_equal(one, two) and middle[0] > 0
    brightest = two[35:70].mean(axis=(0, 2)).argmax()
    assert abs(brightest - 110) < 15, "a thin line in the middle of the chart"


def test_curves_leave_out_what_is_too_small_to_see() -> None:
    losses = losses_of(10, content=1.0, style=4.0, tv=1e-6)
    assert list(curves_of(losses, 0.01)) == ["total", "content", "style"]
    assert list(curves_of(losses_of(10, style=4.0), 0.01)) == ["total"]
    assert gridlines(0.05, 30.0) == [0.1, 1.0, 10.0]
    assert gridlines(0.9, 6.0) == [1.0, 2.0, 5.0]


@pytest.mark.parametrize("width", [1, 16, 64, 257, 900])
@pytest.mark.parametrize("value", [0.0, 1e-30, 5.0, float("nan"), float("inf")])
def test_strip_of_any_size_and_loss(width: int, value: float) -> None:
    losses = [
        Loss(number, 0, value, {"content": value, "a long name of a term": value}) for number in range(3)
    ]
    band = LossStrip(losses, (width, strip_height(width)), "title").draw(1.5)
    assert band.shape == (strip_height(width), width, 3) and strip_height(width) % 2 == 0


def test_strip_without_losses_file_uses_the_snapshots(tmp_path: Path, shown: list[np.ndarray]) -> None:
    make_run(tmp_path / "run", iterations=5)
    (tmp_path / "run" / "losses.jsonl").unlink()
    write_progress_movie([tmp_path / "run"], tmp_path / "m.mp4", MovieOptions(seconds=0.5, losses=True))
    assert shown[-1].shape == (32 + strip_height(48), 48, 3)
