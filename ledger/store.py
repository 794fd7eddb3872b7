"""One LevelDB that holds everything the chain knows; one synced write batch a block.

Layout (first byte of every database key):

    s <key>                   value of the state
    n <node key>              node of the state tree
    p <SHA-256 of a key>      the key itself, for absence proofs
    x <version, u64> <node>   the node that version replaced; pruned `keep_versions` later
    m <name>                  height, app_hash, chain_id

State, tree, pruning, height and app hash change together or not at all: `write_block` is the only way
to write a block. LevelDB allows one process; threads may share a `Store`.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol, Self

import plyvel

from ledger.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

Change = tuple[bytes, bytes | None]

# What a read of the tree asks for (kernel: TREE_NODE, TREE_VALUE, TREE_PREIMAGE).
TREE_NODE: Final = 0
TREE_VALUE: Final = 1
TREE_PREIMAGE: Final = 2

DEFAULT_KEEP_VERSIONS: Final = 2

_STATE: Final = b"s"
_NODE: Final = b"n"
_PREIMAGE: Final = b"p"
_STALE: Final = b"x"
_HEIGHT: Final = b"m/height"
_APP_HASH: Final = b"m/app_hash"
_CHAIN_ID: Final = b"m/chain_id"
_VERSION_BYTES: Final = 8


class Reader(Protocol):
    """Anything that state can be read from: a store, a snapshot of it or a branch of state."""

    def get(self, key: bytes) -> bytes | None:
        """Value of a key."""

    def iterate(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys with this prefix in ascending order, with their values."""


@dataclass(frozen=True, slots=True)
class Block:
    """All that one block changes."""

    height: int
    app_hash: bytes
    changes: Sequence[Change]
    nodes: Sequence[tuple[bytes, bytes]]
    stale: Sequence[bytes]


class View:
    """Reads of one database state."""

    def __init__(self, source: plyvel.DB) -> None:
        """Read from a database or a snapshot of one."""
        self._source = source

    def get(self, key: bytes) -> bytes | None:
        """Value of a state key."""
        value: bytes | None = self._source.get(_STATE + key)
        return value

    def iterate(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """State keys with this prefix in ascending order, with their values."""
        with self._source.iterator(prefix=_STATE + prefix) as iterator:
            for key, value in iterator:
                yield key[1:], value

    def read_tree(self, kind: int, key: bytes) -> bytes | None:
        """Answer the kernel's tree: a node, a value or the preimage of a key hash."""
        prefix = (_NODE, _STATE, _PREIMAGE)[kind]
        value: bytes | None = self._source.get(prefix + key)
        return value

    @property
    def height(self) -> int | None:
        """Height of the last written block, 0 after genesis, None in an empty store."""
        value = self._source.get(_HEIGHT)
        return None if value is None else int.from_bytes(value, "big")

    @property
    def app_hash(self) -> bytes:
        """Root of the tree at `height`; empty in an empty store."""
        return bytes(self._source.get(_APP_HASH) or b"")

    @property
    def chain_id(self) -> str | None:
        """Chain that this store belongs to."""
        value = self._source.get(_CHAIN_ID)
        return None if value is None else value.decode()


class Snapshot(View):
    """The database as it was at one moment, whatever is written meanwhile."""

    def close(self) -> None:
        """Let go of the old state."""
        self._source.close()

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close."""
        self.close()


def _no_fault(_point: str) -> None:
    """Do nothing at a fault point."""


class Store(View):
    """The database of a node.

    `fault_point` is called with "before-write" and "after-write" around each batch, so that tests can
    die exactly there.
    """

    def __init__(
        self,
        path: Path,
        keep_versions: int = DEFAULT_KEEP_VERSIONS,
        fault_point: Callable[[str], None] = _no_fault,
    ) -> None:
        """Open or create; StoreError when another process holds it or it is damaged."""
        if keep_versions < 1:
            raise StoreError("at least one version of the tree must be kept")
        path.mkdir(parents=True, exist_ok=True)
        try:
            self._database = plyvel.DB(str(path), create_if_missing=True)
        except plyvel.Error as error:
            raise StoreError(f"cannot open the database: {error}") from error
        super().__init__(self._database)
        self._keep_versions = keep_versions
        self._fault_point = fault_point

    def snapshot(self) -> Snapshot:
        """Freeze the present content for one reader."""
        return Snapshot(self._database.snapshot())

    def write_genesis(self, chain_id: str, block: Block) -> None:
        """Replace everything by the genesis state; the engine may ask again until block 1 is there."""
        if block.height != 0 or (self.height or 0) != 0:
            raise StoreError("genesis is written at height 0 only")
        with self._database.write_batch(transaction=True, sync=True) as batch:
            with self._database.iterator(include_value=False) as keys:
                for key in keys:
                    batch.delete(key)
            batch.put(_CHAIN_ID, chain_id.encode())
            self._fill(batch, block)

    def write_block(self, block: Block) -> None:
        """Write the next block in one synced batch."""
        height = self.height
        if height is None or block.height != height + 1:
            raise StoreError(f"block {block.height} does not follow {height}")
        self._fault_point("before-write")
        with self._database.write_batch(transaction=True, sync=True) as batch:
            self._fill(batch, block)
            self._prune(batch, block.height)
        self._fault_point("after-write")

    def close(self) -> None:
        """Close the database; no thread may read any more."""
        self._database.close()

    def _fill(self, batch: plyvel.WriteBatch, block: Block) -> None:
        for key, value in block.changes:
            if value is None:
                batch.delete(_STATE + key)
                batch.delete(_PREIMAGE + sha256(key).digest())
            else:
                batch.put(_STATE + key, value)
                batch.put(_PREIMAGE + sha256(key).digest(), key)
        for key, node in block.nodes:
            batch.put(_NODE + key, node)
        version = block.height.to_bytes(_VERSION_BYTES, "big")
        for key in block.stale:
            batch.put(_STALE + version + key, b"")
        batch.put(_HEIGHT, version)
        batch.put(_APP_HASH, block.app_hash)

    def _prune(self, batch: plyvel.WriteBatch, height: int) -> None:
        """Drop nodes that none of the kept versions refers to.

        A node replaced at version v belongs to versions before v. The versions kept are those above
        height - keep_versions, so all nodes replaced at or before the first kept one can go. Those of
        this very block are not in the database yet; with keep_versions = 1 they go with the next.
        """
        first_kept = height - self._keep_versions + 1
        if first_kept < 1:
            return
        stop = _STALE + (first_kept + 1).to_bytes(_VERSION_BYTES, "big")
        with self._database.iterator(start=_STALE, stop=stop, include_value=False) as keys:
            for key in keys:
                batch.delete(key)
                batch.delete(_NODE + key[1 + _VERSION_BYTES :])
