"""The database: one batch a block, snapshots, pruning, and the tree inside it."""

from __future__ import annotations

import random
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import tkms_kernel

from ledger import tree
from ledger.errors import StoreError
from ledger.store import FAULT_POINTS, Block, Store
from tests.ledger.advance import advance, dump
from tests.support.tree_twin import tree_root


class DiesError(Exception):
    """Stands for the end of the process."""


def test_state_height_and_hash_are_read_back(tmp_path: Path) -> None:
    """What was written is there after opening again."""
    store = Store(tmp_path / "db")
    assert (store.height, store.app_hash, store.chain_id) == (None, b"", None)
    advance(store, 0, {b"a": b"1"})
    root = advance(store, 1, {b"a": b"2", b"b": b"3"})
    store.close()
    store = Store(tmp_path / "db")
    assert (store.height, store.app_hash, store.chain_id) == (1, root, "chain")
    assert list(store.iterate(b"")) == [(b"a", b"2"), (b"b", b"3")]
    store.close()


def test_genesis_may_be_written_again_until_block_1(tmp_path: Path) -> None:
    """The second genesis leaves nothing of the first; after block 1 there is none."""
    store = Store(tmp_path / "db")
    advance(store, 0, {b"old": b"1"})
    root = advance(store, 0, {b"new": b"1"})
    assert list(store.iterate(b"")) == [(b"new", b"1")]
    assert root == tree_root({b"new": b"1"}) == store.app_hash
    advance(store, 1, {})
    with pytest.raises(StoreError):
        advance(store, 0, {b"newer": b"1"})
    store.close()


@pytest.mark.parametrize("height", [0, 1, 3])
def test_blocks_follow_each_other(tmp_path: Path, height: int) -> None:
    """Neither a gap nor a repetition is written."""
    store = Store(tmp_path / "db")
    advance(store, 0, {b"a": b"1"})
    advance(store, 1, {b"a": b"2"})
    with pytest.raises(StoreError):
        store.write_block(Block(height, bytes(32), [(b"a", b"9")], [], []))
    assert store.get(b"a") == b"2"
    store.close()


def test_only_one_process_may_open(tmp_path: Path) -> None:
    """A second opening is refused by name."""
    store = Store(tmp_path / "db")
    with pytest.raises(StoreError, match="cannot open"):
        Store(tmp_path / "db")
    store.close()


@pytest.mark.parametrize(
    ("point", "height"), [("before-write", 0), ("inside-write", 0), ("after-write", 1)]
)
def test_death_around_the_batch_leaves_a_whole_block(
    tmp_path: Path, point: str, height: int
) -> None:
    """Dying before the batch is written loses all of the block, dying after it nothing."""
    reached: list[str] = []

    def die(name: str) -> None:
        reached.append(name)
        if name == point:
            raise DiesError

    store = Store(tmp_path / "db", fault_point=die)
    roots = [advance(store, 0, {b"a": b"1"}), tree_root({b"a": b"2"})]
    before = dump(store)
    with pytest.raises(DiesError):
        advance(store, 1, {b"a": b"2"})
    store.close()
    assert reached == list(FAULT_POINTS[2 : FAULT_POINTS.index(point) + 1])
    store = Store(tmp_path / "db")
    assert (store.height, store.app_hash) == (height, roots[height])
    assert tkms_kernel.tree_root(store.read_tree, height) == roots[height]
    assert (dump(store) == before) == (height == 0)
    store.close()


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let writes beyond a file's size fail, as they do on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_failed_write_is_said_and_nothing_follows_it(tmp_path: Path) -> None:
    """The block is lost as a whole, later ones are refused until the database is opened again."""
    path = tmp_path / "db"
    store = Store(path)
    source = random.Random(1)
    advance(store, 0, {b"a": source.randbytes(500_000)})
    root = advance(store, 1, {b"b": b"1"})
    before = dump(store)
    (log,) = path.glob("*.log")
    with (
        largest_file(log.stat().st_size + 100_000),
        pytest.raises(StoreError, match=r"could not write block 2: .*File too large.*is kept"),
    ):
        advance(store, 2, {b"c": source.randbytes(400_000)})
    with pytest.raises(StoreError, match="an earlier write failed"):
        advance(store, 2, {b"c": b"1"})
    assert dump(store) == before
    store.close()
    store = Store(path)
    assert (store.height, store.app_hash) == (1, root)
    assert dump(store) == before
    advance(store, 2, {b"c": b"1"})
    store.close()
    store = Store(path)
    assert (store.height, store.get(b"c")) == (2, b"1")
    store.close()


def test_a_damaged_database_is_a_store_error(tmp_path: Path) -> None:
    """Neither opening nor reading lets an error of the library through."""
    path = tmp_path / "db"
    store = Store(path)
    for height in range(3):
        advance(store, height, {b"k%d" % number: b"x" * 5000 for number in range(200)})
    store.close()
    # Opening moves the log into a table; that table is then cut short.
    Store(path).close()
    for table in path.glob("*.ldb"):
        with table.open("r+b") as file:
            file.truncate(table.stat().st_size // 2)
    with pytest.raises(StoreError, match=r"cannot (be read|open)"):
        list(Store(path).iterate(b""))
    (path / "CURRENT").unlink()
    (path / "CURRENT").write_text("nothing")
    with pytest.raises(StoreError, match="cannot open"):
        Store(path)


def test_a_store_keeps_two_heights_at_least(tmp_path: Path) -> None:
    """With less, the last block could not be taken back."""
    with pytest.raises(StoreError, match="at least 2"):
        Store(tmp_path / "db", keep_versions=1)


def test_a_torn_log_gives_the_last_whole_block(tmp_path: Path) -> None:
    """A batch of which the disk kept a part only is not there at all."""
    path = tmp_path / "db"
    store = Store(path)
    advance(store, 0, {b"a": b"1"})
    root = advance(store, 1, {b"a": b"2"})
    (log,) = path.glob("*.log")
    whole = log.stat().st_size
    advance(store, 2, {bytes([number]): b"x" * 100 for number in range(200)})
    torn = (whole + log.stat().st_size) // 2
    store.close()
    with log.open("r+b") as file:
        file.truncate(torn)
    store = Store(path)
    assert (store.height, store.app_hash) == (1, root)
    assert list(store.iterate(b"")) == [(b"a", b"2")]
    store.close()


def test_a_snapshot_does_not_move(tmp_path: Path) -> None:
    """Value, height and proof of a snapshot belong together while blocks are written."""
    store = Store(tmp_path / "db")
    advance(store, 0, {b"a": b"1"})
    root = advance(store, 1, {b"a": b"2", b"b": b"2"})
    with store.snapshot() as snapshot:
        for height in range(2, 8):
            advance(store, height, {b"a": b"%d" % height, b"b": None})
        assert (snapshot.height, snapshot.get(b"a")) == (1, b"2")
        proof = tree.prove(snapshot, 1, b"a")
        tkms_kernel.verify_membership(proof, root, b"a", b"2")
    store.close()


@pytest.mark.parametrize("keep", [2, 4])
def test_roots_proofs_and_pruning_over_random_blocks(tmp_path: Path, keep: int) -> None:
    """The root is the twin's at each height; kept versions are whole, the number of nodes is bounded."""
    source = random.Random(keep)
    store = Store(tmp_path / "db", keep_versions=keep)
    content: dict[bytes, bytes] = {}
    roots = []
    for height in range(40):
        changes: dict[bytes, bytes | None] = {}
        for _ in range(source.randrange(6)):
            key = b"k%d" % source.randrange(30)
            changes[key] = None if source.random() < 0.3 else b"%d" % source.randrange(10**6)
        for key, value in changes.items():
            if value is None:
                content.pop(key, None)
            else:
                content[key] = value
        roots.append(advance(store, height, changes))
        assert roots[-1] == tree_root(content)
        for old in range(max(0, height - keep + 1), height + 1):
            assert tkms_kernel.tree_root(store.read_tree, old) == roots[old]
    for number in range(30):
        key = b"k%d" % number
        proof = tree.prove(store, 39, key)
        if key in content:
            tkms_kernel.verify_membership(proof, roots[-1], key, content[key])
        else:
            tkms_kernel.verify_non_membership(proof, roots[-1], key)
    database = store._database
    nodes = sum(1 for _ in database.iterator(prefix=b"n"))
    # A root a version, at most a few nodes a key, and those of the few kept versions.
    assert nodes <= (keep + 2) * 12 + 3 * len(content)
    preimages = sum(1 for _ in database.iterator(prefix=b"p"))
    # Those of the keys that are there, and of the few that were deleted lately.
    assert len(content) <= preimages <= len(content) + 6 * keep
    store.close()
