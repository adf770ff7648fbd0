"""The journal: what it gives back, and that no bytes make it fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import PipelineError
from pipeline.run_folder.files import append_durably, write_durably
from pipeline.run_folder.journal import Journal

ENTRIES = st.lists(
    st.dictionaries(
        st.text(max_size=8).filter(lambda key: key != "chain"),
        st.none()
        | st.booleans()
        | st.integers(-(2**70), 2**70)
        | st.floats(allow_nan=False)
        | st.text(max_size=8),
        max_size=4,
    ),
    max_size=6,
)


def fill(path: Path, entries: list[dict[str, object]], seed: str = "seed") -> bytes:
    path.unlink(missing_ok=True)
    journal = Journal(path, seed)
    for entry in entries:
        journal.append(entry)
    return path.read_bytes() if path.exists() else b""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal")


@pytest.mark.slow
@given(entries=ENTRIES, more=ENTRIES)
def test_what_was_written_is_read_and_can_be_continued(
    entries: list[dict[str, object]], more: list[dict[str, object]], folder: Path
) -> None:
    path = folder / "journal.jsonl"
    fill(path, entries)
    again = Journal(path, "seed")
    assert again.read() == entries
    for entry in more:
        again.append(entry)
    assert Journal(path, "seed").read() == [*entries, *more]
    assert Journal(path, "other").read() == []


@pytest.mark.slow
@given(entries=ENTRIES.filter(bool), data=st.data())
def test_damage_leaves_a_beginning_that_is_true(
    entries: list[dict[str, object]], data: st.DataObject, folder: Path
) -> None:
    path = folder / "damaged.jsonl"
    whole = fill(path, entries)
    where = data.draw(st.integers(0, len(whole) - 1))
    garbage = data.draw(st.binary(max_size=40))
    path.write_bytes(whole[:where] + garbage + (whole[where:] if data.draw(st.booleans()) else b""))
    journal = Journal(path, "seed")
    found = journal.read()
    assert found == entries[: len(found)]
    journal.append({"after": 1})
    assert Journal(path, "seed").read() == [*found, {"after": 1}]


@given(data=st.binary(max_size=200))
def test_no_bytes_are_a_traceback(data: bytes, folder: Path) -> None:
    path = folder / "bytes.jsonl"
    path.write_bytes(data)
    assert Journal(path, "seed").read() == []
    assert path.read_bytes() == b""


def test_a_line_goes_on_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("torn")
    append_durably(path, "one")
    append_durably(path, "two")
    assert path.read_text() == "torn\none\ntwo\n"


def test_a_line_that_does_not_fit_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "list"
    append_durably(path, "one")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(
        PipelineError, match="list: cannot be written: No space left on device; mend that and"
    ):
        append_durably(path, "two")
    with pytest.raises(OSError, match="No space"):
        write_durably(path, "other")
    assert path.read_text() == "one\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["list"]
