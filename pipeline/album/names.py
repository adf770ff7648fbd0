"""The names of an album's results: safe, none taken twice, and the same in every run.

A result is called after its photo, in a folder after its style where there are several. What the journal in
the output folder tells of keeps its name, whatever has come to the album since; what is new takes another
where that is in the way.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.errors import PipelineError
from pipeline.settings.job import StyleSource
from video.names import distinct, longest_name, safe_name, safe_relative, twin_of

JOURNAL = "deepfusion-album.jsonl"
"""In the output folder: a line a finished photo, with what decided its look."""


def journal_lines(folder: Path) -> Iterator[dict[str, Any]]:
    """What the journal of an output folder holds; lines that are damaged are left out.

    Raises
    ------
    PipelineError
        If there is one that cannot be read.
    """
    journal = folder / JOURNAL
    try:
        text = journal.read_text(encoding="utf-8", errors="replace") if journal.is_file() else ""
    except OSError as error:
        raise PipelineError(f"{journal}: cannot be read: {error.strerror}; mend that") from None
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in ("output", "key")):
            yield entry


class AlbumNames:
    """Gives names in an output folder.

    Parameters
    ----------
    output
        The folder.
    """

    def __init__(self, output: Path) -> None:
        self._longest = longest_name(output)
        self._kept: dict[tuple[str, str, str], list[tuple[PurePosixPath, Path]]] = {}
        self._folders: dict[str, str] = {}
        self._taken = {twin_of(JOURNAL)}
        for name, entry in {PurePosixPath(entry["output"]): entry for entry in journal_lines(output)}.items():
            if Path(name).name != name.name:  # no name of this system: somebody else has written it
                continue
            if os.path.lexists(output / name):
                self._taken.add(twin_of(name.as_posix()))
            photo = PurePosixPath(str(entry.get("photo", "")))
            key = name.parent.as_posix(), photo.name, name.suffix.lower()
            self._kept.setdefault(key, []).append((photo, Path(name)))
            folder = str(entry.get("folder", ""))
            if folder and safe_name(folder) == folder:
                self._folders[str(entry.get("style"))] = folder

    def style_folders(self, styles: Sequence[StyleSource]) -> list[str]:
        """A folder for each style: of its stem, made different where two are alike."""
        known = dict(self._folders)
        names = [known.pop(str(style.path.absolute()), "") for style in styles]
        moved = {PurePosixPath(path).name: name for path, name in reversed(known.items())}
        taken = {twin_of(JOURNAL), *map(twin_of, self._folders.values())}
        for place, style in enumerate(styles):
            names[place] = names[place] or moved.pop(style.path.name, "")
            if not names[place]:
                safe = safe_name(style.path.stem, longest=self._longest)
                names[place] = distinct(Path(safe), taken, longest=self._longest).name
                taken.add(twin_of(names[place]))
        return names

    def results(self, wanted: Sequence[Wanted]) -> list[Path]:
        """The paths within the output folder of results, one for each.

        First come the names that are known, then those of photos that keep their format.
        """
        found = {one: kept for one in wanted if (kept := self._known(one)) is not None}
        taken = self._taken | {twin_of(path.as_posix()) for path in found.values()}
        plain = {one: one.plain(self._longest) for one in wanted}
        taken |= {twin_of(place.as_posix()) for path in plain.values() for place in path.parents}
        for one in sorted(wanted, key=lambda one: one.is_converted):
            if one not in found:
                found[one] = self._new(plain[one], one, taken)
                taken.add(twin_of(found[one].as_posix()))
        return [found[one] for one in wanted]

    def _known(self, one: Wanted) -> Path | None:
        """The name that the journal has for this photo, in this format and style."""
        for place in (one.plain(self._longest).parent, Path(one.folder) / one.photo.parent):
            for photo, kept in self._kept.get((place.as_posix(), one.photo.name, one.suffix.lower()), ()):
                if photo.parts[-len(one.photo.parts) :] == one.photo.parts:
                    return kept
        return None

    def _new(self, plain: Path, one: Wanted, taken: Collection[str]) -> Path:
        """A name that is free: after the photo, with its old suffix in it if need be, or with a number."""
        whole = plain.with_name(safe_name(one.photo.name, one.suffix, longest=self._longest))
        if one.is_converted and twin_of(plain.as_posix()) in taken:
            plain = whole
        return distinct(plain, taken, longest=self._longest)


@dataclass(frozen=True)
class Wanted:
    """A result that wants a name.

    Attributes
    ----------
    folder
        Of its style; empty if it has none.
    photo
        Its photo, within the album.
    suffix
        What it shall end in.
    """

    folder: str
    photo: Path
    suffix: str

    @property
    def is_converted(self) -> bool:
        """Whether the photo has another suffix."""
        return self.photo.suffix.lower() != self.suffix.lower()

    def plain(self, longest: int) -> Path:
        """The photo's own name, made safe."""
        return self.folder / safe_relative(self.photo, self.suffix, longest=longest)
