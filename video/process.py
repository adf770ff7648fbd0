"""Child processes: run one to its end, or hold one that frames are piped into or out of.

Each child gets an argument list (never a shell), its own session (Ctrl-C reaches only us), and has its
standard error drained, because a full 64 KiB pipe would stop both sides for good.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from .errors import VideoError

STDERR_LINES_KEPT = 40
"""How many of the last lines of standard error a running process remembers."""


@dataclass(frozen=True)
class Finished:
    """What a command left behind. Exit status 0 does not mean success: damaged clips end with 0 too."""

    returncode: int
    stdout: bytes
    stderr: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the exit status was 0."""
        return self.returncode == 0

    @property
    def reason(self) -> str:
        """The last lines of standard error, as one line."""
        return summarize_stderr(self.stderr, self.returncode)


_PREFIX = re.compile(r"^(?:\[[^\]]* @ 0x[0-9a-f]+\] ?)+")
_CONSEQUENCE = re.compile(
    r"Last message repeated|Task finished with|Terminating thread|Error opening (?:input|output) files?"
    r"|Conversion failed|Could not open encoder before EOF|Nothing was written into output"
    r"|Cannot determine format of input"
)


def summarize_stderr(lines: Sequence[str], returncode: int | None = None, *, last: int = 2) -> str:
    """Join the last different lines that name a cause into one line, for an error message."""
    cleaned = [line for line in (_PREFIX.sub("", raw).strip() for raw in lines) if line]
    causes = [line for line in cleaned if not _CONSEQUENCE.match(line)] or cleaned
    kept = list(dict.fromkeys(causes))[-last:]
    if kept:
        return "; ".join(kept)
    return "no message" if returncode is None else f"no message, exit status {returncode}"


def run_command(
    command: Sequence[str],
    *,
    stdin: bytes | None = None,
    timeout: float | None = None,
    cwd: Path | None = None,
) -> Finished:
    """Run a command to its end.

    Parameters
    ----------
    command
        Program and arguments.
    stdin
        Bytes for its standard input; nothing when None.
    timeout
        Seconds of wall time; the process is killed and VideoError raised when they have passed.
    cwd
        Folder to run in.
    """
    process = _popen(command, subprocess.DEVNULL if stdin is None else subprocess.PIPE, subprocess.PIPE, cwd)
    try:
        out, err = process.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        name = Path(command[0]).name
        raise VideoError(f"{name} gave no result within {timeout:g} s and was stopped") from error
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    return Finished(process.returncode, out, tuple(err.decode("utf-8", "replace").splitlines()))


def _popen(command: Sequence[str], stdin: int, stdout: int, cwd: Path | None) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "AV_LOG_FORCE_NOCOLOR": "1"}
    return subprocess.Popen(
        list(command),
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=environment,
        start_new_session=True,
    )


class PipedProcess:
    """A running command that bytes are piped into or out of. Use it as a context manager: leaving stops it.

    Parameters
    ----------
    command
        Program and arguments.
    feed, read
        Whether its standard input is written through `stdin`, and its standard output read through `stdout`.
    cwd
        Folder to run in.
    listen
        Is given every line of standard error, and gives back what is a message of it, "" where nothing is.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        feed: bool = False,
        read: bool = False,
        cwd: Path | None = None,
        listen: Callable[[str], str] | None = None,
    ) -> None:
        self._listen = listen
        self.name = Path(command[0]).name
        stdin = subprocess.PIPE if feed else subprocess.DEVNULL
        self._process = _popen(command, stdin, subprocess.PIPE if read else subprocess.DEVNULL, cwd)
        self._lines: deque[str] = deque(maxlen=STDERR_LINES_KEPT)
        self.stderr_count = 0
        self._drain = threading.Thread(target=self._drain_stderr, name=f"{self.name}-stderr", daemon=True)
        self._drain.start()

    def _drain_stderr(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            text = line.decode("utf-8", "replace").rstrip()
            if self._listen is not None:
                text = self._listen(text)
                if not text:
                    continue
            self._lines.append(text)
            self.stderr_count += 1

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def stdin(self) -> IO[bytes]:
        """Pipe into the process. BrokenPipeError on writing says that it has ended: ask `reason`."""
        if self._process.stdin is None:
            raise ValueError("this process was started without feed=True")
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        """Pipe out of the process."""
        if self._process.stdout is None:
            raise ValueError("this process was started without read=True")
        return self._process.stdout

    @property
    def stderr(self) -> tuple[str, ...]:
        """The last lines of standard error so far (``STDERR_LINES_KEPT`` at most)."""
        return tuple(self._lines)

    @property
    def reason(self) -> str:
        """The last lines of standard error, as one line."""
        return summarize_stderr(self.stderr, self._process.poll())

    @property
    def running(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.poll() is None

    def finish(self, timeout: float | None = None) -> int:
        """Close `stdin`, wait for the end, and return the exit status.

        Raises VideoError, and kills the process, when `timeout` seconds have passed.
        """
        self._close(self._process.stdin)
        try:
            returncode = self._process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            self.stop()
            raise VideoError(f"{self.name} did not end within {timeout:g} s and was stopped") from error
        self._drain.join(timeout=5)
        return returncode

    def kill(self) -> None:
        """End the process whatever it does; its pipes stay open, so that any thread may call this."""
        if self._process.poll() is None:
            self._process.kill()

    def stop(self) -> None:
        """End the process whatever it does, and close every pipe. Safe to call again."""
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            self._close(pipe)
        self._drain.join(timeout=5)
        if not self._drain.is_alive():
            self._close(self._process.stderr)

    @staticmethod
    def _close(pipe: IO[bytes] | None) -> None:
        if pipe is None:
            return
        try:
            pipe.close()
        except OSError:  # what was still buffered cannot be delivered: the process has gone, finish() tells
            return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
