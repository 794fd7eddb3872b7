"""`tkms validator`: who this node is as a voter, and how it becomes one or stops."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.errors import UsageError
from cli.governance import propose as governance_propose
from cli.lazy import TkmsCommand, TkmsGroup, home_option, terminal
from cli.session import Session, with_session

if TYPE_CHECKING:
    from cli.home.card import OperatorCard
    from client.rpc import ChainRpc

# CometBFT: the vote is for the block, not for nil and not missing.
_FOR_THE_BLOCK = 2
_MOST_BLOCKS = 1000


@click.group(cls=TkmsGroup)
def validator() -> None:
    """A node as a voter: its key, its power, the blocks it missed; joining and leaving."""


@validator.command(cls=TkmsCommand, example="tkms validator key --home DIR")
@home_option()
@click.pass_context
def key(context: click.Context, home: Path) -> None:
    """Show node id, address and public key of a home; no secret is read out."""
    card = _card(home)
    public = base64.b64encode(card.validator_key).decode()
    terminal(context).result(
        {
            "moniker": card.moniker,
            "node_id": card.node_id,
            "peer": card.peer if card.p2p_address else "",
            "address": card.validator_address,
            "public_key": public,
            "public_key_hex": card.validator_key.hex(),
            "next": f"tkms validator join --card {home}/operator.json --power 10",
        }
    )


@validator.command(
    cls=TkmsCommand, example="tkms validator show --home DIR\ntkms validator show --blocks 500"
)
@click.option("--address", help="Another validator than that of the asked node.")
@click.option("--blocks", type=click.IntRange(1, _MOST_BLOCKS), default=100, show_default=True)
@with_session()
def show(session: Session, address: str | None, blocks: int) -> None:
    """Show whether a validator is in the set, its power, and its votes in the last blocks.

    Exit code 1 when it is not in the set.
    """
    from client.rpc import ChainRpc  # noqa: PLC0415 - slow import

    async def work() -> dict[str, Any]:
        async with ChainRpc(session.network.node) as rpc:
            return await _votes(rpc, address, blocks)

    import asyncio  # noqa: PLC0415

    found = asyncio.run(work())
    session.out.result(found)
    if not found["in_set"]:
        click.get_current_context().exit(1)


def _proposing(name: str, example: str) -> click.Command:
    """Return a command that proposes with a card's key what `governance propose validator` does."""
    base = governance_propose.validator.commands[name]
    own = {"key", "name"}

    def run(card: Path, **values: Any) -> Any:
        from cli.home import card as operator_card  # noqa: PLC0415 - slow import

        found = operator_card.load(card)
        values["key"] = base64.b64encode(found.validator_key).decode()
        if any(option.name == "name" for option in base.params):
            values["name"] = found.moniker
        callback: Callable[..., Any] | None = base.callback
        if callback is None:
            raise TypeError(f"{name} does nothing")
        return callback(**values)

    card_option = click.Option(
        ["--card"],
        required=True,
        type=click.Path(dir_okay=False, path_type=Path),
        help="HOME/operator.json of the validator.",
    )
    given = [option for option in base.params if option.name not in own | {"output"}]
    return TkmsCommand(
        name, params=[card_option, *given], callback=run, help=base.help, example=example
    )


validator.add_command(
    _proposing("join", "tkms validator join --card DIR/operator.json --power 10 --from alice")
)
validator.add_command(
    _proposing("power", "tkms validator power --card DIR/operator.json --power 20 --from alice")
)
validator.add_command(
    _proposing("leave", "tkms validator leave --card DIR/operator.json --from alice")
)


async def _votes(rpc: "ChainRpc", address: str | None, blocks: int) -> dict[str, Any]:
    status = await rpc.call("status")
    sync = status["sync_info"]
    last, first = int(sync["latest_block_height"]), int(sync["earliest_block_height"])
    wanted = (address or status["validator_info"]["address"]).upper().removeprefix("0X")
    if len(wanted) != 40:
        raise UsageError("a validator's address has 40 hexadecimal digits")
    if last < 1:
        raise UsageError("the chain has no block yet", hint="tkms status")
    listed = await _validators(rpc, last)
    # The votes for block h stand in block h + 1: of the latest one they may still grow.
    heights = range(max(first, last - blocks, 1), last)
    missed = [height for height in heights if wanted not in await _signers(rpc, height)]
    return {
        "address": wanted,
        "in_set": wanted in listed,
        "power": listed.get(wanted, 0),
        "total_power": sum(listed.values()),
        "validators": len(listed),
        "height": last,
        "blocks": len(heights),
        "missed": len(missed),
        "missed_heights": missed[-20:],
    }


async def _validators(rpc: "ChainRpc", height: int) -> dict[str, int]:
    found: dict[str, int] = {}
    page, total = 1, 1
    while len(found) < total:
        answer = await rpc.document(
            "validators", height=str(height), page=str(page), per_page="100"
        )
        total = int(answer["total"])
        found |= {entry["address"]: int(entry["voting_power"]) for entry in answer["validators"]}
        page += 1
    return found


async def _signers(rpc: "ChainRpc", height: int) -> set[str]:
    commit = (await rpc.document("commit", height=str(height)))["signed_header"]["commit"]
    return {
        entry["validator_address"]
        for entry in commit["signatures"]
        if entry["block_id_flag"] == _FOR_THE_BLOCK
    }


def _card(home: Path) -> "OperatorCard":
    from cli.home import card as operator_card  # noqa: PLC0415 - slow import
    from cli.home.files import OperatorFiles  # noqa: PLC0415

    return operator_card.load(OperatorFiles.of(home).home / operator_card.FILE_NAME)
