"""The commands that are no jobs: looking at runs and clips, at presets, weights and the machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.examples import epilog
from pipeline.cli.options import Amount, movie_options, shared_options
from pipeline.cli.slips import FilePath
from pipeline.errors import PipelineError, UsageError
from pipeline.progress.display import Display, printable
from pipeline.settings.job_settings import VideoSettings
from pipeline.settings.run_options import MovieOptions
from video.names import shown

PATH = FilePath(path_type=Path)


@click.command("progress", epilog=epilog("progress"))
@click.argument("run", metavar="RUN", type=PATH)
@click.option("-o", "--output", type=PATH, required=True, metavar="MOVIE.mp4|.gif|.webp", help="The movie.")
@movie_options()
@click.option("--overwrite", is_flag=True, help="Replace a movie that exists.")
def progress(run: Path, output: Path, overwrite: bool, **movie: Any) -> None:
    """Make the progress movie of a run folder that was kept with --keep-run."""
    from pipeline.montage.movie import write_progress_movie
    from pipeline.montage.snapshots import snapshot_folders

    options, folders = MovieOptions(**movie), snapshot_folders(run)
    if options.layout == "grid" and len(folders) < 2:
        raise UsageError(f"{run}: --layout grid is for albums; here is one picture, for single or side")
    made = write_progress_movie(folders, output, options, overwrite=overwrite)
    click.echo(printable(shown(made)))


@click.command("score", epilog=epilog("score"))
@click.argument("content", metavar="CONTENT", type=PATH)
@click.argument("output", metavar="OUTPUT", type=PATH)
@click.option(
    "--style", type=PATH, metavar="PICTURE", help="Also measure how near the output is to this style."
)
@shared_options(
    VideoSettings,
    frames="The part of CONTENT that OUTPUT shows.",
    cuts="Where shots begin.",
    loop="OUTPUT is a loop: also measure how its last frame leads into its first.",
    flow_quality="Work put into the optical flow. Compare only scores of the same quality.",
)
@click.option("--csv", "csv_path", type=PATH, metavar="PATH.csv", help="Write a line a frame.")
@click.option("--overwrite", is_flag=True, help="Replace a table that exists.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def score(as_json: bool, quiet: bool, flow_quality: str, **values: Any) -> None:
    """Measure how steady the clip OUTPUT is as a stylization of CONTENT.

    Works on any two clips or folders of numbered frames of the same length. The warping error is 0 when
    what moves along with the content looks the same from frame to frame.
    """
    from pipeline.clip.score import score_clips

    content, output = values.pop("content"), values.pop("output")
    found = score_clips(content, output, Display(-1 if quiet else 0), quality=flow_quality, **values)
    if as_json:
        click.echo(found.to_json())
    elif not quiet:
        click.echo(printable(found.summary()))


@click.command("presets", epilog=epilog("presets"))
@click.argument("name", required=False)
def presets(name: str | None) -> None:
    """List the presets, or show one."""
    from pipeline.settings.presets import preset_names, preset_text, read_preset
    from pipeline.settings.toml_files import read_text

    if name is not None:
        read_preset(name)
        text = preset_text(name) if name in preset_names() else read_text(Path(name))
        click.echo(printable(text.expandtabs()), nl=False)
        return
    for known in preset_names():
        click.echo(f"{known:14} {preset_text(known).splitlines()[0].lstrip('# ')}")


@click.command("doctor", epilog=epilog("doctor"))
@click.option(
    "--style",
    "styles",
    multiple=True,
    type=PATH,
    metavar="PICTURE",
    help="Say instead how steady clips are in this style, or in those of a folder; may be repeated.",
)
def doctor(styles: tuple[Path, ...]) -> None:
    """Say what this machine has: versions, processors, ffmpeg, weights; or what a style is like."""
    from pipeline.cli.doctor import examine
    from pipeline.cli.weights import is_damaged
    from pipeline.steps.steadiness import ranking

    for line in ranking(styles) if styles else examine():
        click.echo(printable(line))
    if not styles and is_damaged():
        raise PipelineError(
            "a network of this installation is damaged; see the list above for how to mend it"
        )


@click.command("demo", epilog=epilog("demo"))
@click.option(
    "-o",
    "--output",
    type=PATH,
    default=Path("deepfusion-demo"),
    show_default=True,
    help="The folder to fill.",
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def demo(output: Path, quiet: bool) -> None:
    """Stylize a small real clip with sound and two photos, and make a progress movie."""
    from pipeline.cli.demo import run_demo

    for line in run_demo(output, Display(-1 if quiet else 0)):
        click.echo(printable(line))


@click.group("weights", epilog=epilog("weights"))
def weights() -> None:
    """The networks' weights: what is here, check a file, fetch Keras' float32 original."""


@weights.command("list")
def weights_list() -> None:
    """Where weights may come from and which are here."""
    from pipeline.cli.weights import listing

    for line in listing():
        click.echo(printable(line))


@weights.command("download")
@click.option(
    "--timeout",
    type=Amount(1, 3600, "seconds"),
    default=20.0,
    show_default=True,
    help="Seconds to wait for an answer.",
)
def weights_download(timeout: float) -> None:
    """Download Keras' float32 VGG-19 (80 MB) to Keras' cache and verify it.

    No job needs it: the package has the full network in 8 bits a weight. For --weights.
    """
    from pipeline.cli.weights import download

    click.echo(printable(download(timeout, Display())))


@weights.command("verify")
@click.argument("path", metavar="PATH", type=PATH)
@click.option("--sha256", metavar="HEX", help="The hash the file must have.")
def weights_verify(path: Path, sha256: str | None) -> None:
    """Check a weights file: format, shapes, values, hash."""
    from pipeline.cli.weights import verify_line

    click.echo(printable(verify_line(path, sha256)))


COMMANDS = (progress, score, presets, doctor, demo, weights)
