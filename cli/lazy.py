"""Commands that are imported when they are run, not when they are listed.

`tkms --help` costs the import of click and of two small modules: the one-line help of every
command stands in a table, the module behind it is imported on use.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import click

from cli.output import Terminal

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _choose_output(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        terminal(context).as_json = value == "json"


def terminal(context: click.Context) -> Terminal:
    """Return the terminal of this run."""
    root = context.find_root()
    if root.obj is None:
        root.obj = Terminal()
    if not isinstance(root.obj, Terminal):
        message = "the root object of the command line is its terminal"
        raise TypeError(message)
    return root.obj


def output_option() -> click.Option:
    """Return `-o`, which every command and group has."""
    return click.Option(
        ["-o", "--output"],
        type=click.Choice(["text", "json"]),
        expose_value=False,
        is_eager=True,
        callback=_choose_output,
        help="Form of the result on stdout [default: text].",
    )


def home_option(text: str = "Home that `tkms init` made.") -> Callable[[_Function], _Function]:
    """Return `--home` of an operator's commands; TKMS_HOME stands for it too."""
    return click.option(
        "--home",
        required=True,
        type=click.Path(file_okay=False, path_type=Path),
        envvar="TKMS_HOME",
        help=text,
    )


class TkmsCommand(click.Command):
    """A command with `-o` and with a help that is JSON where JSON is asked for."""

    def __init__(self, name: str | None, *, example: str = "", **settings: Any) -> None:
        """Append `-o` and the example to what click knows of the command."""
        parameters = list(settings.pop("params", None) or [])
        if example:
            settings["epilog"] = "\b\nExample:\n" + "\n".join(
                f"  {line}" for line in example.strip().splitlines()
            )
        super().__init__(name, params=[*parameters, output_option()], **settings)

    def get_help(self, ctx: click.Context) -> str:
        """Return the help text, or one JSON object that holds it."""
        text = super().get_help(ctx)
        if not terminal(ctx).as_json:
            return text
        return json.dumps({"command": ctx.command_path, "help": text})


class TkmsGroup(click.Group):
    """A group of TkmsCommands."""

    command_class = TkmsCommand
    group_class = type

    def __init__(self, name: str | None = None, **settings: Any) -> None:
        """Append `-o`."""
        parameters = list(settings.pop("params", None) or [])
        super().__init__(name, params=[*parameters, output_option()], **settings)

    def get_help(self, ctx: click.Context) -> str:
        """Return the help text, or one JSON object that holds it."""
        text = super().get_help(ctx)
        if not terminal(ctx).as_json:
            return text
        return json.dumps({"command": ctx.command_path, "help": text})


class LazyGroup(TkmsGroup):
    """The root: sections of (name, module, one line)."""

    def __init__(
        self,
        name: str | None = None,
        *,
        sections: Mapping[str, Sequence[tuple[str, str, str]]],
        **settings: Any,
    ) -> None:
        """Keep the table; nothing is imported."""
        super().__init__(name, **settings)
        self._sections = sections
        self._modules = {name: module for rows in sections.values() for name, module, _ in rows}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names in the order of the table."""
        del ctx
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        del ctx
        module = self._modules.get(cmd_name)
        if module is None:
            return None
        path, _, attribute = module.partition(":")
        found = getattr(import_module(path), attribute)
        if not isinstance(found, click.Command):
            message = f"{module} is not a command"
            raise TypeError(message)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections from the table alone."""
        del ctx
        for title, rows in self._sections.items():
            with formatter.section(title):
                formatter.write_dl([(name, text) for name, _, text in rows])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest near names for a mistyped one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches  # noqa: PLC0415 - only on a mistake

            near = get_close_matches(args[0], self._modules)
            if near:
                meant = " or ".join(repr(name) for name in near)
                raise click.UsageError(f"{error.message} Did you mean {meant}?", ctx) from error
            raise
