"""What became of a job, on one page for a browser: `--report PATH.html`.

The page is one file and loads nothing. It works without JavaScript; what that adds are the sliders, the
choice among frames and styles, and copying. Everything it is told, names of files above all, is taken as
text.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.settings.run_options import PAGE_SUFFIXES
from pipeline.views.report.chart_types import spoken
from pipeline.views.report.content import ReportPage, Row
from pipeline.views.report.embedding import (
    EmbeddedPair,
    chosen_frames,
    embedded_pairs,
    embedded_thumb,
    hero_pair,
)
from video.names import shown_lines


def write_report_page(path: Path, page: ReportPage, overwrite: bool = False) -> None:
    """Write the page, completely or not at all.

    Parameters
    ----------
    path
        Ends in ``.html`` or ``.htm``.
    overwrite
        Whether an existing file may be replaced.

    Raises
    ------
    InputError
        `path` cannot be an output.
    EncodeError
        The page cannot be written, or a picture has values that are not finite.
    """
    from video.outputs import check_target, partial_file, publish, unwritable

    path = Path(path)
    target = check_target(path, PAGE_SUFFIXES, overwrite=overwrite)
    text = report_text(page).encode()
    with partial_file(target) as partial:
        try:
            partial.write_bytes(text)
        except OSError as error:
            raise unwritable(path, error) from error
        publish(partial, target)


def report_text(page: ReportPage) -> str:
    """The page as HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = Path(__file__).resolve().parent
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["spoken"] = spoken
    return environment.get_template("report.html").render(
        page=page, **_pictures(page), **_words(page), **_inlined(folder)
    )


def _finalized(value: Any) -> Any:
    """What an expression of the page comes to: texts as they can be shown, whatever names are in them."""
    from markupsafe import Markup

    return shown_lines(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _pictures(page: ReportPage) -> dict[str, Any]:
    """The pairs, the strip and the charts, ready to be written down."""
    from pipeline.views.report.charts import charts_of
    from pipeline.views.report.drawing import NARROW, WIDE, draw

    pairs, left_out = embedded_pairs(page.pairs, page.command)
    styles = _styles(pairs)
    many = page.command == "album" and len(pairs) > 1
    thumbs = [page.thumbs[place] for place in chosen_frames(len(page.thumbs))]
    stage = [hero_pair(page.pairs[0])] if many else pairs
    return {
        "stage": stage,
        "gallery": pairs if many else [],
        "left_out": left_out,
        "styles": styles,
        "style_numbers": {name: number for number, (name, _) in enumerate(styles, 1)},
        "thumbs": [(thumb.name, embedded_thumb(thumb.picture)) for thumb in thumbs],
        "pair_places": {pair.name: place for place, pair in enumerate(stage)},
        "charts": [
            (chart, [draw(chart, WIDE, f"{chart.key}-wide"), draw(chart, NARROW, f"{chart.key}-narrow")])
            for chart in charts_of(page)
        ],
    }


def _styles(pairs: Sequence[EmbeddedPair]) -> list[tuple[str, int]]:
    """The styles of a gallery and how many pictures each has."""
    counted: dict[str, int] = {}
    for pair in pairs:
        counted[pair.style] = counted.get(pair.style, 0) + 1
    return list(counted.items())


def _words(page: ReportPage) -> dict[str, Any]:
    """What the page says of frames, and of settings, in two groups."""
    return {
        "rows": {row.name: row for row in page.rows},
        "changed": [one for one in page.settings if one[1] != one[2]],
        "unchanged": [one for one in page.settings if one[1] == one[2]],
        "row_facts": _row_facts,
    }


def _row_facts(row: Row) -> list[tuple[str, str]]:
    """A single picture's losses and cost."""
    losses = [(f"{name} loss", spoken(value)) for name, value in row.losses.items() if value]
    return [*losses, ("evaluations", str(row.evaluations)), ("seconds", spoken(row.seconds))]


def _inlined(folder: Path) -> dict[str, Any]:
    """The style sheet and the script, and the hash by which the page lets no other script run."""
    from markupsafe import Markup

    style, script = ((folder / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return {"style": Markup(style), "script": Markup(script), "script_hash": digest}
