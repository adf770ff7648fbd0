"""How many workers a job gets, of what kind, and what each of them may use."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass

from pipeline.errors import UsageError
from pipeline.machine import cores, limit_threads
from pipeline.progress.display import Display
from pipeline.settings.run_options import LOCAL, WorkerOptions
from pipeline.workers.dispatcher import Dispatcher
from pipeline.workers.protocol import Setup
from pipeline.workers.server import NO_CARD

_CORES_EACH = 4
"""Cores for a worker without a graphics card, where there are many and nothing is said."""

_MOST_EACH = 4
"""Processes for each core, at the most: each takes a gigabyte."""


@dataclass(frozen=True)
class Staff:
    """What workers a job gets.

    Attributes
    ----------
    count
        How many.
    threads
        Of each.
    cards
        Graphics cards of each, or its share of one; 0 without any.
    neighbours
        How many are on one machine, at the most.
    room
        How many the machines that are here now have cores or cards for.
    address
        As in `WorkerOptions`.
    """

    count: int
    threads: int
    cards: float
    neighbours: int
    room: int
    address: str | None

    def hire(self, setup: Setup, display: Display) -> Dispatcher:
        """The workers; each is started when there is a unit for it."""
        watched = bool(display.watchers.each)
        if watched:
            from pipeline.machine import load_tensorflow

            load_tensorflow()  # what is sent to those who look on needs it, and it is to come in quietly
        if self.address is None:
            from pipeline.workers.processes import Processes, Share

            names = card_names() if self.cards else [NO_CARD]
            cards = [names[int(number * self.cards) % len(names)] for number in range(self.count)]
            shares = [Share(self.threads, card) for card in cards]
            return Dispatcher(Processes(setup, shares, watched=watched), display)
        from pipeline.workers.ray_workers import RayActors

        actors = RayActors(setup, self.count, threads=self.threads, cards=self.cards, watched=watched)
        return Dispatcher(actors, display)


@contextmanager
def staffed(threads: int, asked: WorkerOptions | None, *, plans: bool = False) -> Iterator[Staff | None]:
    """The staff of a job, None without workers; a Ray is joined or started for as long as the block runs.

    `threads` each, or 0: what there are. One that only `plans` starts none.

    Raises
    ------
    UsageError
        If there is no Ray, or no cluster at the address, or too few cards.
    """
    if asked is None:
        yield None
        return
    with ExitStack() as stack:
        if asked.engine_address is not None and not (plans and asked.engine_address == LOCAL):
            from pipeline.workers.ray_workers import connect, leave, room

            # Ray prints what becomes of actors on standard output, which is for results; it logs it, too.
            stack.enter_context(redirect_stdout(io.StringIO()))
            connect(asked.engine_address)
            stack.callback(leave)
            machines = room()
        else:
            machines = [(cores(), float(len(card_names())))]
        staff = staff_for(machines, asked, threads)
        limit_threads(staff.threads)  # what is done or timed here is like what is done there
        yield staff


def staff_for(machines: Sequence[tuple[int, float]], asked: WorkerOptions, threads: int) -> Staff:
    """The staff for machines of so many cores and cards each; `threads` each, or 0: what there are.

    Raises
    ------
    UsageError
        If cards are asked for and there are none, or far more workers than cores.
    """
    all_cores, all_cards = sum(one for one, _ in machines), sum(one for _, one in machines)
    cards = asked.gpus_per_worker if asked.gpus_per_worker is not None else float(all_cards > 0)
    if cards > 0 and not all_cards and asked.gpus_per_worker is not None:
        raise UsageError(f"--gpus-per-worker {cards:g}: there are no graphics cards; leave it out")
    count = asked.workers
    if count is None and cards:
        count = max(1, int(all_cards / cards))
    elif count is None:
        count = max(1, all_cores // threads if threads else min(all_cores, max(2, all_cores // _CORES_EACH)))
    assert count is not None
    if asked.engine_address is None and not cards and count > _MOST_EACH * all_cores:
        raise UsageError(
            f"--workers {count}: this machine has {all_cores} core{'s' if all_cores > 1 else ''}, and more "
            f"than one worker each gains nothing; give at most {_MOST_EACH * all_cores}"
        )
    threads = threads or _most_threads([one for one, _ in machines], count)
    places = [int(has / cards) if cards else own // threads for own, has in machines]
    beside = count if asked.engine_address is None else max(1, min(count, max(places)))
    return Staff(count, threads, cards, beside, max(1, sum(places)), asked.engine_address)


def card_names() -> list[str]:
    """This machine's graphics cards, by their names for CUDA; asked of the driver, not of TensorFlow.

    TensorFlow would take some of a card's memory for the process that only hands out the work.
    """
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return [one for one in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if one and one != NO_CARD]
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    asked = [tool, "--query-gpu=index", "--format=csv,noheader"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in told.splitlines() if line.strip().isdecimal()]


def _most_threads(machines: Sequence[int], count: int) -> int:
    """The most threads that so many workers can have each without sharing cores; at least 1."""
    for threads in range(max(machines, default=1), 1, -1):
        if sum(own // threads for own in machines) >= count:
            return threads
    return 1
