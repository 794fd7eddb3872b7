"""Hash functions by their full names, and the addresses that derive from them."""

from __future__ import annotations

import hashlib

import sha3 as _keccak

DIGEST_BYTES = 32


def sha256(data: bytes) -> bytes:
    """SHA-256, 32 bytes."""
    return hashlib.sha256(data).digest()


def sha3_256(data: bytes) -> bytes:
    """SHA3-256, 32 bytes: content address of everything that lives in storage."""
    return hashlib.sha3_256(data).digest()


def shake256(data: bytes, length: int = DIGEST_BYTES) -> bytes:
    """SHAKE-256 of `length` bytes."""
    return hashlib.shake_256(data).digest(length)


def keccak256(data: bytes) -> bytes:
    """Keccak-256 with the original padding, as Ethereum uses it."""
    return bytes(_keccak.keccak_256(data).digest())


def storage_path(digest: bytes) -> str:
    """Path of a body in any storage server: `/v1/blobs/<64 hex>`."""
    if len(digest) != DIGEST_BYTES:
        raise ValueError("a storage digest has 32 bytes")
    return f"/v1/blobs/{digest.hex()}"


def material_uri(base_url: str, digest: bytes) -> str:
    """URI of public material: anybody derives it from the on-chain record and Config's base URL."""
    return base_url.rstrip("/") + storage_path(digest)
