"""`tkms completion`: scripts for three shells."""

import click
from click.shell_completion import get_completion_class

from cli.errors import CliError
from cli.lazy import TkmsCommand, terminal

_HOW = {
    "bash": 'eval "$(tkms completion bash)"      # in ~/.bashrc',
    "zsh": 'eval "$(tkms completion zsh)"       # in ~/.zshrc',
    "fish": "tkms completion fish > ~/.config/fish/completions/tkms.fish",
}


@click.command(cls=TkmsCommand, example="\n".join(_HOW.values()))
@click.argument("shell", type=click.Choice(list(_HOW)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell."""
    found = get_completion_class(shell)
    if found is None:
        raise CliError(f"click has no completion for {shell}")
    script = found(context.find_root().command, {}, "tkms", "_TKMS_COMPLETE").source()
    terminal(context).result({"shell": shell, "script": script}, lambda: script)
