"""Names of protocol runs: what pseudorandom values and messages are bound to.

A name is an injective encoding of what makes a run unique. `PrssKeys.session(name)` derives its
randomness, `session_id(name)` is what messages carry. A name is used for one run only: the same
name gives the same masks.
"""

from wire.digests import sha3_256

SESSION_ID_BYTES = 16

_DOMAIN = b"tkms/run/v1"


def run_name(kind: str, epoch_id: int, *parts: bytes) -> bytes:
    """Encode kind, epoch and further parts, each with its length (u32 big endian)."""
    fields = (_DOMAIN, kind.encode("ascii"), epoch_id.to_bytes(8, "big"), *parts)
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def session_id(name: bytes) -> bytes:
    """First 16 bytes of SHA3-256 of a name."""
    return sha3_256(name)[:SESSION_ID_BYTES]
