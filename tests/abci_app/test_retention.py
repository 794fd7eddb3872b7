"""Which blocks the engine may forget."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from abci_app.history.retention import DEFAULT_EVIDENCE_BLOCKS, Keeping, retain_height
from ledger.config import state as config
from ledger.state import State
from ledger.store import Store
from tests.ledger.advance import advance
from tests.support.chain import Chain
from wire.pb.tkms.comet.v1 import abci_pb2
from wire.pb.tkms.config.v1 import config_pb2

HEIGHT = 60


def changes_of(state: State) -> dict[bytes, bytes | None]:
    """What was written."""
    return dict(state.changes())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Sixty blocks, of which the state of the last ten is kept; evidence counts for thirty."""
    store = Store(tmp_path / "db", keep_versions=10)
    state = State(store)
    limits = config_pb2.EvidenceLimits(max_age_blocks=30)
    config.set_consensus(state, config_pb2.ConsensusParameters(evidence=limits))
    advance(store, 0, changes_of(state))
    for height in range(1, HEIGHT + 1):
        advance(store, height, {})
    yield store
    store.close()


@pytest.mark.parametrize(
    ("keeping", "snapshots", "expected"),
    [
        (Keeping(), (), 0),
        (Keeping(snapshot_interval=10), (50,), 0),
        # Evidence is the oldest need.
        (Keeping(retain_blocks=5), (), 30),
        (Keeping(retain_blocks=40), (), 20),
        (Keeping(retain_blocks=100), (), 0),
        (Keeping(retain_blocks=5, snapshot_interval=10), (50, 25), 25),
        (Keeping(retain_blocks=5, snapshot_interval=10), (50,), 30),
        (Keeping(retain_blocks=5, snapshot_interval=10), (), 0),
        # Snapshots of the time when they were still taken are offered too.
        (Keeping(retain_blocks=5), (25,), 25),
    ],
)
def test_the_oldest_need_counts(
    store: Store, keeping: Keeping, snapshots: tuple[int, ...], expected: int
) -> None:
    """Blocks to keep, snapshots, evidence; 0 is all."""
    assert retain_height(store, keeping, snapshots) == expected


def test_a_rollback_needs_the_blocks_after_it(tmp_path: Path) -> None:
    """With a short age of evidence the kept states decide; without an age the engine's default does."""
    store = Store(tmp_path / "db", keep_versions=10)
    state = State(store)
    limits = config_pb2.EvidenceLimits(max_age_blocks=2)
    config.set_consensus(state, config_pb2.ConsensusParameters(evidence=limits))
    advance(store, 0, changes_of(state))
    for height in range(1, 31):
        advance(store, height, {})
    assert store.first_height == 21
    assert retain_height(store, Keeping(retain_blocks=1), ()) == 21
    advance(store, 31, dict.fromkeys(changes_of(state)))
    assert store.height is not None
    assert store.height < DEFAULT_EVIDENCE_BLOCKS
    assert retain_height(store, Keeping(retain_blocks=1), ()) == 0
    store.close()


@pytest.mark.parametrize(
    ("content", "expected"),
    [("25", 25), ("25\n", 25), ("45", 30), ("0", 0), ("", 0), ("-3", 0), ("x", 0), ("9" * 30, 0)],
)
def test_followers_hold_blocks_back(
    store: Store, tmp_path: Path, content: str, expected: int
) -> None:
    """By the height in their file; a file that says nothing keeps everything."""
    cursor = tmp_path / "cursor"
    cursor.write_text(content)
    keeping = Keeping(retain_blocks=5, retain_cursors=(cursor,))
    assert retain_height(store, keeping, ()) == expected
    missing = Keeping(retain_blocks=5, retain_cursors=(cursor, tmp_path / "missing"))
    assert retain_height(store, missing, ()) == 0


def test_commit_tells_the_engine(tmp_path: Path) -> None:
    """In its answer; never more than the block that was just made."""
    chain = Chain.start(tmp_path, keeping=Keeping(retain_blocks=1), keep_versions=2)
    told = []
    for _ in range(3):
        app_hash, _ = chain.finalize()
        told.append(chain.call(commit=abci_pb2.RequestCommit()).retain_height)
        chain.height += 1
        chain.app_hash = app_hash
    # The genesis of these tests lets evidence count for longer than three blocks.
    assert told == [0, 0, 0]
    chain.close()
