"""Where the program begins: it listens to Ctrl-C before anything that takes time is imported."""

from __future__ import annotations

import signal
import sys
import warnings
from typing import NoReturn

from pipeline.interrupt import SIGNALS, Stopped, listen


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line, as `pipeline.cli.main` does, from the first moment on.

    Python's warnings are for those who write programs; whoever asks for them (`PYTHONWARNINGS`) gets them.
    """
    try:
        listen()
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
        from pipeline.cli import main as run

        run(arguments)
    except KeyboardInterrupt as stop:  # before the command line was there to say so
        from pipeline.cli import say_stopped

        say_stopped(arguments)
        sys.exit(stop.exit_code if isinstance(stop, Stopped) else 130)
    finally:
        for number in SIGNALS:  # what ends now has nothing left to keep
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    main()
