"""Names as they are: shown to people, made into other names, given to programs."""

from __future__ import annotations

import os
import subprocess
import unicodedata
from pathlib import Path, PurePosixPath

import ffmpeg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from video.images import natural_key
from video.names import (
    LONGEST,
    beside,
    distinct,
    fits,
    one_line,
    safe_name,
    safe_relative,
    shell_line,
    shown,
    shown_lines,
    size_of,
    temporary_stem,
    twin_of,
)
from video.outputs import check_target, partial_file, publish
from video.tools import file_url

ESC, BEL, RTL = "\x1b", "\x07", "\u202e"
DEVICES = ("CON", "nul", "Aux", "com1", "LPT9", "COM¹", "prn ")
ODD = st.sampled_from(
    (
        *("..", ".", "...", " ", "[red]", "[/]", "[link=file:///x]", f"{ESC}[31m", BEL, RTL, "\u2066", "\n"),
        *("\r\n", "\t", "\u2028", "\x85", "\u200d", "\u200b", "ä", "a\u0308", "É", "ß", "①", "日本"),
        *("👩\u200d🎨", "%s", ":", "-2", "~", "\\", "'", '"', "$", *DEVICES),
    )
)
RAW = st.binary(min_size=1, max_size=255).map(lambda data: os.fsdecode(data.translate(None, b"/\0")))
LONG = st.tuples(st.sampled_from("aä日\udce9"), st.integers(60, 255)).map(lambda pair: pair[0] * pair[1])
NAMES = st.one_of(
    RAW, LONG, st.text(max_size=80), st.lists(ODD | RAW, min_size=1, max_size=6).map("".join)
).map(lambda name: name.replace("/", "").replace("\0", ""))  # fmt: skip

ORDINARY = (
    "Straße.jpg", "Bücher à la carte.png", "a\u0308.jpg", "日本の写真.jpg", "❤️\u200d🔥.png", "👩\u200d🎨.jpg",
    "Screenshot at 3.04.05\u202fPM.png", "می\u200cخواهم.jpg", "[red].jpg",
    "100 % [a=b] 'x' \\n.jpg", "-rf.mp4",
)  # fmt: skip


def is_clean(text: str) -> bool:
    """Whether nothing in a text commands a terminal, turns the order of letters, or cannot be written."""
    joined = text.replace("\u200d", "").replace("\u200c", "")
    kinds = {unicodedata.category(one) for one in joined}
    return not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"} and bool(text.encode() or True)


# ------------------------------------------------------------------------------------------------ shown


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_names_are_shown_as_they_are(name: str) -> None:
    assert shown(name) == name
    assert shown_lines(f"{name}\n{name}") == f"{name}\n{name}"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (os.fsdecode(b"caf\xe9.jpg"), r"caf\xe9.jpg"),
        (f"{ESC}[31mred{BEL}", r"\x1b[31mred\x07"),
        ("a\nb\tc\rd\x7f", r"a\nb\tc\rd\x7f"),
        (f"x{RTL}gpj.exe\u2069", r"x\u202egpj.exe\u2069"),
        ("a\u2028b\x85c\ufeff", r"a\u2028b\u0085c\ufeff"),
        ("pass\u200dword", r"pass\u200dword"),
        ("\U000e0041", r"\U000e0041"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_cannot_be_shown_is_escaped(name: str, told: str) -> None:
    assert shown(name) == told


@given(NAMES)
def test_any_name_can_be_shown_in_one_line(name: str) -> None:
    told = shown(name)
    assert is_clean(told)
    assert shown(told) == told
    assert len(told.splitlines()) <= 1
    assert is_clean(one_line(f"{name}: is wrong\n  somehow\n"))
    assert fits(told, "ascii").isascii()


@given(st.lists(NAMES.filter(bool), min_size=1, max_size=4))
@example([os.fsdecode(b"caf\xe9's $HOME `x` \\ \n.jpg")])
def test_a_command_line_that_is_shown_can_be_given_again(words: list[str]) -> None:
    words = [word for word in words if _is_name(word)]
    line = shell_line(words)
    assert is_clean(line)
    given_again = subprocess.run(["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True)
    assert given_again.stdout == b"".join(os.fsencode(word) + b"\0" for word in words or [""])


def _is_name(word: str) -> bool:
    """Whether the system can have it as a name or an argument."""
    try:
        return bool(os.fsencode(word))
    except UnicodeEncodeError:
        return False


# ------------------------------------------------------------------------------------------------ made


@pytest.mark.parametrize(
    ("stem", "suffix", "made"),
    [
        ("..", "", "_"), (".", "", "_"), ("", "", "_"), ("...", ".jpg", "_.jpg"), (" ", "", "_"),
        ("a/../b", "", "a_.._b"), ("x. .", "", "x"), ("CON", "", "_CON"), ("nul.tar", ".png", "_nul.tar.png"),
        ("COM1 ", ".jpg", "_COM1 .jpg"), ("console", "", "console"),
        (".hidden", "", ".hidden"), ("ä ö", ".png", "ä ö.png"),
    ],
)  # fmt: skip
def test_safe_names(stem: str, suffix: str, made: str) -> None:
    assert safe_name(stem, suffix) == made


def is_safe(name: str, longest: int = LONGEST) -> bool:
    """Whether a name is one name on any system, of a file or a folder in the folder that it is put in."""
    return (
        PurePosixPath(name).parts == (name,)
        and name not in (".", "..")
        and "\0" not in name
        and not name.endswith((".", " "))
        and name.partition(".")[0].rstrip(" ").upper() not in {one.strip().upper() for one in DEVICES}
        and 0 < size_of(name) <= longest
    )


@given(NAMES | st.text(), st.sampled_from(["", ".png", ".jpeg"]), st.sampled_from([143, LONGEST]))
@example("..", "", LONGEST)
@example("a" * 255, ".webp", LONGEST)
def test_any_name_made_safe_is_one_name(stem: str, suffix: str, longest: int) -> None:
    name = safe_name(stem, suffix, longest=longest)
    assert is_safe(name, longest) and name.endswith(suffix)
    assert safe_name(name.removesuffix(suffix) if suffix else name, suffix, longest=longest) == name
    assert size_of(f"{temporary_stem(name)}.part-01234567.video.jpeg") <= 143


@given(st.lists(NAMES | st.just(".."), max_size=4), st.sampled_from([None, ".webp"]))
def test_any_path_made_safe_stays_in_its_folder(parts: list[str], suffix: str | None) -> None:
    made = safe_relative(PurePosixPath(*parts), suffix)
    assert all(map(is_safe, made.parts))
    inside = os.path.normpath(Path("/album/out") / made)
    assert Path(inside).parts[:3] == ("/", "album", "out") and len(Path(inside).parts) == 3 + len(made.parts)


@given(st.lists(NAMES, max_size=5), st.sampled_from([143, LONGEST]))
@example(["a.jpg", "A.jpg", "a.JPG"], LONGEST)
@example(["ä.jpg", "a\u0308.jpg", "Ä.jpg"], LONGEST)
@example(["a" * 251 + ".jpg", "A" * 251 + ".jpg"], LONGEST)
def test_twins_are_made_different(names: list[str], longest: int) -> None:
    def made() -> list[Path]:
        taken: set[str] = set()
        found = []
        for name in [name for one in names for name in (one, one.swapcase())]:
            found.append(
                distinct(safe_relative(PurePosixPath(name), longest=longest), taken, longest=longest)
            )
            taken.add(twin_of(found[-1].as_posix()))
        return found

    assert len({twin_of(path.as_posix()) for path in made()}) == 2 * len(names)
    assert all(is_safe(path.name, longest) for path in made())
    assert made() == made()


def test_what_lies_beside_a_folder_that_is_given_by_dots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert beside(Path(".."), ".run") == tmp_path / "a.run"
    assert beside(Path("."), ".run") == tmp_path / "a" / "b.run"
    assert beside(Path("x"), ".run") == Path("x.run")
    with pytest.raises(ValueError):
        beside(Path("/"), ".run")


@pytest.mark.parametrize(
    "name", ["a" * 251, "ä" * 125, os.fsdecode(b"\xe9" * 251)], ids=["a", "umlaut", "bytes"]
)
def test_the_longest_names_can_be_written(tmp_path: Path, name: str) -> None:
    target = check_target(tmp_path / f"{name}.png", (".png",), overwrite=False)
    with partial_file(target, ".video") as partial:
        partial.write_bytes(b"whole")
        publish(partial, target)
    assert os.listdir(tmp_path) == [f"{name}.png"]
    assert target.read_bytes() == b"whole"


# ------------------------------------------------------------------------------------------------ used


@given(RAW.filter(bool))
@example(os.fsdecode(b"caf\xe9.mp4"))
def test_names_that_are_not_utf8_pass_through_ffmpeg_python(name: str) -> None:
    one, other = Path("/clips", name), Path("/clips", name.encode("utf-8", "backslashreplace").decode())
    sources = [ffmpeg.input(file_url(path)) for path in dict.fromkeys((one, other))]
    output = ffmpeg.output(*(source["v:0"] for source in sources), file_url(one.with_name(f"{name}.mkv")))
    words = [os.fsencode(word) for word in ffmpeg.get_args(output)]
    for wanted in (one, other, one.with_name(f"{name}.mkv")):
        assert b"file:" + os.fsencode(wanted) in words


@given(st.lists(st.text("0123456789①²٣a.", max_size=12), max_size=8))
@example(["①.jpg", "².jpg", "a2.jpg", "a10.jpg", "9" * 5000])
def test_names_with_any_digits_can_be_sorted(names: list[str]) -> None:
    ordered = sorted((Path(name) for name in names), key=natural_key)
    assert sorted(map(str, ordered)) == sorted(str(Path(name)) for name in names)


def test_numbers_are_sorted_by_their_value() -> None:
    names = ["a1", "a02", "a2b", "a10", "a010b", "a①"]
    assert [path.name for path in sorted(map(Path, reversed(names)), key=natural_key)] == names
