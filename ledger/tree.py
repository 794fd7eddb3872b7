"""The state commitment: one Jellyfish Merkle tree, SHA-256 (kernel); its root is the app hash.

Nothing about height or time enters the root. Version numbers of the tree are block heights, 0 is
genesis. Proofs are ICS-23 and are made for the version that the store holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import tkms_kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.store import Change, View


@dataclass(frozen=True, slots=True)
class TreeUpdate:
    """What a new version adds to the stored tree and what it replaces."""

    root: bytes
    nodes: Sequence[tuple[bytes, bytes]]
    stale: Sequence[bytes]


def update(view: View, version: int, changes: Sequence[Change]) -> TreeUpdate:
    """Compute version `version` from the stored version before it; writes nothing."""
    root, nodes, stale = tkms_kernel.tree_update(view.read_tree, version, list(changes))
    return TreeUpdate(root, nodes, stale)


def create(changes: Sequence[Change]) -> TreeUpdate:
    """Compute version 0, whatever is stored."""
    root, nodes, stale = tkms_kernel.tree_update(lambda _kind, _key: None, 0, list(changes))
    return TreeUpdate(root, nodes, stale)


def prove(view: View, version: int, key: bytes) -> bytes:
    """ICS-23 CommitmentProof that the key has its stored value, or that it has none."""
    return bytes(tkms_kernel.tree_prove(view.read_tree, version, key))
