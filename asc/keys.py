"""Keys and reference strings: born by agreement of their generating request, and found here."""

from __future__ import annotations

from asc import state as asc_state
from ledger.errors import InvariantError
from ledger.state import State
from wire.events import event
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.reasons import Reason, Rejection


def require_active_key(state: State, key_id: bytes) -> asc_pb2.MaterialRecord:
    """The record of an active key; Rejection(UNKNOWN_KEY) otherwise."""
    record = asc_state.material(state, asc_state.key_key(key_id))
    if record is None or record.status != asc_pb2.KEY_STATUS_ACTIVE:
        raise Rejection(Reason.UNKNOWN_KEY, key_id.hex())
    return record


def activate(
    state: State, entry: asc_pb2.LogEntry, agreed: list[asc_pb2.Answer], height: int
) -> None:
    """Make what a generation request agreed on usable; `agreed` are the equal answers."""
    record = asc_pb2.MaterialRecord(
        id=entry.request_id,
        status=asc_pb2.KEY_STATUS_ACTIVE,
        parameters=entry.parameters,
        epoch_id=entry.epoch_id,
        dealer=entry.dealer,
        digests=agreed[0].fulfil.generation.digests,
        active_height=height,
        key_id=entry.key_id,
        max_bits=entry.max_bits,
        signatures=[_signature(answer) for answer in agreed],
    )
    asc_state.set_material(state, _storage_key(entry), record)
    is_key = entry.kind == asc_pb2.REQUEST_KIND_KEY_GENERATION
    state.emit(
        event(
            "key_active" if is_key else "crs_active",
            key_id=entry.request_id if is_key else entry.key_id,
            request_id=entry.request_id,
            parameters=entry.parameters,
            max_bits=entry.max_bits,
            epoch_id=entry.epoch_id,
        )
    )


def add_signature(state: State, entry: asc_pb2.LogEntry, answer: asc_pb2.Answer) -> None:
    """Add the signature of a party that agreed later, in order of parties."""
    key = _storage_key(entry)
    record = asc_state.material(state, key)
    if record is None:
        raise InvariantError(f"request {entry.request_id.hex()} activated nothing")
    signatures = sorted(
        [*record.signatures, _signature(answer)], key=lambda signature: signature.party
    )
    del record.signatures[:]
    record.signatures.extend(signatures)
    asc_state.set_material(state, key, record)


def _storage_key(entry: asc_pb2.LogEntry) -> bytes:
    if entry.kind == asc_pb2.REQUEST_KIND_KEY_GENERATION:
        return asc_state.key_key(entry.request_id)
    return asc_state.crs_key(entry.request_id)


def _signature(answer: asc_pb2.Answer) -> asc_pb2.PartySignature:
    return asc_pb2.PartySignature(party=answer.party, signature=answer.fulfil.signature)
