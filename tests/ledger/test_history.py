"""Earlier heights: reads, proofs, taking blocks back and forgetting, against a twin of plain dictionaries."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
import tkms_kernel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import tree
from ledger.errors import StoreError
from ledger.store import PastView, Store, View
from tests.ledger.advance import advance, dump
from tests.support.tree_twin import tree_root

# Zero bytes, one key inside another, and derived keys (outside the tree).
KEYS = (
    b"a",
    b"a\x00",
    b"a\x00\x01",
    b"a\x00\xff",
    b"ab",
    b"b",
    b"b\xff",
    b"\x00",
    b"~a",
    b"~a\x00",
)
VALUES = (None, b"1", b"2", b"\x00")
Changes = Mapping[bytes, bytes | None]
BLOCKS = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=6)
# A block, or how many blocks are taken back.
STEPS = st.lists(st.one_of(BLOCKS, st.integers(1, 3)), max_size=25)
THOROUGH = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def applied(content: Mapping[bytes, bytes], changes: Changes) -> dict[bytes, bytes]:
    """Content after a block."""
    changed = {**content, **changes}
    return {key: value for key, value in changed.items() if value is not None}


def proven(content: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """The part that is in the tree."""
    return {key: value for key, value in content.items() if not key.startswith(b"~")}


def check_height(view: View, height: int, content: Mapping[bytes, bytes]) -> None:
    """Everything that can be read of a height is what the twin holds."""
    root = tree_root(proven(content))
    assert (view.height, view.app_hash) == (height, root)
    for key in KEYS:
        assert view.get(key) == content.get(key)
    for prefix in (b"", b"a", b"a\x00", b"b", b"~", b"nothing"):
        expected = sorted(pair for pair in content.items() if pair[0].startswith(prefix))
        assert list(view.iterate(prefix)) == expected
    if not proven(content):
        return
    for key in KEYS[:8]:
        proof = tree.prove(view, height, key)
        if key in content:
            tkms_kernel.verify_membership(proof, root, key, content[key])
        else:
            tkms_kernel.verify_non_membership(proof, root, key)


@pytest.mark.parametrize("keep", [2, 3, 100])
@THOROUGH
@given(steps=STEPS)
def test_every_kept_height_reads_as_the_twin(keep: int, steps: list[Changes | int]) -> None:
    """Values, order, roots and proofs of the whole window; blocks and rollbacks in any order."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "db", keep_versions=keep)
        contents = [{b"a": b"0", b"~a": b"0"}]
        advance(store, 0, contents[0])
        first = 0
        for step in steps:
            if isinstance(step, int):
                for _ in range(step):
                    if len(contents) - 1 == first:
                        with pytest.raises(StoreError, match="forgotten"):
                            store.rollback()
                        break
                    contents.pop()
                    assert store.rollback() == len(contents) - 1
            else:
                contents.append(applied(contents[-1], step))
                advance(store, len(contents) - 1, step)
            height = len(contents) - 1
            first = max(first, height - keep + 1)
            assert (store.first_height, store.height) == (first, height)
            for old in range(first, height + 1):
                check_height(store.at(old), old, contents[old])
            for other in (first - 1, height + 1):
                with pytest.raises(StoreError, match="not kept"):
                    store.at(other)
        store.close()


@THOROUGH
@given(blocks=st.lists(BLOCKS, min_size=1, max_size=8))
def test_a_block_that_is_taken_back_leaves_no_trace(blocks: list[Changes]) -> None:
    """Byte for byte the database that never had it, at each height down to genesis."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "db")
        advance(store, 0, {b"a": b"0", b"~a": b"0"})
        dumps = [dump(store)]
        for height, changes in enumerate(blocks, 1):
            advance(store, height, changes)
            dumps.append(dump(store))
        while len(dumps) > 1:
            dumps.pop()
            store.rollback()
            assert dump(store) == dumps[-1]
        store.close()


@THOROUGH
@given(
    blocks=st.lists(BLOCKS, min_size=1, max_size=12),
    others=st.lists(BLOCKS, min_size=1, max_size=4),
    keep=st.integers(5, 6),
)
def test_a_detour_is_forgotten(blocks: list[Changes], others: list[Changes], keep: int) -> None:
    """Taking back and writing the right blocks gives the bytes of a store that had only these."""
    with tempfile.TemporaryDirectory() as folder:
        straight = Store(Path(folder) / "straight", keep_versions=keep)
        detour = Store(Path(folder) / "detour", keep_versions=keep)
        for store in (straight, detour):
            advance(store, 0, {b"a": b"0"})
        for height, changes in enumerate(blocks, 1):
            advance(straight, height, changes)
            advance(detour, height, changes)
        height = len(blocks)
        wrong = others[: keep - 1]
        for number, changes in enumerate(wrong, 1):
            advance(detour, height + number, changes)
        for _ in wrong:
            detour.rollback()
        for number in range(1, len(wrong) + 1):
            advance(straight, height + number, {b"b": b"%d" % number})
            advance(detour, height + number, {b"b": b"%d" % number})
        assert dump(straight) == dump(detour)
        straight.close()
        detour.close()


@THOROUGH
@given(blocks=st.lists(BLOCKS, max_size=15), keep=st.integers(2, 4))
def test_what_is_kept_depends_on_the_window_alone(blocks: list[Changes], keep: int) -> None:
    """After a window of empty blocks nothing is left but the state, its tree and its preimages."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "db", keep_versions=keep)
        content = {b"a": b"0"}
        advance(store, 0, content)
        for height, changes in enumerate([*blocks, *([{}] * keep)], 1):
            content = applied(content, changes)
            advance(store, height, changes)
        kinds = [key[:1] for key in dump(store)]
        leaves = len(proven(content))
        assert (kinds.count(b"s"), kinds.count(b"p")) == (len(content), leaves)
        assert (kinds.count(b"h"), kinds.count(b"u"), kinds.count(b"x")) == (0, keep - 1, keep - 1)
        # A root a version, and the one tree below them.
        assert kinds.count(b"n") <= keep + 2 * leaves
        store.close()


def test_a_lowered_window_shrinks_by_bounded_work(tmp_path: Path) -> None:
    """Two heights a block are given up, until the new window is reached; a raised one grows again."""
    store = Store(tmp_path / "db", keep_versions=20)
    for height in range(31):
        advance(store, height, {b"a": b"%d" % height})
    assert store.first_height == 11
    store.close()
    store = Store(tmp_path / "db", keep_versions=5)
    firsts = []
    for height in range(31, 47):
        advance(store, height, {b"a": b"%d" % height})
        firsts.append(store.first_height)
    assert firsts == [13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37, 39, 41, 42]
    assert [store.at(height).get(b"a") for height in (42, 46)] == [b"42", b"46"]
    store.close()
    store = Store(tmp_path / "db", keep_versions=8)
    for height in range(47, 52):
        advance(store, height, {})
    assert store.first_height == 44
    store.close()


def test_a_past_view_of_a_snapshot_does_not_move(tmp_path: Path) -> None:
    """Blocks that are written, and heights that are forgotten meanwhile, do not reach a reader."""
    store = Store(tmp_path / "db", keep_versions=3)
    for height in range(5):
        advance(store, height, {b"a": b"%d" % height, b"b": None if height % 2 else b"x"})
    with store.snapshot() as snapshot:
        past = snapshot.at(3)
        assert isinstance(past, PastView)
        for height in range(5, 12):
            advance(store, height, {b"a": b"%d" % height})
        check_height(past, 3, {b"a": b"3"})
        check_height(snapshot.at(4), 4, {b"a": b"4", b"b": b"x"})
    with pytest.raises(StoreError, match="not kept"):
        store.at(3)
    store.close()


def test_history_starts_with_genesis_at_any_height(tmp_path: Path) -> None:
    """An imported state begins where the exported chain ended."""
    store = Store(tmp_path / "db")
    root = advance(store, 41, {b"a": b"1"})
    assert (store.height, store.genesis_height, store.first_height) == (41, 41, 41)
    advance(store, 42, {b"a": b"2"})
    assert store.at(41).app_hash == root
    check_height(store.at(41), 41, {b"a": b"1"})
    assert store.rollback() == 41
    assert store.app_hash == root
    with pytest.raises(StoreError, match="forgotten"):
        store.rollback()
    store.close()
