"""Two records of jobs that differ, told to people."""

from __future__ import annotations

import json
from typing import Any

from pipeline.settings.job_settings import setting_details


def cure_of(known: dict[str, Any], record: dict[str, Any]) -> str:
    """What to do where the records differ."""
    from stylize.weights import EMBEDDED

    if not record.keys() <= known.keys():
        return "it is of another version of Deep Fusion; --restart discards it and begins afresh"
    network, name = "", str(known.get("backbone"))
    if known.get("weights") != record.get("weights") and name in EMBEDDED:
        if known.get("weights") != EMBEDDED[name]:
            return (
                f"it was begun on another {name}, a file of --weights or that of another version of "
                "Deep Fusion; give that file to continue it, or --restart to discard it"
            )
        of_a_file = record.get("weights") not in EMBEDDED.values()
        network = f" (--backbone {name}{' without --weights' if of_a_file else ''})"
    return f"give its settings{network} to continue it, or --restart to discard it"


def difference(key: str, before: Any, now: Any) -> str:
    """One difference between two records, for people: hashes tell them nothing."""
    known = setting_details().get(key)
    if key in ("content", "styles", "weights") or (known is not None and known.path is True):
        return f"other {key.replace('_', '-')}"
    return f"{key}: {json.dumps(before)} there, {json.dumps(now)} now"
