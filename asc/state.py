"""All storage keys of asc and their typed accessors. Numbers in keys are 8-byte big endian.

asc/sequence                                   last sequence number
asc/log/<sequence>                             LogEntry, immutable
asc/status/<request id>                        RequestStatus
asc/answer/<request id>/<party, 4 bytes>       Answer
asc/key/<key id>  asc/crs/<crs id>             MaterialRecord
asc/deadline/<height>/<request id>             mark: still open, expires at the end of that height
asc/prune/<height>/<request id>                mark: payloads are dropped at the end of that height
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from google.protobuf.message import Message

from ledger.state import State
from wire.ids import RequestId
from wire.pb.tkms.asc.v1 import asc_pb2

_SEQUENCE_KEY: Final = b"asc/sequence"
KEY_PREFIX: Final = b"asc/key/"
CRS_PREFIX: Final = b"asc/crs/"
# The state holds no empty values.
_MARK: Final = b"\x01"


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")


def log_key(sequence: int) -> bytes:
    """Key of a log entry."""
    return b"asc/log/" + _number(sequence)


def status_key(request_id: bytes) -> bytes:
    """Key of the mutable part of a request."""
    return b"asc/status/" + request_id


def answer_prefix(request_id: bytes) -> bytes:
    """Prefix of the answers of a request."""
    return b"asc/answer/" + request_id + b"/"


def answer_key(request_id: bytes, party: int) -> bytes:
    """Key of one party's answer."""
    return answer_prefix(request_id) + party.to_bytes(4, "big")


def key_key(key_id: bytes) -> bytes:
    """Key of an FHE key's record."""
    return KEY_PREFIX + key_id


def crs_key(crs_id: bytes) -> bytes:
    """Key of a reference string's record."""
    return CRS_PREFIX + crs_id


def deadline_prefix(height: int) -> bytes:
    """Prefix of the requests that expire at the end of a height."""
    return b"asc/deadline/" + _number(height) + b"/"


def prune_prefix(height: int) -> bytes:
    """Prefix of the requests whose payloads are dropped at the end of a height."""
    return b"asc/prune/" + _number(height) + b"/"


def last_sequence(state: State) -> int:
    """Sequence number of the newest request; 0 when there is none."""
    raw = state.get(_SEQUENCE_KEY)
    return 0 if raw is None else int.from_bytes(raw, "big")


def append_log(state: State, entry: asc_pb2.LogEntry) -> None:
    """Append an entry that carries the sequence number after the last one."""
    _put(state, log_key(entry.sequence), entry)
    state.set(_SEQUENCE_KEY, _number(entry.sequence))


def log_entry(state: State, sequence: int) -> asc_pb2.LogEntry | None:
    """The entry, or None."""
    raw = state.get(log_key(sequence))
    return None if raw is None else asc_pb2.LogEntry.FromString(raw)


def status(state: State, request_id: bytes) -> asc_pb2.RequestStatus | None:
    """The request's status, or None."""
    raw = state.get(status_key(request_id))
    return None if raw is None else asc_pb2.RequestStatus.FromString(raw)


def set_status(state: State, record: asc_pb2.RequestStatus) -> None:
    """Write a request's status."""
    _put(state, status_key(record.request_id), record)


def answer(state: State, request_id: bytes, party: int) -> asc_pb2.Answer | None:
    """One party's answer, or None."""
    raw = state.get(answer_key(request_id, party))
    return None if raw is None else asc_pb2.Answer.FromString(raw)


def set_answer(state: State, request_id: bytes, record: asc_pb2.Answer) -> None:
    """Write one party's answer."""
    _put(state, answer_key(request_id, record.party), record)


def answers(state: State, request_id: bytes) -> list[asc_pb2.Answer]:
    """All answers of a request, by party."""
    return [asc_pb2.Answer.FromString(raw) for _, raw in state.iterate(answer_prefix(request_id))]


def material(state: State, key: bytes) -> asc_pb2.MaterialRecord | None:
    """The record under `key_key` or `crs_key`, or None."""
    raw = state.get(key)
    return None if raw is None else asc_pb2.MaterialRecord.FromString(raw)


def set_material(state: State, key: bytes, record: asc_pb2.MaterialRecord) -> None:
    """Write the record of a key or reference string."""
    _put(state, key, record)


def materials(state: State, prefix: bytes) -> Iterator[asc_pb2.MaterialRecord]:
    """All records under KEY_PREFIX or CRS_PREFIX, by id."""
    for _, raw in state.iterate(prefix):
        yield asc_pb2.MaterialRecord.FromString(raw)


def set_deadline(state: State, height: int, request_id: bytes) -> None:
    """Remember that an open request expires at the end of a height."""
    state.set(deadline_prefix(height) + request_id, _MARK)


def clear_deadline(state: State, height: int, request_id: bytes) -> None:
    """Forget the deadline of a request that closed."""
    state.delete(deadline_prefix(height) + request_id)


def set_prune(state: State, height: int, request_id: bytes) -> None:
    """Remember when a closed request's payloads are dropped."""
    state.set(prune_prefix(height) + request_id, _MARK)


def clear_prune(state: State, height: int, request_id: bytes) -> None:
    """Forget it: they were dropped."""
    state.delete(prune_prefix(height) + request_id)


def marked(state: State, prefix: bytes) -> list[RequestId]:
    """Request ids under `deadline_prefix` or `prune_prefix`, in order."""
    return [RequestId(key[len(prefix) :]) for key, _ in state.iterate(prefix)]


def _put(state: State, key: bytes, record: Message) -> None:
    state.set(key, record.SerializeToString(deterministic=True))
