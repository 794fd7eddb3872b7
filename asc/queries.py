"""Read-only views of asc."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from google.protobuf.message import DecodeError

from asc import epochs
from asc import state as asc_state
from ledger.config import state as config
from ledger.state import State
from wire.digests import material_uri
from wire.ids import Address, RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.reasons import Reason, Rejection

_MAX_LIST: Final = 100
# Where both filters are set a page may end early: a query must not read the whole log.
_MAX_LOOKED: Final = 10_000
_SEQUENCE_BYTES: Final = 8
_LIST_BYTES: Final = 12


def request(state: State, data: bytes) -> bytes:
    """`/asc/request`: 20-byte id to RequestView with all answers."""
    if len(data) != RequestId.LENGTH:
        raise Rejection(Reason.UNKNOWN_QUERY, "20-byte request id")
    status = asc_state.status(state, data)
    if status is None:
        raise Rejection(Reason.NOT_FOUND, f"request {data.hex()}")
    view = state_pb2.RequestView(
        entry=asc_state.log_entry(state, status.sequence),
        status=status,
        answers=asc_state.answers(state, data),
    )
    return view.SerializeToString(deterministic=True)


def request_list(state: State, data: bytes) -> bytes:
    """`/asc/list`: u64 sequence, u32 limit to RequestList, newest first and without answers.

    Sequence 0 starts at the newest request; a limit of 0 or above 100 means 100.
    """
    first, limit = _page(data)
    newest = asc_state.last_sequence(state)
    start = min(first or newest, newest)
    stop = max(start - limit, 0)
    listing = state_pb2.RequestList(
        requests=[_short_view(state, sequence) for sequence in range(start, stop, -1)],
        next_sequence=stop,
    )
    return listing.SerializeToString(deterministic=True)


def log(state: State, data: bytes) -> bytes:
    """`/asc/log`: u64 sequence to LogEntry."""
    if len(data) != _SEQUENCE_BYTES:
        raise Rejection(Reason.UNKNOWN_QUERY, "8-byte sequence")
    entry = asc_state.log_entry(state, int.from_bytes(data, "big"))
    if entry is None:
        raise Rejection(Reason.NOT_FOUND, f"sequence {int.from_bytes(data, 'big')}")
    return entry.SerializeToString(deterministic=True)


def material(state: State, data: bytes) -> bytes:
    """`/asc/material`: nothing or a 20-byte id to MaterialList."""
    if data and len(data) != RequestId.LENGTH:
        raise Rejection(Reason.UNKNOWN_QUERY, "nothing or a 20-byte id")
    listing = state_pb2.MaterialList(
        keys=_views(state, asc_state.KEY_PREFIX, data),
        crs=_views(state, asc_state.CRS_PREFIX, data),
        preprocessings=_views(state, asc_state.PREPROCESSING_PREFIX, data),
    )
    if data and not (listing.keys or listing.crs or listing.preprocessings):
        raise Rejection(Reason.NOT_FOUND, f"key, reference string or preprocessing {data.hex()}")
    return listing.SerializeToString(deterministic=True)


def audit(state: State, data: bytes) -> bytes:
    """`/asc/audit`: AuditQuery to AuditList, in chain order."""
    try:
        query = state_pb2.AuditQuery.FromString(data)
    except DecodeError:
        raise Rejection(Reason.UNKNOWN_QUERY, "the data is an AuditQuery") from None
    if query.requester and len(query.requester) != Address.LENGTH:
        raise Rejection(Reason.UNKNOWN_QUERY, "a requester has 20 bytes")
    limit = min(query.limit or _MAX_LIST, _MAX_LIST)
    listing = state_pb2.AuditList(last_sequence=asc_state.last_audit_sequence(state))
    for looked, sequence in enumerate(_audit_sequences(state, query, listing.last_sequence)):
        if len(listing.records) == limit or looked == _MAX_LOOKED:
            listing.next_sequence = sequence
            break
        record = asc_state.require_audit_record(state, sequence)
        if query.application in ("", record.application):
            listing.records.append(record)
    return listing.SerializeToString(deterministic=True)


def evidence(state: State, data: bytes) -> bytes:
    """`/asc/evidence`: u64 sequence, u32 limit to EvidenceList, in chain order.

    Sequence 0 starts at the first; a limit of 0 or above 100 means 100.
    """
    first, limit = _page(data)
    last = asc_state.last_evidence_sequence(state)
    start = max(first, 1)
    stop = min(start + limit, last + 1)
    records = [asc_state.evidence_record(state, sequence) for sequence in range(start, stop)]
    listing = state_pb2.EvidenceList(
        records=[record for record in records if record is not None],
        next_sequence=stop if start < stop <= last else 0,
        last_sequence=last,
    )
    return listing.SerializeToString(deterministic=True)


def progress(state: State, data: bytes) -> bytes:
    """`/asc/progress`: 20-byte request id to ProgressList: last reports while the request takes answers."""
    if len(data) != RequestId.LENGTH:
        raise Rejection(Reason.UNKNOWN_QUERY, "20-byte request id")
    if asc_state.status(state, data) is None:
        raise Rejection(Reason.NOT_FOUND, f"request {data.hex()}")
    listing = state_pb2.ProgressList(progress=asc_state.all_progress(state, data))
    return listing.SerializeToString(deterministic=True)


def epoch(state: State, data: bytes) -> bytes:
    """`/asc/epoch`: no data to EpochView."""
    if data:
        raise Rejection(Reason.UNKNOWN_QUERY, "the query takes no data")
    current = config.current_epoch(state)
    pending = config.pending_epoch(state)
    view = state_pb2.EpochView(
        epoch=current,
        since_height=config.epoch_since(state),
        next_refresh_height=epochs.next_refresh(state),
        pool_used=asc_state.taken_blocks(state, current.id),
        pending=pending,
        pending_epoch=None if pending is None else config.epoch(state, pending.epoch_id),
    )
    return view.SerializeToString(deterministic=True)


def _page(data: bytes) -> tuple[int, int]:
    if len(data) != _LIST_BYTES:
        raise Rejection(Reason.UNKNOWN_QUERY, "8-byte sequence and 4-byte limit")
    first = int.from_bytes(data[:_SEQUENCE_BYTES], "big")
    return first, min(int.from_bytes(data[_SEQUENCE_BYTES:], "big") or _MAX_LIST, _MAX_LIST)


def _audit_sequences(state: State, query: state_pb2.AuditQuery, last: int) -> Iterable[int]:
    """Sequences of the records to look at, ascending; of both filters the index of one serves."""
    start = max(query.from_sequence, 1)
    if query.requester:
        return asc_state.indexed(state, asc_state.audit_of_requester(query.requester), start, last)
    if query.application:
        prefix = asc_state.audit_of_application(query.application)
        return asc_state.indexed(state, prefix, start, last)
    return range(start, last + 1)


def _short_view(state: State, sequence: int) -> state_pb2.RequestView:
    entry = asc_state.require_log_entry(state, sequence)
    return state_pb2.RequestView(entry=entry, status=asc_state.status(state, entry.request_id))


def _views(state: State, prefix: bytes, material_id: bytes) -> list[state_pb2.MaterialView]:
    base_url = config.parameters(state).storage_base_url
    if material_id:
        record = asc_state.material(state, prefix + material_id)
        records = [] if record is None else [record]
    else:
        records = list(asc_state.materials(state, prefix))
    return [_view(base_url, record) for record in records]


def _view(base_url: str, record: asc_pb2.MaterialRecord) -> state_pb2.MaterialView:
    # Of a preprocessing nothing is stored.
    stored = [entry for entry in record.digests if entry.size]
    uris = [material_uri(base_url, entry.digest) for entry in stored]
    return state_pb2.MaterialView(record=record, uris=uris)
