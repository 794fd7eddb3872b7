"""`tkms query state` and `tkms query header`: facts of the chain, proven to somebody who trusts no node."""

import json
import time
from typing import TYPE_CHECKING, Any

import click

from cli.errors import UsageError
from cli.lazy import TkmsCommand
from cli.output import fields
from cli.query.state_keys import family_of, parse_key, record_of
from cli.session import Session, with_session
from cli.trust import Trust, with_trust

if TYPE_CHECKING:
    from light import TrustedHeader

# A chain with blocks every second or so that proves nothing newer stands, or its node hides the rest.
_OLD_S = 60
_HEADER_FIELDS = (
    "validators_hash",
    "next_validators_hash",
    "data_hash",
    "last_results_hash",
    "consensus_hash",
    "evidence_hash",
    "last_commit_hash",
)


@click.command(
    cls=TkmsCommand,
    example="tkms query state account:alice --prove\n"
    "tkms query state config/epoch/1 --prove --witness http://other:26657 -o json\n"
    "tkms query state 0x6173632f... --prove --height 90 --trust-height 5 --trust-hash 3f9a...",
)
@click.argument("key")
@click.option("--prove", is_flag=True, help="Check value or absence against a verified header.")
@click.option(
    "--height", type=click.IntRange(min=1), help="State after this block [default: last]."
)
@with_trust
@with_session()
def state(session: Session, key: str, *, prove: bool, height: int | None, trust: Trust) -> None:
    """Show what the state holds under KEY, present or absent.

    KEY is a short form (account:NAME, request:ID, key:ID, log:N, epoch:N, application:NAME,
    parameters, prices, ...), a path such as asc/log/7, or 0x and the raw bytes. With --prove nothing
    of the node is believed: the proof is checked under a header that this client verified itself.
    """
    raw = parse_key(session, key)
    if not prove:
        _refuse_trust(trust)
        found = session.run(lambda chain: _claimed(chain, raw, height or 0))
    else:
        found = session.run(lambda chain: _proven(chain, raw, height or 0), trust)
        if height is None:
            _warn_if_old(session, found["time_ns"])
        del found["time_ns"]
    family = family_of(raw)
    value = found.pop("value")
    shown = {
        "verified": prove,
        "key": raw.decode() if raw.isascii() and raw.decode().isprintable() else key,
        "key_bytes": "0x" + raw.hex(),
        "kind": family.alias if family else "",
        "present": value is not None,
        **found,
        "value": None if value is None else "0x" + value.hex(),
        "record": None if value is None else record_of(raw, value),
    }
    session.out.result(shown, lambda: json.dumps(shown, indent=1, ensure_ascii=False))


@click.command(
    cls=TkmsCommand,
    example="tkms query header\ntkms query header 42 --prove --witness http://other:26657 -o json",
)
@click.argument("height", type=click.IntRange(min=1), required=False)
@click.option("--prove", is_flag=True, help="Verify it from what is trusted, below or above it.")
@with_trust
@with_session()
def header(session: Session, height: int | None, *, prove: bool, trust: Trust) -> None:
    """Show a block header [default: the newest], with --prove one that this client verified."""
    if prove:
        shown = session.run(lambda chain: _verified_header(chain, height), trust)
    else:
        _refuse_trust(trust)
        shown = session.run(lambda chain: _claimed_header(chain, height))
    session.out.result(shown, lambda: fields(shown))


async def _claimed(chain: Any, key: bytes, height: int) -> dict[str, Any]:
    from client.errors import RejectedByChain  # noqa: PLC0415 - slow import

    answer = await chain.rpc.abci_query("/store", key, height)
    if answer.code != 0:
        raise RejectedByChain(answer.code, f"/store: {answer.log}")
    return {"height": answer.height, "value": answer.value or None}


async def _proven(chain: Any, key: bytes, height: int) -> dict[str, Any]:
    proven = await chain.proven_value(key, height)
    found = proven.header
    return {
        "height": proven.height,
        "header_height": found.height,
        "header_hash": found.hash.hex(),
        "app_hash": found.app_hash.hex(),
        "time": _signed(found.signed_header)["header"]["time"],
        "time_ns": found.time_ns,
        "proof_bytes": len(proven.proof),
        "trusted": chain.headers.trusted,
        "value": proven.value,
    }


async def _verified_header(chain: Any, height: int | None) -> dict[str, Any]:
    found: TrustedHeader = await chain.headers.header(height or await chain.height())
    return _header(True, found.signed_header) | {"trusted": chain.headers.trusted}


async def _claimed_header(chain: Any, height: int | None) -> dict[str, Any]:
    return _header(False, await chain.rpc.commit(height or await chain.height()))


def _header(verified: bool, signed_header: bytes) -> dict[str, Any]:
    signed = _signed(signed_header)
    found = signed["header"]
    entries = signed["commit"]["signatures"]
    return {
        "verified": verified,
        "chain_id": found["chain_id"],
        "height": int(found["height"]),
        "hash": signed["commit"]["block_id"]["hash"].lower(),
        "time": found["time"],
        "app_hash": found["app_hash"].lower(),
        "app_version": int(found["version"].get("app") or 0),
        **{name: found[name].lower() for name in _HEADER_FIELDS},
        "last_block_hash": found["last_block_id"]["hash"].lower(),
        "proposer": found["proposer_address"].lower(),
        "signed_by": sum(entry["block_id_flag"] == 2 for entry in entries),  # 2: for this block
        "validators": len(entries),
    }


def _signed(signed_header: bytes) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(signed_header)
    return document


def _refuse_trust(trust: Trust) -> None:
    if trust != Trust():
        raise UsageError("--trust-height, --trust-hash and --witness need --prove")


def _warn_if_old(session: Session, time_ns: int) -> None:
    age = (time.time_ns() - time_ns) // 10**9
    if age > _OLD_S:
        session.out.warn(
            f"the newest state that the node proves is {age} s old: it is true, but may be outdated"
        )
