"""What earlier heights held: undo records, reads as of a height, and taking a block back.

Beside the state a block writes, under the first byte of the database's layout (`ledger/store.py`):

    h <key, escaped> <height, u64>   what the key held before the block at this height, or that it held nothing
    u <height>                       app hash before the block, and every key that the block changed
    x <height>                       nodes of the tree that the block replaced

From these three a block can be taken back exactly, and any key can be read as of an earlier height: the
first `h` record above that height says what was there; without one the present value is the old one.
Forgetting a height deletes its three records and the nodes and preimages that only older heights need.
So the work is that of the block that is forgotten, never that of the whole store.

A key is escaped (0x00 becomes 0x00 0xFF) and ended (0x00 0x01), so that records sort as their keys do and
no key's records stand between those of another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from ledger.errors import StoreError
from ledger.layout import (
    APP_HASH,
    FIRST,
    HEIGHT,
    HISTORY,
    NODE,
    PREIMAGE,
    STALE,
    STATE,
    UNDO,
    VERSION_BYTES,
    encode_version,
)
from ledger.state import is_derived

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import plyvel

    from ledger.reader import Change

_APP_HASH_BYTES: Final = 32
_ESCAPED_ZERO: Final = b"\x00\xff"
_END: Final = b"\x00\x01"
# First byte of an `h` value.
_ABSENT: Final = b"\x00"
_PRESENT: Final = b"\x01"
# Of the two bytes before a key in a `u` record: the highest bit says that the block deleted the key.
_KEY_HEAD_BYTES: Final = 2
_DELETED: Final = 0x8000
# Heights forgotten a block while `keep_versions` is being lowered; one is the steady pace.
_FORGET_A_BLOCK: Final = 2


@dataclass(slots=True)
class Recorded:
    """What `write_changes` really changed: keys that got the value they had are not there."""

    keys: list[tuple[bytes, bool]] = field(default_factory=list)


def write_changes(
    source: plyvel.DB, batch: plyvel.WriteBatch, height: int, changes: Sequence[Change]
) -> Recorded:
    """Write values, preimages of new proven keys, and the `h` record of every key that changes."""
    recorded = Recorded()
    suffix = _END + encode_version(height)
    get, put, keys = source.get, batch.put, recorded.keys
    for key, value in changes:
        state_key = STATE + key
        previous = get(state_key)
        if previous == value:
            continue
        put(
            HISTORY + key.replace(b"\x00", _ESCAPED_ZERO) + suffix,
            _ABSENT if previous is None else _PRESENT + previous,
        )
        keys.append((key, value is None))
        if value is None:
            # The preimage stays: proofs of absence at earlier heights name this key as a neighbour.
            batch.delete(state_key)
            continue
        put(state_key, value)
        if previous is None and not is_derived(key):
            put(PREIMAGE + sha256(key).digest(), key)
    return recorded


def write_first(batch: plyvel.WriteBatch, changes: Sequence[Change]) -> None:
    """Write values and preimages of a state that nothing was before."""
    for key, value in changes:
        if value is None:
            continue
        batch.put(STATE + key, value)
        if not is_derived(key):
            batch.put(PREIMAGE + sha256(key).digest(), key)


def write_undo(batch: plyvel.WriteBatch, height: int, app_hash: bytes, recorded: Recorded) -> None:
    """Write the `u` record; `app_hash` is that before the block."""
    parts = [app_hash]
    for key, deleted in recorded.keys:
        parts += ((len(key) | (_DELETED if deleted else 0)).to_bytes(_KEY_HEAD_BYTES, "big"), key)
    batch.put(UNDO + encode_version(height), b"".join(parts))


def write_stale(batch: plyvel.WriteBatch, height: int, nodes: Iterable[bytes]) -> None:
    """Write the `x` record: keys of nodes, each behind its length."""
    framed = b"".join(part for node in nodes for part in (len(node).to_bytes(1, "big"), node))
    batch.put(STALE + encode_version(height), framed)


def forget(
    source: plyvel.DB, batch: plyvel.WriteBatch, height: int, keep: int, recorded: Recorded
) -> None:
    """Give up the oldest heights, so that `keep` of them stay readable once block `height` is written.

    `recorded` is what block `height` itself changes: it is not in the database yet.
    """
    oldest = first_height(source)
    wanted = height - keep + 1
    written = {key for key, _ in recorded.keys}
    for gone in range(oldest + 1, min(oldest + _FORGET_A_BLOCK, wanted) + 1):
        _forget_one(source, batch, gone, written)
        batch.put(FIRST, encode_version(gone))


def _forget_one(
    source: plyvel.DB, batch: plyvel.WriteBatch, height: int, written: set[bytes]
) -> None:
    """Delete what is needed to read heights below `height` only."""
    for key, deleted in _undo_keys(_record(source, UNDO, height)):
        batch.delete(_history_key(key, height))
        needless = deleted and key not in written and not _has_history(source, key, height + 1)
        if needless and not is_derived(key):
            # Deleted at this height and never touched since: no height that is kept knows it.
            batch.delete(PREIMAGE + sha256(key).digest())
    for node in _stale_nodes(_record(source, STALE, height)):
        batch.delete(NODE + node)
    batch.delete(UNDO + encode_version(height))
    batch.delete(STALE + encode_version(height))


def take_back(source: plyvel.DB, batch: plyvel.WriteBatch, height: int) -> None:
    """Undo block `height`, the last one: as if it had never been written."""
    if height <= first_height(source):
        raise StoreError(
            f"height {height} is the oldest that this node keeps: what was before it is forgotten"
        )
    undo = _record(source, UNDO, height)
    for key, _ in _undo_keys(undo):
        record = _history_key(key, height)
        previous = _previous(source.get(record), key, height)
        batch.delete(record)
        if previous is not None:
            batch.put(STATE + key, previous)
            continue
        batch.delete(STATE + key)
        if not is_derived(key) and not _has_history(source, key, 0, height):
            # Without an older record it was absent at every height that is kept.
            batch.delete(PREIMAGE + sha256(key).digest())
    prefix = NODE + encode_version(height)
    with source.iterator(prefix=prefix, include_value=False) as nodes:
        for node in nodes:
            batch.delete(node)
    batch.delete(UNDO + encode_version(height))
    batch.delete(STALE + encode_version(height))
    batch.put(HEIGHT, encode_version(height - 1))
    batch.put(APP_HASH, undo[:_APP_HASH_BYTES])


def value_before(source: plyvel.DB, key: bytes, height: int) -> tuple[bool, bytes | None]:
    """Whether a block above `height` changed the key, and if so what the key held at `height`."""
    start, stop = _history_key(key, height + 1), _history_end(key)
    with source.iterator(start=start, stop=stop, include_key=False) as records:
        for record in records:
            return True, _decode(record)
    return False, None


def values_before(
    source: plyvel.DB, prefix: bytes, height: int
) -> Iterator[tuple[bytes, bytes | None]]:
    """Keys with this prefix that blocks above `height` changed, ascending, with their values at `height`."""
    done = b""
    with source.iterator(prefix=HISTORY + prefix.replace(b"\x00", _ESCAPED_ZERO)) as records:
        for record, value in records:
            escaped = record[len(HISTORY) : -VERSION_BYTES]
            if escaped == done or int.from_bytes(record[-VERSION_BYTES:], "big") <= height:
                continue
            done = escaped
            yield escaped[: -len(_END)].replace(_ESCAPED_ZERO, b"\x00"), _decode(value)


def first_height(source: plyvel.DB) -> int:
    """Oldest height whose state can be read."""
    value = source.get(FIRST)
    if value is None:
        raise StoreError("the database does not say how far back it reaches")
    return int.from_bytes(value, "big")


def _has_history(source: plyvel.DB, key: bytes, start: int, stop: int | None = None) -> bool:
    """Whether a block at `start` or later, and before `stop`, changed the key."""
    end = _history_end(key) if stop is None else _history_key(key, stop)
    with source.iterator(start=_history_key(key, start), stop=end, include_value=False) as records:
        return any(True for _ in records)


def _history_key(key: bytes, height: int) -> bytes:
    return HISTORY + key.replace(b"\x00", _ESCAPED_ZERO) + _END + encode_version(height)


def _history_end(key: bytes) -> bytes:
    """Above all records of the key."""
    return HISTORY + key.replace(b"\x00", _ESCAPED_ZERO) + b"\x00\x02"


def _record(source: plyvel.DB, kind: bytes, height: int) -> bytes:
    value: bytes | None = source.get(kind + encode_version(height))
    if value is None:
        raise StoreError(f"the record {kind.decode()} of height {height} is missing")
    return value


def _undo_keys(undo: bytes) -> Iterator[tuple[bytes, bool]]:
    position = _APP_HASH_BYTES
    while position < len(undo):
        head = int.from_bytes(undo[position : position + _KEY_HEAD_BYTES], "big")
        position += _KEY_HEAD_BYTES
        length = head & ~_DELETED
        yield undo[position : position + length], bool(head & _DELETED)
        position += length


def _stale_nodes(stale: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(stale):
        length = stale[position]
        yield stale[position + 1 : position + 1 + length]
        position += 1 + length


def _decode(record: bytes) -> bytes | None:
    return None if record == _ABSENT else record[len(_PRESENT) :]


def _previous(record: bytes | None, key: bytes, height: int) -> bytes | None:
    if record is None:
        raise StoreError(f"what {key!r} held before height {height} is missing")
    return _decode(record)
