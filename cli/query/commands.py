"""`tkms query`: read the chain."""

import json
from typing import Any

import click

from cli.errors import UsageError
from cli.lazy import TkmsCommand, TkmsGroup
from cli.query.audit import audit, evidence
from cli.query.proof import header, state
from cli.session import Session, accounts_of, parse_handle, parse_request, with_session
from cli.tx import show as show_transaction
from wire.documents import document


@click.group(cls=TkmsGroup)
def query() -> None:
    """Read blocks, transactions, accounts, configuration, keys and permissions.

    Bytes are shown in hexadecimal. Answers are the node's word; `--prove` (where offered) checks
    them against a verified header. `state KEY --prove` proves anything that the chain holds.
    """


query.add_command(show_transaction, "tx")
query.add_command(state)
query.add_command(header)
query.add_command(audit)
query.add_command(evidence)


@query.command(cls=TkmsCommand, example="tkms query block\ntkms query block 42 -o json")
@click.argument("height", type=click.IntRange(min=1), required=False)
@with_session()
def block(session: Session, height: int | None) -> None:
    """Show a block's header and its transactions' hashes."""
    from base64 import b64decode  # noqa: PLC0415
    from hashlib import sha256  # noqa: PLC0415

    async def work(chain: Any) -> Any:
        return await chain.rpc.document("block", **({"height": str(height)} if height else {}))

    found = session.run(work)
    header = found["block"]["header"]
    transactions = found["block"]["data"]["txs"] or []
    _show(
        session,
        {
            "height": int(header["height"]),
            "time": header["time"],
            "hash": found["block_id"]["hash"].lower(),
            "app_hash": header["app_hash"].lower(),
            "proposer": header["proposer_address"].lower(),
            "transactions": [sha256(b64decode(raw)).hexdigest() for raw in transactions],
        },
    )


@query.command(cls=TkmsCommand, example="tkms query account alice")
@click.argument("who", metavar="ACCOUNT")
@with_session()
def account(session: Session, who: str) -> None:
    """Show balance and escrow of an account (name or address)."""
    from wire.pb.tkms.state.v1 import state_pb2  # noqa: PLC0415 - slow import

    address = accounts_of(session, [who])[0]
    raw = session.run(lambda chain: chain.query("/account", address))
    view = state_pb2.AccountView.FromString(raw)
    _show(session, {**document(view.account), "address": "0x" + address.hex()})


@query.command(cls=TkmsCommand, example="tkms query config -o json")
@with_session()
def config(session: Session) -> None:
    """Show the current epoch, prices and parameters."""
    _show(session, document(session.run(lambda chain: chain.config())))


@query.command(cls=TkmsCommand, example="tkms query key\ntkms query key 3f9a0c... --prove")
@click.argument("key_id", required=False)
@click.option("--prove", is_flag=True, help="Check the record against a verified header.")
@with_session()
def key(session: Session, key_id: str | None, prove: bool) -> None:
    """Show keys: parameters, digests, URIs; dealt keys say so."""
    if prove:
        if key_id is None:
            raise UsageError("--prove needs the key's id")
        _show(session, session.run(lambda chain: _proven_key(chain, key_id)))
        return
    found = _materials(session, key_id)
    _warn_of_dealers(session, found)
    _show(session, {"keys": found["keys"]})


@query.command(cls=TkmsCommand, example="tkms query material -o json")
@click.argument("material_id", required=False)
@with_session()
def material(session: Session, material_id: str | None) -> None:
    """Show keys and reference strings with the URIs of their public material."""
    found = _materials(session, material_id)
    _warn_of_dealers(session, found)
    _show(session, found)


@query.command(cls=TkmsCommand, example="tkms query isc 0x1f...")
@click.argument("handle")
@click.option("--application", help="Application of the handle.")
@with_session()
def isc(session: Session, handle: str, application: str | None) -> None:
    """Show what is registered for a handle and who may see it."""
    from wire.pb.tkms.state.v1 import state_pb2  # noqa: PLC0415 - slow import

    data = session.application(application).encode() + b"\0" + parse_handle(handle)
    raw = session.run(lambda chain: chain.query("/isc/handle", data))
    _show(session, document(state_pb2.HandleView.FromString(raw)))


async def _proven_key(chain: Any, key_id: str) -> dict[str, Any]:
    from wire.pb.tkms.asc.v1 import asc_pb2  # noqa: PLC0415 - slow import

    proven = await chain.proven_value(b"asc/key/" + bytes(parse_request(key_id)))
    if proven.value is None:
        raise UsageError(f"it is proven that there is no key {key_id}", reason="NOT_FOUND")
    record = document(asc_pb2.MaterialRecord.FromString(proven.value))
    return {"proven_at_height": proven.height, **record}


def _materials(session: Session, material_id: str | None) -> dict[str, Any]:
    from wire.pb.tkms.state.v1 import state_pb2  # noqa: PLC0415 - slow import

    data = bytes(parse_request(material_id)) if material_id else b""
    raw = session.run(lambda chain: chain.query("/asc/material", data))
    return document(state_pb2.MaterialList.FromString(raw))


def _warn_of_dealers(session: Session, found: dict[str, Any]) -> None:
    for entry in found["keys"]:
        if entry["record"].get("dealer"):
            session.out.warn(
                f"key {entry['record']['id']}: dealer: true (dealt by one core: insecure)"
            )


def _show(session: Session, shown: dict[str, Any]) -> None:
    session.out.result(shown, lambda: json.dumps(shown, indent=1, ensure_ascii=False))
