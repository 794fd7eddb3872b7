"""`tkms add`: a relay or an explorer beside the node of a home that exists."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.errors import UsageError
from cli.lazy import TkmsCommand, TkmsGroup, home_option, terminal

if TYPE_CHECKING:
    from cli.home.files import OperatorFiles
    from cli.operator.services import Node

_HOME = home_option()
_LISTEN = click.option("--listen", required=True, help="host:port for its users.")
_METRICS = click.option("--metrics-listen", default="", help="Its numbers and health; none.")


@click.group(cls=TkmsGroup)
def add() -> None:
    """Add a relay (for gateways) or an explorer (for readers) to the home of an operator."""


@add.command(cls=TkmsCommand, example="tkms add relay --home DIR --listen 127.0.0.1:19106")
@_HOME
@_LISTEN
@_METRICS
@click.option(
    "--storage-url",
    default="",
    help="Where payloads of user decryptions lie [default: the connector's].",
)
@click.option("--reflection", is_flag=True, help="Tell callers the schema.")
@click.pass_context
def relay(
    context: click.Context,
    home: Path,
    listen: str,
    metrics_listen: str,
    storage_url: str,
    reflection: bool,
) -> None:
    """Write HOME/relay with settings and a new account, which pays for submissions.

    The account needs a balance: an entry in the genesis, or `tkms tx send`. In front of others: TLS and
    tokens, docs/gateway.md.
    """
    from cli.home.files import OperatorFiles  # noqa: PLC0415 - keeps `--help` quick
    from cli.operator import services  # noqa: PLC0415

    files = OperatorFiles.of(home)
    choices = services.RelayChoices(
        listen if listen.startswith("unix:") else _address("--listen", listen),
        storage_url or _storage_of(files),
        reflection,
        metrics_listen and _address("--metrics-listen", metrics_listen),
    )
    account = services.write_relay(files.home / "relay", _node(files), choices)
    document = {
        "settings": str(files.home / "relay" / "relay.toml"),
        "account": account.checksum,
        "next": f"tkms start --home {home} --relay",
    }
    terminal(context).result(document)


@add.command(cls=TkmsCommand, example="tkms add explorer --home DIR --listen 127.0.0.1:19107")
@_HOME
@_LISTEN
@_METRICS
@click.option("--witness", "witnesses", multiple=True, help="RPC of another operator; repeat.")
@click.pass_context
def explorer(
    context: click.Context,
    home: Path,
    listen: str,
    metrics_listen: str,
    witnesses: tuple[str, ...],
) -> None:
    """Write HOME/explorer: pages and JSON over an index of their own."""
    from cli.home.files import OperatorFiles  # noqa: PLC0415 - keeps `--help` quick
    from cli.operator import services  # noqa: PLC0415

    files = OperatorFiles.of(home)
    choices = services.ExplorerChoices(
        _address("--listen", listen),
        witnesses,
        metrics_listen and _address("--metrics-listen", metrics_listen),
    )
    services.write_explorer(files.home / "explorer", _node(files), choices)
    document = {
        "settings": str(files.home / "explorer" / "explorer.toml"),
        "next": f"tkms start --home {home} --explorer",
    }
    terminal(context).result(document)


def _node(files: "OperatorFiles") -> "Node":
    from cli.genesis import document as genesis_document  # noqa: PLC0415 - keeps `--help` quick
    from cli.home.files import read_toml  # noqa: PLC0415
    from cli.operator.services import Node  # noqa: PLC0415

    chain_id = str(read_toml(files.own_settings()["node"])["chain_id"])
    trusted = ""
    if files.genesis.exists():
        document = genesis_document.load(files.genesis)
        trusted = genesis_document.validators_hash(document["validators"]).hex()
    return Node(chain_id, files.rpc_url(), trusted)


def _storage_of(files: "OperatorFiles") -> str:
    from cli.home.files import read_toml  # noqa: PLC0415 - keeps `--help` quick

    settings = files.own_settings().get("connector")
    return str(read_toml(settings).get("storage_url", "")) if settings else ""


def _address(option: str, text: str) -> str:
    """Return host:port; refuse what is none."""
    from telemetry.address import parse_address  # noqa: PLC0415 - keeps `--help` quick
    from telemetry.errors import TelemetryError  # noqa: PLC0415

    try:
        parse_address(text)
    except TelemetryError as error:
        raise UsageError(f"{option}: {error}") from error
    return text
