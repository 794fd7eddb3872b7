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


def epoch(epoch_id: int) -> bytes:
    """Party epoch as Config holds it."""
    return b"config/epoch/" + epoch_id.to_bytes(8, "big")
