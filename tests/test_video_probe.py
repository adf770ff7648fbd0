"""What a clip is, seen through PyAV and through ffprobe's JSON."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from video_clips import convert, make_clip

from video.errors import InputError
from video.images import DEFAULT_PIXEL_LIMIT
from video.probe import AudioTrack, ClipInfo, describe, probe, upright_size
from video.streams import Packets, Streams, Track, from_ffprobe, read_with_ffprobe, read_with_pyav
from video.timing import COMMON_RATES, TimeTable, time_table, timing
from video.tools import file_url, find_ffprobe

H264 = ["-pix_fmt", "yuv420p", "-c:v", "libx264"]
SINE = ["-f", "lavfi", "-i", "sine=d=1.2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def plain(folder: Path) -> Path:
    return make_clip(folder / "plain.mp4")


@pytest.fixture(scope="module")
def sound(folder: Path) -> Path:
    before = [*SINE, *SINE, "-map", "1:a", "-map", "0:v", "-map", "2:a", "-metadata:s:a:0", "language=eng"]
    return make_clip(folder / "sound.mkv", before=before, output=["-pix_fmt", "yuv420p", "-c:a", "aac"])


def look(path: Path) -> ClipInfo:
    """Probe with PyAV, and with ffprobe too where there is one: both must agree."""
    found = describe(path, read_with_pyav(path))
    tool = find_ffprobe()
    if tool is not None:
        other = describe(path, read_with_ffprobe(path, tool))
        if path.suffix == ".avi":  # it has no times, and versions differ on where reordered pictures begin
            assert other.start_time - found.start_time <= 1 / found.rate
            other = replace(other, start_time=found.start_time)
        assert other == found
    return found


def test_plain_clip(plain: Path) -> None:
    clip = look(plain)
    assert probe(plain) == clip
    assert (clip.width, clip.height) == (64, 48)
    assert (clip.rate, clip.frames, clip.duration, clip.start_time) == (10, 12, Fraction(6, 5), 0)
    assert (clip.rotation, clip.sample_aspect_ratio, clip.pixel_format) == (0, 1, "yuv420p")
    assert (clip.color_transfer, clip.color_space, clip.color_primaries) == (None, None, None)
    assert not clip.interlaced and not clip.variable_rate and not clip.hdr
    assert clip.video_index == 0 and clip.audio == () and clip.notes == ()
    assert clip.container == "mov,mp4,m4a,3gp,3g2,mj2"


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "avi"])
@pytest.mark.parametrize("rate", ["30000/1001", "24000/1001", "25", "12.5"])
def test_rates_are_exact(rate: str, suffix: str, folder: Path) -> None:
    path = make_clip(folder / f"rate-{rate.replace('/', '-')}.{suffix}", 20, rate=rate, output=H264)
    clip = look(path)
    assert clip.rate == Fraction(rate)
    assert (clip.frames, clip.variable_rate) == (20, False)
    assert clip.duration == 20 / Fraction(rate)


def test_sound_tracks(sound: Path) -> None:
    clip = look(sound)
    assert clip.video_index == 1
    assert clip.frames == 12
    assert [(track.index, track.codec, track.language) for track in clip.audio] == [
        (0, "aac", "eng"),
        (2, "aac", None),
    ]


def test_late_pictures_keep_their_offset(plain: Path, folder: Path) -> None:
    args = ["-itsoffset", "0.5", "-i", file_url(plain), *SINE, "-map", "0:v", "-map", "1:a", "-c:v", "copy"]
    clip = look(convert(args, folder / "late.mp4"))
    assert clip.start_time == Fraction(1, 2)
    assert clip.audio == (AudioTrack(1, "aac", None, Fraction(0)),)
    assert (clip.frames, clip.rate) == (12, 10)


@pytest.mark.parametrize(("turn", "size"), [(90, (48, 64)), (180, (64, 48)), (270, (48, 64))])
def test_rotation(turn: int, size: tuple[int, int], plain: Path, folder: Path) -> None:
    path = convert(
        ["-display_rotation", str(turn), "-i", file_url(plain), "-c", "copy"], folder / f"turned{turn}.mp4"
    )
    clip = look(path)
    assert clip.rotation == turn
    assert (clip.width, clip.height) == size


def test_pixels_are_made_square(folder: Path) -> None:
    clip = look(make_clip(folder / "sar.mp4", 3, before=["-vf", "setsar=4/3"]))
    assert clip.sample_aspect_ratio == Fraction(4, 3)
    assert (clip.width, clip.height) == (86, 48)


def test_interlaced(folder: Path) -> None:
    before = ["-vf", "setfield=tff"]
    output = ["-flags", "+ildct+ilme", "-x264opts", "tff=1", "-pix_fmt", "yuv420p"]
    clip = look(make_clip(folder / "fields.mp4", 4, before=before, output=output))
    assert clip.interlaced
    told = "fields.mp4 is interlaced: it is deinterlaced on reading (--deinterlace off leaves it as it is)"
    assert clip.notes == (told,)
    left = clip.taken_for_interlaced(False)
    assert (left.interlaced, left.notes) == (False, ())
    assert left.taken_for_interlaced(True).measured_fields == "auto"


def test_color_tags(folder: Path) -> None:
    tags = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=pc"
    clip = look(make_clip(folder / "tags.mp4", 3, before=["-vf", f"format=yuv420p,{tags}"]))
    assert clip.color_transfer == clip.color_space == clip.color_primaries == "bt709"
    assert clip.color_range == "pc"


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr(transfer: str, folder: Path) -> None:
    tags = f"format=yuv420p,setparams=color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc"
    clip = look(make_clip(folder / f"{transfer}.mp4", 3, before=["-vf", tags]))
    assert clip.hdr and clip.color_transfer == transfer
    assert clip.notes == (f"{transfer}.mp4 is HDR: it is converted to standard range (SDR)",)


def test_variable_rate(folder: Path) -> None:
    before = ["-vf", "select='not(between(n,4,9))'", "-fps_mode", "passthrough"]
    clip = look(make_clip(folder / "vfr.mkv", before=before))
    assert clip.variable_rate and clip.frames == 6
    assert clip.rate == 5, "six frames in 1.2 seconds"
    assert clip.duration == Fraction(6, 5)
    assert clip.notes == (
        "vfr.mkv has a variable frame rate, 5.000 a second on average: every frame keeps its time",
    )
    assert clip.times is not None
    assert clip.times.starts == tuple(Fraction(n, 10) for n in (0, 1, 2, 3, 10, 11))


def test_gif_with_uneven_delays_is_variable(folder: Path) -> None:
    from PIL import Image

    pictures = [Image.new("RGB", (20, 10), (60 * i, 0, 0)) for i in range(4)]
    path = folder / "delays.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[100, 300, 100, 100])
    clip = look(path)
    assert (clip.frames, clip.variable_rate, clip.container) == (4, True, "gif")


def test_frames_outside_the_edit_list_are_not_counted(folder: Path) -> None:
    whole = make_clip(folder / "whole.mp4", 16, output=["-pix_fmt", "yuv420p", "-g", "16", "-bf", "2"])
    clip = look(convert(["-ss", "0.55", "-i", file_url(whole), "-c", "copy"], folder / "edit.mp4"))
    assert (clip.frames, clip.rate, clip.notes) == (10, 10, ())


def test_elementary_stream_without_times(folder: Path) -> None:
    clip = look(make_clip(folder / "bare.h264", 8))
    assert (clip.frames, clip.rate, clip.container) == (8, 10, "h264")


def test_cover_picture_is_no_video(plain: Path, sound: Path, folder: Path) -> None:
    cover = convert(["-i", file_url(plain), "-frames:v", "1"], folder / "cover.png")
    args = ["-i", file_url(cover), "-i", file_url(sound), "-map", "0:v", "-map", "1:a:0", "-c", "copy"]
    song = convert([*args, "-disposition:v:0", "attached_pic"], folder / "song.m4a")
    with pytest.raises(InputError) as caught:
        probe(song)
    assert str(caught.value) == f"{song} has no video track (only sound); give a clip with pictures"


def test_default_track_is_chosen_before_the_biggest(plain: Path, folder: Path) -> None:
    small = make_clip(folder / "small.mp4", 3, size=(32, 32))
    args = ["-i", file_url(plain), "-i", file_url(small), "-map", "0:v", "-map", "1:v", "-c", "copy"]
    marks = ["-disposition:v:0", "0", "-disposition:v:1", "default"]
    clip = look(convert([*args, *marks], folder / "two.mkv"))
    assert (clip.video_index, clip.width, clip.frames) == (1, 32, 3)
    assert clip.notes == ("two.mkv has 2 video tracks: number 1 is used, 3 frames of 32x32",)


def test_truncated_clip_is_noted(folder: Path) -> None:
    whole = make_clip(folder / "uncut.mkv", 20, output=["-c:v", "ffv1", "-g", "1"])
    cut = folder / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    clip = look(cut)
    assert 5 <= clip.frames <= 12
    assert len(clip.notes) == 1
    assert clip.notes[0].startswith("cut.mkv is damaged or cut off: ")
    assert clip.notes[0].endswith(" of 2.0 s could be read")


# ------------------------------------------------------------------------------------------ bad input


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nplain.mp4\n#EXT-X-ENDLIST\n"
SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
DASH = "<?xml version='1.0'?>\n<MPD xmlns='urn:mpeg:dash:schema:mpd:2011' type='static'></MPD>\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty (0 bytes); copy or download it again"),
        (b"hello\n", "is a text file, not a clip"),
        ("é".encode() * 3000, "is a text file, not a clip"),
        (b"\n<!DOCTYPE html><title>x</title>", "is a web page (HTML), not a clip; download the clip itself"),
        (PLAYLIST.encode(), "is a playlist, which is not opened; give the clip itself"),
        (
            b"ffconcat version 1.0\nfile plain.mp4\n",
            "is a playlist, which is not opened; give the clip itself",
        ),
        (SDP.encode(), "is a playlist, which is not opened; give the clip itself"),
        (DASH.encode(), "is a playlist, which is not opened; give the clip itself"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "is a picture, not a clip"),
    ],
)
def test_files_that_are_no_clips(content: bytes, reason: str, plain: Path) -> None:
    path = plain.parent / "bad.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        probe(path)
    assert str(caught.value) == f"{path} {reason}"
    assert caught.value.exit_code == 2


def test_noise_and_a_head_without_index(plain: Path) -> None:
    path = plain.parent / "noise.mp4"
    for content in (bytes(range(256)) * 40, plain.read_bytes()[:200]):
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            probe(path)
        assert str(caught.value).startswith(f"{path} cannot be opened as a clip (")
        assert "\n" not in str(caught.value)


def test_missing_folder_and_pipe(tmp_path: Path) -> None:
    cases = {
        tmp_path / "none.mp4": "{}: no such file; check the name and the folder",
        tmp_path: "{} is a folder, not a clip",
        tmp_path / "pipe": "{} is no regular file; copy the clip to a file first",
    }
    os.mkfifo(tmp_path / "pipe")
    for path, message in cases.items():
        with pytest.raises(InputError) as caught:
            probe(path)
        assert str(caught.value) == message.format(path)
    with pytest.raises(InputError, match="cannot be read"):
        probe(tmp_path / ("x" * 5000))


def test_only_sound(sound: Path, folder: Path) -> None:
    song = convert(["-i", file_url(sound), "-vn", "-map", "0:a:0", "-c", "copy"], folder / "only.mp4")
    with pytest.raises(InputError) as caught:
        probe(song)
    assert str(caught.value) == f"{song} has no video track (only sound); give a clip with pictures"


def test_neighbour_of_a_playlist_is_not_opened(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demuxer's name is checked too, should a library not know the whitelist option."""
    script = plain.parent / "list.mp4"
    script.write_text("ffconcat version 1.0\nfile plain.mp4\n")
    import video.streams

    monkeypatch.setattr(video.streams, "PYAV_OPTIONS", {})
    with pytest.raises(InputError, match="is of the kind 'concat', which is not opened as a clip"):
        read_with_pyav(script)


# ------------------------------------------------------------------------------------------ ffprobe's JSON


def document(**video_fields: Any) -> dict[str, Any]:
    stream = {
        "index": 1,
        "codec_name": "h264",
        "codec_type": "video",
        "width": 1920,
        "height": 1080,
        "sample_aspect_ratio": "1:1",
        "pix_fmt": "yuv420p",
        "field_order": "progressive",
        "r_frame_rate": "30000/1001",
        "avg_frame_rate": "30000/1001",
        "time_base": "1/30000",
        "start_time": "0.000000",
        "disposition": {"default": 1, "attached_pic": 0},
        "tags": {"language": "und"},
        **video_fields,
    }
    audio = {
        "index": 0,
        "codec_name": "aac",
        "codec_type": "audio",
        "r_frame_rate": "0/0",
        "avg_frame_rate": "0/0",
        "time_base": "1/48000",
        "start_time": "0.021333",
        "disposition": {"default": 1},
        "tags": {"language": "deu"},
    }
    kind = {"format_name": "mov,mp4,m4a,3gp,3g2,mj2", "start_time": "0.000000", "duration": "0.100100"}
    return {"streams": [audio, stream], "format": kind}


def packets(times: list[int | None], discard: int = 0) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{"stream_index": 0, "pts": 0, "duration": 1024, "flags": "K__"}]
    for i, time in enumerate(times):
        row = {"stream_index": 1, "duration": 1001, "flags": "_D_" if i < discard else "K__"}
        rows.append(row if time is None else {**row, "pts": time})
    return rows


def test_recorded_ffprobe_answer() -> None:
    path = Path("phone.mp4")
    side = [{"side_data_type": "Display Matrix", "displaymatrix": "\n00000000: ...", "rotation": -90}]
    tags = {
        "color_space": "bt709",
        "color_transfer": "bt709",
        "color_primaries": "bt709",
        "color_range": "tv",
    }
    recorded = document(side_data_list=side, **tags)
    clip = describe(path, from_ffprobe(path, recorded, packets([-1001, 2002, 0, 1001], discard=1)))
    assert clip == ClipInfo(
        path=path,
        width=1080,
        height=1920,
        rate=Fraction(30000, 1001),
        frames=3,
        duration=Fraction(3003, 30000),
        start_time=Fraction(0),
        rotation=270,
        sample_aspect_ratio=Fraction(1),
        pixel_format="yuv420p",
        color_transfer="bt709",
        color_space="bt709",
        color_range="tv",
        color_primaries="bt709",
        interlaced=False,
        video_index=1,
        audio=(AudioTrack(0, "aac", "deu", Fraction(21333, 1_000_000)),),
        container="mov,mp4,m4a,3gp,3g2,mj2",
        variable_rate=False,
        notes=(),
    )


@pytest.mark.parametrize("ratio", ["0:1", "N/A", None])
def test_unknown_pixel_shape_is_square(ratio: str | None) -> None:
    recorded = document(sample_aspect_ratio=ratio)
    clip = describe(Path("x.mp4"), from_ffprobe(Path("x.mp4"), recorded, packets([0, 1001])))
    assert clip.sample_aspect_ratio == 1
    assert (clip.width, clip.height) == (1920, 1080)


def test_start_is_that_of_the_first_picture_shown() -> None:
    recorded = document(start_time="N/A")
    clip = describe(Path("x.mp4"), from_ffprobe(Path("x.mp4"), recorded, packets([16001, 15000, 17002])))
    assert clip.start_time == Fraction(1, 2)


@pytest.mark.parametrize(("order", "interlaced"), [("tt", True), ("bt", True), ("progressive", False)])
def test_field_orders(order: str, interlaced: bool) -> None:
    found = from_ffprobe(Path("x.mp4"), document(field_order=order), packets([0, 1001]))
    assert describe(Path("x.mp4"), found).interlaced is interlaced


def test_unknown_tags_and_no_rates_and_no_times() -> None:
    recorded = document(
        color_space="unknown",
        color_transfer="reserved",
        avg_frame_rate="0/0",
        r_frame_rate="0/0",
        start_time="N/A",
    )
    clip = describe(Path("x.mp4"), from_ffprobe(Path("x.mp4"), recorded, packets([None, None, None])))
    assert (clip.color_space, clip.color_transfer) == (None, None)
    assert clip.rate == Fraction(30000, 1001), "from the packets' length"
    assert (clip.frames, clip.start_time) == (3, 0)


def test_playlists_named_by_ffprobe_are_refused() -> None:
    recorded = document()
    recorded["format"]["format_name"] = "hls"
    with pytest.raises(InputError) as caught:
        from_ffprobe(Path("x.mp4"), recorded, [])
    expected = "x.mp4 is of the kind 'hls', which is not opened as a clip; convert it to MP4"
    assert str(caught.value) == expected


def test_damage_reported_by_ffprobe() -> None:
    found = from_ffprobe(Path("x.mp4"), document(), packets([0, 1001, 2002]), damaged=True)
    assert describe(Path("x.mp4"), found).notes == ("x.mp4 is damaged: parts of it could not be read",)


def test_probe_prefers_ffprobe(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fake(path: Path, tool: object) -> Streams:
        asked.append((path, tool))
        return from_ffprobe(path, document(), packets([0, 1001]))

    monkeypatch.setattr("video.probe.find_ffprobe", lambda: "the tool")
    monkeypatch.setattr("video.probe.read_with_ffprobe", fake)
    assert probe(plain).width == 1920
    assert asked == [(plain, "the tool")]


# ------------------------------------------------------------------------------------------ conclusions


def track(times: list[int], *, base: str, rates: tuple[str, str], length: int) -> Track:
    seen = Packets()
    for time in times:
        seen.add(time, length, False)
    average, real = (Fraction(rate) for rate in rates)
    return replace(
        Track(0, "video", "h264", Fraction(base), width=4, height=4),
        average_rate=average,
        real_rate=real,
        packets=seen,
    )


@pytest.mark.parametrize(
    ("times", "base", "rates", "length", "rate", "variable"),
    [
        # a millisecond clock rounds 24000/1001: still constant
        ([0, 42, 83, 125, 167, 209, 250], "1/1000", ("24000/1001", "24000/1001"), 41, "24000/1001", False),
        # the average is spoilt by the last frame's length, the real rate fits exactly
        ([i * 3000 for i in range(300)], "1/90000", ("29.98", "30"), 3000, "30", False),
        # neither told rate fits, a common one does
        ([i * 3600 for i in range(50)], "1/90000", ("90000", "50"), 3600, "25", False),
        # real gap: four frames in nine tenths of a second
        ([0, 100, 200, 800], "1/1000", ("10", "10"), 100, "40/9", True),
        # packets come in decoding order
        ([0, 300, 100, 200], "1/1000", ("10", "10"), 100, "10", False),
        ([0], "1/1000", ("10", "10"), 100, "10", False),
        # two recordings joined: the clock begins again, and the packets' length counts
        ([*range(0, 40_000, 100), *range(0, 40_000, 100)], "1/1000", ("12", "12"), 100, "10", False),
        # all at once: the times say nothing
        ([7, 7, 7], "1/1000", ("12", "12"), 0, "12", False),
    ],
)
def test_timing(
    times: list[int], base: str, rates: tuple[str, str], length: int, rate: str, variable: bool
) -> None:
    found = timing(track(times, base=base, rates=rates, length=length))
    assert found[:2] == (Fraction(rate), variable)


@pytest.mark.parametrize(
    ("args", "size"),
    [
        ((720, 576, Fraction(16, 15), 0.0), (768, 576)),
        ((720, 480, Fraction(8, 9), 0.0), (640, 480)),
        ((720, 576, Fraction(16, 15), -90.0), (576, 768)),
        ((65, 49, Fraction(1), 0.0), (65, 49)),
        ((65, 49, Fraction(1), 89.5), (49, 65)),
        ((65, 49, Fraction(1), 45.0), (65, 49)),
        ((65, 49, Fraction(1), -180.0), (65, 49)),
    ],
)
def test_upright_size(args: tuple[int, int, Fraction, float], size: tuple[int, int]) -> None:
    assert upright_size(*args) == size


# ------------------------------------------------------------------------------------------ any file

RATIOS = st.one_of(
    st.sampled_from(
        ["0/0", "1/0", "0/1", "N/A", "90000/1", "30000/1001", "25/1", "-25/1", "1/90000", "x", ""]
    ),
    st.tuples(st.integers(-(2**31), 2**31), st.integers(-(2**31), 2**31)).map(
        lambda pair: f"{pair[0]}/{pair[1]}"
    ),
)
SIDES = st.one_of(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([-1, 0, 1, 2**31 - 1]))
TICKS = st.integers(-(2**63), 2**63 - 1)


@given(
    ratios=st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("sample_aspect_ratio", "r_frame_rate", "avg_frame_rate", "time_base", "start_time"), RATIOS
        ),
    ),
    sides=st.tuples(SIDES, SIDES),
    turn=st.floats(),
    tags=st.dictionaries(st.sampled_from(["DURATION", "alpha_mode", "language"]), st.text(max_size=20)),
    times=st.lists(st.one_of(st.none(), TICKS), max_size=12),
    length=st.integers(0, 2**31),
)
def test_any_document_gives_a_clip_or_one_line(
    ratios: dict[str, str],
    sides: tuple[int, int],
    turn: float,
    tags: dict[str, str],
    times: list[int | None],
    length: int,
) -> None:
    side_data = [{"rotation": turn}]
    fields = {**ratios, "width": sides[0], "height": sides[1], "side_data_list": side_data, "tags": tags}
    rows = [{**row, "duration": length} for row in packets(times)]
    try:
        clip = describe(Path("any.mp4"), from_ffprobe(Path("any.mp4"), document(**fields), rows))
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert clip.width >= 1 and clip.height >= 1
    assert clip.width * clip.height <= DEFAULT_PIXEL_LIMIT
    assert 0 < clip.rate <= 1000
    assert clip.duration is None or clip.duration > 0
    assert clip.rotation in range(360)
    if clip.times is not None:
        check_table(clip.times, clip.frames)


def check_table(table: TimeTable, frames: int) -> None:
    """Times begin at 0 and grow by a millisecond at least, to the end."""
    assert len(table.starts) == frames and table.starts[0] == 0
    assert all(b - a >= Fraction(1, 1000) for a, b in pairwise((*table.starts, table.end)))


@given(
    times=st.lists(st.integers(0, 10**5), min_size=1, max_size=40).map(sorted),
    length=st.integers(0, 10**5),
    base=st.sampled_from(["1/90000", "1/1000", "1/12800", "1001/30000"]),
    first=st.integers(0, 50),
    count=st.integers(1, 50),
)
def test_time_tables(times: list[int], length: int, base: str, first: int, count: int) -> None:
    video = track(times, base=base, rates=("25", "25"), length=length)
    table = time_table(video)
    if table is None:
        assert len(times) > 1 and max(times) == min(times), "times that tell nothing"
        return
    check_table(table, len(times))
    check_table(table.part(first, count), count)
    assert table.part(0, len(times)) == table
    if first + count <= len(times):
        assert table.part(first, count).end == table.at(first + count) - table.at(first)
    clean = sorted(times)
    if min((b - a for a, b in pairwise(clean)), default=1) * Fraction(base) >= Fraction(1, 1000):
        assert table.starts == tuple((t - clean[0]) * Fraction(base) for t in clean), "kept exactly"


@given(
    count=st.integers(2, 300), rate=st.sampled_from(COMMON_RATES), tick=st.sampled_from([1000, 90000, 15360])
)
def test_even_times_have_their_exact_rate_on_any_clock(count: int, rate: Fraction, tick: int) -> None:
    times = [round(i * tick / rate) for i in range(count)]
    video = track(times, base=f"1/{tick}", rates=(str(rate), str(rate)), length=round(tick / rate))
    assert timing(video) == (rate, False, count / rate)
