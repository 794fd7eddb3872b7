"""Good bytes of every form that the kernel reads, made once."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

import tkms_kernel as kernel

from tests.support.kernel_world import BOOL, INFO, METADATA, UINT8, UINT64, World, toy_world
from tests.support.light_check import encoded, load
from wire.signing import Secp256k1Signer

PARTIES: Final = 4
LINK: Final = bytes(range(32))
ADDRESS: Final = bytes(range(20))
SIGNER: Final = bytes([7] * 32)

_TYPES: Final = (BOOL, UINT8, UINT64)
_CEREMONY: Final = 3


@dataclass(frozen=True, slots=True)
class Samples:
    """Good bytes of every form."""

    world: World
    ciphertexts: dict[tuple[int, int], bytes]
    """By format and type."""
    proven: bytes
    crs: bytes
    public_key: bytes
    ceremony: kernel.CrsCeremony
    contribution: bytes
    masked: list[tuple[int, bytes]]
    sealed: bytes
    user_keys: tuple[bytes, bytes]
    verification_key: bytes
    chain_id: str
    blocks: list[dict[str, bytes]]
    shared: list[bytes]
    """A vector of 64-bit scalars, shared with degree 1."""

    @property
    def all_ciphertexts(self) -> list[bytes]:
        """To be mixed."""
        return list(self.ciphertexts.values())


@functools.cache
def samples() -> Samples:
    """Made once."""
    world = toy_world()
    ciphertexts = {}
    for fhe_type in _TYPES:
        ciphertexts[1, fhe_type] = world.client.encrypt(fhe_type, 1)
    # Squashing is slow.
    for form, fhe_type in ((2, UINT8), (3, UINT8), (2, BOOL)):
        ciphertexts[form, fhe_type] = world.squash(fhe_type, 1, form)
    ceremony = kernel.CrsCeremony.begin_toy(_CEREMONY, b"fuzz")
    user_keys = kernel.mlkem512_generate(bytes(64))
    chain_id, blocks = load("four")
    keys = ("signed_header", "validators")
    return Samples(
        world,
        ciphertexts,
        world.public.encrypt_list([(BOOL, 1), (UINT8, 200)], world.crs, METADATA),
        world.crs.to_bytes(),
        world.client.compact_public_key(),
        ceremony,
        ceremony.contribute(1, bytes(32)),
        _masked(world),
        kernel.signcrypt_share(b"share", UINT8, LINK, ADDRESS, user_keys[0], SIGNER),
        user_keys,
        Secp256k1Signer(SIGNER).verification_key,
        chain_id,
        [{key: encoded(block[key]) for key in keys} for block in blocks],
        kernel.shamir_share(64, bytes(range(64)), PARTIES, 1, bytes(32)),
    )


def _masked(world: World) -> list[tuple[int, bytes]]:
    """Masked shares of a resharing among the same parties."""
    masked = []
    for share in world.shares:
        masks = [
            (prss.party, kernel.resharing_mask_share(prss, INFO, "test", share.party))
            for prss in world.prss
        ]
        masked.append((share.party, kernel.resharing_masked(share, PARTIES, 1, masks)[0]))
    return masked
