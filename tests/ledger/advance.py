"""Writing blocks into a store as the node does, and looking at all that the database holds."""

from __future__ import annotations

from collections.abc import Mapping

from ledger import tree
from ledger.store import Block, Store

CHAIN_ID = "chain"


def advance(store: Store, height: int, changes: Mapping[bytes, bytes | None]) -> bytes:
    """Write one block, or genesis into an empty store; the root."""
    ordered = sorted(changes.items())
    if store.height is None or height == 0:
        update = tree.create(ordered, height)
        store.write_genesis(CHAIN_ID, Block(height, update.root, ordered, update.nodes, ()))
        return update.root
    update = tree.update(store, height, ordered)
    store.write_block(Block(height, update.root, ordered, update.nodes, update.stale))
    return update.root


def dump(store: Store) -> dict[bytes, bytes]:
    """Every key and value of the database."""
    return dict(store._database.iterator())
