"""The command line, which prints the number and the moment of every iteration done; for start.py."""

from __future__ import annotations

import sys
import time

from pipeline.cli.entry import main as deepfusion
from pipeline.progress.events import Event, Iterated, Watchers

tell = Watchers.tell


def told(watchers: Watchers, event: Event) -> None:
    """Let the event through; print the moment when it is an iteration's."""
    if isinstance(event, Iterated):
        print(event.progress.iteration, time.time(), flush=True)
    tell(watchers, event)


if __name__ == "__main__":
    Watchers.tell = told  # type: ignore[assignment, method-assign]
    deepfusion(sys.argv[1:])
