"""`tkms governance`: who decides what on the chain, what is proposed, what was decided."""

import json
from typing import Any

import click

from cli.errors import UsageError
from cli.governance.propose import propose
from cli.lazy import TkmsCommand, TkmsGroup
from cli.output import table
from cli.session import Session, with_session
from wire.documents import document

_ID = click.argument("proposal_id", metavar="PROPOSAL", type=click.IntRange(min=1, max=2**63 - 1))
_PAGE = click.option(
    "--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="At most so many."
)


@click.group(cls=TkmsGroup)
def governance() -> None:
    """Propose, approve and look up changes of the chain's configuration.

    Parties, prices, limits, roles, validators, applications and versions change by proposals: holders
    of the deciding role approve, and the change is in force from a height that all know beforehand.
    Settings of a process on this machine are something else: they are in its files.
    """


governance.add_command(propose)


@governance.command(
    cls=TkmsCommand,
    example="tkms governance approve 7 --from alice\n"
    "tkms governance approve 7 --digest 9f86d081884c7d65...",
)
@_ID
@click.option("--digest", help="Digest of the change that you were shown elsewhere.")
@with_session(sends=True)
def approve(session: Session, proposal_id: int, digest: str | None) -> None:
    """Approve a proposal as a holder of the deciding role.

    The approval is bound to the digest of the change: of --digest, or of the proposal as it is proven
    under a verified header.
    """
    from cli.hashes import parse_hash  # noqa: PLC0415
    from wire.pb.tkms.config.v1 import config_pb2  # noqa: PLC0415 - slow import
    from wire.pb.tkms.tx.v1 import tx_pb2  # noqa: PLC0415

    async def work(chain: Any) -> dict[str, object]:
        if digest is not None:
            approved = parse_hash(digest)
        else:
            proven = await _proven(chain, proposal_id)
            approved = _digest(proven.change)
            kind = proven.change.WhichOneof("kind")
            session.out.note(f"proposal {proposal_id}: {kind}, digest {approved.hex()}")
        message = tx_pb2.Message(
            approve_change=config_pb2.ApproveChange(proposal_id=proposal_id, change_digest=approved)
        )
        sent = await session.send(chain, [message], session.signer(default="admin"))
        return sent | {"proposal": proposal_id, "digest": approved.hex()}

    session.out.result(session.run(work))


@governance.command(cls=TkmsCommand, example="tkms governance withdraw 7 --from alice")
@_ID
@with_session(sends=True)
def withdraw(session: Session, proposal_id: int) -> None:
    """End your own proposal, or take back your approval of another's."""
    from wire.pb.tkms.config.v1 import config_pb2  # noqa: PLC0415 - slow import
    from wire.pb.tkms.tx.v1 import tx_pb2  # noqa: PLC0415

    message = tx_pb2.Message(withdraw_change=config_pb2.WithdrawChange(proposal_id=proposal_id))
    signer = session.signer(default="admin")
    sent = session.run(lambda chain: session.send(chain, [message], signer))
    session.out.result(sent | {"proposal": proposal_id})


@governance.command(
    cls=TkmsCommand, example="tkms governance show 7\ntkms governance show 7 --prove -o json"
)
@_ID
@click.option("--prove", is_flag=True, help="Check an open proposal against a verified header.")
@with_session()
def show(session: Session, proposal_id: int, prove: bool) -> None:
    """Show a proposal: the change, who approved it, what became of it."""
    from wire.pb.tkms.state.v1 import state_pb2  # noqa: PLC0415 - slow import

    if prove:
        proven = session.run(lambda chain: _proven(chain, proposal_id))
        shown = {"proven": True, "digest": _digest(proven.change).hex(), **document(proven)}
    else:
        data = proposal_id.to_bytes(8, "big")
        raw = session.run(lambda chain: chain.query("/config/proposal", data))
        shown = _view(state_pb2.ProposalView.FromString(raw))
    session.out.result(shown, lambda: json.dumps(shown, indent=1, ensure_ascii=False))


@governance.command(
    "list", cls=TkmsCommand, example="tkms governance list\ntkms governance list --first 40"
)
@click.option("--first", type=click.IntRange(min=0), default=0, help="Smallest id.")
@_PAGE
@with_session()
def list_(session: Session, first: int, limit: int) -> None:
    """List proposals that are open or scheduled, oldest first."""
    from wire.pb.tkms.state.v1 import state_pb2  # noqa: PLC0415 - slow import

    raw = session.run(lambda chain: chain.query("/config/proposals", _page(first, limit)))
    listing = state_pb2.ProposalList.FromString(raw)
    views = [_view(entry) for entry in listing.proposals]
    rows = [
        (
            view["proposal"]["id"],
            view["kind"],
            view["status"],
            f"{view['counted']}/{view['quorum']}",
            view["proposal"]["activation_height"],
            view["proposal"]["title"],
        )
        for view in views
    ]
    session.out.result(
        {"proposals": views, "next": listing.next_id},
        lambda: table("", ("id", "kind", "status", "approvals", "in force from", "title"), rows),
    )


@governance.command(
    cls=TkmsCommand, example="tkms governance history\ntkms governance history --before 40 -o json"
)
@click.option("--before", type=click.IntRange(min=0), default=0, help="Sequence to start at.")
@_PAGE
@with_session()
def history(session: Session, before: int, limit: int) -> None:
    """List what became of proposals, newest first."""
    from wire.pb.tkms.state.v1 import state_pb2  # noqa: PLC0415 - slow import

    raw = session.run(lambda chain: chain.query("/config/history", _page(before, limit)))
    listing = state_pb2.ConfigHistory.FromString(raw)
    records = [_record(entry) for entry in listing.records]
    rows = [
        (
            record["sequence"],
            record["proposal_id"],
            record["kind"],
            record["outcome"],
            record["closed_height"],
            len(record["approvers"]),
            record["title"],
        )
        for record in records
    ]
    columns = ("#", "proposal", "kind", "outcome", "height", "approvals", "title")
    session.out.result(
        {"records": records, "next": listing.next_sequence}, lambda: table("", columns, rows)
    )


@governance.command(cls=TkmsCommand, example="tkms governance validators -o json")
@with_session()
def validators(session: Session) -> None:
    """Show who votes on blocks as the chain decided it, and the engine's parameters."""
    from base64 import b64encode  # noqa: PLC0415

    from wire.digests import sha256  # noqa: PLC0415 - slow import
    from wire.pb.tkms.state.v1 import state_pb2  # noqa: PLC0415

    raw = session.run(lambda chain: chain.query("/config/validators"))
    listing = state_pb2.ValidatorList.FromString(raw)
    voters = [
        {
            "public_key": voter.public_key.hex(),
            # As CometBFT's files and RPC write them.
            "engine_key": b64encode(voter.public_key).decode(),
            "engine_address": sha256(voter.public_key)[:20].hex().upper(),
            "power": voter.power,
            "name": voter.name,
        }
        for voter in listing.validators
    ]
    rows = [(v["name"], v["engine_address"], v["engine_key"], v["power"]) for v in voters]
    session.out.result(
        {
            "validators": voters,
            "total_power": listing.total_power,
            "consensus": document(listing.consensus),
        },
        lambda: table("", ("name", "engine address", "key", "power"), rows),
    )


@governance.command(cls=TkmsCommand, example="tkms governance roles")
@with_session()
def roles(session: Session) -> None:
    """Show who holds which role, how many must approve, and what each role decides."""
    from wire.pb.tkms.state.v1 import state_pb2  # noqa: PLC0415 - slow import

    raw = session.run(lambda chain: chain.query("/config/roles"))
    found = document(state_pb2.RoleList.FromString(raw))
    rows = [
        (role["role"], role["quorum"], " ".join(role["accounts"]), " ".join(role["decides"]))
        for role in found["roles"]
    ]
    session.out.result(found, lambda: table("", ("role", "quorum", "holders", "decides"), rows))


@governance.command(
    cls=TkmsCommand, example="tkms governance epoch\ntkms governance epoch 1 -o json > epoch.json"
)
@click.argument("epoch_id", required=False, type=click.IntRange(min=1, max=2**63 - 1))
@with_session()
def epoch(session: Session, epoch_id: int | None) -> None:
    """Show an epoch: parties and thresholds; the current one without an id."""
    from wire.pb.tkms.config.v1 import config_pb2  # noqa: PLC0415 - slow import

    data = epoch_id.to_bytes(8, "big") if epoch_id else b""
    raw = session.run(lambda chain: chain.query("/config/epoch", data))
    shown = document(config_pb2.Epoch.FromString(raw))
    session.out.result(shown, lambda: json.dumps(shown, indent=1, ensure_ascii=False))


def _page(first: int, limit: int) -> bytes:
    return first.to_bytes(8, "big") + limit.to_bytes(4, "big")


async def _proven(chain: Any, proposal_id: int) -> Any:
    from client import keys  # noqa: PLC0415 - slow import
    from wire.pb.tkms.config.v1 import config_pb2  # noqa: PLC0415

    proven = await chain.proven_value(keys.proposal(proposal_id))
    if proven.value is None:
        raise UsageError(
            f"it is proven that proposal {proposal_id} is not open",
            reason="NOT_FOUND",
            hint="tkms governance list; closed ones are in tkms governance history",
        )
    return config_pb2.Proposal.FromString(proven.value)


def _digest(change: Any) -> bytes:
    from wire.digests import sha256  # noqa: PLC0415 - slow import

    return sha256(change.SerializeToString(deterministic=True))


def _view(view: Any) -> dict[str, Any]:
    shown = document(view)
    if view.HasField("record"):
        return {"status": "closed", "kind": view.kind, "record": _record(view.record)}
    status = "scheduled" if view.proposal.decided_height else "open"
    return {"status": status, **shown}


def _record(record: Any) -> dict[str, Any]:
    from wire.reasons import Reason  # noqa: PLC0415 - slow import

    shown = document(record)
    names = {int(reason): reason.name for reason in Reason}
    return shown | {"reason": names.get(record.reason, record.reason or "")}
