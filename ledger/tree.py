"""The state commitment: one Jellyfish Merkle tree, SHA-256 (kernel); its root is the app hash.

Nothing about height or time enters the root. Version numbers of the tree are block heights; the first is
that of genesis. Proofs are ICS-23 and are made for any version that the store keeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import tkms_kernel

from ledger.layout import encode_version
from ledger.state import is_derived

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.reader import Change
    from ledger.store import View


@dataclass(frozen=True, slots=True)
class TreeUpdate:
    """What a new version adds to the stored tree and what it replaces."""

    root: bytes
    nodes: Sequence[tuple[bytes, bytes]]
    stale: Sequence[bytes]


def update(view: View, version: int, changes: Sequence[Change]) -> TreeUpdate:
    """Compute version `version` from the stored version before it; writes nothing."""
    root, nodes, stale = tkms_kernel.tree_update(view.read_tree, version, _proven(changes))
    return TreeUpdate(root, nodes, stale)


def create(changes: Sequence[Change], version: int = 0) -> TreeUpdate:
    """Compute a first version, whatever is stored; deletions are of keys that nobody wrote."""
    content = [(key, value) for key, value in changes if value is not None and not is_derived(key)]
    root, nodes = tkms_kernel.tree_build(version, content)
    return TreeUpdate(root, nodes, ())


def prove(view: View, version: int, key: bytes) -> bytes:
    """ICS-23 CommitmentProof that the key has its stored value, or that it has none."""
    return bytes(tkms_kernel.tree_prove(view.read_tree, version, key))


def root_key(version: int) -> bytes:
    """Key of the root node of a version."""
    return encode_version(version) + b"\x00"


def _proven(changes: Sequence[Change]) -> list[Change]:
    return [change for change in changes if not is_derived(change[0])]
