"""State proofs through the light client."""

from __future__ import annotations

from hashlib import sha256

import pytest
import tkms_kernel as kernel

import light

CONTENT = {b"asc/log/%d" % n: b"entry %d" % n for n in range(10)}


@pytest.fixture(name="state")
def make_state() -> tuple[bytes, bytes, bytes]:
    """Root of a small state, a proof of a value and a proof of absence."""
    root, nodes = kernel.tree_build(3, list(CONTENT.items()))
    stores = {
        kernel.TREE_NODE: dict(nodes),
        kernel.TREE_VALUE: CONTENT,
        kernel.TREE_PREIMAGE: {sha256(key).digest(): key for key in CONTENT},
    }

    def read(kind: int, key: bytes) -> bytes | None:
        return stores[kind].get(key)

    return root, kernel.tree_prove(read, 3, b"asc/log/4"), kernel.tree_prove(read, 3, b"asc/log/10")


def test_value_and_absence(state: tuple[bytes, bytes, bytes]) -> None:
    """True statements pass."""
    root, present, absent = state
    light.verify_value(root, b"asc/log/4", b"entry 4", present)
    light.verify_absent(root, b"asc/log/10", absent)


def test_false_statements_are_unverified(state: tuple[bytes, bytes, bytes]) -> None:
    """Another value, key, root or kind of proof is refused."""
    root, present, absent = state
    for arguments in (
        (root, b"asc/log/4", b"entry 5", present),
        (root, b"asc/log/5", b"entry 5", present),
        (sha256(root).digest(), b"asc/log/4", b"entry 4", present),
        (root, b"asc/log/10", b"", absent),
    ):
        with pytest.raises(light.Unverified):
            light.verify_value(*arguments)
    for key, proof in ((b"asc/log/4", absent), (b"asc/log/4", present), (b"asc/log/11", absent)):
        with pytest.raises(light.Unverified):
            light.verify_absent(root, key, proof)


def test_a_root_has_32_bytes(state: tuple[bytes, bytes, bytes]) -> None:
    """A root of another length is the caller's error."""
    root, present, _ = state
    with pytest.raises(light.Malformed):
        light.verify_value(root[:-1], b"asc/log/4", b"entry 4", present)
