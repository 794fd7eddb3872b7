"""State keys that anybody may prove: part of the chain's public protocol.

Ids are raw bytes, sequences and epochs 8 bytes big endian, party numbers 4 bytes big endian.
"""

from __future__ import annotations


def log_entry(sequence: int) -> bytes:
    """Request log entry; sequences start at 1."""
    return b"asc/log/" + sequence.to_bytes(8, "big")


def status(request: bytes) -> bytes:
    """RequestStatus of a request."""
    return b"asc/status/" + request


def answer(request: bytes, party: int) -> bytes:
    """One party's Answer to a request."""
    return b"asc/answer/" + request + b"/" + party.to_bytes(4, "big")


def key_record(key_id: bytes) -> bytes:
    """MaterialRecord of a key."""
    return b"asc/key/" + key_id


def crs_record(crs_id: bytes) -> bytes:
    """MaterialRecord of a reference string."""
    return b"asc/crs/" + crs_id


def preprocessing(preprocessing_id: bytes) -> bytes:
    """MaterialRecord of a preprocessing."""
    return b"asc/preprocessing/" + preprocessing_id


def epoch(epoch_id: int) -> bytes:
    """Party epoch as Config holds it."""
    return b"config/epoch/" + epoch_id.to_bytes(8, "big")


def current_epoch() -> bytes:
    """Id of the current epoch, 8 bytes."""
    return b"config/epoch-current"


def last_sequence() -> bytes:
    """Sequence of the newest log entry, 8 bytes."""
    return b"asc/sequence"


def audit(sequence: int) -> bytes:
    """AuditRecord of a decided request; sequences start at 1."""
    return b"asc/audit/" + sequence.to_bytes(8, "big")


def audit_sequence() -> bytes:
    """Sequence of the newest audit record, 8 bytes."""
    return b"asc/audit-sequence"


def evidence(sequence: int) -> bytes:
    """EvidenceRecord of a party that signed two answers; sequences start at 1."""
    return b"asc/evidence/" + sequence.to_bytes(8, "big")


def proposal(proposal_id: int) -> bytes:
    """Proposal of a change while it is open or scheduled."""
    return b"config/proposal/" + proposal_id.to_bytes(8, "big")


def config_record(sequence: int) -> bytes:
    """ConfigRecord of a closed proposal; sequences start at 1."""
    return b"config/history/" + sequence.to_bytes(8, "big")


def validator(public_key: bytes) -> bytes:
    """Validator as the chain decided it."""
    return b"config/validator/" + public_key


def application(name: str) -> bytes:
    """Application as it was registered."""
    return b"isc/application/" + name.encode()
