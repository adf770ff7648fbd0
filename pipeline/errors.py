"""What can go wrong in a job as a whole.

Every message is one line that says what is wrong, where, and how to mend it.
"""

from __future__ import annotations


class PipelineError(Exception):
    """A job failed."""

    exit_code: int = 1


class UsageError(PipelineError, ValueError):
    """A command, an option, a preset or a job file is wrong; nothing was done."""

    exit_code: int = 2
