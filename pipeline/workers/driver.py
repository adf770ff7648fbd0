"""Has a job's units done by workers, and shows them as one job."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from pipeline.progress.display import Display, Work
from pipeline.settings.run_options import LOCAL
from pipeline.workers.messages import retold
from pipeline.workers.protocol import Hear, Setup, Unit
from pipeline.workers.relay import Relay
from pipeline.workers.staff import Staff


def do_by_workers(
    staff: Staff, setup: Setup, kind: str, units: Callable[[Work], Iterable[Unit]], total: float,
    take: Hear, snapshots: Path, display: Display,
) -> dict[str, str]:  # fmt: skip
    """Have all units done; gives what went wrong, by the names of those that could not be.

    Parameters
    ----------
    setup
        What each worker is made from.
    kind
        What the units are, for people: "shots", "photos".
    units
        Gives the units, as they become known.
    total
        What they cost together, as far as that is known before.
    take
        Takes what the workers say, before it is shown.
    snapshots
        Where snapshots go.
    """
    display.note(_introduction(staff))
    with display.work(total) as work, closing(staff.hire(setup, display)) as team:
        relay = Relay(kind, display, work, snapshots)

        def hear(unit: Unit, message: Any) -> None:
            message = _nearer(message)
            take(unit, message)
            relay.hear(unit, message)

        return team.run(units(work), hear)


def _nearer(message: Any) -> Any:
    """What is said, with files named as seen from here: workers know them by their whole paths."""
    here = Path.cwd()
    if here == Path(here.anchor):
        return message
    return retold(message, lambda text: text.replace(f"{here}{os.sep}", ""))


def _introduction(staff: Staff) -> str:
    """Who is going to work."""
    many = f"up to {staff.count} workers" if staff.count > 1 else "1 worker"
    each = (
        f"{staff.cards:g} graphics card"
        if staff.cards
        else f"{staff.threads} thread{'s' * (staff.threads > 1)}"
    )
    where = {None: "", LOCAL: ", on a Ray of this machine"}.get(staff.address, f", on Ray at {staff.address}")
    return f"{many} of {each} each{where}"
