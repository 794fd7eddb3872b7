"""Page sizes and tokens (AIP-158): a token says where to go on and under which filters."""

from __future__ import annotations

import base64
import binascii
from typing import Final

import grpc

from connector.relay.errors import refusal
from wire.digests import sha256
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb

_DEFAULT: Final = 100
_MOST: Final = 1000
_NUMBER_BYTES: Final = 8
_CHECK_BYTES: Final = 8
_LONGEST: Final = 64


def size_of(page_size: int) -> int:
    """Rows of a page."""
    return min(page_size or _DEFAULT, _MOST)


def token_of(position: int, filters: bytes) -> str:
    """Opaque text for a position under some filters."""
    check = sha256(filters)[:_CHECK_BYTES]
    return base64.urlsafe_b64encode(position.to_bytes(_NUMBER_BYTES, "big") + check).decode()


def position_of(token: str, filters: bytes) -> int:
    """Position that a token names; 0 for the first page.

    Raises:
        RelayError: BAD_PAGE_TOKEN.
    """
    if not token:
        return 0
    try:
        raw = base64.urlsafe_b64decode(token) if len(token) <= _LONGEST else b""
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != _NUMBER_BYTES + _CHECK_BYTES or raw[8:] != sha256(filters)[:_CHECK_BYTES]:
        raise refusal(
            pb.RELAY_REASON_BAD_PAGE_TOKEN,
            grpc.StatusCode.INVALID_ARGUMENT,
            "the page token is none that this method gave under these filters",
        )
    position = int.from_bytes(raw[:_NUMBER_BYTES], "big")
    # What SQLite cannot count to was never given either.
    return min(position, 2**63 - 1)
