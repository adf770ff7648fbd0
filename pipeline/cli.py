"""The command line: thin commands that turn options into jobs, and the one place that ends the program."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from pipeline import __version__
from pipeline.config import Job, build_job, parse_style, read_job
from pipeline.errors import PipelineError, UsageError
from pipeline.interrupt import Stopped, listen
from pipeline.log import Display
from pipeline.movie_options import MovieOptions
from pipeline.options import (
    Length,
    NearMissChoice,
    given,
    movie_asked,
    movie_options,
    require,
    run_options,
    setting_options,
)

PATH = click.Path(path_type=Path)
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="deepfusion")
def cli() -> None:
    """Neural style transfer for video clips, photo albums and pictures.

    \b
    deepfusion video clip.mp4 --style painting.jpg -o stylized.mp4
    deepfusion image photo.jpg --style painting.jpg -o stylized.png
    deepfusion album photos/ --style paintings/ -o stylized/
    """


def _job_command(command: str, content: str, output: str, text: str) -> None:
    """Add one of the three commands that make pictures; they differ in their settings only."""

    @cli.command(command, help=text)
    @click.argument("content", metavar=content, type=PATH)
    @click.option(
        "--style",
        "styles",
        multiple=True,
        metavar="PICTURE[:WEIGHT]",
        help="Style picture, or a folder of them; may be repeated.",
    )  # fmt: skip
    @click.option("-o", "--output", type=PATH, metavar=output, help="Where the result goes.")
    @click.option(
        "--preset",
        default="default",
        show_default=True,
        metavar="NAME|FILE.toml",
        help="Settings to begin with.",
    )
    @run_options
    @setting_options(command)
    def run(**values: Any) -> None:
        overrides = given(values, command)
        styles = tuple(
            parse_style(text) for text in require(values.pop("styles"), "--style PICTURE", "the look to take")
        )
        target = require(values.pop("output"), f"-o {output}", "where the result goes")
        preset = values.pop("preset")
        job = build_job(command, values.pop("content"), styles, target, preset=preset, overrides=overrides)
        start(job, values)


_job_command("image", "PICTURE", "OUT.png", "Stylize one picture.")
_job_command(
    "video", "CLIP|FOLDER", "OUT.mp4",
    "Stylize a clip, or a folder of numbered frames. The sound stays.",
)  # fmt: skip
_job_command(
    "album", "FOLDER", "OUTFOLDER",
    "Stylize every photo of a folder. A style may be a folder of pictures too. "
    "Finished photos are not done again.",
)  # fmt: skip


@cli.command("run")
@click.argument("path", metavar="JOB.toml", type=PATH)
@click.option("-o", "--output", type=PATH, metavar="PATH", help="Another place for the result.")
@run_options
def run_file(path: Path, output: Path | None, **values: Any) -> None:
    """Do the job that a job file describes (see --save-settings)."""
    start(read_job(path, output=output), values)


@cli.command("progress")
@click.argument("run", metavar="RUN", type=PATH)
@click.option("-o", "--output", type=PATH, required=True, metavar="MOVIE.mp4|.gif|.webp", help="The movie.")
@movie_options()
@click.option("--overwrite", is_flag=True, help="Replace a movie that exists.")
def progress(run: Path, output: Path, overwrite: bool, **movie: Any) -> None:
    """Make the progress movie of a run folder that was kept with --keep-run."""
    from pipeline.movie import write_progress_movie
    from pipeline.snapshots import snapshot_folders

    options, folders = MovieOptions(**movie), snapshot_folders(run)
    if options.layout == "grid" and len(folders) < 2:
        raise UsageError(f"{run}: --layout grid is for albums; here is one picture, for single or side")
    click.echo(write_progress_movie(folders, output, options, overwrite=overwrite))


@cli.command("score")
@click.argument("content", metavar="CONTENT", type=PATH)
@click.argument("output", metavar="OUTPUT", type=PATH)
@click.option(
    "--style", type=PATH, metavar="PICTURE", help="Also measure how near the output is to this style."
)
@click.option("--frames", default="", metavar="A:B", help="The part of CONTENT that OUTPUT shows.")
@click.option(
    "--cuts", default="auto", show_default=True, metavar="auto|none|FILE", help="Where shots begin."
)
@click.option(
    "--flow-quality",
    type=NearMissChoice(("fast", "medium", "fine")),
    default="medium",
    show_default=True,
    help="Work put into the optical flow. Compare only scores of the same quality.",
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
    from pipeline.score import score_clips

    content, output = values.pop("content"), values.pop("output")
    found = score_clips(content, output, Display(-1 if quiet else 0), quality=flow_quality, **values)
    if as_json:
        click.echo(found.to_json())
    elif not quiet:
        click.echo(found.summary())


@cli.command("presets")
@click.argument("name", required=False)
def presets(name: str | None) -> None:
    """List the presets, or show one."""
    from pipeline.config import preset_names, preset_text, read_preset

    if name is not None:
        read_preset(name)
        click.echo(
            preset_text(name) if name in preset_names() else Path(name).read_text(encoding="utf-8"), nl=False
        )
        return
    for known in preset_names():
        click.echo(f"{known:14} {preset_text(known).splitlines()[0].lstrip('# ')}")


@cli.command("doctor")
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
    from pipeline.doctor import examine
    from pipeline.steadiness import ranking

    for line in ranking(styles) if styles else examine():
        click.echo(line)


@cli.command("demo")
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
    from pipeline.run_demo import run_demo

    for line in run_demo(output, Display(-1 if quiet else 0)):
        click.echo(line)


@cli.group("weights")
def weights() -> None:
    """The network's weights: what is here, fetch the full network, check a file."""


@weights.command("list")
def weights_list() -> None:
    """Where weights may come from and which are here."""
    from pipeline.weights_command import listing

    for line in listing():
        click.echo(line)


@weights.command("download")
@click.option(
    "--timeout",
    type=Length(1, 3600),
    default=20.0,
    show_default=True,
    help="Seconds to wait for an answer.",
)
def weights_download(timeout: float) -> None:
    """Download the full VGG-19 (80 MB) to the Keras cache and verify it."""
    from pipeline.weights_command import download

    click.echo(download(timeout, Display()))


@weights.command("verify")
@click.argument("path", metavar="PATH", type=PATH)
@click.option("--sha256", metavar="HEX", help="The hash the file must have.")
def weights_verify(path: Path, sha256: str | None) -> None:
    """Check a weights file: format, shapes, values, hash."""
    from pipeline.weights_command import verify_line

    click.echo(verify_line(path, sha256))


def start(job: Job, values: dict[str, Any]) -> None:
    """Run a job with the options in `values`, print its outcome, end with its exit code."""
    from pipeline.engine import RunOptions
    from pipeline.jobs import run_job

    movie = movie_asked(values)
    as_json = values.pop("as_json")
    quiet, verbose = values.pop("quiet"), values.pop("verbose")
    display = Display(-1 if quiet else int(verbose))
    outcome = run_job(job, RunOptions(movie=movie, **values), display)
    if as_json:
        click.echo(outcome.to_json())
    elif not quiet:
        click.echo(outcome.summary())
    if outcome.exit_code:
        raise SystemExit(outcome.exit_code)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line; every error that a user can cause is one line on stderr.

    Exit status 0 done, 1 something failed, 2 wrong use or bad input, 130 interrupted, 143 terminated.
    """
    from stylize.errors import StylizeError
    from video.errors import VideoError

    listen()
    try:
        cli.main(arguments, prog_name="deepfusion", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "deepfusion"
        _say(f"{error.format_message()} (see {where} --help)")
        sys.exit(error.exit_code)
    except (PipelineError, StylizeError, VideoError) as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort) as stop:  # click makes the one the other
        cause = stop.__cause__ if isinstance(stop, click.Abort) else stop
        _say(f"stopped; to continue: {_command(arguments)}")
        sys.exit(cause.exit_code if isinstance(cause, Stopped) else 130)
    sys.exit(0)


def _command(arguments: list[str] | None) -> str:
    """The command line that was given, to be given again; what discards results is left out."""
    given = sys.argv[1:] if arguments is None else arguments
    return shlex.join(["deepfusion", *(word for word in given if word != "--restart")])


def _say(text: str) -> None:
    print("deepfusion: " + " ".join(text.split()), file=sys.stderr)


if __name__ == "__main__":
    main()
