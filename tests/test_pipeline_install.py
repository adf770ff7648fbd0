"""The wheel, built from a copy of the sources and used outside the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from pipeline_runs import DEPTH

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.slow

FILES = ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "NOTICE")
PACKAGES = ("configs", "pipeline", "stylize", "video")


def run(command: list[str | Path], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `command` in `folder` and show everything it said when it fails."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PIP_"))}
    done = subprocess.run(
        command,
        cwd=folder,
        env=inherited | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy, so that an old build/ folder cannot lend it files."""
    source = tmp_path_factory.mktemp("a copy of the sources")
    for name in FILES:
        shutil.copy(ROOT / name, source / name)
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    target = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", target, source], target)
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel alone into a folder of its own, whose name has a space."""
    site = tmp_path_factory.mktemp("installed here")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    run([*pip, "install", "--no-deps", "--no-index", "--target", site, wheel], site)
    return site


def deepfusion(site: Path, folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the installed console script in `folder`."""
    return run([sys.executable, site / "bin" / "deepfusion", *arguments], folder, PYTHONPATH=str(site))


def wanted_data() -> set[str]:
    """Name the files beside the code that the program cannot do without, as the wheel spells them."""
    patterns = (
        "configs/*.toml",
        "pipeline/demo/*",
        *(f"pipeline/views/*/*.{kind}" for kind in ("html", "css", "js", "svg")),
        "stylize/weights/*.npz",
        "*/py.typed",
    )
    return {path.relative_to(ROOT).as_posix() for pattern in patterns for path in ROOT.glob(pattern)}


def test_wheel_holds_the_four_packages_and_their_data(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    assert wanted_data() <= names
    assert {"pipeline/py.typed", "pipeline/views/live/page.html", "pipeline/views/report/report.css"} <= names
    assert {"stylize/weights/vgg19.npz", "stylize/weights/vgg19-slim.npz"} <= names
    assert wheel.stat().st_size <= 35_000_000
    assert any(name.startswith("configs/") and name.endswith(".toml") for name in names)
    assert {"LICENSE", "NOTICE"} <= {Path(name).name for name in names if ".dist-info/" in name}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_installed_version_is_the_packages(installed: Path, tmp_path: Path) -> None:
    line = next(
        line for line in (ROOT / "pipeline" / "__init__.py").read_text().splitlines() if "__version__" in line
    )
    version = line.split('"')[1]
    assert version in deepfusion(installed, tmp_path, "--version").stdout


def test_installed_packages_come_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    code = "import importlib, sys; print(*(importlib.import_module(n).__file__ for n in sys.argv[1:]))"
    printed = run([sys.executable, "-c", code, *PACKAGES], tmp_path, PYTHONPATH=str(installed)).stdout
    assert printed.count(str(installed)) == len(PACKAGES)


def test_installed_presets_are_listed(installed: Path, tmp_path: Path) -> None:
    printed = deepfusion(installed, tmp_path, "presets").stdout
    for preset in (ROOT / "configs").glob("*.toml"):
        assert preset.stem in printed


def test_installed_image_needs_nothing_from_the_repository(installed: Path, tmp_path: Path) -> None:
    demo = installed / "pipeline" / "demo"
    output = tmp_path / "cat.png"
    pictures = (demo / "cat.jpg", "--style", demo / "starry-night.jpg", "-o", output)
    settings = ("--backbone", "vgg19-slim", "--size", "64", "--iterations", "1", *DEPTH)
    deepfusion(installed, tmp_path, "image", *pictures, *settings)
    assert output.stat().st_size > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cat.png"]
