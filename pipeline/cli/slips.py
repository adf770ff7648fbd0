"""What is easily given wrong on the command line, and what to say of it."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.errors import UsageError


class Commands(click.Group):
    """The program's commands; a file in the place of one is told where it belongs."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, unless there is a file of that name and no command."""
        path = args[0]
        if self.get_command(ctx, path) is None and Path(path).exists():
            ways = (
                "`deepfusion album` for its photos"
                if Path(path).is_dir()
                else "`deepfusion image` for a picture"
            )
            raise UsageError(f"{path}: say first what to do: {ways}, `deepfusion video` for a clip")
        return super().resolve_command(ctx, args)


def refuse_more(words: list[str], command: str, content: str) -> None:
    """UsageError for words that are left over: a pattern has become many files, or a name was not quoted."""
    if not words:
        return
    if not Path(words[0]).exists():
        raise UsageError(
            f"{words[0]}: does not belong here; the result is named with -o, "
            "and a name with spaces needs quotes"
        )
    styles = "give every style picture a --style of its own, or --style FOLDER for all of a folder"
    many = (
        "an album is one folder"
        if command == "album"
        else "many photos are done by `deepfusion album FOLDER`"
    )
    raise UsageError(f"{words[0]}: is one file too many after {content}; {styles}; {many}")
