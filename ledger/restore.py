"""Building a whole state beside the store: entries in ascending order in, one finished database out.

The database under construction is a folder next to the store's. It becomes the store in one rename once
somebody has compared its root with what a quorum signed; until then a crash leaves the store as it was, and
the next opening removes the leftover.
"""

from __future__ import annotations

import shutil
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import plyvel

from ledger import tree
from ledger.errors import InvariantError, StoreError
from ledger.layout import (
    APP_HASH,
    CHAIN_ID,
    FIRST,
    HEIGHT,
    NODE,
    PREIMAGE,
    RESTORED,
    STATE,
    encode_version,
)
from ledger.state import State, is_derived
from ledger.store import View, open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

# Entries that wait for the tree, in bytes: one computation over many keys is cheaper than many over few.
_PENDING_BYTES: Final = 64 * 1024 * 1024
# Of the derived keys, which are written once all others are there.
_BATCH_KEYS: Final = 10_000


class StateBuilder:
    """A state of one height, in the making; use once."""

    def __init__(self, path: Path, height: int) -> None:
        """Begin an empty database at `path`; whatever is there goes."""
        shutil.rmtree(path, ignore_errors=True)
        self.path = path
        self._height = height
        self._database = open_database(path)
        self._view = View(self._database)
        self._pending: list[tuple[bytes, bytes]] = []
        self._pending_bytes = 0
        # Version of the tree as far as it is built; None before the first part.
        self._version: int | None = None
        self._root = b""
        self.entries = 0
        self.last_key = b""

    def add(self, entries: Sequence[tuple[bytes, bytes]]) -> None:
        """Add entries above all earlier ones."""
        if not entries:
            return
        with self._batch() as batch:
            for key, value in entries:
                batch.put(STATE + key, value)
                batch.put(PREIMAGE + sha256(key).digest(), key)
        self._pending += entries
        self._pending_bytes += sum(len(key) + len(value) for key, value in entries)
        self.entries += len(entries)
        self.last_key = entries[-1][0]
        following = 0 if self._version is None else self._version + 1
        if self._pending_bytes > _PENDING_BYTES and following < self._height:
            self._grow(following)

    def root(self) -> bytes:
        """Complete the tree; its root. Nothing can be added any more."""
        if self._version is not None and self._version < self._height - 1:
            self._lift_root()
        self._root = self._grow(self._height)
        return self._root

    def finish(self, chain_id: str, derivations: Iterable[Callable[[State], None]]) -> None:
        """After `root`: derive what is derived from a state that is believed now, and close the database."""
        if self._version != self._height:
            raise InvariantError("the tree is not complete")
        self._derive(derivations)
        height = encode_version(self._height)
        with self._batch() as batch:
            batch.put(CHAIN_ID, chain_id.encode())
            batch.put(FIRST, height)
            batch.put(RESTORED, height)
            batch.put(APP_HASH, self._root)
            batch.put(HEIGHT, height)
        self._database.close()

    def view(self) -> View:
        """What has been added, before `finish`."""
        return self._view

    def discard(self) -> None:
        """Give up."""
        self._database.close()
        shutil.rmtree(self.path, ignore_errors=True)

    def _grow(self, version: int) -> bytes:
        """Put the pending entries into the tree as `version`."""
        if self._version is None:
            update = tree.create(self._pending, version)
        else:
            update = tree.update(self._view, version, self._pending)
        with self._batch() as batch:
            for key, node in update.nodes:
                batch.put(NODE + key, node)
            for key in update.stale:
                batch.delete(NODE + key)
        self._version = version
        self._pending, self._pending_bytes = [], 0
        return update.root

    def _lift_root(self) -> None:
        """Let the tree so far be the version before the last: only its root's own key names a version."""
        if self._version is None:
            raise InvariantError("there is no tree yet")
        old = NODE + tree.root_key(self._version)
        root = self._database.get(old)
        with self._batch() as batch:
            batch.put(NODE + tree.root_key(self._height - 1), root)
            batch.delete(old)
        self._version = self._height - 1

    def _derive(self, derivations: Iterable[Callable[[State], None]]) -> None:
        for derive in derivations:
            state = State(self._view)
            derive(state)
            changes = state.changes()
            if any(value is None or not is_derived(key) for key, value in changes):
                raise InvariantError("a derivation wrote what is not derived")
            for start in range(0, len(changes), _BATCH_KEYS):
                with self._batch() as batch:
                    for key, value in changes[start : start + _BATCH_KEYS]:
                        batch.put(STATE + key, value)

    def _batch(self) -> _Batch:
        return _Batch(self._database)


class _Batch:
    """A synced batch whose failure is a StoreError."""

    def __init__(self, database: plyvel.DB) -> None:
        self._batch = database.write_batch(sync=True)

    def __enter__(self) -> plyvel.WriteBatch:
        return self._batch

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is not None:
            return
        try:
            self._batch.write()
        except plyvel.Error as error:
            raise StoreError(
                f"the state that is being restored cannot be written: {error}"
            ) from error
