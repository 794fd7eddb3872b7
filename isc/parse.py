"""Bytes of isc messages to domain types, once, at the border."""

from __future__ import annotations

from wire.ids import Address, HandleId
from wire.reasons import Reason, Rejection


def parse_handle(raw: bytes) -> HandleId:
    """32-byte handle; Rejection(CIPHERTEXT_INVALID) otherwise."""
    if len(raw) != HandleId.LENGTH:
        raise Rejection(Reason.CIPHERTEXT_INVALID, "a handle has 32 bytes")
    return HandleId(raw)


def parse_account(raw: bytes) -> Address:
    """20-byte account; Rejection(BAD_ADDRESS) otherwise."""
    if len(raw) != Address.LENGTH:
        raise Rejection(Reason.BAD_ADDRESS, "an account has 20 bytes")
    return Address(raw)
