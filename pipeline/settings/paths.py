"""Settings with the paths in them changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.settings.job_settings import setting_details


def with_paths(values: dict[str, Any], change: Callable[[Path], str]) -> dict[str, Any]:
    """Settings by name, with every path in them changed."""
    known = setting_details()
    changed = {}
    for name, value in values.items():
        new = {text: change(Path(os.path.expanduser(text))) for text in known[name].paths_in(value)}
        changed[name] = (
            tuple(new.get(one, one) for one in value) if isinstance(value, tuple) else new.get(value, value)
        )
    return changed
