"""Read-only views of the Config contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

from ledger.config import roles
from ledger.config import state as config
from ledger.config.kinds import Kinds, kind_of
from ledger.config.proposals import digest
from ledger.config.validation import ROLES
from ledger.errors import InvariantError
from ledger.module import Query
from ledger.state import State
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.reasons import Reason, Rejection

_MAX_PAGE: Final = 100
# A change may be as large as a transaction; a page ends after the entry that reaches this.
_MAX_PAGE_BYTES: Final = 512 * 1024
_NUMBER_BYTES: Final = 8
_PAGE_BYTES: Final = 12


def table(kinds: Kinds) -> Mapping[str, Query]:
    """All queries by path."""
    return {
        "/config": config_view,
        "/config/epoch": epoch,
        "/config/history": history,
        "/config/proposal": partial(proposal, kinds),
        "/config/proposals": partial(proposal_list, kinds),
        "/config/roles": partial(role_list, kinds),
        "/config/validators": validator_list,
    }


def config_view(state: State, data: bytes) -> bytes:
    """`/config`: no data to ConfigView."""
    _require_no(data)
    return state_pb2.ConfigView(
        epoch=config.current_epoch(state),
        prices=config.prices(state),
        parameters=config.parameters(state),
    ).SerializeToString(deterministic=True)


def epoch(state: State, data: bytes) -> bytes:
    """`/config/epoch`: u64 id, or nothing for the current one, to Epoch."""
    if not data:
        return config.current_epoch(state).SerializeToString(deterministic=True)
    epoch_id = _number(data)
    found = config.epoch(state, epoch_id)
    if found is None:
        raise Rejection(Reason.NOT_FOUND, f"epoch {epoch_id}")
    return found.SerializeToString(deterministic=True)


def proposal(kinds: Kinds, state: State, data: bytes) -> bytes:
    """`/config/proposal`: u64 id to ProposalView, whether it is closed or not."""
    proposal_id = _number(data)
    found = config.proposal(state, proposal_id)
    if found is not None:
        return _view(kinds, state, found).SerializeToString(deterministic=True)
    closed = config.record_of(state, proposal_id)
    if closed is None:
        raise Rejection(Reason.UNKNOWN_PROPOSAL, f"proposal {proposal_id}")
    role = kind_of(kinds, closed.change).role
    view = state_pb2.ProposalView(kind=closed.kind, role=role, digest=closed.digest, record=closed)
    return view.SerializeToString(deterministic=True)


def proposal_list(kinds: Kinds, state: State, data: bytes) -> bytes:
    """`/config/proposals`: u64 first id, u32 limit to ProposalList: open and scheduled, oldest first.

    A limit of 0 or above 100 means 100; large entries make a page shorter.
    """
    first, limit = _page(data)
    listing = state_pb2.ProposalList()
    for entry in config.proposals(state):
        if entry.id < first:
            continue
        if len(listing.proposals) == limit or listing.ByteSize() > _MAX_PAGE_BYTES:
            listing.next_id = entry.id
            break
        listing.proposals.append(_view(kinds, state, entry))
    return listing.SerializeToString(deterministic=True)


def history(state: State, data: bytes) -> bytes:
    """`/config/history`: u64 sequence, u32 limit to ConfigHistory, newest first.

    Sequence 0 starts at the newest record; a limit of 0 or above 100 means 100; large entries make a page shorter.
    """
    first, limit = _page(data)
    newest = config.last_record(state)
    listing = state_pb2.ConfigHistory()
    for record in _records_down(state, min(first or newest, newest)):
        if len(listing.records) == limit or listing.ByteSize() > _MAX_PAGE_BYTES:
            listing.next_sequence = record.sequence
            break
        listing.records.append(record)
    return listing.SerializeToString(deterministic=True)


def validator_list(state: State, data: bytes) -> bytes:
    """`/config/validators`: no data to ValidatorList."""
    _require_no(data)
    voters = config.validators(state)
    return state_pb2.ValidatorList(
        validators=voters,
        total_power=sum(voter.power for voter in voters),
        consensus=config.consensus(state),
    ).SerializeToString(deterministic=True)


def role_list(kinds: Kinds, state: State, data: bytes) -> bytes:
    """`/config/roles`: no data to RoleList."""
    _require_no(data)
    views = []
    for role in ROLES:
        record = config.role(state, role)
        decides = sorted(kind.name for kind in kinds.values() if kind.role == role)
        views.append(
            state_pb2.RoleView(
                role=role, accounts=record.accounts, quorum=record.quorum, decides=decides
            )
        )
    return state_pb2.RoleList(roles=views).SerializeToString(deterministic=True)


def _view(kinds: Kinds, state: State, found: config_pb2.Proposal) -> state_pb2.ProposalView:
    kind = kind_of(kinds, found.change)
    return state_pb2.ProposalView(
        proposal=found,
        kind=kind.name,
        role=kind.role,
        quorum=config.role(state, kind.role).quorum,
        counted=roles.count(state, kind.role, list(found.approvers)),
        digest=digest(found.change),
    )


def _records_down(state: State, start: int) -> Iterator[config_pb2.ConfigRecord]:
    for sequence in range(start, 0, -1):
        record = config.record(state, sequence)
        if record is None:
            raise InvariantError(f"the history has no record {sequence}")
        yield record


def _require_no(data: bytes) -> None:
    if data:
        raise Rejection(Reason.UNKNOWN_QUERY, "the query takes no data")


def _number(data: bytes) -> int:
    if len(data) != _NUMBER_BYTES:
        raise Rejection(Reason.UNKNOWN_QUERY, "8-byte number")
    return int.from_bytes(data, "big")


def _page(data: bytes) -> tuple[int, int]:
    if len(data) != _PAGE_BYTES:
        raise Rejection(Reason.UNKNOWN_QUERY, "8-byte number and 4-byte limit")
    limit = int.from_bytes(data[_NUMBER_BYTES:], "big")
    return int.from_bytes(data[:_NUMBER_BYTES], "big"), min(limit or _MAX_PAGE, _MAX_PAGE)
