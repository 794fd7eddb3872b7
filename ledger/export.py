"""A whole state as a document, and back: what a chain hands to one that goes on where it ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledger import migrations, snapshots, tree
from ledger.errors import SnapshotError, StoreError
from ledger.state import MAX_KEY_BYTES, MAX_VALUE_BYTES, is_derived
from wire.pb.tkms.state.v1 import state_pb2

if TYPE_CHECKING:
    from ledger.store import View


def export_state(view: View) -> state_pb2.ExportedState:
    """All that the state tree holds at the view's height; frozen (`Store.snapshot`) or standing still.

    Raises:
        StoreError: there is no state, or the database does not hold what its app hash says.
    """
    height = view.height
    if height is None:
        raise StoreError("the database is empty: there is no state to export")
    exported = state_pb2.ExportedState(
        height=height,
        app_version=migrations.version(view),
        app_hash=view.app_hash,
        entries=[
            state_pb2.StateEntry(key=key, value=value) for key, value in snapshots.proven(view)
        ],
    )
    check_exported(exported)
    return exported


def check_exported(exported: state_pb2.ExportedState) -> Sequence[tuple[bytes, bytes]]:
    """The entries of an exported state; SnapshotError unless they are in order and have its app hash."""
    entries = [(entry.key, entry.value) for entry in exported.entries]
    last = b""
    for key, value in entries:
        if not 0 < len(key) <= MAX_KEY_BYTES or not 0 < len(value) <= MAX_VALUE_BYTES:
            raise SnapshotError(f"the length of an entry is forbidden: {key!r}")
        if key <= last:
            raise SnapshotError(f"the entries are not in ascending order: {key!r}")
        if is_derived(key):
            raise SnapshotError(f"a derived key is not exported: {key!r}")
        last = key
    root = tree.create(entries, 0).root
    if root != exported.app_hash:
        raise SnapshotError(f"the entries' root is {root.hex()}, not {exported.app_hash.hex()}")
    version = dict(entries).get(migrations.VERSION_KEY, b"\x01")
    if int.from_bytes(version, "big") != exported.app_version:
        raise SnapshotError("the app version is not the one in the state")
    return entries
