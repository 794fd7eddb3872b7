"""The form of a state snapshot: what a node hands to one that joins, byte for byte the same on every node.

The state without its derived keys, in ascending order of keys, each entry as

    length of the key (2 bytes, big endian) | length of the value (4 bytes) | key | value

cut into chunks: an entry that would make a chunk larger than CHUNK_BYTES begins the next one. Metadata
(`SnapshotMetadata`) carry the SHA-256 of each chunk; the SHA-256 of the metadata is the snapshot's hash.

Everything that is read here may come from an attacker: sizes are checked before anything is kept, and only
the root of the restored state says whether the whole is true.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError

from ledger.errors import SnapshotError
from ledger.state import MAX_KEY_BYTES, MAX_VALUE_BYTES, is_derived
from wire.limits import MAX_CHAIN_ID_BYTES
from wire.pb.tkms.state.v1 import state_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ledger.reader import Reader

FORMAT: Final = 1
# The engine carries up to 16 MiB a chunk and lists up to 100,000 of them; metadata may have 4 MB.
CHUNK_BYTES: Final = 8 * 1024 * 1024
MAX_CHUNKS: Final = 4096
MAX_METADATA_BYTES: Final = 256 * 1024

_HASH_BYTES: Final = 32
_KEY_HEAD: Final = 2
_VALUE_HEAD: Final = 4
_HEAD: Final = _KEY_HEAD + _VALUE_HEAD
# Heights are signed in the engine.
_MAX_HEIGHT: Final = (1 << 63) - 1


def proven(reader: Reader) -> Iterator[tuple[bytes, bytes]]:
    """Everything that is in the state tree, ascending."""
    return (entry for entry in reader.iterate(b"") if not is_derived(entry[0]))


def cut(entries: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, int]]:
    """Chunks with the number of their entries; an empty state has one empty chunk."""
    parts: list[bytes] = []
    size = count = 0
    for key, value in entries:
        entry = (
            len(key).to_bytes(_KEY_HEAD, "big")
            + len(value).to_bytes(_VALUE_HEAD, "big")
            + key
            + value
        )
        if size + len(entry) > CHUNK_BYTES:
            yield b"".join(parts), count
            parts, size, count = [], 0, 0
        parts.append(entry)
        size += len(entry)
        count += 1
    yield b"".join(parts), count


def parse_chunk(chunk: bytes, after: bytes) -> list[tuple[bytes, bytes]]:
    """Entries of a chunk; all keys must be above `after`.

    Raises:
        SnapshotError: it is not what `cut` makes of a state.
    """
    if len(chunk) > CHUNK_BYTES:
        raise SnapshotError("a chunk is too large")
    entries: list[tuple[bytes, bytes]] = []
    position, last = 0, after
    while position < len(chunk):
        key_start = position + _HEAD
        key_size = int.from_bytes(chunk[position : position + _KEY_HEAD], "big")
        value_size = int.from_bytes(chunk[position + _KEY_HEAD : key_start], "big")
        value_start = key_start + key_size
        position = value_start + value_size
        if position > len(chunk) or not _is_storable(key_size, value_size):
            raise SnapshotError("an entry of a chunk has a forbidden length")
        key = chunk[key_start:value_start]
        if key <= last or is_derived(key):
            raise SnapshotError("the keys of a snapshot are not those of a state in order")
        entries.append((key, chunk[value_start:position]))
        last = key
    return entries


def describe(
    *, chain_id: str, height: int, app_version: int, entries: int, chunk_hashes: Iterable[bytes]
) -> bytes:
    """Metadata of a snapshot."""
    return state_pb2.SnapshotMetadata(
        format=FORMAT,
        chain_id=chain_id,
        height=height,
        app_version=app_version,
        entries=entries,
        chunk_hashes=chunk_hashes,
    ).SerializeToString(deterministic=True)


def parse_metadata(raw: bytes) -> state_pb2.SnapshotMetadata:
    """Metadata that `describe` can have made; SnapshotError for anything else."""
    if len(raw) > MAX_METADATA_BYTES:
        raise SnapshotError("the metadata are too large")
    try:
        found = state_pb2.SnapshotMetadata.FromString(raw)
    except DecodeError as error:
        raise SnapshotError("the metadata are not a message") from error
    found.DiscardUnknownFields()
    if found.SerializeToString(deterministic=True) != raw:
        raise SnapshotError("the metadata are not in their only form")
    hashes = found.chunk_hashes
    if not 1 <= len(hashes) <= MAX_CHUNKS or any(len(each) != _HASH_BYTES for each in hashes):
        raise SnapshotError(
            "the metadata have a forbidden number of chunks, or a hash has no 32 bytes"
        )
    if found.format != FORMAT or not 0 < found.height <= _MAX_HEIGHT or not found.app_version:
        raise SnapshotError("the metadata have no format, height or version")
    if not 0 < len(found.chain_id.encode()) <= MAX_CHAIN_ID_BYTES:
        raise SnapshotError("the metadata have no chain id")
    if found.entries > len(hashes) * (CHUNK_BYTES // (_HEAD + 2)):
        raise SnapshotError("the metadata have more entries than chunks can hold")
    return found


def digest(data: bytes) -> bytes:
    """Hash of a chunk or of metadata."""
    return sha256(data).digest()


def _is_storable(key_size: int, value_size: int) -> bool:
    return 0 < key_size <= MAX_KEY_BYTES and 0 < value_size <= MAX_VALUE_BYTES
