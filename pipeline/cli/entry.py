"""Where the program begins: from here on Ctrl-C is heard, so everything that takes time is imported later."""

from __future__ import annotations

import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # the module of this name takes longer than all of this one
    from typing import NoReturn


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line, as `pipeline.cli.main` does, from the first moment on.

    Python's warnings are for those who write programs; whoever asks for them (`PYTHONWARNINGS`) gets them.
    """
    try:
        from pipeline.progress.signals import listen

        listen()
        import warnings

        if not sys.warnoptions:
            warnings.simplefilter("ignore")
        from pipeline.cli.main import main as run
        from pipeline.machine import claim_process

        claim_process()
        run(arguments)
    except KeyboardInterrupt as stop:  # before the command line was there to say so
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        from pipeline.cli.main import say_stopped

        say_stopped(arguments)
        sys.exit(getattr(stop, "exit_code", 128 + signal.SIGINT))
    finally:
        _end_plainly()


def _end_plainly() -> None:
    """From now on a signal ends the program without a word: nothing is left to be kept."""
    from pipeline.progress.signals import SIGNALS

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    main()
