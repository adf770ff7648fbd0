"""How a running job is shown in a notebook: rich's bar, where the kernel has what draws it."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any

from pipeline.progress.display import Display


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook; a program that has not loaded IPython is none."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


class NotebookDisplay(Display):
    """Notes and one bar below the cell; without ipywidgets, which draws it, a line every ten seconds."""

    def __init__(self) -> None:
        super().__init__(stream=sys.stdout)  # what goes to stderr has the colours of an error there

    def bar_console(self) -> Any:
        """See `Display`."""
        if find_spec("ipywidgets") is None:
            return None
        from rich.console import Console

        return Console(force_jupyter=True)
