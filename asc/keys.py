"""Records of keys, reference strings and preprocessings: born by agreement of their generating request.

A key's record is there from the request on (pending) and goes away where the generation comes to nothing. Its
states are changed in `key_states.py`, its epoch in `epochs.py`.
"""

from __future__ import annotations

from typing import Final

from asc import state as asc_state
from ledger.config import state as config
from ledger.errors import InvariantError
from ledger.state import State
from wire.events import event
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.reasons import Reason, Rejection

# Kinds of requests whose agreement makes a record.
GENERATIONS: Final = (
    asc_pb2.REQUEST_KIND_KEY_GENERATION,
    asc_pb2.REQUEST_KIND_CRS_GENERATION,
    asc_pb2.REQUEST_KIND_PREPROCESSING,
)
_REFUSED: Final = {
    asc_pb2.KEY_STATUS_PENDING: Reason.KEY_PENDING,
    asc_pb2.KEY_STATUS_SUSPENDED: Reason.KEY_SUSPENDED,
    asc_pb2.KEY_STATUS_REVOKED: Reason.KEY_REVOKED,
    asc_pb2.KEY_STATUS_DESTROYED: Reason.KEY_DESTROYED,
}
_EVENTS: Final = {
    asc_pb2.REQUEST_KIND_KEY_GENERATION: "key_active",
    asc_pb2.REQUEST_KIND_CRS_GENERATION: "crs_active",
    asc_pb2.REQUEST_KIND_PREPROCESSING: "preprocessing_ready",
}


def require_active_key(state: State, key_id: bytes) -> asc_pb2.MaterialRecord:
    """The record of an active key; Rejection with UNKNOWN_KEY or the reason of the key's state."""
    record = asc_state.material(state, asc_state.key_key(key_id))
    if record is None:
        raise Rejection(Reason.UNKNOWN_KEY, key_id.hex())
    if record.status != asc_pb2.KEY_STATUS_ACTIVE:
        raise Rejection(_REFUSED[record.status], key_id.hex())
    return record


def require_preprocessing(
    state: State, preprocessing_id: bytes, parameters: str
) -> asc_pb2.MaterialRecord:
    """The record of a preprocessing that a key of these parameters may take now.

    Raises:
        Rejection: UNKNOWN_PREPROCESSING, PREPROCESSING_CONSUMED or PREPROCESSING_MISMATCH.
    """
    record = asc_state.material(state, asc_state.preprocessing_key(preprocessing_id))
    if record is None:
        raise Rejection(Reason.UNKNOWN_PREPROCESSING, preprocessing_id.hex() or "none is named")
    if record.consumed_by:
        raise Rejection(Reason.PREPROCESSING_CONSUMED, f"by {record.consumed_by.hex()}")
    if record.parameters != parameters:
        raise Rejection(Reason.PREPROCESSING_MISMATCH, f"it is for {record.parameters}")
    current = config.current_epoch(state).id
    if record.epoch_id != current:
        raise Rejection(
            Reason.PREPROCESSING_MISMATCH, f"it is of epoch {record.epoch_id}, now is {current}"
        )
    return record


def consume(state: State, record: asc_pb2.MaterialRecord, by: bytes, height: int) -> None:
    """A key generation takes a preprocessing, for ever: also where the generation fails."""
    record.consumed_by = by
    record.status = asc_pb2.KEY_STATUS_CONSUMED
    record.status_height = height
    asc_state.set_material(state, asc_state.preprocessing_key(record.id), record)


def begin(state: State, entry: asc_pb2.LogEntry) -> None:
    """A key's record while its generation is pending."""
    record = _record(entry, asc_pb2.KEY_STATUS_PENDING, entry.height)
    asc_state.set_material(state, asc_state.key_key(entry.request_id), record)


def activate(
    state: State, entry: asc_pb2.LogEntry, agreed: list[asc_pb2.Answer], height: int
) -> None:
    """Make what a generation request agreed on usable; `agreed` are the equal answers."""
    record = _record(entry, asc_pb2.KEY_STATUS_ACTIVE, height)
    record.active_height = height
    record.digests.extend(agreed[0].fulfil.generation.digests)
    record.signatures.extend(_signature(answer) for answer in agreed)
    asc_state.set_material(state, _storage_key(entry), record)
    is_key = entry.kind == asc_pb2.REQUEST_KIND_KEY_GENERATION
    state.emit(
        event(
            _EVENTS[entry.kind],
            key_id=entry.request_id if is_key else entry.key_id,
            request_id=entry.request_id,
            parameters=entry.parameters,
            max_bits=entry.max_bits,
            epoch_id=entry.epoch_id,
        )
    )


def decided(state: State, entry: asc_pb2.LogEntry, *, fulfilled: bool) -> None:
    """A generation is under way no longer; a key that came to nothing leaves no record."""
    asc_state.clear_generating(state, entry.request_id)
    if entry.kind == asc_pb2.REQUEST_KIND_KEY_GENERATION and not fulfilled:
        asc_state.delete_material(state, asc_state.key_key(entry.request_id))


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


def _record(
    entry: asc_pb2.LogEntry, status: asc_pb2.KeyStatus, height: int
) -> asc_pb2.MaterialRecord:
    return asc_pb2.MaterialRecord(
        id=entry.request_id,
        status=status,
        parameters=entry.parameters,
        epoch_id=entry.epoch_id,
        born_epoch_id=entry.epoch_id,
        dealer=entry.dealer,
        key_id=entry.key_id,
        max_bits=entry.max_bits,
        preprocessing_id=entry.preprocessing_id,
        status_height=height,
    )


def _storage_key(entry: asc_pb2.LogEntry) -> bytes:
    if entry.kind == asc_pb2.REQUEST_KIND_KEY_GENERATION:
        return asc_state.key_key(entry.request_id)
    if entry.kind == asc_pb2.REQUEST_KIND_PREPROCESSING:
        return asc_state.preprocessing_key(entry.request_id)
    return asc_state.crs_key(entry.request_id)


def _signature(answer: asc_pb2.Answer) -> asc_pb2.PartySignature:
    return asc_pb2.PartySignature(party=answer.party, signature=answer.fulfil.signature)
