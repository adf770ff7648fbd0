"""The command line, which prints the moment when the first iteration is done; for start.py beside this."""

from __future__ import annotations

import sys
import time

from pipeline.cli.main import main as deepfusion
from pipeline.progress.events import Event, Iterated, Watchers

tell = Watchers.tell


def told(watchers: Watchers, event: Event) -> None:
    """Let the event through; print when it is the first iteration's."""
    if isinstance(event, Iterated) and event.progress.iteration == 1:
        print(time.time(), flush=True)
    tell(watchers, event)


if __name__ == "__main__":
    Watchers.tell = told  # type: ignore[assignment, method-assign]
    deepfusion(sys.argv[1:])
