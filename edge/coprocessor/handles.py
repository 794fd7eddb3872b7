"""Handles in the layout of fhEVM: hash 21 bytes, index 1, chain id 8, type 1, version 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wire.digests import keccak256
from wire.ids import Address, HandleId

_INPUT: Final = b"tkms/handle/input/v1"
_COMPUTED: Final = b"tkms/handle/computed/v1"
_HASH_BYTES: Final = 21
_COMPUTED_INDEX: Final = 0xFF
_VERSION: Final = 0


def input_handle(
    proven_list: bytes, owner: tuple[str, Address], position: tuple[int, int], chain: int
) -> HandleId:
    """Handle of entry `position` = (index, fhe_type) of a list that `owner` = (application, account) sent."""
    application, account = owner
    digest = keccak256(_INPUT + keccak256(proven_list) + bytes(account) + application.encode())
    index, fhe_type = position
    return _handle(digest, index, chain, fhe_type)


def computed_handle(
    operation: str, operands: Sequence[HandleId], fhe_type: int, chain: int
) -> HandleId:
    """Handle of a result: the same operation on the same operands is the same value."""
    digest = keccak256(
        _COMPUTED + keccak256(operation.encode()) + b"".join(bytes(item) for item in operands)
    )
    return _handle(digest, _COMPUTED_INDEX, chain, fhe_type)


def _handle(digest: bytes, index: int, chain: int, fhe_type: int) -> HandleId:
    return HandleId(
        digest[:_HASH_BYTES]
        + index.to_bytes(1, "big")
        + chain.to_bytes(8, "big")
        + fhe_type.to_bytes(1, "big")
        + _VERSION.to_bytes(1, "big")
    )
