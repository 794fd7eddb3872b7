"""How a request ends. Every change of its status passes through here and emits one event.

pending --agreement--> fulfilled --all answered or deadline--> closed, price split among the agreeing
pending --agreement impossible--> failed and closed, price refunded
pending --abort, end of the epoch--> failed and closed, price refunded (generations only)
pending --deadline--> expired and closed, price refunded

The decision appends the audit record; closing settles the price.
"""

from __future__ import annotations

from asc import audit, keys
from asc import state as asc_state
from asc.agreement import Agreed, Failed, decide, may_decide, split
from ledger.bank import escrow
from ledger.config import state as config
from ledger.errors import InvariantError
from ledger.state import State
from wire.answers import answering_epoch_id
from wire.events import event
from wire.ids import Address, RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2


def answering_epoch(state: State, entry: asc_pb2.LogEntry) -> config_pb2.Epoch:
    """The epoch whose parties decide a request; the state holds every epoch that ever was."""
    epoch = config.epoch(state, answering_epoch_id(entry))
    if epoch is None:
        raise InvariantError(f"epoch {answering_epoch_id(entry)} is pinned but gone")
    return epoch


def advance(
    state: State,
    height: int,
    entry: asc_pb2.LogEntry,
    status: asc_pb2.RequestStatus,
    answer: asc_pb2.Answer,
) -> None:
    """Take a new, stored answer into account: decide, extend the agreement, close. Writes `status`."""
    if answer.WhichOneof("outcome") == "failure":
        status.failed[:] = sorted([*status.failed, answer.party])
    else:
        status.answered[:] = sorted([*status.answered, answer.party])
    if status.status == asc_pb2.STATUS_PENDING:
        _decide(state, height, entry, status)
    elif answer.canonical_digest == status.agreed_digest:
        status.agreed[:] = sorted([*status.agreed, answer.party])
        if entry.kind in keys.GENERATIONS:
            keys.add_signature(state, entry, answer)
    complete = len(status.answered) + len(status.failed) == entry.parties
    if complete or status.status == asc_pb2.STATUS_FAILED:
        close(state, height, entry, status)
    asc_state.set_status(state, status)


def expire(state: State, height: int, request_id: bytes) -> None:
    """End an open request at its deadline."""
    status = asc_state.status(state, request_id)
    if status is None:
        raise InvariantError(f"request {request_id.hex()} has a deadline but no record")
    entry = asc_state.require_log_entry(state, status.sequence)
    if status.status == asc_pb2.STATUS_PENDING:
        _set_decision(state, height, entry, status, asc_pb2.STATUS_EXPIRED)
    close(state, height, entry, status)
    asc_state.set_status(state, status)


def end(
    state: State,
    height: int,
    entry: asc_pb2.LogEntry,
    status: asc_pb2.RequestStatus,
    why: asc_pb2.FailureCode,
) -> None:
    """Fail a pending request for a reason of the chain's own."""
    status.failure = why
    _set_decision(state, height, entry, status, asc_pb2.STATUS_FAILED)
    close(state, height, entry, status)
    asc_state.set_status(state, status)


def close(
    state: State, height: int, entry: asc_pb2.LogEntry, status: asc_pb2.RequestStatus
) -> None:
    """Settle the escrow and take no more answers; the caller writes `status`."""
    fulfilled = status.status == asc_pb2.STATUS_FULFILLED
    if entry.price:
        _settle(state, entry, status, fulfilled=fulfilled)
    status.closed_height = height
    asc_state.clear_deadline(state, entry.deadline_height, entry.request_id)
    if not entry.ciphertexts:
        asc_state.clear_progress(state, entry.request_id)
    if status.carries_payload:
        # At least one height later: the end of this height may have pruned already.
        status.prune_height = height + max(1, config.parameters(state).retention_blocks)
        asc_state.set_prune(state, status.prune_height, entry.request_id)
    state.emit(
        event(
            "request_closed",
            request_id=entry.request_id,
            status=asc_pb2.Status.Name(status.status),
            paid=entry.price if fulfilled else 0,
            relayer_units=entry.relayer_units if fulfilled else 0,
            refunded=0 if fulfilled else entry.price,
        )
    )


def _decide(
    state: State, height: int, entry: asc_pb2.LogEntry, status: asc_pb2.RequestStatus
) -> None:
    if not may_decide(entry, len(status.answered) + len(status.failed)):
        return
    parties = sorted([*status.answered, *status.failed])
    answers = asc_state.answers_of(state, entry.request_id, parties)
    decision = decide(entry, answers)
    if isinstance(decision, Agreed):
        status.agreed_digest = decision.digest
        status.agreed[:] = decision.parties
        _set_decision(state, height, entry, status, asc_pb2.STATUS_FULFILLED)
        if entry.kind in keys.GENERATIONS:
            agreeing = [answer for answer in answers if answer.party in decision.parties]
            keys.activate(state, entry, agreeing, height)
    elif isinstance(decision, Failed):
        status.failure = decision.code
        _set_decision(state, height, entry, status, asc_pb2.STATUS_FAILED)


def _set_decision(
    state: State,
    height: int,
    entry: asc_pb2.LogEntry,
    status: asc_pb2.RequestStatus,
    decided: asc_pb2.Status,
) -> None:
    status.status = decided
    status.decided_height = height
    if entry.kind in keys.GENERATIONS:
        keys.decided(state, entry, fulfilled=decided == asc_pb2.STATUS_FULFILLED)
    audit.record(state, entry, status)
    state.emit(
        event(
            "request_decided",
            request_id=entry.request_id,
            kind=asc_pb2.RequestKind.Name(entry.kind),
            application=entry.application,
            key_id=entry.key_id,
            requester=Address(entry.requester),
            status=asc_pb2.Status.Name(decided),
            digest=status.agreed_digest,
            answered=len(status.answered),
            agreed=len(status.agreed),
            failed=len(status.failed),
            failure=asc_pb2.FailureCode.Name(status.failure),
        )
    )


def _settle(
    state: State, entry: asc_pb2.LogEntry, status: asc_pb2.RequestStatus, *, fulfilled: bool
) -> None:
    request_id = RequestId(entry.request_id)
    if not fulfilled:
        escrow.escrow_refund(state, request_id)
        return
    accounts = {party.index: party.account for party in answering_epoch(state, entry).parties}
    amounts = split(entry.price - entry.relayer_units, len(status.agreed))
    shares = [
        (Address(accounts[party]), amount)
        for party, amount in zip(status.agreed, amounts, strict=True)
    ]
    if entry.relayer_units:
        shares.append((Address(entry.relayer), entry.relayer_units))
    escrow.escrow_pay(state, request_id, shares)
