"""How long the command line takes before it does anything: whole processes, median of several.

    python scripts/bench_start.py [--rounds 11]

Prints a Markdown table; exits 1 when `--help` takes half a second or more.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = (("--version",), ("--help",), ("video", "--help"), ("presets",), ("image",))
LIMIT = 0.5


def seconds(arguments: tuple[str, ...]) -> float:
    """Wall time of one process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *arguments], env=environment, capture_output=True, check=False
    )
    return time.perf_counter() - started


def main() -> None:
    """Time the commands in turns."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    times: dict[tuple[str, ...], list[float]] = {command: [] for command in COMMANDS}
    for _ in range(options.rounds):
        for command in COMMANDS:
            times[command].append(seconds(command))
    print("| command | seconds, median | range |\n| --- | ---: | ---: |")
    for command, found in times.items():
        print(
            f"| deepfusion {' '.join(command)} | {statistics.median(found):.3f} "
            f"| {min(found):.3f} to {max(found):.3f} |"
        )
    sys.exit(statistics.median(times["--help",]) >= LIMIT)


if __name__ == "__main__":
    main()
