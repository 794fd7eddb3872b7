"""How a request comes into being: price locked, epoch pinned, entry appended to the log."""

from __future__ import annotations

from collections.abc import Sequence

from asc import state as asc_state
from ledger.bank import escrow
from ledger.config import state as config
from ledger.context import Context
from ledger.errors import InvariantError
from ledger.state import State
from wire.answers import answering_epoch_id
from wire.events import event
from wire.fhe import pool_blocks
from wire.ids import Address, RequestId, request_id
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.reasons import Reason, Rejection

# No transaction has such a body: the chain's own requests cannot share an id with one.
_OWN_BODY = b"tkms/request-of-the-chain/v1"


def price_of(state: State, name: str, ciphertext_bytes: int = 0) -> int:
    """What a kind of request costs; Rejection(UNPRICED)."""
    price = config.price(state, name)
    if price is None:
        raise Rejection(Reason.UNPRICED, name)
    return price.base + price.per_byte * ciphertext_bytes


def open_request(state: State, context: Context, entry: asc_pb2.LogEntry, price: int) -> bytes:
    """Open what the sender of a message asks for; Rejection(MAX_FEE_EXCEEDED, INSUFFICIENT_FUNDS)."""
    if price > context.max_fee_left:
        raise Rejection(
            Reason.MAX_FEE_EXCEEDED, f"the request costs {price}, {context.max_fee_left} are left"
        )
    # Made of the whole body, so only once.
    made = context.request_id
    entry.price = price
    if entry.relayer:
        entry.relayer_units = price * config.prices(state).relayer_permille // 1000
    if price:
        escrow.escrow_lock(state, context.sender, made, price)
    _append(state, context, entry, made)
    return made.value


def open_own_request(state: State, context: Context, entry: asc_pb2.LogEntry) -> bytes:
    """Open what the chain itself asks for, without price; one for each next epoch or destroyed key."""
    subject = entry.key_id or entry.next_epoch_id.to_bytes(8, "big")
    made = request_id(context.chain_id, _OWN_BODY + subject, entry.kind)
    _append(state, context, entry, made)
    return made.value


def _append(state: State, context: Context, entry: asc_pb2.LogEntry, made: RequestId) -> None:
    """Complete the entry, append it, and begin its life."""
    current = config.current_epoch(state)
    entry.request_id = made.value
    entry.sequence = asc_state.last_sequence(state) + 1
    entry.chain_id = context.chain_id
    entry.height = context.height
    entry.requester = context.sender.value
    entry.epoch_id = current.id
    answering = config.epoch(state, answering_epoch_id(entry))
    if answering is None:
        raise InvariantError(f"epoch {answering_epoch_id(entry)} is to answer but not there")
    entry.parties = len(answering.parties)
    entry.threshold = answering.threshold
    entry.thresholds.CopyFrom(answering.thresholds)
    entry.first_block = asc_state.take_blocks(state, current.id, _blocks(entry.ciphertexts))
    asc_state.append_log(state, entry)
    asc_state.set_status(
        state,
        asc_pb2.RequestStatus(
            request_id=made.value,
            sequence=entry.sequence,
            status=asc_pb2.STATUS_PENDING,
            opened_height=context.height,
        ),
    )
    asc_state.set_deadline(state, entry.deadline_height, made.value)
    _announce(state, entry)


def _blocks(ciphertexts: Sequence[isc_pb2.Ciphertext]) -> int:
    return sum(pool_blocks(ciphertext.fhe_type, ciphertext.format) for ciphertext in ciphertexts)


def _announce(state: State, entry: asc_pb2.LogEntry) -> None:
    state.emit(
        event(
            "request_opened",
            request_id=entry.request_id,
            kind=asc_pb2.RequestKind.Name(entry.kind),
            application=entry.application,
            key_id=entry.key_id,
            requester=Address(entry.requester),
            sequence=entry.sequence,
            epoch_id=entry.epoch_id,
            ciphertexts=len(entry.ciphertexts),
            price=entry.price,
            deadline_height=entry.deadline_height,
        )
    )
