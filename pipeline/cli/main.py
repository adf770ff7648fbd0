"""The command line: thin commands that turn options into jobs, and the one place that ends the program."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from pipeline import __version__
from pipeline.cli.commands import COMMANDS
from pipeline.cli.examples import epilog
from pipeline.cli.options import as_option, given, require, run_options, setting_options
from pipeline.cli.slips import Commands, FilePath, refuse_more
from pipeline.cli.streams import OutputError, ReaderGoneError, secure
from pipeline.errors import PipelineError, UsageError
from pipeline.progress.display import Display, printable
from pipeline.progress.signals import Stopped, listen
from pipeline.settings.job import Job, build_job, parse_style
from pipeline.settings.job_file import read_job
from pipeline.settings.run_options import options_of
from stylize.errors import ConfigError
from video.names import one_line, shell_line

PATH = FilePath(path_type=Path)

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=Commands, context_settings=CONTEXT)
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

    @cli.command(command, help=text, epilog=epilog(command), context_settings={"allow_extra_args": True})
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
    @run_options(command)
    @setting_options(command)
    @click.pass_context
    def run(context: click.Context, /, **values: Any) -> None:
        refuse_more(context.args, command, content)
        overrides = given(values, command)
        styles = tuple(
            parse_style(text) for text in require(values.pop("styles"), "--style PICTURE", "the look to take")
        )
        target = require(values.pop("output"), f"-o {output}", "where the result goes")
        preset = values.pop("preset")
        try:
            job = build_job(
                command, values.pop("content"), styles, target, preset=preset, overrides=overrides
            )
        except ConfigError as error:
            raise UsageError(as_option(str(error), overrides)) from None
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


@cli.command("run", epilog=epilog("run"))
@click.argument("path", metavar="JOB.toml", type=PATH)
@click.option("-o", "--output", type=PATH, metavar="PATH", help="Another place for the result.")
@run_options("run")
def run_file(path: Path, output: Path | None, **values: Any) -> None:
    """Do the job that a job file describes (see --save-settings).

    It holds content, styles, output and settings. What goes beside the result, and how the work is done, is
    asked for here: --report, --contact-sheet, --progress-movie, --keep-run, --workers, --live and the others
    below.
    """
    start(read_job(path, output=output), values)


for _one in COMMANDS:
    cli.add_command(_one)


def start(job: Job, values: dict[str, Any]) -> None:
    """Run a job with the options in `values`, print its outcome, end with its exit code."""
    from pipeline.api import run_job

    as_json, quiet, verbose = (values.pop(name) for name in ("as_json", "quiet", "verbose"))
    options = options_of({**values, "command_line": _command(None)}, job.command)
    display = Display(-1 if quiet else int(verbose))
    outcome = run_job(job, options, display)
    try:
        if as_json or not quiet:
            click.echo(outcome.to_json() if as_json else printable(outcome.summary()))
    except OutputError as lost:
        raise OutputError(f"{lost}; the job itself is done: {outcome.summary()}") from None
    if outcome.exit_code:
        raise SystemExit(outcome.exit_code)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line; every error that a user can cause is one line on stderr.

    Exit status 0 done, 1 something failed, 2 wrong use or bad input, 130 interrupted, 143 terminated; and 141
    without a word, as a shell gives it for others, where whoever read the output went before its end.
    """
    from stylize.errors import StylizeError
    from video.errors import VideoError

    listen()
    secure()
    try:
        cli.main(arguments, prog_name="deepfusion", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        if isinstance(error, click.NoSuchOption) and (hint := cli.where(error)):
            _say(hint)
            sys.exit(error.exit_code)
        where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "deepfusion"
        _say(f"{error.format_message()} (see {where} --help)")
        sys.exit(error.exit_code)
    except ReaderGoneError:
        sys.exit(141)
    except (PipelineError, StylizeError, VideoError) as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort) as stop:  # click makes the one the other
        cause = stop.__cause__ if isinstance(stop, click.Abort) else stop
        say_stopped(arguments)
        sys.exit(cause.exit_code if isinstance(cause, Stopped) else 130)
    except OSError as error:
        if error.errno is None:
            raise
        _say(f"{error.filename or 'a file'}: {error.strerror}; mend that and run the same command again")
        sys.exit(1)
    sys.exit(0)


def say_stopped(arguments: list[str] | None) -> None:
    """Say that the program was stopped, and how it goes on."""
    _say(f"stopped; to continue: {_command(arguments)}")


def _command(arguments: list[str] | None) -> str:
    """The command line that was given, to be given again; what discards results is left out."""
    given = sys.argv[1:] if arguments is None else arguments
    return shell_line(["deepfusion", *(word for word in given if word != "--restart")])


def _say(text: str) -> None:
    print("deepfusion: " + one_line(text), file=sys.stderr)
