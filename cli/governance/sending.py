"""How a proposal is sent: title, height, and what is told about it. Shared by all commands that propose."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from cli.session import Session, with_session

if TYPE_CHECKING:
    from wire.pb.tkms.config.v1 import config_pb2

# About the time in which people look at it.
_DEFAULT_BLOCKS = 50


def proposes(
    function: Callable[..., Any] | None = None, *, blocks: int = _DEFAULT_BLOCKS
) -> Callable[..., Any]:
    """Give a command title, height and the options of sending; it returns the change (or awaits the chain for it)."""
    if function is None:
        return functools.partial(proposes, blocks=blocks)

    @click.option("--title", default="", help="What it is for: at most 255 bytes.")
    @click.option(
        "--at", "height", type=click.IntRange(1, 2**63 - 1), help="First height in force."
    )
    @click.option(
        "--in",
        "blocks",
        type=click.IntRange(1, 2**40),
        default=blocks,
        show_default=True,
        help="The same, counted from now.",
    )
    @with_session(sends=True)
    @functools.wraps(function)
    def command(
        session: Session, title: str, height: int | None, blocks: int, **values: Any
    ) -> None:
        async def work(chain: Any) -> dict[str, object]:
            change = await function(session, chain, **values)
            chosen = height if height is not None else await chain.height() + blocks
            return await send(session, chain, change, chosen, title)

        session.out.result(session.run(work))

    return command


async def send(
    session: Session, chain: Any, change: "config_pb2.Change", height: int, title: str
) -> dict[str, object]:
    """Propose a change and return what is known of the proposal."""
    from wire.digests import sha256  # noqa: PLC0415 - slow import
    from wire.pb.tkms.config.v1 import config_pb2  # noqa: PLC0415
    from wire.pb.tkms.tx.v1 import tx_pb2  # noqa: PLC0415

    message = tx_pb2.Message(
        propose_change=config_pb2.ProposeChange(
            change=change, activation_height=height, title=title
        )
    )
    digest = sha256(change.SerializeToString(deterministic=True)).hex()
    sent = await session.send(chain, [message], session.signer(default="admin"))
    told = {"kind": change.WhichOneof("kind"), "activation_height": height, "digest": digest}
    if sent.get("included"):
        told |= await _number(chain, str(sent["transaction"]))
    return sent | told


async def _number(chain: Any, transaction: str) -> dict[str, object]:
    """The proposal's id and whether it is scheduled, as the node tells the events."""
    from base64 import b64encode  # noqa: PLC0415

    name = b64encode(bytes.fromhex(transaction)).decode()
    found = await chain.rpc.document("tx", hash=name)
    events = {event["type"]: event["attributes"] for event in found["tx_result"]["events"]}
    attributes = {entry["key"]: entry["value"] for entry in events.get("config_proposed", [])}
    if "proposal" not in attributes:
        return {}
    return {"proposal": int(attributes["proposal"]), "scheduled": "config_scheduled" in events}
