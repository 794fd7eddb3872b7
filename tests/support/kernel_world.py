"""A dealt key set of the kernel and what its tests share. The parameters are toys without security."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass

import tkms_kernel as kernel

BOOL, UINT4, UINT8, UINT16, UINT32, UINT64, UINT128, UINT160, UINT256 = range(9)
BITS = (1, 4, 8, 16, 32, 64, 128, 160, 256)
ORDINARY, COMPRESSED, EXPANDED = 1, 2, 3
SQUASHED_FORMATS = (COMPRESSED, EXPANDED)
METADATA = b"user 1 to contract 2"
INFO = b"key 1, epoch 1, request 1"
PARTIES, THRESHOLD = 4, 1


@dataclass(frozen=True, slots=True)
class World:
    """One key set with all that is made from it."""

    client: kernel.ClientKey
    server_key_bytes: bytes
    server: kernel.ServerKey
    public: kernel.CompactPublicKey
    crs: kernel.Crs
    shares: list[kernel.KeyShare]
    prss: list[kernel.PrssKeys]

    def squash(self, fhe_type: int, value: int, form: int) -> bytes:
        """Squashed ciphertext of a value."""
        ciphertext = self.client.encrypt(fhe_type, value)
        return self.server.squash(ciphertext, fhe_type, form == COMPRESSED)

    def partials(
        self, ciphertext: bytes, fhe_type: int, form: int, info: bytes = INFO
    ) -> list[tuple[int, bytes]]:
        """Partial decryptions of all parties."""
        pairs = zip(self.shares, self.prss, strict=True)
        return [
            (share.party, share.partial_decrypt(ciphertext, fhe_type, form, prss, info))
            for share, prss in pairs
        ]


def make_world(parameters: str, max_bits: int) -> World:
    """Key set of the given parameters, dealt to four parties."""
    client = kernel.ClientKey.generate(parameters, bytes(range(32)))
    server_key_bytes = client.server_key()
    return World(
        client=client,
        server_key_bytes=server_key_bytes,
        server=kernel.ServerKey.load(server_key_bytes),
        public=kernel.CompactPublicKey.load(client.compact_public_key()),
        crs=kernel.Crs.generate(parameters, max_bits),
        shares=client.deal(PARTIES, THRESHOLD),
        prss=kernel.PrssKeys.deal(PARTIES, THRESHOLD, b"p" * 32),
    )


@functools.cache
def toy_world() -> World:
    """Key set of the toy parameters, made once; the size of its reference string is what costs."""
    return make_world("test", 64)


def value_of(fhe_type: int) -> int:
    """Value with a mixed pattern that fills the type."""
    pattern = int.from_bytes(hashlib.sha256(bytes([fhe_type])).digest(), "big")
    return (pattern | 1 << (BITS[fhe_type] - 1)) & ((1 << BITS[fhe_type]) - 1)


def opened(shares: list[tuple[int, bytes]], fhe_type: int) -> int:
    """Plaintext from partial decryptions, through the ring."""
    result = kernel.online_open(128, PARTIES, THRESHOLD, THRESHOLD, shares, [])
    assert result is not None
    elements, bad = result
    assert bad == []
    blocks = kernel.round_squashed(elements, -(-BITS[fhe_type] // 4), PARTIES, THRESHOLD)
    return kernel.plaintext_from_blocks(blocks, fhe_type)
