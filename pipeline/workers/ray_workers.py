"""Workers that are actors of a Ray cluster, or of a Ray that is started here for the job.

Ray places the actors, starts them, and notices when one dies or its machine is gone; which unit goes to which
is decided as for any workers (`crew.py`). What they say comes back as a stream of Ray's objects.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from typing import Any

from pipeline import __version__
from pipeline.errors import UsageError
from pipeline.settings.run_options import LOCAL
from pipeline.workers.file_copies import Parcels, traits_of
from pipeline.workers.messages import Died, Warned
from pipeline.workers.protocol import Setup, Task
from pipeline.workers.ray_actor import AHEAD, Actor, Given, Sees

_NO_ROOM = 30.0
"""Seconds after which it is said that a worker finds no room."""

_METRICS = "RAY_enable_metrics_collection"
"""Whether Ray counts what its processes do; of a Ray for one job nobody asks, and it takes time."""

_KNOCK = 10.0
"""Seconds in which the head of a cluster must answer."""


def connect(address: str) -> None:
    """Join a Ray cluster, or start a Ray here.

    Raises
    ------
    UsageError
        If Ray is not installed, or there is nobody at the address.
    """
    try:
        import ray
    except ImportError:
        raise UsageError(
            "--engine-address: Ray is not installed; run: pip install 'deep-fusion[cluster]'"
        ) from None
    from pipeline.machine import held_stderr
    from pipeline.progress.signals import listen

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        _knock(address)
        with held_stderr(told=False):
            if address == LOCAL:
                os.environ.setdefault(_METRICS, "0")
                ray.init(include_dashboard=False, **quiet)
            else:
                ray.init(address=address, **quiet)
        listen()  # Ray has handlers of its own, which would end the program its way
    except (RuntimeError, ValueError, OverflowError, OSError) as error:
        if address == LOCAL:
            raise UsageError(f"--engine-address local: Ray cannot be started: {_one_line(error)}") from None
        hint = "`ray start --head` on its first machine tells the address"
        if ":" in address and not isinstance(error, OSError):  # somebody has answered
            hint = "if it asks for a token: export RAY_AUTH_MODE=token (docs/cluster.md)"
        raise UsageError(
            f"--engine-address {address}: this is not the address of a Ray cluster that can be joined "
            f"({_one_line(error)}); {hint}"
        ) from None


def _knock(address: str) -> None:
    """OSError if nobody listens at `host:port`: Ray itself would go on asking for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_KNOCK).close()


def leave() -> None:
    """Leave the cluster; a Ray that was started here ends."""
    import ray

    ray.shutdown()


def room() -> list[tuple[int, float]]:
    """Cores and graphics cards of each machine that Ray has now."""
    import ray

    resources = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [(int(one.get("CPU", 0)), float(one.get("GPU", 0))) for one in resources]


class RayActors:
    """Workers that are actors; `connect` comes first.

    Parameters
    ----------
    setup
        What each of them is made from.
    count
        How many.
    threads, cards
        Cores, and graphics cards or shares of one, that Ray keeps for each.
    watched
        Whether anybody looks on.
    """

    def __init__(self, setup: Setup, count: int, *, threads: int, cards: float, watched: bool) -> None:
        import ray

        self.count = count
        self._parcels = Parcels(setup.inputs, ray.put)
        self._setup = ray.put(
            Given(setup, traits_of(setup.probe_files), threads, cards, watched, __version__)
        )
        self._actor = ray.remote(Actor).options(num_cpus=threads, num_gpus=cards, max_restarts=0)
        self._actors: dict[int, Any] = {}
        self._streams: dict[Any, int] = {}
        self._shares: dict[int, bool] = {}
        self._waits: dict[int, float] = {}

    def start(self, number: int) -> None:
        """Ask Ray for an actor, in the place of one that is given up."""
        import ray

        if number in self._actors:  # it may live on, when only a method of it has failed
            with contextlib.suppress(Exception):
                ray.kill(self._actors[number])
        self._actors[number] = actor = self._actor.remote(self._setup)
        self._waits[number] = time.monotonic() + _NO_ROOM
        self._hear(number, actor.begin)

    def give(self, number: int, task: Task) -> None:
        """Have a worker do a unit, with copies of what it cannot see."""
        copies = {} if self._shares[number] else self._parcels.of(task.files)
        self._hear(number, self._actors[number].do, task, copies)

    def listen(self, seconds: float) -> list[tuple[int, Any]]:
        """One message of each worker that has something to say."""
        import ray
        from ray.exceptions import RayError

        if not self._streams:
            time.sleep(seconds)
            return self._impatience()
        streams: list[Any] = list(self._streams)
        ray.wait(streams, num_returns=1, timeout=seconds)
        ready, _ = ray.wait(streams, num_returns=len(streams), timeout=0)
        heard: list[tuple[int, Any]] = []
        for stream in ready:
            if stream not in self._streams:  # of a worker that has just died
                continue
            number = self._streams[stream]
            try:
                message: Any = ray.get(next(stream))
            except StopIteration:
                del self._streams[stream]
                continue
            except RayError as error:
                self._streams = {one: other for one, other in self._streams.items() if other != number}
                heard.append((number, Died(_why(error))))
                continue
            if isinstance(message, Sees):
                self._waits.pop(number, None)
                self._begin(number, message)
            else:
                heard.append((number, message))
        return heard + self._impatience()

    def close(self) -> None:
        """End all actors."""
        import ray

        with contextlib.suppress(Exception):  # what a busy or dead one leaves, others find
            leaving = [actor.leave.remote() for actor in self._actors.values()]
            ray.wait(leaving, num_returns=len(leaving), timeout=1.0)
        for actor in self._actors.values():
            with contextlib.suppress(Exception):
                ray.kill(actor)

    def _hear(self, number: int, method: Any, *arguments: Any) -> None:
        stream = method.options(num_returns="streaming", _generator_backpressure_num_objects=AHEAD).remote(
            *arguments
        )
        self._streams[stream] = number

    def _begin(self, number: int, sees: Sees) -> None:
        """Go on with the setup of a worker that has told what it sees."""
        self._shares[number] = sees.all_files
        copies = {} if sees.all_files else self._parcels.of(self._parcels.inputs)
        self._hear(number, self._actors[number].set_up, copies)

    def _impatience(self) -> list[tuple[int, Any]]:
        """Say so of workers for which there seems to be no room."""
        late = [number for number, until in self._waits.items() if time.monotonic() > until]
        for number in late:
            del self._waits[number]
        text = "there is no room in the Ray cluster yet for {} of {} workers; they join in when there is"
        return [(late[0], Warned(text.format(len(late), self.count)))] if late else []


def _why(error: Exception) -> str:
    """Why Ray lost an actor, or an actor's method failed, in few words."""
    from ray.exceptions import OutOfMemoryError, RayTaskError

    if isinstance(error, RayTaskError):
        return str(error.cause or error)
    if isinstance(error, OutOfMemoryError):
        return "its worker was ended because its machine was short of memory"
    text = str(error).strip()
    if "creation task" in text:  # with the traceback of what went wrong
        last = text.splitlines()[-1].strip()
        here = (
            "Deep Fusion is not installed on one of the cluster's machines; install the same version on all"
        )
        return here if "No module named 'pipeline" in last else last
    return "its worker is gone: it was killed, or short of memory, or its machine is lost"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
