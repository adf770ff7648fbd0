"""`deepfusion video` from end to end: a clip of six frames, whole and in parts, interrupted and continued."""

# ruff: noqa: E501 - messages are given in full

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from conftest import FRAMES
from pipeline_runs import QUICK, deepfusion, done, frames_of, pixels, refused, sound_of, tree
from video_clips import convert

from pipeline.clip.ledger import ClipBook
from pipeline.clip.source import parse_rate
from pipeline.clip.timeline import Timeline
from pipeline.errors import UsageError
from stylize.look import Look
from stylize.stylizer import Stylizer
from video.decode import FrameRange, read_frames
from video.encode import FrameWriter
from video.images import from_uint8, read_image, to_uint8, write_image
from video.probe import probe
from video.rehearsal import rehearse

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("uncompiled")]


def run(clip: Path, style: Path, output: Path, *arguments: object) -> list[object]:
    return ["video", clip, "--style", style, "-o", output, *QUICK, "--frame-iterations", "1", *arguments]


@pytest.fixture(scope="module")
def whole(uncompiled: None, clip: Path, style: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clip done at once, its settings beside it, its run folder kept."""
    folder = tmp_path_factory.mktemp("whole")
    done(*run(clip, style, folder / "out.mp4", "--keep-run", "--save-settings", folder / "out.toml"))
    return folder / "out.mp4"


def stylized(output: Path) -> list[np.ndarray]:
    """The frames in a run folder, as they were before the encoding."""
    return [pixels(path) for path in sorted((output.parent / f"{output.name}.run" / "frames").glob("*.png"))]


def same(some: list[np.ndarray], others: list[np.ndarray]) -> bool:
    return len(some) == len(others) and all(map(np.array_equal, some, others))


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Ctrl-C within the third picture, at its first iteration, until the patch is undone."""
    begun = 0
    stylize = Stylizer.stylize

    def stylize_two(self: Stylizer, *arguments: object, **options: object) -> object:
        nonlocal begun
        begun += 1
        if begun > 2:
            callback = options["callback"]

            def interrupt(progress: object) -> None:
                callback(progress)  # type: ignore[operator]
                raise KeyboardInterrupt

            options["callback"] = interrupt
        return stylize(self, *arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Stylizer, "stylize", stylize_two)
        yield patch


def test_frames_rate_size_and_sound_are_the_sources(whole: Path, clip: Path) -> None:
    source, result = probe(clip), probe(whole)
    assert result.rate == source.rate == Fraction(24000, 1001)
    assert (result.width, result.height, result.rotation) == (64, 48, 0)
    assert len(frames_of(whole)) == len(frames_of(clip)) == FRAMES
    assert sound_of(whole) == sound_of(clip)
    assert (result.pixel_format, result.color_space, result.sample_aspect_ratio) == ("yuv420p", "bt709", 1)


def test_the_frames_are_stylized_and_follow_the_clip(whole: Path, clip: Path) -> None:
    results, sources = stylized(whole), frames_of(clip)
    assert len(results) == FRAMES
    for result, source in zip(results, sources, strict=True):
        assert 1 < np.abs(result.astype(int) - source).mean() < 100
    shown = frames_of(whole)
    assert np.abs(shown[-1].astype(int) - results[-1]).mean() < 25


def test_json_says_everything(clip: Path, style: Path, tmp_path: Path) -> None:
    ran = done(*run(clip, style, tmp_path / "out.mp4", "--frames", "1:3", "--json", "-q"))
    report = ran.json
    assert {"output", "frames", "seconds", "evaluations", "losses", "backbone", "warnings"} <= set(report)
    assert (report["frames"], report["done"], report["skipped"], report["failed"]) == (2, 2, 0, {})
    assert ran.err == ""
    assert tree(tmp_path) == ["out.mp4"]


@pytest.mark.parametrize(("frames", "count"), [("2:5", 3), ("4:", 2), (":1", 1), ("3:99", 3)])
def test_a_part_of_a_clip(frames: str, count: int, clip: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    done(*run(clip, style, output, "--frames", frames))
    assert len(frames_of(output)) == count
    result = probe(output)
    assert result.rate == Fraction(24000, 1001)
    packets = sound_of(output)
    assert packets
    assert packets in sound_of(clip)
    assert len(packets) < len(sound_of(clip)) or frames == ":1"


@pytest.mark.parametrize("suffix", [".mkv", ".mov", ".webm"])
def test_other_containers(suffix: str, clip: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / f"out{suffix}"
    done(*run(clip, style, output, "--frames", "0:2"))
    assert len(frames_of(output)) == 2
    assert len(probe(output).audio) == 1


def folder_of_frames(clip: Path, folder: Path) -> Path:
    folder.mkdir()
    for number, frame in enumerate(frames_of(clip)[:3], start=8):
        write_image(folder / f"frame{number}.png", from_uint8(frame))
    return folder


def test_a_folder_of_frames_is_a_clip(clip: Path, style: Path, tmp_path: Path) -> None:
    frames = folder_of_frames(clip, tmp_path / "frames")
    output = tmp_path / "out.mp4"
    done(*run(frames, style, output, "--fps", "29.97"))
    result = probe(output)
    assert (len(frames_of(output)), result.rate, result.audio) == (3, Fraction(30000, 1001), ())
    (frames / "frame9.png").unlink()
    assert refused(*run(frames, style, tmp_path / "b.mp4")) == (
        f"{frames}: frame 9 is missing; add what is missing, "
        f"or give --allow-gaps to take them as they follow each other"
    )
    output = tmp_path / "b.mp4"
    said = done(*run(frames, style, output, "--allow-gaps"))
    assert "frames: frame 9 is missing" in said.err
    assert len(frames_of(output)) == 2


@pytest.mark.parametrize(
    ("text", "rate"),
    [("25", Fraction(25)), ("23.976", Fraction(24000, 1001)), ("29.97", Fraction(30000, 1001)), ("12.5", Fraction(25, 2)),
     ("30000/1001", Fraction(30000, 1001)), ("59.94", Fraction(60000, 1001)), ("24", Fraction(24))],
)  # fmt: skip
def test_rates(text: str, rate: Fraction) -> None:
    assert parse_rate(text) == rate


def test_a_rate_given_for_a_clip_is_said_to_be_idle(clip: Path, style: Path, tmp_path: Path) -> None:
    ran = done(*run(clip, style, tmp_path / "out.mp4", "--fps", "50", "--frames", "0:1"))
    assert f"note: --fps 50 is for a folder of frames; {clip} keeps its own rate\n" in ran.err


def test_a_dry_run_writes_nothing(clip: Path, style: Path, tmp_path: Path) -> None:
    ran = done(*run(clip, style, tmp_path / "out.mp4", "--dry-run", "--progress-movie", tmp_path / "a.gif"))
    assert ran.out.startswith(
        f"{FRAMES} frames of 64x48 on vgg19-slim into {tmp_path}/out.mp4\ntime    at most about "
    )
    assert tree(tmp_path) == []


def test_saved_settings_make_the_clip_again(whole: Path, tmp_path: Path) -> None:
    done("run", whole.with_suffix(".toml"), "-o", tmp_path / "out.mp4", "--keep-run")
    assert same(stylized(tmp_path / "out.mp4"), stylized(whole))


# --- interrupted and continued --------------------------------------------------------------------------------


def test_an_interrupted_clip_is_continued(
    whole: Path, clip: Path, style: Path, tmp_path: Path, interrupted: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.mp4"
    command = run(clip, style, output, "--keep-run")
    ran = deepfusion(*command)
    assert ran.code == 130
    assert (
        ran.err.strip()
        == f"deepfusion: stopped; to continue: {shlex.join(['deepfusion', *map(str, command)])}"
    )
    assert not output.exists()
    assert len(stylized(output)) == 2
    interrupted.undo()
    ran = done(*run(clip, style, output, "--keep-run", "--json"))
    assert f"continuing: 2 of {FRAMES} frames are finished already (in {output}.run)\n" in ran.err
    assert (ran.json["frames"], ran.json["done"], ran.json["skipped"]) == (FRAMES, FRAMES - 2, 2)
    assert same(stylized(output), stylized(whole))
    assert same(frames_of(output), frames_of(whole))
    assert sound_of(output) == sound_of(clip)


@pytest.mark.parametrize("damage", ["lost frames", "cut journal", "changed frame", "nothing"])
def test_a_damaged_run_is_mended(damage: str, whole: Path, clip: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    left = tmp_path / "out.mp4.run"
    (left / "frames").mkdir(parents=True)
    kept = whole.parent / "out.mp4.run"
    for name in tree(kept):
        if not name.startswith("snapshots"):
            (left / name).write_bytes((kept / name).read_bytes())
    frames = sorted((left / "frames").iterdir())
    journal = left / "journal.jsonl"
    if damage == "lost frames":
        for frame in frames[3:]:
            frame.unlink()
    elif damage == "cut journal":
        journal.write_bytes(journal.read_bytes()[:-20])
    elif damage == "changed frame":
        write_image(frames[2], 1 - read_image(frames[2]))
    (left / "kept").unlink()  # as an interrupted run has none
    finished = {"lost frames": 3, "cut journal": 5, "changed frame": 2, "nothing": FRAMES}[damage]
    ran = done(*run(clip, style, output, "--json"))
    assert ran.json["skipped"] == finished
    assert same(frames_of(output), frames_of(whole))
    assert not left.exists()


def test_other_settings_are_refused_with_the_differences(
    whole: Path, clip: Path, style: Path, photo: Path
) -> None:
    before = tree(whole.parent)
    said = refused(*run(clip, style, whole, "--overwrite", "--tv-weight", "3", "--style-layers", "relu1_1"))
    assert said == (
        f"{whole}.run: holds a run with other settings (tv_weight: 10.0 there, 3.0 now; "
        f'style_layers: ["block1_conv1", "block2_conv1"] there, ["block1_conv1"] now); '
        f"give its settings to continue it, or --restart to discard it"
    )
    said = refused(*run(clip, photo, whole, "--overwrite"))
    assert said.startswith(f"{whole}.run: holds a run with other settings (other styles); ")
    assert tree(whole.parent) == before


def test_restart_discards_what_was_left(
    whole: Path, clip: Path, style: Path, tmp_path: Path, interrupted: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.mp4"
    assert deepfusion(*run(clip, style, output, "--tv-weight", "3")).code == 130
    interrupted.undo()
    ran = done(*run(clip, style, output, "--restart", "--json"))
    assert ran.json["skipped"] == 0
    assert same(frames_of(output), frames_of(whole))


def test_a_movie_of_what_is_finished_cannot_be_made_and_it_is_said(
    clip: Path, style: Path, tmp_path: Path, interrupted: pytest.MonkeyPatch
) -> None:
    output, movie = tmp_path / "out.mp4", tmp_path / "a.gif"
    assert deepfusion(*run(clip, style, output, "--frames", "0:3")).code == 130
    interrupted.undo()
    ran = done(*run(clip, style, output, "--frames", "0:3", "--progress-movie", movie))
    assert f"note: {movie} was not made: what it shows was finished by an earlier run" in ran.err
    assert not movie.exists()


# --- time -----------------------------------------------------------------------------------------------------


def test_frames_alone_do_not_know_each_other(clip: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    done(*run(clip, style, output, "--temporal", "off", "--frames", "0:3", "--keep-run"))
    alone = stylized(output)
    done(*run(clip, style, tmp_path / "one.mp4", "--temporal", "off", "--frames", "2:3", "--keep-run"))
    assert np.array_equal(stylized(tmp_path / "one.mp4")[0], alone[2])
    journal = [
        json.loads(line) for line in (tmp_path / "out.mp4.run" / "journal.jsonl").read_text().splitlines()
    ]
    assert [entry["index"] for entry in journal] == [0, 1, 2]
    assert journal[2]["evaluations"] >= 2


def test_later_frames_start_from_the_frame_before(
    whole: Path, clip: Path, style: Path, tmp_path: Path
) -> None:
    done(*run(clip, style, tmp_path / "one.mp4", "--frames", "2:3", "--keep-run"))
    assert not np.array_equal(stylized(tmp_path / "one.mp4")[0], stylized(whole)[2])


def test_held_frames_are_kept_and_only_what_changes_is_made_anew(
    style: Path, tmp_path: Path, interrupted: pytest.MonkeyPatch
) -> None:
    """Drawings on twos, with a square that moves: interrupted in the third, continued, and at once."""
    drawn = np.full((6, 96, 128, 3), 90, np.uint8) + np.arange(96, dtype=np.uint8)[:, None, None]
    for number, frame in enumerate(drawn):
        left = 8 + 6 * (number // 2)
        frame[20:32, left : left + 12] = (250, 40, 20)
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "128x96", "-r", "12", "-i", "pipe:0"]
    clip = convert([*raw, "-c:v", "ffv1"], tmp_path / "drawn.mkv", stdin=drawn.tobytes())
    more = ("--keep-run", "--size", "128")
    assert deepfusion(*run(clip, style, tmp_path / "out.mp4", *more)).code == 130
    assert len(stylized(tmp_path / "out.mp4")) == 4
    interrupted.undo()
    done(*run(clip, style, tmp_path / "out.mp4", *more))
    made = stylized(tmp_path / "out.mp4")
    for first, held in ((0, 1), (2, 3), (4, 5)):
        assert np.array_equal(made[first], made[held])
    for before, after in ((1, 2), (3, 4)):
        assert not np.array_equal(made[before], made[after])
        assert np.array_equal(made[before][:, 100:], made[after][:, 100:])
    lines = (tmp_path / "out.mp4.run" / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line)["evaluations"] > 0 for line in lines] == [True, False] * 3
    done(*run(clip, style, tmp_path / "whole.mp4", *more))
    assert same(stylized(tmp_path / "whole.mp4"), made)


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_a_progress_movie_shows_the_wanted_frame(
    suffix: str, clip: Path, style: Path, tmp_path: Path
) -> None:
    movie = tmp_path / f"movie{suffix}"
    extra = (
        "--frames",
        "1:3",
        "--movie-frame",
        "2",
        "--progress-movie",
        movie,
        "--movie-seconds",
        "0.5",
        "--keep-run",
    )
    ran = done(*run(clip, style, tmp_path / "out.mp4", *extra))
    assert f"{movie}  (progress movie)\n" in ran.out
    assert np.abs(frames_of(movie)[-1].astype(int) - stylized(tmp_path / "out.mp4")[-1]).mean() < 25
    later = tmp_path / "later.gif"
    done("progress", tmp_path / "out.mp4.run", "-o", later, "--seconds", "0.5")
    assert len(frames_of(later)) > 5


def journal_of(output: Path) -> list[dict[str, object]]:
    lines = (output.parent / f"{output.name}.run" / "journal.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_shot_starts_afresh(clip: Path, style: Path, tmp_path: Path) -> None:
    cuts = tmp_path / "cuts.txt"
    cuts.write_text("3\n")
    done(*run(clip, style, tmp_path / "cut.mp4", "--cuts", cuts, "--keep-run"))
    done(*run(clip, style, tmp_path / "rest.mp4", "--frames", "3:", "--cuts", "none", "--keep-run"))
    assert same(stylized(tmp_path / "cut.mp4")[3:], stylized(tmp_path / "rest.mp4"))
    assert [entry["previous"] == "" for entry in journal_of(tmp_path / "cut.mp4")] == [
        True,
        False,
        False,
        True,
        False,
        False,
    ]


def test_one_shot_where_no_cuts_are_wanted_differs(
    whole: Path, clip: Path, style: Path, tmp_path: Path
) -> None:
    cuts = tmp_path / "cuts.txt"
    cuts.write_text("3\n")
    done(*run(clip, style, tmp_path / "cut.mp4", "--cuts", cuts, "--keep-run"))
    assert same(stylized(tmp_path / "cut.mp4")[:3], stylized(whole)[:3])
    assert not np.array_equal(stylized(tmp_path / "cut.mp4")[3], stylized(whole)[3])


def test_the_ways_to_treat_time_differ(clip: Path, style: Path, tmp_path: Path) -> None:
    made = {}
    for way in ("flow", "previous", "off"):
        output = tmp_path / f"{way}.mp4"
        more = ["--frames", "0:2", "--frame-iterations", "3", "--keep-run"]
        done(*run(clip, style, output, "--temporal", way, *more))
        made[way] = stylized(output)
        assert ("temporal" in journal_of(output)[1]["losses"]) == (way == "flow")  # type: ignore[operator]
    assert all(np.array_equal(made["flow"][0], frames[0]) for frames in made.values())
    for one, other in (("flow", "previous"), ("flow", "off"), ("previous", "off")):
        assert not np.array_equal(made[one][1], made[other][1])


def test_passes_go_forward_and_backward(whole: Path, clip: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    done(*run(clip, style, output, "--frames", "0:3", "--passes", "3", "--keep-run"))
    order = [(entry["sweep"], entry["index"]) for entry in journal_of(output)]
    assert order == [(1, 0), (1, 1), (1, 2), (2, 2), (2, 1), (2, 0), (3, 0), (3, 1), (3, 2)]
    frames = output.parent / "out.mp4.run" / "frames"
    assert same([pixels(frames / f"{number:06d}.png") for number in range(3)], stylized(whole)[:3])
    assert not np.array_equal(pixels(frames / "000001-pass3.png"), pixels(frames / "000001.png"))
    assert len(frames_of(output)) == 3


def test_interrupted_passes_continue_to_the_same_frames(
    interrupted: pytest.MonkeyPatch, clip: Path, style: Path, tmp_path: Path
) -> None:
    arguments = ["--frames", "0:2", "--passes", "2", "--long-term", "1,2", "--keep-run"]
    assert deepfusion(*run(clip, style, tmp_path / "out.mp4", *arguments)).code == 130
    interrupted.undo()
    assert len(journal_of(tmp_path / "out.mp4")) == 2
    ran = done(*run(clip, style, tmp_path / "out.mp4", *arguments))
    assert "continuing: 2 of 4 frames are finished already" in ran.err
    done(*run(clip, style, tmp_path / "at-once.mp4", *arguments))
    assert same(stylized(tmp_path / "out.mp4"), stylized(tmp_path / "at-once.mp4"))


@pytest.mark.parametrize("frames", ["0:1", "0:2"])
def test_clips_of_one_and_two_frames(frames: str, clip: Path, style: Path, tmp_path: Path) -> None:
    done(*run(clip, style, tmp_path / "out.mp4", "--frames", frames, "--long-term", "1,2,4"))
    assert len(frames_of(tmp_path / "out.mp4")) == int(frames[-1])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--long-term", "0"], "--long-term: 0: expected rising numbers of frames, 1 to 32, like 1,2,4"),
        (["--long-term", "2,1"], "--long-term: 2,1: expected rising numbers"),
        (["--long-term", "1,99"], "expected rising numbers"),
        (["--long-term", "one"], "'one' is not a list of numbers"),
        (["--passes", "0"], "passes: 0 is under the minimum of 1"),
        (["--passes", "2", "--temporal", "off"], "passes: 2 passes need temporal flow, not off"),
        (["--temporal", "flo"], "did you mean flow?"),
        (["--flow-quality", "best"], "choose from fast, medium, fine"),
        (["--cuts", "nowhere.txt"], "nowhere.txt: there is no such file"),
    ],
)
def test_wrong_settings_of_time_are_refused(
    arguments: list[str], said: str, clip: Path, style: Path, tmp_path: Path
) -> None:
    assert said in refused(*run(clip, style, tmp_path / "out.mp4", *arguments))


def test_kept_colours_are_the_clips(clip: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    done(*run(clip, style, output, "--frames", "0:2", "--preserve-color", "luminance", "--keep-run"))
    sources = [to_uint8(frame) for frame in read_frames(probe(clip), frames=FrameRange(0, 2))]
    for result, source in zip(stylized(output), sources, strict=True):
        assert not np.array_equal(result, source)
        # Chroma is kept wherever nothing had to be clipped.
        inside = np.all((result > 0) & (result < 255), axis=-1)
        change = (result.astype(int) - source.astype(int))[inside]
        assert np.abs(change - change.mean(axis=1, keepdims=True)).max() <= 2


def test_a_saved_job_finds_its_cut_file_again(clip: Path, style: Path, tmp_path: Path) -> None:
    cuts = tmp_path / "cuts.txt"
    cuts.write_text("1\n")
    saved = tmp_path / "saved"
    saved.mkdir()
    first = ["--frames", "0:2", "--cuts", cuts, "--keep-run"]
    done(*run(clip, style, tmp_path / "out.mp4", *first, "--save-settings", saved / "job.toml"))
    assert 'cuts = "../cuts.txt"' in (saved / "job.toml").read_text()
    done("run", saved / "job.toml", "-o", tmp_path / "again.mp4", "--keep-run")
    assert same(stylized(tmp_path / "again.mp4"), stylized(tmp_path / "out.mp4"))


def test_another_cut_file_is_another_job(clip: Path, style: Path, tmp_path: Path) -> None:
    cuts = tmp_path / "cuts.txt"
    cuts.write_text("1\n")
    arguments = ["--frames", "0:2", "--cuts", cuts, "--keep-run"]
    done(*run(clip, style, tmp_path / "out.mp4", *arguments))
    cuts.write_text("# none\n")
    assert "cuts:" in refused(*run(clip, style, tmp_path / "out.mp4", *arguments, "--overwrite"))


# ---------------------------------------------------------------------------------------- clips as they are


def test_a_kept_run_is_continued_and_stays(clip: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    command = [*run(clip, style, output, "--frames", "0:2"), "--overwrite"]
    done(*command, "--keep-run")
    frames = stylized(output)
    for _ in range(2):
        ran = done(*command)
        assert "continuing: 2 of 2 frames are finished already" in ran.err
        assert f"{output}.run  (run folder)" in ran.out
        assert same(stylized(output), frames)
    done(*command, "--restart")
    assert tree(tmp_path) == ["out.mp4"]


def test_frames_that_are_lost_take_their_time_with_them(style: Path, tmp_path: Path) -> None:
    """The pictures begin when the first one that decodes is shown, also where everything is continued."""
    raw = b"".join(bytes((40 * i, 200 - 30 * i, 90)) * (64 * 48) for i in range(6))
    pictures = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x48", "-r", "5", "-i", "pipe:0"]
    sound = ["-f", "lavfi", "-i", "sine=d=1.2", "-c:v", "mjpeg", "-q:v", "2", "-c:a", "aac"]
    clip = convert([*pictures, *sound], tmp_path / "lost.mkv", stdin=raw)
    data, at = bytearray(clip.read_bytes()), 0
    for number in range(4):
        at = data.index(b"\xff\xd8\xff", at) + 3
        if number != 2:  # frames 2, 4 and 5 remain
            end = data.index(b"\xff\xd9", at)
            data[at - 3 : end] = bytes(end - at + 3)
    clip.write_bytes(data)
    out = tmp_path / "out.mp4"
    ran = done(*run(clip, style, out, "--keep-run"))
    assert "lost.mkv is damaged: 3 of about 6 frames could be read" in ran.err
    done(*run(clip, style, tmp_path / "part.mp4", "--frames", "1:3"))
    done(*run(clip, style, out, "--keep-run", "--overwrite"))
    for path, begins, starts in ((out, 0.4, [0, 0.4, 0.6]), (tmp_path / "part.mp4", 0, [0, 0.2])):
        made = probe(path)
        assert float(made.start_time) == pytest.approx(begins, abs=0.03)
        found = made.times.starts if made.times else [i / made.rate for i in range(made.frames)]
        assert [float(time) for time in found] == pytest.approx(starts, abs=0.001)
        assert len(made.audio) == 1


def not_read(*arguments: object) -> object:
    raise UsageError("the frames were asked for")


def test_what_cannot_be_carried_over_is_known_before_the_work(
    style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dry run says it, and a job before it has read a frame."""
    pictures = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=5:d=1"]
    tones = ["-f", "lavfi", "-i", "sine=d=1", "-f", "lavfi", "-i", "aevalsrc=0|0|0|0|0|0:c=5.1(side):d=1"]
    maps = ["-map", "0", "-map", "1", "-map", "2", "-c:a", "flac", "-pix_fmt", "yuv420p"]
    clip = convert([*pictures, *tones, *maps], tmp_path / "odd.mkv")
    arguments = run(clip, style, tmp_path / "out.webm")
    plain = "note: odd.mkv: the sound (flac) was encoded again as opus for .webm"
    notes = [plain, f"{plain}, in a layout that this can hold"]
    dry = done(*arguments, "--dry-run").err.splitlines()
    assert [line for line in dry if "odd.mkv:" in line] == notes
    assert tree(tmp_path) == ["odd.mkv"]
    monkeypatch.setattr("pipeline.clip.source.Clip.contents", not_read)
    ran = deepfusion(*arguments)
    assert [line for line in ran.err.splitlines() if "odd.mkv:" in line] == notes
    assert "the frames were asked for" in ran.err


def test_the_end_is_rehearsed_once_where_the_frames_are_shown_as_the_clip_tells(
    clip: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rehearsed = []

    def counted(writer: FrameWriter) -> None:
        rehearsed.append(writer)
        rehearse(writer)

    monkeypatch.setattr("video.rehearsal.rehearse", counted)
    output = tmp_path / "out.mp4"
    done(*run(clip, style, output, "--frames", "0:2"))
    assert len(rehearsed) == 1
    assert len(probe(output).audio) == len(probe(clip).audio) > 0


def test_what_has_taken_the_name_meanwhile_is_not_replaced(
    clip: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was planned before the work is held against what is there at its end."""
    output = tmp_path / "out.mp4"
    whole = ClipBook.pictures

    def slow(book: ClipBook, timeline: Timeline) -> list[tuple[Path, Look]]:
        output.write_bytes(b"another's")
        return whole(book, timeline)

    monkeypatch.setattr(ClipBook, "pictures", slow)
    ran = deepfusion(*run(clip, style, output, "--frames", "0:2"))
    assert f"{output} exists already; give --overwrite to replace it" in ran.err
    assert output.read_bytes() == b"another's"
    monkeypatch.undo()
    ran = done(*run(clip, style, output, "--frames", "0:2", "--overwrite", "--json"))
    assert (ran.json["done"], ran.json["skipped"]) == (0, 2)


def test_a_dry_run_does_not_decode_all_that_comes_before(
    clip: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("video.sample_frames.SHORT", 2)
    monkeypatch.setattr("pipeline.clip.source.Clip.contents", not_read)
    ran = done(*run(clip, style, tmp_path / "out.mp4", "--dry-run", "--frames", f"{FRAMES - 2}:"))
    assert "2 frames of " in ran.out + ran.err


def test_a_job_says_that_it_reads_up_to_its_first_frame(
    clip: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.clip.source.FAR", 2)
    ran = done(*run(clip, style, tmp_path / "out.mp4", "--frames", f"{FRAMES - 1}:"))
    assert f"reading {clip} up to frame {FRAMES - 1}, the first that is wanted ..." in ran.err
