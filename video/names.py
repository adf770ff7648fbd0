"""Names as they are: how any name is shown, and how a name is made that stays in its folder.

A name on a disk is bytes. Python holds those that are not UTF-8 as lone surrogates, which work as file names
and nowhere else; and a name may hold line breaks, escape sequences of terminals, or marks that turn the
order of letters around. Whatever goes to a person passes :func:`shown`; whatever becomes a file or folder
after another name passes :func:`safe_name`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import unicodedata
from collections.abc import Collection, Iterable
from pathlib import Path, PurePath

LONGEST = 255
"""Bytes of a name on nearly every file system."""

TEMPORARY_STEM = 96
"""Bytes of a name that are taken over into that of its temporary file: with all that is added it fits where
names may have 143 bytes only, as in encrypted home folders."""

_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_JOINERS = "\u200c\u200d"
_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [f"{kind}{number}" for kind in ("COM", "LPT") for number in "0123456789¹²³"]
)
"""What Windows takes for a device, whatever suffix stands behind it."""

_LAYOUT = re.compile(r"\s*\n\s+|\s+\n\s*")
_FORBIDDEN = re.compile(("[/\0" if os.sep == "/" else r"[/\\:\0") + "\ud800-\udc7f\udd00-\udfff]")
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,10}")


def shown(name: object) -> str:
    r"""A name, or a text with names in it, as it can be shown: printable, in one line, valid UTF-8.

    What is none of this is escaped: a byte that is not UTF-8 as ``\xe9``, a line break as ``\n``, an escape
    or a mark that changes the direction of writing as ``\x1b``, ``\u202e``. Ordinary names stay as they are,
    whatever they are written in, and so does what was shown already.
    """
    text = str(name)
    if text.isprintable():
        return text
    return "".join(
        one if _is_plain(one, text[max(0, place - 1) : place], text[place + 1 : place + 2]) else _escaped(one)
        for place, one in enumerate(text)
    )


def shown_lines(text: str) -> str:
    """A text of several lines, each of them as :func:`shown`."""
    return "\n".join(map(shown, text.replace("\r\n", "\n").split("\n")))


def one_line(text: str) -> str:
    """A message as one line: line breaks beside other blanks are layout, any other is part of a name."""
    return shown(_LAYOUT.sub(" ", text.strip()))


def fits(text: str, encoding: str | None) -> str:
    """A text with what a stream's encoding lacks escaped."""
    known = encoding or "utf-8"
    return text.encode(known, "backslashreplace").decode(known)


def is_text(name: object) -> bool:
    """Whether a name is UTF-8, so that it can stand in a file of text."""
    try:
        str(name).encode()
    except UnicodeEncodeError:
        return False
    return True


def shell_line(words: Iterable[str]) -> str:
    """A command line that can be shown and be given to bash or zsh again, whatever names are in it."""
    return " ".join(
        shlex.quote(word) if shown(word) == word else f"$'{_quoted_bytes(word)}'" for word in words
    )


def _is_plain(one: str, before: str, behind: str) -> bool:
    """Whether a character may be shown, by what stands beside it.

    Joiners hold letters of several scripts and parts of emoji together; among ASCII they only hide.
    """
    if one in _JOINERS:
        return not before.isascii() and not behind.isascii() and (before + behind).isprintable()
    return one.isprintable() or unicodedata.category(one) == "Zs"


def _escaped(one: str) -> str:
    if one in _SHORT:
        return _SHORT[one]
    code = ord(one)
    if 0xDC80 <= code <= 0xDCFF:  # how Python holds a byte of a name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _quoted_bytes(word: str) -> str:
    parts = []
    for one in word:
        if one in "\\'":
            parts.append(f"\\{one}")
        elif shown(one) == one:
            parts.append(one)
        else:
            parts.extend(f"\\x{byte:02x}" for byte in one.encode("utf-8", "surrogateescape"))
    return "".join(parts)


def safe_name(stem: str, suffix: str = "", *, longest: int = LONGEST) -> str:
    """The name of a file or folder that is called after something else, on whatever system.

    It is one name: never empty, no "." or "..", without separators, without dots or blanks at its end and
    no device of Windows. Of one that is too long the end of the stem is given up for a mark (hash) of the
    whole. Names that are all this already stay as they are.

    Parameters
    ----------
    stem
        What it is called after.
    suffix
        With its dot; ASCII, and never shortened.
    longest
        Bytes that it may have.
    """
    name = _FORBIDDEN.sub("_", stem)
    if not suffix:
        name = name.rstrip(". ")
    if not name.strip(". "):
        name = "_"
    if name.partition(".")[0].rstrip(" ").upper() in _DEVICES:
        name = f"_{name}"
    return _fitted(name, suffix, longest)


def _fitted(name: str, ending: str, longest: int) -> str:
    """A name and its ending; of what is too long the name's end is given up for a mark of all of it."""
    if size_of(name + ending) > longest:
        mark = "~" + hashlib.sha256(_bytes(name)).hexdigest()[:8]
        name = shortened(name, longest - size_of(mark + ending)) + mark
    return name + ending


def _parted(name: str) -> tuple[str, str]:
    """A name's stem and its suffix, if what stands behind the last dot can be one."""
    suffix = Path(name).suffix
    return (name.removesuffix(suffix), suffix) if _SUFFIX.fullmatch(suffix) else (name, "")


def size_of(name: str) -> int:
    """Bytes of a name on a disk."""
    return len(_bytes(name))


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def shortened(name: str, room: int) -> str:
    """As many of a name's first characters as have room in so many bytes."""
    taken = 0
    for place, one in enumerate(name):
        taken += size_of(one)
        if taken > room:
            return name[:place]
    return name


def twin_of(path: str) -> str:
    """What a name, or a path, comes to on drives that take letters for the same: of either case, composed."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def distinct(path: Path, taken: Collection[str], *, longest: int = LONGEST) -> Path:
    """`path`, or the first of ``NAME-2.SUFFIX``, ``NAME-3.SUFFIX``, ... whose twin is not taken."""
    found, number = path, 2
    stem, suffix = _parted(path.name)
    while twin_of(found.as_posix()) in taken:
        found = path.with_name(_fitted(stem, f"-{number}{suffix}", longest))
        number += 1
    return found


def safe_relative(path: PurePath, suffix: str | None = None, *, longest: int = LONGEST) -> Path:
    """A relative path each of whose names is safe, so that it stays in whatever folder it is put.

    Parameters
    ----------
    suffix
        What takes the place of the last name's suffix; None: it has its own.
    """
    *folders, last = [part for part in path.parts if part != path.anchor] or [""]
    stem, own = _parted(last)
    name = safe_name(stem, own if suffix is None else suffix, longest=longest)
    return Path(*(safe_name(folder, longest=longest) for folder in folders), name)


def longest_name(folder: Path) -> int:
    """Bytes that a name in a folder may have; the folder may still have to be made."""
    place = os.path.abspath(folder)
    while not os.path.isdir(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    try:
        return min(LONGEST, os.pathconf(place, "PC_NAME_MAX"))
    except (AttributeError, OSError, ValueError):  # Windows has no such call
        return LONGEST


def beside(path: Path, ending: str) -> Path:
    """The path whose name has `ending` in addition, also of "." and ".."; ValueError for a root folder."""
    if path.name in ("", ".."):
        path = Path(os.path.realpath(path))
    return path.with_name(path.name + ending)


def temporary_stem(name: str) -> str:
    """The first part of the hidden name of a file's temporary one: short enough for all that is added."""
    return "." + shortened(name, TEMPORARY_STEM)
