"""Collects what a report shows while the job runs."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import __version__
from pipeline.errors import UsageError
from pipeline.machine import load_tensorflow
from pipeline.progress.events import Ended, Watcher, Written
from pipeline.progress.report import Report
from pipeline.progress.wording import spoken_time
from pipeline.settings.job import Job
from pipeline.settings.job_file import job_text
from pipeline.settings.job_settings import VideoSettings, flat
from pipeline.settings.run_options import RunOptions
from pipeline.views.report.content import CurvePoint, ReportPage, Row
from pipeline.views.report.embedding import Pair, Thumb, chosen_frames, chosen_pairs
from pipeline.views.report.page import write_report_page
from stylize.knobs import default_of, knobs_of
from video.names import shown

if TYPE_CHECKING:
    from stylize.optimize import Progress
    from stylize.types import FloatImage


class ReportCollector(Watcher):
    """Collects what `--report` shows of a job, and writes the page.

    Parameters
    ----------
    options
        Of the run.
    path
        Where the page goes.
    """

    wants_originals = True

    def __init__(self, options: RunOptions, path: Path) -> None:
        self._options = options
        self._path = path
        self._job: Job | None = None
        self._ended: dict[str, Ended] = {}
        self._curves: list[CurvePoint] = []
        self._pairs: list[Pair] = []
        self._thumbs: list[Thumb] = []

    def job_begins(self, job: Job, backbone: str) -> None:
        """Keep what the page says of the job."""
        del backbone
        self._job = job

    def iterated(self, progress: Progress, picture: Callable[[], FloatImage]) -> None:
        """A single picture's losses become curves."""
        del picture
        if self._job is not None and self._job.command == "image":
            terms = {"total": progress.loss, **progress.terms}
            self._curves.append((progress.iteration, progress.level, terms))

    def picture_ends(self, ended: Ended) -> None:
        """Keep what it came to."""
        self._ended[ended.name] = ended

    def frame_written(self, written: Written) -> None:
        """Keep those frames that the page shows; in bytes, which take a quarter of the memory."""
        from video.images import from_uint8, to_uint8

        shown = partial(from_uint8, to_uint8(written.picture))
        if written.place in chosen_pairs(written.count, "video") and written.content is not None:
            before = partial(from_uint8, to_uint8(written.content))
            self._pairs.append(Pair(written.name, "", before, shown))
        if written.place in chosen_frames(written.count):
            self._thumbs.append(Thumb(written.name, shown))

    def write(self, report: Report) -> None:
        """Write the page of a job that is done, and name it in its report."""
        job, path = self._job, self._path
        if job is None:
            return
        pairs = self._pairs if job.command == "video" else [_pair_of(ended) for ended in self._in_order()]
        try:
            job_file, no_job_file = job_text(job, path.parent, report.weights_sha256), ""
        except UsageError as error:  # the page shows such names, in another form
            job_file, no_job_file = "", str(error)
        page = ReportPage(
            title=shown(report.output),
            command=job.command,  # type: ignore[arg-type]
            facts=_facts(report, job), settings=_settings(job), environment=_environment(report),
            rows=self._rows(), pairs=pairs, thumbs=self._thumbs, curves=self._curves,
            warnings=report.warnings, rerun=_again(self._options),
            job_file=job_file, no_job_file=no_job_file,
            failed=[(shown(name), reason) for name, reason in report.failed.items()],
        )  # fmt: skip
        write_report_page(path, page, overwrite=self._options.overwrite)
        report.also["report"] = str(path)

    def _in_order(self) -> list[Ended]:
        """What has ended, by its place in the clip or album."""
        return sorted(self._ended.values(), key=lambda ended: ended.index)

    def _rows(self) -> list[Row]:
        rows, shot = [], 0
        for ended in self._in_order():
            shot += ended.cut
            rows.append(Row(shown(ended.name), ended.index, shot, ended.cut, *_cost(ended), ended.error))
        return rows


def _again(options: RunOptions) -> str:
    """The command that does the job again, though its files exist by now."""
    command = options.command_line
    return command if not command or options.overwrite else f"{command} --overwrite"


def _cost(ended: Ended) -> tuple[dict[str, float], int, float]:
    return ended.losses, ended.evaluations, ended.seconds


def _pair_of(ended: Ended) -> Pair:
    """A photo beside what it became, read when the page is written."""
    from video.images import read_image

    assert ended.source is not None
    return Pair(
        shown(ended.name),
        shown(ended.style),
        partial(read_image, ended.source),
        partial(read_image, ended.file),
    )


def _facts(report: Report, job: Job) -> list[tuple[str, str]]:
    """What the last line of the job says."""
    passes = job.settings.passes if isinstance(job.settings, VideoSettings) else 1
    facts = [
        ("frames" if report.command == "video" else "pictures", str(report.frames)),
        ("time", spoken_time(report.seconds)),
        ("evaluations", f"{report.evaluations:,}{' in all passes' if passes > 1 else ''}"),
        ("network", report.backbone),
    ]
    if report.warping_error is not None:
        facts.append(("warping error", f"{1e4 * report.warping_error:.2f}e-4"))
    if report.loop_error is not None:
        facts.append(("from the last frame to the first", f"{1e4 * report.loop_error:.2f}e-4"))
    if passes > 1:
        facts.append(("passes", f"{passes}; frame by frame: the last"))
    facts += [("already there", str(report.skipped))] * bool(report.skipped)
    return facts + [("failed", str(len(report.failed)))] * bool(report.failed)


def _settings(job: Job) -> list[tuple[str, str, str | None]]:
    """Name, value and default of every setting, and the files."""
    files = [("content", shown(job.content)), ("style", ", ".join(map(shown, job.styles)))]
    found: list[tuple[str, str, str | None]] = [(name, value, None) for name, value in files]
    defaults = {
        name: default_of(config, name) for config in (job.settings, job.stylize) for name in knobs_of(config)
    }
    for name, value in flat(job.settings, job.stylize).items():
        found.append((name.replace("_", "-"), _said(value), _said(defaults[name])))
    return found


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _environment(report: Report) -> list[tuple[str, str]]:
    load_tensorflow()
    import tensorflow as tf

    cards = [device.name for device in tf.config.list_logical_devices("GPU")]
    return [
        ("deep-fusion", __version__),
        ("network", f"{report.backbone}, {report.weights}"),
        ("its SHA-256", report.weights_sha256),
        ("TensorFlow", tf.__version__),
        ("Python", platform.python_version()),
        ("system", platform.platform()),
        ("processors", str(os.cpu_count())),
        ("graphics", ", ".join(cards) or "none"),
    ]
