"""Metadata and dependencies; the build-system table and the tools' settings are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).resolve().parent


def read_version() -> str:
    """Read ``__version__`` from the package's text, so that building imports none of it."""
    text = (HERE / "pipeline" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, flags=re.MULTILINE)
    if found is None:
        raise RuntimeError('pipeline/__init__.py has no line __version__ = "..."; put it back')
    return found.group(1)


def read_readme() -> str:
    """Read the long description, or nothing when the file was left out of a partial copy."""
    path = HERE / "README.md"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


TENSORFLOW = ">=2.21,<2.23"

RAY = "ray>=2.52,<3"  # from 2.52 on a cluster can ask for a token

setup(
    name="deep-fusion",
    version=read_version(),
    description="Neural style transfer for video clips, photo albums and single pictures",
    long_description=read_readme(),
    long_description_content_type="text/markdown",
    author="Deep Fusion contributors",
    license="MIT",
    license_files=["LICENSE", "NOTICE"],
    keywords=["style transfer", "video", "tensorflow", "vgg19", "art"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: End Users/Desktop",
        "Intended Audience :: Education",
        "Operating System :: POSIX :: Linux",
        "Operating System :: MacOS",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Multimedia :: Graphics",
        "Topic :: Multimedia :: Video",
        "Topic :: Scientific/Engineering :: Image Processing",
    ],
    python_requires=">=3.11,<3.14",
    # The packages are named one by one: a search would also find tests/ and scripts/.
    packages=[
        "configs",
        "pipeline",
        "pipeline.album",
        "pipeline.cli",
        "pipeline.clip",
        "pipeline.montage",
        "pipeline.preview",
        "pipeline.progress",
        "pipeline.run_folder",
        "pipeline.settings",
        "pipeline.steps",
        "pipeline.styling",
        "pipeline.views",
        "pipeline.views.live",
        "pipeline.views.report",
        "pipeline.workers",
        "stylize",
        "stylize.statistics",
        "stylize.weights",
        "video",
    ],
    package_data={
        "configs": ["*.toml"],
        "pipeline": ["demo/*", "py.typed"],
        "pipeline.views.live": ["*.html", "*.css", "*.js", "*.svg"],
        "pipeline.views.report": ["*.html", "*.css", "*.js"],
        "stylize": ["py.typed"],
        "stylize.weights": ["*.npz"],
        "video": ["py.typed"],
    },
    include_package_data=False,
    zip_safe=False,
    entry_points={"console_scripts": ["deepfusion = pipeline.cli.entry:main"]},
    install_requires=[
        f"tensorflow{TENSORFLOW}",
        "keras>=3.14,<4",
        "tensorflow-hub>=0.16.1,<0.17",
        "setuptools>=77,<81",  # tensorflow-hub imports pkg_resources, which later versions dropped
        "numpy>=2,<3",
        "opencv-python>=4.10,<6",
        "Pillow>=12,<14",
        "pillow-heif>=1.8.1,<2",  # HEIC; older ones hold a libheif with known holes
        "ffmpeg-python>=0.2,<0.3",
        "imageio-ffmpeg>=0.6,<0.9",  # the ffmpeg program, where the system has none
        "av>=15,<19",  # reads what ffprobe would say, where the system has none
        "scenedetect>=0.7,<0.8",
        "click>=8.1,<9,!=8.3.0",
        "rich>=13.7,<16",
        "werkzeug>=3.1,<4",  # serves the live page
        "filelock>=4.3,<5",  # one process at a time on a run folder
        "jinja2>=3.1.5,<4",
        "h5py>=3.11,<4",
        "scipy>=1.14,<2",
    ],
    extras_require={
        "cluster": [RAY],
        "gpu": [f"tensorflow[and-cuda]{TENSORFLOW}"],
        "train": ["matplotlib>=3.9,<4"],  # scripts/slim/train.py draws its curves
        "dev": [
            "hypothesis>=6.140,<7",
            "mypy>=2.4,<2.5",
            "playwright>=1.50,<2",  # looks at the pages; needs a Chromium
            "pytest>=9,<10",
            "pytest-xdist>=3.8,<4",  # scripts/test.sh runs the tests in several processes
            RAY,
            "ruff>=0.17,<0.18",
            "tensorboard>=2.20,<3",  # reads what we write for it
        ],
    },
)
