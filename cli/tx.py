"""`tkms tx`: transactions."""

import json
from pathlib import Path
from typing import Any

import click

from cli.errors import CliError, ExitCode
from cli.hashes import parse_hash
from cli.lazy import TkmsCommand, TkmsGroup
from cli.session import Session, accounts_of, with_session


@click.group(cls=TkmsGroup)
def tx() -> None:
    """Send, sign offline, broadcast, wait for and show transactions."""


@tx.command(
    cls=TkmsCommand,
    example="tkms tx send bob 1000 --from alice\n"
    "tkms tx send bob 1000 --from alice --offline signed.tx && tkms tx broadcast signed.tx",
)
@click.argument("recipient")
@click.argument("amount", type=click.IntRange(min=1))
@with_session(sends=True)
def send(session: Session, recipient: str, amount: int) -> None:
    """Transfer units. The hash is printed at once, then inclusion is awaited.

    With --offline, --expires-at-height and --max-fee (and a known chain id) no node is asked.
    """
    from cli.session import build_offline  # noqa: PLC0415
    from wire.pb.tkms.bank.v1 import bank_pb2  # noqa: PLC0415 - slow import
    from wire.pb.tkms.tx.v1 import tx_pb2  # noqa: PLC0415

    to = accounts_of(session, [recipient])[0]
    message = tx_pb2.Message(transfer=bank_pb2.Transfer(recipient=to, amount=amount))
    how = session.sending
    if how.offline and how.expires_at_height and how.max_fee and session.network.chain_id:
        signed = build_offline(
            session.signer(),
            session.network.chain_id,
            [message],
            how.expires_at_height,
            how.max_fee,
        )
        session.out.result(session._keep(signed))  # noqa: SLF001 - same package, no second path
        return
    session.out.result(session.run(lambda chain: session.send(chain, [message], session.signer())))


@tx.command(cls=TkmsCommand, example="tkms tx broadcast signed.tx")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--wait/--no-wait", default=True, help="Wait for inclusion [default: wait].")
@click.option("--timeout", type=float, default=60.0, help="Seconds to wait.")
@with_session()
def broadcast(session: Session, file: Path, wait: bool, timeout: float) -> None:
    """Send bytes that were signed before; sending them twice is harmless."""
    from dataclasses import replace  # noqa: PLC0415

    raw = file.read_bytes()
    session.sending = replace(session.sending, wait=wait, timeout_s=timeout)

    async def work(chain: Any) -> dict[str, object]:
        from client.chain import Submitted, request_ids  # noqa: PLC0415
        from wire.tx import decode  # noqa: PLC0415

        signed = decode(raw, len(raw))
        submitted = Submitted(
            signed.hash, raw, request_ids(chain.chain_id, raw), signed.body.expires_at_height
        )
        if await chain.rpc.tx(signed.hash) is None:
            await chain.send(submitted)
        return await session.follow(chain, submitted)

    session.out.result(session.run(work))


@tx.command(cls=TkmsCommand, example="tkms tx wait 3f9a... --timeout 30")
@click.argument("transaction")
@click.option("--timeout", type=float, default=60.0, show_default=True, help="Seconds to wait.")
@with_session()
def wait(session: Session, transaction: str, timeout: float) -> None:
    """Wait until a block has the transaction."""
    wanted = parse_hash(transaction)

    async def work(chain: Any) -> dict[str, object]:
        import asyncio  # noqa: PLC0415
        import time  # noqa: PLC0415

        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            found = await chain.rpc.tx(wanted)
            if found is not None:
                return _document(found)
            await asyncio.sleep(0.2)
        raise CliError(
            f"transaction {transaction} was not seen in {timeout:.0f} s",
            reason="TIMEOUT",
            exit_code=ExitCode.TIMEOUT,
            details={"transaction": transaction},
            hint="it may still be included until it expires",
        )

    _finish(session, session.run(work))


@tx.command(cls=TkmsCommand, example="tkms tx show 3f9a... -o json")
@click.argument("transaction")
@with_session()
def show(session: Session, transaction: str) -> None:
    """Show an included transaction: height, result, messages."""
    wanted = parse_hash(transaction)

    async def work(chain: Any) -> dict[str, object]:
        found = await chain.rpc.tx(wanted)
        if found is None:
            raise CliError(
                f"no block has transaction {transaction}",
                reason="NOT_FOUND",
                hint="tkms tx wait waits for it",
            )
        return _document(found)

    document = session.run(work)
    session.out.result(document, lambda: json.dumps(document, indent=1))


def _finish(session: Session, document: dict[str, Any]) -> None:
    """Print, and end with the chain's refusal where there is one."""
    if document["code"] != 0:
        from client.errors import RejectedByChain  # noqa: PLC0415

        raise RejectedByChain(
            document["code"], document["log"], bytes.fromhex(document["transaction"])
        )
    session.out.result(document)


def _document(found: Any) -> dict[str, Any]:
    from wire.documents import document  # noqa: PLC0415
    from wire.pb.tkms.tx.v1 import tx_pb2  # noqa: PLC0415
    from wire.tx import decode  # noqa: PLC0415

    signed = decode(found.raw, len(found.raw))
    ids = tx_pb2.TxData.FromString(found.data).request_ids
    return {
        "transaction": found.hash.hex(),
        "height": found.height,
        "code": found.code,
        "log": found.log,
        "sender": str(signed.sender),
        "request_ids": [item.hex() for item in ids if item],
        "messages": [
            {signed.kind(index): document(getattr(message, signed.kind(index)))}
            for index, message in enumerate(signed.messages)
        ],
    }
