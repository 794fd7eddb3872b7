"""The form of snapshots and the state that is built from them, against plain Python."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import tkms_kernel
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import restore, snapshots, tree
from ledger.errors import SnapshotError, StoreError
from ledger.restore import StateBuilder
from ledger.state import State
from ledger.store import Store
from tests.ledger.advance import CHAIN_ID, advance, dump
from tests.support.tree_twin import tree_root
from wire.pb.tkms.state.v1 import state_pb2

CONTENTS = st.dictionaries(
    st.binary(min_size=1, max_size=6), st.binary(min_size=1, max_size=40), max_size=30
)


def cut(content: dict[bytes, bytes]) -> list[tuple[bytes, int]]:
    """Chunks of a content."""
    return list(snapshots.cut(sorted(content.items())))


def parse(chunks: list[bytes]) -> dict[bytes, bytes]:
    """Content of chunks."""
    found: dict[bytes, bytes] = {}
    last = b""
    for chunk in chunks:
        for key, value in snapshots.parse_chunk(chunk, last):
            found[key] = last = value
            last = key
    return found


@settings(deadline=None)
@given(content=CONTENTS, size=st.integers(60, 200))
def test_chunks_are_greedy_and_give_the_content_back(
    content: dict[bytes, bytes], size: int
) -> None:
    """As many whole entries as fit, the same for every writer; nothing else than the proven state."""
    proven = {key: value for key, value in content.items() if not key.startswith(b"~")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshots, "CHUNK_BYTES", size)
        chunks = cut(proven)
        twin: list[bytes] = [b""]
        for key, value in sorted(proven.items()):
            entry = len(key).to_bytes(2, "big") + len(value).to_bytes(4, "big") + key + value
            if len(twin[-1]) + len(entry) > size:
                twin.append(b"")
            twin[-1] += entry
        assert [chunk for chunk, _ in chunks] == twin
        assert sum(count for _, count in chunks) == len(proven)
        assert parse(twin) == proven


ENTRY = bytes.fromhex("0001 00000001") + b"k" + b"v"


@pytest.mark.parametrize(
    ("chunk", "after"),
    [
        (ENTRY[:-1], b""),
        (ENTRY + b"\x00", b""),
        (ENTRY + ENTRY, b""),
        (ENTRY, b"k"),
        (ENTRY, b"l"),
        (bytes.fromhex("0000 00000001") + b"v", b""),
        (bytes.fromhex("0001 00000000") + b"k", b""),
        (bytes.fromhex("0401 00000001") + b"k" * 1025 + b"v", b""),
        (bytes.fromhex("0001 00100001") + b"k" + b"v" * ((1 << 20) + 1), b""),
        (bytes.fromhex("0001 ffffffff") + b"kv", b""),
        (bytes.fromhex("0002 00000001") + b"~k" + b"v", b""),
        (b"\x00" * (snapshots.CHUNK_BYTES + 1), b""),
    ],
)
def test_other_chunks_are_refused(chunk: bytes, after: bytes) -> None:
    """Torn, out of order, twice, too long, empty or derived: never an entry of a state."""
    assert snapshots.parse_chunk(ENTRY, b"j") == [(b"k", b"v")]
    with pytest.raises(SnapshotError):
        snapshots.parse_chunk(chunk, after)


@settings(max_examples=300)
@given(chunk=st.binary(max_size=60))
def test_any_bytes_are_entries_or_a_snapshot_error(chunk: bytes) -> None:
    """And what is read gives the same bytes again."""
    try:
        entries = snapshots.parse_chunk(chunk, b"")
    except SnapshotError:
        return
    assert b"".join(part for part, _ in snapshots.cut(entries)) == chunk


def metadata(**changed: object) -> state_pb2.SnapshotMetadata:
    """Valid metadata with some fields changed."""
    values: dict[str, object] = {
        "format": 1,
        "chain_id": CHAIN_ID,
        "height": 7,
        "app_version": 1,
        "entries": 3,
        "chunk_hashes": [bytes(32)],
    }
    return state_pb2.SnapshotMetadata(**{**values, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff",
        metadata().SerializeToString() + b"\x78\x01",
        metadata().SerializeToString() + b"\x18\x07",
        metadata(format=2).SerializeToString(),
        metadata(height=0).SerializeToString(),
        metadata(height=1 << 63).SerializeToString(),
        metadata(app_version=0).SerializeToString(),
        metadata(chain_id="").SerializeToString(),
        metadata(chain_id="x" * 51).SerializeToString(),
        metadata(chunk_hashes=[]).SerializeToString(),
        metadata(chunk_hashes=[bytes(31)]).SerializeToString(),
        metadata(chunk_hashes=[bytes(32)] * 4097).SerializeToString(),
        metadata(entries=1 << 40).SerializeToString(),
        bytes(300_000),
    ],
)
def test_other_metadata_are_refused(raw: bytes) -> None:
    """Whatever `describe` cannot have made, before anything of it is used."""
    assert snapshots.parse_metadata(metadata().SerializeToString()) == metadata()
    with pytest.raises(SnapshotError):
        snapshots.parse_metadata(raw)


def build(path: Path, height: int, content: dict[bytes, bytes], parts: int) -> bytes:
    """Build a state in several parts at the store's place for it; the root."""
    entries = sorted(content.items())
    size = -(-len(entries) // parts)
    builder = StateBuilder(path, height)
    for start in range(0, len(entries), max(size, 1)):
        builder.add(entries[start : start + size])
    root = builder.root()
    builder.finish(CHAIN_ID, [derive])
    return root


def derive(state: State) -> None:
    """Index of the values' first bytes."""
    for key, value in list(state.iterate(b"")):
        state.set(b"~" + value[:1] + key, b"\x01")


@settings(deadline=None, max_examples=40)
@given(
    content=CONTENTS.map(lambda content: {b"k" + key: value for key, value in content.items()}),
    parts=st.integers(1, 5),
    height=st.integers(1, 9),
    following=st.dictionaries(
        st.sampled_from([b"kk", b"ka", b"new"]), st.none() | st.binary(min_size=1)
    ),
)
def test_a_built_state_goes_on_like_the_original(
    content: dict[bytes, bytes], parts: int, height: int, following: dict[bytes, bytes | None]
) -> None:
    """Root, values, derived keys and proofs, and the roots of the blocks that follow; however it was cut."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(restore, "_PENDING_BYTES", 20)
        store = Store(Path(folder) / "db")
        root = build(store.restoring_path, height, content, parts)
        assert root == tree_root(content)
        store.replace()
        assert (store.height, store.first_height, store.app_hash) == (height, height, root)
        assert (store.genesis_height, store.chain_id) == (None, CHAIN_ID)
        derived = {b"~" + value[:1] + key: b"\x01" for key, value in content.items()}
        assert dict(store.iterate(b"")) == {**content, **derived}
        for key in [*content, b"absent"] if content else []:
            proof = tree.prove(store, height, key)
            if key in content:
                tkms_kernel.verify_membership(proof, root, key, content[key])
            else:
                tkms_kernel.verify_non_membership(proof, root, key)
        after = {key: value for key, value in {**content, **following}.items() if value is not None}
        assert advance(store, height + 1, following) == tree_root(after)
        # Nothing of the building is left over but what the tree needs: a node a leaf, inner ones, two roots.
        kinds = [key[:1] for key in dump(store)]
        assert kinds.count(b"n") <= 2 * (len(content) + len(following)) + 2 + 4 * len(following)
        store.close()
        store = Store(Path(folder) / "db")
        assert store.height == height + 1
        store.close()


def test_a_state_that_blocks_followed_is_not_replaced(tmp_path: Path) -> None:
    """Genesis and a restored state may be, and only as long as nothing came after them."""
    store = Store(tmp_path / "db")
    assert store.is_replaceable
    advance(store, 0, {b"a": b"1"})
    assert store.is_replaceable
    build(store.restoring_path, 5, {b"b": b"1"}, 1)
    store.replace()
    assert (store.height, store.get(b"a"), store.get(b"b")) == (5, None, b"1")
    assert store.is_replaceable
    advance(store, 6, {})
    assert not store.is_replaceable
    build(store.restoring_path, 9, {b"c": b"1"}, 1)
    with pytest.raises(StoreError, match="not replaced"):
        store.replace()
    assert store.height == 6
    store.close()


def test_a_crash_while_restoring_leaves_an_empty_store(tmp_path: Path) -> None:
    """Half a state, a whole one that was not put in place, and the moment between the two renames."""
    store = Store(tmp_path / "db")
    builder = StateBuilder(store.restoring_path, 5)
    builder.add([(b"a", b"1")])
    builder._database.close()
    store.close()
    store = Store(tmp_path / "db")
    assert (store.height, store.restoring_path.exists()) == (None, False)
    build(store.restoring_path, 5, {b"a": b"1"}, 1)
    store.close()
    (tmp_path / "db").rename(tmp_path / "db.replaced")
    store = Store(tmp_path / "db")
    assert (store.height, sorted(path.name for path in tmp_path.iterdir())) == (None, ["db"])
    store.close()
