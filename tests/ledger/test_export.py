"""Exported states: what is taken, and every kind of damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.errors import SnapshotError, StoreError
from ledger.export import check_exported, export_state
from ledger.migrations import VERSION_KEY
from ledger.store import Store
from tests.ledger.advance import advance
from tests.support.tree_twin import tree_root
from wire.pb.tkms.state.v1 import state_pb2

CONTENT = {b"a": b"1", b"b": b"2", VERSION_KEY: (3).to_bytes(8, "big")}


def exported(tmp_path: Path) -> state_pb2.ExportedState:
    """State of height 12, with a derived key."""
    store = Store(tmp_path / "db")
    advance(store, 12, {**CONTENT, b"~index": b"1"})
    with store.snapshot() as view:
        state = export_state(view)
    store.close()
    return state


def test_the_whole_proven_state_is_exported(tmp_path: Path) -> None:
    """With height, version and root; earlier heights can be exported as well."""
    state = exported(tmp_path)
    assert (state.height, state.app_version) == (12, 3)
    assert state.app_hash == tree_root(CONTENT)
    assert [(entry.key, entry.value) for entry in state.entries] == sorted(CONTENT.items())
    assert list(check_exported(state)) == sorted(CONTENT.items())
    store = Store(tmp_path / "db")
    advance(store, 13, {b"a": None})
    assert export_state(store.at(12)) == state
    assert len(export_state(store).entries) == 2
    store.close()


def test_an_empty_store_exports_nothing(tmp_path: Path) -> None:
    """It says so."""
    store = Store(tmp_path / "db")
    with pytest.raises(StoreError, match="empty"):
        export_state(store)
    store.close()


@pytest.mark.parametrize(
    ("entries", "flaw"),
    [
        ([(b"a", b"1"), (b"b", b"3"), (VERSION_KEY, b"\x03")], "root"),
        ([(b"a", b"1"), (VERSION_KEY, b"\x03")], "root"),
        ([(b"b", b"2"), (b"a", b"1")], "order"),
        ([(b"a", b"1"), (b"a", b"1")], "order"),
        ([(b"", b"1")], "length"),
        ([(b"a", b"")], "length"),
        ([(b"a" * 1025, b"1")], "length"),
        ([(b"~a", b"1")], "derived"),
    ],
)
def test_damage_is_found(tmp_path: Path, entries: list[tuple[bytes, bytes]], flaw: str) -> None:
    """Before anything of it is used."""
    state = exported(tmp_path)
    del state.entries[:]
    for key, value in entries:
        state.entries.add(key=key, value=value)
    with pytest.raises(SnapshotError, match=flaw):
        check_exported(state)


def test_another_version_is_found(tmp_path: Path) -> None:
    """The version is that of the state."""
    state = exported(tmp_path)
    state.app_version = 2
    with pytest.raises(SnapshotError, match="app version"):
        check_exported(state)
