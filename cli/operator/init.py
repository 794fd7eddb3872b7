"""`tkms init`: the home of an operator, from nothing."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.errors import ConfigError, UsageError
from cli.lazy import TkmsCommand, home_option, terminal

if TYPE_CHECKING:
    from cli.home.card import OperatorCard
    from cli.operator.new_home import BackendChoices

# sun_path has 108 bytes with its final zero (104 on BSD).
_LONGEST_SOCKET_PATH = 103


@click.command(
    cls=TkmsCommand,
    example="tkms init alice --home DIR --chain-id kms-1\n"
    "tkms init alice --home DIR --chain-id kms-1 --external-address kms.example.org:26656 \\\n"
    "    --party 1 --peer-address kms.example.org:7000 --storage-url https://storage.example.org",
)
@click.argument("moniker")
@home_option("Folder to make; it must be new or empty.")
@click.option("--chain-id", required=True, help="The chain, 1 to 50 characters.")
@click.option(
    "--genesis",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Genesis of a chain that exists; else `tkms genesis install` later.",
)
@click.option(
    "--role",
    type=click.Choice(["validator", "full", "sentry"]),
    default="validator",
    show_default=True,
    help="What the node is for.",
)
@click.option("--behind-sentries", is_flag=True, help="Talk to the named peers only (pex off).")
@click.option("--rpc-listen", default="127.0.0.1:26657", show_default=True, help="RPC address.")
@click.option(
    "--p2p-listen", default="0.0.0.0:26656", show_default=True, help="Peers connect here."
)
@click.option("--external-address", default="", help="host:port that peers dial.")
@click.option("--metrics-listen", default="127.0.0.1:26660", show_default=True, help="Prometheus.")
@click.option(
    "--node-metrics-listen",
    default="127.0.0.1:26661",
    show_default=True,
    help="The node's numbers and health; empty for none.",
)
@click.option(
    "--connector-metrics-listen",
    default="127.0.0.1:26662",
    show_default=True,
    help="The connector's.",
)
@click.option("--peer", "peers", multiple=True, help="node-id@host:port, always redialled; repeat.")
@click.option("--private-peer", multiple=True, help="Sentry: node id of our validator; repeat.")
@click.option("--indexer", type=click.Choice(["kv", "null"]), default="kv", show_default=True)
@click.option("--timeout-commit-ms", type=click.IntRange(1), default=500, show_default=True)
@click.option(
    "--rehearse",
    type=click.IntRange(1024, 65500),
    help="Many homes on one machine: six ports from this one on, all on loopback.",
)
@click.option(
    "--one-machine", is_flag=True, help="Several nodes of the chain share this machine (rehearsal)."
)
@click.option("--party", type=click.IntRange(1, 15), help="Make core and connector of this party.")
@click.option(
    "--peer-listen", default="0.0.0.0:7000", show_default=True, help="Cores connect here."
)
@click.option("--peer-address", default="", help="host:port that the other cores dial.")
@click.option("--storage-url", default="", help="Where ciphertexts and public material lie.")
@click.option(
    "--developer", is_flag=True, help="Core accepts dealt keys: NOT where secrets are real."
)
@click.pass_context
def init(  # noqa: PLR0913 - one parameter an option
    context: click.Context,
    /,
    *,
    moniker: str,
    home: Path,
    chain_id: str,
    genesis: Path | None,
    role: str,
    behind_sentries: bool,
    rpc_listen: str,
    p2p_listen: str,
    external_address: str,
    metrics_listen: str,
    node_metrics_listen: str,
    connector_metrics_listen: str,
    peers: tuple[str, ...],
    private_peer: tuple[str, ...],
    indexer: str,
    timeout_commit_ms: int,
    rehearse: int | None,
    one_machine: bool,
    party: int | None,
    peer_listen: str,
    peer_address: str,
    storage_url: str,
    developer: bool,
) -> None:
    """Make the home of an operator: keys, commented settings, genesis.

    HOME/operator.json is its public side: send it to whoever puts the genesis together
    (`tkms genesis add-operator`). Nothing that exists is overwritten.
    """
    from cli.engine.settings import EngineChoices  # noqa: PLC0415 - keeps `--help` quick

    if rehearse is not None:
        one_machine = True
        (
            rpc_listen,
            p2p_listen,
            metrics_listen,
            node_metrics_listen,
            connector_metrics_listen,
            peer_listen,
        ) = (f"127.0.0.1:{rehearse + offset}" for offset in range(6))
        external_address, peer_address = p2p_listen, peer_listen
    engine = EngineChoices(
        moniker=moniker,
        rpc_listen=_address("--rpc-listen", rpc_listen),
        p2p_listen=_address("--p2p-listen", p2p_listen),
        external_address=external_address,
        metrics_listen=metrics_listen,
        persistent_peers=",".join(peers),
        private_peers=",".join(private_peer),
        role=role,
        behind_sentries=behind_sentries,
        one_machine=one_machine,
        indexer=indexer,
        timeout_commit_ms=timeout_commit_ms,
    )
    backend = None
    if party is not None:
        backend = _backend(party, peer_listen, peer_address, storage_url, moniker, developer)
        backend = replace(
            backend,
            metrics_listen=_metrics("--connector-metrics-listen", connector_metrics_listen),
        )
    node = {"metrics_listen": _metrics("--node-metrics-listen", node_metrics_listen)}
    _write(context, home, chain_id, genesis, engine, backend, node)


def _write(
    context: click.Context,
    home: Path,
    chain_id: str,
    genesis: Path | None,
    engine: "object",
    backend: "BackendChoices | None",
    node: Mapping[str, object],
) -> None:
    from cli.engine import home as engine_home  # noqa: PLC0415
    from cli.engine.settings import EngineChoices  # noqa: PLC0415
    from cli.genesis import checks as genesis_checks  # noqa: PLC0415
    from cli.genesis import document as genesis_document  # noqa: PLC0415
    from cli.operator import new_home  # noqa: PLC0415

    if not isinstance(engine, EngineChoices):
        raise TypeError("engine choices are made by init")
    _check_new(home, chain_id)
    document = None
    if genesis is not None:
        document = genesis_document.load(genesis)
        genesis_checks.require(document, chain_id)
    binary = engine_home.find_binary()
    card = new_home.make(binary, new_home.Choices(home.resolve(), chain_id, engine, backend, node))
    trusted = ""
    if document is None:
        # The engine's own one names another chain: nobody must start with it.
        (home / "config" / "genesis.json").unlink()
    else:
        trusted = new_home.join(home, document)
    out = terminal(context)
    if backend is not None and backend.developer_mode:
        out.warn("the core accepts dealt keys: never where secrets are real")
    next_step = _next_step(home, card, joined=document is not None)
    result: dict[str, object] = {
        "home": str(home.resolve()),
        **card.document(),
        "trusted_validators_hash": trusted,
        "next": next_step,
    }
    out.result(result, lambda: _text(home, card, next_step))


def _backend(
    party: int,
    peer_listen: str,
    peer_address: str,
    storage_url: str,
    moniker: str,
    developer: bool,
) -> "BackendChoices":
    from cli.operator.new_home import BackendChoices  # noqa: PLC0415

    if not peer_address:
        raise UsageError("a party needs --peer-address: host:port that the other cores dial")
    if not storage_url:
        raise UsageError("a party needs --storage-url: where ciphertexts and public material lie")
    return BackendChoices(
        party=party,
        peer_listen=peer_listen,
        peer_address=peer_address,
        storage_url=storage_url,
        certificate_name=moniker,
        developer_mode=developer,
    )


def _metrics(option: str, text: str) -> str:
    """Check an address of numbers, where there is one."""
    from telemetry.address import parse_address  # noqa: PLC0415
    from telemetry.errors import TelemetryError  # noqa: PLC0415 - keeps `--help` quick

    if text:
        try:
            parse_address(text)
        except TelemetryError as error:
            raise UsageError(f"{option}: {error}") from error
    return text


def _check_new(home: Path, chain_id: str) -> None:
    import os  # noqa: PLC0415

    if not chain_id or len(chain_id) > 50:
        raise UsageError("a chain id has 1 to 50 characters")
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise ConfigError(
            f"{home} is not empty: nothing is overwritten",
            reason="HOME_EXISTS",
            hint="name another folder; the keys in this one may be in use",
        )
    longest = home.resolve() / "core" / "core.sock"
    if len(os.fsencode(longest)) > _LONGEST_SOCKET_PATH:
        raise ConfigError(
            f"the path {home} is too long for unix sockets", hint="choose a shorter one"
        )


def _address(option: str, text: str) -> str:
    """Return an address as the engine writes it; refuse what has no port."""
    bare = text.removeprefix("tcp://")
    host, _, port = bare.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(f"{option}: {text!r} is not host:port")
    return f"tcp://{bare}"


def _next_step(home: Path, card: "OperatorCard", joined: bool) -> str:
    backend = " --core --connector" if card.party is not None else ""
    if joined:
        return f"tkms start --home {home}{backend}"
    return f"tkms genesis install FILE --home {home}"


def _text(home: Path, card: "OperatorCard", next_step: str) -> str:
    lines = [
        f"home       {home.resolve()}",
        f"node       {card.node_id}",
        f"validator  {card.validator_address}",
        f"public     {home.resolve() / 'operator.json'} (send it to who makes the genesis)",
        f"next       {next_step}",
    ]
    return "\n".join(lines)
