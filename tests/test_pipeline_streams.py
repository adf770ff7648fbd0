"""Streams that are closed, full or have nobody at the other end; Ctrl-C before anything is imported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pipeline_runs import QUICK, tree

ROOT = Path(__file__).resolve().parent.parent
JOB = ("image", "photo.png", "--style", "style.png", "-o", "out.png", *QUICK)

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@pytest.fixture
def place(tmp_path: Path, photo: Path, style: Path) -> Path:
    (tmp_path / "photo.png").symlink_to(photo)
    (tmp_path / "style.png").symlink_to(style)
    return tmp_path


def shell(place: Path, redirections: str, *arguments: str, after: str = "") -> tuple[int, str, str]:
    """Run the command line with a shell's redirections, and `after` it what its output goes to."""
    run = f'( "$python" -m pipeline.cli "$@" {redirections}; echo $? >&3 ){after}'
    program = f'python="$1"; shift; exec 3>&1; {run}'
    ran = subprocess.run(
        ["bash", "-c", program, "bash", sys.executable, *arguments],
        cwd=place, capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    *out, code = ran.stdout.splitlines()
    return int(code), "\n".join(out), ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("redirections", "after"),
    [("2>/dev/full", ""), ("2>&1 >/dev/null", " | head -c 5 >/dev/null"), ("<&- >&- 2>&-", "")],
)
def test_a_job_goes_on_without_standard_error(redirections: str, after: str, place: Path) -> None:
    quiet = ("-q",) if ">&- 2>&-" in redirections else ("-v",)
    code, _, _ = shell(place, redirections, *JOB, *quiet, after=after)
    assert code == 0
    assert tree(place) == ["out.png", "photo.png", "style.png"]
    assert (place / "out.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_job_whose_last_line_is_lost_is_done_and_says_so(place: Path) -> None:
    code, _, said = shell(place, ">/dev/full", *JOB)
    reason = "standard output cannot be written: No space left on device"
    assert code == 1
    last = said.splitlines()[-1]
    assert last.startswith(f"deepfusion: {reason}; the job itself is done: out.png  (1 picture, ")
    assert said.count("deepfusion: ") == 1
    assert (place / "out.png").exists()


@pytest.mark.parametrize("argument", ["--help", "--version", "presets"])
@pytest.mark.parametrize(
    ("redirection", "reason"), [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")]
)
def test_output_that_is_lost_is_one_line(redirection: str, reason: str, argument: str, place: Path) -> None:
    code, _, said = shell(place, redirection, argument)
    assert (code, said) == (1, f"deepfusion: standard output cannot be written: {reason}\n")


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("doctor",), ("weights", "list"), ("presets",)])
def test_a_reader_that_has_seen_enough_is_no_error(arguments: tuple[str, ...], place: Path) -> None:
    code, _, said = shell(place, "", *arguments, after=" | head -c 1 >/dev/null")
    assert said == ""
    assert code in (141, 0)  # 0: it had all of it before it went


@pytest.mark.slow
def test_a_job_whose_reader_has_gone_is_done_and_says_so(place: Path) -> None:
    code, _, said = shell(place, "", *JOB, after=" | true")
    assert code == 1
    last = said.splitlines()[-1]
    assert last.startswith(
        "deepfusion: standard output cannot be written: Broken pipe; the job itself is done: "
    )


def test_no_file_takes_the_number_of_a_closed_stream(place: Path) -> None:
    """What is meant for people would be written into it."""
    program = (
        "import os\nfrom pipeline.cli.streams import secure\nsecure()\n"
        "print([os.readlink(f'/proc/self/fd/{number}') for number in range(3)], file=open('seen', 'w'))"
    )
    subprocess.run(
        ["bash", "-c", '"$1" -c "$2" <&- >&- 2>&-', "bash", sys.executable, program],
        cwd=place, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (place / "seen").read_text() == f"{['/dev/null'] * 3}\n"


# --- Ctrl-C -------------------------------------------------------------------------------------------------

BEGUN = {
    "console script": "from pipeline.cli.entry import main\nsys.exit(main())",
    "python -m": "import runpy\nrunpy.run_module('pipeline.cli', run_name='__main__', alter_sys=True)",
}


@pytest.mark.parametrize("how", BEGUN)
@pytest.mark.parametrize("module", ["threading", "click", "pipeline.settings.job"])
def test_ctrl_c_while_the_program_is_still_being_imported(module: str, how: str, place: Path) -> None:
    program = f"""
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)
sys.modules.pop({module!r}, None)
sys.meta_path.insert(0, Interrupting())
{BEGUN[how]}
"""
    ran = subprocess.run(
        [sys.executable, "-c", program, "image", "a b.jpg"],
        capture_output=True, text=True, cwd=place, timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (
        128 + signal.SIGINT,
        "deepfusion: stopped; to continue: deepfusion image 'a b.jpg'\n",
    )
