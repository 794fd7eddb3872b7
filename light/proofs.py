"""Proofs about the state under a verified app hash (ICS-23, Jellyfish Merkle tree)."""

from __future__ import annotations

import tkms_kernel

from light.kernel_errors import translated


def verify_value(root: bytes, key: bytes, value: bytes, proof: bytes) -> None:
    """Check that the state with app hash ``root`` (32 bytes) holds ``value`` under ``key``.

    For the state after block H the root is the app hash of header H + 1.

    Raises:
        Malformed, Unverified: the statement is not proved.

    """
    with translated():
        tkms_kernel.verify_membership(proof, root, key, value)


def verify_absent(root: bytes, key: bytes, proof: bytes) -> None:
    """Check that the state with app hash ``root`` (32 bytes) holds nothing under ``key``.

    Raises:
        Malformed, Unverified: the statement is not proved.

    """
    with translated():
        tkms_kernel.verify_non_membership(proof, root, key)
