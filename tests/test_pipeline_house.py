"""The house's own rules, held against the code: who may import whom, and how long a file may be."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FORBIDDEN = {
    "stylize": {"video", "pipeline", "configs", "click", "rich", "cv2", "PIL", "av", "ffmpeg"},
    "video": {"stylize", "pipeline", "configs", "click", "rich", "tensorflow", "keras"},
    "pipeline": {"cv2", "av", "ffmpeg", "h5py", "scipy"},
    "configs": {"stylize", "video", "pipeline"},
}
LIGHT = {"pipeline": {"tensorflow", "PIL", "rich", "numpy"}}
"""What a package may import inside functions only, so that `--help` stays quick."""
MAY_IMPORT_NUMPY_FIRST = {"movie.py", "snapshots.py", "loss_strip.py"}
LONGEST_FILE = 300


def imports(path: Path, *, top_only: bool = False) -> set[str]:
    """The top names of what a file imports; for type checking only does not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_only else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_go_one_way(package: str) -> None:
    wrong = {path.name: imports(path) & FORBIDDEN[package] for path in files(package)}
    assert files(package)
    assert {name: names for name, names in wrong.items() if names} == {}


@pytest.mark.parametrize("package", LIGHT)
def test_heavy_things_are_imported_late(package: str) -> None:
    early = {path.name: imports(path, top_only=True) & LIGHT[package] for path in files(package)}
    assert {name for name, names in early.items() if names} <= MAY_IMPORT_NUMPY_FIRST


def test_files_stay_short() -> None:
    long = {path.name for package in FORBIDDEN for path in files(package) if lines(path) > LONGEST_FILE}
    assert long == set()


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_nothing_names_the_machine_it_was_made_on() -> None:
    named = [
        path.relative_to(ROOT)
        for pattern in ("*/*.py", "*.md", "docs/*.md", "configs/*.toml", "scripts/*")
        for path in ROOT.glob(pattern)
        if path.is_file()
        and any(word in path.read_text(encoding="utf-8") for word in ("/wo" + "rk/", "/ro" + "ot/"))
    ]
    assert named == []
