"""`tkms genesis`: a genesis document from nothing, without localnet."""

import hashlib
from pathlib import Path
from typing import Any

import click

from cli.errors import CliError, ConfigError, ExitCode, UsageError
from cli.lazy import TkmsCommand, TkmsGroup, home_option, terminal

_FILE = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
_ROLES = ("admin", "registrar", "generator")


@click.group(cls=TkmsGroup)
def genesis() -> None:
    """Make the document that a chain begins with: the same bytes for every operator."""


@genesis.command(
    cls=TkmsCommand,
    example="tkms genesis new genesis.json --chain-id kms-1 --storage-url https://storage.example.org",
)
@_FILE
@click.option("--chain-id", required=True, help="Name of the chain, 1 to 50 characters.")
@click.option("--storage-url", required=True, help="Where public material is served.")
@click.option("--time", "genesis_time", help="RFC 3339; the first block is not made before [now].")
@click.option("--development", is_flag=True, help="Faucet, dealt keys, toy parameters: no secrets.")
@click.pass_context
def new(
    context: click.Context,
    file: Path,
    chain_id: str,
    storage_url: str,
    genesis_time: str | None,
    development: bool,
) -> None:
    """Begin a document: parameters and prices, nobody in it yet."""
    import datetime as dt  # noqa: PLC0415

    from cli.genesis import document as genesis_document  # noqa: PLC0415 - slow import
    from cli.genesis import state as genesis_state  # noqa: PLC0415
    from wire.pb.tkms.state.v1 import state_pb2  # noqa: PLC0415

    if file.exists():
        raise ConfigError(f"{file} exists: nothing is overwritten", reason="FILE_EXISTS")
    if not 0 < len(chain_id) <= 50:
        raise UsageError("a chain id has 1 to 50 characters")
    make = genesis_state.development_parameters if development else genesis_state.parameters
    state = state_pb2.Genesis(
        epoch=genesis_state.epoch([], []),
        prices=genesis_state.prices(),
        parameters=make(storage_url),
    )
    moment = genesis_time or dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    document = genesis_document.new(chain_id, moment, genesis_state.as_json(state))
    _save(context, file, document, f"add operators: tkms genesis add-operator {file} CARD...")


@genesis.command(
    "add-operator",
    cls=TkmsCommand,
    example="tkms genesis add-operator genesis.json alice/operator.json bob/operator.json",
)
@_FILE
@click.argument("cards", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--power", type=click.IntRange(1), default=10, show_default=True, help="Of each.")
@click.option("--balance", type=click.IntRange(0), default=0, help="Of each party's account.")
@click.pass_context
def add_operator(
    context: click.Context, file: Path, cards: tuple[Path, ...], power: int, balance: int
) -> None:
    """Add operators by their cards: validators, and parties where a card has one."""
    from cli.genesis import document as genesis_document  # noqa: PLC0415 - slow import
    from cli.genesis import edit as genesis_edit  # noqa: PLC0415
    from cli.home import card as operator_card  # noqa: PLC0415

    document = genesis_document.load(file)
    for path in cards:
        card = operator_card.load(path)
        genesis_edit.add_validator(document, card, power)
        if card.party is not None:
            genesis_edit.add_party(document, card, balance)
    _save(context, file, document, f"tkms genesis validate {file}")


@genesis.command(
    "add-validator",
    cls=TkmsCommand,
    example="tkms genesis add-validator genesis.json carol/operator.json --power 5",
)
@_FILE
@click.argument("card", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--power", type=click.IntRange(1), default=10, show_default=True)
@click.pass_context
def add_validator(context: click.Context, file: Path, card: Path, power: int) -> None:
    """Add a validator that is no party of the backend."""
    from cli.genesis import document as genesis_document  # noqa: PLC0415 - slow import
    from cli.genesis import edit as genesis_edit  # noqa: PLC0415
    from cli.home import card as operator_card  # noqa: PLC0415

    document = genesis_document.load(file)
    genesis_edit.add_validator(document, operator_card.load(card), power)
    _save(context, file, document, f"tkms genesis validate {file}")


@genesis.command(
    "add-account",
    cls=TkmsCommand,
    example="tkms genesis add-account genesis.json 0x1111111111111111111111111111111111111111 "
    "--balance 1000000 --role admin",
)
@_FILE
@click.argument("address")
@click.option("--balance", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--role", "roles", multiple=True, type=click.Choice(_ROLES), help="Held from block 0."
)
@click.pass_context
def add_account(
    context: click.Context, file: Path, address: str, balance: int, roles: tuple[str, ...]
) -> None:
    """Add an account with what it holds and what it may do."""
    from cli.genesis import document as genesis_document  # noqa: PLC0415 - slow import
    from cli.genesis import edit as genesis_edit  # noqa: PLC0415
    from wire.ids import Address  # noqa: PLC0415

    try:
        account = Address.parse(address)
    except ValueError as error:
        raise UsageError(f"{address}: {error}") from error
    document = genesis_document.load(file)
    genesis_edit.add_account(document, account, balance, roles)
    _save(context, file, document, f"tkms genesis validate {file}")


@genesis.command(cls=TkmsCommand, example="tkms genesis validate genesis.json")
@_FILE
@click.pass_context
def validate(context: click.Context, file: Path) -> None:
    """Check a document as every module and the engine will; warn of what is unfit for secrets.

    Compare the SHA-256 with the other operators before the first start. Exit code 3: not usable.
    """
    from cli.genesis import checks as genesis_checks  # noqa: PLC0415 - slow import
    from cli.genesis import document as genesis_document  # noqa: PLC0415

    document = genesis_document.load(file)
    found = genesis_checks.problems(document)
    if found:
        raise CliError(
            f"{file} is not usable: {'; '.join(found)}",
            reason="BAD_GENESIS",
            exit_code=ExitCode.CONFIG,
            details={"problems": found},
        )
    out = terminal(context)
    warned = genesis_checks.warnings(document)
    for line in warned:
        out.warn(line)
    out.result({"valid": True, "warnings": warned, **_facts(file, document)})


@genesis.command(cls=TkmsCommand, example="tkms genesis install genesis.json --home DIR")
@_FILE
@home_option()
@click.option("--peer", "peers", multiple=True, help="node-id@host:port, always redialled; repeat.")
@click.option(
    "--card",
    "cards",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Card of another operator, dialled as a peer; repeat.",
)
@click.pass_context
def install(
    context: click.Context,
    file: Path,
    home: Path,
    peers: tuple[str, ...],
    cards: tuple[Path, ...],
) -> None:
    """Put a checked document into a home; pin its validators in core and connector."""
    from cli.genesis import checks as genesis_checks  # noqa: PLC0415 - slow import
    from cli.genesis import document as genesis_document  # noqa: PLC0415
    from cli.home import card as operator_card  # noqa: PLC0415
    from cli.home.files import OperatorFiles  # noqa: PLC0415
    from cli.operator import new_home  # noqa: PLC0415

    files = OperatorFiles.of(home)
    document = genesis_document.load(file)
    ours = operator_card.load(files.home / operator_card.FILE_NAME)
    genesis_checks.require(document, ours.chain_id)
    if (files.app / "state.db").exists():
        raise ConfigError(
            f"{files.app / 'state.db'} exists: this home has begun a chain already",
            reason="HOME_IN_USE",
            hint="another chain needs another home",
        )
    others = [operator_card.load(path) for path in cards]
    named = [*peers, *(card.peer for card in others if card.node_id != ours.node_id)]
    trusted = new_home.join(files.home, document, ",".join(named) if named else None)
    backend = " --core --connector" if files.core and files.connector else ""
    result: dict[str, object] = {
        "home": str(files.home),
        **_facts(files.genesis, document),
        "trusted_validators_hash": trusted,
        "peers": named,
        "next": f"tkms start --home {home}{backend}",
    }
    terminal(context).result(result)


def _save(context: click.Context, file: Path, document: dict[str, Any], next_step: str) -> None:
    from cli.genesis import document as genesis_document  # noqa: PLC0415

    file.write_text(genesis_document.text(document), encoding="utf-8")
    terminal(context).result({"file": str(file), **_facts(file, document), "next": next_step})


def _facts(file: Path, document: dict[str, Any]) -> dict[str, object]:
    state = document.get("app_state", {})
    return {
        "chain_id": document.get("chain_id"),
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "validators": len(document.get("validators", [])),
        "parties": len(state.get("epoch", {}).get("parties", [])),
        "accounts": len(state.get("accounts", [])),
    }
