"""`tkms explorer`: run the page of the chain, make its index anew, make room."""

from pathlib import Path

import click

from cli.errors import CliError, ConfigError
from cli.lazy import TkmsGroup, terminal

_CONFIG = click.option(
    "--config",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="TKMS_EXPLORER_CONFIG",
    help="File with the explorer's settings.",
)
# Progress is told once in so many blocks.
_TOLD_BLOCKS = 1_000


@click.group(cls=TkmsGroup)
def explorer() -> None:
    """Show the chain to readers: pages and JSON over an index of its own."""


def _existing(config: Path) -> Path:
    if not config.exists():
        raise ConfigError(f"{config} is not there", hint="docs/explorer.md has an example")
    return config.resolve()


@explorer.command(example="tkms explorer run --config explorer.toml")
@_CONFIG
def run(config: Path) -> None:
    """Follow a node and serve pages and API until SIGTERM."""
    from edge.explorer import main  # noqa: PLC0415 - slow import
    from edge.explorer.service import IndexBusy, IndexUnusable  # noqa: PLC0415

    try:
        main.run(_existing(config))
    except (IndexBusy, IndexUnusable) as error:
        raise _shown(error) from error


@explorer.command(example="tkms explorer rebuild --config explorer.toml")
@_CONFIG
@click.pass_context
def rebuild(context: click.Context, config: Path) -> None:
    """Delete the index and read the chain anew, up to the node's newest block."""
    from edge.explorer import main  # noqa: PLC0415 - slow import
    from edge.explorer.service import IndexBusy, IndexUnusable  # noqa: PLC0415

    screen = terminal(context)

    def tell(height: int, node_height: int) -> None:
        if height % _TOLD_BLOCKS == 0:
            screen.note(f"block {height} of {node_height}")

    try:
        screen.result(dict(main.rebuild(_existing(config), tell)))
    except (IndexBusy, IndexUnusable) as error:
        raise _shown(error) from error


@explorer.command(
    example="tkms explorer prune --config explorer.toml\n"
    "tkms explorer prune --config explorer.toml --keep-blocks 100000"
)
@_CONFIG
@click.option("--keep-blocks", type=click.IntRange(min=1), help="Keep so many [default: as set].")
@click.pass_context
def prune(context: click.Context, config: Path, keep_blocks: int | None) -> None:
    """Drop old blocks and transactions from the index; requests, keys and records stay."""
    from edge.explorer import main  # noqa: PLC0415 - slow import
    from edge.explorer.service import IndexBusy, IndexUnusable  # noqa: PLC0415

    try:
        terminal(context).result(dict(main.prune(_existing(config), keep_blocks)))
    except (IndexBusy, IndexUnusable) as error:
        raise _shown(error) from error


def _shown(error: Exception) -> CliError:
    busy = type(error).__name__ == "IndexBusy"
    return ConfigError(
        str(error),
        reason="INDEX_BUSY" if busy else "INDEX_UNUSABLE",
        hint="stop the explorer first" if busy else "make it anew: tkms explorer rebuild",
    )
