"""Two records of jobs that differ, told to people."""

from __future__ import annotations

import json
from typing import Any

from pipeline.settings.job_settings import setting_details


def network_of(known: dict[str, Any], record: dict[str, Any]) -> str:
    """How the network of an earlier run is asked for, if it was another; it may not have been the default."""
    from stylize.weights import EMBEDDED

    name = str(known.get("backbone"))
    if known.get("weights") == record.get("weights") or name not in EMBEDDED:
        return ""
    of_a_file = record.get("weights") not in EMBEDDED.values()
    return f" (--backbone {name}{' without --weights' if of_a_file else ''})"


def difference(key: str, before: Any, now: Any) -> str:
    """One difference between two records, for people: hashes tell them nothing."""
    known = setting_details().get(key)
    if key in ("content", "styles") or (known is not None and known.path is True):
        return f"other {key.replace('_', '-')}"
    return f"{key}: {json.dumps(before)} there, {json.dumps(now)} now"
