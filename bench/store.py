"""What blocks, snapshots and restores cost the store at growing states."""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path
from threading import Event

from abci_app.history.snapshots import SnapshotFolder
from abci_app.history.state_sync import StateSync
from bench.report import Row, row
from ledger import migrations, tree
from ledger.store import Block, Store
from wire.pb.tkms.comet.v1 import abci_pb2

_CHAIN_ID = "bench"
_CHANGES = 1_000
_WARM_BLOCKS = 5
_BLOCKS = 10
_SIZES = {"1e3": 10**3, "1e5": 10**5, "1e6": 10**6}
_LARGEST = 10**6


def measure() -> list[Row]:
    """`node.commit_ms.*`, `node.snapshot_s` and `node.restore_s`.

    Commit: tree and synced batch of a block that changes 1,000 keys, half of them new. Snapshot and restore: 10^6
    keys of 38 bytes with values of 120.
    """
    rows = [_commit(name, size) for name, size in _SIZES.items()]
    return rows + _snapshot()


def _commit(name: str, size: int) -> Row:
    chance = random.Random(size)
    samples = []
    with tempfile.TemporaryDirectory() as folder:
        store, keys = _filled(Path(folder), chance, size)
        for height in range(1, _WARM_BLOCKS + _BLOCKS + 1):
            new = [b"bench/" + chance.randbytes(32) for _ in range(_CHANGES // 2)]
            old = chance.sample(keys, _CHANGES - len(new))
            changed = sorted((key, chance.randbytes(120)) for key in {*new, *old})
            started = time.perf_counter()
            update = tree.update(store, height, changed)
            store.write_block(Block(height, update.root, changed, update.nodes, update.stale))
            samples.append((time.perf_counter() - started) * 1000)
        store.close()
    # The first blocks meet cold caches and the database still sorting what genesis wrote.
    return row(f"node.commit_ms.{name}", "ms", samples[_WARM_BLOCKS:])


def _snapshot() -> list[Row]:
    chance = random.Random(_LARGEST)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        store, _ = _filled(home, chance, _LARGEST)
        # There are no snapshots of height 0.
        update = tree.update(store, 1, [])
        store.write_block(Block(1, update.root, [], update.nodes, update.stale))
        snapshots = SnapshotFolder(home / "snapshots")
        started = time.perf_counter()
        with store.snapshot() as view:
            snapshots.write(view, Event())
        written = time.perf_counter() - started
        app_hash = store.app_hash
        store.close()
        restored = _restore(home, snapshots, app_hash)
    return [row("node.snapshot_s", "s", [written]), row("node.restore_s", "s", [restored])]


def _restore(home: Path, snapshots: SnapshotFolder, app_hash: bytes) -> float:
    store = Store(home / "restored.db")
    sync = StateSync(store, _CHAIN_ID, snapshots, [], migrations.MIGRATIONS)
    (offered,) = snapshots.offered()
    started = time.perf_counter()
    sync.offer_snapshot(abci_pb2.RequestOfferSnapshot(snapshot=offered, app_hash=app_hash))
    for index in range(offered.chunks):
        chunk = snapshots.chunk(offered.height, index)
        sync.apply_chunk(abci_pb2.RequestApplySnapshotChunk(index=index, chunk=chunk))
    seconds = time.perf_counter() - started
    if store.app_hash != app_hash:
        raise RuntimeError("the restored state is another one")
    store.close()
    return seconds


def _filled(home: Path, chance: random.Random, size: int) -> tuple[Store, list[bytes]]:
    """A store with so many random keys."""
    store = Store(home / "state.db")
    keys = [b"bench/" + chance.randbytes(32) for _ in range(size)]
    changes = sorted((key, chance.randbytes(120)) for key in keys)
    first = tree.create(changes)
    block = Block(0, first.root, changes, first.nodes, first.stale)
    store.write_genesis(_CHAIN_ID, block)
    return store, keys
