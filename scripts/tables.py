"""Markdown tables, printed line by line while the work goes on."""

from __future__ import annotations


def head(*names: str, texts: int = 1) -> None:
    """Begin a table: the first `texts` columns hold text, the others numbers, which stand to the right."""
    rules = ["---" if number < texts else "---:" for number in range(len(names))]
    row(*names)
    row(*rules)


def row(*cells: object) -> None:
    """One line of it."""
    print(f"| {' | '.join(map(str, cells))} |", flush=True)
