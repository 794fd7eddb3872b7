"""What was included and has not expired: replay protection without per-account sequence numbers.

    ante/seen/<expires_at_height>/<height>          SHA-256 digests of the bodies included at that height, joined
    ~ante/seen/<expires_at_height>/<body digest>    mark of one body, derived from the above

Heights are 8-byte big endian. A body is marked, not a transaction: its owner could sign it twice. One proven key
a block and expiry height instead of one a transaction keeps the state tree out of the way of every payment.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ledger.context import Context
from ledger.errors import InvariantError
from ledger.module import Module
from ledger.state import DERIVED, State

_SEEN: Final = b"ante/seen/"
_DIGEST_BYTES: Final = 32
_HEIGHT_BYTES: Final = 8
# The state holds no empty values.
_MARK: Final = b"\x01"

# Height up to which a body could be included, and its digest.
Seen = tuple[int, bytes]


def mark_key(expires_at_height: int, body_digest: bytes) -> bytes:
    """Key of the mark of an included body."""
    return DERIVED + _expiry_prefix(expires_at_height) + body_digest


def included_key(expires_at_height: int, height: int) -> bytes:
    """Key of the digests that were included at `height` and expire at the same height."""
    return _expiry_prefix(expires_at_height) + height.to_bytes(_HEIGHT_BYTES, "big")


def is_marked(state: State, seen: Seen) -> bool:
    """Whether the body was included before."""
    return state.get(mark_key(*seen)) is not None


def mark(state: State, seen: Seen) -> None:
    """Remember a body; `record` makes it proven at the end of the block."""
    state.set(mark_key(*seen), _MARK)


def record(state: State, height: int, included: Iterable[Seen]) -> None:
    """End of a block: write what was marked in it, in order of inclusion."""
    groups: dict[int, list[bytes]] = {}
    for expires_at_height, digest in included:
        groups.setdefault(expires_at_height, []).append(digest)
    for expires_at_height, digests in sorted(groups.items()):
        state.set(included_key(expires_at_height, height), b"".join(digests))


def prune(state: State, context: Context) -> None:
    """Begin of a block: forget bodies that could be included up to the last height.

    Every height prunes its predecessor, so what expired earlier is gone already.
    """
    prefix = _expiry_prefix(context.height - 1)
    expired = [key for key, _ in state.iterate(prefix)]
    expired += [key for key, _ in state.iterate(DERIVED + prefix)]
    for key in expired:
        state.delete(key)


def derive(state: State) -> None:
    """Compute the marks from the proven records."""
    for key, digests in list(state.iterate(_SEEN)):
        if len(digests) % _DIGEST_BYTES:
            raise InvariantError("a record of included bodies is not made of digests")
        start = len(_SEEN)
        expires_at_height = int.from_bytes(key[start : start + _HEIGHT_BYTES], "big")
        for offset in range(0, len(digests), _DIGEST_BYTES):
            mark(state, (expires_at_height, digests[offset : offset + _DIGEST_BYTES]))


def _expiry_prefix(expires_at_height: int) -> bytes:
    return _SEEN + expires_at_height.to_bytes(_HEIGHT_BYTES, "big") + b"/"


MODULE: Final = Module(name="replay", begin_block=prune, derive=derive)
