"""What is easily given wrong on the command line, and what to say of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from pipeline.errors import UsageError


class FilePath(click.Path):
    """A path that is not empty, as an unset variable of the shell makes it: that would be the folder here."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As click does, of what is given."""
        if value == "":
            name = param.opts[-1] if isinstance(param, click.Option) else getattr(param, "metavar", "a path")
            raise UsageError(f"{name}: is empty; give it a value")
        return super().convert(value, param, ctx)


class Commands(click.Group):
    """The program's commands; a file in the place of one is told where it belongs."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, unless what is there in place of a command is the name of a file."""
        name = args[0]
        if self.get_command(ctx, name) is None:
            if Path(name).is_dir():
                raise UsageError(f"{name}: say first what to do: `deepfusion album` for its photos, {_CLIP}")
            if Path(name).exists():
                raise UsageError(f"{name}: say first what to do: `deepfusion image` for a picture, {_CLIP}")
            if Path(name).suffix or os.sep in name:
                first = "say first what to do: `deepfusion image`, `video` or `album`"
                raise UsageError(f"{name}: there is no such file; and {first}")
        return super().resolve_command(ctx, args)

    def where(self, error: click.NoSuchOption) -> str:
        """Which command an option belongs to, as a sentence; empty where none has it."""
        names = [
            name
            for name, command in self.commands.items()
            if any(error.option_name in one.opts for one in command.params)
        ]
        if not names or error.ctx is None:
            return ""
        if error.ctx.command is self:
            return f"{error.option_name}: belongs after the command: `deepfusion {names[0]} ...`"
        return f"{error.option_name}: is an option of `deepfusion {'` and `'.join(names)}`"


_CLIP = "`deepfusion video` for a clip"

_MORE = {
    "image": "many photos are done by `deepfusion album FOLDER`",
    "video": "clips are done one by one",
    "album": "an album is one folder",
}


def refuse_more(words: list[str], command: str, content: str) -> None:
    """UsageError for words that are left over: a pattern has become many files, or a name was not quoted."""
    if not words:
        return
    if not Path(words[0]).exists():
        raise UsageError(
            f"{words[0]}: does not belong here; the result is named with -o, "
            "and a name with spaces needs quotes"
        )
    raise UsageError(
        f"{words[0]}: is one file too many after {content} (a pattern like *.jpg becomes many); give every "
        f"style picture a --style of its own, or --style FOLDER; {_MORE[command]}; "
        "the result is named with -o"
    )
