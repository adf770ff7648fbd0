"""The scripts: each says what it does, and names nothing of the packages that is not there."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = sorted((ROOT / "scripts").rglob("*.py"))
PROGRAMS = [path for path in SCRIPTS if 'if __name__ == "__main__"' in path.read_text(encoding="utf-8")]
OURS = {"configs", "pipeline", "scripts", "stylize", "video"}
QUICK = (
    *("make_docs.py", "torture/resume.py", "torture/media.py", "torture/workers.py"),
    *("bench/temporal.py", "bench/workers.py", "bench/peers.py"),
)
"""Those that load no TensorFlow before they have read their options."""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT / "scripts").as_posix()


def file_of(module: str) -> Path | None:
    """The file of a module of ours."""
    path = ROOT.joinpath(*module.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


@cache
def names_in(module: str) -> frozenset[str]:
    """What a module offers: whatever is bound in it outside functions and classes, and its submodules."""
    file = file_of(module)
    assert file is not None, f"there is no module {module}"
    found: set[str] = set()
    pending: list[ast.AST] = list(ast.parse(file.read_text(encoding="utf-8")).body)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        pending += ast.iter_child_nodes(node)
    if file.name == "__init__.py":
        found |= {path.stem for path in file.parent.iterdir() if path.suffix == ".py" or path.is_dir()}
        if "__getattr__" in found:  # names that are imported when they are asked for
            found |= set(re.findall(r'"(\w+)"', file.read_text(encoding="utf-8")))
    return frozenset(found)


def named(tree: ast.Module) -> set[tuple[str, str]]:
    """Every (module, name) of ours that a file asks for, also as an attribute of a module."""
    found, modules = set(), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in OURS:
            for alias in node.names:
                found.add((node.module, alias.name))
                modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            modules |= {one.asname or one.name: one.name for one in node.names}
    bound = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    modules = {
        name: module
        for name, module in modules.items()
        if module.split(".")[0] in OURS and name not in bound  # something else bears the name elsewhere
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and file_of(modules.get(ast.unparse(node.value), "?")):
            found.add((modules[ast.unparse(node.value)], node.attr))
    return found


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_what_a_script_imports_is_there(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    asked = named(tree)
    assert {f"{module}.{name}" for module, name in asked if name not in names_in(module)} == set()


@pytest.mark.parametrize("path", PROGRAMS, ids=name_of)
def test_a_script_says_how_it_is_called(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    said = ast.get_docstring(ast.parse(text)) or ""
    if "ArgumentParser" in text:
        assert f"python scripts/{name_of(path)}" in said


@pytest.mark.parametrize("name", QUICK)
def test_help(name: str) -> None:
    command = [sys.executable, "-X", "importtime", str(ROOT / "scripts" / name), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "usage: " in done.stdout
    assert "| tensorflow\n" not in done.stderr


def test_every_script_that_is_named_exists() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*.py"), *ROOT.glob(".ci/*")]
    for folder in (*OURS, "tests"):
        pages += (ROOT / folder).rglob("*.py")
    missing = {
        f"{page.relative_to(ROOT)}: {name}"
        for page in pages
        for name in re.findall(r"\bscripts/[\w/]+\.(?:py|sh)", page.read_text(encoding="utf-8"))
        if not (ROOT / name).is_file()
    }
    assert missing == set()
