"""One LevelDB that holds everything the chain knows; one synced write batch a block.

State, tree, history, pruning, height and app hash change together or not at all: `write_block` is the only
way to write a block. What the keys of the database look like stands in `ledger/layout.py`, how earlier
heights are kept in `ledger/history.py`. LevelDB allows one process; threads may share a `Store`.

    StoreError    the database cannot be used, cannot be written, or does not hold what it must hold
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition
from typing import TYPE_CHECKING, Final, Self

import plyvel
import tkms_kernel

from ledger import history
from ledger.errors import StoreError
from ledger.layout import (
    APP_HASH,
    CHAIN_ID,
    FIRST,
    GENESIS,
    HEIGHT,
    NODE,
    PREIMAGE,
    RESTORED,
    STATE,
    encode_version,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ledger.reader import Change

# What a read of the tree asks for (kernel: TREE_NODE, TREE_VALUE, TREE_PREIMAGE).
TREE_NODE: Final = 0
TREE_VALUE: Final = 1
TREE_PREIMAGE: Final = 2

DEFAULT_KEEP_VERSIONS: Final = 100
# The last block must be revocable.
MIN_KEEP_VERSIONS: Final = 2

# Tree nodes of the upper levels are read every block; most keys that are asked for in vain are not looked up.
_CACHE_BYTES: Final = 128 * 1024 * 1024
_WRITE_BUFFER_BYTES: Final = 32 * 1024 * 1024
_BLOOM_BITS: Final = 10

# A query takes less; who waits longer waits for a bug.
_READERS_SECONDS: Final = 60

# Moments of a block at which a test may end the process, in order. The store passes those around its batch,
# whoever runs blocks passes the others (`Store.reach`).
FAULT_POINTS: Final = (
    "before-finalize",
    "after-finalize",
    "before-write",
    "inside-write",
    "after-write",
)


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
        return self._read(STATE + key)

    def iterate(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """State keys with this prefix in ascending order, with their values."""
        try:
            with self._source.iterator(prefix=STATE + prefix) as iterator:
                for key, value in iterator:
                    yield key[1:], value
        except plyvel.Error as error:
            raise _unreadable(error) from error

    def read_tree(self, kind: int, key: bytes) -> bytes | None:
        """Answer the kernel's tree: a node, a value or the preimage of a key hash."""
        if kind == TREE_NODE:
            return self._read(NODE + key)
        return self.get(key) if kind == TREE_VALUE else self._read(PREIMAGE + key)

    def at(self, height: int) -> View:
        """The state as of a height that is still kept; StoreError for any other."""
        last = self.height
        if last is None or not self.first_height <= height <= last:
            raise StoreError(f"height {height} is not kept")
        return self if height == last else PastView(self._source, height)

    @property
    def height(self) -> int | None:
        """Height of the last written block, that of genesis before the first, None in an empty store."""
        return self._number(HEIGHT)

    @property
    def first_height(self) -> int:
        """Oldest height whose state can be read."""
        return history.first_height(self._source)

    @property
    def genesis_height(self) -> int | None:
        """Height whose state the genesis gave; None in an empty store and after a state sync."""
        return self._number(GENESIS)

    @property
    def is_replaceable(self) -> bool:
        """Whether no block has been executed on this state: the engine may begin anew with another one."""
        height = self.height
        return height is None or height in (self.genesis_height, self._number(RESTORED))

    @property
    def app_hash(self) -> bytes:
        """Root of the tree at `height`; empty in an empty store."""
        return self._read(APP_HASH) or b""

    @property
    def chain_id(self) -> str | None:
        """Chain that this store belongs to."""
        value = self._read(CHAIN_ID)
        return None if value is None else value.decode()

    def _number(self, name: bytes) -> int | None:
        value = self._read(name)
        return None if value is None else int.from_bytes(value, "big")

    def _read(self, key: bytes) -> bytes | None:
        try:
            value: bytes | None = self._source.get(key)
        except plyvel.Error as error:
            raise _unreadable(error) from error
        return value


class PastView(View):
    """The state as it was at an earlier height, read from a frozen database or from one that stands still."""

    def __init__(self, source: plyvel.DB, height: int) -> None:
        """Use `View.at`, which knows what is kept."""
        super().__init__(source)
        self._height = height

    def get(self, key: bytes) -> bytes | None:
        """Value of a state key at this height."""
        try:
            changed, value = history.value_before(self._source, key, self._height)
        except plyvel.Error as error:
            raise _unreadable(error) from error
        return value if changed else super().get(key)

    def iterate(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """State keys with this prefix at this height in ascending order, with their values."""
        try:
            yield from self._merge(
                super().iterate(prefix), history.values_before(self._source, prefix, self._height)
            )
        except plyvel.Error as error:
            raise _unreadable(error) from error

    @property
    def height(self) -> int:
        """The height that is read."""
        return self._height

    @property
    def app_hash(self) -> bytes:
        """Root of the tree at this height."""
        return bytes(tkms_kernel.tree_root(self.read_tree, self._height))

    @staticmethod
    def _merge(
        present: Iterator[tuple[bytes, bytes]], past: Iterator[tuple[bytes, bytes | None]]
    ) -> Iterator[tuple[bytes, bytes]]:
        """Present pairs, with those of `past` in place of what later blocks made of them."""
        changed = next(past, None)
        for key, value in present:
            while changed is not None and changed[0] < key:
                if changed[1] is not None:
                    yield changed[0], changed[1]
                changed = next(past, None)
            if changed is None or changed[0] != key:
                yield key, value
        while changed is not None:
            if changed[1] is not None:
                yield changed[0], changed[1]
            changed = next(past, None)


class Snapshot(View):
    """The database as it was at one moment, whatever is written meanwhile."""

    def __init__(self, source: plyvel.DB, on_close: Callable[[], None]) -> None:
        """Use `Store.snapshot`."""
        super().__init__(source)
        self._on_close: Callable[[], None] | None = on_close

    def close(self) -> None:
        """Let go of the old state."""
        if self._on_close is not None:
            self._source.close()
            self._on_close()
            self._on_close = None

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

    A write that fails leaves the database with the last whole block, and this object useless: LevelDB's
    log may end in half a record, after which nothing may be written before it is opened again.
    `fault_point` is called at each of FAULT_POINTS, so that tests can die exactly there.
    """

    def __init__(
        self,
        path: Path,
        keep_versions: int = DEFAULT_KEEP_VERSIONS,
        fault_point: Callable[[str], None] = _no_fault,
    ) -> None:
        """Open or create; StoreError when another process holds it or it is damaged."""
        if keep_versions < MIN_KEEP_VERSIONS:
            raise StoreError(f"at least {MIN_KEEP_VERSIONS} heights must be kept")
        self.path = path
        self._database = open_database(path)
        # Behind the database's lock: nobody else is restoring.
        for leftover in (self.restoring_path, self._replaced_path):
            shutil.rmtree(leftover, ignore_errors=True)
        super().__init__(self._database)
        self._keep_versions = keep_versions
        self._failed = False
        self._readers = 0
        self._reader_left = Condition()
        self.reach = fault_point

    def snapshot(self) -> Snapshot:
        """Freeze the present content for one reader."""
        with self._reader_left:
            snapshot = Snapshot(self._database.snapshot(), self._leave)
            self._readers += 1
        return snapshot

    def write_genesis(self, chain_id: str, block: Block) -> None:
        """Replace everything by the genesis state; the engine may ask again until the first block is there."""
        if self.height != self.genesis_height:
            raise StoreError("genesis is written before the first block only")
        height = encode_version(block.height)
        with self._batch("the genesis state") as batch:
            with self._database.iterator(include_value=False) as keys:
                for key in keys:
                    batch.delete(key)
            batch.put(CHAIN_ID, chain_id.encode())
            batch.put(GENESIS, height)
            batch.put(FIRST, height)
            history.write_first(batch, block.changes)
            for key, node in block.nodes:
                batch.put(NODE + key, node)
            batch.put(HEIGHT, height)
            batch.put(APP_HASH, block.app_hash)

    def write_block(self, block: Block) -> None:
        """Write the next block in one synced batch."""
        height = self.height
        if height is None or block.height != height + 1:
            raise StoreError(f"block {block.height} does not follow {height}")
        self.reach("before-write")
        with self._batch(f"block {block.height}") as batch:
            source = self._database
            recorded = history.write_changes(source, batch, block.height, block.changes)
            history.write_undo(batch, block.height, self.app_hash, recorded)
            history.write_stale(batch, block.height, block.stale)
            history.forget(source, batch, block.height, self._keep_versions, recorded)
            for key, node in block.nodes:
                batch.put(NODE + key, node)
            batch.put(HEIGHT, encode_version(block.height))
            batch.put(APP_HASH, block.app_hash)
            self.reach("inside-write")
        self.reach("after-write")

    def rollback(self) -> int:
        """Take the last block back, as if it had never been written; the height that is then the last.

        What the block made the node forget stays forgotten, so this can be repeated down to `first_height`.
        """
        height = self.height
        if height is None:
            raise StoreError("the database is empty: there is nothing to take back")
        with self._batch(f"the state before block {height}") as batch:
            history.take_back(self._database, batch, height)
        return height - 1

    @property
    def restoring_path(self) -> Path:
        """Where a state may be built that is to replace this one."""
        return self.path.with_name(f"{self.path.name}.restoring")

    def replace(self) -> None:
        """Become the finished and closed database at `restoring_path`; waits for open snapshots.

        A crash before the second rename leaves an empty store, as if nothing had been restored.
        """
        if not self.is_replaceable:
            raise StoreError("blocks were executed on this state: it is not replaced")
        with self._reader_left:
            if not self._reader_left.wait_for(lambda: self._readers == 0, _READERS_SECONDS):
                raise StoreError("readers of the old state do not leave")
            self._database.close()
            self.path.rename(self._replaced_path)
            self.restoring_path.rename(self.path)
            sync_folder(self.path.parent)
            self._database = self._source = open_database(self.path)
        shutil.rmtree(self._replaced_path, ignore_errors=True)

    def compact(self) -> None:
        """Give back the room of what was deleted; takes long on a large database and changes no content."""
        self._database.compact_range()

    def close(self) -> None:
        """Close the database; no thread may read any more."""
        self._database.close()

    @property
    def _replaced_path(self) -> Path:
        return self.path.with_name(f"{self.path.name}.replaced")

    @contextmanager
    def _batch(self, what: str) -> Iterator[plyvel.WriteBatch]:
        """One synced batch: all of what the body puts, or nothing when anything fails."""
        if self._failed:
            raise StoreError(f"{what} is not written: an earlier write failed")
        try:
            with self._database.write_batch(transaction=True, sync=True) as batch:
                yield batch
        except plyvel.Error as error:
            self._failed = True
            raise StoreError(
                f"the database {self.path} could not write {what}: {error}. The last whole block is kept. "
                "See to the disk (free space, file system, health) and start the node again."
            ) from error

    def _leave(self) -> None:
        with self._reader_left:
            self._readers -= 1
            self._reader_left.notify_all()


def open_database(path: Path) -> plyvel.DB:
    """Open or create a database; StoreError says why not."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        return plyvel.DB(
            str(path),
            create_if_missing=True,
            lru_cache_size=_CACHE_BYTES,
            write_buffer_size=_WRITE_BUFFER_BYTES,
            bloom_filter_bits=_BLOOM_BITS,
        )
    except (plyvel.Error, OSError) as error:
        raise StoreError(f"cannot open the database {path}: {error}") from error


def sync_folder(path: Path) -> None:
    """Let renames inside the folder survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unreadable(error: plyvel.Error) -> StoreError:
    return StoreError(f"the database cannot be read: {error}")
