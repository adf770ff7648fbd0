"""The house's own rules, held against the code: who may import whom, and how long a file may be."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FORBIDDEN = {
    "stylize": {"video", "pipeline", "configs", "click", "rich", "cv2", "PIL", "av", "ffmpeg"},
    "video": {"stylize", "pipeline", "configs", "click", "rich", "tensorflow", "keras"},
    "pipeline": {"cv2", "av", "ffmpeg", "h5py", "scipy"},
    "configs": {"stylize", "video", "pipeline"},
}
LIGHT = {"pipeline": {"tensorflow", "PIL", "rich", "numpy", "jinja2"}}
"""What a package may import inside functions only, so that `--help` stays quick."""
MAY_IMPORT_NUMPY_FIRST = {"movie.py", "layouts.py", "panels.py"}
LONGEST_FILE = 300
WRITTEN = (*FORBIDDEN, "tests", "scripts")
ORDER = (
    *(
        "errors",
        "machine",
        "background",
        "settings",
        "progress",
        "run_folder",
        "montage",
        "styling",
        "workers",
    ),
    *("steps", "clip", "album", "views", "preview", "image", "api", "cli", "__main__"),
)
"""The rooms of pipeline/ from the ground up: each may import from those before it, and from itself."""
LONGEST_BODY = 45


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


def pipeline_imports() -> dict[str, set[str]]:
    """For each module of pipeline/ the modules of pipeline/ that it imports, anywhere and for any purpose."""
    found: dict[str, set[str]] = {}
    modules = {module_of(path): path for path in files("pipeline")}
    for module, path in modules.items():
        found[module] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "pipeline":
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                found[module] |= (inner & modules.keys()) or ({node.module} & modules.keys())
    return found


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_imports_in_the_pipeline_go_down() -> None:
    def floor(module: str) -> int:
        return ORDER.index(module.split(".")[1])

    up = [
        f"{module} -> {other}"
        for module, others in pipeline_imports().items()
        for other in others
        if "." in module and "." in other and floor(module) < floor(other)
    ]
    assert up == []
    rooms = {path.stem if path.is_file() else path.name for path in (ROOT / "pipeline").iterdir()}
    assert set(ORDER) <= rooms


def test_no_circles_in_the_pipeline() -> None:
    """The package itself is the door for those outside: it loads what it exports when it is asked for it."""
    waiting = {module: others - {module} for module, others in pipeline_imports().items()}
    del waiting["pipeline"]
    while free := {module for module, others in waiting.items() if not others & waiting.keys()}:
        waiting = {module: others for module, others in waiting.items() if module not in free}
    assert waiting == {}, "these import each other, or something that does"


@pytest.mark.parametrize("package", ["pipeline", "stylize"])
def test_nothing_inside_goes_through_the_door(package: str) -> None:
    names = set(importlib.import_module(package).__all__) - {"__version__"}
    wrong = {
        f"{module_of(path)}: {alias.name}"
        for path in files(package)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == package
        for alias in node.names
        if alias.name in names
    }
    assert wrong == set()


def test_functions_stay_short() -> None:
    long = {
        f"{module_of(path)}.{node.name}"
        for package in FORBIDDEN
        for path in files(package)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and body_lines(node) > LONGEST_BODY
    }
    assert long == set()


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function behind its docstring."""
    first = function.body[1] if ast.get_docstring(function) and len(function.body) > 1 else function.body[0]
    return (function.end_lineno or 0) - first.lineno + 1


def test_nothing_names_the_machine_it_was_made_on() -> None:
    named = [
        path.relative_to(ROOT)
        for pattern in (*(f"{folder}/**/*.py" for folder in WRITTEN), "*.md", "*/*.md", "*/*.toml", "*/*.sh")
        for path in ROOT.glob(pattern)
        if any(word in path.read_text(encoding="utf-8") for word in ("/wo" + "rk/", "/ro" + "ot/"))
    ]
    assert named == []
