"""`tkms node|core|connector|relay|release|storage|coprocessor`: thin wrappers around each process's own main."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import click

from cli.errors import ConfigError
from cli.lazy import TkmsCommand

_HOME = click.option(
    "--home",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder with the process's settings.",
)


def _process(name: str, module: str, text: str) -> click.Command:
    """Return the command that runs `module.run(home)` with settings in `home`/<name>.toml."""

    @click.command(name, cls=TkmsCommand, help=text, example=f"tkms {name} --home DIR")
    @_HOME
    def command(home: Path) -> None:
        settings = home / f"{name}.toml"
        if not settings.exists():
            raise ConfigError(
                f"{settings} is not there", hint="`tkms localnet up` writes examples of every home"
            )
        run: Callable[[Path], object] = import_module(module).run
        run(home.resolve())

    return command


node = _process("node", "abci_app.main", "Run the ABCI application that CometBFT talks to.")
core = _process("core", "core.main", "Run the process that holds an operator's shares.")
connector = _process("connector", "connector.main", "Run the link between chain and core.")
storage = _process("storage", "edge.storage.main", "Run the store of ciphertexts and material.")
release = _process(
    "release", "core.isolation.release_server", "Run the service that gives vaults their keys."
)
coprocessor = _process("coprocessor", "edge.coprocessor.main", "Run the coprocessor stand-in.")


@click.command(
    "relay",
    cls=TkmsCommand,
    help="Run the gateway's gRPC relay.",
    example="tkms relay --config relay.toml",
)
@click.option(
    "--config",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Settings; what they name is relative to the file's folder.",
)
def relay(config: Path) -> None:
    """Run until SIGTERM."""
    if not config.exists():
        raise ConfigError(f"{config} is not there", hint="see docs/gateway.md")
    run: Callable[[Path], object] = import_module("connector.relay.main").run
    run(config.resolve())
