"""Read-only views of asc."""

from __future__ import annotations

from typing import Final

from asc import state as asc_state
from ledger.config import state as config
from ledger.errors import InvariantError
from ledger.state import State
from wire.digests import material_uri
from wire.ids import RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.reasons import Reason, Rejection

_MAX_LIST: Final = 100
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
    if len(data) != _LIST_BYTES:
        raise Rejection(Reason.UNKNOWN_QUERY, "8-byte sequence and 4-byte limit")
    first = int.from_bytes(data[:_SEQUENCE_BYTES], "big")
    limit = min(int.from_bytes(data[_SEQUENCE_BYTES:], "big") or _MAX_LIST, _MAX_LIST)
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
    )
    if data and not listing.keys and not listing.crs:
        raise Rejection(Reason.NOT_FOUND, f"key or reference string {data.hex()}")
    return listing.SerializeToString(deterministic=True)


def _short_view(state: State, sequence: int) -> state_pb2.RequestView:
    entry = asc_state.log_entry(state, sequence)
    if entry is None:
        raise InvariantError(f"the log has no entry {sequence}")
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
    uris = [material_uri(base_url, entry.digest) for entry in record.digests]
    return state_pb2.MaterialView(record=record, uris=uris)
