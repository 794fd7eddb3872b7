"""All storage keys of asc and their typed accessors. Numbers in keys are 8-byte big endian.

asc/sequence                                   last sequence number
asc/log/<sequence>                             LogEntry, immutable
asc/status/<request id>                        RequestStatus
asc/answer/<request id>/<party, 4 bytes>       Answer
asc/key/<key id>  asc/crs/<crs id>             MaterialRecord
asc/preprocessing/<id>                         MaterialRecord
asc/generating/<request id>                    mark: a preprocessing or key generation that is not decided
asc/destroying/<key id>                        mark: destroyed, the parties are asked when the epoch change has ended
asc/progress/<request id>/<party, 4 bytes>     Progress, while the request takes answers
asc/audit/<sequence>                           AuditRecord, immutable
asc/audit-sequence                             last sequence number of the audit log
asc/evidence/<sequence>                        EvidenceRecord, immutable
asc/pool/<epoch>                               blocks of the epoch's pool that requests were given
asc/evidence-sequence                          last sequence number of the evidence

Derived (`asc.expiry.derive` computes them from the others; none is in the state tree):

~asc/deadline/<height>/<request id>            mark: still open, expires at the end of that height
~asc/prune/<height>/<request id>               mark: payloads are dropped at the end of that height
~asc/audit-by/requester/<account>/<sequence>   mark: the record is about a request of this account
~asc/audit-by/application/<id>/<sequence>      mark: the record is about this application
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from google.protobuf.message import Message

from ledger.errors import InvariantError
from ledger.state import State
from wire.ids import RequestId
from wire.pb.tkms.asc.v1 import asc_pb2

_SEQUENCE_KEY: Final = b"asc/sequence"
_AUDIT_SEQUENCE_KEY: Final = b"asc/audit-sequence"
_EVIDENCE_SEQUENCE_KEY: Final = b"asc/evidence-sequence"
_STATUS_PREFIX: Final = b"asc/status/"
_DEADLINE: Final = b"~asc/deadline/"
KEY_PREFIX: Final = b"asc/key/"
CRS_PREFIX: Final = b"asc/crs/"
PREPROCESSING_PREFIX: Final = b"asc/preprocessing/"
_GENERATING: Final = b"asc/generating/"
_DESTROYING: Final = b"asc/destroying/"
# The state holds no empty values.
_MARK: Final = b"\x01"


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")


def log_key(sequence: int) -> bytes:
    """Key of a log entry."""
    return b"asc/log/" + _number(sequence)


def status_key(request_id: bytes) -> bytes:
    """Key of the mutable part of a request."""
    return _STATUS_PREFIX + request_id


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


def preprocessing_key(preprocessing_id: bytes) -> bytes:
    """Key of a preprocessing's record."""
    return PREPROCESSING_PREFIX + preprocessing_id


def progress_prefix(request_id: bytes) -> bytes:
    """Prefix of the parties' reports about a request."""
    return b"asc/progress/" + request_id + b"/"


def audit_key(sequence: int) -> bytes:
    """Key of a record of the audit log."""
    return b"asc/audit/" + _number(sequence)


def evidence_key(sequence: int) -> bytes:
    """Key of a record of evidence."""
    return b"asc/evidence/" + _number(sequence)


def pool_key(epoch_id: int) -> bytes:
    """Key of the number of blocks that requests of an epoch were given."""
    return b"asc/pool/" + _number(epoch_id)


def audit_of_requester(requester: bytes) -> bytes:
    """Prefix of the index of audit records by requester."""
    return b"~asc/audit-by/requester/" + requester + b"/"


def audit_of_application(application: str) -> bytes:
    """Prefix of the index of audit records by application, whose id holds no slash."""
    return b"~asc/audit-by/application/" + application.encode() + b"/"


def deadline_prefix(height: int) -> bytes:
    """Prefix of the requests that expire at the end of a height."""
    return _DEADLINE + _number(height) + b"/"


def prune_prefix(height: int) -> bytes:
    """Prefix of the requests whose payloads are dropped at the end of a height."""
    return b"~asc/prune/" + _number(height) + b"/"


def last_sequence(state: State) -> int:
    """Sequence number of the newest request; 0 when there is none."""
    raw = state.get(_SEQUENCE_KEY)
    return 0 if raw is None else int.from_bytes(raw, "big")


def last_audit_sequence(state: State) -> int:
    """Sequence number of the newest audit record; 0 when there is none."""
    raw = state.get(_AUDIT_SEQUENCE_KEY)
    return 0 if raw is None else int.from_bytes(raw, "big")


def last_evidence_sequence(state: State) -> int:
    """Sequence number of the newest evidence; 0 when there is none."""
    raw = state.get(_EVIDENCE_SEQUENCE_KEY)
    return 0 if raw is None else int.from_bytes(raw, "big")


def taken_blocks(state: State, epoch_id: int) -> int:
    """Blocks of the epoch's pool that requests were given."""
    return int.from_bytes(state.get(pool_key(epoch_id)) or b"", "big")


def take_blocks(state: State, epoch_id: int, count: int) -> int:
    """Give a request the next blocks of the epoch's pool; returns the first of them."""
    first = taken_blocks(state, epoch_id)
    if count:
        state.set(pool_key(epoch_id), _number(first + count))
    return first


def append_log(state: State, entry: asc_pb2.LogEntry) -> None:
    """Append an entry that carries the sequence number after the last one."""
    _put(state, log_key(entry.sequence), entry)
    state.set(_SEQUENCE_KEY, _number(entry.sequence))


def log_entry(state: State, sequence: int) -> asc_pb2.LogEntry | None:
    """The entry, or None."""
    raw = state.get(log_key(sequence))
    return None if raw is None else asc_pb2.LogEntry.FromString(raw)


def require_log_entry(state: State, sequence: int) -> asc_pb2.LogEntry:
    """The entry that a status names."""
    entry = log_entry(state, sequence)
    if entry is None:
        raise InvariantError(f"the log has no entry {sequence}")
    return entry


def status(state: State, request_id: bytes) -> asc_pb2.RequestStatus | None:
    """The request's status, or None."""
    raw = state.get(status_key(request_id))
    return None if raw is None else asc_pb2.RequestStatus.FromString(raw)


def set_status(state: State, record: asc_pb2.RequestStatus) -> None:
    """Write a request's status."""
    _put(state, status_key(record.request_id), record)


def statuses(state: State) -> Iterator[asc_pb2.RequestStatus]:
    """All requests' statuses, by id."""
    for _, raw in state.iterate(_STATUS_PREFIX):
        yield asc_pb2.RequestStatus.FromString(raw)


def append_audit(state: State, record: asc_pb2.AuditRecord) -> None:
    """Append a record that carries the sequence number after the last one, and index it."""
    _put(state, audit_key(record.sequence), record)
    state.set(_AUDIT_SEQUENCE_KEY, _number(record.sequence))
    index_audit(state, record)


def index_audit(state: State, record: asc_pb2.AuditRecord) -> None:
    """Write the derived keys of an audit record."""
    state.set(audit_of_requester(record.requester) + _number(record.sequence), _MARK)
    if record.application:
        state.set(audit_of_application(record.application) + _number(record.sequence), _MARK)


def audit_record(state: State, sequence: int) -> asc_pb2.AuditRecord | None:
    """The record, or None."""
    raw = state.get(audit_key(sequence))
    return None if raw is None else asc_pb2.AuditRecord.FromString(raw)


def require_audit_record(state: State, sequence: int) -> asc_pb2.AuditRecord:
    """The record, which must exist: sequences have no gap."""
    record = audit_record(state, sequence)
    if record is None:
        raise InvariantError(f"the audit log has no record {sequence}")
    return record


def append_evidence(state: State, record: asc_pb2.EvidenceRecord) -> None:
    """Append evidence that carries the sequence number after the last one."""
    _put(state, evidence_key(record.sequence), record)
    state.set(_EVIDENCE_SEQUENCE_KEY, _number(record.sequence))


def evidence_record(state: State, sequence: int) -> asc_pb2.EvidenceRecord | None:
    """The record, or None."""
    raw = state.get(evidence_key(sequence))
    return None if raw is None else asc_pb2.EvidenceRecord.FromString(raw)


def answer(state: State, request_id: bytes, party: int) -> asc_pb2.Answer | None:
    """One party's answer, or None."""
    raw = state.get(answer_key(request_id, party))
    return None if raw is None else asc_pb2.Answer.FromString(raw)


def set_answer(state: State, request_id: bytes, record: asc_pb2.Answer) -> None:
    """Write one party's answer."""
    _put(state, answer_key(request_id, record.party), record)


def answers_of(state: State, request_id: bytes, parties: Sequence[int]) -> list[asc_pb2.Answer]:
    """Answers of these parties, who have answered, in their order."""
    found = [answer(state, request_id, party) for party in parties]
    return [record for record in found if record is not None]


def answers(state: State, request_id: bytes) -> list[asc_pb2.Answer]:
    """All answers of a request, by party."""
    return [asc_pb2.Answer.FromString(raw) for _, raw in state.iterate(answer_prefix(request_id))]


def material(state: State, key: bytes) -> asc_pb2.MaterialRecord | None:
    """The record under `key_key`, `crs_key` or `preprocessing_key`, or None."""
    raw = state.get(key)
    return None if raw is None else asc_pb2.MaterialRecord.FromString(raw)


def set_material(state: State, key: bytes, record: asc_pb2.MaterialRecord) -> None:
    """Write the record of a key, reference string or preprocessing."""
    _put(state, key, record)


def delete_material(state: State, key: bytes) -> None:
    """Forget the record of a key that was never made."""
    state.delete(key)


def materials(state: State, prefix: bytes) -> Iterator[asc_pb2.MaterialRecord]:
    """All records under KEY_PREFIX, CRS_PREFIX or PREPROCESSING_PREFIX, by id."""
    for _, raw in state.iterate(prefix):
        yield asc_pb2.MaterialRecord.FromString(raw)


def set_generating(state: State, request_id: bytes) -> None:
    """A preprocessing or key generation is under way."""
    state.set(_GENERATING + request_id, _MARK)


def clear_generating(state: State, request_id: bytes) -> None:
    """It is decided."""
    state.delete(_GENERATING + request_id)


def generating(state: State) -> list[bytes]:
    """Ids of the preprocessings and key generations that are not decided."""
    return [key[len(_GENERATING) :] for key, _ in state.iterate(_GENERATING)]


def set_waiting_destruction(state: State, key_id: bytes) -> None:
    """The parties are asked to erase a destroyed key when the pending change of epochs has ended."""
    state.set(_DESTROYING + key_id, _MARK)


def clear_waiting_destruction(state: State, key_id: bytes) -> None:
    """They are asked now."""
    state.delete(_DESTROYING + key_id)


def waiting_destructions(state: State) -> list[bytes]:
    """Ids of the destroyed keys about which the parties are still to be asked."""
    return [key[len(_DESTROYING) :] for key, _ in state.iterate(_DESTROYING)]


def progress(state: State, request_id: bytes, party: int) -> asc_pb2.Progress | None:
    """A party's last report, or None."""
    raw = state.get(progress_prefix(request_id) + party.to_bytes(4, "big"))
    return None if raw is None else asc_pb2.Progress.FromString(raw)


def set_progress(state: State, request_id: bytes, record: asc_pb2.Progress) -> None:
    """Write a party's last report."""
    _put(state, progress_prefix(request_id) + record.party.to_bytes(4, "big"), record)


def all_progress(state: State, request_id: bytes) -> list[asc_pb2.Progress]:
    """Last reports about a request, by party."""
    prefix = progress_prefix(request_id)
    return [asc_pb2.Progress.FromString(raw) for _, raw in state.iterate(prefix)]


def clear_progress(state: State, request_id: bytes) -> None:
    """Forget the reports about a request."""
    for key in [key for key, _ in state.iterate(progress_prefix(request_id))]:
        state.delete(key)


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


def indexed(state: State, prefix: bytes, start: int, last: int) -> Iterator[int]:
    """Sequence numbers under a prefix of an index, ascending, `start` to `last`.

    The state iterates whole prefixes only, so the numbers above `start` are walked as the prefixes that
    differ from it in the eighth byte, then in the seventh, and so on: a page deep in a long index costs
    no more than the first.
    """
    low = _number(start)
    for depth in range(len(low) - 1, -1, -1):
        at_start = depth == len(low) - 1
        for byte in range(low[depth] + (not at_start), 256):
            digits = low[:depth] + bytes([byte])
            if int.from_bytes(digits.ljust(len(low), b"\0"), "big") > last:
                return
            for key, _ in state.iterate(prefix + digits):
                yield int.from_bytes(key[len(prefix) :], "big")


def marked(state: State, prefix: bytes) -> list[RequestId]:
    """Request ids under `deadline_prefix` or `prune_prefix`, in order."""
    return [RequestId(key[len(prefix) :]) for key, _ in state.iterate(prefix)]


def open_requests(state: State) -> Iterator[RequestId]:
    """Ids of all requests that still take answers, by deadline."""
    for key, _ in state.iterate(_DEADLINE):
        yield RequestId(key[len(_DEADLINE) + 9 :])


def _put(state: State, key: bytes, record: Message) -> None:
    state.set(key, record.SerializeToString(deterministic=True))
