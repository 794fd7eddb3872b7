"""Shamir sharing of the backup's secret: the kernel's sharing over GR(2^128, 4), dealt by the operator."""

import secrets
from collections.abc import Mapping

import tkms_kernel as kernel

SECRET_BYTES = 64
SHARE_BYTES = 256
MAX_CUSTODIANS = 15
_RING = 128
_ELEMENT_BYTES = 64
_SCALAR_BYTES = 16


def split(secret: bytes, custodians: int, threshold: int) -> list[bytes]:
    """One share a custodian, number 1 first; `threshold` of them say nothing about the secret."""
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"a secret has {SECRET_BYTES} bytes")
    return kernel.shamir_share(_RING, secret, custodians, threshold, secrets.token_bytes(32))


def join(shares: Mapping[int, bytes], custodians: int, threshold: int) -> bytes:
    """The secret of `threshold` + 1 or more right shares.

    Raises
    ------
    ValueError
        Too few shares, or they do not lie on one polynomial.
    """
    values, _ = kernel.decode_shares(_RING, custodians, threshold, sorted(shares.items()), 0)
    elements = [values[i : i + _ELEMENT_BYTES] for i in range(0, len(values), _ELEMENT_BYTES)]
    if any(any(element[_SCALAR_BYTES:]) for element in elements):
        raise ValueError("the shares are not of scalars")
    return b"".join(element[:_SCALAR_BYTES] for element in elements)
